/**
 * The replica processes of a world: started on a disk, paused, resumed, killed, started again.
 *
 * A crash takes timers, unfinished I/O, deferred events and message references with it; the disk
 * stays, and the next start is a new object on it. A paused process stands still: what is due for
 * it is held back in order, and runs when it resumes.
 */
import { type NodeProcess } from '../core/component.ts';
import { type Message, type MessagePool } from '../core/message/pool.ts';
import { type Region } from '../core/message/region.ts';
import { type Network } from '../core/ports.ts';
import { type ReplicaObserver } from '../core/vsr/observer.ts';
import { type Replica } from '../core/vsr/replica.ts';
import { type CheckerSuite } from '../invariants/suite.ts';
import { FAULT, type Counters } from './counters.ts';
import { EVENT } from './events.ts';
import { type EventQueue } from './event_queue.ts';
import { type Decisions } from './decide.ts';
import { FAULT_CLASSES, type Plan } from './plan.ts';
import { type SimClock, type VirtualTime } from './ports/sim_clock.ts';
import { type SimDisk } from './ports/sim_storage.ts';
import { processRng } from './ports/sim_rng.ts';
import { type NodeGroup, type System } from './system.ts';
import { type Watch } from './watch.ts';

const NONE = -1;

export interface ProcessesOptions {
  readonly system: System;
  readonly plan: Plan;
  readonly cluster: Region;
  readonly decisions: Decisions;
  readonly time: VirtualTime;
  readonly queue: EventQueue;
  readonly pool: MessagePool;
  readonly clocks: readonly SimClock[];
  readonly ports: readonly Network[];
  readonly disks: readonly SimDisk[];
  readonly suite: CheckerSuite;
  readonly counters: Counters;
  readonly watch: Watch;
}

export class Processes implements ReplicaObserver {
  readonly replicaCount: number;
  /** By node; null: no process. */
  readonly replicas: (NodeProcess | null)[] = [];
  readonly group: NodeGroup;
  private readonly options: ProcessesOptions;
  private readonly queue: EventQueue;
  private readonly suite: CheckerSuite;
  private readonly counters: Counters;
  private readonly watch: Watch;
  /** Pauses that last on the node: they may overlap. */
  private readonly pauses: Uint8Array;
  readonly starts: Uint32Array;
  /** Class of the fault that ended the node's last process. */
  private readonly endedBy: Uint8Array;
  /** Events of a paused node, in order: lists of slots. */
  private readonly heldFirst: Int32Array;
  private readonly heldLast: Int32Array;
  /** Highest view whose log a primary has fixed. */
  private viewFixed = 0;

  constructor(options: ProcessesOptions) {
    const count = options.plan.replicaCount;
    this.options = options;
    this.replicaCount = count;
    this.queue = options.queue;
    this.suite = options.suite;
    this.counters = options.counters;
    this.watch = options.watch;
    for (let node = 0; node < count; node++) this.replicas.push(null);
    this.group = options.system.createGroup({
      plan: options.plan,
      nodes: this.replicas,
      decisions: options.decisions,
      history: options.suite.history,
    });
    this.pauses = new Uint8Array(count);
    this.starts = new Uint32Array(count);
    this.endedBy = new Uint8Array(count);
    this.heldFirst = new Int32Array(count).fill(NONE);
    this.heldLast = new Int32Array(count).fill(NONE);
  }

  isUp(node: number): boolean {
    return this.replicas[node] !== null;
  }

  isPaused(node: number): boolean {
    return (this.pauses[node] as number) > 0;
  }

  /** Replicas that do nothing now. */
  downCount(): number {
    let down = 0;
    for (let node = 0; node < this.replicaCount; node++) {
      if (!this.isUp(node) || this.isPaused(node)) down++;
    }
    return down;
  }

  // --- Starting and ending ---

  start(node: number): NodeProcess {
    const { options } = this;
    const { plan } = options;
    const disk = options.disks[node] as SimDisk;
    const start = this.starts[node] as number;
    this.starts[node] = start + 1;
    if (start > 0) {
      this.counters.restarts++;
      this.counters.observe(this.endedBy[node] as number);
      this.group.restarting(node, disk);
    }
    disk.restart();
    if (this.watch.observer !== null) this.watch.started(node, start);
    options.pool.holder = node;
    const replica = options.system.createNode({
      config: plan.config,
      cluster: options.cluster,
      replicaIndex: node,
      replicaCount: this.replicaCount,
      clock: options.clocks[node] as SimClock,
      network: options.ports[node] as Network,
      storage: disk,
      rng: processRng(plan.seedWords, node, start),
      pool: options.pool,
      observer: this,
      settings: plan.settings ?? null,
      report: (what, value) => this.reported(node, what, value),
    });
    this.replicas[node] = replica;
    this.suite.started(node);
    replica.start();
    return replica;
  }

  /** Power off now, back after `downMicros`. `fault` is the class that takes the blame. */
  crash(node: number, downMicros: number, fault: number): void {
    const { options } = this;
    this.counters.crashes++;
    this.endedBy[node] = fault;
    if (this.watch.observer !== null) {
      this.watch.crashed(node, FAULT_CLASSES[fault] as string, Math.max(1, downMicros));
    }
    this.dropHeld(node);
    (options.clocks[node] as SimClock).disarmAll();
    (options.disks[node] as SimDisk).crash();
    this.replicas[node] = null;
    this.pauses[node] = 0;
    options.pool.dropHolder(node);
    this.suite.stopped(node);
    const back = options.time.now + Math.max(1, downMicros);
    this.queue.push(back, EVENT.restart, node, 0, 0, 0);
  }

  // --- Standing still ---

  pause(node: number): void {
    this.pauses[node] = (this.pauses[node] as number) + 1;
    if (this.watch.observer !== null) this.watch.paused(node);
  }

  /** One pause ends; a crash may have ended it before. */
  resume(node: number): void {
    if (this.pauses[node] === 0) return;
    this.pauses[node] = (this.pauses[node] as number) - 1;
    if (this.pauses[node] !== 0) return;
    if (this.watch.observer !== null) this.watch.resumed(node);
    this.releaseHeld(node);
  }

  resumeAll(): void {
    for (let node = 0; node < this.replicaCount; node++) {
      if (this.isPaused(node) && this.watch.observer !== null) this.watch.resumed(node);
      this.pauses[node] = 0;
      this.releaseHeld(node);
    }
  }

  /** Keeps an event of a paused node for later. */
  hold(slot: number, node: number): void {
    this.counters.observe(FAULT.pause);
    this.queue.next[slot] = NONE;
    const last = this.heldLast[node] as number;
    if (last === NONE) this.heldFirst[node] = slot;
    else this.queue.next[last] = slot;
    this.heldLast[node] = slot;
  }

  /** Slots of the events that wait for a paused node, in order. */
  heldFor(node: number): number[] {
    const slots: number[] = [];
    let slot = this.heldFirst[node] as number;
    for (; slot !== NONE; slot = this.queue.next[slot] as number) slots.push(slot);
    return slots;
  }

  private releaseHeld(node: number): void {
    for (let slot = this.takeHeld(node); slot !== NONE; ) {
      const next = this.queue.next[slot] as number;
      this.queue.insert(slot, this.options.time.now);
      slot = next;
    }
  }

  private dropHeld(node: number): void {
    for (let slot = this.takeHeld(node); slot !== NONE; ) {
      const next = this.queue.next[slot] as number;
      // A packet must leave its link, too: it arrives at a process that is gone.
      if (this.queue.kind[slot] === EVENT.deliver) this.queue.insert(slot, this.options.time.now);
      else this.queue.release(slot);
      slot = next;
    }
  }

  private takeHeld(node: number): number {
    const first = this.heldFirst[node] as number;
    this.heldFirst[node] = NONE;
    this.heldLast[node] = NONE;
    return first;
  }

  // --- What replicas show (ReplicaObserver) ---

  recovered(replica: Replica): void {
    this.suite.recovered(replica.replicaIndex, replica.checkpointOp, replica.journal);
  }

  committed(replica: Replica, op: number, prepare: Message, reply: Message | null): void {
    if (this.watch.observer === null) {
      this.suite.committed(replica.replicaIndex, op, prepare, reply);
      return;
    }
    this.watch.committed(replica, op, prepare);
    const { checkers } = this.suite;
    const before = checkers.map((checker) => checker.comparisons);
    this.suite.committed(replica.replicaIndex, op, prepare, reply);
    const compared = checkers.filter((checker, i) => checker.comparisons > (before[i] as number));
    if (compared.length === 0) return;
    this.watch.checked(replica.replicaIndex, op, compared.map(({ id }) => id));
  }

  checkpointed(replica: Replica, op: number): void {
    this.counters.checkpoints++;
    if (this.watch.observer !== null) this.watch.checkpointed(replica, op);
    this.suite.checkpointed(replica.replicaIndex, op);
  }

  statusChanged(replica: Replica): void {
    const node = replica.replicaIndex;
    const view = replica.view;
    if (this.watch.observer !== null) this.watch.statusChanged(replica);
    this.suite.view(node, view, replica.logView);
    if (replica.status === 'recovering_head') this.counters.recoveringHead++;
    const leads = replica.status === 'normal' && view % this.replicaCount === node;
    if (leads && view > this.viewFixed) {
      this.viewFixed = view;
      this.counters.viewChanges++;
    }
    this.countViews();
  }

  ignored(replica: Replica, command: number, reason: string): void {
    if (this.watch.observer !== null) this.watch.ignored(replica, command, reason);
  }

  discarded(): void {}

  synced(replica: Replica, fromOp: number, toOp: number): void {
    this.counters.syncs++;
    if (this.watch.observer !== null) this.watch.synced(replica, fromOp, toOp);
    this.suite.synced(replica.replicaIndex, toOp);
  }

  /** A node of a system of one's own tells something. */
  private reported(node: number, what: string, value: unknown): void {
    if (this.watch.observer !== null) this.watch.reported(node, what, value);
    this.suite.reported(node, what, value);
  }

  private countViews(): void {
    let different = 0;
    for (let i = 0; i < this.replicaCount; i++) {
      const view = (this.replicas[i] as Replica | null)?.view;
      if (view === undefined) continue;
      let first = true;
      for (let j = 0; j < i && first; j++) first = (this.replicas[j] as Replica | null)?.view !== view;
      if (first) different++;
    }
    if (different > this.counters.viewsLiveMax) this.counters.viewsLiveMax = different;
  }
}
