/**
 * The states of one node and what leads from one to another, as far as the search has asked.
 *
 * Nodes share nothing but messages, so what a step does to a node is a function of the node's state
 * and the step. It is carried out once, by the real code, and remembered: the millions of states of
 * a cluster are combinations of some thousands of states of its nodes.
 *
 * A live node is put into a state by the snapshot of that state or of an ancestor, and the steps in
 * between. Snapshots are many; the least recently used go first.
 */
import { assert } from '../../../core/assert.ts';
import { Snapshot } from '../../snapshot.ts';
import { DigestTable } from './digest_table.ts';
import { type DiskTable } from './disk_table.ts';
import { type ObservationStore } from './observations.ts';
import { type ExploredNode, type NodeFacts } from './steps.ts';
import { TupleTable } from './tuple_table.ts';

const SNAPSHOTS_MAX = 500;
/** A state has a snapshot of its own when it lies this many steps from the last one. */
const SNAPSHOT_STEPS = 4;
const NONE = -1;

/** What a step led to. */
export interface Transition {
  /** State of the node afterwards. */
  readonly to: number;
  /** Numbers of the messages sent, ascending. */
  readonly sent: readonly number[];
  /** Number of the list of observations; 0: none. */
  readonly shown: number;
  /** The error with which the code ended, or null. */
  readonly thrown: string | null;
  /** What the code's own choices were. */
  readonly choices: readonly number[];
}

/** One state: facts, and the step that reached it first. */
export interface LocalState {
  readonly facts: NodeFacts;
  /** In the disk table; 0 for a client. */
  readonly disk: number;
  readonly parent: number;
  readonly step: number;
  readonly choices: readonly number[];
  /** Steps from state 0 on the way by which it was reached first. */
  readonly depth: number;
}

/** A step that the search asked about, and the answer. */
export interface Question {
  readonly state: number;
  readonly step: number;
  readonly transitions: readonly Transition[];
}

export class LocalGraph {
  readonly node: ExploredNode;
  readonly states: LocalState[] = [];
  /** Steps carried out by the real code. */
  executed = 0;
  private readonly observations: ObservationStore;
  private readonly disks: DiskTable;
  private readonly digests = new DigestTable();
  /** (state, step) -> its transitions. */
  private readonly known = new TupleTable(2);
  private readonly outcomes: (readonly Transition[])[] = [];
  private readonly key = new Int32Array(2);
  private readonly snapshots = new Map<number, Snapshot>();
  /** The state that the live node is in. */
  private current = NONE;

  /** The node's present state becomes state 0. */
  constructor(node: ExploredNode, observations: ObservationStore, disks: DiskTable) {
    this.node = node;
    this.observations = observations;
    this.disks = disks;
    this.enter(node.digest(), NONE, 0, []);
  }

  /**
   * Where `step` leads from `state`: one transition for each way in which the code's own choices
   * can fall. Empty when it changes nothing: no message, nothing for a checker, the same state.
   */
  transitions(state: number, step: number): readonly Transition[] {
    this.key[0] = state;
    this.key[1] = step;
    const known = this.known.count;
    const number = this.known.add(this.key);
    if (number === known) this.outcomes.push(this.execute(state, step));
    return this.outcomes[number] as readonly Transition[];
  }

  private execute(state: number, step: number): readonly Transition[] {
    const transitions: Transition[] = [];
    let choices: readonly number[] | null = [];
    while (choices !== null) {
      this.load(state);
      this.leave();
      const done = this.carryOut(step, choices);
      const next = this.node.nextChoices();
      // After an error the node is not asked again.
      const to = done.thrown === null ? this.enter(this.node.digest(), state, step, choices) : state;
      const nothing = to === state && done.sent.length === 0 && done.shown === 0 && done.thrown === null;
      if (!nothing) transitions.push({ to, ...done });
      choices = next;
    }
    return transitions;
  }

  private carryOut(step: number, choices: readonly number[]): Omit<Transition, 'to'> {
    this.executed++;
    const outcome = this.node.perform(step, choices);
    const sent = [...outcome.sent].sort((a, b) => a - b);
    const shown = this.observations.intern(outcome.shown);
    const thrown = outcome.thrown === null ? null : `${outcome.thrown.name}: ${outcome.thrown.message}`;
    return { sent, shown, thrown, choices };
  }

  /** The live node is in the state with this digest: new or known. */
  private enter(digest: Uint32Array, parent: number, step: number, choices: readonly number[]): number {
    const known = this.digests.count;
    const state = this.digests.add(digest);
    if (state !== known) {
      // The live node has the form of `state`, not its own bytes: it is not that state's example.
      return state;
    }
    const facts = this.node.facts();
    const { written, durable } = facts;
    const disk = written === null || durable === null ? 0 : this.disks.intern(written, durable);
    const depth = parent === NONE ? 0 : (this.states[parent] as LocalState).depth + 1;
    this.states.push({ facts, disk, parent, step, choices, depth });
    if (depth % SNAPSHOT_STEPS === 0) this.keep(state);
    this.current = state;
    return state;
  }

  /** Puts the live node into this state. */
  load(state: number): void {
    if (this.current === state) return;
    const path: number[] = [];
    let from = state;
    while (!this.snapshots.has(from)) {
      path.push(from);
      from = (this.states[from] as LocalState).parent;
      assert(from !== NONE, 'local graph: no snapshot of the root');
    }
    const snapshot = this.snapshots.get(from) as Snapshot;
    this.snapshots.delete(from);
    this.snapshots.set(from, snapshot); // Used last.
    snapshot.restore();
    for (let i = path.length - 1; i >= 0; i--) {
      const { step, choices } = this.states[path[i] as number] as LocalState;
      this.executed++;
      this.node.perform(step, choices);
    }
    this.current = state;
    if (path.length >= SNAPSHOT_STEPS) this.keep(state);
  }

  // --- For verification.ts ---

  /** The live node is being moved by hand: it is in no state that the graph knows of. */
  leave(): void {
    this.current = NONE;
  }

  /** What a step does to the live node as it is; -1 for a state that is new, which is not kept. */
  performed(step: number, choices: readonly number[]): Transition {
    const done = this.carryOut(step, choices);
    return { to: this.digests.find(this.node.digest()), ...done };
  }

  /** All that the search asked, and was answered. */
  asked(): readonly Question[] {
    return this.outcomes.map((transitions, i) => ({
      state: this.known.element(i, 0),
      step: this.known.element(i, 1),
      transitions,
    }));
  }

  /** By state: the states to which some step led. */
  following(): readonly (readonly number[])[] {
    const lists: number[][] = this.states.map(() => []);
    for (const { state, transitions } of this.asked()) {
      for (const { to } of transitions) (lists[state] as number[]).push(to);
    }
    return lists;
  }

  private keep(state: number): void {
    this.snapshots.set(state, Snapshot.of(this.node.root));
    if (this.snapshots.size <= SNAPSHOTS_MAX) return;
    for (const oldest of this.snapshots.keys()) {
      if (oldest === 0) {
        const root = this.snapshots.get(0) as Snapshot;
        this.snapshots.delete(0);
        this.snapshots.set(0, root);
        continue;
      }
      this.snapshots.delete(oldest);
      return;
    }
  }
}

