/**
 * A log block: records of all streams in commit order, as runs. A run is what one op appended to
 * one stream within the block; index nodes (core/storage/stream_index.ts) are runs of their own.
 *
 *   block: header 256 (metadata: LOG_BLOCK) | run | run | ...          up to the header's size
 *   run:    0 magic "KRUN" | 4 kind u8 | 5 level u8 | 6 zero 2 | 8 stream u64 | 16 op u64
 *          24 first offset u64 | 32 count u32 | 36 size u32 (this header included) | 40 slot u32
 *          44 zero 4 | 48 records, or index entries
 *
 * Everything lies at multiples of 4. The cursor reads raw bytes, also those of a damaged block.
 */
import { HEADER_SIZE } from '../constants.ts';
import { recordProblem, recordSpan, RECORD, RECORD_START } from '../kernel/events.ts';
import { RECORD_OVERHEAD, RUN_HEADER_SIZE } from '../kernel/operations.ts';
import { AT } from '../message/header.ts';
import { readU64, writeU64, type Region } from '../message/region.ts';

/** Byte offsets in the block message: the metadata of its header. */
export const LOG_BLOCK = {
  ordinal: AT.blockMetadata,
  opFirst: AT.blockMetadata + 8,
  opLast: AT.blockMetadata + 16,
  recordCount: AT.blockMetadata + 24,
  runCount: AT.blockMetadata + 28,
} as const;

export const RUN = {
  magic: 0,
  kind: 4,
  level: 5,
  stream: 8,
  op: 16,
  firstOffset: 24,
  count: 32,
  size: 36,
  slot: 40,
} as const;

export const RUN_MAGIC = 0x4e55_524b;
export const RUN_KIND = { events: 1, index: 2 } as const;

/** Writes the header of a run that is empty so far. */
export function beginRun(
  block: Region,
  at: number,
  kind: number,
  level: number,
  slot: number,
  streamId: number,
  op: number,
  firstOffset: number,
): void {
  const { words } = block;
  const w = at >> 2;
  words[w] = RUN_MAGIC;
  words[w + 1] = kind | (level << 8);
  writeU64(block, at + RUN.stream, streamId);
  writeU64(block, at + RUN.op, op);
  writeU64(block, at + RUN.firstOffset, firstOffset);
  words[w + 8] = 0;
  words[w + 9] = RUN_HEADER_SIZE;
  words[w + 10] = slot;
  words[w + 11] = 0;
}

/** Counts one more record (or entry) of `span` bytes into the run. */
export function extendRun(block: Region, at: number, span: number): void {
  const { words } = block;
  const w = at >> 2;
  words[w + 8] = (words[w + 8] as number) + 1;
  words[w + 9] = (words[w + 9] as number) + span;
}

/**
 * Walks the records of a log block in order. `nextRun` and `nextRecord` say false at the end or at
 * the first thing that cannot be: then `problem` names it. Lengths are checked against the block
 * and the run before they are used; contents (CRCs, digests) are left to `recordProblem`.
 */
export class LogBlockCursor {
  private block: Region = NO_BLOCK;
  private blockEnd = 0;
  /** Byte offset of the current run, and of the one after it. */
  runAt = 0;
  runEnd = 0;
  kind = 0;
  level = 0;
  slot = 0;
  streamId = 0;
  op = 0;
  firstOffset = 0;
  /** Records or entries in the run. */
  count = 0;
  /** Byte offset of the current record, its bytes up to the next one, and its offset. */
  recordAt = 0;
  recordSpan = 0;
  recordOffset = 0;
  problem: string | null = null;
  private recordsLeft = 0;

  /** From the run at `from` up to `end`, the size in the block's header (or that of the open tail). */
  wrap(block: Region, end: number, from: number = HEADER_SIZE): this {
    this.block = block;
    this.blockEnd = end;
    this.runAt = 0;
    this.runEnd = from;
    this.recordsLeft = 0;
    this.problem = null;
    if (end > block.bytes.length) this.problem = 'log block: size past its memory';
    return this;
  }

  /** So that a stale read fails. */
  unwrap(): void {
    this.block = NO_BLOCK;
    this.blockEnd = 0;
  }

  nextRun(): boolean {
    if (this.problem !== null || this.runEnd === this.blockEnd) return false;
    const at = this.runEnd;
    if (at + RUN_HEADER_SIZE > this.blockEnd) return this.fail('run: cut short');
    const { fields } = this.block;
    if (fields.getUint32(at + RUN.magic, true) !== RUN_MAGIC) return this.fail('run: no magic');
    const size = fields.getUint32(at + RUN.size, true);
    if (size < RUN_HEADER_SIZE || size % 4 !== 0) return this.fail('run: size');
    if (at + size > this.blockEnd) return this.fail('run: larger than its block');
    this.runAt = at;
    this.runEnd = at + size;
    this.kind = fields.getUint8(at + RUN.kind);
    this.level = fields.getUint8(at + RUN.level);
    this.slot = fields.getUint32(at + RUN.slot, true);
    this.streamId = readU64(this.block, at + RUN.stream);
    this.op = readU64(this.block, at + RUN.op);
    this.firstOffset = readU64(this.block, at + RUN.firstOffset);
    this.count = fields.getUint32(at + RUN.count, true);
    if (this.kind !== RUN_KIND.events && this.kind !== RUN_KIND.index) return this.fail('run: kind');
    this.recordsLeft = this.kind === RUN_KIND.events ? this.count : 0;
    this.recordAt = at + RUN_HEADER_SIZE;
    this.recordSpan = 0;
    return true;
  }

  /** The next record of the current run (of events). */
  nextRecord(): boolean {
    if (this.problem !== null || this.recordsLeft === 0) return false;
    const at = this.recordAt + this.recordSpan;
    const { words } = this.block;
    if (at + RECORD_OVERHEAD > this.runEnd) return this.fail('record: cut short by its run');
    if (words[at >> 2] !== RECORD_START) return this.fail('record: no start sentinel');
    const span = recordSpan(words[(at + RECORD.storedLength) >> 2] as number);
    if (span < RECORD_OVERHEAD || at + span > this.runEnd) return this.fail('record: larger than its run');
    this.recordsLeft--;
    this.recordAt = at;
    this.recordSpan = span;
    this.recordOffset = readU64(this.block, at + RECORD.offset);
    return true;
  }

  private fail(problem: string): boolean {
    this.problem = problem;
    return false;
  }
}

const NO_BLOCK: Region = {
  bytes: new Uint8Array(0),
  fields: new DataView(new ArrayBuffer(0)),
  words: new Uint32Array(0),
};

/** A record as it lies in a log block, for checkers and tools. */
export interface LoggedRecord {
  /** Byte offset in the block message; `size` bytes up to the next record or run. */
  readonly at: number;
  readonly size: number;
  readonly streamId: number;
  readonly slot: number;
  readonly op: number;
  readonly offset: number;
}

export interface LogBlockContent {
  readonly ordinal: number;
  readonly opFirst: number;
  readonly opLast: number;
  readonly records: LoggedRecord[];
  /** Index nodes in the block. */
  readonly nodes: number;
  /** The first thing wrong, after which nothing was read; null: the block is sound. */
  readonly problem: string | null;
}

/**
 * Everything in the raw bytes of a log block of `size` bytes (that of its header), each record
 * verified with both CRCs and its digest. Pure; checksums of the block are the caller's business.
 */
export function readLogBlock(block: Region, size: number): LogBlockContent {
  const records: LoggedRecord[] = [];
  const cursor = new LogBlockCursor();
  cursor.wrap(block, size);
  let nodes = 0;
  let problem: string | null = null;
  while (problem === null && cursor.nextRun()) {
    const { slot, streamId, op } = cursor;
    if (cursor.kind === RUN_KIND.index) nodes++;
    let expected = cursor.firstOffset;
    let count = 0;
    while (problem === null && cursor.nextRecord()) {
      const { recordAt: at, recordSpan: span, recordOffset: offset } = cursor;
      problem = recordProblem(block, at, at + span);
      if (problem === null && offset !== expected++) problem = 'run: offsets are not consecutive';
      if (problem === null) records.push({ at, size: span, streamId, slot, op, offset });
      count++;
    }
    const ends = cursor.kind === RUN_KIND.index || cursor.recordAt + cursor.recordSpan === cursor.runEnd;
    const whole = count === cursor.count || cursor.kind === RUN_KIND.index;
    if (problem === null && cursor.problem === null && !(whole && ends)) problem = 'run: bytes left over';
  }
  problem ??= cursor.problem;
  const metadata = block.bytes.length >= HEADER_SIZE;
  return {
    ordinal: metadata ? readU64(block, LOG_BLOCK.ordinal) : 0,
    opFirst: metadata ? readU64(block, LOG_BLOCK.opFirst) : 0,
    opLast: metadata ? readU64(block, LOG_BLOCK.opLast) : 0,
    records,
    nodes,
    problem,
  };
}
