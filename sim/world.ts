/**
 * The simulated world: N replicas and their clients on simulated ports, one event queue, virtual
 * time. Fault phase, heal phase, end. A run is a function of the plan and the code.
 *
 * One event runs one node, to completion. What it does reaches others only through later events.
 * Checkers see every fact as it happens; the first violation ends the run after its event. The
 * whole world is plain state (see snapshot.ts): it can be saved after any event and continued.
 */
import { packDecisions, type DecisionTape } from '../bundles/decision_tape.ts';
import { type PlainData } from '../bundles/format.ts';
import { ReplicaFatal } from '../core/assert.ts';
import { type NodeProcess } from '../core/component.ts';
import { type ClusterConfig } from '../core/constants.ts';
import { AT } from '../core/message/header.ts';
import { type Message, type MessagePool } from '../core/message/pool.ts';
import { type Region } from '../core/message/region.ts';
import { SECTOR_SIZE } from '../core/ports.ts';
import { hitsBetween, probeMark } from '../core/probe.ts';
import { type Zones } from '../core/storage/data_file.ts';
import { type CheckContext, type CheckerEntry, type TrueDisk } from '../invariants/invariant.ts';
import { CheckerSuite } from '../invariants/suite.ts';
import { type Arena } from './arena.ts';
import { Counters, FAULT } from './counters.ts';
import { DOMAIN, Decisions } from './decide.ts';
import { DecisionRecorder } from './decision_recorder.ts';
import { EVENT } from './events.ts';
import { type EventQueue } from './event_queue.ts';
import { FaultInjector } from './faults/injector.ts';
import { FAMILY, decisionNames } from './identity.ts';
import { Processes } from './processes.ts';
import { type PinnedDecision, type Plan } from './plan.ts';
import { SimClock, type VirtualTime } from './ports/sim_clock.ts';
import { NetworkPort, SimNetwork, type NetworkHost } from './ports/sim_network.ts';
import { SimDisk } from './ports/sim_storage.ts';
import { type WorldObserver } from './recorder.ts';
import { NO_LIMITS, type SeedLimits, type SeedResult, type SeedViolation } from './search/seed_result.ts';
import { type SeedRun } from './search/seed_run.ts';
import { type ClientHost, type ClientProcess } from './system.ts';
import { Trace } from './trace.ts';
import { replicasIn, verdictOf } from './verdict.ts';
import { Watch } from './watch.ts';
import { PLAIN_WORDS, type Words } from './words.ts';

/** How often the heal phase asks whether everything has settled, and how long it must have. */
const SETTLE_MICROS = 50_000;
const SETTLED_MICROS = 1_000_000;
/** Clients begin within this time of each other. */
const START_SPREAD_MICROS = 20_000;
const NONE = -1;

export interface WorldOptions {
  readonly plan: Plan;
  readonly arena: Arena;
  /** Left out: those of the arena's system. */
  readonly checkers?: readonly CheckerEntry[];
  readonly limits?: SeedLimits;
  /** Write down what is decided: `decisionsTaken`, `decisionTape`. */
  readonly recordDecisions?: boolean;
}

export class World
  implements SeedRun, CheckContext, NetworkHost, ClientHost
{
  readonly config: ClusterConfig;
  readonly zones: Zones;
  readonly cluster: Region;
  readonly replicaCount: number;
  readonly clientCount: number;
  readonly counters = new Counters();
  readonly suite: CheckerSuite;
  readonly processes: Processes;
  readonly clients: ClientProcess[] = [];
  readonly disks: SimDisk[] = [];
  readonly network: SimNetwork;
  /** Of replicas, then of clients. */
  readonly clocks: SimClock[] = [];
  readonly arena: Arena;
  readonly time: VirtualTime = { now: 0 };
  /** Operations called, by client. */
  readonly calls: Uint32Array;

  /** What the system's bytes mean, for people. */
  readonly words: Words;
  private readonly watch: Watch;
  private readonly thePlan: Plan;
  private readonly queue: EventQueue;
  private readonly pool: MessagePool;
  private readonly decisions: Decisions;
  private readonly ports: NetworkPort[] = [];
  private readonly injector: FaultInjector;
  private readonly trace = new Trace();
  private readonly holder: number;
  private readonly eventsMax: number;
  /** After this event the faults are over; NONE: when the plan's time has come. */
  private healAfterEvent: number;

  private healedAt = NONE;
  private clientsStopped = false;
  private settledAt = NONE;
  private finished = false;
  /** What a run that was cut short lacks. */
  private cut = '';
  private violation: SeedViolation | null = null;
  /** Stack of the error that ended a process, for people. */
  panicStack = '';
  private readonly probesBefore: Float64Array;
  /** Since the end: what other runs of this process do is none of ours. */
  private probesAfter: Float64Array | null = null;

  constructor(options: WorldOptions) {
    const { plan, arena } = options;
    this.words = arena.system.words ?? PLAIN_WORDS;
    const limits = options.limits ?? NO_LIMITS;
    arena.reset();
    this.thePlan = plan;
    this.arena = arena;
    this.config = arena.config;
    this.zones = arena.zones;
    this.cluster = arena.cluster;
    this.queue = arena.queue;
    this.pool = arena.pool;
    this.replicaCount = plan.replicaCount;
    this.clientCount = plan.workload.clients;
    this.healAfterEvent = plan.healAfterEvent ?? NONE;
    this.eventsMax = Math.min(plan.eventsMax, limits.events ?? plan.eventsMax);
    const nodes = this.replicaCount + this.clientCount;
    this.calls = new Uint32Array(this.clientCount);
    this.holder = nodes + 1;
    this.decisions = new Decisions(plan.seedWords, plan.decisions);
    if (options.recordDecisions === true) {
      this.decisions.recorder = new DecisionRecorder(this.counters);
    }
    this.probesBefore = probeMark();
    this.watch = new Watch({
      time: this.time,
      counters: this.counters,
      config: this.config,
      replicaCount: this.replicaCount,
      words: this.words,
    });
    const watch = this.watch;

    this.network = new SimNetwork({
      plan: plan.network,
      host: this,
      time: this.time,
      queue: this.queue,
      pool: this.pool,
      decisions: this.decisions,
      counters: this.counters,
      replicaCount: this.replicaCount,
      nodeCount: nodes,
      holder: nodes,
      memory: arena.network,
      watch,
    });
    for (let node = 0; node < nodes; node++) {
      const clock = plan.clocks[node] ?? { offsetMicros: 0, driftPpm: 0 };
      if (clock.offsetMicros !== 0 || clock.driftPpm !== 0) this.counters.hit(FAULT.clock_skew);
      this.clocks.push(new SimClock(this.time, this.queue, node, clock));
      this.ports.push(new NetworkPort(this.network, node));
    }
    for (let node = 0; node < this.replicaCount; node++) {
      const disk = new SimDisk({
        plan: plan.storage,
        time: this.time,
        queue: this.queue,
        decisions: this.decisions,
        counters: this.counters,
        node,
        replicaCount: this.replicaCount,
        superblockSize: arena.diskShape.superblockSize,
        memory: arena.disk(node),
        watch,
      });
      for (const { offset, bytes } of arena.formatted(node, this.replicaCount)) {
        disk.preset(offset, bytes);
      }
      this.disks.push(disk);
    }
    this.suite = new CheckerSuite(this, options.checkers ?? arena.system.checkers);
    this.processes = new Processes({
      system: arena.system,
      plan,
      cluster: this.cluster,
      decisions: this.decisions,
      time: this.time,
      queue: this.queue,
      pool: this.pool,
      clocks: this.clocks,
      ports: this.ports,
      disks: this.disks,
      suite: this.suite,
      counters: this.counters,
      watch,
    });
    this.injector = new FaultInjector({
      processes: this.processes,
      faults: plan.faults,
      queue: this.queue,
      decisions: this.decisions,
      counters: this.counters,
      network: this.network,
      disks: this.disks,
      clocks: this.clocks,
      atlas: this.processes.group.atlas,
      watch,
    });
    for (let client = 0; client < this.clientCount; client++) this.clients.push(this.newClient(client));
    this.scheduleAll(Math.min(plan.faultMicros, limits.micros ?? plan.faultMicros));
  }

  private newClient(client: number): ClientProcess {
    const node = this.replicaCount + client;
    return this.arena.system.createClient({
      host: this,
      plan: this.thePlan,
      cluster: this.cluster,
      client,
      clock: this.clocks[node] as SimClock,
      network: this.ports[node] as NetworkPort,
      pool: this.pool,
      decisions: this.decisions,
      counters: this.counters,
    });
  }

  private isAbsent(client: number): boolean {
    return this.thePlan.workload.absent?.includes(client) === true;
  }

  private scheduleAll(healAt: number): void {
    for (let node = 0; node < this.replicaCount; node++) {
      this.queue.push(0, EVENT.restart, node, 0, 0, 0);
    }
    for (let client = 0; client < this.clientCount; client++) {
      if (this.isAbsent(client)) continue;
      const node = this.replicaCount + client;
      const key = this.decisions.key(FAMILY.process, node, 0, 0, 0, 0, 0);
      const at = 1 + this.decisions.below(key, DOMAIN.think, START_SPREAD_MICROS);
      this.queue.push(at, EVENT.clientStart, node, 0, 0, 0);
    }
    this.injector.schedule();
    this.queue.push(healAt, EVENT.heal, 0, 0, 0, 0);
  }

  /** Who is told what happens; null: nobody, at no cost. Survives the restore of a snapshot. */
  get observer(): WorldObserver | null {
    return this.watch.observer;
  }

  set observer(observer: WorldObserver | null) {
    this.watch.observer = observer;
  }

  // --- The loop (shape of SeedRun) ---

  get events(): number {
    return this.counters.events;
  }

  get digestWord(): number {
    return this.trace.word;
  }

  get phase(): 'faults' | 'heal' | 'ended' {
    if (this.finished) return 'ended';
    return this.healedAt === NONE ? 'faults' : 'heal';
  }

  /** What ended the run, so far. */
  get violationFound(): SeedViolation | null {
    return this.violation;
  }

  /** 32 hexadecimal digits over all events so far. */
  digest(): string {
    return this.trace.digest();
  }

  describe(): string {
    return this.trace.describe(this.replicaCount, this.words);
  }

  /** The plan is plain data already. */
  plan(): PlainData {
    return this.thePlan as unknown as PlainData;
  }

  /** What was lost, torn, duplicated, issued again..., by identity. Needs `recordDecisions`. */
  decisionsTaken(): readonly PinnedDecision[] {
    return this.decisions.taken();
  }

  /** All that was decided, as bundles hold it; null without `recordDecisions`. */
  decisionTape(): DecisionTape | null {
    const { recorder } = this.decisions;
    if (recorder === null) return null;
    const names = decisionNames(DOMAIN, this.words.commands, this.replicaCount);
    return packDecisions(recorder.columns(), recorder.total, names);
  }

  /**
   * Lets the faults end with the last event: the next one is the heal phase's beginning, as with
   * `healAfterEvent` in the plan. Without effect in that phase.
   */
  healNow(): void {
    this.healAfterEvent = this.counters.events;
  }

  /** Runs the next event; false when there is none, and nothing happened. */
  step(): boolean {
    if (this.finished) return false;
    if (this.counters.events === this.healAfterEvent && this.healedAt === NONE) {
      return this.healEarly();
    }
    const queue = this.queue;
    const time = queue.time;
    const slot = queue.pop();
    this.time.now = time;
    this.counters.events++;
    const node = queue.node[slot] as number;
    try {
      this.dispatch(slot, queue.kind[slot] as number, node);
    } catch (error) {
      this.processThrew(node, error);
    }
    this.stepped();
    return true;
  }

  /** An event that was not in the queue: nothing that is due at the same instant comes before it. */
  private healEarly(): boolean {
    this.counters.events++;
    this.trace.add(this.time.now, EVENT.heal, 0, 0, 0, 0, 0);
    this.heal();
    this.stepped();
    return true;
  }

  private stepped(): void {
    this.pool.holder = this.holder;
    if (this.violation !== null) {
      this.finish();
    } else if (this.counters.events >= this.eventsMax && !this.finished) {
      this.finish();
      this.cut = `stopped after ${this.eventsMax} events`;
    }
  }

  private finish(): void {
    this.finished = true;
    this.probesAfter = probeMark();
  }

  private dispatch(slot: number, kind: number, node: number): void {
    if (kind <= EVENT.storageNotice && node < this.replicaCount && this.processes.isPaused(node)) {
      this.hold(slot, kind, node);
      return;
    }
    switch (kind) {
      case EVENT.deliver: return this.deliver(slot, node);
      case EVENT.timer: return this.fireTimer(slot, node);
      case EVENT.storage: return this.completeStorage(slot, node);
      case EVENT.storageNotice: return this.noticeStorage(slot, node);
      default: return this.dispatchRare(slot, kind, node);
    }
  }

  private dispatchRare(slot: number, kind: number, node: number): void {
    const a = this.queue.a[slot] as number;
    const b = this.queue.b[slot] as number;
    this.queue.release(slot);
    this.trace.add(this.time.now, kind, node, a, b, 0, 0);
    switch (kind) {
      case EVENT.fault:
        this.injector.begin(a);
        break;
      case EVENT.faultEnd:
        this.injector.end(a);
        break;
      case EVENT.crash:
        if (this.healedAt !== NONE || !this.isUp(node)) break;
        if (b === 1 && !(this.disks[node] as SimDisk).crashOnWrite) break;
        this.counters.apply(FAULT.crash);
        this.processes.crash(node, a, FAULT.crash);
        break;
      case EVENT.restart:
        if (!this.isUp(node)) {
          this.processes.start(node);
          this.afterReplica(node);
        }
        break;
      case EVENT.think:
        this.pool.holder = node;
        this.client(node).begin();
        break;
      case EVENT.clientStart:
        this.pool.holder = node;
        this.client(node).start();
        break;
      case EVENT.heal:
        if (this.healedAt === NONE) this.heal();
        break;
      default:
        this.settle();
    }
  }

  private deliver(slot: number, node: number): void {
    const queue = this.queue;
    const from = queue.b[slot] as number;
    const flags = (queue.c[slot] as number) & 3;
    const index = queue.a[slot] as number;
    const words = (this.pool.messages[index] as Message).words;
    const command = ((words[AT.command >> 2] as number) >>> 16) & 0xff;
    this.trace.add(
      this.time.now,
      EVENT.deliver,
      node,
      from,
      command | (flags << 8),
      words[0] as number,
      words[1] as number,
    );
    const message = this.network.arrive(slot);
    if (message === null) return;
    queue.release(slot);
    this.counters.delivered++;
    this.pool.holder = node;
    if (node < this.replicaCount) {
      (this.processes.replicas[node] as NodeProcess).onMessage(message);
      this.afterReplica(node);
    } else {
      this.client(node).onMessage(message);
    }
    this.network.done(message);
  }

  private fireTimer(slot: number, node: number): void {
    const timer = this.queue.a[slot] as number;
    this.queue.release(slot);
    this.trace.add(this.time.now, EVENT.timer, node, timer, 0, 0, 0);
    (this.clocks[node] as SimClock).fired(timer);
    this.pool.holder = node;
    if (node < this.replicaCount) {
      if (this.watch.observer !== null) {
        this.watch.timedOut(node, timer, this.suite.nodes.view[node] as number);
      }
      (this.processes.replicas[node] as NodeProcess).onTimer(timer);
      this.afterReplica(node);
    } else {
      this.client(node).onTimer(timer);
    }
  }

  private completeStorage(slot: number, node: number): void {
    const operation = this.queue.a[slot] as number;
    this.queue.release(slot);
    const disk = this.disks[node] as SimDisk;
    const result = this.finishOperation(disk, operation, node);
    this.pool.holder = node;
    (this.processes.replicas[node] as NodeProcess).onStorage(disk.tokenOf(operation), result);
    this.afterReplica(node);
  }

  private finishOperation(disk: SimDisk, operation: number, node: number): 0 | 1 | 2 | 3 {
    const kind = disk.kindOf(operation);
    const sector = disk.sectorOf(operation);
    const result = disk.complete(operation);
    const word = disk.memory.imageWords[sector * (SECTOR_SIZE / 4)] as number;
    this.trace.add(this.time.now, EVENT.storage, node, kind, result, sector, word);
    return result;
  }

  private noticeStorage(slot: number, node: number): void {
    const token = this.queue.a[slot] as number;
    const result = this.queue.b[slot] as 0 | 1 | 2 | 3;
    this.queue.release(slot);
    this.trace.add(this.time.now, EVENT.storageNotice, node, token, result, 0, 0);
    this.pool.holder = node;
    (this.processes.replicas[node] as NodeProcess).onStorage(token, result);
    this.afterReplica(node);
  }

  /** A planned crash waits for a write in flight: hit somewhere within its likely duration. */
  private afterReplica(node: number): void {
    const disk = this.disks[node] as SimDisk;
    if (!disk.writeStarted) return;
    disk.writeStarted = false;
    disk.crashOnWrite = false;
    const { writeMinMicros, writeMeanMicros } = this.thePlan.storage;
    const key = this.decisions.key(FAMILY.process, node, this.processes.starts[node] as number, 1, 0, 0, 0);
    const span = writeMinMicros + writeMeanMicros + 1;
    const delay = 1 + this.decisions.below(key, DOMAIN.crashDelay, span);
    const down = this.injector.downMicros[node] as number;
    this.queue.push(this.time.now + delay, EVENT.crash, node, down, 0, 0);
  }

  /** When the faults were over; null: they are not. */
  get healedMicros(): number | null {
    return this.healedAt === NONE ? null : this.healedAt;
  }

  /** Of each fault of the plan the node that it was aimed at; -1: it has not been due. */
  faultNodes(): readonly number[] {
    return Array.from(this.injector.aimedAt);
  }

  // --- Processes ---

  isUp(node: number): boolean {
    return node >= this.replicaCount || this.processes.isUp(node);
  }

  /** The disk works on while its process stands still; everything else waits. */
  private hold(slot: number, kind: number, node: number): void {
    const queue = this.queue;
    this.trace.add(this.time.now, kind, node, NONE, 0, 0, 0);
    if (kind === EVENT.storage) {
      const disk = this.disks[node] as SimDisk;
      const operation = queue.a[slot] as number;
      queue.b[slot] = this.finishOperation(disk, operation, node);
      queue.a[slot] = disk.tokenOf(operation);
      queue.kind[slot] = EVENT.storageNotice;
    }
    this.processes.hold(slot, node);
  }

  private processThrew(node: number, thrown: unknown): void {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    const disk = this.disks[node];
    const injected =
      error instanceof ReplicaFatal &&
      error.code.startsWith('storage') &&
      disk !== undefined &&
      disk.errorInjected;
    if (this.watch.observer !== null) {
      this.watch.panicked(node, `stopped: ${error.name}: ${error.message}`, injected);
    }
    if (disk !== undefined) this.suite.panicked(node, error.name, error.message, injected);
    if (injected) {
      this.processes.crash(node, this.injector.downMicros[node] as number, FAULT.io_error);
      return;
    }
    this.panicStack = error.stack ?? '';
    const who = node < this.replicaCount ? `R${node}` : `C${node - this.replicaCount}`;
    this.fail('no_panic', `${who} stopped: ${error.name}: ${error.message}`);
  }

  // --- Clients ---

  private client(node: number): ClientProcess {
    return this.clients[node - this.replicaCount] as ClientProcess;
  }

  clientCalled(client: number, operation: number, body: Uint8Array): void {
    this.calls[client] = (this.calls[client] as number) + 1;
    if (this.watch.observer !== null) this.watch.called(this.replicaCount + client, operation, body);
    this.suite.called(client, operation, body);
  }

  clientReturned(client: number, reply: Message): void {
    if (this.watch.observer !== null) this.watch.returned(this.replicaCount + client, reply);
    this.suite.returned(client, reply);
    if (this.healedAt !== NONE) this.stopClients();
  }

  clientInvoked(client: number, operation: PlainData): void {
    this.calls[client] = (this.calls[client] as number) + 1;
    if (this.watch.observer !== null) this.watch.invoked(this.replicaCount + client, operation);
    this.suite.invoked(client, operation);
  }

  clientAnswered(client: number, answer: PlainData): void {
    if (this.watch.observer !== null) this.watch.answered(this.replicaCount + client, answer);
    this.suite.answered(client, answer);
    if (this.healedAt !== NONE) this.stopClients();
  }

  clientAbandoned(client: number): void {
    if (this.watch.observer !== null) this.watch.abandoned(this.replicaCount + client);
    this.suite.abandoned(client);
  }

  clientRests(client: number, delayMicros: number): void {
    if (this.clientsStopped) return;
    const node = this.replicaCount + client;
    this.queue.push(this.time.now + delayMicros, EVENT.think, node, 0, 0, 0);
  }

  // --- What goes over the wire (NetworkHost) ---

  sent(node: number, message: Message): void {
    this.suite.sent(node, message);
  }

  // --- Phases ---

  private heal(): void {
    this.healedAt = this.time.now;
    if (this.watch.observer !== null) this.watch.healed();
    this.injector.heal();
    this.stopClients();
    this.processes.resumeAll();
    for (let node = 0; node < this.replicaCount; node++) {
      if (!this.isUp(node)) this.queue.push(this.time.now + 1, EVENT.restart, node, 0, 0, 0);
    }
    this.suite.healed((1 << this.replicaCount) - 1);
    this.queue.push(this.time.now + SETTLE_MICROS, EVENT.settle, 0, 0, 0, 0);
  }

  /** In the heal phase: no new operations, once there were as many as the plan wants. */
  private stopClients(): void {
    if (this.clientsStopped) return;
    const wanting = this.counters.replies < this.thePlan.repliesMin;
    if (wanting && this.clients.some((client, i) => !client.finished && !this.isAbsent(i))) return;
    this.clientsStopped = true;
    for (const client of this.clients) client.stopped = true;
  }

  private settle(): void {
    this.stopClients();
    const problem = this.unsettled();
    if (problem !== null) this.settledAt = NONE;
    else if (this.settledAt === NONE) this.settledAt = this.time.now;
    const timedOut = this.time.now - this.healedAt >= this.thePlan.healMicros;
    const settled = problem === null && this.time.now - this.settledAt >= SETTLED_MICROS;
    if (!settled && !timedOut) {
      this.queue.push(this.time.now + SETTLE_MICROS, EVENT.settle, 0, 0, 0, 0);
      return;
    }
    this.finish();
    this.suite.ended();
    if (this.watch.observer !== null && this.violation === null) this.tellEnd();
    if (problem !== null && this.violation === null) {
      const seconds = this.thePlan.healMicros / 1_000_000;
      this.fail('liveness', `${problem}, ${seconds} s after the faults ended`);
    }
  }

  private tellEnd(): void {
    const compared = Object.entries(this.suite.comparisons()).filter(([, count]) => count > 0);
    this.watch.checked(NONE, NONE, compared.map(([id, count]) => `${id} ${count}`));
  }

  /** Why the world has not come to rest, or null. */
  private unsettled(): string | null {
    for (let client = 0; client < this.clientCount; client++) {
      if (!(this.clients[client] as ClientProcess).settled) return `C${client} waits for an answer`;
    }
    if (!this.clientsStopped) return `clients had ${this.counters.replies} answers`;
    for (let node = 0; node < this.replicaCount; node++) {
      if (!this.isUp(node)) return `R${node} does not run`;
    }
    const problem = this.processes.group.unsettled();
    if (problem !== null) return problem;
    return this.suite.settled() ? null : 'a checker waits';
  }

  // --- What checkers are lent (CheckContext) ---

  now(): number {
    return this.time.now;
  }

  disk(node: number): TrueDisk {
    return this.disks[node] as SimDisk;
  }

  fail(id: string, message: string): void {
    if (this.violation !== null) return;
    this.violation = {
      invariant: id,
      message,
      event: this.counters.events,
      virtualMicros: this.time.now,
      replicas: replicasIn(message),
    };
    if (this.watch.observer !== null) this.watch.violated(id, message, this.violation.replicas);
  }

  // --- The result ---

  result(): SeedResult {
    const { counters } = this;
    counters.commits = this.suite.history.opMax;
    return verdictOf({
      plan: this.thePlan,
      digest: this.trace.digest(),
      counters,
      virtualMicros: this.time.now,
      violation: this.violation,
      cut: this.cut,
      checks: this.suite.comparisons(),
      probes: hitsBetween(this.probesBefore, this.probesAfter ?? probeMark()),
    });
  }
}
