/**
 * The kernel: `apply` executes one committed command. A pure function of state and command: time
 * and op come with it, and nothing is read from anywhere else. A command that is refused changes
 * nothing, and says why by a code of `RESULT`.
 */
import { assert } from '../assert.ts';
import { canaryIs, CANARY } from '../canary.ts';
import { equalWords, readU64, writeNanos, writeU64, type Region } from '../message/region.ts';
import { BODY, pad4, readName, REPLY } from './commands.ts';
import { type EffectSink, recordsSizeMax } from './effects.ts';
import { recordSpan, writeRecord } from './events.ts';
import { IDEMPOTENCY } from './idempotency.ts';
import { hasIdempotencyId, type InputRules } from './input.ts';
import { KERNEL, RESULT, streamId, tenantOfStream } from './operations.ts';
import { type KernelState, type Stream, type Tenant } from './state.ts';

/** A committed command. One object is enough: its owner fills it for each op. */
export interface Command {
  operation: number;
  /** The body: `length` bytes at `at`. */
  region: Region;
  at: number;
  length: number;
  op: number;
  timestampMicros: number;
  /** Checksum of the body (32 bytes), which every prepare has in its header. */
  hash: Region;
  hashAt: number;
}

/**
 * Executes `command` and writes its reply, `REPLY.size` bytes, at `replyAt`. Returns that size.
 * Requires: `timestampMicros` is above that of the command before by a microsecond for each
 * thousand events, so that all events have their own nanosecond.
 */
export function apply(
  state: KernelState,
  rules: InputRules,
  command: Command,
  effects: EffectSink,
  reply: Region,
  replyAt: number,
): number {
  assert(command.op >= state.commitOp, 'kernel: op below the last', command.op, state.commitOp);
  state.commitOp = command.op;
  state.commitTimestampMicros = command.timestampMicros;
  beginReply(command, reply, replyAt);
  const code = execute(state, rules, command, effects, reply, replyAt);
  reply.fields.setUint32(replyAt + REPLY.code, code, true);
  return REPLY.size;
}

/** Writes details into the reply, never its code. */
function execute(
  state: KernelState,
  rules: InputRules,
  command: Command,
  effects: EffectSink,
  reply: Region,
  replyAt: number,
): number {
  const { operation, region, at } = command;
  if (rules.problem(operation, region, at, command.length) !== null) return RESULT.invalid_command;
  const tenantId = readU64(region, at + BODY.tenant);
  const tenant = state.tenants.get(tenantId);
  if (tenant === undefined && operation !== KERNEL.createTenant) return RESULT.tenant_not_found;

  const remembered = hasIdempotencyId(region, at);
  if (remembered) {
    const entry = state.idempotency.find(tenantId, region, at + BODY.idempotencyId);
    if (entry !== -1) return replay(state, command, entry, reply, replyAt);
    if (!state.idempotency.hasRoom(command.timestampMicros)) return RESULT.idempotency_full;
  }

  let code: number;
  if (operation === KERNEL.append) {
    code = append(state, tenantId, command, effects, reply, replyAt);
  } else if (operation === KERNEL.createTenant) {
    code = createTenant(state, tenantId, tenant, command, reply, replyAt);
  } else {
    assert(tenant !== undefined, 'kernel: tenant');
    code =
      operation === KERNEL.createStream
        ? createStream(state, tenant, command, reply, replyAt)
        : deleteStream(state, tenantId, command, reply, replyAt);
  }
  if (remembered && code === RESULT.ok) {
    state.idempotency.insert(
      tenantId,
      region,
      at + BODY.idempotencyId,
      command.hash,
      command.hashAt,
      operation,
      command.op,
      readU64(reply, replyAt + REPLY.value),
      reply.fields.getUint32(replyAt + REPLY.count, true),
      command.timestampMicros,
    );
  }
  return code;
}

/** The id is known: the first answer again, to the byte, or a refusal if the command is another. */
function replay(
  state: KernelState,
  command: Command,
  entry: number,
  reply: Region,
  replyAt: number,
): number {
  const { entries } = state.idempotency;
  const op = readU64(entries, entry + IDEMPOTENCY.op);
  const same =
    entries.fields.getUint32(entry + IDEMPOTENCY.operation, true) === command.operation &&
    equalWords(entries, entry + IDEMPOTENCY.commandHash, command.hash, command.hashAt, 32);
  if (!same) {
    writeU64(reply, replyAt + REPLY.value, op);
    return RESULT.idempotency_conflict;
  }
  const count = entries.fields.getUint32(entry + IDEMPOTENCY.count, true);
  reply.fields.setUint32(replyAt + REPLY.count, count, true);
  writeU64(reply, replyAt + REPLY.value, readU64(entries, entry + IDEMPOTENCY.value));
  writeU64(reply, replyAt + REPLY.op, op);
  const micros = readU64(entries, entry + IDEMPOTENCY.timestampMicros);
  writeNanos(reply, replyAt + REPLY.timestamp, micros);
  return RESULT.ok;
}

function createTenant(
  state: KernelState,
  id: number,
  existing: Tenant | undefined,
  command: Command,
  reply: Region,
  replyAt: number,
): number {
  if (existing !== undefined) return RESULT.tenant_exists;
  if (state.tenants.size === state.tenantsMax) {
    return refuse(RESULT.limit_reached, state.tenantsMax, reply, replyAt);
  }
  const { region, at } = command;
  const nameLength = region.fields.getUint16(at + BODY.tenantNameLength, true);
  const name = readName(region, at + BODY.tenantName, nameLength);
  state.addTenant(id, name, command.timestampMicros);
  writeU64(reply, replyAt + REPLY.value, id);
  return RESULT.ok;
}

function createStream(
  state: KernelState,
  tenant: Tenant,
  command: Command,
  reply: Region,
  replyAt: number,
): number {
  const { region, at } = command;
  const chosen = region.fields.getUint32(at + BODY.streamLocal, true);
  const nameLength = region.fields.getUint16(at + BODY.streamNameLength, true);
  const name = readName(region, at + BODY.streamName, nameLength);
  const local = chosen === 0 ? tenant.localNext : chosen;
  if (local > 0xffff_ffff) return refuse(RESULT.limit_reached, 0xffff_ffff, reply, replyAt);
  const taken = tenant.streamsByName.get(name) ?? state.streamsById.get(streamId(tenant.id, local));
  if (taken !== undefined) return refuse(RESULT.stream_exists, taken.id, reply, replyAt);
  if (state.streams.length === state.streamsMax) {
    return refuse(RESULT.limit_reached, state.streamsMax, reply, replyAt);
  }
  const dataClass = region.fields.getUint8(at + BODY.streamClass);
  const stream = state.addStream(tenant, local, name, dataClass, command.timestampMicros);
  assert(tenantOfStream(stream.id) === tenant.id, 'kernel: stream under another tenant', stream.id);
  writeU64(reply, replyAt + REPLY.value, stream.id);
  return RESULT.ok;
}

/** Allocates nothing per event. */
function append(
  state: KernelState,
  tenantId: number,
  command: Command,
  effects: EffectSink,
  reply: Region,
  replyAt: number,
): number {
  const { region, at, op, timestampMicros } = command;
  const { words } = region;
  const id = readU64(region, at + BODY.stream);
  if (tenantOfStream(id) !== tenantId) return RESULT.tenant_mismatch;
  const stream = state.streamsById.get(id);
  if (stream === undefined) return RESULT.stream_not_found;
  if (stream.deleted) return RESULT.stream_deleted;
  const expectedLow = words[(at + BODY.expectedOffset) >> 2] as number;
  const expectedHigh = words[(at + BODY.expectedOffset + 4) >> 2] as number;
  const any = expectedLow === 0xffff_ffff && expectedHigh === 0xffff_ffff;
  if (!any && expectedHigh * 4_294_967_296 + expectedLow !== stream.nextOffset) {
    if (stream.nextOffset > 0 && canaryIs(CANARY.offsetReused)) stream.afterRejected = true;
    return refuse(RESULT.unexpected_stream_offset, stream.nextOffset, reply, replyAt);
  }
  const count = words[(at + BODY.count) >> 2] as number;
  const payloadBytes = command.length - BODY.events - 4 * count;
  if (!effects.hasRoom(recordsSizeMax(count, payloadBytes))) return RESULT.storage_full;

  const first = firstOffset(stream);
  const { chains } = state;
  const chainAt = stream.slot * 32;
  let next = at + BODY.events;
  for (let i = 0; i < count; i++) {
    const length = words[next >> 2] as number;
    const recordAt = effects.reserve(stream.slot, id, op, first + i, recordSpan(length));
    // Events of a batch are a nanosecond apart, the last at the command's own time.
    const nanosBefore = count - 1 - i;
    writeRecord(
      effects.target, recordAt, first + i, timestampMicros, nanosBefore,
      region, next + 4, length, chains, chainAt,
    );
    next += 4 + pad4(length);
  }
  assert(next === at + command.length, 'kernel: events end elsewhere', next, at + command.length);
  stream.nextOffset = first + count;
  reply.fields.setUint32(replyAt + REPLY.count, count, true);
  writeU64(reply, replyAt + REPLY.value, first);
  return RESULT.ok;
}

function firstOffset(stream: Stream): number {
  if (stream.afterRejected) {
    // Set by a canary only: the offset of the last event is given out again.
    stream.afterRejected = false;
    return stream.nextOffset - 1;
  }
  return stream.nextOffset;
}

function deleteStream(
  state: KernelState,
  tenantId: number,
  command: Command,
  reply: Region,
  replyAt: number,
): number {
  const id = readU64(command.region, command.at + BODY.stream);
  if (tenantOfStream(id) !== tenantId) return RESULT.tenant_mismatch;
  const stream = state.streamsById.get(id);
  if (stream === undefined) return RESULT.stream_not_found;
  if (stream.deleted) return RESULT.stream_deleted;
  stream.deleted = true;
  writeU64(reply, replyAt + REPLY.value, stream.nextOffset);
  return RESULT.ok;
}

function beginReply(command: Command, reply: Region, replyAt: number): void {
  reply.fields.setUint32(replyAt + REPLY.count, 0, true);
  writeU64(reply, replyAt + REPLY.value, 0);
  writeU64(reply, replyAt + REPLY.op, command.op);
  writeNanos(reply, replyAt + REPLY.timestamp, command.timestampMicros);
}

function refuse(code: number, detail: number, reply: Region, replyAt: number): number {
  writeU64(reply, replyAt + REPLY.value, detail);
  return code;
}
