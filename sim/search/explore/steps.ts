/**
 * What can happen to one node next, as one number, and what came of it.
 *
 * `Deliver` carries the number of a message, `Timer` that of a timer, `Crash` what becomes of
 * writes that no sync has covered.
 */
import { type Observation } from './observations.ts';

export const STEP = { deliver: 0, timer: 1, start: 2, crash: 3, io: 4, call: 5 } as const;
const KIND_BITS = 3;

export function stepOf(kind: number, argument = 0): number {
  return (argument << KIND_BITS) | kind;
}

export function kindOf(step: number): number {
  return step & ((1 << KIND_BITS) - 1);
}

export function argumentOf(step: number): number {
  return step >>> KIND_BITS;
}

/** A step that was carried out. The lists are good until the node's next step. */
export interface Outcome {
  /** Messages sent, by number, in order of sending. */
  readonly sent: readonly number[];
  readonly shown: readonly Observation[];
  /** The code threw: the run ends here. */
  readonly thrown: Error | null;
}

/** A node in the search: one live object that is put into one state after another. */
export interface ExploredNode {
  readonly node: number;
  /** What a snapshot of the node covers. */
  readonly root: object;
  perform(step: number, choices: readonly number[]): Outcome;
  /** Choices to try after those that the last `perform` made, or null. */
  nextChoices(): number[] | null;
  /** Four words: equal for states that can do the same from now on. */
  digest(): Uint32Array;
  facts(): NodeFacts;
}

/** What the search and its reader want to know of a node's state, without asking the node again. */
export interface NodeFacts {
  readonly up: boolean;
  /** A replica that is down, or a client that has not begun. */
  readonly mayStart: boolean;
  /** Bit per armed timer. */
  readonly armed: number;
  /** I/O that may complete next. */
  readonly io: boolean;
  /** There are writes that no sync has covered: a crash has two outcomes. */
  readonly unsynced: boolean;
  /** A client that may begin its next operation. */
  readonly mayCall: boolean;
  /** Of a client: operations begun, those of its script that prepare the ground, and the rest. */
  readonly begun: number;
  readonly preparing: number;
  readonly appends: number;
  /** Of a replica: views that it will never be below, and whether it is the primary of the former. */
  readonly viewFloor: number;
  readonly logFloor: number;
  readonly leads: boolean;
  /** Of a running replica: the last op executed. */
  readonly executed: number;
  /** Of a client: replies to requests below this number mean nothing to it; the view it knows. */
  readonly requestFloor: number;
  readonly viewKnown: number;
  /** Of a replica; null of a client. */
  readonly written: Int32Array | null;
  readonly durable: Int32Array | null;
  /** In a few words, for stories and for the classes of the directed order; `role` says less. */
  readonly summary: string;
  readonly role: string;
}
