/**
 * One message pool a process (one for the whole simulated world): fixed slots in preallocated,
 * sector-aligned memory, a flyweight `Message` a slot, reference counted. Two size classes, so
 * that a queue of small requests does not pin full-size buffers.
 *
 * Rules: `acquire` returns a message with one reference and undefined bytes. Whoever keeps a
 * message calls `ref()`, and `unref()` when done. A message that was sent is never changed again.
 * Exhaustion is a bug, not a condition: sizes are sums of worst cases.
 */
import { assert } from '../assert.ts';
import { type Region } from './region.ts';

export class Message implements Region {
  readonly pool: MessagePool;
  /** Slot number, unique in the pool. */
  readonly index: number;
  readonly bytes: Uint8Array;
  readonly fields: DataView;
  readonly words: Uint32Array;
  references = 0;
  /** The view that `sectors` made last. */
  private sectorsView: Uint8Array;

  constructor(pool: MessagePool, index: number, bytes: Uint8Array) {
    assert(bytes.byteOffset % 4096 === 0, 'message: unaligned slot', bytes.byteOffset);
    this.pool = pool;
    this.index = index;
    this.bytes = bytes;
    this.sectorsView = bytes;
    this.fields = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
  }

  /** Bytes this slot can hold: header and body. */
  get capacity(): number {
    return this.bytes.byteLength;
  }

  /** The whole sectors that hold the first `size` bytes, for I/O; the last view is remembered. */
  sectors(size: number): Uint8Array {
    const length = Math.ceil(size / 4096) * 4096;
    assert(length <= this.bytes.byteLength, 'message: sectors past the slot', size);
    if (this.sectorsView.byteLength !== length) this.sectorsView = this.bytes.subarray(0, length);
    return this.sectorsView;
  }

  ref(): this {
    assert(this.references > 0, 'message: ref of a free message', this.index);
    this.references++;
    if (this.pool.held !== null) this.pool.count(this.index, 1);
    return this;
  }

  unref(): void {
    assert(this.references > 0, 'message: unref of a free message', this.index);
    this.references--;
    if (this.pool.held !== null) this.pool.count(this.index, -1);
    if (this.references === 0) this.pool.release(this);
  }
}

export interface MessagePoolOptions {
  readonly smallCount: number;
  /** Bytes, a multiple of 4096. */
  readonly smallSize: number;
  readonly largeCount: number;
  /** Bytes, a multiple of 4096: `messageSizeMax`. */
  readonly largeSize: number;
  /** Returns zeroed memory aligned to 4096 bytes; the storage port's `allocate`, or plain. */
  readonly allocate: (size: number) => Uint8Array;
}

export class MessagePool {
  readonly smallSize: number;
  readonly largeSize: number;
  readonly messages: Message[] = [];
  /**
   * Simulation only: references by holder, `holder * messages.length + index`. A process that
   * crashes drops nothing by itself, and in a shared pool what it held would be lost for ever.
   */
  held: Int32Array | null = null;
  /** On whose account `acquire`, `ref` and `unref` now run. */
  holder = 0;
  private readonly freeSmall: Message[] = [];
  private readonly freeLarge: Message[] = [];
  private readonly smallCount: number;
  /** Messages below these have been used since the last `reset`, small and large. */
  private smallUsed = 0;
  private largeUsed = 0;

  constructor(options: MessagePoolOptions) {
    this.smallSize = options.smallSize;
    this.largeSize = options.largeSize;
    this.smallCount = options.smallCount;
    assert(options.smallSize % 4096 === 0, 'pool: small size', options.smallSize);
    assert(options.largeSize % 4096 === 0, 'pool: large size', options.largeSize);
    const add = (count: number, size: number): void => {
      if (count === 0) return;
      const memory = options.allocate(count * size);
      for (let i = 0; i < count; i++) {
        const bytes = memory.subarray(i * size, (i + 1) * size);
        const message = new Message(this, this.messages.length, bytes);
        this.messages.push(message);
      }
    };
    add(options.smallCount, options.smallSize);
    add(options.largeCount, options.largeSize);
    this.reset();
  }

  /** All messages free and zero, in their first order: a new run in old memory. */
  reset(): void {
    const { messages, smallCount, held } = this;
    const count = messages.length;
    this.clear(0, this.smallUsed);
    this.clear(smallCount, this.largeUsed);
    if (held !== null) {
      for (let row = 0; row < held.length; row += count) {
        held.fill(0, row, row + this.smallUsed);
        held.fill(0, row + smallCount, row + this.largeUsed);
      }
    }
    this.smallUsed = 0;
    this.largeUsed = smallCount;
    this.holder = 0;
    // Popped from the end: lowest slot first.
    for (let i = 0; i < smallCount; i++) this.freeSmall[i] = messages[smallCount - 1 - i] as Message;
    for (let i = 0; i < count - smallCount; i++) this.freeLarge[i] = messages[count - 1 - i] as Message;
  }

  private clear(first: number, end: number): void {
    for (let i = first; i < end; i++) {
      const message = this.messages[i] as Message;
      message.words.fill(0);
      message.references = 0;
    }
  }

  /** Keeps account of who holds what, for `holders` holders. */
  trackHolders(holders: number): void {
    this.held = new Int32Array(holders * this.messages.length);
  }

  /** One reference more or less for the present holder. */
  count(index: number, by: number): void {
    const held = this.held as Int32Array;
    const at = this.holder * this.messages.length + index;
    const references = (held[at] as number) + by;
    assert(references >= 0, 'pool: unref by one who holds nothing', index, this.holder);
    held[at] = references;
  }

  /** Takes away all references of `holder`: its process is gone. */
  dropHolder(holder: number): void {
    const held = this.held;
    assert(held !== null, 'pool: holders are not tracked');
    const first = holder * this.messages.length;
    for (let i = 0; i < this.messages.length; i++) {
      const references = held[first + i] as number;
      if (references === 0) continue;
      held[first + i] = 0;
      const message = this.messages[i] as Message;
      message.references -= references;
      assert(message.references >= 0, 'pool: holder held more than there is', i, holder);
      if (message.references === 0) this.release(message);
    }
  }

  /** A message that can hold `size` bytes (header included), with one reference. */
  acquire(size: number): Message {
    assert(size >= 256 && size <= this.largeSize, 'pool: message size', size, this.largeSize);
    let message = size <= this.smallSize ? this.freeSmall.pop() : undefined;
    message ??= this.freeLarge.pop();
    assert(message !== undefined, 'pool: exhausted', size);
    assert(message.references === 0, 'pool: free message has references', message.index);
    message.references = 1;
    if (message.index < this.smallCount) this.smallUsed = Math.max(this.smallUsed, message.index + 1);
    else this.largeUsed = Math.max(this.largeUsed, message.index + 1);
    if (this.held !== null) this.count(message.index, 1);
    return message;
  }

  /** How many times `acquire(size)` would succeed now. What arrives from outside asks first. */
  available(size: number): number {
    if (size > this.smallSize) return this.freeLarge.length;
    return this.freeSmall.length + this.freeLarge.length;
  }

  /** Messages that could be acquired now, both classes. */
  get freeCount(): number {
    return this.freeSmall.length + this.freeLarge.length;
  }

  /** Called by `Message.unref`. */
  release(message: Message): void {
    if (message.index < this.smallCount) this.freeSmall.push(message);
    else this.freeLarge.push(message);
  }
}

/** Plain memory for simulation, clients and tests; sector aligned within its own buffer. */
export function allocateAligned(size: number): Uint8Array {
  return new Uint8Array(new ArrayBuffer(size));
}
