/**
 * The grid: fixed-size immutable blocks, each named by (address, checksum), where the checksum is
 * held by the block's parent. That defeats misdirected, lost and stale reads: what comes from disk
 * or from a peer is the block that its parent means, or it is missing.
 *
 * A missing block is asked of the other replicas, written in place, and handed to those who wait
 * for it. Addresses come from the free set, in the order of `createBlock` calls, never in the order
 * of I/O. Source: reference "vsr" 9.1, 9.5, 10.5.
 */
import { type ChecksumAlgorithm, type ClusterConfig } from '../constants.ts';
import { type Message, type MessagePool } from '../message/pool.ts';
import { type Region } from '../message/region.ts';
import { type Storage, type StorageResult } from '../ports.ts';
import { type Zones } from './data_file.ts';
import { FreeSet } from './free_set.ts';

/** Called from `onStorage` and `onBlock` only, unless a method says otherwise. */
export interface GridListener {
  /** A read that `read` could not answer at once. Valid always. `ref()` the block to keep it. */
  gridRead(token: number, block: Message): void;
  /**
   * The block was freed by `markCheckpointDurable` (called from there) while its read waited, and
   * its address may be reused: the read is over without a block. Only a query, which keeps
   * references across ops, can meet this; it starts again from the current state.
   */
  gridReadLost(token: number): void;
  /** A write completed: `canWrite` may have become true. */
  gridWriteDone(): void;
  /** Everything written before `flush` is durable. */
  gridFlushed(): void;
  /** `missingCount` went from 0 to more. */
  gridRepairWanted(): void;
  /** `wantCount` went back to 0: every wanted block is here and durable. */
  gridWantsDone(): void;
  /** Answer to `serveBlock`; null: not here, or damaged. May be called from `serveBlock` itself. */
  gridBlockServed(token: number, block: Message | null): void;
}

export interface GridOptions {
  readonly config: ClusterConfig;
  readonly zones: Zones;
  readonly storage: Storage;
  readonly pool: MessagePool;
  /** 16 bytes. */
  readonly cluster: Region;
  readonly checksumAlgorithm: ChecksumAlgorithm;
  readonly listener: GridListener;
}

/** Records of one request_blocks. */
export const REQUEST_BLOCKS_MAX = 4;
/** Bytes of one record: checksum 32, address u64, zero 8. */
export const REQUEST_BLOCK_SIZE = 48;
/** Reads that may wait at one time, over all callers. */
export const GRID_READS_MAX = 64;
/** Writes that `writeBlock` accepts after `canWrite` said true, without asking again. */
export const GRID_WRITE_BURST_MAX = 32;

/** Pool messages of at least `blockSize` that one grid may hold at one time. */
export function gridMessagesMax(config: ClusterConfig): number {
  throw new Error(`not yet ${config.blockSize}`);
}

export class Grid {
  readonly freeSet: FreeSet;
  /** Bytes of content that a block holds after its header. */
  readonly blockBodyMax: number;

  constructor(options: GridOptions) {
    this.freeSet = new FreeSet(options.config.gridBlocks);
    this.blockBodyMax = options.config.blockSize - 256;
  }

  // --- Writing ---

  /**
   * A new block with the lowest free address and a complete header; body from byte 256 is the
   * caller's to fill (undefined bytes so far), as are the 96 bytes at `AT.blockMetadata` (zero).
   * The caller owns the one reference. `snapshotOp`: the op being executed, or the checkpoint's.
   * Throws `ReplicaFatal` 'grid-full'; ask `freeSet.freeCount` (equal on all replicas) before.
   */
  createBlock(type: number, snapshotOp: number): Message {
    throw new Error(`not yet ${type} ${snapshotOp}`);
  }

  /** As `createBlock`, at an address that the caller acquired before. */
  createBlockAt(address: number, type: number, snapshotOp: number): Message {
    throw new Error(`not yet ${address} ${type} ${snapshotOp}`);
  }

  /**
   * Sets the size (header and body), seals, and writes. When it returns, `AT.checksum` is final:
   * the parent may store it. Takes its own reference; the caller drops (or keeps) its own, and
   * changes the bytes no more. Durable after a `flush`. Requires: `canWrite` was true at most
   * `GRID_WRITE_BURST_MAX` writes ago.
   */
  writeBlock(message: Message, size: number): void {
    throw new Error(`not yet ${message.index} ${size}`);
  }

  /** True when `GRID_WRITE_BURST_MAX` more writes fit. */
  canWrite(): boolean {
    throw new Error('not yet');
  }

  /** One at a time. -> `gridFlushed`, never from here. */
  flush(): void {
    throw new Error('not yet');
  }

  // --- Checkpoints ---

  /** `freeSet.checkpointCut`, and wanted blocks that were released are wanted no more. */
  checkpointCut(): void {
    throw new Error('not yet');
  }

  /** `freeSet.markDurable`; waiting reads of blocks that it frees end in `gridReadLost`. */
  markCheckpointDurable(): void {
    throw new Error('not yet');
  }

  // --- Reading ---

  /**
   * The block, if it is in memory: borrowed, `ref()` to keep. Otherwise null, and
   * `gridRead(token, block)` follows, after a repair if need be; never from here.
   * `token` is the caller's; several reads may share one. Requires: `readsAvailable() > 0`, and a
   * reference that is current: after `markCheckpointDurable` older references must be looked up again.
   */
  read(address: number, checksum: Region, checksumAt: number, token: number): Message | null {
    throw new Error(`not yet ${address} ${checksum.bytes.length} ${checksumAt} ${token}`);
  }

  readsAvailable(): number {
    throw new Error('not yet');
  }

  /** Forgets all waiting reads with this token. */
  cancelRead(token: number): void {
    throw new Error(`not yet ${token}`);
  }

  /**
   * State sync (and scrubbing): verifies the copy on disk, and fetches the block if that fails.
   * One want an address; a new one replaces it. -> `gridWantsDone` once nothing is wanted.
   */
  want(address: number, checksum: Region, checksumAt: number): void {
    throw new Error(`not yet ${address} ${checksum.bytes.length} ${checksumAt}`);
  }

  /** 0: nothing wanted, and all that was wanted is durable. */
  get wantCount(): number {
    throw new Error('not yet');
  }

  // --- Repair ---

  /** Blocks that only a peer can give. */
  get missingCount(): number {
    throw new Error('not yet');
  }

  /** Writes up to 4 records from byte 256 on, and returns how many. Rotates over what is missing. */
  fillRequestBlocks(message: Region): number {
    throw new Error(`not yet ${message.bytes.length}`);
  }

  /**
   * A peer's block; the receive pipeline has verified both checksums of it. False: refused (not
   * wanted, or no room to write it: it will be asked for again).
   */
  onBlock(message: Message): boolean {
    throw new Error(`not yet ${message.index}`);
  }

  /** -> `gridBlockServed`; null at once when too many are being served. */
  serveBlock(address: number, checksum: Region, checksumAt: number, token: number): void {
    throw new Error(`not yet ${address} ${checksum.bytes.length} ${checksumAt} ${token}`);
  }

  /**
   * Before state sync: forgets all reads, wants and services (callers are told nothing) and closes
   * the free set. Writes and a flush in progress go on.
   */
  reset(): void {
    throw new Error('not yet');
  }

  onStorage(token: number, result: StorageResult): void {
    throw new Error(`not yet ${token} ${result}`);
  }
}
