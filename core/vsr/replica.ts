/**
 * A replica: one single-threaded state machine driven by messages, I/O completions and timers.
 * This file holds its state, its inputs, and what several protocol sections share. The sections:
 * receive.ts, normal.ts, commit.ts, view_change.ts (with do_view_change.ts, view_headers.ts),
 * repair.ts, recovery.ts, state_sync.ts, reads.ts.
 *
 * Two rules dominate: nothing leaves a replica before the state behind it is durable; and "I do
 * not have it" is a different fact from "I may have had it and lost it". Source: VRR section 4,
 * and reference "vsr".
 */
import { assert, ReplicaFatal } from '../assert.ts';
import { checksumInto, seal } from '../checksum.ts';
import { CANARY, canaryIs } from '../canary.ts';
import {
  CHECKPOINT_STATE_SIZE,
  HEADER_SIZE,
  PROTOCOL_VERSION,
  checkpointAfter,
  checkpointDurable,
  prepareMax,
  prepareOkMax,
  quorumsOf,
  repairMin,
  viewHeadersMax,
  type ChecksumAlgorithm,
  type ClusterConfig,
  type Quorums,
} from '../constants.ts';
import { AT, COMMAND, commandOf, replicaOf, viewOf, type Command } from '../message/header.ts';
import { type Message, type MessagePool } from '../message/pool.ts';
import { copyWords, regionOf, zeroWords, type Region } from '../message/region.ts';
import { type Clock, type Network, type Rng, type Storage, type StorageResult } from '../ports.ts';
import { CHECKPOINT, checkpointOpAt } from '../storage/checkpoint_state.ts';
import { ClientReplies, type ClientRepliesListener } from '../storage/client_replies.ts';
import { zonesOf, type Zones } from '../storage/data_file.ts';
import { Grid, type GridListener } from '../storage/grid.ts';
import { Journal, type JournalListener } from '../storage/journal.ts';
import { Superblock, type SuperblockListener } from '../storage/superblock.ts';
import { StateMachine, type StateMachineListener } from '../kernel/state_machine.ts';
import { op as toOp, replicaIndex as toReplicaIndex, saturatingSub, view as toView } from '../units.ts';
import { type Op, type ReplicaIndex, type View } from '../units.ts';
import { ClientSessions } from './client_sessions.ts';
import * as commit from './commit.ts';
import * as doViewChange from './do_view_change.ts';
import * as normal from './normal.ts';
import { type ReplicaObserver } from './observer.ts';
import { EarlyPrepares, Pipeline, PrepareCache } from './pipeline.ts';
import * as reads from './reads.ts';
import { assertInvariants, dispatch, receive } from './receive.ts';
import * as recovery from './recovery.ts';
import * as repair from './repair.ts';
import * as stateSync from './state_sync.ts';
import { TIMER, Timeouts } from './timeouts.ts';
import * as viewChange from './view_change.ts';

export type Status = 'recovering' | 'recovering_head' | 'normal' | 'view_change';

/** Where the commit of the next op waits. */
export type CommitStage =
  | 'idle'
  | 'reading_prepare'
  | 'state_machine'
  | 'replies'
  | 'flushing_replies'
  | 'checkpoint'
  | 'superblock';

/** Installing a checkpoint of others: nothing else is processed meanwhile. */
export type Syncing = 'idle' | 'updating_superblock';

export interface ReplicaOptions {
  readonly config: ClusterConfig;
  /** 16 bytes. */
  readonly cluster: Region;
  readonly replicaIndex: number;
  readonly replicaCount: number;
  readonly clock: Clock;
  readonly network: Network;
  readonly storage: Storage;
  readonly rng: Rng;
  readonly pool: MessagePool;
  readonly observer: ReplicaObserver;
}

/** Requests that wait for a place in the pipeline (17.4: a bound, and refusal past it). */
const REQUEST_QUEUE_MAX = 1024;

export class Replica
  implements
    SuperblockListener,
    JournalListener,
    GridListener,
    ClientRepliesListener,
    StateMachineListener
{
  readonly config: ClusterConfig;
  readonly cluster: Region;
  readonly replicaIndex: ReplicaIndex;
  readonly replicaCount: number;
  readonly quorums: Quorums;
  readonly algorithm: ChecksumAlgorithm;
  readonly clock: Clock;
  readonly network: Network;
  readonly rng: Rng;
  readonly pool: MessagePool;
  readonly observer: ReplicaObserver;
  readonly zones: Zones;

  readonly superblock: Superblock;
  readonly journal: Journal;
  readonly grid: Grid;
  readonly replies: ClientReplies;
  readonly stateMachine: StateMachine;
  readonly sessions: ClientSessions;
  readonly timeouts: Timeouts;

  status: Status = 'recovering';
  recoveryStage: recovery.RecoveryStage = 'superblock';
  view: View = toView(0);
  /** The latest view in which this replica's head was fixed; not the view of the last entry. */
  logView: View = toView(0);
  /** Head: the highest op in the log. */
  op: Op = toOp(0);
  /** Highest op executed here. */
  commitMin: Op = toOp(0);
  /** Highest op known committed; may exceed `op` on a lagging backup. */
  commitMax: Op = toOp(0);
  /** Primary: what the backups were last told, and the size of the prepares committed since. */
  commitTold = 0;
  commitSizeUntold = 0;
  /** Checksum of the prepare at `commitMin`: what the next one must name as its parent. */
  readonly commitChecksum: Region = regionOf(new Uint8Array(32));
  prepareTimestamp = 0;
  commitTimestamp = 0;

  /** The checkpoint this replica stands on (durable), its id and its op. */
  readonly checkpoint: Region = regionOf(new Uint8Array(CHECKPOINT_STATE_SIZE));
  readonly checkpointId: Region = regionOf(new Uint8Array(32));
  checkpointOp = 0;
  /** The superblock is being told of the checkpoint in `checkpointStaging`, cut here. */
  checkpointUpdating = false;
  /** The checkpoint being cut or installed. */
  readonly checkpointStaging: Region = regionOf(new Uint8Array(CHECKPOINT_STATE_SIZE));

  /** Fixes the log at `logView`: DVC form while logView < view, SV form while equal. */
  readonly viewHeaders: Region;
  viewHeadersCount = 0;
  /** Scratch for one list; never held across calls. */
  readonly viewHeadersScratch: Region;

  readonly pipeline: Pipeline;
  readonly cache: PrepareCache;
  readonly early: EarlyPrepares;

  /** Votes to leave the current view: a bit per replica. */
  svcVotes = 0;
  readonly dvcs: (Message | null)[] = [];
  /** Elected: the DVC quorum is complete and its log is installed. */
  dvcQuorum = false;
  /** Silent primary: no acks for too long. */
  abdicating = false;
  heartbeatStampSeen = 0;
  lastSignOfLife = 0;
  /** Random per process start: proves that a start_view was made after it. */
  readonly nonce: Region = regionOf(new Uint8Array(16));

  commitStage: CommitStage = 'idle';
  /** The op whose prepare `reading_prepare` waits for. */
  commitReadOp = 0;
  syncing: Syncing = 'idle';
  /** The checkpoint's trailers are read: ops can be executed and sessions consulted. */
  stateOpen = false;
  syncOpMin = 0;
  syncOpMax = 0;
  /** All blocks of the current checkpoint are here. */
  blocksComplete = true;

  readonly repairState: repair.RepairState;
  readonly readState: reads.ReadState;
  /** A view or log view is on its way to the superblock. */
  viewPersisting = false;
  /** Elected: the SV-form list was handed to the superblock; the SV was broadcast. */
  startViewPersisted = false;
  startViewSent = false;

  private readonly loopback: Message[] = [];
  private started = false;

  constructor(options: ReplicaOptions) {
    const { config } = options;
    this.config = config;
    this.cluster = options.cluster;
    this.replicaIndex = toReplicaIndex(options.replicaIndex);
    this.replicaCount = options.replicaCount;
    assert(this.replicaIndex < this.replicaCount, 'replica: index', this.replicaIndex);
    this.quorums = quorumsOf(options.replicaCount);
    this.algorithm = config.checksumAlgorithm;
    this.clock = options.clock;
    this.network = options.network;
    this.rng = options.rng;
    this.pool = options.pool;
    this.observer = options.observer;
    this.zones = zonesOf(config);

    const { storage, cluster, pool } = options;
    const checksumAlgorithm = config.checksumAlgorithm;
    this.superblock = new Superblock({ config, zones: this.zones, storage, listener: this });
    this.journal = new Journal({
      config,
      zones: this.zones,
      storage,
      pool,
      cluster,
      checksumAlgorithm,
      replicaCount: options.replicaCount,
      listener: this,
    });
    this.grid = new Grid({
      config,
      zones: this.zones,
      storage,
      pool,
      cluster,
      checksumAlgorithm,
      listener: this,
    });
    this.replies = new ClientReplies({
      config,
      zones: this.zones,
      storage,
      pool,
      cluster,
      checksumAlgorithm,
      listener: this,
    });
    this.stateMachine = new StateMachine({
      config,
      grid: this.grid,
      pool,
      checksumAlgorithm,
      listener: this,
    });
    this.sessions = new ClientSessions(config.clientsMax);
    this.timeouts = new Timeouts(options.clock, options.rng.fork('timeouts'));
    this.viewHeaders = regionOf(new Uint8Array(viewHeadersMax(config) * HEADER_SIZE));
    this.viewHeadersScratch = regionOf(new Uint8Array(viewHeadersMax(config) * HEADER_SIZE));
    const queue = Math.min(REQUEST_QUEUE_MAX, config.clientsMax);
    this.pipeline = new Pipeline(config.pipelineMax, queue);
    this.cache = new PrepareCache(2 * config.pipelineMax);
    this.early = new EarlyPrepares(2 * config.pipelineMax);
    for (let i = 0; i < options.replicaCount; i++) this.dvcs.push(null);
    this.repairState = repair.newRepairState(options.replicaCount);
    this.readState = reads.newReadState();
  }

  /** Opens the data file and recovers; the replica speaks once it knows what it promised. */
  start(): void {
    assert(!this.started, 'replica: started twice');
    this.started = true;
    for (let i = 0; i < 4; i++) this.nonce.words[i] = this.rng.u32();
    this.nonce.words[0] = (this.nonce.words[0] as number) | 1; // Zero means "unsolicited".
    this.superblock.open();
  }

  // --- Inputs ---

  /** The caller keeps its reference. */
  onMessage(message: Message): void {
    receive(this, message);
    this.drain();
  }

  onStorage(token: number, result: StorageResult): void {
    const component = token >>> 24;
    if (component === 1) this.superblock.onStorage(token, result);
    else if (component === 2) this.journal.onStorage(token, result);
    else if (component === 3) this.grid.onStorage(token, result);
    else if (component === 4) this.replies.onStorage(token, result);
    else assert(false, 'replica: storage token', token);
    this.drain();
  }

  onTimer(timer: number): void {
    this.timeouts.fired(timer);
    switch (timer) {
      case TIMER.prepare: normal.onPrepareTimeout(this); break;
      case TIMER.primaryAbdicate: normal.onAbdicateTimeout(this); break;
      case TIMER.commitMessage: normal.onCommitMessageTimeout(this); break;
      case TIMER.normalHeartbeat: viewChange.onHeartbeatTimeout(this); break;
      case TIMER.svcWindow: viewChange.onSvcWindowTimeout(this); break;
      case TIMER.svcMessage: viewChange.onSvcMessageTimeout(this); break;
      case TIMER.viewChangeStatus: viewChange.onViewChangeStatusTimeout(this); break;
      case TIMER.dvcMessage: doViewChange.onDvcMessageTimeout(this); break;
      case TIMER.rsvMessage: viewChange.onRsvMessageTimeout(this); break;
      case TIMER.journalRepair: repair.onJournalRepairTimeout(this); break;
      case TIMER.repairSync: repair.onRepairSyncTimeout(this); break;
      case TIMER.blockRepair: repair.onBlockRepairTimeout(this); break;
      case TIMER.readIndex: reads.onReadIndexTimeout(this); break;
      default: assert(false, 'replica: timer', timer);
    }
    this.drain();
  }

  // --- Completions of the components ---

  superblockOpened(): void {
    recovery.superblockOpened(this);
  }

  superblockUpdated(): void {
    if (this.status === 'recovering' && !recovery.superblockUpdated(this)) return;
    commit.superblockUpdated(this);
    stateSync.superblockUpdated(this);
    viewChange.superblockUpdated(this);
  }

  journalRecovered(): void {
    recovery.journalRecovered(this);
  }

  prepareWritten(message: Message): void {
    normal.prepareWritten(this, message);
  }

  prepareWriteSuperseded(_message: Message): void {
    repair.continueRepair(this);
  }

  prepareRead(token: number, message: Message | null): void {
    repair.prepareRead(this, token, message);
  }

  gridRead(token: number, block: Message): void {
    this.stateMachine.onGridRead(token, block);
  }

  gridReadLost(token: number): void {
    this.stateMachine.onGridReadLost(token);
  }

  gridWantsDone(): void {
    this.stateMachine.onGridWantsDone();
  }

  gridWriteDone(): void {
    this.stateMachine.onGridWriteDone();
  }

  gridFlushed(): void {
    this.stateMachine.onGridFlushed();
  }

  gridRepairWanted(): void {
    repair.blockRepairWanted(this);
  }

  gridBlockServed(token: number, block: Message | null): void {
    repair.blockServed(this, token, block);
  }

  replyRead(token: number, message: Message | null): void {
    normal.replyRead(this, token, message);
  }

  repliesWritable(): void {
    if (this.commitStage === 'replies') {
      this.commitStage = 'idle';
      commit.commitLoop(this);
    }
  }

  repliesFlushed(): void {
    commit.repliesFlushed(this);
  }

  stateMachineOpened(): void {
    recovery.stateMachineOpened(this);
  }

  stateMachineReady(): void {
    if (this.commitStage === 'state_machine') {
      this.commitStage = 'idle';
      commit.commitLoop(this);
    }
  }

  stateMachineCheckpointed(): void {
    commit.stateMachineCheckpointed(this);
  }

  stateMachineQueried(query: Message, reply: Message): void {
    reads.answered(this, query, reply);
  }

  stateMachineSynced(): void {
    stateSync.blocksSynced(this);
  }

  // --- What the sections share ---

  get viewDurable(): number {
    return this.superblock.working.view;
  }

  get logViewDurable(): number {
    return this.superblock.working.logView;
  }

  primaryOf(v: number): number {
    return v % this.replicaCount;
  }

  get isPrimary(): boolean {
    return this.primaryOf(this.view) === this.replicaIndex;
  }

  get prepareMax(): number {
    return prepareMax(this.config, this.checkpointOp);
  }

  /** Highest op that may be acknowledged: less while blocks of a synced checkpoint are missing. */
  get prepareOkMax(): number {
    if (this.blocksComplete || checkpointDurable(this.config, this.checkpointOp, this.commitMax)) {
      return prepareOkMax(this.config, this.checkpointOp);
    }
    return this.checkpointOp + this.config.pipelineMax;
  }

  get repairMin(): number {
    return repairMin(this.config, this.checkpointOp, this.commitMax, this.op);
  }

  /** Offset of the head's header in `journal.headers`. */
  headAt(): number {
    const at = this.journal.headerAt(this.op);
    assert(at !== -1, 'replica: the head has no header', this.op);
    return at;
  }

  /** A zeroed message with its frame filled; the caller seals, sends and drops it. */
  createMessage(command: Command, bodySize = 0): Message {
    const message = this.pool.acquire(HEADER_SIZE + bodySize);
    zeroWords(message, 0, HEADER_SIZE);
    copyWords(this.cluster, 0, message, AT.cluster, 16);
    const fields = message.fields;
    fields.setUint32(AT.size, HEADER_SIZE + bodySize, true);
    fields.setUint32(AT.view, this.view, true);
    fields.setUint16(AT.protocol, PROTOCOL_VERSION, true);
    fields.setUint8(AT.command, command);
    fields.setUint8(AT.replica, this.replicaIndex);
    return message;
  }

  seal(message: Message): void {
    seal(this.algorithm, message);
  }

  /**
   * Sends a sealed message. Authored messages pass the durability filter (6.4): a view is not
   * shown before it is durable, and no log claim before the log view is. Nothing is lost by a
   * drop: the completion of the superblock write sends again.
   */
  send(to: number, message: Message): void {
    if (to < this.replicaCount && !this.mayShow(message)) return;
    if (to === this.replicaIndex) this.loopback.push(message.ref());
    else this.network.send(to, message);
  }

  sendToOthers(message: Message): void {
    for (let to = 0; to < this.replicaCount; to++) {
      if (to !== this.replicaIndex) this.send(to, message);
    }
  }

  private mayShow(message: Message): boolean {
    const command = commandOf(message);
    switch (command) {
      case COMMAND.startViewChange:
        return viewOf(message) <= this.viewDurable || canaryIs(CANARY.viewNotDurable);
      case COMMAND.doViewChange:
      case COMMAND.startView:
      case COMMAND.prepareOk:
      case COMMAND.commit:
        if (viewOf(message) <= this.viewDurable && this.logViewDurable >= this.logView) return true;
        return canaryIs(CANARY.viewNotDurable);
      case COMMAND.prepare:
        return replicaOf(message) !== this.replicaIndex || viewOf(message) <= this.viewDurable;
      default:
        return true;
    }
  }

  ignore(message: Message, reason: string): void {
    this.observer.ignored(this, commandOf(message), reason);
  }

  setStatus(status: Status): void {
    this.status = status;
    this.observer.statusChanged(this);
  }

  /** Raises `commitMax`, never lowers it. */
  advanceCommitMax(commitMax: number): void {
    if (commitMax > this.commitMax) this.commitMax = toOp(commitMax);
  }

  /** Adopts the durable checkpoint in `checkpointStaging` as the one this replica stands on. */
  adoptCheckpoint(): void {
    copyWords(this.checkpointStaging, 0, this.checkpoint, 0, CHECKPOINT_STATE_SIZE);
    this.checkpointOp = checkpointOpAt(this.checkpoint, 0);
    checksumInto(this.algorithm, this.checkpoint, 0, CHECKPOINT_STATE_SIZE, this.checkpointId, 0);
  }

  /**
   * The half id that a prepare at `op` must carry: that of the checkpoint before the one it
   * builds on (9.3), one interval behind, so that it does not depend on who has finished what.
   * Writes 16 bytes at `targetAt`; false when this replica cannot know it.
   */
  checkpointIdFor(op: number, target: Region, targetAt: number): boolean {
    const c = this.checkpointOp;
    const next = checkpointAfter(this.config, c);
    if (op > checkpointAfter(this.config, next)) return false;
    if (op > next) {
      copyWords(this.checkpointId, 0, target, targetAt, 16);
    } else if (op > c) {
      copyWords(this.checkpoint, CHECKPOINT.parentId, target, targetAt, 16);
    } else if (op > saturatingSub(c, this.config.checkpointInterval)) {
      copyWords(this.checkpoint, CHECKPOINT.grandparentId, target, targetAt, 16);
    } else {
      return false;
    }
    return true;
  }

  /** Writes `view`, `logView` and the view headers; the completion releases what waits for them. */
  persistView(): void {
    this.superblock.update({
      view: this.view,
      logView: this.logView,
      commitMax: Math.max(this.commitMax, this.superblock.working.commitMax),
      viewHeaders: { region: this.viewHeaders, at: 0, count: this.viewHeadersCount },
    });
  }

  fatal(code: string, text: string): never {
    throw new ReplicaFatal(code, `Replica ${this.replicaIndex}: ${text}`);
  }

  private drain(): void {
    const loopback = this.loopback;
    if (loopback.length > 0) {
      for (let i = 0; i < loopback.length; i++) {
        const message = loopback[i] as Message;
        dispatch(this, message);
        message.unref();
      }
      loopback.length = 0;
    }
    assertInvariants(this);
  }
}
