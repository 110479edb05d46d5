/** A journal on a MemoryStorage, a maker of prepares, and a listener that remembers. */
import { assert } from '../../core/assert.ts';
import { seal } from '../../core/checksum.ts';
import { CONFIG_SMALL, HEADER_SIZE, prepareMax, type ClusterConfig } from '../../core/constants.ts';
import { AT, COMMAND, opOf, OPERATION, setOp, setSize, setView, sizeOf } from '../../core/message/header.ts';
import { allocateAligned, MessagePool, type Message } from '../../core/message/pool.ts';
import { copyWords, equalWords, regionOf, writeU64, type Region } from '../../core/message/region.ts';
import { zonesOf, type Zones } from '../../core/storage/data_file.ts';
import { format } from '../../core/storage/format.ts';
import { writeRootHeader } from '../../core/storage/formatted_headers.ts';
import { Journal, type JournalListener } from '../../core/storage/journal.ts';
import { MemoryStorage } from './memory_storage.ts';

export const JOURNAL_CONFIG: ClusterConfig = { ...CONFIG_SMALL, gridBlocks: 16 };

export class JournalEvents implements JournalListener {
  recovered = 0;
  /** `op:view` */
  readonly written: string[] = [];
  readonly superseded: string[] = [];
  /** `token op:view`, or `token null`. */
  readonly read: string[] = [];

  journalRecovered(): void {
    this.recovered++;
  }
  prepareWritten(message: Message): void {
    this.written.push(nameOf(message));
  }
  prepareWriteSuperseded(message: Message): void {
    this.superseded.push(nameOf(message));
  }
  prepareRead(token: number, message: Message | null): void {
    this.read.push(`${token} ${message === null ? 'null' : nameOf(message)}`);
  }
}

export function nameOf(message: Region, at = 0): string {
  return `${opOf(message, at)}:${message.fields.getUint32(at + AT.view, true)}`;
}

export interface RigOptions {
  readonly config?: ClusterConfig;
  readonly replicaCount?: number;
}

export class JournalRig {
  readonly config: ClusterConfig;
  readonly zones: Zones;
  readonly replicaCount: number;
  readonly cluster = regionOf(new Uint8Array(16).fill(9));
  readonly storage: MemoryStorage;
  readonly pool: MessagePool;
  journal: Journal;
  events = new JournalEvents();
  /** The durable superblock, as far as recovery cares. */
  checkpointOp = 0;
  logView = 0;
  viewHeaders: Region;
  viewHeadersCount = 1;

  constructor(options: RigOptions = {}) {
    this.config = options.config ?? JOURNAL_CONFIG;
    this.replicaCount = options.replicaCount ?? 3;
    this.zones = zonesOf(this.config);
    this.storage = new MemoryStorage(this.zones.end);
    this.pool = new MessagePool({
      smallCount: 0,
      smallSize: 4096,
      largeCount: 64,
      largeSize: this.config.messageSizeMax,
      allocate: allocateAligned,
    });
    format({
      config: this.config,
      cluster: this.cluster,
      replicaIndex: 0,
      replicaCount: this.replicaCount,
      write: (offset, bytes) => this.storage.poke(offset, bytes),
    });
    this.viewHeaders = regionOf(new Uint8Array(HEADER_SIZE));
    writeRootHeader(this.config.checksumAlgorithm, this.cluster, this.viewHeaders, 0);
    this.journal = this.create();
  }

  get prepareMax(): number {
    return prepareMax(this.config, this.checkpointOp);
  }

  /** Begins recovery on a new journal over the same disk; the messages of the old one are freed. */
  restart(): void {
    this.journal.dropMessages();
    assert(this.pool.freeCount === 64, 'rig: the journal leaked messages', this.pool.freeCount);
    this.storage.pending.length = 0;
    this.events = new JournalEvents();
    this.journal = this.create();
    this.journal.recover({
      checkpointOp: this.checkpointOp,
      prepareMax: this.prepareMax,
      view: this.logView,
      logView: this.logView,
      viewHeaders: this.viewHeaders,
      viewHeadersCount: this.viewHeadersCount,
    });
  }

  /** Restarts and recovers to the end. */
  open(): this {
    this.restart();
    this.storage.run();
    assert(this.events.recovered === 1, 'rig: not recovered');
    return this;
  }

  /** A sealed prepare with a body of `bodySize` bytes that depends on op and view. */
  prepare(op: number, view = this.logView, bodySize = 40): Message {
    const message = this.pool.acquire(this.config.messageSizeMax);
    message.bytes.fill(0xee); // Padding comes undefined.
    message.bytes.fill(0, 0, HEADER_SIZE);
    copyWords(this.cluster, 0, message, AT.cluster, 16);
    setSize(message, HEADER_SIZE + bodySize);
    setOp(message, op);
    setView(message, view);
    message.fields.setUint8(AT.command, COMMAND.prepare);
    message.fields.setUint8(AT.operation, OPERATION.noop);
    writeU64(message, AT.commit, op - 1);
    for (let i = 0; i < bodySize; i++) message.bytes[HEADER_SIZE + i] = (op * 7 + view + i) & 255;
    seal(this.config.checksumAlgorithm, message);
    return message;
  }

  /** Accepts and writes; the caller's reference is dropped. Returns the header. */
  append(op: number, view = this.logView, bodySize = 40): Region {
    const message = this.prepare(op, view, bodySize);
    const header = regionOf(message.bytes.slice(0, HEADER_SIZE));
    this.journal.setHeaderDirty(message, 0);
    this.journal.writePrepare(message);
    message.unref();
    return header;
  }

  /** Appends and completes everything. */
  appendAll(opMin: number, opMax: number, view = this.logView): void {
    for (let op = opMin; op <= opMax; op++) this.append(op, view);
    this.storage.run();
  }

  /** Offset of the slot of `op` in the headers zone. */
  headerOffset(op: number): number {
    return this.zones.journalHeaders + (op % this.config.journalSlots) * HEADER_SIZE;
  }

  prepareOffset(op: number): number {
    return this.zones.journalPrepares + (op % this.config.journalSlots) * this.config.messageSizeMax;
  }

  /** Flips one bit of the redundant header or of the prepare of `op`. */
  damage(zone: 'header' | 'prepare', op: number, at = 200): void {
    const offset = (zone === 'header' ? this.headerOffset(op) : this.prepareOffset(op)) + at;
    this.storage.poke(offset, Uint8Array.of((this.storage.durable[offset] as number) ^ 1));
  }

  /** Writes a prepare, or its header, straight to disk. */
  plant(zone: 'header' | 'prepare', message: Message, op = opOf(message)): void {
    const bytes = new Uint8Array(zone === 'header' ? HEADER_SIZE : this.config.messageSizeMax);
    const size = zone === 'header' ? HEADER_SIZE : sizeOf(message);
    bytes.set(message.bytes.subarray(0, size));
    this.storage.poke(zone === 'header' ? this.headerOffset(op) : this.prepareOffset(op), bytes);
    message.unref();
  }

  /** `A3 P1 ...` */
  cases(): string {
    return [...this.journal.caseCounts]
      .map((count, i) => (count === 0 ? '' : `${String.fromCharCode(65 + i)}${count}`))
      .filter((text) => text !== '')
      .join(' ');
  }

  /** The slot of `op` in memory: `op:view` or `-`, then `d` dirty, `f` faulty. */
  slot(op: number): string {
    const slot = this.journal.slotOf(op);
    const at = slot * HEADER_SIZE;
    const reserved = this.journal.headers.fields.getUint8(at + AT.operation) === OPERATION.reserved;
    const entry = reserved ? '-' : nameOf(this.journal.headers, at);
    const marks = `${this.journal.dirty[slot] ? 'd' : ''}${this.journal.faulty[slot] ? 'f' : ''}`;
    return marks === '' ? entry : `${entry} ${marks}`;
  }

  private create(): Journal {
    const journal = new Journal({
      config: this.config,
      zones: this.zones,
      storage: this.storage,
      pool: this.pool,
      cluster: this.cluster,
      checksumAlgorithm: this.config.checksumAlgorithm,
      replicaCount: this.replicaCount,
      listener: this.events,
    });
    this.storage.deliver = (token, result) => journal.onStorage(token, result);
    return journal;
  }

  /** Entry of `op` in memory equals `header`. */
  holds(header: Region): boolean {
    const at = this.journal.headerAt(opOf(header));
    return at !== -1 && equalWords(this.journal.headers, at, header, 0, HEADER_SIZE);
  }
}
