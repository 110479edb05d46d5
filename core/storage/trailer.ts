/**
 * A trailer: a byte string under a checkpoint (sessions, kernel state, free set), cut into blocks
 * that are linked newest to oldest, each naming its predecessor by address and checksum. The
 * checkpoint holds an 80-byte reference to the newest. Source: reference "vsr" 9.2.
 *
 * Driven by its owner: `write` and `open` say true when they are done; while they say false the
 * owner calls `writeMore` on each gridWriteDone, or `onGridRead` with each block of its token.
 *
 *     metadata of a block (96 bytes at AT.blockMetadata)
 *      0  checksum of the block before, 32    zero in the first
 *     32  address of the block before, u64    zero in the first
 *     40  index of this block, u32
 *     44  kind of trailer, u32
 *
 * Every block but the newest is full.
 */
import { assert, ReplicaFatal } from '../assert.ts';
import { checksumInto, checksumMatches } from '../checksum.ts';
import { HEADER_SIZE, type ChecksumAlgorithm, type ClusterConfig } from '../constants.ts';
import { AT, BLOCK_TYPE, sizeOf } from '../message/header.ts';
import { type Message } from '../message/pool.ts';
import { copyWords, readU64, regionOf, writeU64, zeroWords, type Region } from '../message/region.ts';
import { TRAILER_REF, TRAILER_REF_SIZE } from './checkpoint_state.ts';
import { type Grid } from './grid.ts';

const META = {
  previousChecksum: AT.blockMetadata,
  previousAddress: AT.blockMetadata + 32,
  index: AT.blockMetadata + 40,
  kind: AT.blockMetadata + 44,
} as const;

/** What an open or a write is going through; null regions would change the object's shape. */
const NOTHING = regionOf(new Uint8Array(0));

export interface TrailerOptions {
  readonly config: ClusterConfig;
  readonly grid: Grid;
  readonly checksumAlgorithm: ChecksumAlgorithm;
  /** One of `TRAILER`; in every block. */
  readonly kind: number;
  /** Bytes of the longest content. */
  readonly sizeMax: number;
  /** Token of this trailer's grid reads. */
  readonly readToken: number;
}

export class Trailer {
  readonly kind: number;
  readonly readToken: number;
  readonly sizeMax: number;
  /** Bytes of the content allocated, written or opened last. */
  size = 0;
  private readonly grid: Grid;
  private readonly algorithm: ChecksumAlgorithm;
  private readonly bodyMax: number;
  /** Blocks of the content, oldest first: `blockCount(size)` of them. */
  private readonly addresses: Float64Array;
  private readonly checksums: Region;
  /** The reference to the content, complete once written or opened. */
  private readonly ref = regionOf(new Uint8Array(TRAILER_REF_SIZE));
  private state: 'empty' | 'allocated' | 'writing' | 'reading' | 'complete' = 'empty';
  private content: Region = NOTHING;
  private snapshotOp = 0;
  /** Writing: blocks written. Reading: blocks still to read. */
  private progress = 0;

  constructor(options: TrailerOptions) {
    this.kind = options.kind;
    this.readToken = options.readToken;
    this.sizeMax = options.sizeMax;
    this.grid = options.grid;
    this.algorithm = options.checksumAlgorithm;
    this.bodyMax = options.config.blockSize - HEADER_SIZE;
    const blocksMax = this.blockCount(options.sizeMax);
    this.addresses = new Float64Array(blocksMax);
    this.checksums = regionOf(new Uint8Array(blocksMax * 32));
  }

  /** Blocks that `size` bytes of content take. */
  blockCount(size: number): number {
    return Math.ceil(size / this.bodyMax);
  }

  // --- Writing ---

  /**
   * Releases the blocks of the last checkpoint's content and acquires those for `size` bytes, all
   * at once: addresses must not depend on how writes proceed.
   */
  allocate(size: number): void {
    assert(this.state === 'empty' || this.state === 'complete', 'trailer: busy', this.kind);
    assert(size >= 0 && size <= this.sizeMax, 'trailer: size', size, this.sizeMax);
    const { freeSet } = this.grid;
    for (let i = 0; i < this.blockCount(this.size); i++) freeSet.release(this.addresses[i] as number);
    for (let i = 0; i < this.blockCount(size); i++) this.addresses[i] = this.grid.acquire();
    this.size = size;
    this.state = 'allocated';
  }

  /**
   * Writes the content allocated for. True: all blocks are with the grid (durable after its flush)
   * and `fillRef` is final. False: `content` stays unchanged until `writeMore` says true.
   */
  write(content: Region, snapshotOp: number): boolean {
    assert(this.state === 'allocated', 'trailer: write before allocate', this.kind);
    assert(content.bytes.byteLength >= this.size, 'trailer: content', this.size);
    this.state = 'writing';
    this.content = content;
    this.snapshotOp = snapshotOp;
    this.progress = 0;
    return this.writeMore();
  }

  writeMore(): boolean {
    assert(this.state === 'writing', 'trailer: not writing', this.kind);
    const count = this.blockCount(this.size);
    while (this.progress < count) {
      if (!this.grid.canWrite()) return false;
      this.writeNext(this.progress++);
    }
    zeroWords(this.ref, 0, TRAILER_REF_SIZE);
    if (count > 0) {
      copyWords(this.checksums, (count - 1) * 32, this.ref, TRAILER_REF.lastBlockChecksum, 32);
      writeU64(this.ref, TRAILER_REF.lastBlockAddress, this.addresses[count - 1] as number);
      writeU64(this.ref, TRAILER_REF.size, this.size);
      const { ref, content, size } = this;
      checksumInto(this.algorithm, content, 0, size, ref, TRAILER_REF.contentChecksum);
    }
    this.content = NOTHING;
    this.state = 'complete';
    return true;
  }

  /** Writes the `TRAILER_REF` (80 bytes); all zero for an empty trailer. */
  fillRef(target: Region, at: number): void {
    assert(this.state === 'empty' || this.state === 'complete', 'trailer: no reference', this.kind);
    copyWords(this.ref, 0, target, at, TRAILER_REF_SIZE);
  }

  private writeNext(i: number): void {
    const address = this.addresses[i] as number;
    const block = this.grid.createBlockAt(address, BLOCK_TYPE.trailer, this.snapshotOp);
    if (i > 0) {
      copyWords(this.checksums, (i - 1) * 32, block, META.previousChecksum, 32);
      writeU64(block, META.previousAddress, this.addresses[i - 1] as number);
    }
    block.fields.setUint32(META.index, i, true);
    block.fields.setUint32(META.kind, this.kind, true);
    const from = i * this.bodyMax;
    const length = Math.min(this.bodyMax, this.size - from);
    block.bytes.set(this.content.bytes.subarray(from, from + length), HEADER_SIZE);
    this.grid.writeBlock(block, HEADER_SIZE + length);
    copyWords(block, AT.checksum, this.checksums, i * 32, 32);
    block.unref();
  }

  // --- Reading ---

  /**
   * Reads the content of the reference at (ref, at) into `target` from byte 0. True: complete,
   * `size` is set. False: complete when an `onGridRead` says true. Throws `ReplicaFatal`
   * 'checkpoint-malformed' when checksums hold but the content is none of ours.
   */
  open(ref: Region, at: number, target: Region): boolean {
    assert(this.state === 'empty' || this.state === 'complete', 'trailer: busy', this.kind);
    const size = readU64(ref, at + TRAILER_REF.size);
    if (size > this.sizeMax) this.malformed('longer than its limit');
    assert(target.bytes.byteLength >= size, 'trailer: target', size, target.bytes.byteLength);
    copyWords(ref, at, this.ref, 0, TRAILER_REF_SIZE);
    this.size = size;
    this.content = target;
    this.progress = this.blockCount(size);
    this.state = 'reading';
    if (size === 0) return this.complete();
    const address = readU64(ref, at + TRAILER_REF.lastBlockAddress);
    return this.expect(address, ref, at + TRAILER_REF.lastBlockChecksum);
  }

  /** A block for `readToken`. True: the content is complete. */
  onGridRead(block: Message): boolean {
    assert(this.state === 'reading', 'trailer: block while not reading', this.kind);
    if (this.take(block)) return this.complete();
    return this.expect(readU64(block, META.previousAddress), block, META.previousChecksum);
  }

  /** Calls `grid.want` for every block of the content; after `open`. */
  wantAll(): void {
    assert(this.state === 'empty' || this.state === 'complete', 'trailer: busy', this.kind);
    for (let i = 0; i < this.blockCount(this.size); i++) {
      this.grid.want(this.addresses[i] as number, this.checksums, i * 32);
    }
  }

  /** Forgets content, blocks and reads in progress; releases nothing. Before another `open`. */
  reset(): void {
    this.size = 0;
    this.progress = 0;
    this.content = NOTHING;
    this.state = 'empty';
    zeroWords(this.ref, 0, TRAILER_REF_SIZE);
  }

  /** Reads backwards while blocks are in memory. `checksum` may lie in a block that is borrowed. */
  private expect(address: number, checksum: Region, checksumAt: number): boolean {
    let [nextAddress, next, nextAt] = [address, checksum, checksumAt];
    for (;;) {
      const i = this.progress - 1;
      if (!(nextAddress >= 1 && nextAddress <= this.grid.freeSet.blockCount)) {
        this.malformed('a block outside the grid');
      }
      this.addresses[i] = nextAddress;
      copyWords(next, nextAt, this.checksums, i * 32, 32);
      const block = this.grid.read(nextAddress, this.checksums, i * 32, this.readToken);
      if (block === null) return false;
      if (this.take(block)) return this.complete();
      [nextAddress, next, nextAt] = [readU64(block, META.previousAddress), block, META.previousChecksum];
    }
  }

  /** Copies the block's part; true when it was the first. */
  private take(block: Message): boolean {
    const i = --this.progress;
    const from = i * this.bodyMax;
    const length = Math.min(this.bodyMax, this.size - from);
    if (block.fields.getUint8(AT.blockType) !== BLOCK_TYPE.trailer) this.malformed('not a trailer block');
    if (block.fields.getUint32(META.kind, true) !== this.kind) this.malformed('another kind');
    if (block.fields.getUint32(META.index, true) !== i) this.malformed('block out of order');
    if (sizeOf(block) !== HEADER_SIZE + length) this.malformed('size of a block');
    this.content.bytes.set(block.bytes.subarray(HEADER_SIZE, HEADER_SIZE + length), from);
    return i === 0;
  }

  private complete(): boolean {
    const { content, size, ref } = this;
    const sound =
      size === 0 ||
      checksumMatches(this.algorithm, content, 0, size, ref, TRAILER_REF.contentChecksum);
    if (!sound) this.malformed('content checksum');
    this.content = NOTHING;
    this.state = 'complete';
    return true;
  }

  private malformed(problem: string): never {
    throw new ReplicaFatal(
      'checkpoint-malformed',
      `Cannot open trailer ${this.kind} of the checkpoint: ${problem}, though checksums hold`,
    );
  }
}
