/**
 * The simulated network: delay, loss, duplication, corruption, bounded links, cuts and clogs.
 *
 * The same `Message` object is delivered, never re-encoded; only a corrupted copy is a message of
 * its own. Every decision about a packet is keyed by (from, to, command, view, what it is about,
 * how often that was sent), never by time or by a running stream, and not by the checksum either:
 * that covers timestamps, and would change with every shift in time.
 *
 * A cut link loses packets, at sending and at delivery. A clogged link holds them until it is
 * released. Source: reference "vopr" 4.1.
 */
import { assert } from '../../core/assert.ts';
import { AT, COMMAND, commandOf, sizeOf } from '../../core/message/header.ts';
import { type Message, type MessagePool } from '../../core/message/pool.ts';
import { TO_CLIENT, type Network } from '../../core/ports.ts';
import { FAULT, type Counters } from '../counters.ts';
import { DOMAIN, NEVER, type Decisions } from '../decide.ts';
import { EVENT } from '../events.ts';
import { type EventQueue } from '../event_queue.ts';
import { FAMILY } from '../identity.ts';
import { type NetworkPlan } from '../plan.ts';
import { UNWATCHED, type Watch } from '../watch.ts';
import { type VirtualTime } from './sim_clock.ts';

/** Low bits of an event's `c`; the rest counts the packets of the link. */
export const PACKET = { duplicate: 1, corrupted: 2 } as const;
const FLAG_BITS = 2;

/** Identities whose send count is remembered; a power of two. */
const IDENTITIES = 1 << 14;
/** Fewer free messages than this in the pool: packets are lost instead of the run. */
const POOL_RESERVE = 192;

export interface NetworkHost {
  /** True while the node's process runs. */
  isUp(node: number): boolean;
  /** A replica put this on the wire. */
  sent(node: number, message: Message): void;
}

export interface SimNetworkOptions {
  readonly plan: NetworkPlan;
  readonly host: NetworkHost;
  readonly time: VirtualTime;
  readonly queue: EventQueue;
  readonly pool: MessagePool;
  readonly decisions: Decisions;
  readonly counters: Counters;
  readonly replicaCount: number;
  /** Replicas and clients. */
  readonly nodeCount: number;
  /** `pool.holder` of packets in flight. */
  readonly holder: number;
  /** Memory kept between runs. */
  readonly memory: NetworkMemory;
  readonly watch?: Watch;
}

/** What is large enough to be worth keeping from run to run. */
export class NetworkMemory {
  readonly identityKeys = new Int32Array(IDENTITIES);
  readonly identityCounts = new Uint32Array(IDENTITIES);
}

export class SimNetwork {
  private readonly host: NetworkHost;
  private readonly time: VirtualTime;
  private readonly queue: EventQueue;
  private readonly pool: MessagePool;
  private readonly decisions: Decisions;
  private readonly counters: Counters;
  private readonly replicaCount: number;
  private readonly nodeCount: number;
  private readonly holder: number;
  private readonly watch: Watch;
  private delayMean: number;
  private lossPpm: number;
  private duplicationPpm: number;
  private corruptionPpm: number;
  private readonly capacity: number;

  /** By directed link, from * nodeCount + to. */
  private readonly delayMin: Float64Array;
  /** Percent of the run's delays. */
  private readonly linkPercent: Uint16Array;
  /** Partitions that cut the link; above 0: cut. */
  private readonly cuts: Uint8Array;
  /** Clogs on the link; above 0: packets are held. */
  private readonly clogs: Uint8Array;
  private readonly inFlight: Uint32Array;
  /** Packets sent on the link, and the number of the latest that arrived. */
  private readonly departed: Int32Array;
  private readonly arrived: Int32Array;
  /** Held packets, as a list of event slots; -1: none. */
  private readonly heldFirst: Int32Array;
  private readonly heldLast: Int32Array;

  /** Send counts, direct-mapped: a collision forgets a count, it never mixes two identities. */
  private readonly identityKeys: Int32Array;
  private readonly identityCounts: Uint32Array;

  constructor(options: SimNetworkOptions) {
    const { plan, nodeCount } = options;
    this.host = options.host;
    this.time = options.time;
    this.queue = options.queue;
    this.pool = options.pool;
    this.decisions = options.decisions;
    this.counters = options.counters;
    this.replicaCount = options.replicaCount;
    this.nodeCount = nodeCount;
    this.holder = options.holder;
    this.watch = options.watch ?? UNWATCHED;
    this.delayMean = plan.delayMeanMicros;
    this.lossPpm = plan.lossPpm;
    this.duplicationPpm = plan.duplicationPpm;
    this.corruptionPpm = plan.corruptionPpm;
    this.capacity = plan.linkCapacity;
    const links = nodeCount * nodeCount;
    this.delayMin = new Float64Array(links);
    this.linkPercent = new Uint16Array(links);
    for (let link = 0; link < links; link++) {
      const key = options.decisions.key(FAMILY.link, link, nodeCount, 0, 0, 0, 0);
      const spread = plan.linkSpreadPercent;
      const percent = options.decisions.between(key, DOMAIN.linkFactor, 100 - spread, 100 + spread);
      this.linkPercent[link] = percent;
      this.delayMin[link] = Math.floor((plan.delayMinMicros * percent) / 100);
    }
    this.cuts = new Uint8Array(links);
    this.clogs = new Uint8Array(links);
    this.inFlight = new Uint32Array(links);
    this.departed = new Int32Array(links);
    this.arrived = new Int32Array(links);
    this.heldFirst = new Int32Array(links).fill(-1);
    this.heldLast = new Int32Array(links).fill(-1);
    this.identityKeys = options.memory.identityKeys.fill(0);
    this.identityCounts = options.memory.identityCounts;
  }

  /** From `node`'s port. Takes its own reference on the network's account. */
  send(from: number, to: number, message: Message): void {
    let receiver = to;
    if (from < this.replicaCount) this.host.sent(from, message);
    if (to === TO_CLIENT) {
      // The world gives client number i an id whose first word is i + 1.
      receiver = this.replicaCount + (message.words[AT.client >> 2] as number) - 1;
      if (receiver < this.replicaCount || receiver >= this.nodeCount) return; // No such client.
    } else {
      assert(to < this.replicaCount, 'network: no such replica', to);
      assert(to !== from, 'network: send to oneself', to);
    }
    const counters = this.counters;
    counters.sent++;
    const link = from * this.nodeCount + receiver;
    const key = this.identify(from, receiver, message);

    if ((this.cuts[link] as number) > 0) {
      counters.observe(FAULT.partition);
      this.lost(from, receiver, message, 'partition');
      return;
    }
    const decisions = this.decisions;
    if (decisions.chance(key, DOMAIN.loss, this.lossPpm)) {
      counters.hit(FAULT.loss);
      this.lost(from, receiver, message, 'loss');
      return;
    }
    if ((this.inFlight[link] as number) >= this.capacity || this.pool.freeCount < POOL_RESERVE) {
      counters.hit(FAULT.overflow);
      this.lost(from, receiver, message, 'overflow');
      return;
    }
    const delay = this.delay(link, key, DOMAIN.delay);
    if (this.watch.observer !== null) {
      this.watch.departed('send', from, receiver, message, (this.departed[link] as number) + 1);
    }
    if (decisions.chance(key, DOMAIN.corrupt, this.corruptionPpm)) {
      counters.hit(FAULT.corruption);
      this.depart(link, from, receiver, this.corrupted(message, key), PACKET.corrupted, delay);
    } else {
      this.depart(link, from, receiver, this.held(message), 0, delay);
    }
    if (decisions.chance(key, DOMAIN.duplicate, this.duplicationPpm)) {
      counters.hit(FAULT.duplication);
      const later = this.delay(link, key, DOMAIN.duplicateDelay);
      if (this.watch.observer !== null) {
        this.watch.departed('duplicate', from, receiver, message, (this.departed[link] as number) + 1);
      }
      this.depart(link, from, receiver, this.held(message), PACKET.duplicate, later);
    }
  }

  /**
   * A delivery event is due. Returns the message with the network's reference, which the caller
   * drops by `done`; null when the packet is held or lost (and the slot dealt with).
   */
  arrive(slot: number): Message | null {
    const queue = this.queue;
    const from = queue.b[slot] as number;
    const to = queue.node[slot] as number;
    const link = from * this.nodeCount + to;
    if ((this.clogs[link] as number) > 0) {
      this.counters.observe(FAULT.clog);
      if (this.watch.observer !== null) {
        const held = this.pool.messages[queue.a[slot] as number] as Message;
        this.tellFate('hold', slot, held, 'clog');
      }
      this.hold(link, slot);
      return null;
    }
    this.inFlight[link] = (this.inFlight[link] as number) - 1;
    const message = this.pool.messages[queue.a[slot] as number] as Message;
    if ((this.cuts[link] as number) > 0 || !this.host.isUp(to)) {
      const cut = (this.cuts[link] as number) > 0;
      if (cut) this.counters.observe(FAULT.partition);
      if (this.watch.observer !== null) {
        this.tellFate('drop', slot, message, cut ? 'partition' : 'crashed');
      }
      this.done(message);
      queue.release(slot);
      return null;
    }
    const flags = queue.c[slot] as number;
    if ((flags & PACKET.duplicate) !== 0) this.counters.observe(FAULT.duplication);
    if ((flags & PACKET.corrupted) !== 0) this.counters.observe(FAULT.corruption);
    const number = flags >> FLAG_BITS;
    if (number < (this.arrived[link] as number)) this.counters.overtaken++;
    else this.arrived[link] = number;
    if (this.watch.observer !== null) {
      const damaged = (flags & PACKET.corrupted) !== 0;
      const twice = (flags & PACKET.duplicate) !== 0;
      this.tellFate('deliver', slot, message, damaged ? 'corruption' : twice ? 'duplication' : '');
    }
    return message;
  }

  /** The receiver has seen the message (or never will). */
  done(message: Message): void {
    this.pool.holder = this.holder;
    message.unref();
  }

  // --- Faults ---

  cut(from: number, to: number): void {
    const link = from * this.nodeCount + to;
    this.cuts[link] = (this.cuts[link] as number) + 1;
  }

  join(from: number, to: number): void {
    const link = from * this.nodeCount + to;
    if ((this.cuts[link] as number) > 0) this.cuts[link] = (this.cuts[link] as number) - 1;
  }

  clog(from: number, to: number): void {
    const link = from * this.nodeCount + to;
    this.clogs[link] = (this.clogs[link] as number) + 1;
  }

  unclog(from: number, to: number): void {
    const link = from * this.nodeCount + to;
    if (this.clogs[link] === 0) return;
    this.clogs[link] = (this.clogs[link] as number) - 1;
    if (this.clogs[link] === 0) this.releaseHeld(link);
  }

  isCut(from: number, to: number): boolean {
    return (this.cuts[from * this.nodeCount + to] as number) > 0;
  }

  isClogged(from: number, to: number): boolean {
    return (this.clogs[from * this.nodeCount + to] as number) > 0;
  }

  /** Event slots of the packets that a clogged link holds, in order. */
  heldOn(from: number, to: number): number[] {
    const slots: number[] = [];
    let slot = this.heldFirst[from * this.nodeCount + to] as number;
    for (; slot !== -1; slot = this.queue.next[slot] as number) slots.push(slot);
    return slots;
  }

  /** No more faults: every link joined and released; delays fall to a tenth. */
  heal(): void {
    this.lossPpm = NEVER;
    this.duplicationPpm = NEVER;
    this.corruptionPpm = NEVER;
    this.delayMean = Math.floor(this.delayMean / 10);
    this.cuts.fill(0);
    this.clogs.fill(0);
    for (let link = 0; link < this.heldFirst.length; link++) this.releaseHeld(link);
  }

  // --- Packets ---

  /** Sent, and lost at once. */
  private lost(from: number, to: number, message: Message, cause: string): void {
    if (this.watch.observer === null) return;
    this.watch.departed('send', from, to, message, -1);
    this.watch.fate('drop', from, to, message, -1, cause);
  }

  private tellFate(what: 'deliver' | 'drop' | 'hold', slot: number, message: Message, cause: string): void {
    const { node, b, c } = this.queue;
    const packet = (c[slot] as number) >> FLAG_BITS;
    this.watch.fate(what, b[slot] as number, node[slot] as number, message, packet, cause);
  }

  private depart(
    link: number,
    from: number,
    to: number,
    message: Message,
    flags: number,
    delay: number,
  ): void {
    this.inFlight[link] = (this.inFlight[link] as number) + 1;
    const number = (this.departed[link] as number) + 1;
    this.departed[link] = number;
    const c = flags | (number << FLAG_BITS);
    this.queue.push(this.time.now + delay, EVENT.deliver, to, message.index, from, c);
  }

  private held(message: Message): Message {
    const pool = this.pool;
    const sender = pool.holder;
    pool.holder = this.holder;
    message.ref();
    pool.holder = sender;
    return message;
  }

  /** A fresh message with 1 to 8 bits of the original flipped, anywhere. */
  private corrupted(message: Message, key: number): Message {
    const pool = this.pool;
    const sender = pool.holder;
    pool.holder = this.holder;
    const size = sizeOf(message);
    const copy = pool.acquire(size);
    pool.holder = sender;
    const end = (size + 3) >> 2;
    for (let i = 0; i < end; i++) copy.words[i] = message.words[i] as number;
    const flips = 1 + (this.decisions.bits(key, DOMAIN.corruptBits) & 7);
    for (let i = 0; i < flips; i++) {
      const part = this.decisions.part(key, i + 1);
      const bit = this.decisions.below(part, DOMAIN.corruptBits, size * 8);
      copy.bytes[bit >> 3] = (copy.bytes[bit >> 3] as number) ^ (1 << (bit & 7));
    }
    return copy;
  }

  private delay(link: number, key: number, domain: number): number {
    const mean = Math.floor((this.delayMean * (this.linkPercent[link] as number)) / 100);
    return (this.delayMin[link] as number) + this.decisions.exponential(key, domain, mean);
  }

  /**
   * Who tells whom what, and for the how manieth time. Words at 224 and 248 hold op, request,
   * session, address or count, depending on the command: facts of the protocol, not times. A
   * commit message is about its commit number, at 232; the words of ping and pong are times.
   */
  private identify(from: number, to: number, message: Message): number {
    const words = message.words;
    const command = commandOf(message);
    let about = words[AT.op >> 2] as number;
    let detail = words[AT.request >> 2] as number;
    if (command === COMMAND.commit) about = words[AT.commit >> 2] as number;
    else if (command === COMMAND.ping || command === COMMAND.pong) about = 0;
    if (command === COMMAND.pingClient || command === COMMAND.pongClient) detail = 0;
    const identity = this.decisions.key(
      FAMILY.message,
      (from << 16) | (to << 8) | command,
      words[AT.view >> 2] as number,
      about,
      detail,
      0,
      0,
    );
    const at = identity & (IDENTITIES - 1);
    // Two identities may share a slot. Starting the count anew for each would decide every resend
    // alike, and a message lost once would be lost for ever: the slot goes on counting.
    const fresh = this.identityKeys[at] === 0;
    this.identityKeys[at] = identity;
    this.identityCounts[at] = fresh ? 0 : (this.identityCounts[at] as number) + 1;
    return this.decisions.copy(identity, this.identityCounts[at] as number);
  }

  private hold(link: number, slot: number): void {
    this.queue.next[slot] = -1;
    const last = this.heldLast[link] as number;
    if (last === -1) this.heldFirst[link] = slot;
    else this.queue.next[last] = slot;
    this.heldLast[link] = slot;
  }

  /** In the order in which they came; all at once, as from a queue that opens. */
  private releaseHeld(link: number): void {
    let slot = this.heldFirst[link] as number;
    this.heldFirst[link] = -1;
    this.heldLast[link] = -1;
    while (slot !== -1) {
      const next = this.queue.next[slot] as number;
      this.queue.insert(slot, this.time.now + (this.delayMin[link] as number));
      slot = next;
    }
  }
}

/** One node's way into the network. */
export class NetworkPort implements Network {
  private readonly network: SimNetwork;
  private readonly node: number;

  constructor(network: SimNetwork, node: number) {
    this.network = network;
    this.node = node;
  }

  send(to: number, message: Message): void {
    this.network.send(this.node, to, message);
  }
}
