/**
 * What one simulated client asks for, operation by operation: a closed loop over a few streams.
 *
 * Each operation is a keyed hash of (seed, client, index), so leaving one out changes no other's
 * kind or content; only what the client has learned from replies (stream lengths, ids) may differ.
 * Every event carries the client's number and a serial, unique in the run. Source: reference
 * "vopr" 5.3 (`append`), expected offsets exact, any, or stale.
 */
import { HEADER_SIZE, type ClusterConfig } from '../../core/constants.ts';
import {
  ANY_OFFSET,
  BODY,
  REPLY,
  addEvent,
  beginAppend,
  encodeCreateStream,
  encodeCreateTenant,
  encodeDeleteStream,
  encodeListStreams,
  encodeStreamInfo,
  eventEnd,
  writeReadEvents,
} from '../../core/kernel/commands.ts';
import { KERNEL, RESULT, kernelLimits, streamId, tenantOfStream } from '../../core/kernel/operations.ts';
import { type Message } from '../../core/message/pool.ts';
import { readU64, regionOf, type Region } from '../../core/message/region.ts';
import { EVENT_ID_SIZE, writeEventId } from '../../invariants/invariant.ts';
import { type Counters } from '../counters.ts';
import { DOMAIN, choose, type Decisions } from '../decide.ts';
import { FAMILY } from '../identity.ts';
import { type WorkloadPlan } from '../plan.ts';

const KIND = {
  append: 0,
  read: 1,
  streamInfo: 2,
  listStreams: 3,
  createTenant: 4,
  createStream: 5,
  deleteStream: 6,
} as const;
/** `plan.omitted` names operation `index` of client c as c * 2^20 + index. */
export const OMITTED_STRIDE = 1 << 20;
const READ_EVENTS_MAX = 16;
const UNKNOWN = -1;

export interface OperationsOptions {
  readonly plan: WorkloadPlan;
  readonly config: ClusterConfig;
  readonly decisions: Decisions;
  readonly counters: Counters;
  /** From 0. */
  readonly client: number;
}

export class Operations {
  private readonly plan: WorkloadPlan;
  private readonly config: ClusterConfig;
  private readonly decisions: Decisions;
  private readonly counters: Counters;
  private readonly client: number;
  private readonly weights: Uint32Array;
  private readonly weightTotal: number;
  private readonly payloadMax: number;
  /** Of one append; also the serials set aside for each operation. */
  private readonly eventsMax: number;

  /** The present operation: its code and its body. */
  operation = 0;
  bodyLength = 0;
  readonly body: Region;

  /** Streams that this client sets up before anything else: pairs of tenant and stream, 0: tenant. */
  private readonly setup: number[] = [];
  private setupDone = 0;
  /** Index of the next operation after the setup. */
  index = 0;
  private key = 0;
  private reissue = false;
  private reissues = 0;

  /** Streams this client knows of, and the length each was last heard to have. */
  private readonly streams: number[] = [];
  private readonly lengths: number[] = [];
  /** Those it made itself, and may delete. */
  private readonly own: number[] = [];
  /** Place in `streams` of the present operation's stream; UNKNOWN when it has none. */
  private place = UNKNOWN;

  constructor(options: OperationsOptions) {
    const { plan, config } = options;
    this.plan = plan;
    this.config = config;
    this.decisions = options.decisions;
    this.counters = options.counters;
    this.client = options.client;
    this.weights = Uint32Array.of(
      plan.appendWeight,
      plan.readWeight,
      plan.streamInfoWeight,
      plan.listStreamsWeight,
      plan.createTenantWeight,
      plan.createStreamWeight,
      plan.deleteStreamWeight,
    );
    this.weightTotal = this.weights.reduce((sum, weight) => sum + weight, 0);
    const limits = kernelLimits(config);
    this.payloadMax = Math.max(EVENT_ID_SIZE, limits.payloadSizeMax);
    this.eventsMax = Math.min(limits.batchEventsMax, Math.max(1, plan.eventsPerAppend[1]));
    this.body = regionOf(new Uint8Array(config.messageSizeMax - HEADER_SIZE));
    for (let tenant = 1; tenant <= plan.tenants; tenant++) {
      // Several clients may set up one tenant: none waits for another that the faults hold up, and
      // all but the first are refused, which is an answer to check as well.
      const mine = tenant - 1 === this.client % plan.tenants;
      if (mine) this.setup.push(tenant, 0);
      for (let stream = 1; stream <= plan.streams; stream++) {
        if (mine) this.setup.push(tenant, stream);
        this.streams.push(streamId(tenant, stream));
        this.lengths.push(UNKNOWN);
      }
    }
  }

  /** Composes the next operation; false when the client has done all of its work. */
  next(): boolean {
    if (this.setupDone < this.setup.length) {
      this.composeSetup();
      return true;
    }
    if (this.reissue) {
      // The same body again, as a new request: an application that did not see the first answer.
      this.reissue = false;
      this.reissues++;
      this.counters.reissues++;
      return true;
    }
    while (this.index < this.plan.operationsPerClient) {
      const index = this.index++;
      if (this.plan.omitted.includes(this.client * OMITTED_STRIDE + index)) continue;
      if (this.weightTotal === 0) return false;
      this.reissues = 0;
      this.key = this.decisions.key(FAMILY.operation, this.client, index, 0, 0, 0, 0);
      this.compose(choose(this.weights, this.below(DOMAIN.operation, this.weightTotal)));
      return true;
    }
    return false;
  }

  /** Until the next operation, in microseconds. */
  restMicros(): number {
    const { plan, decisions, key } = this;
    if (this.setupDone < this.setup.length) return 0; // The others wait for these streams.
    if (decisions.chance(key, DOMAIN.idle, plan.idlePpm)) {
      return decisions.between(key, DOMAIN.idleMicros, plan.idleMicros[0], plan.idleMicros[1]);
    }
    return decisions.between(key, DOMAIN.think, plan.thinkMicros[0], plan.thinkMicros[1]);
  }

  /** Learns from the answer to the present operation. */
  answered(reply: Message): void {
    const code = reply.fields.getUint16(HEADER_SIZE + REPLY.code, true);
    const place = this.place;
    if (this.operation === KERNEL.append) {
      const value = readU64(reply, HEADER_SIZE + REPLY.value);
      const count = reply.fields.getUint32(HEADER_SIZE + REPLY.count, true);
      if (code === RESULT.ok) this.learn(place, value + count);
      else if (code === RESULT.unexpected_stream_offset) this.learn(place, value);
      this.considerReissue();
    } else if (this.operation === KERNEL.readEvents && code === RESULT.ok) {
      this.learn(place, readU64(reply, HEADER_SIZE + REPLY.nextOffset));
    } else if (this.operation === KERNEL.createStream && code === RESULT.ok && place === UNKNOWN) {
      const stream = readU64(reply, HEADER_SIZE + REPLY.value);
      this.streams.push(stream);
      this.lengths.push(0);
      this.own.push(stream);
    }
  }

  private considerReissue(): void {
    const carriesId = this.body.words[BODY.idempotencyId >> 2] !== 0;
    if (!carriesId || this.reissues > 0) return;
    this.reissue = this.decisions.chance(this.key, DOMAIN.reissue, this.plan.reissuePpm);
  }

  private learn(place: number, length: number): void {
    if (place === UNKNOWN || !Number.isSafeInteger(length)) return;
    if (length > (this.lengths[place] as number)) this.lengths[place] = length;
  }

  // --- Composing ---

  private composeSetup(): void {
    const tenant = this.setup[this.setupDone] as number;
    const local = this.setup[this.setupDone + 1] as number;
    this.setupDone += 2;
    this.key = this.decisions.key(FAMILY.operation, this.client, tenant, local, 1, 0, 0);
    if (local === 0) {
      this.take(KERNEL.createTenant, encodeCreateTenant(tenant, `tenant_${tenant}`));
    } else {
      // The same names in all tenants, on purpose.
      this.take(KERNEL.createStream, encodeCreateStream(tenant, `stream_${local}`, 7, { local }));
    }
    this.place = 0; // Nothing to learn from the answer.
  }

  private compose(kind: number): void {
    this.place = UNKNOWN;
    switch (kind) {
      case KIND.append:
        this.composeAppend();
        return;
      case KIND.read:
        this.composeRead();
        return;
      case KIND.streamInfo: {
        this.place = this.below(DOMAIN.stream, this.streams.length);
        const stream = this.streams[this.place] as number;
        const local = 1 + this.below(DOMAIN.name, this.plan.streams);
        const byName = this.below(DOMAIN.range, 4) === 0;
        const which = byName ? `stream_${local}` : stream;
        this.take(KERNEL.streamInfo, encodeStreamInfo(tenantOfStream(stream), which));
        return;
      }
      case KIND.listStreams: {
        const tenant = 1 + this.below(DOMAIN.stream, this.plan.tenants);
        const from = this.below(DOMAIN.range, this.plan.streams + 1);
        this.take(KERNEL.listStreams, encodeListStreams(tenant, from));
        return;
      }
      case KIND.createTenant: {
        // Beyond the limit, too: a refusal is an answer like any other.
        const tenant = 1 + this.below(DOMAIN.stream, this.config.tenantsMax + 2);
        this.take(KERNEL.createTenant, encodeCreateTenant(tenant, `tenant_${tenant}`));
        return;
      }
      case KIND.createStream: {
        const tenant = 1 + this.below(DOMAIN.stream, this.plan.tenants);
        const name = `made_${this.below(DOMAIN.name, 100)}`;
        this.take(KERNEL.createStream, encodeCreateStream(tenant, name, 7));
        return;
      }
      default: {
        // Its own streams only; those of all clients stay, or the work would run dry.
        if (this.own.length === 0) {
          this.composeAppend();
          return;
        }
        const stream = this.own[this.below(DOMAIN.stream, this.own.length)] as number;
        this.take(KERNEL.deleteStream, encodeDeleteStream(tenantOfStream(stream), stream));
      }
    }
  }

  private composeAppend(): void {
    const { plan, decisions, body, key } = this;
    this.place = this.below(DOMAIN.stream, this.streams.length);
    const stream = this.streams[this.place] as number;
    beginAppend(body, 0, tenantOfStream(stream), stream, this.expectedOffset());
    if (decisions.chance(key, DOMAIN.idempotent, plan.idempotentPpm)) this.writeIdempotencyId();
    const [eventsMin, eventsMax] = plan.eventsPerAppend;
    const wanted = decisions.between(key, DOMAIN.eventCount, eventsMin, eventsMax);
    const count = Math.min(Math.max(1, wanted), this.eventsMax);
    let end: number = BODY.events;
    for (let i = 0; i < count; i++) {
      const [sizeMin, sizeMax] = plan.payloadBytes;
      const drawn = decisions.between(decisions.part(key, i), DOMAIN.payload, sizeMin, sizeMax);
      const size = Math.min(Math.max(EVENT_ID_SIZE, drawn), this.payloadMax);
      if (eventEnd(end, size) > body.bytes.byteLength) break;
      const at = addEvent(body, 0, end, size);
      writeEventId(body.bytes, at, this.client, this.index * this.eventsMax + i);
      for (let byte = EVENT_ID_SIZE; byte < size; byte++) {
        body.bytes[at + byte] = Math.imul(key ^ byte, 0x9e3779b1) >>> 24;
      }
      end = eventEnd(end, size);
    }
    this.operation = KERNEL.append;
    this.bodyLength = end;
  }

  /** What the client believes, an older belief, or none. */
  private expectedOffset(): number {
    const { plan, decisions, key } = this;
    const known = this.lengths[this.place] as number;
    if (known === UNKNOWN) return ANY_OFFSET;
    if (decisions.chance(key, DOMAIN.expected, plan.expectedExactPpm)) return known;
    if (known > 0 && decisions.chance(decisions.part(key, 1), DOMAIN.expected, plan.expectedStalePpm)) {
      return this.below(DOMAIN.range, known);
    }
    return ANY_OFFSET;
  }

  private writeIdempotencyId(): void {
    const at = BODY.idempotencyId >> 2;
    this.body.words[at] = this.client + 1;
    this.body.words[at + 1] = this.index;
    this.body.words[at + 2] = this.key;
    this.body.words[at + 3] = 0;
  }

  private composeRead(): void {
    this.place = this.below(DOMAIN.stream, this.streams.length);
    const stream = this.streams[this.place] as number;
    const known = this.lengths[this.place] as number;
    // Half of the reads follow the tail, where staleness would show; the rest go anywhere.
    const tail = this.below(DOMAIN.range, 2) === 0;
    const offset = known <= 0 ? 0 : this.below(DOMAIN.readOffset, known + 1);
    const from = tail ? Math.max(0, known - 4) : offset;
    const tenant = tenantOfStream(stream);
    const events = 1 + this.below(DOMAIN.eventCount, READ_EVENTS_MAX);
    this.bodyLength = writeReadEvents(this.body, 0, tenant, stream, from, events, 0xffff_ffff);
    this.operation = KERNEL.readEvents;
  }

  private take(operation: number, body: Uint8Array): void {
    this.operation = operation;
    this.body.bytes.set(body);
    this.bodyLength = body.byteLength;
  }

  private below(domain: number, bound: number): number {
    return this.decisions.below(this.key, domain, bound);
  }
}
