/**
 * State of the kernel: tenants, streams, the heads of their hash chains, and idempotency ids. All
 * of it is a function of the committed ops; everything is kept and encoded in order of creation,
 * so two replicas at one op have equal bytes, whatever either went through to get there.
 */
import { assert } from '../assert.ts';
import { type ClusterConfig } from '../constants.ts';
import { copyWords, readU64, regionOf, writeU64, type Region } from '../message/region.ts';
import { pad4, readName } from './commands.ts';
import { IdempotencyTable } from './idempotency.ts';
import { NAME_LENGTH_MAX, streamId } from './operations.ts';

export interface Tenant {
  readonly id: number;
  readonly name: string;
  readonly createdMicros: number;
  /** In order of creation; deleted ones too. */
  readonly streams: Stream[];
  readonly streamsByName: Map<string, Stream>;
  /** No stream has this local id or a higher one. */
  localNext: number;
}

export interface Stream {
  /** Place in `KernelState.streams`, and of its chain head and index. */
  readonly slot: number;
  /** tenant << 32 | local. */
  readonly id: number;
  readonly name: string;
  readonly dataClass: number;
  readonly createdMicros: number;
  /** Soft: records stay as long as retention wants them; the name stays taken. */
  deleted: boolean;
  /** Offset of the next event. */
  nextOffset: number;
  /** Always false but for one canary. */
  afterRejected: boolean;
}

const CHAIN_SIZE = 32;

export class KernelState {
  readonly tenantsMax: number;
  readonly streamsMax: number;
  readonly tenants: Map<number, Tenant> = new Map();
  readonly streams: Stream[] = [];
  readonly streamsById: Map<number, Stream> = new Map();
  /** 32 bytes a stream, by slot: hash of its last record; zero before the first. Grows. */
  chains: Region;
  readonly idempotency: IdempotencyTable;
  /** Of the last command executed. */
  commitOp = 0;
  commitTimestampMicros = 0;

  constructor(config: ClusterConfig) {
    this.tenantsMax = config.tenantsMax;
    this.streamsMax = config.streamsMax;
    this.chains = regionOf(new Uint8Array(Math.min(64, config.streamsMax) * CHAIN_SIZE));
    this.idempotency = new IdempotencyTable(config.idempotencyMax);
  }

  addTenant(id: number, name: string, createdMicros: number): Tenant {
    assert(!this.tenants.has(id), 'kernel state: tenant exists', id);
    assert(this.tenants.size < this.tenantsMax, 'kernel state: tenants', this.tenants.size);
    const streamsByName: Map<string, Stream> = new Map();
    const tenant: Tenant = { id, name, createdMicros, streams: [], streamsByName, localNext: 1 };
    this.tenants.set(id, tenant);
    return tenant;
  }

  addStream(
    tenant: Tenant,
    local: number,
    name: string,
    dataClass: number,
    createdMicros: number,
  ): Stream {
    const slot = this.streams.length;
    const id = streamId(tenant.id, local);
    assert(slot < this.streamsMax, 'kernel state: streams', slot);
    assert(!this.streamsById.has(id), 'kernel state: stream id in use', tenant.id, local);
    assert(!tenant.streamsByName.has(name), 'kernel state: stream name in use', tenant.id);
    const stream: Stream = {
      slot,
      id,
      name,
      dataClass,
      createdMicros,
      deleted: false,
      nextOffset: 0,
      afterRejected: false,
    };
    this.streams.push(stream);
    this.streamsById.set(id, stream);
    tenant.streams.push(stream);
    tenant.streamsByName.set(name, stream);
    if (local >= tenant.localNext) tenant.localNext = local + 1;
    if ((slot + 1) * CHAIN_SIZE > this.chains.bytes.length) {
      const chains = regionOf(new Uint8Array(this.chains.bytes.length * 2));
      chains.bytes.set(this.chains.bytes);
      this.chains = chains;
    }
    this.chains.bytes.fill(0, slot * CHAIN_SIZE, (slot + 1) * CHAIN_SIZE);
    return stream;
  }

  reset(): void {
    this.tenants.clear();
    this.streams.length = 0;
    this.streamsById.clear();
    this.chains.bytes.fill(0);
    this.idempotency.reset();
    this.commitOp = 0;
    this.commitTimestampMicros = 0;
  }

  // --- Encoding: header, tenants, streams ---

  encodedSize(): number {
    let size: number = HEADER.size;
    for (const tenant of this.tenants.values()) size += TENANT.name + pad4(tenant.name.length);
    for (const stream of this.streams) size += STREAM.name + pad4(stream.name.length);
    return size;
  }

  /** Returns the end. `opens` is zero, see `StateMachine`. */
  encode(target: Region, at: number, opens: number): number {
    const { fields } = target;
    fields.setUint32(at + HEADER.version, ENCODING_VERSION, true);
    fields.setUint32(at + HEADER.tenantCount, this.tenants.size, true);
    fields.setUint32(at + HEADER.streamCount, this.streams.length, true);
    fields.setUint32(at + HEADER.reserved, opens, true);
    writeU64(target, at + HEADER.commitOp, this.commitOp);
    writeU64(target, at + HEADER.commitMicros, this.commitTimestampMicros);
    let next = at + HEADER.size;
    for (const tenant of this.tenants.values()) {
      writeU64(target, next + TENANT.id, tenant.id);
      writeU64(target, next + TENANT.created, tenant.createdMicros);
      writeU64(target, next + TENANT.localNext, tenant.localNext);
      fields.setUint32(next + TENANT.nameLength, tenant.name.length, true);
      fields.setUint32(next + TENANT.nameLength + 4, 0, true);
      next = writeText(target, next + TENANT.name, tenant.name);
    }
    for (const stream of this.streams) {
      writeU64(target, next + STREAM.id, stream.id);
      writeU64(target, next + STREAM.created, stream.createdMicros);
      writeU64(target, next + STREAM.nextOffset, stream.nextOffset);
      copyWords(this.chains, stream.slot * CHAIN_SIZE, target, next + STREAM.chain, CHAIN_SIZE);
      const flags = (stream.deleted ? 1 : 0) | (stream.afterRejected ? 2 : 0);
      fields.setUint8(next + STREAM.class, stream.dataClass);
      fields.setUint8(next + STREAM.flags, flags);
      fields.setUint16(next + STREAM.nameLength, stream.name.length, true);
      fields.setUint32(next + STREAM.nameLength + 2, 0, true);
      next = writeText(target, next + STREAM.name, stream.name);
    }
    return next;
  }

  /** Becomes the state encoded in `length` bytes at `at`; returns the first broken rule, or null. */
  decode(source: Region, at: number, length: number): string | null {
    assert(this.tenants.size === 0 && this.streams.length === 0, 'kernel state: decode over another');
    const { fields } = source;
    const end = at + length;
    if (length < HEADER.size) return 'kernel state: cut short';
    if (fields.getUint32(at + HEADER.version, true) !== ENCODING_VERSION) {
      return 'kernel state: unknown version';
    }
    const tenantCount = fields.getUint32(at + HEADER.tenantCount, true);
    const streamCount = fields.getUint32(at + HEADER.streamCount, true);
    if (tenantCount > this.tenantsMax) return 'kernel state: too many tenants';
    if (streamCount > this.streamsMax) return 'kernel state: too many streams';
    let next = at + HEADER.size;
    for (let i = 0; i < tenantCount; i++) {
      if (next + TENANT.name > end) return 'kernel state: cut short';
      const nameLength = fields.getUint32(next + TENANT.nameLength, true);
      const after = next + TENANT.name + pad4(nameLength);
      if (nameLength > NAME_LENGTH_MAX || after > end) return 'kernel state: name length';
      const id = readU64(source, next + TENANT.id);
      if (this.tenants.has(id)) return 'kernel state: tenant twice';
      const name = readName(source, next + TENANT.name, nameLength);
      const tenant = this.addTenant(id, name, readU64(source, next + TENANT.created));
      tenant.localNext = readU64(source, next + TENANT.localNext);
      next = after;
    }
    for (let i = 0; i < streamCount; i++) {
      if (next + STREAM.name > end) return 'kernel state: cut short';
      const nameLength = fields.getUint16(next + STREAM.nameLength, true);
      const after = next + STREAM.name + pad4(nameLength);
      if (nameLength > NAME_LENGTH_MAX || after > end) return 'kernel state: name length';
      const id = readU64(source, next + STREAM.id);
      const tenant = this.tenants.get(Math.floor(id / 4_294_967_296));
      const name = readName(source, next + STREAM.name, nameLength);
      if (tenant === undefined) return 'kernel state: stream without its tenant';
      if (this.streamsById.has(id) || tenant.streamsByName.has(name)) return 'kernel state: stream twice';
      const dataClass = fields.getUint8(next + STREAM.class);
      const created = readU64(source, next + STREAM.created);
      const stream = this.addStream(tenant, id >>> 0, name, dataClass, created);
      stream.nextOffset = readU64(source, next + STREAM.nextOffset);
      copyWords(source, next + STREAM.chain, this.chains, stream.slot * CHAIN_SIZE, CHAIN_SIZE);
      const flags = fields.getUint8(next + STREAM.flags);
      stream.deleted = (flags & 1) !== 0;
      stream.afterRejected = (flags & 2) !== 0;
      next = after;
    }
    if (next !== end) return 'kernel state: bytes after the last stream';
    this.commitOp = readU64(source, at + HEADER.commitOp);
    this.commitTimestampMicros = readU64(source, at + HEADER.commitMicros);
    return null;
  }
}

const ENCODING_VERSION = 1;

/** Byte offsets of the encoding; names follow their struct, padded to 4. */
const HEADER = {
  version: 0,
  tenantCount: 4,
  streamCount: 8,
  reserved: 12,
  commitOp: 16,
  commitMicros: 24,
  size: 32,
} as const;

const TENANT = { id: 0, created: 8, localNext: 16, nameLength: 24, name: 32 } as const;

const STREAM = {
  id: 0,
  created: 8,
  nextOffset: 16,
  chain: 24,
  class: 56,
  flags: 57,
  nameLength: 58,
  name: 64,
} as const;

/** Writes ASCII `text` with zeros up to the next multiple of 4; returns the end. */
function writeText(target: Region, at: number, text: string): number {
  const end = at + pad4(text.length);
  target.bytes.fill(0, at, end);
  for (let i = 0; i < text.length; i++) target.bytes[at + i] = text.charCodeAt(i);
  return end;
}
