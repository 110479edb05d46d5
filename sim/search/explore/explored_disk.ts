/**
 * The Storage port of an explored replica. Operations wait in a queue and complete in order of
 * submission, one by one, when the explorer says so: at once after each handler (an atomic disk),
 * or as steps between which other things happen and a crash may come.
 *
 * Durable is what a sync covers that started after the write had completed. A crash loses what is
 * only queued, and what no sync has covered either stays or goes, as a whole.
 */
import { assert } from '../../../core/assert.ts';
import { SECTOR_SIZE, type Storage } from '../../../core/ports.ts';
import { type SectorStore } from './sector_store.ts';

export const IO = { read: 0, write: 1, sync: 2 } as const;

interface Operation {
  readonly kind: number;
  readonly sector: number;
  readonly buffer: Uint8Array;
  readonly token: number;
  /** Of a sync: the disk as it was when it started. */
  readonly covers: Int32Array | null;
}

export const UNSYNCED = { lost: 0, kept: 1 } as const;
const NO_BUFFER = new Uint8Array(0);

export class ExploredDisk implements Storage {
  /** Sector numbers of `store`. Replaced on a write, never changed: states share them. */
  written: Int32Array;
  durable: Int32Array;
  /** Oldest first. */
  readonly queue: Operation[] = [];
  private readonly store: SectorStore;

  constructor(store: SectorStore, size: number) {
    this.store = store;
    this.written = new Int32Array(size / SECTOR_SIZE);
    this.durable = this.written;
  }

  /** Formatting: before any process runs. */
  preset(offset: number, bytes: Uint8Array): void {
    this.write(offset, bytes, 0);
    this.complete();
    this.durable = this.written;
  }

  // --- Storage ---

  allocate(size: number): Uint8Array {
    return new Uint8Array(Math.ceil(size / SECTOR_SIZE) * SECTOR_SIZE);
  }

  read(offset: number, buffer: Uint8Array, token: number): void {
    this.submit(IO.read, offset, buffer, token);
  }

  write(offset: number, buffer: Uint8Array, token: number): void {
    this.submit(IO.write, offset, buffer, token);
  }

  sync(token: number): void {
    const covers = this.written;
    this.queue.push({ kind: IO.sync, sector: 0, buffer: NO_BUFFER, token, covers });
  }

  size(): number {
    return this.written.length * SECTOR_SIZE;
  }

  private submit(kind: number, offset: number, buffer: Uint8Array, token: number): void {
    const sector = offset / SECTOR_SIZE;
    const count = buffer.byteLength / SECTOR_SIZE;
    assert(Number.isInteger(sector) && Number.isInteger(count), 'disk: whole sectors', offset);
    assert(sector + count <= this.written.length, 'disk: past the end', offset);
    for (const other of this.queue) {
      const apart =
        other.sector >= sector + count || other.sector + other.buffer.byteLength / SECTOR_SIZE <= sector;
      assert(apart || (kind === IO.read && other.kind === IO.read), 'disk: overlap in flight', offset);
    }
    this.queue.push({ kind, sector, buffer, token, covers: null });
  }

  // --- For the explorer ---

  /** Carries out the oldest operation and returns its token. */
  complete(): number {
    const operation = this.queue.shift();
    assert(operation !== undefined, 'disk: nothing to complete');
    const { kind, sector, buffer, token, covers } = operation;
    const count = buffer.byteLength / SECTOR_SIZE;
    if (kind === IO.read) {
      for (let i = 0; i < count; i++) {
        buffer.set(this.store.bytes(this.written[sector + i] as number), i * SECTOR_SIZE);
      }
    } else if (kind === IO.write) {
      const written = this.written.slice();
      for (let i = 0; i < count; i++) {
        written[sector + i] = this.store.intern(buffer.subarray(i * SECTOR_SIZE, (i + 1) * SECTOR_SIZE));
      }
      this.written = written;
    } else {
      this.durable = covers as Int32Array;
    }
    return token;
  }

  /** Power off. `unsynced`: whether what was written and never synced is still there afterwards. */
  crash(unsynced: number): void {
    this.queue.length = 0;
    if (unsynced === UNSYNCED.kept) this.durable = this.written;
    else this.written = this.durable;
  }

  /** A crash with `kept` differs from one with `lost`. */
  get hasUnsynced(): boolean {
    const { written, durable } = this;
    if (written === durable) return false;
    for (let i = 0; i < written.length; i++) if (written[i] !== durable[i]) return true;
    return false;
  }
}
