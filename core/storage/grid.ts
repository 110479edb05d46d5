/**
 * The grid: fixed-size immutable blocks, each named by (address, checksum), where the checksum is
 * held by the block's parent. That defeats misdirected, lost and stale reads: what comes from disk
 * or from a peer is the block that its parent means, or it is missing.
 *
 * A missing block is asked of the other replicas, written in place, and handed to those who wait
 * for it. Addresses come from the free set, in the order of `createBlock` calls, never in the order
 * of I/O. Source: reference "vsr" 9.1, 9.5, 10.5.
 *
 * On disk a block takes its size rounded up to sectors, zero padded; what follows up to the next
 * address is left over from earlier blocks and means nothing.
 */
import { assert, ReplicaFatal } from '../assert.ts';
import { CANARY, canaryIs } from '../canary.ts';
import { seal } from '../checksum.ts';
import {
  HEADER_SIZE,
  RELEASE,
  SECTOR_SIZE,
  type ChecksumAlgorithm,
  type ClusterConfig,
} from '../constants.ts';
import { AT, COMMAND, commandOf, releaseOf, setSize, sizeOf } from '../message/header.ts';
import { type Message, type MessagePool } from '../message/pool.ts';
import { equalWords, readU64, type Region } from '../message/region.ts';
import { STORAGE_RESULT, type Storage, type StorageResult } from '../ports.ts';
import { defineProbe } from '../probe.ts';
import {
  addRequestRecord,
  initBlock,
  isSound,
  padBlock,
  prefixOf,
  REQUEST_BLOCK_SIZE,
  REQUEST_BLOCKS_MAX,
} from './block.ts';
import { BlockCache, cacheBlocks } from './block_cache.ts';
import { BlockReads, GRID_READS_MAX, READ } from './block_reads.ts';
import { BlockSlots, SLOTS_END, SLOTS_READ, SLOTS_SERVE, SLOTS_WANT } from './block_slots.ts';
import { BlockWants, WANT } from './block_wants.ts';
import { BlockWrites, OWN_WRITES_MAX, REPAIR_WRITES_MAX, WRITES_MAX } from './block_writes.ts';
import { blockOffset, roundUp, type Zones } from './data_file.ts';
import { FreeSet } from './free_set.ts';

export { GRID_READS_MAX, REQUEST_BLOCK_SIZE, REQUEST_BLOCKS_MAX };

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

/** Writes that `writeBlock` accepts after `canWrite` said true, without asking again. */
export const GRID_WRITE_BURST_MAX = 32;
const WRITES_IN_FLIGHT_MAX = 16;

/** The grid's token: component << 24 | kind << 16 | slot. */
const COMPONENT = 3;
const KIND = { read: 0, write: 1, sync: 2 } as const;
const tokenOf = (kind: number, slot: number): number => (COMPONENT << 24) | (kind << 16) | slot;

const FLUSH = { none: 0, writing: 1, syncing: 2 } as const;

const probeCorrupt = defineProbe('grid: block read corrupt');
const probeOther = defineProbe('grid: another version of the block on disk');
const probeReadError = defineProbe('grid: block read error');
const probeShared = defineProbe('grid: one disk read for several readers');
const probeFromWrite = defineProbe('grid: read served from a write in flight');
const probeReadWaits = defineProbe('grid: read waits for a slot');
const probeReadLost = defineProbe('grid: waiting read lost its block');
const probeWriteQueue = defineProbe('grid: write waits for a slot');
const probeWriteFull = defineProbe('grid: write queue full');
const probeWriteBlocked = defineProbe('grid: write waits for a read or write of its address');
const probeRepaired = defineProbe('grid: block repaired from peer');
const probeRepairFull = defineProbe('grid: repair refused, too many repair writes');
const probeRepairOld = defineProbe('grid: older block not written over a newer one');
const probeUnwanted = defineProbe('grid: block refused, not wanted');
const probeServeNone = defineProbe('grid: no intact copy for a peer');
const probeServeBusy = defineProbe('grid: too many blocks being served');
const probeWantLocal = defineProbe('grid: wanted block verified on disk');
const probeWantDropped = defineProbe('grid: wanted block freed before it came');

/** Pool messages of at least `blockSize` that one grid may hold at one time. */
export function gridMessagesMax(config: ClusterConfig): number {
  return cacheBlocks(config.blockSize) + WRITES_MAX + SLOTS_END + 1; // And one being copied.
}

export class Grid {
  readonly freeSet: FreeSet;
  /** Bytes of content that a block holds after its header. */
  readonly blockBodyMax: number;

  private readonly config: ClusterConfig;
  private readonly zones: Zones;
  private readonly storage: Storage;
  private readonly pool: MessagePool;
  private readonly cluster: Region;
  private readonly algorithm: ChecksumAlgorithm;
  private readonly listener: GridListener;

  private readonly cache: BlockCache;
  private readonly writes = new BlockWrites();
  private readonly reads = new BlockReads();
  private readonly wants: BlockWants;

  private readonly slots = new BlockSlots();
  private syncInFlight = false;
  private flushState: number = FLUSH.none;
  /** Number of the last write that the flush covers. */
  private flushNumber = 0;
  /** Wants finished since the last `gridWantsDone`, not known to be durable. */
  private wantsUnsynced = false;
  /** `wants.finishedCount` that the sync in flight makes durable; -1: it is not for wants. */
  private syncFinished = -1;

  constructor(options: GridOptions) {
    const { config } = options;
    this.config = config;
    this.zones = options.zones;
    this.storage = options.storage;
    this.pool = options.pool;
    this.cluster = options.cluster;
    this.algorithm = options.checksumAlgorithm;
    this.listener = options.listener;
    this.freeSet = new FreeSet(config.gridBlocks);
    this.blockBodyMax = config.blockSize - HEADER_SIZE;
    this.cache = new BlockCache(cacheBlocks(config.blockSize));
    this.wants = new BlockWants(config.gridBlocks);
  }

  // --- Writing ---

  /**
   * A new block with the lowest free address and a complete header; body from byte 256 is the
   * caller's to fill (undefined bytes so far), as are the 96 bytes at `AT.blockMetadata` (zero).
   * The caller owns the one reference. `snapshotOp`: the op being executed, or the checkpoint's.
   * Throws `ReplicaFatal` 'grid-full'; ask `freeSet.freeCount` (equal on all replicas) before.
   */
  createBlock(type: number, snapshotOp: number): Message {
    return this.createBlockAt(this.acquire(), type, snapshotOp);
  }

  /** An address for a later `createBlockAt`. Throws as `createBlock`. */
  acquire(): number {
    const address = this.freeSet.acquire();
    if (address === 0) {
      throw new ReplicaFatal(
        'grid-full',
        `Cannot create a block: all ${this.config.gridBlocks} blocks of the data file are in use; ` +
          'format with more',
      );
    }
    return address;
  }

  /** As `createBlock`, at an address that the caller acquired before. */
  createBlockAt(address: number, type: number, snapshotOp: number): Message {
    assert(this.freeSet.isAcquired(address), 'grid: block at a free address', address);
    const block = this.pool.acquire(this.config.blockSize);
    initBlock(block, this.cluster, address, type, snapshotOp);
    return block;
  }

  /**
   * Sets the size (header and body), seals, and writes. When it returns, `AT.checksum` is final:
   * the parent may store it. Takes its own reference; the caller drops (or keeps) its own, and
   * changes the bytes no more. Durable after a `flush`. Requires: `canWrite` was true at most
   * `GRID_WRITE_BURST_MAX` writes ago.
   */
  writeBlock(message: Message, size: number): void {
    assert(size >= HEADER_SIZE && size <= this.config.blockSize, 'grid: block size', size);
    const address = readU64(message, AT.blockAddress);
    assert(this.freeSet.isAcquired(address), 'grid: write of a free address', address);
    assert(!this.freeSet.isReleased(address), 'grid: write of a released address', address);
    setSize(message, size);
    padBlock(message, size);
    seal(this.algorithm, message);

    // Whatever state sync wanted at this address is not part of the state any more.
    if (this.wants.state(address) !== WANT.none) this.dropWant(address);
    this.cache.put(address, message);
    this.writes.add(address, message.ref(), false);
    this.startWrites();
  }

  /** True when `GRID_WRITE_BURST_MAX` more writes fit. */
  canWrite(): boolean {
    if (this.writes.ownCount + GRID_WRITE_BURST_MAX <= OWN_WRITES_MAX) return true;
    probeWriteFull.hits++;
    return false;
  }

  /** One at a time. -> `gridFlushed`, never from here. */
  flush(): void {
    assert(this.flushState === FLUSH.none, 'grid: flush while flushing');
    this.flushState = FLUSH.writing;
    this.flushNumber = this.writes.lastNumber;
    this.startSync();
  }

  // --- Checkpoints ---

  /**
   * `freeSet.checkpointCut`, and released blocks are wanted no more: the checkpoint being written,
   * from which we would resume, does not refer to them.
   */
  checkpointCut(): void {
    this.freeSet.checkpointCut();
    if (this.wants.count === 0) return;
    for (let address = 1; address <= this.config.gridBlocks; address++) {
      if (this.wants.state(address) === WANT.none) continue;
      if (this.freeSet.isReleasedCut(address)) this.dropWant(address);
    }
    this.startSync();
  }

  /** `freeSet.markDurable`; waiting reads of blocks that it frees end in `gridReadLost`. */
  markCheckpointDurable(): void {
    const { reads } = this;
    for (let i = 0; i < GRID_READS_MAX && reads.count > 0; i++) {
      if (reads.state(i) === READ.none) continue;
      if (this.freeSet.isReleasedCut(reads.addresses[i] as number)) reads.set(i, READ.lost);
    }
    this.freeSet.markDurable();
    for (let i = 0; i < GRID_READS_MAX && reads.count > 0; i++) {
      if (reads.state(i) !== READ.lost) continue;
      reads.set(i, READ.none);
      probeReadLost.hits++;
      this.listener.gridReadLost(reads.tokens[i] as number);
    }
  }

  // --- Reading ---

  /**
   * The block, if it is in memory: borrowed, `ref()` to keep. Otherwise null, and
   * `gridRead(token, block)` follows, after a repair if need be; never from here.
   * `token` is the caller's; several reads may share one. Requires: `readsAvailable() > 0`, and a
   * reference that is current: after `markCheckpointDurable` look up older references again.
   */
  read(address: number, checksum: Region, checksumAt: number, token: number): Message | null {
    assert(address >= 1 && address <= this.config.gridBlocks, 'grid: read address', address);
    if (this.freeSet.opened) {
      assert(this.freeSet.isAcquired(address), 'grid: read of a free block', address);
    }
    const block = this.inMemory(address, checksum, checksumAt);
    if (block !== null) return block;
    this.reads.add(address, checksum, checksumAt, token);
    this.startReads();
    return null;
  }

  readsAvailable(): number {
    return GRID_READS_MAX - this.reads.count;
  }

  /** Forgets all waiting reads with this token. */
  cancelRead(token: number): void {
    for (let i = 0; i < GRID_READS_MAX; i++) {
      if (this.reads.state(i) === READ.none || this.reads.tokens[i] !== token) continue;
      this.reads.set(i, READ.none);
    }
  }

  /**
   * State sync: verifies the copy on disk (not the one in memory), and fetches the block if that
   * fails. One want an address; a new one replaces it. -> `gridWantsDone` once nothing is wanted.
   */
  want(address: number, checksum: Region, checksumAt: number): void {
    assert(address >= 1 && address <= this.config.gridBlocks, 'grid: want address', address);
    this.wants.add(address, checksum, checksumAt);
    this.wantsUnsynced = true;
    this.startWants();
  }

  /** 0: nothing wanted, and all that was wanted is durable. */
  get wantCount(): number {
    return this.wants.count + (this.wantsUnsynced ? 1 : 0);
  }

  // --- Repair ---

  /** Blocks that only a peer can give. */
  get missingCount(): number {
    return this.reads.missingCount + this.wants.missingCount;
  }

  /**
   * Writes up to 4 records from byte 256 on, and returns how many. Rotates over what is missing;
   * when both kinds wait, half of the records are for reads, half for state sync.
   */
  fillRequestBlocks(message: Region): number {
    const half = REQUEST_BLOCKS_MAX / 2;
    const wantsShare = Math.min(half, this.wants.missingCount);
    let count = 0;
    for (let n = this.reads.missingCount; n > 0 && count < REQUEST_BLOCKS_MAX - wantsShare; n--) {
      const i = this.reads.nextMissing();
      const { addresses, checksums } = this.reads;
      count = addRequestRecord(message, count, addresses[i] as number, checksums, i * 32);
    }
    for (let n = this.wants.missingCount; n > 0 && count < REQUEST_BLOCKS_MAX; n--) {
      const address = this.wants.nextMissing();
      count = addRequestRecord(message, count, address, this.wants.checksums, address * 32);
    }
    return count;
  }

  /**
   * A peer's block; the receive pipeline has verified both checksums of it. False: refused (not
   * wanted, or no room to write it: it will be asked for again).
   */
  onBlock(message: Message): boolean {
    const address = readU64(message, AT.blockAddress);
    const size = sizeOf(message);
    if (!(address >= 1 && address <= this.config.gridBlocks)) return false;
    if (commandOf(message) !== COMMAND.block || releaseOf(message) > RELEASE) return false;
    if (size < HEADER_SIZE || size > this.config.blockSize) return false;

    const { reads, wants } = this;
    let wanted = wants.is(address, WANT.missing, message, AT.checksum);
    let atAddress = wants.state(address) === WANT.missing;
    for (let i = 0; i < GRID_READS_MAX && reads.missingCount > 0; i++) {
      if (reads.is(i, READ.missing, address, message, AT.checksum)) wanted = true;
      if (reads.state(i) === READ.missing && reads.addresses[i] === address) atAddress = true;
    }
    const anyVersion = !wanted && atAddress && canaryIs(CANARY.repairWithoutChecksum);
    if (!wanted && !anyVersion) {
      probeUnwanted.hits++;
      return false;
    }
    if (this.writes.repairCount === REPAIR_WRITES_MAX) {
      probeRepairFull.hits++;
      return false;
    }

    // Copied: the message is shared with the network and ends anywhere, a block is whole sectors.
    const block = this.pool.acquire(this.config.blockSize);
    block.bytes.set(message.bytes.subarray(0, size));
    padBlock(block, size);
    probeRepaired.hits++;
    const missingWant = wants.state(address) === WANT.missing;
    if (!missingWant && this.knownSnapshot(address) > readU64(block, AT.blockSnapshot)) {
      // Only someone with an old reference can want it; it must not replace its successor.
      probeRepairOld.hits++;
    } else {
      this.cache.put(address, block);
      this.writes.add(address, block.ref(), true);
      if (missingWant) wants.set(address, WANT.writing);
    }
    for (let i = 0; i < GRID_READS_MAX; i++) {
      const same = reads.is(i, READ.missing, address, block, AT.checksum);
      const any = anyVersion && reads.state(i) === READ.missing && reads.addresses[i] === address;
      if (same || any) reads.set(i, READ.delivering);
    }
    this.deliver(block);
    block.unref();
    this.startWrites();
    return true;
  }

  /** -> `gridBlockServed`; null at once when too many are being served. */
  serveBlock(address: number, checksum: Region, checksumAt: number, token: number): void {
    if (!(address >= 1 && address <= this.config.gridBlocks)) {
      this.listener.gridBlockServed(token, null);
      return;
    }
    const block = this.inMemory(address, checksum, checksumAt);
    if (block !== null || this.writes.newest(address) !== null) {
      this.listener.gridBlockServed(token, block);
      return;
    }
    const slot = this.slots.free(SLOTS_SERVE, SLOTS_WANT);
    if (slot === -1) {
      probeServeBusy.hits++;
      this.listener.gridBlockServed(token, null);
      return;
    }
    this.startSlot(slot, address, checksum, checksumAt, token);
  }

  /**
   * Before state sync: forgets all reads and wants (callers are told nothing) and closes the free
   * set. Writes, a flush in progress and what is being served to peers go on.
   */
  reset(): void {
    this.reads.clear();
    this.wants.clear();
    for (let slot = 0; slot < SLOTS_END; slot++) {
      const serving = slot >= SLOTS_SERVE && slot < SLOTS_WANT;
      if (!serving) this.slots.live[slot] = 0;
    }
    this.wantsUnsynced = false;
    this.syncFinished = -1;
    this.freeSet.reset();
  }

  // --- Completions ---

  onStorage(token: number, result: StorageResult): void {
    assert(token >>> 24 === COMPONENT, 'grid: token', token);
    const kind = (token >>> 16) & 0xff;
    const slot = token & 0xffff;
    if (kind === KIND.write) this.blockWritten(slot, result);
    else if (kind === KIND.read) this.slotRead(slot, result);
    else this.synced(result);
    this.startWrites();
    this.startReads();
    this.startWants();
    this.startSync();
  }

  private blockWritten(i: number, result: StorageResult): void {
    if (result !== STORAGE_RESULT.ok) {
      throw new ReplicaFatal(
        'storage-write',
        `Cannot write block ${this.writes.addresses[i]}: result ${result} of storage; check the disk`,
      );
    }
    const address = this.writes.addresses[i] as number;
    const repair = this.writes.repairs[i] === 1;
    this.writes.complete(i).unref();
    // Only a peer's copy of the wanted block is written while a want is in this state.
    if (repair && this.wants.state(address) === WANT.writing) this.wants.finish(address);
    this.listener.gridWriteDone();
  }

  private slotRead(slot: number, result: StorageResult): void {
    const { slots } = this;
    const message = slots.messages[slot] as Message;
    slots.messages[slot] = null;
    if (slots.live[slot] === 1) {
      const address = slots.addresses[slot] as number;
      const valid = result === STORAGE_RESULT.ok && this.isBlock(message, address, slot);
      const missingBefore = this.missingCount;
      if (slot >= SLOTS_WANT) this.wantVerified(slot, address, valid);
      else if (slot >= SLOTS_SERVE) this.blockServed(slot, message, valid, result);
      else if (valid) this.blockRead(slot, address, message);
      else this.blockMissing(slot, address, message, result);
      if (missingBefore === 0 && this.missingCount > 0) this.listener.gridRepairWanted();
    }
    message.unref();
  }

  private blockRead(slot: number, address: number, block: Message): void {
    // A write that waits for this very read will be the newer content.
    if (this.writes.newest(address) === null) this.cache.put(address, block);
    for (let i = 0; i < GRID_READS_MAX; i++) {
      if (this.readsSlot(i, slot)) this.reads.set(i, READ.delivering);
    }
    this.deliver(block);
  }

  private blockMissing(
    slot: number,
    address: number,
    message: Message,
    result: StorageResult,
  ): void {
    let snapshot = -1;
    if (result !== STORAGE_RESULT.ok) {
      probeReadError.hits++;
    } else if (this.isSound(message, address)) {
      probeOther.hits++;
      snapshot = readU64(message, AT.blockSnapshot);
    } else {
      probeCorrupt.hits++;
    }
    // Fetched for state sync while we read the old copy.
    const block = this.inMemory(address, this.slots.checksums, slot * 32);
    for (let i = 0; i < GRID_READS_MAX; i++) {
      if (!this.readsSlot(i, slot)) continue;
      this.reads.diskSnapshots[i] = snapshot;
      this.reads.set(i, block === null ? READ.missing : READ.delivering);
    }
    if (block !== null) this.deliver(block);
  }

  private blockServed(slot: number, block: Message, valid: boolean, result: StorageResult): void {
    const token = this.slots.tokens[slot] as number;
    let intact = valid;
    if (!valid && result === STORAGE_RESULT.ok) {
      const address = this.slots.addresses[slot] as number;
      intact = this.isSound(block, address) && canaryIs(CANARY.repairWithoutChecksum);
    }
    if (!intact) probeServeNone.hits++;
    this.listener.gridBlockServed(token, intact ? block : null);
  }

  private wantVerified(slot: number, address: number, valid: boolean): void {
    if (!this.wants.is(address, WANT.verifying, this.slots.checksums, slot * 32)) return;
    if (valid) {
      probeWantLocal.hits++;
      this.wants.finish(address);
      return;
    }
    // A peer's copy may have come for a reader meanwhile: its write waits for this very read.
    const written = this.writes.newest(address);
    const writing = written !== null && this.wants.is(address, WANT.verifying, written, AT.checksum);
    this.wants.set(address, writing ? WANT.writing : WANT.missing);
  }

  private synced(result: StorageResult): void {
    if (result !== STORAGE_RESULT.ok) {
      // What the sync covered is unknown for ever; a second one would report success for lost data.
      throw new ReplicaFatal(
        'storage-sync',
        `Cannot sync blocks: result ${result} of storage; check the disk`,
      );
    }
    this.syncInFlight = false;
    const { wants } = this;
    const wantsDone = this.syncFinished === wants.finishedCount && wants.count === 0;
    this.syncFinished = -1;
    if (wantsDone) this.wantsUnsynced = false;
    if (this.flushState === FLUSH.syncing) {
      this.flushState = FLUSH.none;
      this.listener.gridFlushed();
    }
    if (wantsDone && this.wantCount === 0) this.listener.gridWantsDone();
  }

  /** To every read marked `delivering`. A callback may read, write, cancel and reset. */
  private deliver(block: Message): void {
    block.ref();
    for (let i = 0; i < GRID_READS_MAX; i++) {
      if (this.reads.state(i) !== READ.delivering) continue;
      this.reads.set(i, READ.none);
      this.listener.gridRead(this.reads.tokens[i] as number, block);
    }
    block.unref();
  }

  // --- Starting I/O ---

  private startWrites(): void {
    const { writes } = this;
    for (let i = writes.nextQueued(0); i !== -1; i = writes.nextQueued(writes.numberOf(i))) {
      if (writes.inFlight === WRITES_IN_FLIGHT_MAX) {
        probeWriteQueue.hits++;
        return;
      }
      const address = writes.addresses[i] as number;
      if (writes.isInFlight(address) || this.slots.isReading(address)) {
        probeWriteBlocked.hits++;
        continue;
      }
      const block = writes.messages[i] as Message;
      writes.start(i);
      const bytes = prefixOf(block, roundUp(sizeOf(block), SECTOR_SIZE));
      const offset = blockOffset(this.zones, this.config, address);
      this.storage.write(offset, bytes, tokenOf(KIND.write, i));
    }
  }

  private startReads(): void {
    const { reads } = this;
    if (reads.count === 0) return;
    for (let i = reads.nextDisk(0); i !== -1; i = reads.nextDisk(reads.numberOf(i))) {
      const address = reads.addresses[i] as number;
      if (this.writes.newest(address) !== null) continue; // Its completion starts this read.
      if (this.isSlotReading(i)) continue;
      const slot = this.slots.free(SLOTS_READ, SLOTS_SERVE);
      if (slot === -1) {
        probeReadWaits.hits++;
        return;
      }
      this.startSlot(slot, address, reads.checksums, i * 32, 0);
    }
  }

  private startWants(): void {
    const { wants } = this;
    for (let n = wants.unverifiedCount; n > 0; n--) {
      const slot = this.slots.free(SLOTS_WANT, SLOTS_END);
      if (slot === -1) return;
      const address = wants.nextUnverified();
      if (this.writes.newest(address) !== null) continue;
      wants.set(address, WANT.verifying);
      this.startSlot(slot, address, wants.checksums, address * 32, 0);
    }
  }

  private startSlot(
    slot: number,
    address: number,
    checksum: Region,
    checksumAt: number,
    token: number,
  ): void {
    const message = this.pool.acquire(this.config.blockSize);
    this.slots.start(slot, message, address, checksum, checksumAt, token);
    const bytes = prefixOf(message, this.config.blockSize);
    const offset = blockOffset(this.zones, this.config, address);
    this.storage.read(offset, bytes, tokenOf(KIND.read, slot));
  }

  /** One sync at a time, for whoever waits: it covers what had completed when it started. */
  private startSync(): void {
    if (this.syncInFlight) return;
    const flush =
      this.flushState === FLUSH.writing && this.writes.completeUpTo() >= this.flushNumber;
    const wants = this.wantsUnsynced && this.wants.count === 0;
    if (!flush && !wants) return;
    if (flush) this.flushState = FLUSH.syncing;
    this.syncFinished = wants ? this.wants.finishedCount : -1;
    this.syncInFlight = true;
    this.storage.sync(tokenOf(KIND.sync, 0));
  }

  // --- Computing ---

  private inMemory(address: number, checksum: Region, checksumAt: number): Message | null {
    const block = this.cache.get(address, checksum, checksumAt);
    if (block !== null) return block;
    const written = this.writes.newest(address);
    if (written === null) return null;
    if (!equalWords(written, AT.checksum, checksum, checksumAt, 32)) return null;
    probeFromWrite.hits++;
    return written;
  }

  /** Is it the block that slot's checksum means, whole? */
  private isBlock(message: Message, address: number, slot: number): boolean {
    // The expected checksum comes from the parent: a sound block of another version is no answer.
    if (!equalWords(message, AT.checksum, this.slots.checksums, slot * 32, 32)) return false;
    return this.isSound(message, address);
  }

  private isSound(message: Message, address: number): boolean {
    return isSound(this.algorithm, message, this.cluster, address, this.config.blockSize);
  }

  /** Newest snapshot of the address that we know to exist here, -1 if none. */
  private knownSnapshot(address: number): number {
    let snapshot = this.cache.snapshotOf(address);
    const written = this.writes.newest(address);
    if (written !== null) snapshot = Math.max(snapshot, readU64(written, AT.blockSnapshot));
    for (let i = 0; i < GRID_READS_MAX; i++) {
      if (this.reads.state(i) !== READ.missing || this.reads.addresses[i] !== address) continue;
      snapshot = Math.max(snapshot, this.reads.diskSnapshots[i] as number);
    }
    return snapshot;
  }

  private dropWant(address: number): void {
    probeWantDropped.hits++;
    this.wants.finish(address);
    this.startSync();
  }

  /** Does read i wait for what the slot reads? */
  private readsSlot(i: number, slot: number): boolean {
    const address = this.slots.addresses[slot] as number;
    return this.reads.is(i, READ.disk, address, this.slots.checksums, slot * 32);
  }

  private isSlotReading(i: number): boolean {
    for (let slot = SLOTS_READ; slot < SLOTS_SERVE; slot++) {
      if (this.slots.messages[slot] === null || this.slots.live[slot] === 0) continue;
      if (!this.readsSlot(i, slot)) continue;
      probeShared.hits++;
      return true;
    }
    return false;
  }
}
