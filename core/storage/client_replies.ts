/**
 * The reply zone: one 4 KiB slot a session slot holds the latest reply of that session, so that a
 * repeated request is answered after a restart. At most one write a slot at a time; a newer reply
 * replaces one that waits (vsr 11.4, 18.84). A slot that does not hold what the session table says
 * is faulty, and is repaired from a peer by writing the reply again.
 *
 * Sessions say what a slot should hold: every read names the checksum it expects.
 */
import { assert, ReplicaFatal } from '../assert.ts';
import { bodyValid, headerValid } from '../checksum.ts';
import {
  HEADER_SIZE,
  REPLY_SLOT_SIZE,
  type ChecksumAlgorithm,
  type ClusterConfig,
} from '../constants.ts';
import { AT, COMMAND, commandOf, sizeOf } from '../message/header.ts';
import { zeroPadding } from '../message/padding.ts';
import { type Message, type MessagePool } from '../message/pool.ts';
import { copyWords, equalWords, regionOf, type Region } from '../message/region.ts';
import { STORAGE_RESULT, type Storage, type StorageResult } from '../ports.ts';
import { defineProbe } from '../probe.ts';
import { replyOffset, type Zones } from './data_file.ts';

/** Called from `onStorage` only. */
export interface ClientRepliesListener {
  /** Null: not there or damaged (`isFaulty` tells which). `ref()` the message to keep it. */
  replyRead(token: number, message: Message | null): void;
  /** A write completed, and `canWrite` is true. */
  repliesWritable(): void;
  /** Everything written before `flush` is durable. */
  repliesFlushed(): void;
}

export interface ClientRepliesOptions {
  readonly config: ClusterConfig;
  readonly zones: Zones;
  readonly storage: Storage;
  readonly pool: MessagePool;
  /** 16 bytes. */
  readonly cluster: Region;
  readonly checksumAlgorithm: ChecksumAlgorithm;
  readonly listener: ClientRepliesListener;
}

/** Replies waiting or being written. */
const WRITES_MAX = 32;
const WRITES_IN_FLIGHT_MAX = 8;
const READS_MAX = 8;

/** Pool messages of 4 KiB that the reply zone may hold at one time. */
export const REPLY_MESSAGES_MAX = WRITES_MAX + READS_MAX;

/** The component's token: component << 24 | kind << 16 | index. */
const COMPONENT = 4;
const KIND = { read: 0, write: 1, sync: 2 } as const;
const tokenOf = (kind: number, index: number): number => (COMPONENT << 24) | (kind << 16) | index;

const FLUSH = { none: 0, writing: 1, syncing: 2 } as const;
const READ = { none: 0, disk: 1, afterWrite: 2 } as const;
const WRITE = { none: 0, waiting: 1, inFlight: 2 } as const;

const probeCorrupt = defineProbe('client replies: slot corrupt');
const probeReadError = defineProbe('client replies: read error');
const probeCoalesced = defineProbe('client replies: newer reply replaced a waiting one');
const probeWriteFull = defineProbe('client replies: write queue full');
const probeWriteBlocked = defineProbe('client replies: write waits for a read or write of its slot');
const probeReadBusy = defineProbe('client replies: read refused, busy');
const probeFromWrite = defineProbe('client replies: read served from a write in flight');
const probeStale = defineProbe('client replies: read overtaken by a newer reply');

export class ClientReplies {
  readonly slotCount: number;
  faultyCount = 0;
  private readonly zones: Zones;
  private readonly storage: Storage;
  private readonly pool: MessagePool;
  private readonly cluster: Region;
  private readonly algorithm: ChecksumAlgorithm;
  private readonly listener: ClientRepliesListener;
  private readonly faulty: Uint8Array;

  // Writes: at most one waiting and one in flight a slot.
  private readonly writeStates = new Uint8Array(WRITES_MAX);
  private readonly writeSlots = new Int32Array(WRITES_MAX);
  private readonly writeNumbers = new Float64Array(WRITES_MAX);
  private readonly writeMessages: (Message | null)[] = [];
  private writeCount = 0;
  private writesInFlight = 0;
  private lastNumber = 0;

  private readonly readStates = new Uint8Array(READS_MAX);
  private readonly readSlots = new Int32Array(READS_MAX);
  private readonly readChecksums = regionOf(new Uint8Array(READS_MAX * 32));
  private readonly readTokens = new Float64Array(READS_MAX);
  private readonly readMessages: (Message | null)[] = [];

  /** Something was written that no flush has covered. */
  needsFlush = false;
  private flushState: number = FLUSH.none;
  private flushNumber = 0;

  constructor(options: ClientRepliesOptions) {
    this.slotCount = options.config.clientsMax;
    this.zones = options.zones;
    this.storage = options.storage;
    this.pool = options.pool;
    this.cluster = options.cluster;
    this.algorithm = options.checksumAlgorithm;
    this.listener = options.listener;
    this.faulty = new Uint8Array(this.slotCount);
    for (let i = 0; i < WRITES_MAX; i++) this.writeMessages.push(null);
    for (let i = 0; i < READS_MAX; i++) this.readMessages.push(null);
  }

  // --- Writing ---

  /** Room for one more `write`. Asked before an op is executed. */
  canWrite(): boolean {
    if (this.writeCount < WRITES_MAX) return true;
    probeWriteFull.hits++;
    return false;
  }

  /**
   * Makes `reply` (sealed, at most 4 KiB) the slot's content; takes its own reference and zeroes
   * the message's bytes past its size, which no receiver sees. The slot is not faulty from here on.
   */
  write(slot: number, reply: Message): void {
    assert(slot >= 0 && slot < this.slotCount, 'client replies: slot', slot);
    const size = sizeOf(reply);
    assert(size >= HEADER_SIZE && size <= REPLY_SLOT_SIZE, 'client replies: size', size);
    assert(commandOf(reply) === COMMAND.reply, 'client replies: command', commandOf(reply));
    zeroPadding(reply);
    this.clearFaulty(slot);
    this.needsFlush = true;
    const waiting = this.findWrite(slot, WRITE.waiting);
    if (waiting !== -1) {
      // Keeps the older one's place and number: a flush that waits for it gets the newer content.
      probeCoalesced.hits++;
      (this.writeMessages[waiting] as Message).unref();
      this.writeMessages[waiting] = reply.ref();
      return;
    }
    const i = this.writeStates.indexOf(WRITE.none);
    assert(i !== -1, 'client replies: write without asking canWrite', slot);
    this.writeStates[i] = WRITE.waiting;
    this.writeSlots[i] = slot;
    this.writeNumbers[i] = ++this.lastNumber;
    this.writeMessages[i] = reply.ref();
    this.writeCount++;
    this.startWrites();
  }

  /** One at a time. -> `repliesFlushed`, never from here. */
  flush(): void {
    assert(this.flushState === FLUSH.none, 'client replies: flush while flushing');
    this.flushState = FLUSH.writing;
    this.flushNumber = this.lastNumber;
    this.needsFlush = false;
    this.startSync();
  }

  // --- Reading ---

  /** False: too many reads, nothing follows. True: `replyRead` follows, never from here. */
  read(slot: number, checksum: Region, checksumAt: number, token: number): boolean {
    assert(slot >= 0 && slot < this.slotCount, 'client replies: slot', slot);
    const i = this.readStates.indexOf(READ.none);
    if (i === -1) {
      probeReadBusy.hits++;
      return false;
    }
    this.readSlots[i] = slot;
    copyWords(checksum, checksumAt, this.readChecksums, i * 32, 32);
    this.readTokens[i] = token;
    const writing =
      this.findWrite(slot, WRITE.waiting) !== -1 || this.findWrite(slot, WRITE.inFlight) !== -1;
    if (writing) {
      this.readStates[i] = READ.afterWrite;
      return true;
    }
    this.readStates[i] = READ.disk;
    const message = this.pool.acquire(REPLY_SLOT_SIZE);
    this.readMessages[i] = message;
    const offset = replyOffset(this.zones, slot);
    this.storage.read(offset, slotBytes(message), tokenOf(KIND.read, i));
    return true;
  }

  // --- Faulty slots ---

  isFaulty(slot: number): boolean {
    return this.faulty[slot] === 1;
  }

  /** The slot does not hold what the session table says (after state sync). */
  markFaulty(slot: number): void {
    assert(slot >= 0 && slot < this.slotCount, 'client replies: slot', slot);
    if (this.faulty[slot] === 0) this.faultyCount++;
    this.faulty[slot] = 1;
  }

  /** Nothing is expected of the slot: its session is gone, or its reply has no body. */
  clearFaulty(slot: number): void {
    assert(slot >= 0 && slot < this.slotCount, 'client replies: slot', slot);
    if (this.faulty[slot] === 1) this.faultyCount--;
    this.faulty[slot] = 0;
  }

  /** The first faulty slot at or after `from`, wrapping; -1 when there is none. */
  faultySlot(from: number): number {
    if (this.faultyCount === 0) return -1;
    const after = this.faulty.indexOf(1, from);
    return after !== -1 ? after : this.faulty.indexOf(1);
  }

  /** Before state sync: nothing is expected of any slot. Reads, writes and a flush go on. */
  reset(): void {
    this.faulty.fill(0);
    this.faultyCount = 0;
  }

  // --- Completions ---

  onStorage(token: number, result: StorageResult): void {
    assert(token >>> 24 === COMPONENT, 'client replies: token', token);
    const kind = (token >>> 16) & 0xff;
    const index = token & 0xffff;
    if (kind === KIND.write) this.slotWritten(index, result);
    else if (kind === KIND.read) this.slotRead(index, result);
    else this.synced(result);
    this.startWrites();
    this.startSync();
  }

  private slotWritten(i: number, result: StorageResult): void {
    const slot = this.writeSlots[i] as number;
    if (result !== STORAGE_RESULT.ok) {
      throw new ReplicaFatal(
        'storage-write',
        `Cannot write reply slot ${slot}: result ${result} of storage; check the disk`,
      );
    }
    assert(this.writeStates[i] === WRITE.inFlight, 'client replies: completion', i);
    const message = this.writeMessages[i] as Message;
    this.writeMessages[i] = null;
    this.writeStates[i] = WRITE.none;
    this.writeCount--;
    this.writesInFlight--;
    const waiting = this.findWrite(slot, WRITE.waiting);
    const newer = waiting === -1 ? null : (this.writeMessages[waiting] as Message).ref();
    for (let r = 0; r < READS_MAX; r++) {
      if (this.readStates[r] !== READ.afterWrite || this.readSlots[r] !== slot) continue;
      this.readStates[r] = READ.none;
      let found: Message | null = null;
      if (newer !== null && this.isExpected(newer, r)) found = newer;
      else if (this.isExpected(message, r)) found = message;
      if (found === null) probeStale.hits++;
      else probeFromWrite.hits++;
      this.listener.replyRead(this.readTokens[r] as number, found);
    }
    newer?.unref();
    message.unref();
    if (this.canWrite()) this.listener.repliesWritable();
  }

  private slotRead(i: number, result: StorageResult): void {
    const message = this.readMessages[i] as Message;
    const slot = this.readSlots[i] as number;
    this.readMessages[i] = null;
    this.readStates[i] = READ.none;
    const valid = result === STORAGE_RESULT.ok && this.isReply(message, i);
    if (!valid) {
      if (result !== STORAGE_RESULT.ok) probeReadError.hits++;
      else probeCorrupt.hits++;
      // A write that waits for this very read will make the slot good.
      if (this.findWrite(slot, WRITE.waiting) === -1) this.markFaulty(slot);
    }
    this.listener.replyRead(this.readTokens[i] as number, valid ? message : null);
    message.unref();
  }

  private synced(result: StorageResult): void {
    if (result !== STORAGE_RESULT.ok) {
      throw new ReplicaFatal(
        'storage-sync',
        `Cannot sync replies: result ${result} of storage; check the disk`,
      );
    }
    assert(this.flushState === FLUSH.syncing, 'client replies: sync', this.flushState);
    this.flushState = FLUSH.none;
    this.listener.repliesFlushed();
  }

  // --- Starting I/O ---

  private startWrites(): void {
    let after = 0;
    for (;;) {
      const i = this.nextWaiting(after);
      if (i === -1 || this.writesInFlight === WRITES_IN_FLIGHT_MAX) return;
      after = this.writeNumbers[i] as number;
      const slot = this.writeSlots[i] as number;
      if (this.isReading(slot) || this.findWrite(slot, WRITE.inFlight) !== -1) {
        probeWriteBlocked.hits++;
        continue;
      }
      this.writeStates[i] = WRITE.inFlight;
      this.writesInFlight++;
      const bytes = slotBytes(this.writeMessages[i] as Message);
      this.storage.write(replyOffset(this.zones, slot), bytes, tokenOf(KIND.write, i));
    }
  }

  private startSync(): void {
    if (this.flushState !== FLUSH.writing) return;
    for (let i = 0; i < WRITES_MAX; i++) {
      if (this.writeStates[i] === WRITE.none) continue;
      if ((this.writeNumbers[i] as number) <= this.flushNumber) return;
    }
    this.flushState = FLUSH.syncing;
    this.storage.sync(tokenOf(KIND.sync, 0));
  }

  // --- Computing ---

  /** The oldest waiting write with a number above `after`, or -1. */
  private nextWaiting(after: number): number {
    let found = -1;
    for (let i = 0; i < WRITES_MAX; i++) {
      const number = this.writeNumbers[i] as number;
      if (this.writeStates[i] !== WRITE.waiting || number <= after) continue;
      if (found === -1 || number < (this.writeNumbers[found] as number)) found = i;
    }
    return found;
  }

  private findWrite(slot: number, state: number): number {
    if (this.writeCount === 0) return -1;
    for (let i = 0; i < WRITES_MAX; i++) {
      if (this.writeStates[i] === state && this.writeSlots[i] === slot) return i;
    }
    return -1;
  }

  private isReading(slot: number): boolean {
    for (let i = 0; i < READS_MAX; i++) {
      if (this.readStates[i] === READ.disk && this.readSlots[i] === slot) return true;
    }
    return false;
  }

  private isExpected(message: Message, read: number): boolean {
    return equalWords(message, AT.checksum, this.readChecksums, read * 32, 32);
  }

  private isReply(message: Message, read: number): boolean {
    if (!this.isExpected(message, read) || !headerValid(this.algorithm, message)) return false;
    if (commandOf(message) !== COMMAND.reply) return false;
    if (!equalWords(message, AT.cluster, this.cluster, 0, 16)) return false;
    const size = sizeOf(message);
    if (size < HEADER_SIZE || size > REPLY_SLOT_SIZE) return false;
    if (!bodyValid(this.algorithm, message)) return false;
    for (let i = size; i < REPLY_SLOT_SIZE; i++) if (message.bytes[i] !== 0) return false;
    return true;
  }
}

/** A view is made only for a reply in a larger slot. */
function slotBytes(message: Message): Uint8Array {
  if (message.capacity === REPLY_SLOT_SIZE) return message.bytes;
  return message.bytes.subarray(0, REPLY_SLOT_SIZE);
}
