/**
 * A Storage port for tests: operations wait until the test completes them, one by one, in the
 * order it likes. Keeps apart what is written and what is durable, so that `crash` can lose or
 * tear, sector by sector, whatever no later sync has covered.
 *
 *   storage.deliver = (token, result) => journal.onStorage(token, result);
 *   journal.writePrepare(message);
 *   storage.step();                 // completes the oldest operation
 *   storage.crash(rng);             // unsynced sectors: old, new or garbage
 */
import { assert } from '../../core/assert.ts';
import {
  SECTOR_SIZE,
  STORAGE_RESULT,
  type Rng,
  type Storage,
  type StorageResult,
} from '../../core/ports.ts';

export interface PendingOperation {
  readonly kind: 'read' | 'write' | 'sync';
  readonly offset: number;
  readonly buffer: Uint8Array;
  readonly token: number;
  /** write: the bytes at submission. */
  readonly submitted: Uint8Array;
  /** sync: writes completed before it began, by `WriteRecord.number`. */
  readonly covers: number;
}

interface WriteRecord {
  readonly number: number;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

const NO_BYTES = new Uint8Array(0);

/** What may be left of one sector whose write was not durable at a crash. */
export type SectorFate = 'old' | 'new' | 'garbage';

export class MemoryStorage implements Storage {
  /** In order of submission. */
  readonly pending: PendingOperation[] = [];
  /** What a read returns now. */
  readonly written: Uint8Array;
  /** What a crash certainly leaves. */
  readonly durable: Uint8Array;
  /** Byte offsets of sectors that read as `corruptRead` until they are written again. */
  readonly badSectors = new Set<number>();
  /** Set by the test; called by `complete`. */
  deliver: (token: number, result: StorageResult) => void = () => {};
  reads = 0;
  writes = 0;
  syncs = 0;
  /** Completed writes that no completed sync covers yet. */
  private unsynced: WriteRecord[] = [];
  private writeNumber = 0;

  constructor(size: number) {
    assert(size % SECTOR_SIZE === 0, 'memory storage: size', size);
    this.written = new Uint8Array(size);
    this.durable = new Uint8Array(size);
  }

  allocate(size: number): Uint8Array {
    return new Uint8Array(Math.ceil(size / SECTOR_SIZE) * SECTOR_SIZE).subarray(0, size);
  }

  size(): number {
    return this.written.byteLength;
  }

  read(offset: number, buffer: Uint8Array, token: number): void {
    this.submit('read', offset, buffer, token);
  }

  write(offset: number, buffer: Uint8Array, token: number): void {
    this.submit('write', offset, buffer, token);
  }

  sync(token: number): void {
    const covers = this.writeNumber;
    const operation = { kind: 'sync', offset: 0, buffer: NO_BYTES, token, covers } as const;
    this.pending.push({ ...operation, submitted: NO_BYTES });
  }

  /** Formatting and deliberate damage: writes past all rules, durable at once. */
  poke(offset: number, bytes: Uint8Array): void {
    this.written.set(bytes, offset);
    this.durable.set(bytes, offset);
  }

  /** Completes the oldest pending operation; false when there is none. */
  step(): boolean {
    if (this.pending.length === 0) return false;
    this.complete(0);
    return true;
  }

  /** Completes everything, oldest first, also what completions submit. */
  run(): void {
    let steps = 0;
    while (this.step()) assert(++steps < 1_000_000, 'memory storage: never idle', steps);
  }

  /** Completes everything in an order that `rng` chooses. */
  runShuffled(rng: Rng): void {
    while (this.pending.length > 0) this.complete(rng.below(this.pending.length));
  }

  /** Completes `pending[index]` with `result`; a read of a bad sector is `corruptRead` by itself. */
  complete(index: number, result: StorageResult = STORAGE_RESULT.ok): void {
    const operation = this.pending[index];
    assert(operation !== undefined, 'memory storage: no such operation', index);
    this.pending.splice(index, 1);
    let outcome = result;
    if (result === STORAGE_RESULT.ok) outcome = this.apply(operation);
    this.deliver(operation.token, outcome);
  }

  private apply(operation: PendingOperation): StorageResult {
    const { kind, offset, buffer } = operation;
    if (kind === 'read') {
      this.reads++;
      for (let at = offset; at < offset + buffer.byteLength; at += SECTOR_SIZE) {
        if (this.badSectors.has(at)) return STORAGE_RESULT.corruptRead;
      }
      buffer.set(this.written.subarray(offset, offset + buffer.byteLength));
    } else if (kind === 'write') {
      this.writes++;
      assert(equalBytes(buffer, operation.submitted), 'memory storage: buffer changed', offset);
      this.written.set(buffer, offset);
      for (let at = offset; at < offset + buffer.byteLength; at += SECTOR_SIZE) {
        this.badSectors.delete(at);
      }
      this.unsynced.push({ number: ++this.writeNumber, offset, bytes: operation.submitted });
    } else {
      this.syncs++;
      const later: WriteRecord[] = [];
      for (const write of this.unsynced) {
        if (write.number <= operation.covers) this.durable.set(write.bytes, write.offset);
        else later.push(write);
      }
      this.unsynced = later;
    }
    return STORAGE_RESULT.ok;
  }

  /**
   * Power loss. Every sector of every write that is not durable, completed or in flight, ends old,
   * new or garbage. `fates` limits what may happen; pending operations are forgotten.
   */
  crash(rng: Rng, fates: readonly SectorFate[] = ['old', 'new', 'garbage']): void {
    const after = this.durable.slice();
    const torn = (offset: number, bytes: Uint8Array): void => {
      for (let at = 0; at < bytes.byteLength; at += SECTOR_SIZE) {
        const fate = fates[rng.below(fates.length)] as SectorFate;
        if (fate === 'new') after.set(bytes.subarray(at, at + SECTOR_SIZE), offset + at);
        if (fate === 'garbage') {
          for (let i = 0; i < SECTOR_SIZE; i++) after[offset + at + i] = rng.below(256);
        }
      }
    };
    for (const write of this.unsynced) torn(write.offset, write.bytes);
    for (const operation of this.pending) {
      if (operation.kind === 'write') torn(operation.offset, operation.submitted);
    }
    this.pending.length = 0;
    this.unsynced = [];
    this.written.set(after);
    this.durable.set(after);
  }

  private submit(kind: 'read' | 'write', offset: number, buffer: Uint8Array, token: number): void {
    const length = buffer.byteLength;
    assert(offset % SECTOR_SIZE === 0, 'memory storage: offset', offset);
    assert(length > 0 && length % SECTOR_SIZE === 0, 'memory storage: length', length);
    assert(offset + length <= this.size(), 'memory storage: past the end', offset, length);
    for (const other of this.pending) {
      if (other.kind === 'sync' || (other.kind === 'read' && kind === 'read')) continue;
      const apart = other.offset + other.buffer.byteLength <= offset || offset + length <= other.offset;
      assert(apart, 'memory storage: overlapping operations', offset, other.offset);
    }
    const submitted = kind === 'write' ? buffer.slice() : NO_BYTES;
    this.pending.push({ kind, offset, buffer, token, submitted, covers: 0 });
  }
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && a.every((byte, i) => byte === b[i]);
}
