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

  constructor(pool: MessagePool, index: number, bytes: Uint8Array) {
    assert(bytes.byteOffset % 4096 === 0, 'message: unaligned slot', bytes.byteOffset);
    this.pool = pool;
    this.index = index;
    this.bytes = bytes;
    this.fields = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
  }

  /** Bytes this slot can hold: header and body. */
  get capacity(): number {
    return this.bytes.byteLength;
  }

  ref(): this {
    assert(this.references > 0, 'message: ref of a free message', this.index);
    this.references++;
    return this;
  }

  unref(): void {
    assert(this.references > 0, 'message: unref of a free message', this.index);
    this.references--;
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
  private readonly freeSmall: Message[] = [];
  private readonly freeLarge: Message[] = [];

  constructor(options: MessagePoolOptions) {
    this.smallSize = options.smallSize;
    this.largeSize = options.largeSize;
    assert(options.smallSize % 4096 === 0, 'pool: small size', options.smallSize);
    assert(options.largeSize % 4096 === 0, 'pool: large size', options.largeSize);
    const add = (count: number, size: number, free: Message[]): void => {
      if (count === 0) return;
      const memory = options.allocate(count * size);
      for (let i = 0; i < count; i++) {
        const bytes = memory.subarray(i * size, (i + 1) * size);
        const message = new Message(this, this.messages.length, bytes);
        this.messages.push(message);
      }
      // Popped from the end: lowest slot first.
      for (let i = 0; i < count; i++) free.push(this.messages[this.messages.length - 1 - i] as Message);
    };
    add(options.smallCount, options.smallSize, this.freeSmall);
    add(options.largeCount, options.largeSize, this.freeLarge);
  }

  /** A message that can hold `size` bytes (header included), with one reference. */
  acquire(size: number): Message {
    assert(size >= 256 && size <= this.largeSize, 'pool: message size', size, this.largeSize);
    let message = size <= this.smallSize ? this.freeSmall.pop() : undefined;
    message ??= this.freeLarge.pop();
    assert(message !== undefined, 'pool: exhausted', size);
    assert(message.references === 0, 'pool: free message has references', message.index);
    message.references = 1;
    return message;
  }

  /** Messages that could be acquired now, both classes. */
  get freeCount(): number {
    return this.freeSmall.length + this.freeLarge.length;
  }

  /** Called by `Message.unref`. */
  release(message: Message): void {
    if (message.capacity === this.smallSize && this.smallSize !== this.largeSize) {
      this.freeSmall.push(message);
    } else {
      this.freeLarge.push(message);
    }
  }
}

/** Plain memory for simulation, clients and tests; sector aligned within its own buffer. */
export function allocateAligned(size: number): Uint8Array {
  return new Uint8Array(new ArrayBuffer(size));
}
