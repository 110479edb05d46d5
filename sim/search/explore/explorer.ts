/**
 * Exhaustive search of a small cluster of real replicas: every order of deliveries, every loss,
 * every crash and every timeout within the bounds.
 *
 * A state is a state of each node, of the checkers, what the bounds still allow, and the multiset
 * of messages in flight. A step is one node's: it takes a message out of the network or fires a
 * timer, moves the node and perhaps the checkers, and puts messages in. What a step does to a node
 * is looked up in the node's graph (local_graph.ts), where the real code has carried it out once.
 *
 * What is not explored because it leads nowhere new: a step that changes nothing (the state with
 * the message still in flight can do all that the state without it can); the loss of a message (it
 * may stay in flight for ever, which is the same); a message to a node that is down (it is lost).
 */
import { assert } from '../../../core/assert.ts';
import { armCanary, type CanaryId } from '../../../core/canary.ts';
import { checksumInto } from '../../../core/checksum.ts';
import { CHECKSUM_ALGORITHM } from '../../../core/constants.ts';
import { regionOf, type Region } from '../../../core/message/region.ts';
import { CheckerGraph, ExploredChecks, type Finding } from './checker_graph.ts';
import { isDead, type DeadRule } from './dead_messages.ts';
import { DiskTable } from './disk_table.ts';
import { type ExploreBounds, type SearchOrder } from './explore_bounds.ts';
import { Approach, newCluster, type ExploredCluster, type NodeStep } from './explored_cluster.ts';
import { UNSYNCED } from './explored_disk.ts';
import { Frontier } from './frontier.ts';
import { LocalGraph, type LocalState, type Transition } from './local_graph.ts';
import { nameOf } from './node_names.ts';
import { ObservationStore } from './observations.ts';
import { SearchTree, type Branch } from './search_tree.ts';
import { StateClasses } from './state_classes.ts';
import { STEP, argumentOf, kindOf, stepOf, type NodeFacts } from './steps.ts';

const VECTOR_MAX = 1 << 12;
const NONE = -1;
const NO_CLASSES: readonly number[] = [];

export interface ExplorerOptions {
  readonly bounds: ExploreBounds;
  readonly order: SearchOrder;
  /** Armed for this process: one search at a time. */
  readonly canary: CanaryId;
  /** Clients with equal scripts begin in their order: the other orders differ in names alone. */
  readonly symmetry: boolean;
  /** Distinct states after which the search ends. */
  readonly statesMax: number;
  /** Which messages are taken out of the network; left out: those that are dead. */
  readonly isDead?: DeadRule;
}

/** Why a search is over. */
export type ExploreEnd = 'running' | 'exhausted' | 'found' | 'states' | 'depth';

export interface ExploreCounts {
  /** Distinct states, the first included. */
  readonly states: number;
  /** Steps taken from states, to states old and new. */
  readonly transitions: number;
  /** States that were expanded, and that wait to be. */
  readonly expanded: number;
  readonly frontier: number;
  /** Longest run, in steps from the beginning of the search. */
  readonly depth: number;
  /** Distinct states of replicas and clients, of checkers, and distinct messages. */
  readonly nodeStates: number;
  readonly checkerStates: number;
  readonly messages: number;
  /** Steps that the real code carried out. */
  readonly executed: number;
}

/** A step on the way to a finding, with what the code's own choices were. */
export interface PathStep extends NodeStep {
  readonly choices: readonly number[];
  /** A delivery that leaves the message in flight. */
  readonly keeps: boolean;
}

export class Explorer {
  readonly cluster: ExploredCluster;
  readonly bounds: ExploreBounds;
  /** By node. */
  readonly graphs: LocalGraph[] = [];
  end: ExploreEnd = 'running';
  finding: Finding | null = null;
  /**
   * All steps to the finding, from before the first process started. While there is none: the steps
   * before the search begins.
   */
  path: readonly PathStep[] = [];

  private readonly options: ExplorerOptions;
  private readonly disks = new DiskTable();
  private readonly observations = new ObservationStore();
  private readonly checkers: CheckerGraph;
  private readonly tree = new SearchTree();
  private readonly frontier: Frontier;
  private readonly classes: StateClasses;

  /** The state being expanded, and the one that a step makes of it. */
  private readonly vector = new Int32Array(VECTOR_MAX);
  private length = 0;
  private readonly next: Region = regionOf(new Uint8Array(VECTOR_MAX * 4));
  private readonly nextVector = new Int32Array(this.next.words.buffer);
  private nextLength = 0;
  private readonly digest: Region = regionOf(new Uint8Array(32));
  private readonly diskKey: Int32Array;

  // Places in a vector: first a state of each node, then these, then messages, ascending.
  private readonly nodeCount: number;
  private readonly checkerAt: number;
  private readonly crashesAt: number;
  private readonly timeoutsAt: number;
  private readonly duplicatesAt: number;
  /** The state's number rides along in the frontier; it is not part of the state. */
  private readonly selfAt: number;
  private readonly header: number;

  /** Number of the state being expanded. */
  private now = NONE;
  private transitions = 0;
  private expanded = 0;
  private cutByDepth = false;

  constructor(options: ExplorerOptions) {
    this.options = options;
    this.bounds = options.bounds;
    armCanary(options.canary);
    const cluster = newCluster(options.bounds);
    this.cluster = cluster;
    const { replicaCount, nodes } = cluster;
    this.nodeCount = nodes.length;
    this.checkerAt = nodes.length;
    this.crashesAt = nodes.length + 1;
    this.timeoutsAt = nodes.length + 2;
    this.duplicatesAt = nodes.length + 3;
    this.selfAt = nodes.length + 4;
    this.header = nodes.length + 5;
    this.diskKey = new Int32Array(replicaCount);
    for (const node of nodes) this.graphs.push(new LocalGraph(node, this.observations, this.disks));
    const checks = new ExploredChecks(cluster);
    this.checkers = new CheckerGraph(checks, this.observations, this.disks, replicaCount);
    this.frontier = new Frontier(options.order);
    this.classes = new StateClasses(nodes.length, replicaCount);
    this.begin();
  }

  // --- The way to the beginning ---

  private begin(): void {
    const { bounds, vector } = this;
    vector[this.crashesAt] = bounds.crashes;
    vector[this.timeoutsAt] = bounds.timeouts;
    vector[this.duplicatesAt] = bounds.duplicates;
    this.length = this.header;
    const approach = new Approach(this.cluster);
    const flying: number[] = [];
    const path: PathStep[] = [];
    this.path = path;
    for (;;) {
      const next = approach.next(flying, (node) => this.factsOf(node, vector).io);
      if (next === null) break;
      const { node, step } = next;
      const [transition] = this.graph(node).transitions(vector[node] as number, step);
      if (kindOf(step) === STEP.deliver) flying.splice(flying.indexOf(argumentOf(step)), 1);
      // What changes nothing is lost, and the search begins without it.
      const { to, sent, ...rest } = transition ?? { ...NOTHING, to: vector[node] as number };
      if (transition !== undefined) path.push({ node, step, choices: transition.choices, keeps: false });
      flying.push(...sent);
      if (!this.make(node, step, { to, sent, ...rest }, false)) return;
      this.length = this.nextLength;
      vector.set(this.nextVector.subarray(0, this.length));
      vector[this.timeoutsAt] = bounds.timeouts;
    }
    this.keep(null);
  }

  // --- The search ---

  /** Expands up to `count` states; false once the search is over. */
  run(count: number): boolean {
    for (let i = 0; i < count && this.end === 'running'; i++) {
      if (this.frontier.count === 0) {
        this.end = this.cutByDepth ? 'depth' : 'exhausted';
      } else {
        this.expand();
        if (this.end === 'running' && this.tree.count >= this.options.statesMax) this.end = 'states';
      }
    }
    return this.end === 'running';
  }

  private expand(): void {
    this.length = this.frontier.pop(this.vector);
    this.now = this.vector[this.selfAt] as number;
    this.expanded++;
    if (this.tree.depthOf(this.now) >= this.bounds.depth) {
      this.cutByDepth = true;
      return;
    }
    for (let node = 0; node < this.nodeCount && this.end === 'running'; node++) this.expandNode(node);
  }

  private expandNode(node: number): void {
    const { vector } = this;
    const facts = this.factsOf(node, vector);
    if (!facts.up) return this.tryStep(node, stepOf(STEP.start));
    let before = NONE;
    for (let i = this.header; i < this.length; i++) {
      const message = vector[i] as number;
      if (message === before || this.cluster.messages.to(message) !== node) continue;
      before = message;
      this.tryStep(node, stepOf(STEP.deliver, message));
    }
    if (facts.io) this.tryStep(node, stepOf(STEP.io));
    if (facts.mayCall && this.mayCall(node)) this.tryStep(node, stepOf(STEP.call));
    if ((vector[this.timeoutsAt] as number) > 0) {
      for (let timer = 0; facts.armed >>> timer !== 0; timer++) {
        if ((facts.armed & (1 << timer)) !== 0) this.tryStep(node, stepOf(STEP.timer, timer));
      }
    }
    if (node < this.cluster.replicaCount && (vector[this.crashesAt] as number) > 0) {
      this.tryStep(node, stepOf(STEP.crash, UNSYNCED.lost));
      if (facts.unsynced) this.tryStep(node, stepOf(STEP.crash, UNSYNCED.kept));
    }
  }

  /** Client symmetry: of clients that have the same to do, the lower one begins first. */
  private mayCall(node: number): boolean {
    if (!this.options.symmetry || node === this.cluster.replicaCount) return true;
    const before = this.factsOf(node - 1, this.vector);
    const own = this.factsOf(node, this.vector);
    const beginsFirst = own.begun === own.preparing && before.begun === before.preparing;
    return !beginsFirst || own.appends !== before.appends;
  }

  private tryStep(node: number, step: number): void {
    if (this.end !== 'running') return;
    const transitions = this.graph(node).transitions(this.vector[node] as number, step);
    const mayRepeat = kindOf(step) === STEP.deliver && (this.vector[this.duplicatesAt] as number) > 0;
    for (let outcome = 0; outcome < transitions.length; outcome++) {
      this.tryBranch({ node, step, outcome, keeps: false }, transitions);
      if (mayRepeat) this.tryBranch({ node, step, outcome, keeps: true }, transitions);
    }
  }

  private tryBranch(branch: Branch, transitions: readonly Transition[]): void {
    if (this.end !== 'running') return;
    const { node, step, outcome, keeps } = branch;
    const transition = transitions[outcome] as Transition;
    this.transitions++;
    if (!this.make(node, step, transition, keeps)) {
      this.path = [...this.pathTo(this.now), { node, step, choices: transition.choices, keeps }];
      return;
    }
    if (!this.isNothingNew()) this.keep(branch);
  }

  /** Makes the state after a transition; false when it is a finding. */
  private make(node: number, step: number, transition: Transition, keeps: boolean): boolean {
    const { vector, nextVector: next, header } = this;
    for (let i = 0; i < header; i++) next[i] = vector[i] as number;
    next[node] = transition.to;
    const kind = kindOf(step);
    if (kind === STEP.timer) next[this.timeoutsAt] = (next[this.timeoutsAt] as number) - 1;
    else if (kind === STEP.crash) next[this.crashesAt] = (next[this.crashesAt] as number) - 1;
    if (keeps) next[this.duplicatesAt] = (next[this.duplicatesAt] as number) - 1;
    const taken = kind === STEP.deliver && !keeps ? argumentOf(step) : NONE;
    this.nextLength = this.mergeMessages(taken, transition.sent);
    return this.check(node, transition);
  }

  /** What is in flight afterwards, ascending: one `taken` less, `sent` more, none that is dead. */
  private mergeMessages(taken: number, sent: readonly number[]): number {
    const { vector, nextVector: next, header, length } = this;
    const { messages } = this.cluster;
    let from = header;
    let to = header;
    let added = 0;
    let left = taken;
    while (from < length || added < sent.length) {
      const flying = from < length ? (vector[from] as number) : Number.POSITIVE_INFINITY;
      const fresh = added < sent.length ? (sent[added] as number) : Number.POSITIVE_INFINITY;
      const message = Math.min(flying, fresh);
      if (flying <= fresh) from++;
      else added++;
      if (message === left && flying <= fresh) left = NONE;
      else if (!this.isDeadIn(message, next[messages.to(message)] as number)) next[to++] = message;
    }
    assert(to < VECTOR_MAX - 1, 'explorer: messages in flight', to);
    return to;
  }

  /** True when the message does nothing to its receiver, in this state of it or any later one. */
  isDeadIn(message: number, state: number): boolean {
    const { messages } = this.cluster;
    const { facts } = this.graph(messages.to(message)).states[state] as LocalState;
    return (this.options.isDead ?? isDead)(messages, message, facts, this.options.canary);
  }

  /** The state made can do no more than the one it comes from: it differs in what it lacks. */
  private isNothingNew(): boolean {
    const { vector, nextVector: next, header } = this;
    for (let i = 0; i <= this.checkerAt; i++) if (next[i] !== vector[i]) return false;
    let from = header;
    for (let to = header; to < this.nextLength; to++) {
      while (from < this.length && (vector[from] as number) < (next[to] as number)) from++;
      if (from === this.length || vector[from] !== next[to]) return false;
      from++;
    }
    return true;
  }

  private check(node: number, transition: Transition): boolean {
    const { nextVector: next, diskKey } = this;
    if (transition.shown !== 0) {
      for (let i = 0; i < diskKey.length; i++) {
        diskKey[i] = (this.graph(i).states[next[i] as number] as LocalState).disk;
      }
      const result = this.checkers.next(next[this.checkerAt] as number, transition.shown, diskKey);
      if (result < 0) return this.found(this.checkers.findings[-1 - result] as Finding);
      next[this.checkerAt] = result;
    }
    if (transition.thrown === null) return true;
    const message = `${nameOf(this.cluster, node)} stopped: ${transition.thrown}`;
    return this.found({ invariant: 'no_panic', message });
  }

  private found(finding: Finding): false {
    this.finding = finding;
    this.end = 'found';
    return false;
  }

  /** Takes the state made into the search, unless it is known. `branch` null: it is the first. */
  private keep(branch: Branch | null): void {
    const { nextVector: next } = this;
    if (branch === null) {
      next.set(this.vector.subarray(0, this.length));
      this.nextLength = this.length;
    }
    next[this.selfAt] = 0;
    checksumInto(CHECKSUM_ALGORITHM.fast128, this.next, 0, this.nextLength * 4, this.digest, 0);
    const state = this.tree.add(this.digest.words, this.now, branch);
    if (state === NONE) return;
    next[this.selfAt] = state;
    const directed = this.options.order === 'directed';
    const classes = directed ? this.classes.of((node) => this.factsOf(node, next)) : NO_CLASSES;
    this.frontier.push(next, this.nextLength, classes);
  }

  // --- Results ---

  get counts(): ExploreCounts {
    const sum = (of: (graph: LocalGraph) => number): number =>
      this.graphs.reduce((total, graph) => total + of(graph), 0);
    return {
      states: this.tree.count,
      transitions: this.transitions,
      expanded: this.expanded,
      frontier: this.frontier.count,
      depth: this.tree.depth,
      nodeStates: sum((graph) => graph.states.length),
      checkerStates: this.checkers.count,
      messages: this.cluster.messages.count,
      executed: sum((graph) => graph.executed),
    };
  }

  private pathTo(state: number): readonly PathStep[] {
    const path = [...this.path];
    const states = this.graphs.map(() => 0);
    const follow = (node: number, step: number, outcome: number): Transition => {
      const transition = this.graph(node).transitions(states[node] as number, step)[outcome] as Transition;
      states[node] = transition.to;
      return transition;
    };
    for (const { node, step } of path) follow(node, step, 0);
    for (const { node, step, outcome, keeps } of this.tree.wayTo(state)) {
      path.push({ node, step, choices: follow(node, step, outcome).choices, keeps });
    }
    return path;
  }

  private graph(node: number): LocalGraph {
    return this.graphs[node] as LocalGraph;
  }

  private factsOf(node: number, vector: Int32Array): NodeFacts {
    return (this.graph(node).states[vector[node] as number] as LocalState).facts;
  }
}

/** A step that changed nothing, as a transition. */
const NOTHING: Omit<Transition, 'to'> = Object.freeze({ sent: [], shown: 0, thrown: null, choices: [] });
