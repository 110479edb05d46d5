/**
 * acked_durability: what was acknowledged is durable, and stays readable.
 *
 * Three moments. A prepare_ok goes out: the true disk of its sender holds that prepare durably.
 * The first reply of an op goes out: a replication quorum of true disks holds it durably, and it is
 * in the canonical history as the client sent it. The end: every acknowledged append is among the
 * records under each core replica's checkpoint, or still in the journals of a quorum.
 */
import { HEADER_SIZE, quorumsOf } from '../core/constants.ts';
import { REPLY } from '../core/kernel/commands.ts';
import { KERNEL, RESULT } from '../core/kernel/operations.ts';
import { AT, COMMAND, OPERATION, commandOf, opOf, operationOf, requestOf } from '../core/message/header.ts';
import { equalWords, readU64, regionOf, type Region } from '../core/message/region.ts';
import { prepareOffset } from '../core/storage/data_file.ts';
import { Fingerprint } from './fingerprint.ts';
import { type CheckContext, type Checker, type Observed } from './invariant.ts';
import { Numbers } from './numbers.ts';
import { type StreamSweep } from './stream_sweep.ts';

export class AckedDurability implements Checker {
  readonly id = 'acked_durability';
  comparisons = 0;
  private readonly context: CheckContext;
  private readonly observed: Observed;
  private readonly quorum: number;
  private readonly header = regionOf(new Uint8Array(HEADER_SIZE));
  private readonly fingerprint = new Fingerprint();
  /** By op: 1 once its first reply was judged. */
  private readonly replied = new Numbers(0);
  /** By op: events that a client was told were appended by it. */
  private readonly acked = new Numbers(0);
  /** By op: 1 for any acknowledged mutation. */
  private readonly mutations = new Numbers(0);
  /** By op: records of the node being swept. */
  private shown = new Numbers(0);

  constructor(context: CheckContext, observed: Observed) {
    this.context = context;
    this.observed = observed;
    this.quorum = quorumsOf(context.replicaCount).replication;
  }

  onPromiseSent(node: number, message: Region): void {
    if (commandOf(message) !== COMMAND.prepareOk) return;
    const op = opOf(message);
    this.comparisons++;
    this.readSlot(node, op);
    if (!equalWords(this.header, AT.checksum, message, AT.prepareChecksum, 32)) {
      this.context.fail(
        this.id,
        `R${node} acknowledged op ${op}, but power loss now would leave another prepare, or none, ` +
          'in that slot of its disk',
      );
    }
  }

  onReplySent(node: number, reply: Region): void {
    const { history } = this.observed;
    const op = opOf(reply);
    if (op < 1 || op > history.opMax) return; // reply_consistency reports that.
    if (this.replied.get(op) === 1) return;
    this.replied.set(op, 1);
    this.comparisons++;
    let holders = 0;
    for (let i = 0; i < this.context.replicaCount; i++) if (this.holds(i, op)) holders++;
    if (holders < this.quorum) {
      this.context.fail(
        this.id,
        `R${node} answered op ${op}, which is durable on ${holders} of ` +
          `${this.context.replicaCount} disks; ${this.quorum} are needed`,
      );
    }
  }

  onReturned(client: number, reply: Region): void {
    const { calls, history } = this.observed;
    const operation = calls.operation[client] as number;
    if (operation >= KERNEL.readEvents || operation === OPERATION.register) return;
    const op = opOf(reply);
    this.comparisons++;
    if (op < 1 || op > history.opMax) {
      this.context.fail(
        this.id,
        `client ${client} was answered at op ${op}, but only ${history.opMax} ops have committed`,
      );
      return;
    }
    const at = history.headerAt(op);
    const { headers } = history;
    this.fingerprint.of(calls.bodies[client] as Region, 0, calls.bodyLength[client] as number);
    const same =
      operationOf(headers, at) === operation &&
      requestOf(headers, at) === requestOf(reply) &&
      equalWords(headers, at + AT.client, reply, AT.client, 16) &&
      this.fingerprint.low === history.bodies[op * 2] &&
      this.fingerprint.high === history.bodies[op * 2 + 1];
    if (!same) {
      this.context.fail(
        this.id,
        `client ${client} was answered at op ${op}, where its request was not committed`,
      );
      return;
    }
    this.mutations.set(op, 1);
    if (operation !== KERNEL.append) return;
    const { fields } = reply;
    if (fields.getUint16(HEADER_SIZE + REPLY.code, true) !== RESULT.ok) return;
    // A repeated idempotency id is answered with the op that did append.
    const appendedBy = readU64(reply, HEADER_SIZE + REPLY.op);
    this.acked.set(appendedBy, fields.getUint32(HEADER_SIZE + REPLY.count, true));
  }

  onStreamRecord(sweep: StreamSweep): void {
    this.shown.set(sweep.op, this.shown.get(sweep.op) + 1);
  }

  onStreamsSwept(node: number, checkpointOp: number): void {
    for (let op = 1; op < this.acked.length && op <= checkpointOp; op++) {
      const acked = this.acked.get(op);
      if (acked === 0) continue;
      this.comparisons++;
      if (this.shown.get(op) !== acked) {
        this.context.fail(
          this.id,
          `op ${op} was acknowledged with ${acked} events; the disk of R${node} holds ` +
            `${this.shown.get(op)} of them under its checkpoint ${checkpointOp}`,
        );
        return;
      }
    }
    this.shown = new Numbers(0);
  }

  atEnd(): void {
    for (let op = 1; op < this.mutations.length; op++) {
      if (this.mutations.get(op) === 0) continue;
      this.comparisons++;
      let holders = 0;
      for (let node = 0; node < this.context.replicaCount; node++) {
        if (this.holds(node, op)) holders++;
      }
      if (holders < this.quorum) {
        this.context.fail(
          this.id,
          `op ${op} was acknowledged; in the end ${holders} of ${this.context.replicaCount} disks ` +
            `hold it, and ${this.quorum} must`,
        );
        return;
      }
    }
  }

  /** True when the op is under the node's checkpoint, or durable in its journal. */
  private holds(node: number, op: number): boolean {
    if (op <= (this.observed.nodes.checkpoint[node] as number)) return true;
    this.readSlot(node, op);
    const { history } = this.observed;
    return equalWords(this.header, AT.checksum, history.headers, history.headerAt(op), 32);
  }

  /** The durable prepare header of the slot of `op`, into `header`. */
  private readSlot(node: number, op: number): void {
    const { config, zones } = this.context;
    const slot = op % config.journalSlots;
    this.context.disk(node).readDurable(prepareOffset(zones, config, slot), this.header.bytes);
  }
}
