/**
 * The state machine that replication drives: the kernel's state, the event log, and their form
 * under a checkpoint.
 *
 * `commit` executes at once and in memory; `checkpoint` makes what was executed durable as blocks;
 * `open` gets it back. Behaviour and bytes are functions of the committed ops only: a replica that
 * opened a checkpoint and one that executed its way there are the same.
 */
import { assert, ReplicaFatal } from '../assert.ts';
import { canaryIs, CANARY } from '../canary.ts';
import { HEADER_SIZE, type ChecksumAlgorithm, type ClusterConfig } from '../constants.ts';
import { Blake3 } from '../crypto/blake3.ts';
import { AT, operationOf, setSize, sizeOf } from '../message/header.ts';
import { type Message, type MessagePool } from '../message/pool.ts';
import { readU64, regionOf, writeU64, zeroWords, type Region } from '../message/region.ts';
import {
  CHECKPOINT,
  checkpointOpAt,
  TRAILER,
  TRAILER_COUNT,
  TRAILER_REF,
  trailerRefAt,
} from '../storage/checkpoint_state.ts';
import { zonesOf } from '../storage/data_file.ts';
import { EventLog } from '../storage/event_log.ts';
import { type Grid } from '../storage/grid.ts';
import { manifestSizeMax } from '../storage/log_manifest.ts';
import { StreamIndex } from '../storage/stream_index.ts';
import { Trailer } from '../storage/trailer.ts';
import { BODY, REPLY } from './commands.ts';
import { EventReader, type EventRead } from './event_reader.ts';
import { IDEMPOTENCY } from './idempotency.ts';
import { InputRules } from './input.ts';
import { apply, type Command } from './kernel.ts';
import { isKernelCommand, KERNEL, kernelLimits, NAME_LENGTH_MAX, RESULT } from './operations.ts';
import { answerListStreams, answerStreamInfo, findReadStream } from './queries.ts';
import { KernelState } from './state.ts';

export interface StateMachineListener {
  /** After `open`; may be called from there, when all blocks were in memory. */
  stateMachineOpened(): void;
  /** `canCommit` said false and would say true now. */
  stateMachineReady(): void;
  /** Everything under the checkpoint is durable; `fillCheckpointState` may be called. */
  stateMachineCheckpointed(): void;
  /**
   * The answer to a query; may be called from `query`. Both references pass to the callee. The
   * reply's header is zero but for its size: the callee completes and seals it.
   */
  stateMachineQueried(query: Message, reply: Message): void;
  /** After `syncBlocks`; may be called from there. */
  stateMachineSynced(): void;
}

export interface StateMachineOptions {
  readonly config: ClusterConfig;
  readonly grid: Grid;
  readonly pool: MessagePool;
  readonly checksumAlgorithm: ChecksumAlgorithm;
  readonly listener: StateMachineListener;
}

/** Grid read tokens. */
const TOKEN = { trailer: 0x100, manifestNode: 0x200, query: 0x300 } as const;

/** Queries that wait for a free read; more are refused as busy. */
const QUERIES_QUEUED_MAX = 96;
/** Bytes of one entry of the session trailer, generously. */
const SESSION_SIZE_MAX = 512;
/** Above this a client gets no state digest: it is computed in one piece, at about 0.05 us a byte. */
const DIGEST_QUERY_SIZE_MAX = 4 << 20;

/** The order in which trailers are written and read. The free set is last: all others acquire. */
const WRITE_ORDER = [
  TRAILER.clientSessions,
  TRAILER.kernel,
  TRAILER.idempotency,
  TRAILER.manifest,
  TRAILER.freeSetAcquired,
  TRAILER.freeSetReleased,
] as const;

export class StateMachine {
  readonly config: ClusterConfig;
  readonly rules: InputRules;
  readonly state: KernelState;
  readonly log: EventLog;
  /** What the opened checkpoint holds of the sessions; empty for a fresh cluster. */
  readonly openedSessions: { region: Region; length: number };
  private readonly grid: Grid;
  private readonly pool: MessagePool;
  private readonly listener: StateMachineListener;
  private readonly trailers: Trailer[] = [];
  private readonly reader: EventReader;
  private readonly queued: Message[] = [];
  private readonly command: Command;
  private stage: 'closed' | 'opening' | 'open' | 'checkpoint' | 'flushing' = 'closed';
  /** Place in `WRITE_ORDER` of the trailer being written or read; past its end: the manifest's nodes. */
  private trailerNext = 0;
  private checkpointOp = 0;
  private checkpointRefs: Region;
  private sessions: Region;
  /** Content of the trailer being written or read. Grows to the largest. */
  private content: Region = regionOf(new Uint8Array(4096));
  private readonly freeSetAcquired: Region;
  private readonly freeSetReleased: Region;
  private commitWaiting = false;
  private syncing = false;
  /** Op of the checkpoint that this process opened. Nothing may depend on it; one canary does. */
  private openedOp = 0;

  constructor(options: StateMachineOptions) {
    const { config, grid, checksumAlgorithm } = options;
    this.config = config;
    this.grid = grid;
    this.pool = options.pool;
    this.listener = options.listener;
    this.rules = new InputRules(config);
    this.state = new KernelState(config);
    const sizes = trailerSizesMax(config, grid);
    let blocksReserved = MANIFEST_NODES_RESERVED;
    for (let kind = 0; kind < TRAILER_COUNT; kind++) {
      const sizeMax = sizes[kind] as number;
      const readToken = TOKEN.trailer + kind;
      const trailer = new Trailer({ config, grid, checksumAlgorithm, kind, sizeMax, readToken });
      this.trailers.push(trailer);
      blocksReserved += trailer.blockCount(sizeMax);
    }
    this.log = new EventLog({ config, grid, checksumAlgorithm, blocksReserved });
    this.reader = new EventReader(this.log, TOKEN.query);
    this.freeSetAcquired = regionOf(new Uint8Array(grid.freeSet.encodedSize));
    this.freeSetReleased = regionOf(new Uint8Array(grid.freeSet.encodedSize));
    this.checkpointRefs = this.content;
    this.sessions = this.content;
    this.openedSessions = { region: regionOf(new Uint8Array(4)), length: 0 };
    this.command = {
      operation: 0,
      region: this.content,
      at: 0,
      length: 0,
      op: 0,
      timestampMicros: 0,
      hash: this.content,
      hashAt: 0,
    };
  }

  // --- Commands ---

  /** Why a request or query must be refused before anything is done with it, or null. Pure. */
  inputProblem(operation: number, region: Region, at: number, length: number): string | null {
    return this.rules.problem(operation, region, at, length);
  }

  /** Events that the op will append (1 for other commands): they take as many nanoseconds. */
  eventCount(operation: number, region: Region, at: number, _length: number): number {
    return this.rules.eventCount(operation, region, at);
  }

  /** False while a checkpoint is being written, or writes of blocks are behind. */
  canCommit(): boolean {
    const can = this.stage === 'open' && this.grid.canWrite();
    if (!can) this.commitWaiting = true;
    return can;
  }

  /**
   * Executes the prepare's command; the reply's body goes to `reply` from byte 256 on. Returns its
   * length; 0 for an operation that is not the kernel's. Requires: `canCommit`.
   */
  commit(
    op: number,
    timestampMicros: number,
    operation: number,
    prepare: Message,
    reply: Message,
  ): number {
    assert(this.stage === 'open', 'state machine: commit while not open', op);
    if (!isKernelCommand(operation)) return 0;
    const { command } = this;
    command.operation = operation;
    command.region = prepare;
    command.at = HEADER_SIZE;
    command.length = sizeOf(prepare) - HEADER_SIZE;
    command.op = op;
    command.timestampMicros = timestampMicros;
    command.hash = prepare;
    command.hashAt = AT.checksumBody;
    const length = apply(this.state, this.rules, command, this.log, reply, HEADER_SIZE);
    command.region = this.content; // The prepare is borrowed.
    command.hash = this.content;
    return length;
  }

  // --- Checkpoints ---

  /**
   * Writes everything executed so far under a checkpoint of `op`, the op executed last.
   * `sessions` stays unchanged until `stateMachineCheckpointed`.
   */
  checkpoint(op: number, sessions: Region, sessionsLength: number): void {
    assert(this.stage === 'open', 'state machine: checkpoint while not open', op);
    this.stage = 'checkpoint';
    this.checkpointOp = op;
    this.sessions = sessions;
    this.log.sealAll(op);
    // All addresses first: they must not depend on how the writes proceed.
    this.trailer(TRAILER.clientSessions).allocate(sessionsLength);
    this.trailer(TRAILER.kernel).allocate(this.kernelSize());
    this.trailer(TRAILER.idempotency).allocate(this.state.idempotency.encodedSize);
    this.trailer(TRAILER.manifest).allocate(this.log.manifest.encodedSize());
    this.trailer(TRAILER.freeSetAcquired).allocate(this.freeSetAcquired.bytes.length);
    this.trailer(TRAILER.freeSetReleased).allocate(this.freeSetReleased.bytes.length);
    this.grid.checkpointCut();
    this.grid.freeSet.encodeAcquired(this.freeSetAcquired, 0);
    this.grid.freeSet.encodeReleased(this.freeSetReleased, 0);
    this.trailerNext = 0;
    this.writeTrailers();
  }

  private writeTrailers(): void {
    while (this.trailerNext < WRITE_ORDER.length) {
      const kind = WRITE_ORDER[this.trailerNext] as number;
      if (!this.trailer(kind).write(this.trailerContent(kind), this.checkpointOp)) return;
      this.trailerNext++;
    }
    this.stage = 'flushing';
    this.grid.flush();
  }

  private trailerContent(kind: number): Region {
    switch (kind) {
      case TRAILER.clientSessions:
        return this.sessions;
      case TRAILER.kernel:
        this.content = atLeast(this.content, this.kernelSize());
        this.encodeKernel(this.content);
        return this.content;
      case TRAILER.idempotency:
        this.content = atLeast(this.content, this.state.idempotency.encodedSize);
        this.state.idempotency.encode(this.content, 0);
        return this.content;
      case TRAILER.manifest:
        this.content = atLeast(this.content, this.log.manifest.encodedSize());
        this.log.manifest.encode(this.content, 0);
        return this.content;
      case TRAILER.freeSetAcquired:
        return this.freeSetAcquired;
      default:
        assert(kind === TRAILER.freeSetReleased, 'state machine: trailer', kind);
        return this.freeSetReleased;
    }
  }

  /** Writes trailer references and storage size; the caller has zeroed or filled the rest. */
  fillCheckpointState(target: Region): void {
    for (let kind = 0; kind < TRAILER_COUNT; kind++) {
      this.trailer(kind).fillRef(target, trailerRefAt(kind));
    }
    const zones = zonesOf(this.config);
    const blocks = this.grid.freeSet.highestAcquired();
    writeU64(target, CHECKPOINT.storageSize, zones.grid + blocks * this.config.blockSize);
  }

  /** On executing the op that proves the checkpoint durable: released blocks become free. */
  markCheckpointDurable(): void {
    this.grid.markCheckpointDurable();
  }

  // --- Opening ---

  /**
   * Becomes the state of the checkpoint (its 1,024 bytes, unchanged until `stateMachineOpened`).
   * Throws `ReplicaFatal` 'checkpoint-malformed' when blocks that are as their parents mean them
   * hold what no version of this program wrote.
   */
  open(checkpoint: Region): void {
    assert(this.stage === 'closed', 'state machine: opened twice');
    this.stage = 'opening';
    this.checkpointRefs = checkpoint;
    this.checkpointOp = checkpointOpAt(checkpoint, 0);
    this.openedOp = this.checkpointOp;
    this.openedSessions.length = 0;
    this.trailerNext = 0;
    this.openTrailers();
  }

  private openTrailers(): void {
    while (this.trailerNext < WRITE_ORDER.length) {
      const kind = WRITE_ORDER[this.trailerNext] as number;
      const at = trailerRefAt(kind);
      const size = readU64(this.checkpointRefs, at + TRAILER_REF.size);
      const trailer = this.trailer(kind);
      if (size > trailer.sizeMax) throw malformed('trailer: larger than any this cluster writes');
      this.content = atLeast(this.content, size);
      if (!trailer.open(this.checkpointRefs, at, this.content)) return;
      this.trailerOpened(kind, size);
    }
    if (this.log.manifest.load(TOKEN.manifestNode)) this.opened();
  }

  private trailerOpened(kind: number, size: number): void {
    const problem = size === 0 ? null : this.decodeTrailer(kind, size);
    if (problem !== null) throw malformed(problem);
    this.trailerNext++;
    if (this.trailerNext < WRITE_ORDER.length) return;
    const { freeSet } = this.grid;
    if (this.trailer(TRAILER.freeSetAcquired).size === 0) {
      freeSet.openEmpty();
      return;
    }
    const freeProblem = freeSet.decode(this.freeSetAcquired, 0, this.freeSetReleased, 0);
    if (freeProblem !== null) throw malformed(freeProblem);
  }

  private decodeTrailer(kind: number, size: number): string | null {
    const { content } = this;
    switch (kind) {
      case TRAILER.clientSessions:
        this.openedSessions.region = atLeast(this.openedSessions.region, size);
        this.openedSessions.region.bytes.set(content.bytes.subarray(0, size));
        this.openedSessions.length = size;
        return null;
      case TRAILER.kernel:
        return this.decodeKernel(content, size);
      case TRAILER.idempotency:
        return this.state.idempotency.decode(content, 0, size);
      case TRAILER.manifest:
        return this.log.manifest.decode(content, 0, size);
      default: {
        const target = kind === TRAILER.freeSetAcquired ? this.freeSetAcquired : this.freeSetReleased;
        if (size !== target.bytes.length) return 'free set: size';
        target.bytes.set(content.bytes.subarray(0, size));
        return null;
      }
    }
  }

  private opened(): void {
    this.stage = 'open';
    this.listener.stateMachineOpened();
  }

  /** Forgets everything, reads and queries included, before another checkpoint is opened. */
  reset(): void {
    this.stage = 'closed';
    this.commitWaiting = false;
    this.syncing = false;
    this.reader.reset();
    for (const query of this.queued) query.unref();
    this.queued.length = 0;
    this.log.reset();
    this.state.reset();
    for (const trailer of this.trailers) trailer.reset();
  }

  /** State sync: gets every block under the checkpoint that ops `opMin..opMax` created. */
  syncBlocks(opMin: number, opMax: number): void {
    assert(this.stage === 'open', 'state machine: sync while not open', opMin, opMax);
    this.syncing = true;
    for (const trailer of this.trailers) trailer.wantAll();
    this.log.manifest.want(opMin, opMax);
    if (this.grid.wantCount === 0) this.onGridWantsDone();
  }

  // --- Queries ---

  /**
   * Answers from the state as it is now. Takes a reference of its own to `query`, whose body
   * `inputProblem` has passed. -> `stateMachineQueried`.
   */
  query(query: Message): void {
    assert(this.stage !== 'closed' && this.stage !== 'opening', 'state machine: query while closed');
    query.ref();
    if (operationOf(query) !== KERNEL.readEvents) {
      this.answer(query);
    } else if (this.queued.length > 0 || !this.beginRead(query)) {
      if (this.queued.length < QUERIES_QUEUED_MAX) this.queued.push(query);
      else this.answerCode(query, RESULT.busy);
    }
  }

  /** Queries that are being answered or wait. */
  get queriesInProgress(): number {
    return this.reader.inUse + this.queued.length;
  }

  /** Queries whose answer is in memory. */
  private answer(query: Message): void {
    const operation = operationOf(query);
    if (operation === KERNEL.streamInfo) {
      const reply = this.newReply(HEADER_SIZE + 1024);
      setSize(reply, answerStreamInfo(this.state, query, reply));
      this.listener.stateMachineQueried(query, reply);
    } else if (operation === KERNEL.listStreams) {
      const reply = this.newReply(this.config.messageSizeMax);
      setSize(reply, answerListStreams(this.state, query, reply));
      this.listener.stateMachineQueried(query, reply);
    } else if (operation !== KERNEL.stateDigest) {
      this.answerCode(query, RESULT.invalid_command);
    } else if (this.kernelSize() + this.state.idempotency.encodedSize > DIGEST_QUERY_SIZE_MAX) {
      this.answerCode(query, RESULT.limit_reached);
    } else {
      const reply = this.newReply(HEADER_SIZE + REPLY.digestSize);
      zeroWords(reply, HEADER_SIZE, REPLY.digestSize);
      writeU64(reply, HEADER_SIZE + REPLY.digestOp, this.state.commitOp);
      this.digest(reply, HEADER_SIZE + REPLY.digest);
      setSize(reply, HEADER_SIZE + REPLY.digestSize);
      this.listener.stateMachineQueried(query, reply);
    }
  }

  private answerCode(query: Message, code: number): void {
    const reply = this.newReply(HEADER_SIZE + 4);
    reply.fields.setUint32(HEADER_SIZE + REPLY.code, code, true);
    setSize(reply, HEADER_SIZE + 4);
    this.listener.stateMachineQueried(query, reply);
  }

  /** False: all reads are in use. */
  private beginRead(query: Message): boolean {
    const read = this.reader.free();
    if (read === null) return false;
    const found = findReadStream(this.state, query);
    if (typeof found === 'number') {
      this.answerCode(query, found);
      return true;
    }
    const offset = readU64(query, HEADER_SIZE + BODY.readOffset);
    const countMax = query.fields.getUint32(HEADER_SIZE + BODY.readEventsMax, true);
    const bytesMax = query.fields.getUint32(HEADER_SIZE + BODY.readBytesMax, true);
    const fixed = HEADER_SIZE + REPLY.records;
    const replyMax = Math.min(this.config.messageSizeMax, fixed + bytesMax);
    // One event is always returned, so the smallest reply still has room for the largest record.
    const replySize = Math.min(this.config.messageSizeMax, Math.max(bytesMax, this.config.blockSize) + fixed);
    const reply = this.newReply(replySize);
    this.reader.begin(read, query, reply, found.slot, offset, found.nextOffset, countMax, replyMax);
    if (this.reader.advance(read)) this.readDone(read);
    return true;
  }

  private readDone(read: EventRead): void {
    const { query, reply } = read;
    assert(query !== null && reply !== null, 'state machine: read without its messages');
    this.reader.release(read);
    this.listener.stateMachineQueried(query, reply);
  }

  private beginQueued(): void {
    while (this.queued.length > 0 && this.beginRead(this.queued[0] as Message)) this.queued.shift();
  }

  /** A reply with a zero header. */
  private newReply(size: number): Message {
    const reply = this.pool.acquire(size);
    zeroWords(reply, 0, HEADER_SIZE);
    return reply;
  }

  // --- Completions of the grid ---

  onGridRead(token: number, block: Message): void {
    if (token >= TOKEN.query) {
      const read = this.reader.byToken(token);
      if (this.reader.blockRead(read, block)) this.readDone(read);
      this.beginQueued();
    } else if (token === TOKEN.manifestNode) {
      assert(this.stage === 'opening', 'state machine: manifest node while not opening');
      if (this.log.manifest.onGridRead(block)) this.opened();
    } else {
      assert(this.stage === 'opening', 'state machine: trailer block while not opening', token);
      const kind = WRITE_ORDER[this.trailerNext] as number;
      assert(token === TOKEN.trailer + kind, 'state machine: token of another trailer', token);
      const trailer = this.trailer(kind);
      if (!trailer.onGridRead(block)) return;
      this.trailerOpened(kind, trailer.size);
      this.openTrailers();
    }
  }

  onGridReadLost(token: number): void {
    assert(token >= TOKEN.query, 'state machine: a block of the checkpoint was freed', token);
    const read = this.reader.byToken(token);
    if (this.reader.blockLost(read)) this.readDone(read);
    this.beginQueued();
  }

  onGridWriteDone(): void {
    if (this.stage === 'checkpoint') {
      const kind = WRITE_ORDER[this.trailerNext] as number;
      if (!this.trailer(kind).writeMore()) return;
      this.trailerNext++;
      this.writeTrailers();
      return;
    }
    this.maybeReady();
  }

  onGridFlushed(): void {
    if (this.stage !== 'flushing') return; // Reset meanwhile.
    this.stage = 'open';
    this.listener.stateMachineCheckpointed();
    this.maybeReady();
  }

  onGridWantsDone(): void {
    if (!this.syncing) return;
    this.syncing = false;
    this.listener.stateMachineSynced();
  }

  private maybeReady(): void {
    if (!this.commitWaiting || this.stage !== 'open' || !this.grid.canWrite()) return;
    this.commitWaiting = false;
    this.listener.stateMachineReady();
  }

  // --- Encoding ---

  /** BLAKE3 over the canonical state: kernel, index, idempotency ids, manifest. 32 bytes. */
  digest(target: Region, at: number): void {
    const hasher = new Blake3();
    const size = Math.max(
      this.kernelSize(),
      this.state.idempotency.encodedSize,
      this.log.manifest.encodedSize(),
    );
    const scratch = regionOf(new Uint8Array(size));
    hasher.update(scratch, 0, this.encodeKernel(scratch));
    hasher.update(scratch, 0, this.state.idempotency.encode(scratch, 0));
    hasher.update(scratch, 0, this.log.manifest.encode(scratch, 0));
    hasher.finish(target, at);
  }

  private kernelSize(): number {
    return KERNEL_CONTENT + this.state.encodedSize() + this.log.index.encodedSize();
  }

  private encodeKernel(target: Region): number {
    const opens =
      this.openedOp > 0 && canaryIs(CANARY.nondeterministicState) ? this.openedOp >>> 0 : 0;
    const stateEnd = this.state.encode(target, KERNEL_CONTENT, opens);
    writeU64(target, 0, stateEnd - KERNEL_CONTENT);
    writeU64(target, 8, 0);
    return this.log.index.encode(target, stateEnd);
  }

  private decodeKernel(source: Region, size: number): string | null {
    const stateSize = size < KERNEL_CONTENT ? 0 : readU64(source, 0);
    if (KERNEL_CONTENT + stateSize > size) return 'kernel state: size';
    const indexAt = KERNEL_CONTENT + stateSize;
    return (
      this.state.decode(source, KERNEL_CONTENT, stateSize) ??
      this.log.index.decode(source, indexAt, size - indexAt)
    );
  }

  private trailer(kind: number): Trailer {
    return this.trailers[kind] as Trailer;
  }
}

/** Manifest nodes that the log blocks of one checkpoint can fill. */
const MANIFEST_NODES_RESERVED = 4;
/** Size of the state, then the state, then the index. */
const KERNEL_CONTENT = 16;
/** Fixed bytes of a tenant or a stream, and its name. */
const NAMED_SIZE_MAX = 64 + NAME_LENGTH_MAX;

/** By kind of trailer. */
function trailerSizesMax(config: ClusterConfig, grid: Grid): number[] {
  const { indexFanout } = kernelLimits(config);
  const { tenantsMax, streamsMax, gridBlocks } = config;
  const index = StreamIndex.encodedSizeMax(streamsMax, indexFanout, gridBlocks);
  const sizes: number[] = [0, 0, 0, 0, 0, 0];
  sizes[TRAILER.freeSetAcquired] = grid.freeSet.encodedSize;
  sizes[TRAILER.freeSetReleased] = grid.freeSet.encodedSize;
  sizes[TRAILER.clientSessions] = config.clientsMax * SESSION_SIZE_MAX;
  sizes[TRAILER.kernel] = KERNEL_CONTENT + 32 + (tenantsMax + streamsMax) * NAMED_SIZE_MAX + index;
  sizes[TRAILER.idempotency] = config.idempotencyMax * IDEMPOTENCY.size;
  sizes[TRAILER.manifest] = manifestSizeMax(config);
  return sizes;
}

function malformed(problem: string): ReplicaFatal {
  return new ReplicaFatal('checkpoint-malformed', `Cannot open the checkpoint: ${problem}`);
}

/** `region`, or a larger one (its bytes are lost) that holds `size` bytes. */
function atLeast(region: Region, size: number): Region {
  if (size <= region.bytes.length) return region;
  let length = region.bytes.length;
  while (length < size) length *= 2;
  return regionOf(new Uint8Array(length));
}
