/**
 * The replica processes of a world: started on a disk, paused, resumed, killed, started again.
 *
 * A crash takes timers, unfinished I/O, deferred events and message references with it; the disk
 * stays, and the next start is a new object on it. A paused process stands still: what is due for
 * it is held back in order, and runs when it resumes.
 */
import { headerValid } from '../core/checksum.ts';
import { HEADER_SIZE, quorumsOf, type ClusterConfig } from '../core/constants.ts';
import { type Message, type MessagePool } from '../core/message/pool.ts';
import { copyWords, regionOf, type Region } from '../core/message/region.ts';
import { SECTOR_SIZE, type Network } from '../core/ports.ts';
import { type Seed } from '../core/prng.ts';
import { prepareOffset, type Zones } from '../core/storage/data_file.ts';
import { type ReplicaObserver } from '../core/vsr/observer.ts';
import { type Replica } from '../core/vsr/replica.ts';
import { type CheckerSuite } from '../invariants/suite.ts';
import { FAULT, type Counters } from './counters.ts';
import { EVENT } from './events.ts';
import { type EventQueue } from './event_queue.ts';
import { type ReplicaFactory, type ReplicaProcess } from './node_api.ts';
import { type SimClock, type VirtualTime } from './ports/sim_clock.ts';
import { type SimDisk } from './ports/sim_storage.ts';
import { processRng } from './ports/sim_rng.ts';

const NONE = -1;

export interface ProcessesOptions {
  readonly factory: ReplicaFactory;
  readonly config: ClusterConfig;
  readonly zones: Zones;
  readonly cluster: Region;
  readonly replicaCount: number;
  readonly seed: Seed;
  readonly time: VirtualTime;
  readonly queue: EventQueue;
  readonly pool: MessagePool;
  readonly clocks: readonly SimClock[];
  readonly ports: readonly Network[];
  readonly disks: readonly SimDisk[];
  readonly suite: CheckerSuite;
  readonly counters: Counters;
}

export class Processes implements ReplicaObserver {
  readonly replicaCount: number;
  /** By node; null: no process. */
  readonly replicas: (ReplicaProcess | null)[] = [];
  private readonly options: ProcessesOptions;
  private readonly queue: EventQueue;
  private readonly suite: CheckerSuite;
  private readonly counters: Counters;
  /** Pauses that last on the node: they may overlap. */
  private readonly pauses: Uint8Array;
  readonly starts: Uint32Array;
  /** Class of the fault that ended the node's last process. */
  private readonly endedBy: Uint8Array;
  /** A process that began on a disk whose journal had no faults. */
  private readonly cleanStart: Uint8Array;
  /** Events of a paused node, in order: lists of slots. */
  private readonly heldFirst: Int32Array;
  private readonly heldLast: Int32Array;
  /** Highest view whose log a primary has fixed. */
  private viewFixed = 0;

  constructor(options: ProcessesOptions) {
    const count = options.replicaCount;
    this.options = options;
    this.replicaCount = count;
    this.queue = options.queue;
    this.suite = options.suite;
    this.counters = options.counters;
    for (let node = 0; node < count; node++) this.replicas.push(null);
    this.pauses = new Uint8Array(count);
    this.starts = new Uint32Array(count);
    this.endedBy = new Uint8Array(count);
    this.cleanStart = new Uint8Array(count);
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

  /** Best guess of the present primary: that of the highest view in which a replica is normal. */
  primary(): number {
    let view = NONE;
    for (const replica of this.replicas) {
      if (replica !== null && replica.status === 'normal' && replica.view > view) view = replica.view;
    }
    return view === NONE ? 0 : view % this.replicaCount;
  }

  // --- Starting and ending ---

  start(node: number): ReplicaProcess {
    const { options } = this;
    const disk = options.disks[node] as SimDisk;
    const start = this.starts[node] as number;
    this.starts[node] = start + 1;
    if (start > 0) {
      this.counters.restarts++;
      this.counters.observe(this.endedBy[node] as number);
      this.spareJournal(node, disk);
    }
    disk.restart();
    options.pool.holder = node;
    const replica = options.factory.create({
      config: options.config,
      cluster: options.cluster,
      replicaIndex: node,
      replicaCount: this.replicaCount,
      clock: options.clocks[node] as SimClock,
      network: options.ports[node] as Network,
      storage: disk,
      rng: processRng(options.seed, node, start),
      pool: options.pool,
      observer: this,
    });
    this.replicas[node] = replica;
    this.suite.started(node);
    replica.start();
    return replica;
  }

  /**
   * Too many replicas that cannot tell their head would leave none to ask (all logs are whole, yet
   * nobody may vote). So a replica whose vote is needed finds the faults of its journal withdrawn,
   * and so is what it had written down because of them: the marks of lost slots.
   */
  private spareJournal(node: number, disk: SimDisk): void {
    let voters = 0;
    this.replicas.forEach((replica, other) => {
      if (replica === null) return;
      const sure = replica.status === 'recovering' && this.cleanStart[other] === 1;
      if (sure || replica.status === 'normal' || replica.status === 'view_change') voters++;
    });
    const needed = voters < quorumsOf(this.replicaCount).viewChange;
    this.cleanStart[node] = needed ? 1 : 0;
    if (!needed) return;
    const { journalHeaders, replies } = this.options.zones;
    disk.withdraw(journalHeaders / SECTOR_SIZE, replies / SECTOR_SIZE);
    const { config, zones } = this.options;
    const image = regionOf(disk.memory.image);
    for (let slot = 0; slot < config.journalSlots; slot++) {
      const header = journalHeaders + slot * HEADER_SIZE;
      const prepare = prepareOffset(zones, config, slot);
      if (headerValid(config.checksumAlgorithm, image, header)) continue;
      if (!headerValid(config.checksumAlgorithm, image, prepare)) continue;
      copyWords(image, prepare, image, header, HEADER_SIZE);
    }
  }

  /** Power off now, back after `downMicros`. `fault` is the class that takes the blame. */
  crash(node: number, downMicros: number, fault: number): void {
    const { options } = this;
    this.counters.crashes++;
    this.endedBy[node] = fault;
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
  }

  /** One pause ends; a crash may have ended it before. */
  resume(node: number): void {
    if (this.pauses[node] === 0) return;
    this.pauses[node] = (this.pauses[node] as number) - 1;
    if (this.pauses[node] === 0) this.releaseHeld(node);
  }

  resumeAll(): void {
    for (let node = 0; node < this.replicaCount; node++) {
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
    this.suite.committed(replica.replicaIndex, op, prepare, reply);
  }

  checkpointed(replica: Replica, op: number): void {
    this.counters.checkpoints++;
    this.suite.checkpointed(replica.replicaIndex, op);
  }

  statusChanged(replica: Replica): void {
    const node = replica.replicaIndex;
    const view = replica.view;
    this.suite.view(node, view, replica.logView);
    if (replica.status === 'recovering_head') this.counters.recoveringHead++;
    const leads = replica.status === 'normal' && view % this.replicaCount === node;
    if (leads && view > this.viewFixed) {
      this.viewFixed = view;
      this.counters.viewChanges++;
    }
    this.countViews();
  }

  ignored(): void {}

  discarded(): void {}

  synced(replica: Replica, _fromOp: number, toOp: number): void {
    this.counters.syncs++;
    this.suite.synced(replica.replicaIndex, toOp);
  }

  private countViews(): void {
    let different = 0;
    for (let i = 0; i < this.replicaCount; i++) {
      const view = this.replicas[i]?.view;
      if (view === undefined) continue;
      let first = true;
      for (let j = 0; j < i && first; j++) first = this.replicas[j]?.view !== view;
      if (first) different++;
    }
    if (different > this.counters.viewsLiveMax) this.counters.viewsLiveMax = different;
  }
}
