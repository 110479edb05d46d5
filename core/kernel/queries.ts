/**
 * Queries whose answer is in memory, and the checks of those whose answer is not. Each writes its
 * reply's body from byte 256 on and returns the size of the message.
 */
import { HEADER_SIZE } from '../constants.ts';
import { type Message } from '../message/pool.ts';
import { copyWords, readU64, writeNanos, writeU64, zeroWords } from '../message/region.ts';
import { BODY, pad4, readName, REPLY, STREAM_ENTRY } from './commands.ts';
import { RESULT, tenantOfStream } from './operations.ts';
import { type KernelState, type Stream } from './state.ts';

const AT_BODY = HEADER_SIZE;

/** The stream that a read_events names, or the code of the reply that says why not. */
export function findReadStream(state: KernelState, query: Message): Stream | number {
  const tenant = readU64(query, AT_BODY + BODY.tenant);
  const id = readU64(query, AT_BODY + BODY.queryStream);
  if (!state.tenants.has(tenant)) return RESULT.tenant_not_found;
  if (tenantOfStream(id) !== tenant) return RESULT.tenant_mismatch;
  const stream = state.streamsById.get(id);
  if (stream === undefined) return RESULT.stream_not_found;
  return stream.deleted ? RESULT.stream_deleted : stream;
}

/** Also of a deleted stream: its entry says so. */
export function answerStreamInfo(state: KernelState, query: Message, reply: Message): number {
  const tenantId = readU64(query, AT_BODY + BODY.tenant);
  const tenant = state.tenants.get(tenantId);
  if (tenant === undefined) return codeOnly(reply, RESULT.tenant_not_found);
  const id = readU64(query, AT_BODY + BODY.queryStream);
  let stream: Stream | undefined;
  if (id === 0) {
    const nameLength = query.fields.getUint16(AT_BODY + BODY.infoNameLength, true);
    stream = tenant.streamsByName.get(readName(query, AT_BODY + BODY.infoName, nameLength));
  } else {
    if (tenantOfStream(id) !== tenantId) return codeOnly(reply, RESULT.tenant_mismatch);
    stream = state.streamsById.get(id);
  }
  if (stream === undefined) return codeOnly(reply, RESULT.stream_not_found);
  reply.fields.setUint32(AT_BODY + REPLY.code, RESULT.ok, true);
  reply.fields.setUint32(AT_BODY + REPLY.count, 0, true);
  return writeEntry(state, stream, reply, AT_BODY + REPLY.infoEntry);
}

/** As many entries as fit the reply, in order of creation, deleted streams included. */
export function answerListStreams(state: KernelState, query: Message, reply: Message): number {
  const tenant = state.tenants.get(readU64(query, AT_BODY + BODY.tenant));
  if (tenant === undefined) return codeOnly(reply, RESULT.tenant_not_found);
  const from = query.fields.getUint32(AT_BODY + BODY.listFrom, true);
  const entriesMax = query.fields.getUint32(AT_BODY + BODY.listEntriesMax, true);
  const { streams } = tenant;
  let next = from;
  let end = AT_BODY + REPLY.listEntries;
  while (next < streams.length && next - from < entriesMax) {
    const stream = streams[next] as Stream;
    if (end + pad4(STREAM_ENTRY.name + stream.name.length) > reply.capacity) break;
    end = writeEntry(state, stream, reply, end);
    next++;
  }
  const count = Math.max(0, next - from);
  reply.fields.setUint32(AT_BODY + REPLY.code, RESULT.ok, true);
  reply.fields.setUint32(AT_BODY + REPLY.count, count, true);
  reply.fields.setUint32(AT_BODY + REPLY.listNext, next < streams.length ? next : 0, true);
  reply.fields.setUint32(AT_BODY + REPLY.listNext + 4, 0, true);
  return end;
}

function codeOnly(reply: Message, code: number): number {
  reply.fields.setUint32(AT_BODY + REPLY.code, code, true);
  return AT_BODY + 4;
}

function writeEntry(state: KernelState, stream: Stream, reply: Message, at: number): number {
  const { name } = stream;
  const end = at + pad4(STREAM_ENTRY.name + name.length);
  zeroWords(reply, at, end - at);
  writeU64(reply, at + STREAM_ENTRY.id, stream.id);
  reply.fields.setUint8(at + STREAM_ENTRY.class, stream.dataClass);
  reply.fields.setUint8(at + STREAM_ENTRY.flags, stream.deleted ? 1 : 0);
  reply.fields.setUint16(at + STREAM_ENTRY.nameLength, name.length, true);
  writeU64(reply, at + STREAM_ENTRY.nextOffset, stream.nextOffset);
  writeNanos(reply, at + STREAM_ENTRY.created, stream.createdMicros);
  copyWords(state.chains, stream.slot * 32, reply, at + STREAM_ENTRY.chain, 32);
  for (let i = 0; i < name.length; i++) reply.bytes[at + STREAM_ENTRY.name + i] = name.charCodeAt(i);
  return end;
}
