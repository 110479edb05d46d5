/**
 * The journal: a ring of S prepares and, in a zone of its own, their redundant headers.
 *
 * Per slot in memory: `headers` is what the log should hold (set when a header is accepted);
 * `headersRedundant` what its sector should say (only prepares that are durable); `dirty` that the
 * disk is behind; `faulty` that something was durable here and is lost (implies dirty);
 * `prepareChecksum` which prepare lies on disk, wanted or not.
 *
 * A prepare is reported written after: body, sync, header sector, sync; and only if the slot still
 * wants it. Syncs are shared by all writes that completed before they start. Source: reference
 * "vsr" section 7.
 */
import { assert, ReplicaFatal } from '../assert.ts';
import { CANARY, canaryIs } from '../canary.ts';
import { HEADER_SIZE, type ChecksumAlgorithm, type ClusterConfig } from '../constants.ts';
import { opOf, operationOf, OPERATION, sizeOf } from '../message/header.ts';
import { zeroPadding } from '../message/padding.ts';
import { type Message, type MessagePool } from '../message/pool.ts';
import { copyWords, equalWords, regionOf, type Region } from '../message/region.ts';
import { STORAGE_RESULT, type Storage, type StorageResult } from '../ports.ts';
import { defineProbe } from '../probe.ts';
import { prepareOffset, type Zones } from './data_file.ts';
import { isEntry, writeReservedHeader } from './formatted_headers.ts';
import { HeaderSectors, sectorOf } from './header_sectors.ts';
import { FOUND, RECOVERY_CASE_COUNT } from './journal_recovery.ts';
import {
  findPrepare,
  headersRead,
  prepareRead,
  readHeaders,
  readPrepares,
  type JournalRestart,
} from './journal_restart.ts';

/** High byte of every storage token of this component. */
export const JOURNAL_TOKEN = 2 << 24;
export const JOURNAL_TOKENS = {
  write: JOURNAL_TOKEN,
  sync: JOURNAL_TOKEN | (1 << 20),
  sector: JOURNAL_TOKEN | (2 << 20),
  read: JOURNAL_TOKEN | (3 << 20),
} as const;
const TOKEN_INDEX = 0xf_ffff;

export const JOURNAL_READS_MAX = 8;
/** Reads for peers leave this many to the commit path: see `readsAvailable`. */
export const JOURNAL_READS_FOR_COMMIT = 2;

/** Values of `faulty`. */
export const FAULTY = {
  no: 0,
  /** The entry in memory was durable and is lost. Another entry was then never here. */
  known: 1,
  /** Something is lost, and nobody knows what: any entry may be it, until one is written. */
  unknown: 2,
} as const;

const changedDuringPrepare = defineProbe('journal: header changed while the prepare was written');
const changedDuringHeader = defineProbe('journal: header changed while its sector was written');
const changedInQueue = defineProbe('journal: header changed while the write was queued');
const queuedReplaced = defineProbe('journal: queued write replaced by a newer one');
const writeQueued = defineProbe('journal: write queued');
const writeWaitsForRead = defineProbe('journal: write waited for a read of its slot');
const readCorrupt = defineProbe('journal: prepare unreadable when asked for');
const syncShared = defineProbe('journal: one sync covered several writes');
const unknownLossKept = defineProbe('journal: unknown loss kept over a second header');

export interface JournalListener {
  journalRecovered(): void;
  /** Durable, its redundant header too, and the slot is clean. Referenced during the call. */
  prepareWritten(message: Message): void;
  /** The header changed meanwhile: nothing is promised. */
  prepareWriteSuperseded(message: Message): void;
  /** Null: unreadable (the slot is now faulty if it should hold it). `ref()` to keep. */
  prepareRead(token: number, message: Message | null): void;
}

export interface JournalRecovery {
  readonly checkpointOp: number;
  readonly prepareMax: number;
  readonly view: number;
  readonly logView: number;
  readonly logEpoch?: number;
  /** Top op first; kept by reference until `journalRecovered`. */
  readonly viewHeaders: Region;
  readonly viewHeadersCount: number;
}

const WRITE = {
  free: 0,
  prepareWriting: 1,
  prepareWritten: 2,
  prepareSyncing: 3,
  prepareDurable: 4,
  headerWaiting: 5,
  headerWriting: 6,
  headerDurable: 7,
} as const;

/** One prepare on its way to disk, body and header. */
interface JournalWrite {
  readonly index: number;
  step: number;
  slot: number;
  /** See `wave` of the journal. */
  wave: number;
  message: Message | null;
  /** Canary ackBeforeSync: reported too early, so not again. */
  reported: boolean;
}

export interface JournalRead {
  readonly index: number;
  slot: number;
  token: number;
  message: Message | null;
  readonly checksum: Region;
}

const STATUS = { closed: 0, readingHeaders: 1, readingPrepares: 2, fixing: 3, open: 4 } as const;

/**
 * Prepare writes in flight: all that a primary has in its pipeline, so that none waits while the
 * others are synced. Few beside the slots: a crash may tear them all.
 */
export function journalWritesMax(config: ClusterConfig, replicaCount: number): number {
  // Alone, a hole in the log could never be filled: strictly one after another.
  return replicaCount === 1 ? 1 : Math.min(config.pipelineMax, config.journalSlots / 4);
}

export class Journal {
  readonly slots: number;
  readonly headers: Region;
  readonly headersRedundant: Region;
  readonly dirty: Uint8Array;
  /** A `FAULTY` a slot. */
  readonly faulty: Uint8Array;
  readonly prepareChecksum: Region;
  readonly prepareInhabited: Uint8Array;
  dirtyCount = 0;
  faultyCount = 0;

  /** Recovery's result: slots by case A..P, entries dropped, and the highest op left (-1: none). */
  readonly caseCounts = new Uint32Array(RECOVERY_CASE_COUNT);
  tornCount = 0;
  cutCount = 0;
  filteredCount = 0;
  opMaxRecovered = -1;

  // Shared with journal_restart.ts.
  readonly config: ClusterConfig;
  readonly zones: Zones;
  readonly storage: Storage;
  readonly pool: MessagePool;
  readonly cluster: Region;
  readonly algorithm: ChecksumAlgorithm;
  readonly solo: boolean;
  /** The reserved header of every slot. */
  readonly reserved: Region;
  readonly sectors: HeaderSectors;
  readonly reads: JournalRead[] = [];
  readonly writesMax: number;

  private readonly listener: JournalListener;
  private readonly writes: JournalWrite[] = [];
  /** Size of the prepare on disk, where `prepareInhabited`. */
  private readonly prepareSize: Uint32Array;
  /** Index of the active write of a slot; -1 for none. */
  private readonly slotWrite: Int16Array;
  private readonly slotReads: Uint8Array;
  /** The message that waits to be written to a slot: the newest only. */
  private readonly queued: (Message | null)[];
  /** Slots with a queued message, oldest first. */
  private readonly queue: Uint32Array;
  private queueLength = 0;
  /** Queued messages found unwanted, within one `startQueued`. */
  private readonly dropped: Message[] = [];
  private writesFree = 0;
  private syncing = false;
  /** Prepares written and not yet covered by a sync that has started. */
  private preparesWritten = 0;
  /**
   * Writes that were started together end one by one, and a sync for the first alone would make
   * all others wait for two. So writes belong to waves: the first to end closes the wave, and the
   * sync starts when all of it has ended. What starts later is not waited for.
   */
  private wave = 0;
  private waveClosed = false;
  /** Prepare writes in flight: of the wave that still grows, and of those before it. */
  private growing = 0;
  private awaited = 0;
  private status: number = STATUS.closed;
  private restart: JournalRestart | null = null;

  constructor(options: {
    readonly config: ClusterConfig;
    readonly zones: Zones;
    readonly storage: Storage;
    readonly pool: MessagePool;
    /** 16 bytes. */
    readonly cluster: Region;
    readonly checksumAlgorithm: ChecksumAlgorithm;
    readonly replicaCount: number;
    readonly listener: JournalListener;
  }) {
    const { config } = options;
    this.config = config;
    this.zones = options.zones;
    this.storage = options.storage;
    this.pool = options.pool;
    this.cluster = options.cluster;
    this.algorithm = options.checksumAlgorithm;
    this.solo = options.replicaCount === 1;
    this.listener = options.listener;

    const slots = config.journalSlots;
    this.slots = slots;
    this.headers = regionOf(new Uint8Array(slots * HEADER_SIZE));
    this.headersRedundant = regionOf(new Uint8Array(slots * HEADER_SIZE));
    this.reserved = regionOf(new Uint8Array(slots * HEADER_SIZE));
    for (let slot = 0; slot < slots; slot++) {
      const at = slot * HEADER_SIZE;
      writeReservedHeader(this.algorithm, this.cluster, slot, this.reserved, at);
    }
    copyWords(this.reserved, 0, this.headers, 0, slots * HEADER_SIZE);
    copyWords(this.reserved, 0, this.headersRedundant, 0, slots * HEADER_SIZE);
    this.dirty = new Uint8Array(slots);
    this.faulty = new Uint8Array(slots);
    this.prepareChecksum = regionOf(new Uint8Array(slots * 32));
    this.prepareInhabited = new Uint8Array(slots);
    this.prepareSize = new Uint32Array(slots);
    this.slotWrite = new Int16Array(slots).fill(-1);
    this.slotReads = new Uint8Array(slots);
    this.queued = Array.from({ length: slots }, () => null);
    this.queue = new Uint32Array(slots);
    this.sectors = new HeaderSectors({
      storage: options.storage,
      offset: options.zones.journalHeaders,
      token: JOURNAL_TOKENS.sector,
      redundant: this.headersRedundant,
      faulty: this.faulty,
    });
    this.writesMax = journalWritesMax(config, options.replicaCount);
    this.writesFree = this.writesMax;
    for (let index = 0; index < this.writesMax; index++) {
      this.writes.push({ index, step: WRITE.free, slot: -1, wave: 0, message: null, reported: false });
    }
    for (let index = 0; index < JOURNAL_READS_MAX; index++) {
      const checksum = regionOf(new Uint8Array(32));
      this.reads.push({ index, slot: -1, token: 0, message: null, checksum });
    }
  }

  // --- What the log holds ---

  slotOf(op: number): number {
    return op % this.slots;
  }

  /** Byte offset in `headers` of the entry with exactly this op; -1 if the slot holds another. */
  headerAt(op: number): number {
    const at = (op % this.slots) * HEADER_SIZE;
    if (operationOf(this.headers, at) === OPERATION.reserved) return -1;
    return opOf(this.headers, at) === op ? at : -1;
  }

  hasExact(op: number, checksum: Region, at: number): boolean {
    const header = this.headerAt(op);
    return header !== -1 && equalWords(this.headers, header, checksum, at, 32);
  }

  /** The entry of this op is known, and durable. */
  hasClean(op: number): boolean {
    return this.headerAt(op) !== -1 && this.dirty[op % this.slots] === 0;
  }

  /** Exactly this prepare lies on disk, whatever the log wants in its slot. */
  hasPrepareOnDisk(op: number, checksum: Region, at: number): boolean {
    const slot = op % this.slots;
    return (
      this.prepareInhabited[slot] === 1 &&
      equalWords(this.prepareChecksum, slot * 32, checksum, at, 32)
    );
  }

  /** Of the op's slot, whichever entry it holds. */
  isDirty(op: number): boolean {
    return this.dirty[op % this.slots] !== 0;
  }

  /** Of the op's slot, whichever entry it holds. */
  isFaulty(op: number): boolean {
    return this.faulty[op % this.slots] !== FAULTY.no;
  }

  /** Exactly this prepare is being written, or waits to be. */
  isWriting(op: number, checksum: Region, at: number): boolean {
    const slot = op % this.slots;
    const index = this.slotWrite[slot] as number;
    if (index !== -1) {
      const { message } = this.writes[index] as JournalWrite;
      if (message !== null && equalWords(message, 0, checksum, at, 32)) return true;
    }
    const waiting = this.queued[slot] as Message | null;
    return waiting !== null && equalWords(waiting, 0, checksum, at, 32);
  }

  /** Writes that would start at once. */
  writesAvailable(): number {
    return Math.max(0, this.writesFree - this.queueLength);
  }

  /** Reads that would start. Answers to peers leave `JOURNAL_READS_FOR_COMMIT` of them. */
  readsAvailable(): number {
    let free = 0;
    for (const read of this.reads) if (read.message === null) free++;
    return free;
  }

  // --- Changing the log in memory ---

  /**
   * Accepts a header (7.2 step 1); the slot is dirty until its prepare is written. An entry that
   * is there already stays as it is, clean or not.
   */
  setHeaderDirty(region: Region, at: number): void {
    assert(this.status === STATUS.open, 'journal: not recovered');
    assert(isEntry(region, at), 'journal: not a prepare header');
    const op = opOf(region, at);
    const slot = op % this.slots;
    const own = slot * HEADER_SIZE;
    if (equalWords(this.headers, own, region, at, HEADER_SIZE)) return;

    if (isEntry(this.headers, own)) {
      // Overwriting a newer op with an older one would lose what may be committed.
      assert(opOf(this.headers, own) <= op, 'journal: older op over a newer', op, opOf(this.headers, own));
      // The new entry was certainly never here: it was another that was lost, if any.
      if (this.faulty[slot] === FAULTY.known) this.setFaulty(slot, FAULTY.no);
      else if (this.faulty[slot] === FAULTY.unknown) unknownLossKept.hits++;
      copyWords(this.reserved, own, this.headersRedundant, own, HEADER_SIZE);
    } // Else faulty stays: the lost entry might be this one.
    copyWords(region, at, this.headers, own, HEADER_SIZE);
    this.setDirty(slot, 1);
  }

  /** Truncates: forgets every entry above `op`. The caller has proved that none is committed. */
  removeAbove(op: number): void {
    for (let slot = 0; slot < this.slots; slot++) {
      const at = slot * HEADER_SIZE;
      if (isEntry(this.headers, at) && opOf(this.headers, at) > op) this.removeSlot(slot);
    }
  }

  /** Forgets the entry of this op, or that its slot lost something. */
  removeEntry(op: number): void {
    const slot = op % this.slots;
    const at = slot * HEADER_SIZE;
    if (isEntry(this.headers, at)) assert(opOf(this.headers, at) === op, 'journal: remove', op);
    this.removeSlot(slot);
  }

  /** Forgets what is dirty or faulty in slots that hold no op of `opMin..opMax` (7.7). */
  removeUnneeded(opMin: number, opMax: number): void {
    if (this.dirtyCount === 0) return;
    for (let slot = 0; slot < this.slots; slot++) {
      if (this.dirty[slot] === 0 || this.slotWrite[slot] !== -1) continue;
      const ahead = (slot - (opMin % this.slots) + this.slots) % this.slots;
      if (opMin + ahead > opMax) this.removeSlot(slot);
    }
  }

  /** `prepareChecksum` stays: the bytes are on disk, and may be wanted again. */
  private removeSlot(slot: number): void {
    this.reserveSlot(slot);
    this.setFaulty(slot, FAULTY.no);
    this.setDirty(slot, 0);
  }

  /** Shared with journal_restart.ts, as are the three below. */
  reserveSlot(slot: number): void {
    const at = slot * HEADER_SIZE;
    copyWords(this.reserved, at, this.headers, at, HEADER_SIZE);
    copyWords(this.reserved, at, this.headersRedundant, at, HEADER_SIZE);
  }

  setPrepareOnDisk(slot: number, message: Message): void {
    copyWords(message, 0, this.prepareChecksum, slot * 32, 32);
    this.prepareInhabited[slot] = 1;
    this.prepareSize[slot] = sizeOf(message);
  }

  setDirty(slot: number, value: number): void {
    this.dirtyCount += value - (this.dirty[slot] as number);
    this.dirty[slot] = value;
    assert(value === 1 || this.faulty[slot] === FAULTY.no, 'journal: clean but faulty', slot);
  }

  setFaulty(slot: number, value: number): void {
    this.faultyCount += Math.min(value, 1) - Math.min(this.faulty[slot] as number, 1);
    this.faulty[slot] = value;
  }

  // --- Writing ---

  /**
   * Writes a prepare whose header has been accepted. Waits while no write is free, or its slot is
   * being written or read. One message waits a slot: a newer one replaces it without a report.
   * The padding after `size` is zeroed here.
   */
  writePrepare(message: Message): void {
    const op = opOf(message);
    const slot = op % this.slots;
    assert(this.status === STATUS.open, 'journal: not recovered');
    assert(this.hasExact(op, message, 0), 'journal: write without its header', op);
    assert(this.dirty[slot] === 1, 'journal: write of a clean prepare', op);
    assert(!this.isWriting(op, message, 0), 'journal: written twice at once', op);
    assert(sizeOf(message) <= this.config.messageSizeMax, 'journal: message size', sizeOf(message));
    zeroPadding(message);
    message.ref();

    const waiting = this.queued[slot] as Message | null;
    if (waiting !== null) {
      queuedReplaced.hits++;
      waiting.unref();
      this.queued[slot] = message;
      return;
    }
    if (this.startWrite(slot, message)) return;
    writeQueued.hits++;
    this.queued[slot] = message;
    this.queue[this.queueLength++] = slot;
  }

  /** False when the write must wait. */
  private startWrite(slot: number, message: Message): boolean {
    if (this.slotWrite[slot] !== -1) return false;
    if (this.slotReads[slot] !== 0) {
      writeWaitsForRead.hits++;
      return false;
    }
    if (this.writesFree === 0) return false;
    for (const write of this.writes) {
      if (write.step !== WRITE.free) continue;
      this.writesFree--;
      this.growing++;
      write.step = WRITE.prepareWriting;
      write.slot = slot;
      write.wave = this.wave;
      write.message = message;
      write.reported = false;
      this.slotWrite[slot] = write.index;
      this.prepareInhabited[slot] = 0;
      const offset = prepareOffset(this.zones, this.config, slot);
      this.storage.write(offset, message.sectors(sizeOf(message)), JOURNAL_TOKENS.write | write.index);
      return true;
    }
    assert(false, 'journal: no free write', this.writesFree);
    return false;
  }

  private prepareWriteCompleted(write: JournalWrite): void {
    assert(write.step === WRITE.prepareWriting, 'journal: write completion', write.step);
    write.step = WRITE.prepareWritten;
    this.preparesWritten++;
    if (write.wave === this.wave) this.growing--;
    else this.awaited--;
    if (!this.waveClosed) {
      assert(this.awaited === 0, 'journal: two waves awaited', this.awaited);
      this.waveClosed = true;
      this.wave++;
      this.awaited = this.growing;
      this.growing = 0;
    }
    if (canaryIs(CANARY.ackBeforeSync)) this.reportUnsynced(write);
    this.startSync();
  }

  /** Canary: the disk has the bytes, so what could go wrong? */
  private reportUnsynced(write: JournalWrite): void {
    const message = write.message as Message;
    if (!this.hasExact(opOf(message), message, 0)) return;
    this.setFaulty(write.slot, FAULTY.no);
    this.setDirty(write.slot, 0);
    write.reported = true;
    this.listener.prepareWritten(message);
  }

  /** One sync at a time, for everything that was written before it starts. */
  private startSync(): void {
    if (this.syncing || this.awaited !== 0 || this.sectors.writing !== 0) return;
    if (this.preparesWritten === 0 && !this.sectors.needsSync) return;
    this.waveClosed = false;
    if (this.preparesWritten > 1) syncShared.hits++;
    for (const write of this.writes) {
      if (write.step === WRITE.prepareWritten) write.step = WRITE.prepareSyncing;
    }
    this.preparesWritten = 0;
    this.sectors.syncStarted();
    this.syncing = true;
    this.storage.sync(JOURNAL_TOKENS.sync);
  }

  private syncCompleted(): void {
    assert(this.syncing, 'journal: sync completion');
    this.syncing = false;
    // First settle which writes this sync made durable, then act: acting starts new ones.
    for (const write of this.writes) {
      if (write.step === WRITE.prepareSyncing) write.step = WRITE.prepareDurable;
      else if (write.step === WRITE.headerWriting && this.sectors.isSyncing(sectorOf(write.slot))) {
        write.step = WRITE.headerDurable;
      }
    }
    this.sectors.syncCompleted();
    for (const write of this.writes) {
      if (write.step === WRITE.prepareDurable) this.prepareDurable(write);
      else if (write.step === WRITE.headerDurable) this.headerDurable(write);
    }
    this.startSectors();
    this.startQueued();
    this.startSync();
    if (this.status === STATUS.fixing && this.sectors.idle) this.recovered();
  }

  /** The prepare is on disk (7.2 step 3). */
  private prepareDurable(write: JournalWrite): void {
    const message = write.message as Message;
    const { slot } = write;
    this.setPrepareOnDisk(slot, message);
    if (!this.hasExact(opOf(message), message, 0)) {
      changedDuringPrepare.hits++;
      this.writeEnded(write, false);
      return;
    }
    copyWords(message, 0, this.headersRedundant, slot * HEADER_SIZE, HEADER_SIZE);
    this.sectors.want(sectorOf(slot));
    write.step = WRITE.headerWaiting;
  }

  private startSectors(): void {
    for (let sector = this.sectors.startNext(); sector !== -1; sector = this.sectors.startNext()) {
      for (const write of this.writes) {
        if (write.step === WRITE.headerWaiting && sectorOf(write.slot) === sector) {
          write.step = WRITE.headerWriting;
        }
      }
    }
  }

  /** All of it is on disk; does the slot still want it (7.2 step 5)? */
  private headerDurable(write: JournalWrite): void {
    const message = write.message as Message;
    const op = opOf(message);
    const wanted =
      this.hasExact(op, message, 0) &&
      equalWords(this.headersRedundant, write.slot * HEADER_SIZE, message, 0, 32) &&
      this.hasPrepareOnDisk(op, message, 0);
    if (wanted) {
      this.setFaulty(write.slot, FAULTY.no);
      this.setDirty(write.slot, 0);
    } else {
      changedDuringHeader.hits++;
    }
    this.writeEnded(write, wanted);
  }

  private writeEnded(write: JournalWrite, written: boolean): void {
    const message = write.message as Message;
    this.slotWrite[write.slot] = -1;
    this.writesFree++;
    write.step = WRITE.free;
    write.slot = -1;
    write.message = null;
    if (written && !write.reported) this.listener.prepareWritten(message);
    else if (!written) this.listener.prepareWriteSuperseded(message);
    message.unref();
  }

  /** Starts what may start, in order of arrival; drops what its slot no longer wants. */
  private startQueued(): void {
    if (this.queueLength === 0 || this.writesFree === 0) return;
    const length = this.queueLength;
    let kept = 0;
    for (let i = 0; i < length; i++) {
      const slot = this.queue[i] as number;
      const message = this.queued[slot] as Message;
      const wanted = this.hasExact(opOf(message), message, 0) && this.dirty[slot] === 1;
      if (wanted && !this.startWrite(slot, message)) {
        this.queue[kept++] = slot;
        continue;
      }
      this.queued[slot] = null;
      if (wanted) continue;
      changedInQueue.hits++;
      this.dropped.push(message);
    }
    this.queueLength = kept;
    // Reported last: the listener may write again, which appends to the queue.
    for (let message = this.dropped.shift(); message !== undefined; message = this.dropped.shift()) {
      this.listener.prepareWriteSuperseded(message);
      message.unref();
    }
  }

  // --- Reading ---

  /**
   * Reads the prepare that lies on disk in the op's slot, also when the log wants another there
   * (7.3). The caller has asked `hasPrepareOnDisk`. False when no read is free.
   */
  readPrepare(op: number, checksum: Region, at: number, token: number): boolean {
    assert(this.status === STATUS.open, 'journal: not recovered');
    assert(this.hasPrepareOnDisk(op, checksum, at), 'journal: read of a prepare not there', op);
    for (const read of this.reads) {
      if (read.message !== null) continue;
      const slot = op % this.slots;
      const size = this.prepareSize[slot] as number;
      read.slot = slot;
      read.token = token;
      read.message = this.pool.acquire(size);
      copyWords(checksum, at, read.checksum, 0, 32);
      this.slotReads[slot] = (this.slotReads[slot] as number) + 1;
      const offset = prepareOffset(this.zones, this.config, slot);
      this.storage.read(offset, read.message.sectors(size), JOURNAL_TOKENS.read | read.index);
      return true;
    }
    return false;
  }

  private readCompleted(read: JournalRead, result: StorageResult): void {
    const message = read.message as Message;
    const { slot, token } = read;
    const found = result === STORAGE_RESULT.ok ? findPrepare(this, message, slot) : FOUND.bad;
    const intact = found === FOUND.entry && equalWords(message, 0, read.checksum, 0, 32);
    if (!intact) this.prepareLost(slot, read.checksum);
    read.message = null;
    read.slot = -1;
    this.slotReads[slot] = (this.slotReads[slot] as number) - 1;
    this.listener.prepareRead(token, intact ? message : null);
    message.unref();
    this.startQueued();
  }

  private prepareLost(slot: number, checksum: Region): void {
    readCorrupt.hits++;
    // No write of the slot can have begun since: it waits for the read.
    if (!equalWords(this.prepareChecksum, slot * 32, checksum, 0, 32)) return;
    this.prepareInhabited[slot] = 0;
    const at = slot * HEADER_SIZE;
    if (!isEntry(this.headers, at) || !equalWords(this.headers, at, checksum, 0, 32)) return;
    copyWords(this.reserved, at, this.headersRedundant, at, HEADER_SIZE);
    this.setDirty(slot, 1);
    if (this.faulty[slot] === FAULTY.no) this.setFaulty(slot, FAULTY.known);
  }

  // --- Completions ---

  onStorage(token: number, result: StorageResult): void {
    const index = token & TOKEN_INDEX;
    switch (token - index) {
      case JOURNAL_TOKENS.write:
        this.requireOk(result, 'storage-write', 'journal: a write failed; check the disk');
        this.prepareWriteCompleted(this.writes[index] as JournalWrite);
        break;
      case JOURNAL_TOKENS.sync:
        // Never retried: a second sync may report success for data that is gone.
        this.requireOk(result, 'storage-sync', 'journal: a sync failed; check the disk');
        this.syncCompleted();
        break;
      case JOURNAL_TOKENS.sector:
        if (this.status === STATUS.readingHeaders) {
          this.requireReadable(result);
          this.sectorRead(index, result);
          break;
        }
        this.requireOk(result, 'storage-write', 'journal: a header write failed; check the disk');
        this.sectors.writeCompleted(index);
        this.startSync();
        break;
      case JOURNAL_TOKENS.read:
        this.requireReadable(result);
        if (this.status === STATUS.readingPrepares) {
          const restart = this.restart as JournalRestart;
          if (prepareRead(this, restart, this.reads[index] as JournalRead, result)) this.decided();
        } else {
          this.readCompleted(this.reads[index] as JournalRead, result);
        }
        break;
      default:
        assert(false, 'journal: token', token);
    }
  }

  private requireOk(result: StorageResult, code: string, text: string): void {
    if (result !== STORAGE_RESULT.ok) throw new ReplicaFatal(code, text);
  }

  private requireReadable(result: StorageResult): void {
    if (result === STORAGE_RESULT.ok || result === STORAGE_RESULT.corruptRead) return;
    throw new ReplicaFatal('storage-read', 'journal: a read failed; check the disk');
  }

  /** Drops every message held, after a crash of the replica whose pool lives on. */
  dropMessages(): void {
    for (const write of this.writes) {
      write.message?.unref();
      write.message = null;
      write.step = WRITE.free;
    }
    this.writesFree = this.writesMax;
    for (const read of this.reads) {
      read.message?.unref();
      read.message = null;
    }
    for (let i = 0; i < this.queueLength; i++) {
      const slot = this.queue[i] as number;
      this.queued[slot]?.unref();
      this.queued[slot] = null;
    }
    this.queueLength = 0;
  }

  // --- Recovery: journal_restart.ts ---

  /** Reads the whole journal and decides every slot; then `journalRecovered`. Once, at the start. */
  recover(recovery: JournalRecovery): void {
    assert(this.status === STATUS.closed, 'journal: recovered twice', this.status);
    this.status = STATUS.readingHeaders;
    this.restart = readHeaders(this, recovery);
  }

  private sectorRead(sector: number, result: StorageResult): void {
    const restart = this.restart as JournalRestart;
    if (!headersRead(this, restart, sector, result)) return;
    this.status = STATUS.readingPrepares;
    readPrepares(this, restart);
  }

  /** All is decided; what is to be fixed on disk is written before the end. */
  private decided(): void {
    this.status = STATUS.fixing;
    this.startSectors();
    if (this.sectors.idle) this.recovered();
  }

  private recovered(): void {
    this.status = STATUS.open;
    this.restart = null;
    this.listener.journalRecovered();
  }
}
