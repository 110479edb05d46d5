/**
 * A trailer: a byte string under a checkpoint (sessions, kernel state, free set), cut into blocks
 * that are linked newest to oldest, each naming its predecessor by address and checksum. The
 * checkpoint holds an 80-byte reference to the newest. Source: reference "vsr" 9.2.
 *
 * Driven by its owner: `write` and `open` say true when they are done; while they say false the
 * owner calls `writeMore` on each gridWriteDone, or `onGridRead` with each block of its token.
 */
import { type ChecksumAlgorithm, type ClusterConfig } from '../constants.ts';
import { type Message } from '../message/pool.ts';
import { type Region } from '../message/region.ts';
import { type Grid } from './grid.ts';

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

  constructor(options: TrailerOptions) {
    this.kind = options.kind;
    this.readToken = options.readToken;
    this.sizeMax = options.sizeMax;
  }

  /** Blocks that `size` bytes of content take. */
  blockCount(size: number): number {
    throw new Error(`not yet ${size}`);
  }

  /**
   * Releases the blocks of the last checkpoint's content and acquires those for `size` bytes, all
   * at once: addresses must not depend on how writes proceed.
   */
  allocate(size: number): void {
    throw new Error(`not yet ${size}`);
  }

  /**
   * Writes the content allocated for. True: all blocks are with the grid (durable after its flush)
   * and `fillRef` is final. False: `content` stays unchanged until `writeMore` says true.
   */
  write(content: Region, snapshotOp: number): boolean {
    throw new Error(`not yet ${content.bytes.length} ${snapshotOp}`);
  }

  writeMore(): boolean {
    throw new Error('not yet');
  }

  /** Writes the `TRAILER_REF` (80 bytes); all zero for an empty trailer. */
  fillRef(target: Region, at: number): void {
    throw new Error(`not yet ${target.bytes.length} ${at}`);
  }

  /**
   * Reads the content of the reference at (ref, at) into `target` from byte 0. True: complete,
   * `size` is set. False: complete when an `onGridRead` says true. Throws `ReplicaFatal`
   * 'checkpoint-malformed' when checksums hold but the content is none of ours.
   */
  open(ref: Region, at: number, target: Region): boolean {
    throw new Error(`not yet ${ref.bytes.length} ${at} ${target.bytes.length}`);
  }

  /** A block for `readToken`. True: the content is complete. */
  onGridRead(block: Message): boolean {
    throw new Error(`not yet ${block.index}`);
  }

  /** Calls `grid.want` for every block of the content; after `open`. */
  wantAll(): void {
    throw new Error('not yet');
  }

  /** Forgets content, blocks and reads in progress; releases nothing. Before another `open`. */
  reset(): void {
    throw new Error('not yet');
  }
}
