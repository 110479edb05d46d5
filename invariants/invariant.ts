/**
 * What a checker is, and what it is shown.
 *
 * A checker holds one claim (one file, one id, one entry in specs/invariants.md). It is shown what
 * happened: real messages, the true bytes of the disks, what clients sent and received. It never
 * asks a replica for its opinion of itself. It reports a violation with `context.fail(id, …)` and
 * counts every comparison of two independent facts in `comparisons`: a run in which a required
 * checker compared nothing is vacuous, not passed.
 *
 * Cost: O(1) an event, O(replicas) a commit, no allocation on either; sweeps over disks happen at
 * checkpoints and at the end. State is plain enumerable data, so the simulator can snapshot it.
 * Messages are lent for the duration of the call: a checker copies what it keeps.
 */
import { type ClusterConfig } from '../core/constants.ts';
import { type Region } from '../core/message/region.ts';
import { type Zones } from '../core/storage/data_file.ts';
import { type OpenCalls } from './calls.ts';
import { type History } from './history.ts';
import { type Nodes } from './nodes.ts';
import { type StreamSweep } from './stream_sweep.ts';

/** One replica's disk as it truly is: neither read faults nor the replica's caches are in the way. */
export interface TrueDisk {
  /** Fills `target` with the newest bytes the disk has accepted (durable or not), faults withdrawn. */
  readTrue(offset: number, target: Uint8Array): void;
  /** Fills `target` with what power loss now would leave at the least: the last synced bytes. */
  readDurable(offset: number, target: Uint8Array): void;
}

/** What the world lends to checkers. Implemented by the simulator, and by small fakes in tests. */
export interface CheckContext {
  readonly config: ClusterConfig;
  readonly zones: Zones;
  /** 16 bytes. */
  readonly cluster: Region;
  readonly replicaCount: number;
  readonly clientCount: number;
  /** True virtual time in microseconds (no node's clock). */
  now(): number;
  disk(node: number): TrueDisk;
  /**
   * Records a violation; the first one of a run is its failure. Returns normally: the world stops
   * after the event. `message` states the two facts that contradict.
   */
  fail(id: string, message: string): void;
}

/** The journal's memory right after recovery: what the replica will vouch for. Shape of Journal. */
export interface RecoveredJournal {
  /** journalSlots x 256. */
  readonly headers: Region;
  readonly dirty: Uint8Array;
  readonly faulty: Uint8Array;
  /** journalSlots x 32; meaningful where `prepareInhabited` is 1. */
  readonly prepareChecksum: Region;
  readonly prepareInhabited: Uint8Array;
}

/**
 * All hooks are optional. `node` and `client` are indices from 0. Order within one event: the
 * canonical history is extended first, then checkers run in order of registration.
 */
export interface Checker {
  readonly id: string;
  /** Comparisons of real bytes or real observations made so far. */
  comparisons: number;

  // --- Nodes ---
  /** A process of `node` starts (the first time too), before it has read anything. */
  onStarted?(node: number): void;
  /** The journal of `node` finished its recovery scan; the disk is as it was found. */
  onRecovered?(node: number, journal: RecoveredJournal): void;
  /** The process is gone: crash, kill, power loss. Unsynced writes have met their fate. */
  onStopped?(node: number): void;
  /** A replica ended by an exception. `injected`: a fault that we planted entitles it to. */
  onPanicked?(node: number, name: string, message: string, injected: boolean): void;
  /** Status, view or log_view of `node` changed. */
  onView?(node: number, view: number, logView: number): void;
  /** `node` executed `op`. `prepare`: the real message; `reply`: what it would answer, if anything. */
  onCommitted?(node: number, op: number, prepare: Region, reply: Region | null): void;
  /** A superblock of `node` with checkpoint `op` is durable (cut here, or installed by state sync). */
  onCheckpointed?(node: number, op: number): void;
  /** `node` gave up its log and continues from a checkpoint of its peers: ops up to `toOp` are skipped. */
  onSynced?(node: number, toOp: number): void;
  /** `node` put a reply on the wire. */
  onReplySent?(node: number, reply: Region): void;
  /** `node` put a prepare_ok, do_view_change or start_view on the wire: it promises durable facts. */
  onPromiseSent?(node: number, message: Region): void;

  // --- Clients. One call in flight each; time is context.now() ---
  /** A client begins a request or a query; `body` is the operation's body alone. */
  onCalled?(client: number, operation: number, body: Uint8Array): void;
  /** The client accepted this reply or query reply (whole message, body at 256) to its open call. */
  onReturned?(client: number, reply: Region): void;
  /** The client gave up (evicted, session lost): the call may have taken effect, may do so, or never. */
  onAbandoned?(client: number): void;

  // --- Systems of one's own: plain data instead of bytes ---
  /** A client begins a call. */
  onInvoked?(client: number, operation: unknown): void;
  /** Its open call is answered. */
  onAnswered?(client: number, answer: unknown): void;
  /** `node` told of something by its `report`. */
  onReported?(node: number, what: string, value: unknown): void;

  // --- Phases ---
  /** Faults are over. `core`: bit per node that must now converge and answer. */
  onHealed?(core: number): void;
  /** Asked now and then in the heal phase: false while there is a reason to wait before the end. */
  settled?(): boolean;
  /** At the end, for each core node: one record that lies on its disk under its checkpoint. */
  onStreamRecord?(sweep: StreamSweep): void;
  /** All records of `node` were shown; its durable checkpoint is that of `checkpointOp`. */
  onStreamsSwept?(node: number, checkpointOp: number): void;
  /** The run is over, everything that could settle has settled, and the disks were swept. */
  atEnd?(): void;
}

/** Kept once by the suite and read by all checkers. */
export interface Observed {
  /** What has committed, by op. */
  readonly history: History;
  /** What each client is waiting for. */
  readonly calls: OpenCalls;
  /** How far each node has come, as of before the event now being shown. */
  readonly nodes: Nodes;
}

/** One line of the registry. */
export interface CheckerEntry {
  readonly id: string;
  /** The claim in one sentence, as in specs/invariants.md. */
  readonly claim: string;
  readonly create: (context: CheckContext, observed: Observed) => Checker;
}

/** The first bytes of every event payload a simulated workload appends: u32 client, u32 serial. */
export const EVENT_ID_SIZE = 8;

/** Writes the unique id of a client's `serial`-th event; the workload calls it, checkers read it. */
export function writeEventId(target: Uint8Array, at: number, client: number, serial: number): void {
  target[at] = client & 0xff;
  target[at + 1] = (client >>> 8) & 0xff;
  target[at + 2] = (client >>> 16) & 0xff;
  target[at + 3] = (client >>> 24) & 0xff;
  target[at + 4] = serial & 0xff;
  target[at + 5] = (serial >>> 8) & 0xff;
  target[at + 6] = (serial >>> 16) & 0xff;
  target[at + 7] = (serial >>> 24) & 0xff;
}
