/**
 * A cluster without a protocol: the test says who prepares, journals, acknowledges, commits and
 * answers, and each step is shown to the checkers as a world would show it. Kernel, log blocks,
 * superblocks and journals are the real ones, on disks in memory; so a clean history is truly
 * clean, and a planted violation is one wrong step in it.
 */
import { seal } from '../../core/checksum.ts';
import {
  CHECKPOINT_STATE_SIZE,
  CONFIG_SMALL,
  HEADER_SIZE,
  PROTOCOL_VERSION,
  SUPERBLOCK_COPIES,
  type ClusterConfig,
} from '../../core/constants.ts';
import {
  encodeAppend,
  encodeCreateStream,
  encodeCreateTenant,
  encodeReadEvents,
} from '../../core/kernel/commands.ts';
import { KERNEL, streamId } from '../../core/kernel/operations.ts';
import {
  AT,
  COMMAND,
  OPERATION,
  opOf,
  operationOf,
  setCommit,
  setOp,
  setOperation,
  setRequest,
  setSize,
  setView,
  sizeOf,
} from '../../core/message/header.ts';
import { copyWords, regionOf, writeNanos, writeU64, type Region } from '../../core/message/region.ts';
import { CHECKPOINT } from '../../core/storage/checkpoint_state.ts';
import { prepareOffset, zonesOf, type Zones } from '../../core/storage/data_file.ts';
import { format } from '../../core/storage/format.ts';
import { writeRootHeader } from '../../core/storage/formatted_headers.ts';
import { setCopyIndex, SuperblockState } from '../../core/storage/superblock_layout.ts';
import { EVENT_ID_SIZE, writeEventId, type CheckContext, type TrueDisk } from '../../invariants/invariant.ts';
import { checkersOf } from '../../invariants/registry.ts';
import { CheckerSuite } from '../../invariants/suite.ts';
import { type MemoryStorage } from '../support/memory_storage.ts';
import { CLUSTER, StateMachineHarness } from '../support/state_machine_harness.ts';

export const CONFIG: ClusterConfig = { ...CONFIG_SMALL, gridBlocks: 192 };
export const TENANT = 1;
export const STREAM = streamId(TENANT, 1);

export class FakeDisk implements TrueDisk {
  readonly storage: MemoryStorage;
  constructor(storage: MemoryStorage) {
    this.storage = storage;
  }
  readTrue(offset: number, target: Uint8Array): void {
    target.set(this.storage.written.subarray(offset, offset + target.length));
  }
  readDurable(offset: number, target: Uint8Array): void {
    target.set(this.storage.durable.subarray(offset, offset + target.length));
  }
}

interface FakeClient {
  request: number;
  serial: number;
  operation: number;
  body: Uint8Array;
}

export class FakeCluster implements CheckContext {
  readonly config = CONFIG;
  readonly zones: Zones = zonesOf(CONFIG);
  readonly cluster = CLUSTER;
  readonly replicaCount = 3;
  readonly clientCount = 2;
  readonly machines: StateMachineHarness[] = [];
  readonly disks: FakeDisk[] = [];
  readonly failures: { id: string; message: string }[] = [];
  readonly suite: CheckerSuite;
  readonly clients: FakeClient[] = [];
  view = 0;
  op = 0;
  private time = 1_000_000;
  private readonly last = regionOf(new Uint8Array(HEADER_SIZE));

  /** Runs the named checkers only; all nodes are formatted and started. */
  constructor(...ids: string[]) {
    for (let node = 0; node < this.replicaCount; node++) {
      const machine = new StateMachineHarness(this.config);
      format({
        config: this.config,
        cluster: this.cluster,
        replicaIndex: node,
        replicaCount: this.replicaCount,
        write: (offset, bytes) => machine.storage.poke(offset, bytes),
      });
      this.machines.push(machine);
      this.disks.push(new FakeDisk(machine.storage));
    }
    for (let i = 0; i < this.clientCount; i++) {
      this.clients.push({ request: 0, serial: 0, operation: 0, body: new Uint8Array(0) });
    }
    writeRootHeader(this.config.checksumAlgorithm, this.cluster, this.last, 0);
    this.suite = new CheckerSuite(this, checkersOf(ids));
    for (let node = 0; node < this.replicaCount; node++) {
      (this.machines[node] as StateMachineHarness).open();
      this.suite.started(node);
      this.suite.view(node, 0, 0);
    }
  }

  now(): number {
    return this.time;
  }

  disk(node: number): FakeDisk {
    return this.disks[node] as FakeDisk;
  }

  fail(id: string, message: string): void {
    this.failures.push({ id, message });
  }

  // --- Steps ---

  tick(micros = 1000): void {
    this.time += micros;
  }

  call(client: number, operation: number, body: Uint8Array): void {
    this.tick();
    const state = this.clients[client] as FakeClient;
    state.operation = operation;
    state.body = body;
    if (operation < KERNEL.readEvents && operation !== OPERATION.register) state.request++;
    this.suite.called(client, operation, body);
  }

  /** The next op's prepare of the client's open call. */
  prepare(client: number): Region {
    const state = this.clients[client] as FakeClient;
    const op = ++this.op;
    const message = this.message(COMMAND.prepare, op, client, state.operation, state.body);
    copyWords(this.last, AT.checksum, message, AT.parent, 32);
    message.words[AT.requestChecksum >> 2] = op * 7 + 1;
    setCommit(message, op - 1);
    seal(this.config.checksumAlgorithm, message);
    copyWords(message, 0, this.last, 0, HEADER_SIZE);
    return message;
  }

  /** Prepare in its slot, header in its zone, durable. */
  journal(node: number, prepare: Region): void {
    const { storage } = this.disk(node);
    const slot = opOf(prepare) % this.config.journalSlots;
    const size = Math.ceil(sizeOf(prepare) / 4096) * 4096;
    storage.poke(prepareOffset(this.zones, this.config, slot), prepare.bytes.subarray(0, size));
    storage.poke(this.zones.journalHeaders + slot * HEADER_SIZE, prepare.bytes.subarray(0, HEADER_SIZE));
  }

  ack(node: number, prepare: Region): void {
    const message = regionOf(new Uint8Array(HEADER_SIZE));
    copyWords(prepare, 0, message, 0, HEADER_SIZE);
    message.fields.setUint8(AT.command, COMMAND.prepareOk);
    copyWords(prepare, AT.checksum, message, AT.prepareChecksum, 32);
    this.suite.sent(node, message);
  }

  /** Executes on the node's kernel and shows the commit; returns the reply. */
  commit(node: number, prepare: Region, forge: (reply: Region) => void = () => {}): Region {
    const machine = this.machines[node] as StateMachineHarness;
    const op = opOf(prepare);
    const operation = operationOf(prepare);
    const message = machine.pool.acquire(Math.max(4096, sizeOf(prepare)));
    message.bytes.set(prepare.bytes.subarray(0, message.bytes.length));
    const answer = machine.pool.acquire(4096);
    let length = 8;
    if (operation === OPERATION.register) answer.bytes.fill(0, HEADER_SIZE, HEADER_SIZE + 8);
    else length = machine.machine.commit(op, timeOf(op), operation, message, answer);
    machine.op = op;
    const reply = regionOf(new Uint8Array(4096));
    reply.bytes.set(answer.bytes.subarray(HEADER_SIZE, HEADER_SIZE + length), HEADER_SIZE);
    copyWords(prepare, AT.client, reply, AT.client, 48);
    reply.fields.setUint8(AT.command, COMMAND.reply);
    copyWords(prepare, AT.requestChecksum, reply, AT.replyRequestChecksum, 32);
    setSize(reply, HEADER_SIZE + length);
    forge(reply);
    message.unref();
    answer.unref();
    this.suite.committed(node, op, prepare, reply);
    return reply;
  }

  send(node: number, reply: Region): void {
    this.suite.sent(node, reply);
  }

  return(client: number, reply: Region): void {
    this.tick();
    this.suite.returned(client, reply);
  }

  /** Cuts a checkpoint at the last op: blocks, then the superblock, then the checkers hear of it. */
  checkpoint(node: number, forge: (state: Region) => void = () => {}): void {
    const machine = this.machines[node] as StateMachineHarness;
    const state = machine.checkpoint();
    const header = CHECKPOINT.header;
    copyWords(this.suite.history.headers, machine.op * HEADER_SIZE, state, header, HEADER_SIZE);
    forge(state);
    this.superblock(node, (superblock) => {
      superblock.checkpoint.bytes.set(state.bytes);
    });
    this.suite.checkpointed(node, machine.op);
  }

  /** Writes a new superblock, all copies, durable. */
  superblock(node: number, change: (state: SuperblockState) => void): void {
    const { storage } = this.disk(node);
    const size = this.zones.superblockCopySize;
    const state = new SuperblockState(storage.written.slice(0, size));
    state.decode();
    state.sequence++;
    change(state);
    state.encode(this.config.checksumAlgorithm);
    for (let copy = 0; copy < SUPERBLOCK_COPIES; copy++) {
      setCopyIndex(state.image, copy);
      storage.poke(copy * size, state.image.bytes);
    }
  }

  // --- Whole histories ---

  /** A call with everything that belongs to it, on all nodes. */
  request(client: number, operation: number, body: Uint8Array): Region {
    this.call(client, operation, body);
    const prepare = this.prepare(client);
    for (let node = 0; node < this.replicaCount; node++) this.journal(node, prepare);
    for (let node = 1; node < this.replicaCount; node++) this.ack(node, prepare);
    const reply = this.commit(0, prepare);
    this.send(0, reply);
    for (let node = 1; node < this.replicaCount; node++) this.commit(node, prepare);
    this.return(client, reply);
    return reply;
  }

  append(client: number, count = 2, expectedOffset?: number): Region {
    const options = expectedOffset === undefined ? {} : { expectedOffset };
    const body = encodeAppend(TENANT, STREAM, this.events(client, count), options);
    return this.request(client, KERNEL.append, body);
  }

  events(client: number, count: number): Uint8Array[] {
    const state = this.clients[client] as FakeClient;
    return Array.from({ length: count }, () => {
      const payload = new Uint8Array(EVENT_ID_SIZE + (state.serial % 5)).fill(state.serial);
      writeEventId(payload, 0, client, state.serial++);
      return payload;
    });
  }

  /** A query answered by `node`; `forge` may spoil the answer. */
  read(client: number, node: number, offset = 0, forge: (reply: Region) => void = () => {}): Region {
    const body = encodeReadEvents(TENANT, STREAM, offset, 100);
    this.call(client, KERNEL.readEvents, body);
    const reply = this.answer(node, body);
    forge(reply);
    this.return(client, reply);
    return reply;
  }

  answer(node: number, body: Uint8Array): Region {
    const machine = this.machines[node] as StateMachineHarness;
    const { region, length } = machine.ask(KERNEL.readEvents, body);
    const reply = regionOf(new Uint8Array(HEADER_SIZE + ((length + 3) & ~3)));
    reply.bytes.set(region.bytes.subarray(0, length), HEADER_SIZE);
    reply.fields.setUint8(AT.command, COMMAND.queryReply);
    setSize(reply, HEADER_SIZE + length);
    return reply;
  }

  /** Sessions of both clients, a tenant, a stream: ops 1 to 4. */
  setUp(): this {
    this.request(0, OPERATION.register, new Uint8Array(0));
    this.request(1, OPERATION.register, new Uint8Array(0));
    this.request(0, KERNEL.createTenant, encodeCreateTenant(TENANT, 'acme'));
    this.request(1, KERNEL.createStream, encodeCreateStream(TENANT, 'orders', 7));
    return this;
  }

  /** Appends and reads of both clients, across a checkpoint at op 15, up to op 20. */
  work(): this {
    this.setUp();
    while (this.op < 20) {
      this.append(this.op % 2);
      if (this.op % 3 === 0) this.read(this.op % 2, this.op % this.replicaCount);
      if (this.op === 15) for (let node = 0; node < this.replicaCount; node++) this.checkpoint(node);
    }
    return this;
  }

  /** Heals, settles and ends. */
  finish(): this {
    this.suite.healed(0b111);
    this.read(0, 0);
    this.suite.ended();
    return this;
  }

  /** The bytes of a message of this cluster, unsealed. */
  message(command: number, op: number, client: number, operation: number, body: Uint8Array): Region {
    const size = HEADER_SIZE + body.length;
    const message = regionOf(new Uint8Array(Math.ceil(size / 4096) * 4096));
    copyWords(this.cluster, 0, message, AT.cluster, 16);
    message.bytes.set(body, HEADER_SIZE);
    setSize(message, size);
    setView(message, this.view);
    message.fields.setUint16(AT.protocol, PROTOCOL_VERSION, true);
    message.fields.setUint8(AT.command, command);
    message.fields.setUint8(AT.replica, this.view % this.replicaCount);
    message.words[AT.client >> 2] = 0x1111 + client;
    message.words[(AT.client >> 2) + 1] = 0x2222;
    setOp(message, op);
    writeNanos(message, AT.timestamp, timeOf(op));
    setRequest(message, (this.clients[client] as FakeClient).request);
    setOperation(message, operation);
    return message;
  }
}

/** Wall time of an op in microseconds; some time in 2026. */
export function timeOf(op: number): number {
  return 1_790_000_000_000_000 + op * 1000;
}

/** Adds 1 to the u64 at `at`. */
export function bump(region: Region, at: number, by = 1): void {
  writeU64(region, at, region.fields.getUint32(at, true) + by);
}

export const STATE_SIZE = CHECKPOINT_STATE_SIZE;
