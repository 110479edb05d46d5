/**
 * A state machine over a real grid and a file in memory, driven op by op without replication:
 * commit, checkpoint, reopen in a new process. Storage completes when the test says so, or at once.
 */
import { strict as assert } from 'node:assert';
import { sealHeader, seal } from '../../core/checksum.ts';
import {
  CHECKPOINT_STATE_SIZE,
  CONFIG_SMALL,
  HEADER_SIZE,
  type ClusterConfig,
} from '../../core/constants.ts';
import { StateMachine, type StateMachineListener } from '../../core/kernel/state_machine.ts';
import { AT, setOp, setOperation, setSize, sizeOf } from '../../core/message/header.ts';
import { allocateAligned, MessagePool, type Message } from '../../core/message/pool.ts';
import { regionOf, type Region } from '../../core/message/region.ts';
import { zonesOf } from '../../core/storage/data_file.ts';
import { Grid, gridMessagesMax, type GridListener } from '../../core/storage/grid.ts';
import { decodeResult, type CommandResult } from '../../core/kernel/commands.ts';
import { MemoryStorage } from './memory_storage.ts';

export const CLUSTER = regionOf(new Uint8Array(16).fill(9));

export interface Reply {
  readonly region: Region;
  readonly length: number;
}

export class StateMachineHarness implements GridListener, StateMachineListener {
  readonly config: ClusterConfig;
  readonly storage: MemoryStorage;
  readonly pool: MessagePool;
  readonly grid: Grid;
  readonly machine: StateMachine;
  readonly events: string[] = [];
  /** Bodies of query replies in order of completion, with the query's client byte. */
  readonly answers: { tag: number; body: Region; length: number }[] = [];
  /** The state of the last checkpoint. */
  checkpointState: Region = regionOf(new Uint8Array(CHECKPOINT_STATE_SIZE));
  op = 0;
  timestampMicros = 1_000_000;
  readonly sessions: Region;

  constructor(config: ClusterConfig = CONFIG_SMALL, storage?: MemoryStorage) {
    this.config = config;
    const zones = zonesOf(config);
    this.storage = storage ?? new MemoryStorage(zones.end);
    this.sessions = regionOf(new Uint8Array(config.clientsMax * 288).fill(3));
    this.pool = new MessagePool({
      smallCount: 0,
      smallSize: 4096,
      largeCount: gridMessagesMax(config) + 80,
      largeSize: config.messageSizeMax,
      allocate: allocateAligned,
    });
    const checksumAlgorithm = config.checksumAlgorithm;
    this.grid = new Grid({
      config,
      zones,
      storage: this.storage,
      pool: this.pool,
      cluster: CLUSTER,
      checksumAlgorithm,
      listener: this,
    });
    this.machine = new StateMachine({
      config,
      grid: this.grid,
      pool: this.pool,
      checksumAlgorithm,
      listener: this,
    });
    this.storage.deliver = (token, result) => this.grid.onStorage(token, result);
  }

  gridRead(token: number, block: Message): void {
    this.machine.onGridRead(token, block);
  }
  gridReadLost(token: number): void {
    this.machine.onGridReadLost(token);
  }
  gridWriteDone(): void {
    this.machine.onGridWriteDone();
  }
  gridFlushed(): void {
    this.machine.onGridFlushed();
  }
  gridRepairWanted(): void {
    this.events.push('repair wanted');
  }
  gridWantsDone(): void {
    this.machine.onGridWantsDone();
  }
  gridBlockServed(): void {}
  stateMachineOpened(): void {
    this.events.push('opened');
  }
  stateMachineReady(): void {
    this.events.push('ready');
  }
  stateMachineCheckpointed(): void {
    this.events.push('checkpointed');
  }
  stateMachineSynced(): void {
    this.events.push('synced');
  }
  stateMachineQueried(query: Message, reply: Message): void {
    this.events.push('queried');
    const length = sizeOf(reply) - HEADER_SIZE;
    const body = regionOf(new Uint8Array((length + 3) & ~3));
    body.bytes.set(reply.bytes.subarray(HEADER_SIZE, HEADER_SIZE + length));
    this.answers.push({ tag: query.fields.getUint32(AT.request, true), body, length });
    query.unref();
    reply.unref();
  }

  /** Opens the checkpoint (a fresh cluster's by default); completes all I/O. */
  open(checkpoint: Region = this.checkpointState, op = 0): this {
    this.checkpointState = checkpoint;
    this.op = op;
    this.machine.open(checkpoint);
    this.storage.run();
    assert.equal(this.events.at(-1), 'opened');
    return this;
  }

  /** A restart: another process opens the last checkpoint from the same file. */
  reopen(): StateMachineHarness {
    assert.equal(this.storage.pending.length, 0);
    const other = new StateMachineHarness(this.config, this.storage);
    other.timestampMicros = this.timestampMicros;
    return other.open(this.checkpointState, this.op);
  }

  message(operation: number, body: Uint8Array): Message {
    const message = this.pool.acquire(Math.max(4096, HEADER_SIZE + body.length));
    message.bytes.fill(0, 0, HEADER_SIZE);
    message.bytes.set(body, HEADER_SIZE);
    setSize(message, HEADER_SIZE + body.length);
    setOperation(message, operation);
    return message;
  }

  /** Commits one command at the next op; returns the reply's body. */
  commitRaw(operation: number, body: Uint8Array): Reply {
    if (!this.machine.canCommit()) this.storage.run();
    assert.equal(this.machine.inputProblem(operation, regionOf(padded(body)), 0, body.length), null);
    const op = ++this.op;
    const prepare = this.message(operation, body);
    setOp(prepare, op);
    seal(this.config.checksumAlgorithm, prepare);
    sealHeader(this.config.checksumAlgorithm, prepare, 0);
    this.timestampMicros += 1000;
    const reply = this.pool.acquire(4096);
    const length = this.machine.commit(op, this.timestampMicros, operation, prepare, reply);
    const region = regionOf(reply.bytes.slice(HEADER_SIZE, HEADER_SIZE + length));
    prepare.unref();
    reply.unref();
    return { region, length };
  }

  commit(operation: number, body: Uint8Array): CommandResult {
    const { region, length } = this.commitRaw(operation, body);
    const result = decodeResult(region, 0, length);
    assert(result !== null);
    return result;
  }

  /** Cuts a checkpoint at the last op and completes its I/O. */
  checkpoint(): Region {
    this.machine.checkpoint(this.op, this.sessions, this.sessions.bytes.length);
    this.storage.run();
    assert.equal(this.events.at(-1), 'checkpointed');
    this.checkpointState = regionOf(new Uint8Array(CHECKPOINT_STATE_SIZE));
    setOp(this.checkpointState, this.op);
    this.machine.fillCheckpointState(this.checkpointState);
    return this.checkpointState;
  }

  /** Starts a query; its answer appears in `answers` under `tag`. */
  query(operation: number, body: Uint8Array, tag = 0): void {
    const query = this.message(operation, body);
    query.fields.setUint32(AT.request, tag, true);
    this.machine.query(query);
    query.unref();
  }

  /** A query, completed. */
  ask(operation: number, body: Uint8Array): Reply {
    this.query(operation, body);
    this.storage.run();
    const answer = this.answers.pop();
    assert(answer !== undefined);
    return { region: answer.body, length: answer.length };
  }

  digest(): string {
    const target = regionOf(new Uint8Array(32));
    this.machine.digest(target, 0);
    return Buffer.from(target.bytes).toString('hex');
  }
}

function padded(body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array((body.length + 3) & ~3);
  bytes.set(body);
  return bytes;
}
