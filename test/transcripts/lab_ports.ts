/**
 * The ports of a hand-driven cluster: time moves when told to, messages and I/O wait until they
 * are let through. Reliable unless the transcript breaks something, so that a story has no noise.
 */
import { allocateAligned, type Message } from '../../core/message/pool.ts';
import {
  STORAGE_RESULT,
  type Clock,
  type Network,
  type Storage,
  type StorageResult,
} from '../../core/ports.ts';
import { micros, type Micros } from '../../core/units.ts';

/** Wall clock at the start: some instant of 2026. */
const WALL_START = 1_795_000_000_000_000;

/** The time that all nodes share. */
export class LabTime {
  now = 1_000_000;
}

export class LabClock implements Clock {
  readonly deadlines = new Map<number, number>();
  private readonly time: LabTime;

  constructor(time: LabTime) {
    this.time = time;
  }

  monotonic(): Micros {
    return micros(this.time.now);
  }

  wall(): Micros {
    return micros(WALL_START + this.time.now);
  }

  arm(timer: number, delay: Micros): void {
    this.deadlines.set(timer, this.time.now + delay);
  }

  disarm(timer: number): void {
    this.deadlines.delete(timer);
  }

  /** The timer due next, ties by number; null when none is armed. */
  next(): { timer: number; at: number } | null {
    let best: { timer: number; at: number } | null = null;
    for (const [timer, at] of this.deadlines) {
      if (best === null || at < best.at || (at === best.at && timer < best.timer)) best = { timer, at };
    }
    return best;
  }
}

export interface Parcel {
  readonly from: string;
  readonly to: number;
  readonly message: Message;
}

/** What one node sends goes to the end of the common queue. */
export class LabNetwork implements Network {
  private readonly name: string;
  private readonly queue: Parcel[];

  constructor(name: string, queue: Parcel[]) {
    this.name = name;
    this.queue = queue;
  }

  send(to: number, message: Message): void {
    this.queue.push({ from: this.name, to, message: message.ref() });
  }
}

interface Operation {
  readonly kind: 'read' | 'write' | 'sync';
  readonly offset: number;
  readonly buffer: Uint8Array;
  readonly token: number;
}

/** A disk that keeps apart what has been written and what has been synced. */
export class LabStorage implements Storage {
  /** What a read sees. */
  readonly image: Uint8Array;
  /** What power loss leaves. */
  readonly durable: Uint8Array;
  /** Oldest first. */
  readonly inFlight: Operation[] = [];
  private unsynced: { offset: number; bytes: Uint8Array }[] = [];
  /** Writes stay in flight while true. */
  held = false;

  constructor(size: number) {
    this.image = new Uint8Array(size);
    this.durable = new Uint8Array(size);
  }

  allocate(size: number): Uint8Array {
    return allocateAligned(Math.ceil(size / 4096) * 4096);
  }

  read(offset: number, buffer: Uint8Array, token: number): void {
    this.inFlight.push({ kind: 'read', offset, buffer, token });
  }

  write(offset: number, buffer: Uint8Array, token: number): void {
    this.inFlight.push({ kind: 'write', offset, buffer, token });
  }

  sync(token: number): void {
    this.inFlight.push({ kind: 'sync', offset: 0, buffer: new Uint8Array(0), token });
  }

  size(): number {
    return this.image.byteLength;
  }

  /** Completes the oldest operation; null when there is none, or writes are held. */
  completeNext(): { token: number; result: StorageResult } | null {
    const operation = this.inFlight[0];
    if (operation === undefined) return null;
    if (this.held && operation.kind !== 'read') return null;
    this.inFlight.shift();
    const { kind, offset, buffer, token } = operation;
    if (kind === 'read') {
      buffer.set(this.image.subarray(offset, offset + buffer.byteLength));
    } else if (kind === 'write') {
      this.image.set(buffer, offset);
      this.unsynced.push({ offset, bytes: buffer.slice() });
    } else {
      for (const { offset: at, bytes } of this.unsynced) this.durable.set(bytes, at);
      this.unsynced = [];
    }
    return { token, result: STORAGE_RESULT.ok };
  }

  /** Writes both images: what formatting left, or rot. */
  put(offset: number, bytes: Uint8Array): void {
    this.image.set(bytes, offset);
    this.durable.set(bytes, offset);
  }

  flipBit(offset: number): void {
    this.put(offset, Uint8Array.of((this.image[offset] as number) ^ 1));
  }

  /** Power loss. `torn`: of each write in flight the first sector reaches the disk. */
  losePower(torn: boolean): void {
    if (torn) {
      for (const { kind, offset, buffer } of this.inFlight) {
        if (kind === 'write') this.durable.set(buffer.subarray(0, 4096), offset);
      }
    }
    this.inFlight.length = 0;
    this.unsynced = [];
    this.image.set(this.durable);
    this.held = false;
  }
}
