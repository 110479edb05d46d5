/**
 * Carries out the scheduled faults of a plan: resolves symbolic targets when an event fires,
 * remembers what it did so that the end undoes exactly that, and counts what took effect.
 */
import { assert } from '../../core/assert.ts';
import { FAULT, type Counters } from '../counters.ts';
import { DOMAIN, type Decisions } from '../decide.ts';
import { EVENT } from '../events.ts';
import { type EventQueue } from '../event_queue.ts';
import { FAMILY } from '../identity.ts';
import { type FaultClass } from '../plan.ts';
import { type SimClock } from '../ports/sim_clock.ts';
import { type SimNetwork } from '../ports/sim_network.ts';
import { OPERATION_KIND, OVERLAY, type SimDisk } from '../ports/sim_storage.ts';
import { type Processes } from '../processes.ts';
import { type Atlas } from '../system.ts';
import { type Watch } from '../watch.ts';
import { NODE, type FaultEvent } from './schedule.ts';

/** A crash during a write happens without one when the node writes nothing for this long. */
const WRITE_WAIT_MICROS = 500_000;

export interface InjectorOptions {
  readonly processes: Processes;
  readonly faults: readonly FaultEvent[];
  readonly queue: EventQueue;
  readonly decisions: Decisions;
  readonly counters: Counters;
  readonly network: SimNetwork;
  readonly disks: readonly SimDisk[];
  readonly clocks: readonly SimClock[];
  readonly atlas: Atlas;
  readonly watch: Watch;
}

export class FaultInjector {
  private readonly processes: Processes;
  private readonly faults: readonly FaultEvent[];
  private readonly queue: EventQueue;
  private readonly decisions: Decisions;
  private readonly counters: Counters;
  private readonly network: SimNetwork;
  private readonly disks: readonly SimDisk[];
  private readonly clocks: readonly SimClock[];
  private readonly atlas: Atlas;
  private readonly watch: Watch;
  /** Node that each fault fell on; -1: none, it did not take effect. */
  private readonly fellOn: Int8Array;
  /** Node that each fault was aimed at when it was due, whether it took effect or not; -1: not yet. */
  readonly aimedAt: Int8Array;
  /** Restart delays of nodes that wait to crash at their next write, or to fail at an operation. */
  readonly downMicros: Float64Array;
  /** Slow phases that last on a disk: they may overlap. */
  private readonly slowdowns: Uint8Array;
  /** Faults are over. */
  private ended = false;

  constructor(options: InjectorOptions) {
    this.processes = options.processes;
    this.faults = options.faults;
    this.queue = options.queue;
    this.decisions = options.decisions;
    this.counters = options.counters;
    this.network = options.network;
    this.disks = options.disks;
    this.clocks = options.clocks;
    this.atlas = options.atlas;
    this.watch = options.watch;
    this.fellOn = new Int8Array(options.faults.length).fill(-1);
    this.aimedAt = new Int8Array(options.faults.length).fill(-1);
    const count = options.processes.replicaCount;
    this.downMicros = new Float64Array(count);
    this.slowdowns = new Uint8Array(count);
  }

  /** Puts all fault events into the queue. */
  schedule(): void {
    this.faults.forEach((fault, i) => this.queue.push(fault.at, EVENT.fault, 0, i, 0, 0));
  }

  begin(index: number): void {
    if (this.ended) return;
    const fault = this.faults[index] as FaultEvent;
    this.counters.attempt(FAULT[classOf(fault)]);
    const node = 'node' in fault ? this.resolve(fault.node, index) : 0;
    this.aimedAt[index] = node;
    if (this.apply(fault, node, index)) {
      this.counters.apply(FAULT[classOf(fault)]);
      this.fellOn[index] = node;
      this.tellLinks(fault, node, false);
      if ('lasts' in fault) this.queue.push(fault.at + fault.lasts, EVENT.faultEnd, 0, index, 0, 0);
    }
  }

  end(index: number): void {
    if (this.ended) return;
    const fault = this.faults[index] as FaultEvent;
    const node = this.fellOn[index] as number;
    assert(node >= 0, 'faults: an effect ends that never began', index);
    this.tellLinks(fault, node, true);
    switch (fault.kind) {
      case 'partition':
        for (let i = 0; i < fault.links.length; i += 2) {
          this.network.join(fault.links[i] as number, fault.links[i + 1] as number);
        }
        return;
      case 'isolate':
        for (let peer = 0; peer < this.processes.replicaCount; peer++) {
          if (peer === node) continue;
          if (fault.direction !== 'in') this.network.join(node, peer);
          if (fault.direction !== 'out') this.network.join(peer, node);
        }
        return;
      case 'clog': {
        const peer = this.peerOf(node, fault.peer);
        if (fault.direction === 'out') this.network.unclog(node, peer);
        else this.network.unclog(peer, node);
        return;
      }
      case 'pause':
        this.processes.resume(node);
        return;
      case 'slow_disk':
        this.slowdowns[node] = (this.slowdowns[node] as number) - 1;
        if (this.slowdowns[node] !== 0) return;
        (this.disks[node] as SimDisk).slowFactor = 1;
        if (this.watch.observer !== null) this.watch.slowDisk(node, 1);
        return;
      default:
        assert(false, 'faults: this kind has no end', index);
    }
  }

  /** Everything back to order; what is scheduled still falls flat. Processes are the world's. */
  heal(): void {
    this.ended = true;
    this.network.heal();
    for (const disk of this.disks) {
      disk.slowFactor = 1;
      disk.failNext = -1;
      disk.crashOnWrite = false;
    }
  }

  private apply(fault: FaultEvent, node: number, index: number): boolean {
    const { processes, network } = this;
    switch (fault.kind) {
      case 'partition':
        if (fault.links.length === 0) return false;
        for (let i = 0; i < fault.links.length; i += 2) {
          network.cut(fault.links[i] as number, fault.links[i + 1] as number);
        }
        return true;
      case 'isolate':
        if (processes.replicaCount === 1) return false;
        for (let peer = 0; peer < processes.replicaCount; peer++) {
          if (peer === node) continue;
          if (fault.direction !== 'in') network.cut(node, peer);
          if (fault.direction !== 'out') network.cut(peer, node);
        }
        return true;
      case 'clog': {
        if (processes.replicaCount === 1) return false;
        const peer = this.peerOf(node, fault.peer);
        if (fault.direction === 'out') network.clog(node, peer);
        else network.clog(peer, node);
        return true;
      }
      case 'crash':
        if (!processes.isUp(node) || processes.downCount() >= fault.downMax) return false;
        if (fault.duringWrite && !processes.isPaused(node)) {
          // Waits for the node's next write, though not for ever; the world counts it then.
          (this.disks[node] as SimDisk).crashOnWrite = true;
          this.downMicros[node] = fault.down;
          this.queue.push(fault.at + WRITE_WAIT_MICROS, EVENT.crash, node, fault.down, 1, 0);
          return false;
        }
        processes.crash(node, fault.down, FAULT.crash);
        return true;
      case 'restart_all': {
        let any = false;
        for (let replica = 0; replica < processes.replicaCount; replica++) {
          if (!processes.isUp(replica)) continue;
          processes.crash(replica, fault.down[replica] as number, FAULT.restart_all);
          any = true;
        }
        return any;
      }
      case 'pause':
        if (!processes.isUp(node)) return false;
        processes.pause(node);
        return true;
      case 'bit_rot':
        return this.plant(node, fault.pick, fault.sectors, OVERLAY.rot);
      case 'latent_sector':
        return this.plant(node, fault.pick, fault.sectors, OVERLAY.unreadable);
      case 'io_error':
        if (!processes.isUp(node)) return false;
        // The disk counts it when an operation meets it.
        (this.disks[node] as SimDisk).failNext = OPERATION_KIND[fault.operation];
        this.downMicros[node] = fault.down;
        return false;
      case 'slow_disk':
        this.slowdowns[node] = (this.slowdowns[node] as number) + 1;
        (this.disks[node] as SimDisk).slowFactor = fault.factor;
        if (this.watch.observer !== null) this.watch.slowDisk(node, fault.factor);
        return true;
      case 'clock_jump':
        (this.clocks[node] as SimClock).jump(fault.by);
        this.counters.observe(FAULT.clock_jump);
        if (this.watch.observer !== null) this.watch.clockJumped(node, fault.by);
        return true;
      default:
        assert(false, 'faults: unknown kind', index);
    }
  }

  private tellLinks(fault: FaultEvent, node: number, ends: boolean): void {
    if (this.watch.observer === null) return;
    const links: number[] = [];
    if (fault.kind === 'partition') {
      this.watch.linksHit('partition', -1, fault.links, ends);
    } else if (fault.kind === 'isolate') {
      for (let peer = 0; peer < this.processes.replicaCount; peer++) {
        if (peer !== node && fault.direction !== 'in') links.push(node, peer);
        if (peer !== node && fault.direction !== 'out') links.push(peer, node);
      }
      this.watch.linksHit('isolate', node, links, ends);
    } else if (fault.kind === 'clog') {
      const peer = this.peerOf(node, fault.peer);
      links.push(...(fault.direction === 'out' ? [node, peer] : [peer, node]));
      this.watch.linksHit('clog', node, links, ends);
    }
  }

  private plant(node: number, pick: number, sectors: number, overlay: number): boolean {
    return this.atlas.plant(this.disks[node] as SimDisk, node, pick, sectors, overlay) > 0;
  }

  private resolve(node: number, index: number): number {
    const { processes } = this;
    if (node >= 0) return node;
    const primary = processes.group.primary();
    if (node === NODE.primary) return primary;
    if (node === NODE.nextPrimary) return (primary + 1) % processes.replicaCount;
    if (processes.replicaCount === 1) return 0;
    const key = this.decisions.key(FAMILY.fault, index, 0, 0, 0, 0, 0);
    const step = 1 + this.decisions.below(key, DOMAIN.backup, processes.replicaCount - 1);
    return (primary + step) % processes.replicaCount;
  }

  /** The other end of a clogged link: the plan's, unless the target turned out to be that one. */
  private peerOf(node: number, peer: number): number {
    return peer === node ? (peer + 1) % this.processes.replicaCount : peer;
  }
}

function classOf(fault: FaultEvent): FaultClass {
  return fault.kind === 'isolate' ? 'partition' : fault.kind;
}
