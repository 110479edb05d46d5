/**
 * The primary's prepares in flight with their acks, the requests that wait for a place, and (in
 * every role) a cache of recent prepares by op.
 *
 * An entry stays in the pipeline until its op has been *executed*: until then a client's retry
 * must find its request here, for the session table knows committed facts only.
 */
import { assert } from '../assert.ts';
import { AT, opOf } from '../message/header.ts';
import { type Message } from '../message/pool.ts';
import { equalWords, type Region } from '../message/region.ts';

export class Pipeline {
  readonly capacity: number;
  /** By `op % capacity`. */
  private readonly prepares: (Message | null)[];
  /** Bit per replica that holds the prepare durably, in this view. */
  private readonly acks: Uint16Array;
  private readonly quorum: Uint8Array;
  /** Op of the oldest entry; meaningless when `count` is 0. */
  opFirst = 0;
  count = 0;
  private readonly requests: (Message | null)[];
  private requestHead = 0;
  requestCount = 0;

  constructor(capacity: number, requestCapacity: number) {
    this.capacity = capacity;
    this.prepares = Array.from({ length: capacity }, () => null);
    this.acks = new Uint16Array(capacity);
    this.quorum = new Uint8Array(capacity);
    this.requests = Array.from({ length: requestCapacity }, () => null);
  }

  get full(): boolean {
    return this.count === this.capacity;
  }

  get opLast(): number {
    return this.opFirst + this.count - 1;
  }

  /** Takes its own reference. Ops are pushed in sequence, with no acks. */
  push(prepare: Message): void {
    assert(this.count < this.capacity, 'pipeline: full', this.count);
    const op = opOf(prepare);
    if (this.count === 0) this.opFirst = op;
    assert(op === this.opFirst + this.count, 'pipeline: out of sequence', op, this.opFirst);
    const i = op % this.capacity;
    assert(this.prepares[i] === null, 'pipeline: place taken', op);
    this.prepares[i] = prepare.ref();
    this.acks[i] = 0;
    this.quorum[i] = 0;
    this.count++;
  }

  /** The entry at `op`, or null. */
  at(op: number): Message | null {
    if (this.count === 0 || op < this.opFirst || op > this.opLast) return null;
    return this.prepares[op % this.capacity] ?? null;
  }

  /** The entry at `op` when it has exactly this checksum, or null. */
  find(op: number, checksum: Region, at: number): Message | null {
    const prepare = this.at(op);
    if (prepare === null) return null;
    return equalWords(prepare, AT.checksum, checksum, at, 32) ? prepare : null;
  }

  hasAck(op: number, replica: number): boolean {
    return ((this.acks[op % this.capacity] as number) & (1 << replica)) !== 0;
  }

  /** Returns the number of acks that the entry now has. */
  addAck(op: number, replica: number): number {
    const i = op % this.capacity;
    this.acks[i] = (this.acks[i] as number) | (1 << replica);
    return bitCount(this.acks[i] as number);
  }

  quorumReceived(op: number): boolean {
    return this.quorum[op % this.capacity] === 1;
  }

  setQuorumReceived(op: number): void {
    assert(this.quorum[op % this.capacity] === 0, 'pipeline: second quorum', op);
    this.quorum[op % this.capacity] = 1;
  }

  /** The oldest entry without a quorum, or -1. */
  oldestWaiting(): number {
    for (let i = 0; i < this.count; i++) {
      const op = this.opFirst + i;
      if (this.quorum[op % this.capacity] === 0) return op;
    }
    return -1;
  }

  /** Drops the oldest entry once it is executed. */
  pop(op: number): void {
    assert(this.count > 0 && this.opFirst === op, 'pipeline: pop', op, this.opFirst);
    const i = op % this.capacity;
    (this.prepares[i] as Message).unref();
    this.prepares[i] = null;
    this.opFirst++;
    this.count--;
  }

  /** True when a prepare or a waiting request of this client is here. */
  hasClient(client: Region, at: number): boolean {
    const word = client.words[at >> 2];
    for (let i = 0; i < this.count; i++) {
      const prepare = this.prepares[(this.opFirst + i) % this.capacity] as Message;
      // Ids are random: the first word tells nearly all of them apart.
      if (prepare.words[AT.client >> 2] !== word) continue;
      if (equalWords(prepare, AT.client, client, at, 16)) return true;
    }
    for (let i = 0; i < this.requestCount; i++) {
      const request = this.requests[(this.requestHead + i) % this.requests.length] as Message;
      if (equalWords(request, AT.client, client, at, 16)) return true;
    }
    return false;
  }

  get requestsFull(): boolean {
    return this.requestCount === this.requests.length;
  }

  /** Takes its own reference. */
  pushRequest(request: Message): void {
    assert(this.requestCount < this.requests.length, 'pipeline: request queue full');
    this.requests[(this.requestHead + this.requestCount) % this.requests.length] = request.ref();
    this.requestCount++;
  }

  /** The oldest waiting request; its reference passes to the caller. */
  shiftRequest(): Message | null {
    if (this.requestCount === 0) return null;
    const request = this.requests[this.requestHead] as Message;
    this.requests[this.requestHead] = null;
    this.requestHead = (this.requestHead + 1) % this.requests.length;
    this.requestCount--;
    return request;
  }

  /** Leaving a view: acks and waiting requests are forgotten (their clients retry). */
  clear(): void {
    while (this.count > 0) this.pop(this.opFirst);
    for (let r = this.shiftRequest(); r !== null; r = this.shiftRequest()) r.unref();
  }
}

/** Recent prepares by op, in every role: what commit, resend and repair look at before the disk. */
export class PrepareCache {
  private readonly slots: (Message | null)[];

  constructor(capacity: number) {
    this.slots = Array.from({ length: capacity }, () => null);
  }

  put(prepare: Message): void {
    const i = opOf(prepare) % this.slots.length;
    const old = this.slots[i] as Message | null;
    if (old === prepare) return;
    this.slots[i] = prepare.ref();
    if (old !== null) old.unref();
  }

  find(op: number, checksum: Region, at: number): Message | null {
    const prepare = this.slots[op % this.slots.length] as Message | null;
    if (prepare === null) return null;
    return equalWords(prepare, AT.checksum, checksum, at, 32) ? prepare : null;
  }

  clear(): void {
    for (let i = 0; i < this.slots.length; i++) {
      this.slots[i]?.unref();
      this.slots[i] = null;
    }
  }
}

/**
 * A backup's prepares that came before it may hold them: its own checkpoint is not durable yet, and
 * the primary's is. Kept as if they were still on their way, oldest first.
 */
export class EarlyPrepares {
  private readonly capacity: number;
  private readonly prepares: Message[] = [];

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  /** False when there is no room: it is lost, as on a network. */
  keep(prepare: Message): boolean {
    if (this.prepares.length === this.capacity) return false;
    this.prepares.push(prepare.ref());
    return true;
  }

  get count(): number {
    return this.prepares.length;
  }

  /** Requires: there is one. Its reference passes to the caller. */
  shift(): Message {
    const prepare = this.prepares.shift();
    assert(prepare !== undefined, 'early prepares: none');
    return prepare;
  }

  clear(): void {
    for (const prepare of this.prepares) prepare.unref();
    this.prepares.length = 0;
  }
}

export function bitCount(mask: number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++;
  return count;
}
