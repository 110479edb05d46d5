/**
 * A component of one's own, beside the replica: what it is given, what it answers to, and what is
 * useful in writing one. Published as `kimberlite/component`; the simulator's side of it is
 * `kimberlite/system` (docs/own_systems.md).
 *
 * A component is a state machine: each handler runs to its end, calls ports, and returns. All of its
 * state is in ordinary properties (no `#private`, no closures, no module variables, no promises), so
 * that the simulator can save it and put it back. Time, chance and the outside come by ports alone.
 */
import { type NetworkPorts } from './message/plain_network.ts';
import { type Message } from './message/pool.ts';
import { type Clock, type Rng, type Storage, type StorageResult } from './ports.ts';

/** What a node's process is made with. It is made anew at each start, on the disk as it then is. */
export interface NodePorts extends NetworkPorts {
  /** Which node it is, from 0. */
  readonly replicaIndex: number;
  readonly clock: Clock;
  readonly storage: Storage;
  readonly rng: Rng;
  /** `settings` of the scenario; null when it has none. */
  readonly settings: unknown;
  /** Shows checkers and timelines what no message tells: "elected", the term. `value`: as JSON. */
  report(what: string, value: unknown): void;
}

/** One process of a node. */
export interface NodeProcess {
  /** First of all. Memory is empty; the disk holds what is left of earlier processes. */
  start(): void;
  /** The message is lent for the call: `ref()` it to keep it. */
  onMessage(message: Message): void;
  onTimer(timer: number): void;
  onStorage(token: number, result: StorageResult): void;
}

/** What a caller is made with. */
export interface CallerPorts<Answer> extends NetworkPorts {
  /** From 0. */
  readonly client: number;
  /** Its number among all nodes: `replicaCount + client`. */
  readonly node: number;
  readonly clock: Clock;
  readonly rng: Rng;
  /** `settings` of the scenario; null when it has none. */
  readonly settings: unknown;
  /** The open call is over, with this answer. `answer`: as JSON. */
  answer(answer: Answer): void;
  /** The open call is given up: it may have happened, may yet happen, or never will. */
  abandon(): void;
}

/** Carries out calls, one at a time: what a client library is. */
export interface Caller<Operation> {
  /** Begins one. It ends in `answer` or `abandon`, at once or in a later event. */
  call(operation: Operation): void;
  onMessage(message: Message): void;
  onTimer(timer: number): void;
}

export { assert, ReplicaFatal } from './assert.ts';
export { canaryIs, defineCanary } from './canary.ts';
export { SECTOR_SIZE } from './constants.ts';
export { PlainNetwork, type Letter, type PlainMessage } from './message/plain_network.ts';
export { type Message } from './message/pool.ts';
export { STORAGE_RESULT, type Clock, type Network, type Rng, type Storage } from './ports.ts';
export { type StorageResult } from './ports.ts';
export { defineProbe, type Probe } from './probe.ts';
export { micros, type Micros } from './units.ts';
