/**
 * Idempotency ids of committed commands: (tenant, id) -> what the first execution answered. A ring
 * of entries in order of insertion, which is order of commit time, and an open-addressed index over
 * it. An entry is forgotten only from the oldest end and only after the retention; never because
 * room is short. Source: reference "vsr" 11.7.
 *
 * The index is no part of the encoding, and lookups do not depend on its layout, so a table that
 * was decoded behaves as the one that was encoded.
 */
import { assert } from '../assert.ts';
import { copyWords, equalWords, readU64, regionOf, writeU64, type Region } from '../message/region.ts';
import { IDEMPOTENCY_RETENTION_MICROS } from './operations.ts';

/** Byte offsets in an entry. */
export const IDEMPOTENCY = {
  id: 0,
  tenant: 16,
  /** Checksum of the command's body, by the cluster's algorithm. */
  commandHash: 24,
  op: 56,
  value: 64,
  timestampMicros: 72,
  count: 80,
  operation: 84,
  size: 88,
} as const;

const EMPTY = -1;
/** Entries that one command may forget: more than it can add, so expiry keeps up. */
const EXPIRE_MAX = 4;

export class IdempotencyTable {
  readonly capacity: number;
  /** The ring. Grows by doubling up to `capacity` entries, so an unused table costs little. */
  entries: Region;
  private slots: number;
  private first = 0;
  count = 0;
  /** Slot of the ring, or EMPTY; linear probing. Twice as many as slots, a power of two. */
  private index: Int32Array;

  constructor(capacity: number) {
    assert(capacity >= 1, 'idempotency: capacity', capacity);
    this.capacity = capacity;
    this.slots = Math.min(capacity, 64);
    this.entries = regionOf(new Uint8Array(this.slots * IDEMPOTENCY.size));
    this.index = new Int32Array(indexSize(this.slots)).fill(EMPTY);
  }

  /** False: full, and not even the oldest entry may be forgotten. */
  hasRoom(nowMicros: number): boolean {
    return this.count < this.capacity || this.oldestExpired(nowMicros);
  }

  /** Byte offset in `entries` of the entry for the id at (region, at), or -1. */
  find(tenant: number, region: Region, at: number): number {
    const mask = this.index.length - 1;
    let i = hashOf(region, at, tenant) & mask;
    for (let slot = this.index[i] as number; slot !== EMPTY; slot = this.index[i] as number) {
      const entry = slot * IDEMPOTENCY.size;
      if (
        equalWords(this.entries, entry, region, at, 16) &&
        readU64(this.entries, entry + IDEMPOTENCY.tenant) === tenant
      ) {
        return entry;
      }
      i = (i + 1) & mask;
    }
    return -1;
  }

  /**
   * Adds an id that `find` did not find, and forgets a few that are past the retention.
   * Requires: `hasRoom(timestampMicros)`.
   */
  insert(
    tenant: number,
    region: Region,
    at: number,
    hash: Region,
    hashAt: number,
    operation: number,
    op: number,
    value: number,
    count: number,
    timestampMicros: number,
  ): void {
    this.expire(timestampMicros);
    assert(this.count < this.capacity, 'idempotency: insert into a full table', this.count);
    if (this.count === this.slots) this.grow();
    const slot = (this.first + this.count) % this.slots;
    const entry = slot * IDEMPOTENCY.size;
    copyWords(region, at, this.entries, entry + IDEMPOTENCY.id, 16);
    writeU64(this.entries, entry + IDEMPOTENCY.tenant, tenant);
    copyWords(hash, hashAt, this.entries, entry + IDEMPOTENCY.commandHash, 32);
    writeU64(this.entries, entry + IDEMPOTENCY.op, op);
    writeU64(this.entries, entry + IDEMPOTENCY.value, value);
    writeU64(this.entries, entry + IDEMPOTENCY.timestampMicros, timestampMicros);
    this.entries.fields.setUint32(entry + IDEMPOTENCY.count, count, true);
    this.entries.fields.setUint32(entry + IDEMPOTENCY.operation, operation, true);
    this.count++;
    this.addToIndex(slot);
  }

  private oldestExpired(nowMicros: number): boolean {
    if (this.count === 0) return false;
    const at = this.first * IDEMPOTENCY.size + IDEMPOTENCY.timestampMicros;
    return nowMicros - readU64(this.entries, at) >= IDEMPOTENCY_RETENTION_MICROS;
  }

  private expire(nowMicros: number): void {
    for (let n = 0; n < EXPIRE_MAX && this.oldestExpired(nowMicros); n++) {
      this.remove(this.first);
      this.first = (this.first + 1) % this.slots;
      this.count--;
    }
  }

  // --- Encoding: the entries, oldest first ---

  get encodedSize(): number {
    return this.count * IDEMPOTENCY.size;
  }

  encode(target: Region, at: number): number {
    const untilWrap = Math.min(this.count, this.slots - this.first) * IDEMPOTENCY.size;
    const start = this.first * IDEMPOTENCY.size;
    const { bytes } = this.entries;
    target.bytes.set(bytes.subarray(start, start + untilWrap), at);
    target.bytes.set(bytes.subarray(0, this.encodedSize - untilWrap), at + untilWrap);
    return this.encodedSize;
  }

  /** Returns the first broken rule, or null. */
  decode(source: Region, at: number, length: number): string | null {
    this.reset();
    const count = length / IDEMPOTENCY.size;
    if (!Number.isInteger(count) || count > this.capacity) return 'idempotency: size';
    while (this.slots < count) this.grow();
    this.entries.bytes.set(source.bytes.subarray(at, at + length));
    this.count = count;
    for (let slot = 0; slot < count; slot++) this.addToIndex(slot);
    return null;
  }

  reset(): void {
    this.first = 0;
    this.count = 0;
    this.index.fill(EMPTY);
  }

  // --- The index ---

  private grow(): void {
    const slots = Math.min(this.slots * 2, this.capacity);
    assert(slots > this.slots, 'idempotency: grown past its capacity', slots);
    const entries = regionOf(new Uint8Array(slots * IDEMPOTENCY.size));
    this.encode(entries, 0);
    this.entries = entries;
    this.slots = slots;
    this.first = 0;
    this.index = new Int32Array(indexSize(slots)).fill(EMPTY);
    for (let slot = 0; slot < this.count; slot++) this.addToIndex(slot);
  }

  private homeOf(slot: number): number {
    const entry = slot * IDEMPOTENCY.size;
    const tenant = readU64(this.entries, entry + IDEMPOTENCY.tenant);
    return hashOf(this.entries, entry, tenant) & (this.index.length - 1);
  }

  private addToIndex(slot: number): void {
    const mask = this.index.length - 1;
    let i = this.homeOf(slot);
    while (this.index[i] !== EMPTY) i = (i + 1) & mask;
    this.index[i] = slot;
  }

  /** Removes `slot` and moves back those that its place had pushed on, so no tombstone remains. */
  private remove(slot: number): void {
    const mask = this.index.length - 1;
    let hole = this.homeOf(slot);
    while (this.index[hole] !== slot) {
      assert(this.index[hole] !== EMPTY, 'idempotency: not in the index', slot);
      hole = (hole + 1) & mask;
    }
    for (let i = (hole + 1) & mask; this.index[i] !== EMPTY; i = (i + 1) & mask) {
      const home = this.homeOf(this.index[i] as number);
      // It may move to the hole unless its home lies cyclically in (hole, i].
      if (((i - home) & mask) < ((i - hole) & mask)) continue;
      this.index[hole] = this.index[i] as number;
      hole = i;
    }
    this.index[hole] = EMPTY;
  }
}

function indexSize(slots: number): number {
  let size = 128;
  while (size < slots * 2) size *= 2;
  return size;
}

/** Ids are random where clients behave; mixed for where they do not. */
function hashOf(region: Region, at: number, tenant: number): number {
  const w = at >> 2;
  const { words } = region;
  let h = (words[w] as number) ^ Math.imul((words[w + 1] as number) ^ tenant, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 15) ^ (words[w + 2] as number), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13) ^ (words[w + 3] as number), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
