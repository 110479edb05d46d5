/**
 * The four ports. The simulator is one set, production another; no line of `core/` knows which.
 *
 * Every call returns at once and never completes inside the caller's stack. Completions carry
 * data, not closures: the caller passes a token (a small integer it owns) and is called back with
 * it. That is what lets the simulated cluster be snapshotted and restored.
 */
import { type Message } from './message/pool.ts';
import { type Micros } from './units.ts';

/** Integer microseconds. Monotonic clocks of two machines are not comparable. */
export interface Clock {
  /** Never goes back within one process. */
  monotonic(): Micros;
  /** Wall clock, since the Unix epoch; may jump both ways. */
  wall(): Micros;
  /**
   * Fires `onTimer(timer)` once, `delay` from now at the earliest. Arming an armed timer replaces
   * its deadline. `timer` is a small integer owned by the caller.
   */
  arm(timer: number, delay: Micros): void;
  disarm(timer: number): void;
}

/** `to` for messages to a client: the adapter finds the client by the header's `client` field. */
export const TO_CLIENT = 255;

export interface Network {
  /**
   * Best effort: may lose, delay, duplicate, reorder or corrupt. `to` is a replica index or
   * `TO_CLIENT`. The network takes its own reference to `message` and drops it when done; nobody
   * may change the message's bytes from here on. Never delivers to the sender itself.
   */
  send(to: number, message: Message): void;
}

export const STORAGE_RESULT = { ok: 0, corruptRead: 1, ioError: 2, noSpace: 3 } as const;
export type StorageResult = (typeof STORAGE_RESULT)[keyof typeof STORAGE_RESULT];

export const SECTOR_SIZE = 4096;

/**
 * One data file of 4096-byte sectors. Offsets and lengths are whole sectors. Completion is
 * `onStorage(token, result)`, possibly out of order. Errors are values.
 *
 * Durability: a write is durable only after a `sync` that was *started after the write completed*
 * has completed with `ok`. A crash may lose or tear (per sector) any write that is not durable.
 * Two operations in flight must not overlap when one of them is a write (callers' duty, asserted).
 * A failed sync is fatal for the process: what it covered is unknown for ever.
 */
export interface Storage {
  /**
   * A buffer from which and into which I/O may be done: sector aligned in memory, zero filled,
   * owned by the caller for life. Called at start-up only. `size` is rounded up to whole sectors.
   */
  allocate(size: number): Uint8Array;
  /** Fills `buffer` (from `allocate`, or a message's bytes; or a sector-aligned subarray of such). */
  read(offset: number, buffer: Uint8Array, token: number): void;
  /** The caller leaves `buffer` unchanged until completion. */
  write(offset: number, buffer: Uint8Array, token: number): void;
  sync(token: number): void;
  /** Bytes in the file, fixed at format. */
  size(): number;
}

/** Deterministic stream. Forked by label, so a new draw in one component moves no other's. */
export interface Rng {
  /** Uniform in 0..2^32-1. */
  u32(): number;
  /** Uniform in 0..bound-1; `bound` in 1..2^32. */
  below(bound: number): number;
  fork(label: string): Rng;
}
