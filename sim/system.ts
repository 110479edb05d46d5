/**
 * What the simulator can run: nodes with a disk each, and clients that call them. Kimberlite is one
 * system (kimberlite.ts); one's own component, written against the ports, is another
 * (define_system.ts). Faults, bundles and searches know no difference.
 *
 * A system is stateless: all that changes in a run lives in the objects it makes, as plain data that
 * a snapshot can see. What it makes depends on the arguments alone.
 */
import { type PlainData } from '../bundles/format.ts';
import { type NodePorts, type NodeProcess } from '../core/component.ts';
import { type ClusterConfig } from '../core/constants.ts';
import { type Message, type MessagePool } from '../core/message/pool.ts';
import { type Region } from '../core/message/region.ts';
import { type Network } from '../core/ports.ts';
import { type ReplicaOptions } from '../core/vsr/replica.ts';
import { type History } from '../invariants/history.ts';
import { type CheckerEntry } from '../invariants/invariant.ts';
import { type Canary } from './canaries.ts';
import { type Counters } from './counters.ts';
import { type Decisions } from './decide.ts';
import { type Plan } from './plan.ts';
import { type SimClock } from './ports/sim_clock.ts';
import { type SimDisk } from './ports/sim_storage.ts';
import { type Words } from './words.ts';

/** A client and its loop of operations: one is open at a time. */
export interface ClientProcess {
  /** Set by the world: no new operations, what is open shall finish. */
  stopped: boolean;
  /** All operations are done. */
  readonly finished: boolean;
  /** Nothing is open. */
  readonly settled: boolean;
  /** Once, at the client's first instant; `ClientHost.clientRests` leads to the first `begin`. */
  start(): void;
  /** The rest is over: the next operation. */
  begin(): void;
  onMessage(message: Message): void;
  onTimer(timer: number): void;
}

/** What the world does for its clients. `client` counts from 0. */
export interface ClientHost {
  clientCalled(client: number, operation: number, body: Uint8Array): void;
  clientReturned(client: number, reply: Message): void;
  /** The same for systems whose operations and answers are plain data. */
  clientInvoked(client: number, operation: PlainData): void;
  clientAnswered(client: number, answer: PlainData): void;
  clientAbandoned(client: number): void;
  /** Calls `begin` of this client after `delayMicros`. */
  clientRests(client: number, delayMicros: number): void;
}

/** What a node's process is made with. */
export interface NodeOptions extends ReplicaOptions, NodePorts {}

export interface ClientOptions {
  readonly host: ClientHost;
  readonly plan: Plan;
  /** 16 bytes. */
  readonly cluster: Region;
  /** From 0. */
  readonly client: number;
  readonly clock: SimClock;
  readonly network: Network;
  readonly pool: MessagePool;
  readonly decisions: Decisions;
  readonly counters: Counters;
}

export interface FormatRequest {
  readonly config: ClusterConfig;
  readonly cluster: Region;
  readonly replicaIndex: number;
  readonly replicaCount: number;
  readonly write: (offset: number, bytes: Uint8Array) => void;
}

export interface DiskShape {
  /** Bytes, whole sectors. */
  readonly size: number;
  /**
   * The first bytes hold copies of what lies nowhere else: faults spoil at most one copy at a time.
   * 0: no such place.
   */
  readonly superblockSize: number;
}

/** Where rot may strike, so that what the system promises to survive is all that happens to it. */
export interface Atlas {
  /**
   * Lays `overlay` over up to `sectors` sectors that hold something, somewhere on this node's disk;
   * `pick` says where. Returns the number of sectors hit.
   */
  plant(disk: SimDisk, node: number, pick: number, sectors: number, overlay: number): number;
}

export interface GroupOptions {
  readonly plan: Plan;
  /** By node; null: no process. Shared with the world. */
  readonly nodes: readonly (NodeProcess | null)[];
  readonly decisions: Decisions;
  readonly history: History;
}

/** What one run must know of its nodes as a group. Plain state, saved with the world. */
export interface NodeGroup {
  readonly atlas: Atlas;
  /** The node that faults on the primary hit; some node when there is none. */
  primary(): number;
  /** A process is about to start on a disk that another one has used. */
  restarting(node: number, disk: SimDisk): void;
  /** Why the nodes have not come to rest, all of them running and all faults over; or null. */
  unsettled(): string | null;
}

export interface System {
  /** Plans and bundles carry it. */
  readonly name: string;
  readonly checkers: readonly CheckerEntry[];
  readonly canaries: readonly Canary[];
  /** Left out: numbers instead of words. */
  readonly words?: Words;
  disk(config: ClusterConfig): DiskShape;
  /** Writes what a new disk holds. */
  format(request: FormatRequest): void;
  /** A process on a formatted disk; the world calls its `start`. */
  createNode(options: NodeOptions): NodeProcess;
  createClient(options: ClientOptions): ClientProcess;
  createGroup(options: GroupOptions): NodeGroup;
}
