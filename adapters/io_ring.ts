/**
 * The two shared rings between the event loop and the I/O threads.
 *
 * Submissions: one producer (the event loop), many consumers (threads take an entry by moving
 * `head` with compare-and-exchange). Completions: many producers (a thread reserves a place with
 * `completionTail`, fills it, then marks it with its sequence number), one consumer. Both have
 * `RING_ENTRIES` places and the event loop never has more operations than that in flight, so
 * neither can overflow. Indices are u32 that wrap.
 */
import { type SharedMemory } from './shared_memory.ts';

export const RING_ENTRIES = 1024;
const MASK = RING_ENTRIES - 1;

export const IO_OPERATION = { read: 0, write: 1, sync: 2, exit: 3 } as const;

/** Places in `control`, a cache line each. */
export const CONTROL = {
  head: 0,
  tail: 16,
  completionTail: 32,
  /** 1 when the event loop has been told and has not drained yet. */
  signalled: 48,
} as const;

export interface IoRing {
  readonly control: Int32Array;
  /** Four a submission: operation, slot, length, unused. */
  readonly submissions: Int32Array;
  /** Two a submission: address in the shared memory, offset in the file. */
  readonly places: Float64Array;
  /** Four a completion: sequence + 1, slot, result, unused. */
  readonly completions: Int32Array;
}

export interface IoThreadData {
  readonly fd: number;
  readonly ring: IoRing;
  readonly memory: SharedMemory;
}

/** What a thread tells the event loop besides completions. */
export interface IoNotice {
  readonly operation: string;
  readonly offset: number;
  readonly length: number;
  readonly error: string;
}

export function createIoRing(): IoRing {
  const control = new Int32Array(new SharedArrayBuffer(64 * 4));
  const submissions = new Int32Array(new SharedArrayBuffer(RING_ENTRIES * 16));
  const places = new Float64Array(new SharedArrayBuffer(RING_ENTRIES * 16));
  const completions = new Int32Array(new SharedArrayBuffer(RING_ENTRIES * 16));
  return { control, submissions, places, completions };
}

/** Event loop: fills the entry at `tail`; threads see it once `tail` is published. */
export function putSubmission(
  ring: IoRing,
  tail: number,
  operation: number,
  slot: number,
  address: number,
  length: number,
  offset: number,
): void {
  const place = (tail & MASK) * 4;
  ring.submissions[place] = operation;
  ring.submissions[place + 1] = slot;
  ring.submissions[place + 2] = length;
  const wide = (tail & MASK) * 2;
  ring.places[wide] = address;
  ring.places[wide + 1] = offset;
}

/** One taken submission; a thread has one, refilled by `takeSubmission`. */
export interface Submission {
  operation: number;
  slot: number;
  length: number;
  address: number;
  offset: number;
}

/** Thread: false when there is nothing to take. */
export function takeSubmission(ring: IoRing, into: Submission): boolean {
  for (;;) {
    const head = Atomics.load(ring.control, CONTROL.head);
    if (head === Atomics.load(ring.control, CONTROL.tail)) return false;
    // Read first, then claim: when the claim fails another thread has it, and what was read here
    // may be torn by the next submission and is thrown away.
    const place = (head & MASK) * 4;
    into.operation = ring.submissions[place] as number;
    into.slot = ring.submissions[place + 1] as number;
    into.length = ring.submissions[place + 2] as number;
    const wide = (head & MASK) * 2;
    into.address = ring.places[wide] as number;
    into.offset = ring.places[wide + 1] as number;
    const claimed = Atomics.compareExchange(ring.control, CONTROL.head, head, (head + 1) | 0);
    if (claimed === head) return true;
  }
}

/** Thread: hands a result to the event loop, which still has to be signalled. */
export function putCompletion(ring: IoRing, submission: Submission, result: number): void {
  const sequence = Atomics.add(ring.control, CONTROL.completionTail, 1);
  const place = (sequence & MASK) * 4;
  ring.completions[place + 1] = submission.slot;
  ring.completions[place + 2] = result;
  Atomics.store(ring.completions, place, (sequence + 1) | 0);
}

/** Event loop: place of the completion with this sequence number, or -1 when it is not there yet. */
export function completionAt(ring: IoRing, sequence: number): number {
  const place = (sequence & MASK) * 4;
  return Atomics.load(ring.completions, place) === ((sequence + 1) | 0) ? place : -1;
}
