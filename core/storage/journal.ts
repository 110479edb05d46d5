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
import { bodyValid, headerValid } from '../checksum.ts';
import {
  HEADER_SIZE,
  HEADERS_PER_SECTOR,
  SECTOR_SIZE,
  type ChecksumAlgorithm,
  type ClusterConfig,
} from '../constants.ts';
import {
  AT,
  COMMAND,
  commandOf,
  epochOf,
  opOf,
  operationOf,
  OPERATION,
  sizeOf,
  viewOf,
} from '../message/header.ts';
import { paddedSize, paddingIsZero, zeroPadding } from '../message/padding.ts';
import { type Message, type MessagePool } from '../message/pool.ts';
import { copyWords, equalWords, regionOf, zeroWords, type Region } from '../message/region.ts';
import { STORAGE_RESULT, type Storage, type StorageResult } from '../ports.ts';
import { defineProbe, type Probe } from '../probe.ts';
import { prepareOffset, type Zones } from './data_file.ts';
import { isEntry, writeReservedHeader } from './formatted_headers.ts';
import { HeaderSectors } from './header_sectors.ts';
import {
  ballotOf,
  findTorn,
  FOUND,
  RECOVERY_CASE_COUNT,
  recoveryCase,
  recoveryCaseName,
  recoveryDecision,
  TORN_CANCELLED,
  viewAllowed,
  type Found,
} from './journal_recovery.ts';

/** High byte of every storage token of this component. */
export const JOURNAL_TOKEN = 2 << 24;
const TOKEN = {
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

const caseProbes: Probe[] = [];
for (let i = 0; i < RECOVERY_CASE_COUNT; i++) {
  caseProbes.push(defineProbe(`journal: recovery case ${recoveryCaseName(i)}`));
}
const tornDropped = defineProbe('journal: torn prepare dropped');
const tornCancelled = defineProbe('journal: torn refinement cancelled');
const tornFirstLap = defineProbe('journal: torn prepare in a slot never used');
const filteredByView = defineProbe('journal: view filter dropped an entry');
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
  message: Message | null;
  /** Canary ackBeforeSync: reported too early, so not again. */
  reported: boolean;
}

interface JournalRead {
  readonly index: number;
  slot: number;
  token: number;
  message: Message | null;
  readonly checksum: Region;
}

const STATUS = { closed: 0, readingHeaders: 1, readingPrepares: 2, fixing: 3, open: 4 } as const;

/** Prepare writes in flight. Few beside the slots: a crash may tear them all. */
export function journalWritesMax(config: ClusterConfig, replicaCount: number): number {
  // Alone, a hole in the log could never be filled: strictly one after another.
  return replicaCount === 1 ? 1 : Math.min(32, config.journalSlots / 4);
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

  private readonly config: ClusterConfig;
  private readonly zones: Zones;
  private readonly storage: Storage;
  private readonly pool: MessagePool;
  private readonly cluster: Region;
  private readonly algorithm: ChecksumAlgorithm;
  private readonly solo: boolean;
  private readonly listener: JournalListener;

  /** The reserved header of every slot. */
  private readonly reserved: Region;
  /** Size of the prepare on disk, where `prepareInhabited`. */
  private readonly prepareSize: Uint32Array;
  private readonly sectors: HeaderSectors;
  private readonly writes: JournalWrite[] = [];
  private readonly reads: JournalRead[] = [];
  /** Index of the active write of a slot; -1 for none. */
  private readonly slotWrite: Int16Array;
  private readonly slotReads: Uint8Array;
  /** The message that waits to be written to a slot: the newest only. */
  private readonly queued: (Message | null)[];
  /** Slots with a queued message, oldest first. */
  private readonly queue: Uint32Array;
  private queueLength = 0;
  private syncing = false;
  /** Prepares written and not yet covered by a sync that has started. */
  private preparesWritten = 0;

  private status: number = STATUS.closed;
  private recovery: JournalRecovery | null = null;
  /** Next sector or slot to be read by recovery, and how many answers are still to come. */
  private recoveryNext = 0;
  private recoveryPending = 0;
  private readonly redundantFound: Uint8Array;
  private readonly prepareFound: Uint8Array;

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
    this.redundantFound = new Uint8Array(slots);
    this.prepareFound = new Uint8Array(slots);
    this.sectors = new HeaderSectors({
      storage: options.storage,
      offset: options.zones.journalHeaders,
      token: TOKEN.sector,
      redundant: this.headersRedundant,
      faulty: this.faulty,
    });
    const writesMax = journalWritesMax(config, options.replicaCount);
    for (let index = 0; index < writesMax; index++) {
      this.writes.push({ index, step: WRITE.free, slot: -1, message: null, reported: false });
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
    let free = 0;
    for (const write of this.writes) if (write.step === WRITE.free) free++;
    return Math.max(0, free - this.queueLength);
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
   *
   * Departure: an entry of an older lap keeps its redundant header, where the reference puts a
   * reserved one. The disk then looks as if the sector had not been written since, a state that
   * recovery knows, and a torn write of the new prepare stays recognisable as one (7.5).
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
      this.forgetRedundantFrom(slot, op);
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
    const at = slot * HEADER_SIZE;
    if (isEntry(this.headers, at)) this.forgetRedundantFrom(slot, opOf(this.headers, at));
    copyWords(this.reserved, at, this.headers, at, HEADER_SIZE);
    this.setFaulty(slot, FAULTY.no);
    this.setDirty(slot, 0);
  }

  private forgetRedundantFrom(slot: number, op: number): void {
    const at = slot * HEADER_SIZE;
    if (isEntry(this.headersRedundant, at) && opOf(this.headersRedundant, at) >= op) {
      copyWords(this.reserved, at, this.headersRedundant, at, HEADER_SIZE);
    }
  }

  private setDirty(slot: number, value: number): void {
    this.dirtyCount += value - (this.dirty[slot] as number);
    this.dirty[slot] = value;
    assert(value === 1 || this.faulty[slot] === FAULTY.no, 'journal: clean but faulty', slot);
  }

  private setFaulty(slot: number, value: number): void {
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
    for (const write of this.writes) {
      if (write.step !== WRITE.free) continue;
      write.step = WRITE.prepareWriting;
      write.slot = slot;
      write.message = message;
      write.reported = false;
      this.slotWrite[slot] = write.index;
      this.prepareInhabited[slot] = 0;
      const offset = prepareOffset(this.zones, this.config, slot);
      this.storage.write(offset, message.sectors(sizeOf(message)), TOKEN.write | write.index);
      return true;
    }
    return false;
  }

  private prepareWriteCompleted(write: JournalWrite): void {
    assert(write.step === WRITE.prepareWriting, 'journal: write completion', write.step);
    write.step = WRITE.prepareWritten;
    this.preparesWritten++;
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
    if (this.syncing) return;
    if (this.preparesWritten === 0 && !this.sectors.needsSync) return;
    if (this.preparesWritten > 1) syncShared.hits++;
    for (const write of this.writes) {
      if (write.step === WRITE.prepareWritten) write.step = WRITE.prepareSyncing;
    }
    this.preparesWritten = 0;
    this.sectors.syncStarted();
    this.syncing = true;
    this.storage.sync(TOKEN.sync);
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
    copyWords(message, 0, this.prepareChecksum, slot * 32, 32);
    this.prepareInhabited[slot] = 1;
    this.prepareSize[slot] = sizeOf(message);
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
    write.step = WRITE.free;
    write.slot = -1;
    write.message = null;
    if (written && !write.reported) this.listener.prepareWritten(message);
    else if (!written) this.listener.prepareWriteSuperseded(message);
    message.unref();
  }

  /** Starts what may start, in order of arrival; drops what its slot no longer wants. */
  private startQueued(): void {
    if (this.queueLength === 0) return;
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
    while (this.dropped.length > 0) {
      const message = this.dropped.pop() as Message;
      this.listener.prepareWriteSuperseded(message);
      message.unref();
    }
  }

  /** Queued messages found unwanted, within one `startQueued`. */
  private readonly dropped: Message[] = [];

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
      this.storage.read(offset, read.message.sectors(size), TOKEN.read | read.index);
      return true;
    }
    return false;
  }

  private readCompleted(read: JournalRead, result: StorageResult): void {
    const message = read.message as Message;
    const { slot, token } = read;
    const found = result === STORAGE_RESULT.ok ? this.foundPrepare(message, slot) : FOUND.bad;
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
      case TOKEN.write:
        this.requireOk(result, 'storage-write', 'journal: a write failed; check the disk');
        this.prepareWriteCompleted(this.writes[index] as JournalWrite);
        break;
      case TOKEN.sync:
        // Never retried: a second sync may report success for data that is gone.
        this.requireOk(result, 'storage-sync', 'journal: a sync failed; check the disk');
        this.syncCompleted();
        break;
      case TOKEN.sector:
        if (this.status === STATUS.readingHeaders) {
          this.requireReadable(result);
          this.sectorRead(index, result);
          break;
        }
        this.requireOk(result, 'storage-write', 'journal: a header write failed; check the disk');
        this.sectors.writeCompleted(index);
        this.startSync();
        break;
      case TOKEN.read:
        this.requireReadable(result);
        if (this.status === STATUS.readingPrepares) {
          this.recoveryRead(this.reads[index] as JournalRead, result);
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

  // --- Recovery (7.4) ---

  /** Reads the whole journal and decides every slot; then `journalRecovered`. Once, at the start. */
  recover(recovery: JournalRecovery): void {
    assert(this.status === STATUS.closed, 'journal: recovered twice', this.status);
    this.recovery = recovery;
    this.status = STATUS.readingHeaders;
    this.recoveryPending = this.sectors.count;
    // By sector: one that cannot be read costs its own 16 headers only.
    for (let sector = 0; sector < this.sectors.count; sector++) this.sectors.read(sector);
  }

  private sectorRead(sector: number, result: StorageResult): void {
    const { buffer } = this.sectors;
    if (result !== STORAGE_RESULT.ok) zeroWords(buffer, sector * SECTOR_SIZE, SECTOR_SIZE);
    const first = sector * HEADERS_PER_SECTOR;
    for (let slot = first; slot < first + HEADERS_PER_SECTOR; slot++) {
      const at = slot * HEADER_SIZE;
      const found = this.foundHeader(buffer, at, slot);
      this.redundantFound[slot] = found;
      if (found === FOUND.entry) copyWords(buffer, at, this.headersRedundant, at, HEADER_SIZE);
    }
    this.recoveryPending--;
    if (this.recoveryPending > 0) return;
    this.status = STATUS.readingPrepares;
    this.recoveryPending = this.slots;
    for (const read of this.reads) this.recoveryReadNext(read);
  }

  private recoveryReadNext(read: JournalRead): void {
    if (this.recoveryNext === this.slots) {
      read.slot = -1;
      return;
    }
    read.slot = this.recoveryNext++;
    read.token = 0; // Bytes read so far.
    read.message = this.pool.acquire(this.config.messageSizeMax);
    const offset = prepareOffset(this.zones, this.config, read.slot);
    this.storage.read(offset, read.message.sectors(SECTOR_SIZE), TOKEN.read | read.index);
  }

  /** The first sector tells how much more there is. */
  private recoveryRead(read: JournalRead, result: StorageResult): void {
    const message = read.message as Message;
    const { slot } = read;
    let found: Found = FOUND.bad;
    if (result === STORAGE_RESULT.ok) {
      const header = this.foundHeader(message, 0, slot);
      const end = paddedSize(sizeOf(message));
      const whole = end <= SECTOR_SIZE || read.token !== 0;
      if (header === FOUND.entry && !whole && end <= this.config.messageSizeMax) {
        read.token = SECTOR_SIZE;
        const offset = prepareOffset(this.zones, this.config, slot) + SECTOR_SIZE;
        const rest = message.bytes.subarray(SECTOR_SIZE, end);
        this.storage.read(offset, rest, TOKEN.read | read.index);
        return;
      }
      found = this.foundPrepare(message, slot);
    }
    this.prepareFound[slot] = found;
    if (found === FOUND.entry) {
      copyWords(message, 0, this.headers, slot * HEADER_SIZE, HEADER_SIZE);
      copyWords(message, 0, this.prepareChecksum, slot * 32, 32);
      this.prepareInhabited[slot] = 1;
      this.prepareSize[slot] = sizeOf(message);
    }
    read.message = null;
    message.unref();
    this.recoveryPending--;
    this.recoveryReadNext(read);
    if (this.recoveryPending === 0) this.decide();
  }

  private foundHeader(region: Region, at: number, slot: number): Found {
    if (!headerValid(this.algorithm, region, at)) return FOUND.bad;
    if (commandOf(region, at) !== COMMAND.prepare) return FOUND.foreign;
    if (!equalWords(region, at + AT.cluster, this.cluster, 0, 16)) return FOUND.foreign;
    const op = opOf(region, at);
    if (operationOf(region, at) === OPERATION.reserved) {
      return op === slot ? FOUND.reserved : FOUND.foreign;
    }
    return op % this.slots === slot ? FOUND.entry : FOUND.foreign;
  }

  private foundPrepare(message: Message, slot: number): Found {
    const header = this.foundHeader(message, 0, slot);
    if (header === FOUND.bad || header === FOUND.foreign) return header;
    if (sizeOf(message) > this.config.messageSizeMax) return FOUND.bad;
    if (bodyValid(this.algorithm, message) && paddingIsZero(message)) return header;
    if (canaryIs(CANARY.tornWriteAccepted)) return header;
    return FOUND.bad;
  }

  /** All is read. In `headers` lie the prepares found, in `headersRedundant` the redundant ones. */
  private decide(): void {
    const recovery = this.recovery as JournalRecovery;
    const cases = new Uint8Array(this.slots);
    const torn = new Uint8Array(this.slots);
    const top = this.topFound();
    for (let slot = 0; slot < this.slots; slot++) {
      const at = slot * HEADER_SIZE;
      const found = recoveryCase(
        this.redundantFound[slot] as Found,
        opOf(this.headersRedundant, at),
        this.prepareFound[slot] as Found,
        opOf(this.headers, at),
        equalWords(this.headersRedundant, at, this.headers, at, 32),
        top,
        recovery.prepareMax,
      );
      cases[slot] = found;
      this.caseCounts[found] = (this.caseCounts[found] as number) + 1;
      (caseProbes[found] as Probe).hits++;
    }
    const { checkpointOp, prepareMax } = recovery;
    const writesMax = this.writes.length;
    const { prepareFound } = this;
    const question = { cases, prepareFound, checkpointOp, prepareMax, top, writesMax };
    const tornCount = findTorn(question, torn);
    if (tornCount === TORN_CANCELLED) tornCancelled.hits++;
    else this.tornCount = tornCount;

    for (let slot = 0; slot < this.slots; slot++) {
      if (torn[slot] === 1) this.dropTorn(slot);
      else this.settle(slot, cases[slot] as number);
    }
    this.filterByView();
    if (this.faultyCount === this.slots) {
      throw new ReplicaFatal(
        'journal-lost',
        'every slot of the journal is damaged: re-admit this replica with a new data file',
      );
    }
    for (let slot = 0; slot < this.slots; slot++) {
      const at = slot * HEADER_SIZE;
      if (isEntry(this.headers, at)) {
        this.opMaxRecovered = Math.max(this.opMaxRecovered, opOf(this.headers, at));
      }
    }
    this.status = STATUS.fixing;
    this.startSectors();
    if (this.sectors.idle) this.recovered();
  }

  private topFound(): number {
    let top = -1;
    for (let slot = 0; slot < this.slots; slot++) {
      const at = slot * HEADER_SIZE;
      if (this.redundantFound[slot] === FOUND.entry) top = Math.max(top, opOf(this.headersRedundant, at));
      if (this.prepareFound[slot] === FOUND.entry) top = Math.max(top, opOf(this.headers, at));
    }
    return top;
  }

  private settle(slot: number, found: number): void {
    const at = slot * HEADER_SIZE;
    const decision = recoveryDecision(found, this.solo);
    switch (decision) {
      case 'clean':
      case 'nil':
        break;
      case 'fix':
        // B is in `headers`: an entry, or reserved when a lone replica's header sector tore.
        copyWords(this.headers, at, this.headersRedundant, at, HEADER_SIZE);
        this.sectors.want(sectorOf(slot));
        break;
      case 'cut':
        this.reserveSlot(slot);
        this.cutCount++;
        break;
      case 'faulty':
        this.reserveSlot(slot);
        this.setDirty(slot, 1);
        this.setFaulty(slot, FAULTY.unknown);
        break;
      case 'fatal':
      case 'impossible':
        throw new ReplicaFatal(
          `journal-${decision}`,
          `journal slot ${slot} is damaged (case ${recoveryCaseName(found)}) and no other replica ` +
            'has its content: restore the data file from a backup',
        );
    }
  }

  /**
   * Never acknowledged, so clean. Its redundant header stays as found: written again beside its
   * neighbours it lets the next recovery see the same torn write, if that comes first.
   */
  private dropTorn(slot: number): void {
    tornDropped.hits++;
    if (this.redundantFound[slot] === FOUND.reserved) tornFirstLap.hits++;
    const at = slot * HEADER_SIZE;
    copyWords(this.reserved, at, this.headers, at, HEADER_SIZE);
  }

  private reserveSlot(slot: number): void {
    const at = slot * HEADER_SIZE;
    copyWords(this.reserved, at, this.headers, at, HEADER_SIZE);
    copyWords(this.reserved, at, this.headersRedundant, at, HEADER_SIZE);
  }

  /** Drops entries prepared in a view that we never finished joining. */
  private filterByView(): void {
    const recovery = this.recovery as JournalRecovery;
    const logBallot = ballotOf(recovery.logEpoch ?? 0, recovery.logView);
    for (let slot = 0; slot < this.slots; slot++) {
      const at = slot * HEADER_SIZE;
      if (!isEntry(this.headers, at)) continue;
      const ballot = ballotOf(epochOf(this.headers, at), viewOf(this.headers, at));
      const { viewHeaders, viewHeadersCount } = recovery;
      const op = opOf(this.headers, at);
      if (viewAllowed(op, ballot, viewHeaders, viewHeadersCount, logBallot)) continue;
      filteredByView.hits++;
      this.filteredCount++;
      this.reserveSlot(slot);
    }
  }

  private recovered(): void {
    this.status = STATUS.open;
    this.recovery = null;
    this.listener.journalRecovered();
  }
}

function sectorOf(slot: number): number {
  return Math.floor(slot / HEADERS_PER_SECTOR);
}
