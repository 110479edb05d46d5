/**
 * What clients and the kernel say to each other: bodies of commands and queries, and of their
 * replies. Used by client libraries, the CLI, the simulated workload and the checkers. All fields
 * are little-endian; every part begins at a multiple of 4, padding is zero.
 *
 *   command        0 tenant u64 | 8 idempotency id 16 (zero: none) | then:
 *   create_tenant  24 name length u16 | 26 zero 2 | 28 name
 *   create_stream  24 local id u32 (0: the next) | 28 data class u8 | 29 zero 1
 *                  30 name length u16 | 32 name
 *   append         24 stream u64 | 32 expected offset u64 (all ones: any) | 40 count u32 | 44 zero 4
 *                  48 count x { length u32 | payload }
 *   delete_stream  24 stream u64
 *
 *   read_events    0 tenant u64 | 8 stream u64 | 16 offset u64 | 24 events max u32 | 28 bytes max u32
 *   stream_info    0 tenant u64 | 8 stream u64 (0: by name) | 16 name length u16 | 18 zero 2 | 20 name
 *   list_streams   0 tenant u64 | 8 from u32 | 12 entries max u32
 *   state_digest   empty
 *
 *   reply          0 code u16 | 2 zero 2 | then:
 *   of a command   4 count u32 | 8 value u64 | 16 op u64 | 24 timestamp u64 ns
 *   read_events    4 count u32 | 8 first offset u64 | 16 next offset of the stream u64 | 24 records
 *   stream_info    4 zero 4 | 8 STREAM_ENTRY
 *   list_streams   4 count u32 | 8 next `from` u32 (0: no more) | 12 zero 4 | 16 STREAM_ENTRYs
 *   state_digest   4 zero 4 | 8 op u64 | 16 BLAKE3 32
 *
 * `value` is the tenant, the stream's id, the first offset, or the deleted stream's length; of a
 * refused command the detail of its result. `timestamp` is that of the last event.
 */
import { readNanosAsMicros, readU64, regionOf, writeU64, type Region } from '../message/region.ts';
import { readEventRecord, recordChainInto, recordProblem, RECORD, type EventRecord } from './events.ts';
import { DATA_CLASSES, NAME_LENGTH_MAX, resultName, RESULT, type ResultName } from './operations.ts';

export const BODY = {
  tenant: 0,
  idempotencyId: 8,
  command: 24,
  tenantNameLength: 24,
  tenantName: 28,
  streamLocal: 24,
  streamClass: 28,
  streamNameLength: 30,
  streamName: 32,
  stream: 24,
  expectedOffset: 32,
  count: 40,
  events: 48,
  queryStream: 8,
  readOffset: 16,
  readEventsMax: 24,
  readBytesMax: 28,
  readSize: 32,
  infoNameLength: 16,
  infoName: 20,
  listFrom: 8,
  listEntriesMax: 12,
  listSize: 16,
} as const;

export const REPLY = {
  code: 0,
  count: 4,
  value: 8,
  op: 16,
  timestamp: 24,
  size: 32,
  firstOffset: 8,
  nextOffset: 16,
  records: 24,
  infoEntry: 8,
  listNext: 8,
  listEntries: 16,
  digestOp: 8,
  digest: 16,
  digestSize: 48,
} as const;

/** A stream in a reply; the name follows, padded. */
export const STREAM_ENTRY = {
  id: 0,
  class: 8,
  /** Bit 0: deleted. */
  flags: 9,
  nameLength: 10,
  nextOffset: 16,
  /** u64 ns. */
  created: 24,
  /** SHA-256 of the last record: the head of the stream's chain; zero when empty. */
  chain: 32,
  name: 64,
} as const;

export interface CommandOptions {
  /** 16 bytes, not all zero. */
  readonly idempotencyId?: Uint8Array;
}

export interface AppendOptions extends CommandOptions {
  readonly expectedOffset?: number;
}

export function pad4(size: number): number {
  return (size + 3) & ~3;
}

// --- Encoding: new arrays ---

export function encodeCreateTenant(
  tenant: number,
  name: string,
  options: CommandOptions = {},
): Uint8Array {
  const body = regionOf(new Uint8Array(pad4(BODY.tenantName + name.length)));
  writeU64(body, BODY.tenant, tenant);
  writeIdempotencyId(body, options.idempotencyId);
  body.fields.setUint16(BODY.tenantNameLength, name.length, true);
  writeName(body, BODY.tenantName, name);
  return body.bytes;
}

/** The reply's value is the stream's id. `local` chooses its lower half; left out: the next free. */
export function encodeCreateStream(
  tenant: number,
  name: string,
  dataClass: number,
  options: CommandOptions & { readonly local?: number } = {},
): Uint8Array {
  const body = regionOf(new Uint8Array(pad4(BODY.streamName + name.length)));
  writeU64(body, BODY.tenant, tenant);
  writeIdempotencyId(body, options.idempotencyId);
  body.fields.setUint32(BODY.streamLocal, options.local ?? 0, true);
  body.fields.setUint8(BODY.streamClass, dataClass);
  body.fields.setUint16(BODY.streamNameLength, name.length, true);
  writeName(body, BODY.streamName, name);
  return body.bytes;
}

export function encodeAppend(
  tenant: number,
  stream: number,
  events: readonly Uint8Array[],
  options: AppendOptions = {},
): Uint8Array {
  let size: number = BODY.events;
  for (const event of events) size += 4 + pad4(event.length);
  const body = regionOf(new Uint8Array(size));
  beginAppend(body, 0, tenant, stream, options.expectedOffset ?? ANY_OFFSET);
  writeIdempotencyId(body, options.idempotencyId);
  let at: number = BODY.events;
  for (const event of events) {
    const payloadAt = addEvent(body, 0, at, event.length);
    body.bytes.set(event, payloadAt);
    at = eventEnd(at, event.length);
  }
  return body.bytes;
}

export function encodeDeleteStream(
  tenant: number,
  stream: number,
  options: CommandOptions = {},
): Uint8Array {
  const body = regionOf(new Uint8Array(BODY.stream + 8));
  writeU64(body, BODY.tenant, tenant);
  writeIdempotencyId(body, options.idempotencyId);
  writeU64(body, BODY.stream, stream);
  return body.bytes;
}

/** At most `eventsMax` events from `offset` on, whole records of at most `bytesMax` bytes in all. */
export function encodeReadEvents(
  tenant: number,
  stream: number,
  offset: number,
  eventsMax: number,
  bytesMax = 0xffff_ffff,
): Uint8Array {
  const body = regionOf(new Uint8Array(BODY.readSize));
  writeReadEvents(body, 0, tenant, stream, offset, eventsMax, bytesMax);
  return body.bytes;
}

/** `stream`: an id, or a name. */
export function encodeStreamInfo(tenant: number, stream: number | string): Uint8Array {
  const name = typeof stream === 'string' ? stream : '';
  const body = regionOf(new Uint8Array(pad4(BODY.infoName + name.length)));
  writeU64(body, BODY.tenant, tenant);
  if (typeof stream === 'number') writeU64(body, BODY.queryStream, stream);
  body.fields.setUint16(BODY.infoNameLength, name.length, true);
  writeName(body, BODY.infoName, name);
  return body.bytes;
}

/** `from`: 0, then the `next` of the reply before. */
export function encodeListStreams(tenant: number, from = 0, entriesMax = 0xffff_ffff): Uint8Array {
  const body = regionOf(new Uint8Array(BODY.listSize));
  writeU64(body, BODY.tenant, tenant);
  body.fields.setUint32(BODY.listFrom, from, true);
  body.fields.setUint32(BODY.listEntriesMax, entriesMax, true);
  return body.bytes;
}

export function encodeStateDigest(): Uint8Array {
  return new Uint8Array(0);
}

// --- Encoding in place, without allocation ---

/** No expected offset. */
export const ANY_OFFSET = -1;

/**
 * Begins an append at `at` and returns its size so far. Then, for each event:
 * `payloadAt = addEvent(region, at, end, length)`, fill `length` bytes there, and
 * `end = eventEnd(end, length)`, which at last is the end of the body.
 */
export function beginAppend(
  region: Region,
  at: number,
  tenant: number,
  stream: number,
  expectedOffset: number,
): number {
  writeU64(region, at + BODY.tenant, tenant);
  region.words.fill(0, (at + BODY.idempotencyId) >> 2, (at + BODY.command) >> 2);
  writeU64(region, at + BODY.stream, stream);
  if (expectedOffset === ANY_OFFSET) {
    region.fields.setUint32(at + BODY.expectedOffset, 0xffff_ffff, true);
    region.fields.setUint32(at + BODY.expectedOffset + 4, 0xffff_ffff, true);
  } else {
    writeU64(region, at + BODY.expectedOffset, expectedOffset);
  }
  region.fields.setUint32(at + BODY.count, 0, true);
  region.fields.setUint32(at + BODY.count + 4, 0, true);
  return at + BODY.events;
}

/** Adds an event of `length` bytes at `end`; returns where its payload goes. */
export function addEvent(region: Region, at: number, end: number, length: number): number {
  region.fields.setUint32(end, length, true);
  if ((length & 3) !== 0) region.fields.setUint32(end + 4 + (length & ~3), 0, true);
  region.fields.setUint32(at + BODY.count, region.fields.getUint32(at + BODY.count, true) + 1, true);
  return end + 4;
}

/** Where the next event, or the end, is after an event of `length` bytes at `at`. */
export function eventEnd(at: number, length: number): number {
  return at + 4 + pad4(length);
}

/** Returns the end of the body. */
export function writeReadEvents(
  region: Region,
  at: number,
  tenant: number,
  stream: number,
  offset: number,
  eventsMax: number,
  bytesMax: number,
): number {
  writeU64(region, at + BODY.tenant, tenant);
  writeU64(region, at + BODY.queryStream, stream);
  writeU64(region, at + BODY.readOffset, offset);
  region.fields.setUint32(at + BODY.readEventsMax, eventsMax, true);
  region.fields.setUint32(at + BODY.readBytesMax, bytesMax, true);
  return at + BODY.readSize;
}

function writeIdempotencyId(body: Region, id: Uint8Array | undefined): void {
  if (id === undefined) return;
  if (id.length !== 16) throw new RangeError(`"idempotencyId" expected 16 bytes, got ${id.length}`);
  body.bytes.set(id, BODY.idempotencyId);
}

/** Names are ASCII; another character becomes 0, which no rule admits. */
function writeName(body: Region, at: number, name: string): void {
  for (let i = 0; i < name.length; i++) {
    const unit = name.charCodeAt(i);
    body.bytes[at + i] = unit < 128 ? unit : 0;
  }
}

/** The name at `at`, which is known to be ASCII. */
export function readName(region: Region, at: number, length: number): string {
  let name = '';
  for (let i = 0; i < length; i++) name += String.fromCharCode(region.bytes[at + i] as number);
  return name;
}

export function isNameByte(byte: number): boolean {
  return (
    (byte >= 0x61 && byte <= 0x7a) ||
    (byte >= 0x30 && byte <= 0x39) ||
    byte === 0x5f ||
    (byte >= 0x41 && byte <= 0x5a)
  );
}

/** Why `name` cannot be a tenant's or a stream's name, or null. */
export function nameProblem(name: string): string | null {
  if (name.length === 0) return 'name: empty';
  if (name.length > NAME_LENGTH_MAX) return 'name: more than 256 characters';
  for (let i = 0; i < name.length; i++) {
    if (!isNameByte(name.charCodeAt(i))) return 'name: only letters, digits and underscore';
  }
  return null;
}

// --- Decoding replies ---

export interface CommandResult {
  readonly code: number;
  readonly name: ResultName | 'unknown_result';
  /** Events appended. */
  readonly count: number;
  /** See the head of this file. */
  readonly value: number;
  readonly op: number;
  readonly timestampMicros: number;
}

export interface ReadResult {
  readonly code: number;
  readonly name: ResultName | 'unknown_result';
  readonly count: number;
  readonly firstOffset: number;
  /** The offset that the stream's next event will get. */
  readonly nextOffset: number;
}

export interface StreamEntry {
  readonly id: number;
  readonly name: string;
  readonly dataClass: string;
  readonly deleted: boolean;
  readonly nextOffset: number;
  readonly createdMicros: number;
  /** 32 bytes, a view into the reply. */
  readonly chain: Uint8Array;
}

/** Code of any reply body at `at`; `invalid_command` when there is none. */
export function resultCode(region: Region, at: number, length: number): number {
  return length < 4 ? RESULT.invalid_command : region.fields.getUint16(at + REPLY.code, true);
}

/** Reply of a command; null when it is none. */
export function decodeResult(region: Region, at: number, length: number): CommandResult | null {
  if (length !== REPLY.size) return null;
  const code = resultCode(region, at, length);
  return {
    code,
    name: resultName(code),
    count: region.fields.getUint32(at + REPLY.count, true),
    value: readU64(region, at + REPLY.value),
    op: readU64(region, at + REPLY.op),
    timestampMicros: readNanosAsMicros(region, at + REPLY.timestamp),
  };
}

/** Head of a read_events reply; null when it is none. The records: `decodeRecords`. */
export function decodeReadResult(region: Region, at: number, length: number): ReadResult | null {
  if (length < 4) return null;
  const code = resultCode(region, at, length);
  const name = resultName(code);
  if (code !== RESULT.ok) return { code, name, count: 0, firstOffset: 0, nextOffset: 0 };
  if (length < REPLY.records) return null;
  return {
    code,
    name,
    count: region.fields.getUint32(at + REPLY.count, true),
    firstOffset: readU64(region, at + REPLY.firstOffset),
    nextOffset: readU64(region, at + REPLY.nextOffset),
  };
}

/** What `decodeRecords` found: whole records, and the first thing wrong (null: nothing). */
export interface DecodedRecords {
  readonly records: EventRecord[];
  readonly problem: string | null;
}

/**
 * Parses the records of a read_events reply body and verifies sentinels, both CRCs, digests,
 * consecutive offsets, and that each record names the hash of the one before. `previousHash`
 * (32 bytes): the hash of the record before the first, when the caller knows it; the first record
 * of a stream is always held to zero.
 */
export function decodeRecords(
  region: Region,
  at: number,
  length: number,
  previousHash: Uint8Array | null = null,
): DecodedRecords {
  const records: EventRecord[] = [];
  const head = decodeReadResult(region, at, length);
  if (head === null || head.code !== RESULT.ok) return { records, problem: 'reply: no records in it' };
  const end = at + length;
  const link = regionOf(new Uint8Array(32));
  let linked = previousHash !== null;
  if (previousHash !== null) link.bytes.set(previousHash);
  let next = at + REPLY.records;
  for (let i = 0; i < head.count; i++) {
    const problem = recordProblem(region, next, end);
    if (problem !== null) return { records, problem };
    const offset = readU64(region, next + RECORD.offset);
    if (offset !== head.firstOffset + i) return { records, problem: 'record: offset out of sequence' };
    if (offset === 0) {
      link.bytes.fill(0);
      linked = true;
    }
    for (let word = 0; linked && word < 8; word++) {
      if (region.words[((next + RECORD.prevHash) >> 2) + word] !== link.words[word]) {
        return { records, problem: 'record: not linked to the one before' };
      }
    }
    recordChainInto(region, next, link, 0);
    linked = true;
    const record = readEventRecord(region, next, link.bytes.slice());
    records.push(record);
    next += pad4(record.size);
  }
  return { records, problem: next === end ? null : 'reply: bytes after the last record' };
}

/** Reply of stream_info; null when it is none or its code is not ok. */
export function decodeStreamInfo(region: Region, at: number, length: number): StreamEntry | null {
  if (resultCode(region, at, length) !== RESULT.ok) return null;
  return decodeEntry(region, at + REPLY.infoEntry, at + length);
}

/** Reply of list_streams; null when it is none or its code is not ok. */
export function decodeListStreams(
  region: Region,
  at: number,
  length: number,
): { readonly entries: StreamEntry[]; readonly next: number } | null {
  if (resultCode(region, at, length) !== RESULT.ok || length < REPLY.listEntries) return null;
  const count = region.fields.getUint32(at + REPLY.count, true);
  const entries: StreamEntry[] = [];
  let next = at + REPLY.listEntries;
  for (let i = 0; i < count; i++) {
    const entry = decodeEntry(region, next, at + length);
    if (entry === null) return null;
    entries.push(entry);
    next += pad4(STREAM_ENTRY.name + entry.name.length);
  }
  return { entries, next: region.fields.getUint32(at + REPLY.listNext, true) };
}

/** Reply of state_digest: a view into it, or null. */
export function decodeStateDigest(region: Region, at: number, length: number): Uint8Array | null {
  if (resultCode(region, at, length) !== RESULT.ok || length !== REPLY.digestSize) return null;
  return region.bytes.subarray(at + REPLY.digest, at + REPLY.digestSize);
}

function decodeEntry(region: Region, at: number, end: number): StreamEntry | null {
  if (at + STREAM_ENTRY.name > end) return null;
  const { fields } = region;
  const nameLength = fields.getUint16(at + STREAM_ENTRY.nameLength, true);
  if (at + STREAM_ENTRY.name + nameLength > end) return null;
  return {
    id: readU64(region, at + STREAM_ENTRY.id),
    name: readName(region, at + STREAM_ENTRY.name, nameLength),
    dataClass: DATA_CLASSES[fields.getUint8(at + STREAM_ENTRY.class)] ?? 'unknown',
    deleted: (fields.getUint8(at + STREAM_ENTRY.flags) & 1) !== 0,
    nextOffset: readU64(region, at + STREAM_ENTRY.nextOffset),
    createdMicros: readNanosAsMicros(region, at + STREAM_ENTRY.created),
    chain: region.bytes.subarray(at + STREAM_ENTRY.chain, at + STREAM_ENTRY.chain + 32),
  };
}
