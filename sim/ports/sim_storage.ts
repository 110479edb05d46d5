/**
 * One simulated disk: a file of 4096-byte sectors with latency, out-of-order completion, sectors
 * that are not yet durable, and faults that lie over the true bytes and can be withdrawn.
 *
 * `image` is what the disk has accepted. For each sector written since the last covering sync, an
 * undo record keeps what lay there before; a crash walks the records from the newest back and
 * decides for each whether it is kept or lost. A sync frees the records of the writes that had
 * completed when it *started*. Writes in flight at a crash are decided sector by sector when torn.
 *
 * Rot, unreadable sectors and garbage are overlays by sector: reads meet them, `readTrue` does not,
 * a rewrite ends them. Which sectors may be hit is the atlas's affair (fault_atlas.ts).
 */
import { assert } from '../../core/assert.ts';
import { SECTOR_SIZE, STORAGE_RESULT, type Storage, type StorageResult } from '../../core/ports.ts';
import { type TrueDisk } from '../../invariants/invariant.ts';
import { FAULT, type Counters } from '../counters.ts';
import { DOMAIN, NEVER, type Decisions } from '../decide.ts';
import { EVENT } from '../events.ts';
import { type EventQueue } from '../event_queue.ts';
import { FAMILY } from '../identity.ts';
import { type StoragePlan } from '../plan.ts';
import { UNWATCHED, type Watch } from '../watch.ts';
import { type VirtualTime } from './sim_clock.ts';

export const OVERLAY = { none: 0, rot: 1, unreadable: 2, garbage: 3 } as const;
/** By overlay, and by mark. */
export const OVERLAY_WORDS: readonly (string | undefined)[] = [undefined, 'rot', 'unreadable', 'garbage'];
export const CRASHED_WORDS: readonly (string | undefined)[] = [undefined, 'lost write', 'torn write'];
export const OPERATION_KIND = { read: 0, write: 1, sync: 2 } as const;
const SECTOR_WORDS = SECTOR_SIZE / 4;
const OPERATIONS = 256;
const UNDO_SECTORS = 128;
const FREE = 255;
const EMPTY = new Uint8Array(0);

/** Of an undo record: its write may tear; there were only zeros before, and no bytes are kept. */
const UNDO = { torn: 1, zero: 2 } as const;

/** Marks what a crash did to a sector, until a read meets it. */
const CRASHED = { lost: 1, torn: 2 } as const;

/** What is large: kept from run to run, and only the sectors that were used are cleared. */
export class DiskMemory {
  readonly image: Uint8Array;
  readonly imageWords: Uint32Array;
  readonly sectorCount: number;
  /** 1: the sector has been written since the last reset. */
  readonly touched: Uint8Array;
  readonly touchedList: Int32Array;
  touchedCount = 0;
  readonly overlay: Uint8Array;
  readonly overlaySeed: Int32Array;
  readonly crashed: Uint8Array;
  readonly writeCount: Uint32Array;
  /** Undo records that exist for the sector. */
  readonly undurable: Uint16Array;
  /** Operations in flight that touch the sector. */
  readonly reading: Uint8Array;
  readonly writing: Uint8Array;
  /** Undo records: a ring, a power of two. */
  undoSector = new Int32Array(UNDO_SECTORS);
  undoKey = new Int32Array(UNDO_SECTORS);
  /** Bits of `UNDO`. */
  undoFlags = new Uint8Array(UNDO_SECTORS);
  /** Which page holds the old bytes; none for a record of zeros. */
  undoPage = new Int32Array(UNDO_SECTORS);
  /** Pages, as many as there may be records; the one freed last is used first: it is in the cache. */
  undo = new Uint8Array(UNDO_SECTORS * SECTOR_SIZE);
  freePages = new Int32Array(UNDO_SECTORS);
  freePageCount = 0;
  /** What `allocate` hands out. */
  buffers = new Uint8Array(0);
  buffersUsed = 0;

  constructor(size: number) {
    assert(size % SECTOR_SIZE === 0, 'disk: size', size);
    const sectors = size / SECTOR_SIZE;
    this.sectorCount = sectors;
    this.image = new Uint8Array(size);
    this.imageWords = new Uint32Array(this.image.buffer);
    this.touched = new Uint8Array(sectors);
    this.touchedList = new Int32Array(sectors);
    this.overlay = new Uint8Array(sectors);
    this.overlaySeed = new Int32Array(sectors);
    this.crashed = new Uint8Array(sectors);
    this.writeCount = new Uint32Array(sectors);
    this.undurable = new Uint16Array(sectors);
    this.reading = new Uint8Array(sectors);
    this.writing = new Uint8Array(sectors);
    this.freeAllPages();
  }

  /** No undo record has a page. */
  freeAllPages(): void {
    const count = this.freePages.length;
    for (let i = 0; i < count; i++) this.freePages[i] = count - 1 - i;
    this.freePageCount = count;
  }

  touch(sector: number): void {
    if (this.touched[sector] === 1) return;
    this.touched[sector] = 1;
    this.touchedList[this.touchedCount++] = sector;
  }

  /** A new disk, all zero, at the cost of what was used of the old one. */
  reset(): void {
    for (let i = 0; i < this.touchedCount; i++) {
      const sector = this.touchedList[i] as number;
      const word = sector * SECTOR_WORDS;
      this.imageWords.fill(0, word, word + SECTOR_WORDS);
      this.touched[sector] = 0;
    }
    this.touchedCount = 0;
    this.overlay.fill(0);
    this.crashed.fill(0);
    this.writeCount.fill(0);
    this.undurable.fill(0);
    this.reading.fill(0);
    this.writing.fill(0);
    this.freeAllPages();
    this.releaseBuffers();
  }

  releaseBuffers(): void {
    this.buffers.fill(0, 0, this.buffersUsed);
    this.buffersUsed = 0;
  }
}

export interface SimDiskOptions {
  readonly plan: StoragePlan;
  readonly time: VirtualTime;
  readonly queue: EventQueue;
  readonly decisions: Decisions;
  readonly counters: Counters;
  readonly node: number;
  readonly replicaCount: number;
  /** Bytes at the beginning with copies of what lies nowhere else. */
  readonly superblockSize: number;
  readonly memory: DiskMemory;
  readonly watch?: Watch;
}

/** One operation in flight, for people. */
export interface DiskOperation {
  readonly slot: number;
  /** An `OPERATION_KIND`. */
  readonly kind: number;
  readonly sector: number;
  readonly count: number;
  readonly due: number | null;
}

export class SimDisk implements Storage, TrueDisk {
  readonly memory: DiskMemory;
  private readonly plan: StoragePlan;
  private readonly time: VirtualTime;
  private readonly queue: EventQueue;
  private readonly decisions: Decisions;
  private readonly counters: Counters;
  private readonly node: number;
  private readonly replicaCount: number;
  private readonly superblockSize: number;
  private readonly watch: Watch;

  // Operations in flight, by slot.
  private readonly kinds = new Uint8Array(OPERATIONS).fill(FREE);
  private readonly sectors = new Int32Array(OPERATIONS);
  private readonly counts = new Int32Array(OPERATIONS);
  private readonly tokens = new Float64Array(OPERATIONS);
  private readonly eventSlots = new Int32Array(OPERATIONS);
  private readonly buffers: Uint8Array[] = [];
  /** For a sync: undo records before this number were complete when it started. */
  private readonly covers = new Float64Array(OPERATIONS);
  private readonly fails = new Uint8Array(OPERATIONS);
  private readonly freeSlots: number[] = [];
  writesInFlight = 0;

  /** Undo records undoFirst..undoEnd-1 exist; number modulo capacity is the place in the ring. */
  private undoFirst = 0;
  private undoEnd = 0;
  private syncCount = 0;
  /** Latencies are multiplied by this. */
  slowFactor = 1;
  /** The next operation of this kind fails; -1: none. */
  failNext = -1;
  /** An error was injected into this process: it may stop over it. */
  errorInjected = false;
  /** A crash waits for this process's next write; `writeStarted` tells the world that it came. */
  crashOnWrite = false;
  writeStarted = false;

  constructor(options: SimDiskOptions) {
    this.plan = options.plan;
    this.time = options.time;
    this.queue = options.queue;
    this.decisions = options.decisions;
    this.counters = options.counters;
    this.node = options.node;
    this.replicaCount = options.replicaCount;
    this.superblockSize = options.superblockSize;
    this.watch = options.watch ?? UNWATCHED;
    this.memory = options.memory;
    for (let slot = OPERATIONS - 1; slot >= 0; slot--) {
      this.freeSlots.push(slot);
      this.buffers.push(EMPTY);
    }
  }

  // --- The port ---

  allocate(size: number): Uint8Array {
    const memory = this.memory;
    const rounded = Math.ceil(size / SECTOR_SIZE) * SECTOR_SIZE;
    if (memory.buffersUsed + rounded > memory.buffers.byteLength) {
      // Buffers handed out stay alive in the old block; the next run finds one that is enough.
      memory.buffers = new Uint8Array(Math.max(memory.buffers.byteLength * 2, rounded * 2));
      memory.buffersUsed = 0;
    }
    const at = memory.buffersUsed;
    memory.buffersUsed += rounded;
    return memory.buffers.subarray(at, at + rounded);
  }

  size(): number {
    return this.memory.image.byteLength;
  }

  read(offset: number, buffer: Uint8Array, token: number): void {
    this.assertRange(offset, buffer);
    const { writing, reading, writeCount } = this.memory;
    const first = offset / SECTOR_SIZE;
    const end = first + buffer.byteLength / SECTOR_SIZE;
    for (let sector = first; sector < end; sector++) {
      assert(writing[sector] === 0, 'disk: read of a sector that is being written', sector);
    }
    for (let sector = first; sector < end; sector++) {
      reading[sector] = (reading[sector] as number) + 1;
    }
    const slot = this.begin(OPERATION_KIND.read, offset, buffer, token);
    const key = this.key(OPERATION_KIND.read, first, writeCount[first] as number);
    this.schedule(slot, key, this.plan.readMinMicros, this.plan.readMeanMicros);
  }

  write(offset: number, buffer: Uint8Array, token: number): void {
    this.assertRange(offset, buffer);
    const { writing, reading, writeCount } = this.memory;
    const first = offset / SECTOR_SIZE;
    const end = first + buffer.byteLength / SECTOR_SIZE;
    for (let sector = first; sector < end; sector++) {
      assert(writing[sector] === 0, 'disk: two writes of a sector in flight', sector);
      assert(reading[sector] === 0, 'disk: write of a sector that is being read', sector);
    }
    for (let sector = first; sector < end; sector++) {
      writing[sector] = 1;
      writeCount[sector] = (writeCount[sector] as number) + 1;
    }
    this.writesInFlight++;
    this.writeStarted = this.crashOnWrite;
    const slot = this.begin(OPERATION_KIND.write, offset, buffer, token);
    const key = this.key(OPERATION_KIND.write, first, writeCount[first] as number);
    this.schedule(slot, key, this.plan.writeMinMicros, this.plan.writeMeanMicros);
  }

  sync(token: number): void {
    const slot = this.begin(OPERATION_KIND.sync, 0, EMPTY, token);
    this.covers[slot] = this.undoEnd;
    const key = this.key(OPERATION_KIND.sync, this.syncCount++, 0);
    this.schedule(slot, key, this.plan.syncMinMicros, this.plan.syncMeanMicros);
  }

  // --- Completion, called by the world ---

  /** Carries the operation out. Its slot is free afterwards; `token` and result for the process. */
  complete(slot: number): StorageResult {
    const kind = this.kinds[slot] as number;
    this.kinds[slot] = FREE;
    this.freeSlots.push(slot);
    const failed = this.fails[slot] === 1;
    let result: StorageResult = failed ? STORAGE_RESULT.ioError : STORAGE_RESULT.ok;
    if (kind === OPERATION_KIND.read) {
      const readable = this.finishRead(slot);
      if (!failed && !readable) result = STORAGE_RESULT.corruptRead;
    } else if (kind === OPERATION_KIND.write) {
      this.finishWrite(slot, failed);
    } else if (!failed) {
      this.freeUndoBefore(this.covers[slot] as number);
    }
    if (failed) this.counters.observe(FAULT.io_error);
    if (this.watch.observer !== null) {
      const cause = failed ? 'io_error' : result === STORAGE_RESULT.ok ? '' : 'unreadable';
      const buffer = this.buffers[slot] as Uint8Array;
      this.watch.operationEnded(this.node, kind, this.sectors[slot] as number, buffer, cause);
    }
    this.buffers[slot] = EMPTY;
    return result;
  }

  tokenOf(slot: number): number {
    return this.tokens[slot] as number;
  }

  kindOf(slot: number): number {
    return this.kinds[slot] as number;
  }

  sectorOf(slot: number): number {
    return this.sectors[slot] as number;
  }

  /** What is in flight, by slot; `due` is null once the disk is done and the process is paused. */
  operations(): DiskOperation[] {
    const list: DiskOperation[] = [];
    this.kinds.forEach((kind, slot) => {
      if (kind === FREE) return;
      const event = this.eventSlots[slot] as number;
      const due = this.queue.isQueued(event) ? this.queue.timeOf(event) : null;
      const sector = this.sectors[slot] as number;
      list.push({ slot, kind, sector, count: this.counts[slot] as number, due });
    });
    return list;
  }

  // --- The truth, for checkers ---

  readTrue(offset: number, target: Uint8Array): void {
    target.set(this.memory.image.subarray(offset, offset + target.byteLength));
  }

  readDurable(offset: number, target: Uint8Array): void {
    this.readTrue(offset, target);
    const memory = this.memory;
    const end = offset + target.byteLength;
    const mask = memory.undoSector.length - 1;
    // From the newest record to the oldest: the oldest undo of a sector is its durable content.
    for (let n = this.undoEnd - 1; n >= this.undoFirst; n--) {
      const place = n & mask;
      const at = (memory.undoSector[place] as number) * SECTOR_SIZE;
      const from = Math.max(at, offset);
      const to = Math.min(at + SECTOR_SIZE, end);
      if (from >= to) continue;
      if (((memory.undoFlags[place] as number) & UNDO.zero) !== 0) {
        target.fill(0, from - offset, to - offset);
        continue;
      }
      const source = (memory.undoPage[place] as number) * SECTOR_SIZE - at;
      target.set(memory.undo.subarray(source + from, source + to), from - offset);
    }
  }

  // --- Faults ---

  /** Power fails: every write that is not durable meets its fate, every operation is forgotten. */
  crash(): void {
    // The four superblock copies are the only place without a copy elsewhere. One of them may be
    // spoiled; then the crash must not spoil a second one: its write is kept or lost as a whole.
    const wholeBefore = this.superblockSpoiled() ? this.superblockSize / SECTOR_SIZE : 0;
    this.crashInFlight(wholeBefore);
    this.crashUndurable(wholeBefore);
    this.undoFirst = this.undoEnd;
    this.memory.freeAllPages();
    this.memory.undurable.fill(0);
    this.memory.reading.fill(0);
    this.memory.writing.fill(0);
    this.freeSlots.length = 0;
    for (let slot = OPERATIONS - 1; slot >= 0; slot--) {
      if (this.kinds[slot] !== FREE) {
        const event = this.eventSlots[slot] as number;
        if (this.queue.isQueued(event)) this.queue.cancel(event);
        this.kinds[slot] = FREE;
        this.buffers[slot] = EMPTY;
      }
      this.freeSlots.push(slot);
    }
    this.writesInFlight = 0;
    this.crashOnWrite = false;
    this.writeStarted = false;
    this.failNext = -1;
  }

  /** A process begins on this disk. */
  restart(): void {
    this.memory.releaseBuffers();
    this.errorInjected = false;
  }

  /** Lays a fault over a sector. False when the sector holds nothing, or has one already. */
  plant(sector: number, overlay: number, seed: number): boolean {
    const memory = this.memory;
    if (memory.touched[sector] === 0 || memory.overlay[sector] !== OVERLAY.none) return false;
    if (memory.writing[sector] !== 0) return false; // The write in flight would end it unseen.
    memory.overlay[sector] = overlay;
    memory.overlaySeed[sector] = seed;
    if (this.watch.observer !== null) {
      this.watch.sectorHit(this.node, overlay === OVERLAY.rot ? 'bit_rot' : 'latent_sector', sector);
    }
    return true;
  }

  /** Withdraws the faults of sectors first..end-1. */
  withdraw(first: number, end: number): void {
    this.memory.overlay.fill(OVERLAY.none, first, end);
  }

  /** Puts bytes on the disk before the run: durable, no latency. */
  preset(offset: number, bytes: Uint8Array): void {
    const memory = this.memory;
    memory.image.set(bytes, offset);
    const end = (offset + bytes.byteLength) / SECTOR_SIZE;
    for (let sector = offset / SECTOR_SIZE; sector < end; sector++) memory.touch(sector);
  }

  // --- Operations ---

  private assertRange(offset: number, buffer: Uint8Array): void {
    const length = buffer.byteLength;
    assert(offset % SECTOR_SIZE === 0, 'disk: unaligned offset', offset);
    assert(length % SECTOR_SIZE === 0 && length > 0, 'disk: unaligned length', length);
    assert(buffer.byteOffset % SECTOR_SIZE === 0, 'disk: unaligned buffer', buffer.byteOffset);
    const size = this.memory.image.byteLength;
    assert(offset >= 0 && offset + length <= size, 'disk: outside the file', offset, length);
  }

  private begin(kind: number, offset: number, buffer: Uint8Array, token: number): number {
    const slot = this.freeSlots.pop();
    assert(slot !== undefined, 'disk: too many operations in flight', OPERATIONS);
    this.kinds[slot] = kind;
    this.sectors[slot] = offset / SECTOR_SIZE;
    this.counts[slot] = buffer.byteLength / SECTOR_SIZE;
    this.tokens[slot] = token;
    this.buffers[slot] = buffer;
    this.fails[slot] = 0;
    this.counters.storageOps++;
    if (this.watch.observer !== null) {
      this.watch.operationStarted(this.node, kind, offset / SECTOR_SIZE, buffer);
    }
    if (this.failNext === kind) {
      this.failNext = -1;
      this.fails[slot] = 1;
      this.errorInjected = true;
      this.counters.apply(FAULT.io_error);
    }
    return slot;
  }

  private key(kind: number, a: number, b: number): number {
    return this.decisions.key(FAMILY.storage, this.node, kind, a, b, 0, 0);
  }

  private schedule(slot: number, key: number, min: number, mean: number): void {
    let delay = min + this.decisions.exponential(key, DOMAIN.storageDelay, mean);
    if (this.slowFactor !== 1) {
      delay *= this.slowFactor;
      this.counters.observe(FAULT.slow_disk);
    }
    const at = this.time.now + (delay < 1 ? 1 : delay);
    this.eventSlots[slot] = this.queue.push(at, EVENT.storage, this.node, slot, 0, 0);
  }

  /** False when a sector cannot be read; the buffer's content is then garbage as a whole. */
  private finishRead(slot: number): boolean {
    const memory = this.memory;
    const buffer = this.buffers[slot] as Uint8Array;
    const first = this.sectors[slot] as number;
    const count = this.counts[slot] as number;
    const at = first * SECTOR_SIZE;
    buffer.set(memory.image.subarray(at, at + count * SECTOR_SIZE));
    let readable = true;
    for (let i = 0; i < count; i++) {
      const sector = first + i;
      memory.reading[sector] = (memory.reading[sector] as number) - 1;
      if (memory.crashed[sector] !== 0) this.meetCrashed(sector);
      const overlay = memory.overlay[sector] as number;
      if (overlay === OVERLAY.none) continue;
      if (overlay === OVERLAY.unreadable) {
        this.counters.observe(FAULT.latent_sector);
        readable = false;
      } else if (overlay === OVERLAY.rot) {
        this.counters.observe(FAULT.bit_rot);
        this.rot(buffer, i * SECTOR_SIZE, memory.overlaySeed[sector] as number);
      } else {
        this.counters.observe(FAULT.garbage_write);
        this.fillGarbage(buffer, i * SECTOR_SIZE, memory.overlaySeed[sector] as number);
      }
    }
    if (!readable) this.fillGarbage(buffer, 0, first);
    return readable;
  }

  private finishWrite(slot: number, failed: boolean): void {
    const memory = this.memory;
    const buffer = this.buffers[slot] as Uint8Array;
    const first = this.sectors[slot] as number;
    const count = this.counts[slot] as number;
    this.writesInFlight--;
    if (failed) {
      memory.writing.fill(0, first, first + count);
      return;
    }
    const key = this.key(OPERATION_KIND.write, first, memory.writeCount[first] as number);
    const torn = count > 1 && this.decisions.chance(key, DOMAIN.writeTorn, this.plan.tornPpm);
    for (let i = 0; i < count; i++) {
      const sector = first + i;
      this.pushUndo(sector, key, torn);
      memory.writing[sector] = 0;
      memory.overlay[sector] = OVERLAY.none;
      memory.crashed[sector] = 0;
      memory.touch(sector);
    }
    memory.image.set(buffer, first * SECTOR_SIZE);
  }

  // --- Durability ---

  private pushUndo(sector: number, key: number, torn: boolean): void {
    const memory = this.memory;
    if (this.undoEnd - this.undoFirst === memory.undoSector.length) this.growUndo();
    const place = this.undoEnd & (memory.undoSector.length - 1);
    this.undoEnd++;
    let flags = torn ? UNDO.torn : 0;
    if (memory.touched[sector] === 0) {
      flags |= UNDO.zero;
    } else {
      const at = sector * SECTOR_SIZE;
      const page = memory.freePages[--memory.freePageCount] as number;
      memory.undoPage[place] = page;
      memory.undo.set(memory.image.subarray(at, at + SECTOR_SIZE), page * SECTOR_SIZE);
    }
    memory.undoSector[place] = sector;
    memory.undoKey[place] = key;
    memory.undoFlags[place] = flags;
    memory.undurable[sector] = (memory.undurable[sector] as number) + 1;
  }

  private freeUndoBefore(end: number): void {
    const memory = this.memory;
    const mask = memory.undoSector.length - 1;
    for (; this.undoFirst < end; this.undoFirst++) {
      const place = this.undoFirst & mask;
      const sector = memory.undoSector[place] as number;
      memory.undurable[sector] = (memory.undurable[sector] as number) - 1;
      if (((memory.undoFlags[place] as number) & UNDO.zero) !== 0) continue;
      memory.freePages[memory.freePageCount++] = memory.undoPage[place] as number;
    }
  }

  private growUndo(): void {
    const memory = this.memory;
    const capacity = memory.undoSector.length;
    const undo = new Uint8Array(capacity * 2 * SECTOR_SIZE);
    const sectors = new Int32Array(capacity * 2);
    const keys = new Int32Array(capacity * 2);
    const flags = new Uint8Array(capacity * 2);
    const pages = new Int32Array(capacity * 2);
    const freePages = new Int32Array(capacity * 2);
    undo.set(memory.undo);
    freePages.set(memory.freePages.subarray(0, memory.freePageCount));
    for (let page = capacity * 2 - 1; page >= capacity; page--) freePages[memory.freePageCount++] = page;
    for (let n = this.undoFirst; n < this.undoEnd; n++) {
      const from = n & (capacity - 1);
      const to = n & (capacity * 2 - 1);
      pages[to] = memory.undoPage[from] as number;
      sectors[to] = memory.undoSector[from] as number;
      keys[to] = memory.undoKey[from] as number;
      flags[to] = memory.undoFlags[from] as number;
    }
    memory.undo = undo;
    memory.undoSector = sectors;
    memory.undoKey = keys;
    memory.undoFlags = flags;
    memory.undoPage = pages;
    memory.freePages = freePages;
  }

  /** Newest first: when a sector's last write is lost, the one before it is asked. */
  private crashUndurable(wholeBefore: number): void {
    const memory = this.memory;
    const mask = memory.undoSector.length - 1;
    for (let n = this.undoEnd - 1; n >= this.undoFirst; n--) {
      const place = n & mask;
      const sector = memory.undoSector[place] as number;
      if (memory.undurable[sector] === 0) continue; // A newer write of it was kept.
      const key = memory.undoKey[place] as number;
      const flags = memory.undoFlags[place] as number;
      const torn = (flags & UNDO.torn) !== 0 && sector >= wholeBefore;
      this.counters.attempt(torn ? FAULT.torn_write : FAULT.lost_write);
      // Untorn writes live or die as a whole: one decision for all their sectors.
      const identity = torn ? this.decisions.part(key, sector * 2 + 1) : key;
      if (this.decisions.chance(identity, DOMAIN.sectorLost, this.plan.lostPpm)) {
        this.counters.apply(torn ? FAULT.torn_write : FAULT.lost_write);
        if (this.watch.observer !== null) {
          this.watch.sectorHit(this.node, torn ? 'torn_write' : 'lost_write', sector);
        }
        const at = sector * SECTOR_SIZE;
        if ((flags & UNDO.zero) !== 0) {
          memory.image.fill(0, at, at + SECTOR_SIZE);
        } else {
          const undo = (memory.undoPage[place] as number) * SECTOR_SIZE;
          memory.image.set(memory.undo.subarray(undo, undo + SECTOR_SIZE), at);
        }
        memory.crashed[sector] = torn ? CRASHED.torn : CRASHED.lost;
        memory.undurable[sector] = (memory.undurable[sector] as number) - 1;
      } else {
        memory.undurable[sector] = 0;
      }
    }
  }

  private crashInFlight(wholeBefore: number): void {
    const memory = this.memory;
    for (let slot = 0; slot < OPERATIONS; slot++) {
      if (this.kinds[slot] !== OPERATION_KIND.write) continue;
      const first = this.sectors[slot] as number;
      const count = this.counts[slot] as number;
      const buffer = this.buffers[slot] as Uint8Array;
      const key = this.key(OPERATION_KIND.write, first, memory.writeCount[first] as number);
      const whole = first < wholeBefore;
      const garbagePpm = whole || this.replicaCount === 1 ? NEVER : this.plan.garbagePpm;
      const torn =
        !whole && count > 1 && this.decisions.chance(key, DOMAIN.writeTorn, this.plan.tornPpm);
      for (let i = 0; i < count; i++) {
        const sector = first + i;
        this.counters.attempt(torn ? FAULT.torn_write : FAULT.lost_write);
        const own = this.decisions.part(key, sector * 2 + 1);
        if (this.decisions.chance(own, DOMAIN.sectorGarbage, garbagePpm)) {
          this.counters.hit(FAULT.garbage_write);
          if (this.watch.observer !== null) this.watch.sectorHit(this.node, 'garbage_write', sector);
          memory.touch(sector);
          memory.overlay[sector] = OVERLAY.garbage;
          memory.overlaySeed[sector] = own;
          continue;
        }
        const identity = torn ? own : key;
        if (this.decisions.chance(identity, DOMAIN.sectorLost, this.plan.lostPpm)) {
          this.counters.apply(torn ? FAULT.torn_write : FAULT.lost_write);
          if (this.watch.observer !== null) {
            this.watch.sectorHit(this.node, torn ? 'torn_write' : 'lost_write', sector);
          }
          memory.crashed[sector] = torn ? CRASHED.torn : CRASHED.lost;
          continue;
        }
        // Kept although never acknowledged. The bytes under it are older than any undo record of
        // the same sector, and those must not be asked any more.
        memory.image.set(
          buffer.subarray(i * SECTOR_SIZE, (i + 1) * SECTOR_SIZE),
          sector * SECTOR_SIZE,
        );
        memory.undurable[sector] = 0;
        memory.overlay[sector] = OVERLAY.none;
        memory.touch(sector);
      }
    }
  }

  /** A superblock copy is rotten, garbage, or torn and not yet rewritten. */
  superblockSpoiled(): boolean {
    const { overlay, crashed } = this.memory;
    for (let sector = 0; sector * SECTOR_SIZE < this.superblockSize; sector++) {
      if (overlay[sector] !== OVERLAY.none || crashed[sector] === CRASHED.torn) return true;
    }
    return false;
  }

  // --- What faults look like ---

  private meetCrashed(sector: number): void {
    const torn = this.memory.crashed[sector] === CRASHED.torn;
    this.counters.observe(torn ? FAULT.torn_write : FAULT.lost_write);
    // A torn superblock copy stays marked until it is rewritten: see `crash`.
    if (!torn) this.memory.crashed[sector] = 0;
  }

  private rot(buffer: Uint8Array, at: number, seed: number): void {
    const flips = 1 + (this.decisions.bits(seed, DOMAIN.rotBits) & 7);
    for (let i = 1; i <= flips; i++) {
      const bit = this.decisions.bits(seed + i, DOMAIN.rotBits) % (SECTOR_SIZE * 8);
      const place = at + (bit >> 3);
      buffer[place] = (buffer[place] as number) ^ (1 << (bit & 7));
    }
  }

  private fillGarbage(buffer: Uint8Array, at: number, seed: number): void {
    for (let i = 0; i < SECTOR_SIZE; i += 4) {
      const bits = this.decisions.bits(seed + i, DOMAIN.sectorGarbage);
      buffer[at + i] = bits;
      buffer[at + i + 1] = bits >>> 8;
      buffer[at + i + 2] = bits >>> 16;
      buffer[at + i + 3] = bits >>> 24;
    }
  }
}
