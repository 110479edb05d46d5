/**
 * Sessions of clients: for each, its latest reply (the body too when it is small). *Committed
 * facts only*, updated at execution, in op order, on every replica; part of the checkpoint.
 * Requests in flight are visible through the pipeline alone (the lock-out defect of VRR 4.1;
 * reference "vsr" 11.2).
 *
 * Encoded in slot order. When full, the session whose latest reply has the lowest op
 * is evicted: ops are unique, so all replicas agree.
 */
import { assert } from '../assert.ts';
import { HEADER_SIZE } from '../constants.ts';
import { AT, opOf, requestOf, sizeOf } from '../message/header.ts';
import {
  copyWords,
  equalWords,
  isZeroWords,
  readU64,
  regionOf,
  writeU64,
  zeroWords,
  type Region,
} from '../message/region.ts';

/**
 * Replies with bodies up to this many bytes live whole in the table: results of appends do, so
 * that the reply zone is written only for the rare larger ones.
 */
export const INLINE_BODY_MAX = 64;

/** client 16, session u64, reserved 8, header of the latest reply 256, its body if it fits 64. */
const ENTRY_SIZE = 32 + HEADER_SIZE + INLINE_BODY_MAX;
const ENTRY = { client: 0, session: 16, reply: 32 } as const;

export class ClientSessions {
  readonly capacity: number;
  /** `capacity` entries, free ones all zero; the first `encodedSize` bytes are its encoding. */
  readonly table: Region;
  count = 0;
  /** Open addressing over slots by client id: a cache of `table`, never encoded. -1 is empty. */
  private readonly lookup: Int32Array;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.table = regionOf(new Uint8Array(capacity * ENTRY_SIZE));
    let size = 16;
    while (size < capacity * 2) size *= 2;
    this.lookup = new Int32Array(size).fill(-1);
  }

  /** Entries up to the last one taken: a checkpoint should not pay for sessions that never were. */
  get encodedSize(): number {
    let end = this.capacity;
    while (end > 0 && !this.occupied(end - 1)) end--;
    return end * ENTRY_SIZE;
  }

  /** Slot of the client's session, or -1. */
  find(client: Region, at: number): number {
    const mask = this.lookup.length - 1;
    for (let i = hashClient(client, at) & mask; ; i = (i + 1) & mask) {
      const slot = this.lookup[i] as number;
      if (slot === -1) return -1;
      if (equalWords(this.table, slot * ENTRY_SIZE + ENTRY.client, client, at, 16)) return slot;
    }
  }

  sessionAt(slot: number): number {
    return readU64(this.table, slot * ENTRY_SIZE + ENTRY.session);
  }

  /** Offset in `table` of the latest reply's header. */
  replyHeaderAt(slot: number): number {
    return slot * ENTRY_SIZE + ENTRY.reply;
  }

  requestAt(slot: number): number {
    return requestOf(this.table, this.replyHeaderAt(slot));
  }

  /**
   * Register executed at `op`: a new session numbered `op`; evicts when full. Returns its slot.
   * A client that registers again gets a new session in its old slot.
   */
  register(client: Region, clientAt: number, op: number): number {
    let slot = this.find(client, clientAt);
    if (slot === -1) {
      if (this.count === this.capacity) this.evict(this.oldest());
      slot = this.lowestFree();
      this.count++;
      copyWords(client, clientAt, this.table, slot * ENTRY_SIZE + ENTRY.client, 16);
      this.insertLookup(slot);
    }
    writeU64(this.table, slot * ENTRY_SIZE + ENTRY.session, op);
    zeroWords(this.table, this.replyHeaderAt(slot), HEADER_SIZE + INLINE_BODY_MAX);
    return slot;
  }

  /** Remembers the reply as the session's latest: its header, and its body if that fits. */
  remember(slot: number, reply: Region): void {
    const at = this.replyHeaderAt(slot);
    assert(equalWords(this.table, slot * ENTRY_SIZE, reply, AT.client, 16), 'sessions: client', slot);
    copyWords(reply, 0, this.table, at, HEADER_SIZE);
    zeroWords(this.table, at + HEADER_SIZE, INLINE_BODY_MAX);
    if (!this.isInline(slot)) return;
    const size = sizeOf(reply);
    for (let i = HEADER_SIZE; i < size; i++) this.table.bytes[at + i] = reply.bytes[i] as number;
  }

  /** True when the latest reply can be rebuilt from the table alone. */
  isInline(slot: number): boolean {
    return sizeOf(this.table, this.replyHeaderAt(slot)) <= HEADER_SIZE + INLINE_BODY_MAX;
  }

  reset(): void {
    this.table.bytes.fill(0);
    this.lookup.fill(-1);
    this.count = 0;
  }

  /** From a checkpoint's trailer. */
  decode(encoded: Region, at: number, length: number): void {
    const fits = length % ENTRY_SIZE === 0 && length <= this.capacity * ENTRY_SIZE;
    assert(fits, 'sessions: encoded size', length);
    this.reset();
    copyWords(encoded, at, this.table, 0, length);
    for (let slot = 0; slot < this.capacity; slot++) {
      if (!this.occupied(slot)) continue;
      this.count++;
      this.insertLookup(slot);
    }
  }

  occupied(slot: number): boolean {
    return !isZeroWords(this.table, slot * ENTRY_SIZE + ENTRY.client, 16);
  }

  private oldest(): number {
    let oldest = -1;
    let oldestOp = Number.POSITIVE_INFINITY;
    for (let slot = 0; slot < this.capacity; slot++) {
      if (!this.occupied(slot)) continue;
      const op = opOf(this.table, this.replyHeaderAt(slot));
      if (op < oldestOp) {
        oldestOp = op;
        oldest = slot;
      }
    }
    assert(oldest !== -1, 'sessions: nothing to evict');
    return oldest;
  }

  private evict(slot: number): void {
    zeroWords(this.table, slot * ENTRY_SIZE, ENTRY_SIZE);
    this.count--;
    // Rebuilding is O(capacity), and only a register into a full table gets here.
    this.lookup.fill(-1);
    for (let s = 0; s < this.capacity; s++) if (this.occupied(s)) this.insertLookup(s);
  }

  private lowestFree(): number {
    for (let slot = 0; slot < this.capacity; slot++) if (!this.occupied(slot)) return slot;
    assert(false, 'sessions: no free slot');
    return -1;
  }

  private insertLookup(slot: number): void {
    const mask = this.lookup.length - 1;
    let i = hashClient(this.table, slot * ENTRY_SIZE + ENTRY.client) & mask;
    while (this.lookup[i] !== -1) i = (i + 1) & mask;
    this.lookup[i] = slot;
  }
}

function hashClient(region: Region, at: number): number {
  const w = at >> 2;
  let h = region.words[w] as number;
  h = Math.imul(h ^ (region.words[w + 1] as number), 0x9e3779b1);
  h = Math.imul(h ^ (region.words[w + 2] as number) ^ (h >>> 15), 0x85ebca77);
  h = Math.imul(h ^ (region.words[w + 3] as number) ^ (h >>> 13), 0xc2b2ae3d);
  return (h ^ (h >>> 16)) >>> 0;
}
