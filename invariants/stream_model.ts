/**
 * stream_model: a naive model of the kernel replays the canonical history and predicts every reply
 * to the byte: result code, count, value, op, timestamp. It also remembers what each offset must
 * hold, and compares payload and time of every record that clients read or disks keep.
 *
 * Written from the description of commands and results (core/kernel/commands.ts, operations.ts),
 * with maps and linear searches and none of the kernel's code. Requests are assumed well formed:
 * admission refuses others. One answer cannot be predicted from the log's meaning alone,
 * `storage_full`, which depends on how blocks are packed; it is accepted, and changes nothing.
 */
import { HEADER_SIZE } from '../core/constants.ts';
import { BODY, REPLY, eventEnd } from '../core/kernel/commands.ts';
import { RECORD } from '../core/kernel/events.ts';
import {
  IDEMPOTENCY_RETENTION_MICROS,
  KERNEL,
  RESULT,
  resultName,
  streamId,
  tenantOfStream,
} from '../core/kernel/operations.ts';
import { AT, operationOf } from '../core/message/header.ts';
import { equalWords, readNanosAsMicros, readU64, regionOf, type Region } from '../core/message/region.ts';
import { Fingerprint } from './fingerprint.ts';
import { sizeWithin } from './history.ts';
import { type CheckContext, type Checker, type Observed } from './invariant.ts';
import { Numbers } from './numbers.ts';
import { recordOffset, recordSpanAt } from './records.ts';
import { type StreamSweep } from './stream_sweep.ts';

interface ModelTenant {
  localNext: number;
  /** Names are never free again. */
  readonly names: Map<string, number>;
}

interface ModelStream {
  deleted: boolean;
  next: number;
  /** By offset: fingerprint of the payload, op that appended it, and events after it in its batch. */
  readonly low: Numbers;
  readonly high: Numbers;
  readonly op: Numbers;
  readonly after: Numbers;
}

/** A remembered idempotency id: 4 words of id, then what is needed to answer and to tell apart. */
interface ModelId {
  readonly words: readonly [number, number, number, number];
  readonly tenant: number;
  readonly operation: number;
  readonly bodyLow: number;
  readonly bodyHigh: number;
  readonly op: number;
  readonly value: number;
  readonly count: number;
  readonly micros: number;
}

/** Ids that one command may forget; see core/kernel/idempotency.ts. */
const EXPIRE_MAX = 4;

export class StreamModel implements Checker {
  readonly id = 'stream_model';
  comparisons = 0;
  private readonly context: CheckContext;
  private readonly observed: Observed;
  private readonly tenants = new Map<number, ModelTenant>();
  private readonly streams = new Map<number, ModelStream>();
  private readonly ids: ModelId[] = [];
  private idsFirst = 0;
  private readonly fingerprint = new Fingerprint();
  /** The predicted reply body, and where its parts are being put. */
  private readonly predicted = regionOf(new Uint8Array(REPLY.size));
  private count = 0;
  private value = 0;
  private op = 0;
  private timestampOp = 0;

  constructor(context: CheckContext, observed: Observed) {
    this.context = context;
    this.observed = observed;
  }

  onCommitted(node: number, op: number, prepare: Region, reply: Region | null): void {
    if (!this.observed.history.first) return;
    const operation = operationOf(prepare);
    if (operation < KERNEL.createTenant || operation > KERNEL.deleteStream) return;
    if (reply === null) {
      this.context.fail(this.id, `R${node} executed op ${op}, a command, without a reply`);
      return;
    }
    this.count = 0;
    this.value = 0;
    this.op = op;
    this.timestampOp = op;
    const full = reply.fields.getUint16(HEADER_SIZE + REPLY.code, true) === RESULT.storage_full;
    const code = this.apply(op, operation, prepare, full);
    this.compareReply(node, op, code, reply);
  }

  onReturned(client: number, reply: Region): void {
    const { calls } = this.observed;
    if (calls.operation[client] !== KERNEL.readEvents) return;
    if (reply.fields.getUint16(HEADER_SIZE + REPLY.code, true) !== RESULT.ok) return;
    const id = readU64(calls.bodies[client] as Region, BODY.queryStream);
    const stream = this.streams.get(id);
    this.comparisons++;
    if (stream === undefined) {
      this.context.fail(this.id, `client ${client} read stream ${id}, which nobody has created`);
      return;
    }
    const next = readU64(reply, HEADER_SIZE + REPLY.nextOffset);
    if (next > stream.next) {
      this.context.fail(
        this.id,
        `client ${client} was told that stream ${id} has ${next} events; ${stream.next} are committed`,
      );
      return;
    }
    const end = sizeWithin(reply);
    const count = reply.fields.getUint32(HEADER_SIZE + REPLY.count, true);
    let at = HEADER_SIZE + REPLY.records;
    for (let i = 0; i < count; i++) {
      const span = recordSpanAt(reply, at, end);
      if (span === 0) return;
      this.compareRecord(id, stream, reply, at, 'read by a client');
      at += span;
    }
  }

  onStreamRecord(sweep: StreamSweep): void {
    const stream = this.streams.get(sweep.stream);
    if (stream === undefined) {
      this.context.fail(
        this.id,
        `the disk of R${sweep.node} holds events of stream ${sweep.stream}, which nobody has created`,
      );
      return;
    }
    const where = 'on a disk';
    this.compareRecord(sweep.stream, stream, sweep.region, sweep.at, where);
    if (stream.op.get(sweep.offset) !== sweep.op) {
      this.context.fail(
        this.id,
        `the disk of R${sweep.node} says that op ${sweep.op} appended offset ${sweep.offset} of ` +
          `stream ${sweep.stream}; it was op ${stream.op.get(sweep.offset)}`,
      );
    }
  }

  // --- The model ---

  private apply(op: number, operation: number, prepare: Region, full: boolean): number {
    const at = HEADER_SIZE;
    const tenantId = readU64(prepare, at + BODY.tenant);
    const tenant = this.tenants.get(tenantId);
    if (tenant === undefined && operation !== KERNEL.createTenant) return RESULT.tenant_not_found;
    const micros = readNanosAsMicros(prepare, AT.timestamp);
    const w = (at + BODY.idempotencyId) >> 2;
    const { words } = prepare;
    const carriesId =
      ((words[w] as number) | (words[w + 1] as number) | (words[w + 2] as number) |
        (words[w + 3] as number)) !== 0;
    if (carriesId) {
      this.forgetOld(micros);
      const known = this.findId(tenantId, prepare, w);
      if (known !== null) return this.answerAgain(known, operation);
      if (this.ids.length - this.idsFirst === this.context.config.idempotencyMax) {
        return RESULT.idempotency_full;
      }
    }
    const code = this.execute(op, operation, tenantId, tenant, prepare, full);
    if (carriesId && code === RESULT.ok) {
      const { body } = this.observed.history;
      this.ids.push({
        words: [words[w] as number, words[w + 1] as number, words[w + 2] as number, words[w + 3] as number],
        tenant: tenantId,
        operation,
        bodyLow: body.low,
        bodyHigh: body.high,
        op,
        value: this.value,
        count: this.count,
        micros,
      });
    }
    return code;
  }

  private execute(
    op: number,
    operation: number,
    tenantId: number,
    tenant: ModelTenant | undefined,
    prepare: Region,
    full: boolean,
  ): number {
    if (operation === KERNEL.createTenant) {
      if (tenant !== undefined) return RESULT.tenant_exists;
      if (this.tenants.size === this.context.config.tenantsMax) {
        this.value = this.tenants.size;
        return RESULT.limit_reached;
      }
      this.tenants.set(tenantId, { localNext: 1, names: new Map() });
      this.value = tenantId;
      return RESULT.ok;
    }
    if (operation === KERNEL.createStream) return this.createStream(tenantId, tenant as ModelTenant, prepare);

    const id = readU64(prepare, HEADER_SIZE + BODY.stream);
    if (tenantOfStream(id) !== tenantId) return RESULT.tenant_mismatch;
    const stream = this.streams.get(id);
    if (stream === undefined) return RESULT.stream_not_found;
    if (stream.deleted) return RESULT.stream_deleted;
    if (operation === KERNEL.deleteStream) {
      stream.deleted = true;
      this.value = stream.next;
      return RESULT.ok;
    }
    return this.append(op, stream, prepare, full);
  }

  private createStream(tenantId: number, tenant: ModelTenant, prepare: Region): number {
    const at = HEADER_SIZE;
    const chosen = prepare.fields.getUint32(at + BODY.streamLocal, true);
    const length = prepare.fields.getUint16(at + BODY.streamNameLength, true);
    let name = '';
    for (let i = 0; i < length; i++) {
      name += String.fromCharCode(prepare.bytes[at + BODY.streamName + i] as number);
    }
    const local = chosen === 0 ? tenant.localNext : chosen;
    if (local > 0xffff_ffff) {
      this.value = 0xffff_ffff;
      return RESULT.limit_reached;
    }
    const id = streamId(tenantId, local);
    const taken = tenant.names.get(name) ?? (this.streams.has(id) ? id : undefined);
    if (taken !== undefined) {
      this.value = taken;
      return RESULT.stream_exists;
    }
    if (this.streams.size === this.context.config.streamsMax) {
      this.value = this.streams.size;
      return RESULT.limit_reached;
    }
    tenant.names.set(name, id);
    if (local >= tenant.localNext) tenant.localNext = local + 1;
    this.streams.set(id, {
      deleted: false,
      next: 0,
      low: new Numbers(),
      high: new Numbers(),
      op: new Numbers(),
      after: new Numbers(),
    });
    this.value = id;
    return RESULT.ok;
  }

  private append(op: number, stream: ModelStream, prepare: Region, full: boolean): number {
    const { fields } = prepare;
    const at = HEADER_SIZE;
    const expectedLow = fields.getUint32(at + BODY.expectedOffset, true);
    const expectedHigh = fields.getUint32(at + BODY.expectedOffset + 4, true);
    const any = expectedLow === 0xffff_ffff && expectedHigh === 0xffff_ffff;
    if (!any && expectedHigh * 4_294_967_296 + expectedLow !== stream.next) {
      this.value = stream.next;
      return RESULT.unexpected_stream_offset;
    }
    if (full) return RESULT.storage_full;
    const count = fields.getUint32(at + BODY.count, true);
    this.value = stream.next;
    this.count = count;
    let event: number = at + BODY.events;
    for (let i = 0; i < count; i++) {
      const length = fields.getUint32(event, true);
      this.fingerprint.of(prepare, event + 4, length);
      stream.low.set(stream.next, this.fingerprint.low);
      stream.high.set(stream.next, this.fingerprint.high);
      stream.op.set(stream.next, op);
      stream.after.set(stream.next, count - 1 - i);
      stream.next++;
      event = eventEnd(event, length);
    }
    return RESULT.ok;
  }

  // --- Idempotency ids ---

  private forgetOld(micros: number): void {
    for (let n = 0; n < EXPIRE_MAX && this.idsFirst < this.ids.length; n++) {
      const oldest = this.ids[this.idsFirst] as ModelId;
      if (micros - oldest.micros < IDEMPOTENCY_RETENTION_MICROS) return;
      this.idsFirst++;
    }
  }

  private findId(tenant: number, prepare: Region, w: number): ModelId | null {
    for (let i = this.idsFirst; i < this.ids.length; i++) {
      const id = this.ids[i] as ModelId;
      const { words } = id;
      if (
        words[0] === prepare.words[w] &&
        words[1] === prepare.words[w + 1] &&
        words[2] === prepare.words[w + 2] &&
        words[3] === prepare.words[w + 3] &&
        id.tenant === tenant
      ) {
        return id;
      }
    }
    return null;
  }

  private answerAgain(known: ModelId, operation: number): number {
    const { body } = this.observed.history;
    const same =
      known.operation === operation && known.bodyLow === body.low && known.bodyHigh === body.high;
    if (!same) {
      this.value = known.op;
      return RESULT.idempotency_conflict;
    }
    this.count = known.count;
    this.value = known.value;
    this.op = known.op;
    this.timestampOp = known.op;
    return RESULT.ok;
  }

  // --- Comparing ---

  private compareReply(node: number, op: number, code: number, reply: Region): void {
    const { predicted } = this;
    const { headers } = this.observed.history;
    predicted.words[0] = code;
    predicted.fields.setUint32(REPLY.count, this.count, true);
    setU64(predicted, REPLY.value, this.value);
    setU64(predicted, REPLY.op, this.op);
    const timestampAt = this.observed.history.headerAt(this.timestampOp) + AT.timestamp;
    predicted.words[REPLY.timestamp >> 2] = headers.words[timestampAt >> 2] as number;
    predicted.words[(REPLY.timestamp + 4) >> 2] = headers.words[(timestampAt + 4) >> 2] as number;
    this.comparisons++;
    if (
      sizeWithin(reply) === HEADER_SIZE + REPLY.size &&
      equalWords(reply, HEADER_SIZE, predicted, 0, REPLY.size)
    ) {
      return;
    }
    const { fields } = reply;
    this.context.fail(
      this.id,
      `R${node} answered op ${op} with ${resultName(fields.getUint16(HEADER_SIZE + REPLY.code, true))}, ` +
        `count ${fields.getUint32(HEADER_SIZE + REPLY.count, true)}, ` +
        `value ${readU64(reply, HEADER_SIZE + REPLY.value)}, op ${readU64(reply, HEADER_SIZE + REPLY.op)}; ` +
        `the model says ${resultName(code)}, count ${this.count}, value ${this.value}, op ${this.op}`,
    );
  }

  private compareRecord(
    id: number,
    stream: ModelStream,
    region: Region,
    at: number,
    where: string,
  ): void {
    const offset = recordOffset(region, at);
    const length = region.words[(at + RECORD.storedLength) >> 2] as number;
    this.comparisons++;
    if (offset >= stream.next) {
      this.context.fail(this.id, `offset ${offset} of stream ${id}, ${where}, was never committed`);
      return;
    }
    this.fingerprint.of(region, at + RECORD.payload, length);
    if (
      this.fingerprint.low !== stream.low.get(offset) ||
      this.fingerprint.high !== stream.high.get(offset)
    ) {
      this.context.fail(
        this.id,
        `offset ${offset} of stream ${id}, ${where}, has another payload than op ` +
          `${stream.op.get(offset)} appended`,
      );
      return;
    }
    // The batch's last event has the op's time, those before it a nanosecond less each.
    const timestampAt = this.observed.history.headerAt(stream.op.get(offset)) + AT.timestamp;
    const { words } = this.observed.history.headers;
    const opLow = words[timestampAt >> 2] as number;
    const after = stream.after.get(offset);
    const low = (opLow - after) >>> 0;
    const high = (words[(timestampAt + 4) >> 2] as number) - (opLow < after ? 1 : 0);
    if (
      region.words[(at + RECORD.timestamp) >> 2] !== low ||
      region.words[(at + RECORD.timestamp + 4) >> 2] !== high
    ) {
      this.context.fail(
        this.id,
        `offset ${offset} of stream ${id}, ${where}, has another time than op ` +
          `${stream.op.get(offset)} gave it`,
      );
    }
  }
}

function setU64(region: Region, at: number, value: number): void {
  region.words[at >> 2] = value >>> 0;
  region.words[(at + 4) >> 2] = Math.floor(value / 4_294_967_296);
}
