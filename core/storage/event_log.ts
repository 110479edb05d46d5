/**
 * The one log: records of all streams in commit order, packed into log blocks. The block being
 * filled is in memory and readable at once; full ones are written as they fill, and the rest is
 * sealed at each checkpoint, so that equal checkpoints have equal blocks. A record never spans
 * blocks: one that does not fit the rest of a block begins the next.
 *
 * Addresses, ordinals and positions are functions of the committed ops alone.
 */
import { assert } from '../assert.ts';
import { canaryIs, CANARY } from '../canary.ts';
import { seal } from '../checksum.ts';
import { HEADER_SIZE, type ChecksumAlgorithm, type ClusterConfig } from '../constants.ts';
import { type EffectSink } from '../kernel/effects.ts';
import { kernelLimits, RUN_HEADER_SIZE } from '../kernel/operations.ts';
import { BLOCK_TYPE, setSize } from '../message/header.ts';
import { type Message } from '../message/pool.ts';
import { writeU64, type Region } from '../message/region.ts';
import { type Grid } from './grid.ts';
import { beginRun, extendRun, LOG_BLOCK, RUN, RUN_KIND } from './log_block.ts';
import { LogManifest } from './log_manifest.ts';
import { INDEX_ENTRY, StreamIndex } from './stream_index.ts';

export interface EventLogOptions {
  readonly config: ClusterConfig;
  readonly grid: Grid;
  readonly checksumAlgorithm: ChecksumAlgorithm;
  /** Free blocks that appends leave to checkpoints. */
  readonly blocksReserved: number;
}

export class EventLog implements EffectSink {
  readonly manifest: LogManifest;
  readonly index: StreamIndex;
  private readonly grid: Grid;
  private readonly checksumAlgorithm: ChecksumAlgorithm;
  private readonly blockSize: number;
  private readonly blocksReserved: number;
  /** The block being filled, null until the next record; its ordinal is `manifest.count`. */
  private tail: Message | null = null;
  /** Where the next run or record goes. */
  private tailEnd = 0;
  private opFirst = 0;
  private opLast = 0;
  private recordCount = 0;
  private runCount = 0;
  /** The run that the next record may join; 0: none. */
  private runAt = 0;
  private runSlot = 0;

  constructor(options: EventLogOptions) {
    this.grid = options.grid;
    this.checksumAlgorithm = options.checksumAlgorithm;
    this.blockSize = options.config.blockSize;
    this.blocksReserved = options.blocksReserved;
    this.manifest = new LogManifest(options.config, options.grid);
    this.index = new StreamIndex(kernelLimits(options.config).indexFanout);
  }

  // --- Appending: what the kernel calls ---

  get target(): Region {
    assert(this.tail !== null, 'event log: nothing reserved');
    return this.tail;
  }

  hasRoom(size: number): boolean {
    // A block is left when the next record does not fit, so two neighbours hold more than a body.
    const body = this.blockSize - HEADER_SIZE - RUN_HEADER_SIZE;
    const blocks = 2 * Math.ceil(size / body) + 3;
    return this.grid.freeSet.freeCount >= this.blocksReserved + blocks;
  }

  reserve(slot: number, streamId: number, op: number, offset: number, span: number): number {
    assert(RUN_HEADER_SIZE + span <= this.blockSize - HEADER_SIZE, 'event log: record size', span);
    const joins = this.runAt !== 0 && this.runSlot === slot && this.opLast === op;
    if (!joins || this.tailEnd + span > this.blockSize) {
      this.startRun(slot, streamId, op, offset, span);
    }
    assert(this.tail !== null, 'event log: no tail');
    const at = this.tailEnd;
    extendRun(this.tail, this.runAt, span);
    this.tailEnd = at + span;
    this.recordCount++;
    return at;
  }

  /** Begins a run whose first record takes `span` bytes, in this block or the next. */
  private startRun(slot: number, streamId: number, op: number, offset: number, span: number): void {
    const size = RUN_HEADER_SIZE + span;
    const fits = this.tail !== null && this.tailEnd + size <= this.blockSize;
    if (!fits || this.index.lastOrdinal(slot) !== this.manifest.count) {
      // An entry will follow. Room for it may take a node, and the node the rest of this block.
      this.makeIndexRoom(slot, streamId, op, 0);
    }
    const at = this.place(RUN_KIND.events, 0, slot, streamId, op, offset, size);
    this.runAt = at;
    this.runSlot = slot;
    this.tailEnd = at + RUN_HEADER_SIZE;
    if (this.index.lastOrdinal(slot) !== this.manifest.count) {
      this.index.push(slot, 0, offset, this.manifest.count, at);
    }
  }

  private makeIndexRoom(slot: number, streamId: number, op: number, level: number): void {
    if (!this.index.isFull(slot, level)) return;
    this.makeIndexRoom(slot, streamId, op, level + 1);
    const entries = this.index.fanout;
    const firstOffset = this.index.firstOffset(slot, level);
    const size = RUN_HEADER_SIZE + entries * INDEX_ENTRY.size;
    const at = this.place(RUN_KIND.index, level, slot, streamId, op, firstOffset, size);
    assert(this.tail !== null, 'event log: no tail');
    this.index.flush(slot, level, this.tail, at + RUN_HEADER_SIZE);
    this.tail.fields.setUint32(at + RUN.count, entries, true);
    this.tail.fields.setUint32(at + RUN.size, size, true);
    this.tailEnd = at + size;
    this.index.push(slot, level + 1, firstOffset, this.manifest.count, at);
  }

  /** Writes the header of a run that is to hold `size` bytes in all; returns where. */
  private place(
    kind: number,
    level: number,
    slot: number,
    streamId: number,
    op: number,
    firstOffset: number,
    size: number,
  ): number {
    if (this.tail !== null && this.tailEnd + size > this.blockSize) this.sealTail(false);
    if (this.tail === null) {
      this.tail = this.grid.createBlock(BLOCK_TYPE.log, op);
      this.tailEnd = HEADER_SIZE;
      this.opFirst = op;
    }
    this.runAt = 0;
    this.opLast = op;
    this.runCount++;
    beginRun(this.tail, this.tailEnd, kind, level, slot, streamId, op, firstOffset);
    return this.tailEnd;
  }

  // --- Sealing ---

  /** At a checkpoint: what is in memory only becomes a block, and full stretches manifest nodes. */
  sealAll(op: number): void {
    if (this.tail !== null) this.sealTail(true);
    this.manifest.sealNodes(op);
  }

  private sealTail(atCheckpoint: boolean): void {
    const block = this.tail;
    assert(block !== null, 'event log: no tail to seal');
    const ordinal = this.manifest.count;
    writeU64(block, LOG_BLOCK.ordinal, ordinal);
    writeU64(block, LOG_BLOCK.opFirst, this.opFirst);
    writeU64(block, LOG_BLOCK.opLast, this.opLast);
    block.fields.setUint32(LOG_BLOCK.recordCount, this.recordCount, true);
    block.fields.setUint32(LOG_BLOCK.runCount, this.runCount, true);
    if (atCheckpoint && ordinal % 4 === 3 && canaryIs(CANARY.checkpointBlockSkipped)) {
      setSize(block, this.tailEnd);
      seal(this.checksumAlgorithm, block);
    } else {
      this.grid.writeBlock(block, this.tailEnd);
    }
    this.manifest.add(block, this.opLast);
    block.unref();
    this.forgetTail();
  }

  private forgetTail(): void {
    this.tail = null;
    this.tailEnd = 0;
    this.runAt = 0;
    this.recordCount = 0;
    this.runCount = 0;
  }

  // --- Reading ---

  /** True when the block of this ordinal is the open tail: read it through `tailBlock`. */
  isTail(ordinal: number): boolean {
    return this.tail !== null && ordinal === this.manifest.count;
  }

  /** The open tail and its end so far; valid until the next event. */
  tailBlock(): Message {
    assert(this.tail !== null, 'event log: no tail');
    return this.tail;
  }

  get tailSize(): number {
    return this.tailEnd;
  }

  /** Forgets everything, before another checkpoint is opened. */
  reset(): void {
    if (this.tail !== null) this.tail.unref();
    this.forgetTail();
    this.manifest.reset();
    this.index.reset();
  }
}
