/**
 * The client's own state machine: one session, one operation in flight, resent without limit.
 *
 * Invariant: a timeout decides nothing. The identical bytes (same checksum) are sent again until
 * their reply comes or the session is evicted, so an operation is executed at most once and its
 * outcome is never guessed. A reply is taken only when client, request number and request checksum
 * are those of the operation in flight. Source: reference "vsr" section 11.
 *
 * Departure: the first attempt goes to the presumed primary alone, not also to a random backup; a
 * dead or moved primary costs one timeout, and the common case half the messages. Each resend goes
 * to the presumed primary and to one other replica in turn, which forwards it to its own primary.
 */
import { assert } from '../assert.ts';
import { bodyValid, headerValid, seal } from '../checksum.ts';
import { HEADER_SIZE, PROTOCOL_VERSION, RELEASE, type ClusterConfig } from '../constants.ts';
import {
  AT,
  COMMAND,
  OPERATION,
  commandOf,
  opOf,
  requestOf,
  setOperation,
  setRequest,
  setSize,
  setView,
  viewOf,
} from '../message/header.ts';
import { type Message, type MessagePool } from '../message/pool.ts';
import {
  copyWords,
  equalWords,
  isZeroWords,
  regionOf,
  writeU64,
  zeroWords,
  type Region,
} from '../message/region.ts';
import { type Clock, type Network, type Rng } from '../ports.ts';
import { defineProbe } from '../probe.ts';
import { type Micros } from '../units.ts';

/** Timers this component arms on its clock. */
export const CLIENT_TIMER = { request: 0, ping: 1 } as const;

const PING_MICROS = 30_000_000 as Micros;
/** Until a round trip was measured; the first timeout is twice that. */
const ROUND_TRIP_MICROS_INITIAL = 300_000;
const ROUND_TRIP_MICROS_MIN = 10_000;
const BACKOFF_MICROS_MIN = 10_000;
/**
 * The protocol's backoff goes up to 10 s; a client stops at 2 s, because each resend also walks
 * to the next replica and a long pause only prolongs the outage that the user sees.
 */
const BACKOFF_MICROS_MAX = 2_000_000;
/** Samples of which the median is taken. */
const ROUND_TRIPS = 7;

const resent = defineProbe('client: request resent');
const viewAdopted = defineProbe('client: view adopted');
const staleReply = defineProbe('client: reply of another request');
const evictedProbe = defineProbe('client: evicted');
const staleEviction = defineProbe('client: eviction of an older view');

export interface ClientListener {
  /** The session exists; the client is idle. */
  clientRegistered(client: Client): void;
  /**
   * Answer to the request or query in flight; its body is at 256..size. The client is idle again,
   * so the next operation may be started from here. `message` is valid during the call; keep it
   * with `ref()`.
   */
  clientReply(client: Client, message: Message): void;
  /** Terminal: `reason` is an EVICTION_REASON. What was in flight may or may not have happened. */
  clientEvicted(client: Client, reason: number): void;
}

export interface ClientOptions {
  readonly config: ClusterConfig;
  /** 16 bytes. */
  readonly cluster: Region;
  /** 16 random bytes, not all zero, never used by another session. */
  readonly clientId: Region;
  readonly replicaCount: number;
  readonly clock: Clock;
  readonly network: Network;
  readonly rng: Rng;
  readonly pool: MessagePool;
  readonly listener: ClientListener;
}

export type ClientStatus = 'created' | 'registering' | 'registered' | 'evicted' | 'stopped';

export class Client {
  readonly clientId: Region;
  status: ClientStatus = 'created';
  /** Highest view a replica has told of; its primary is tried first. */
  view = 0;
  /** Op of the register; 0 until registered. */
  session = 0;
  /** Resends of the operation in flight; wraps in a u8 so that round robins never freeze. */
  attempts = 0;
  /** Messages refused: not for this client, or damaged. */
  refusedCount = 0;

  private readonly config: ClusterConfig;
  private readonly cluster: Region;
  private readonly replicaCount: number;
  private readonly clock: Clock;
  private readonly network: Network;
  private readonly rng: Rng;
  private readonly pool: MessagePool;
  private readonly listener: ClientListener;

  /** Number of the last request; 0 is the register's. */
  private requestNumber = 0;
  private queryNumber = 0;
  /** Context of the last reply: the parent of the next request. */
  private readonly context: Region = regionOf(new Uint8Array(32));
  /** The sealed request or query, held until its reply. */
  private inFlight: Message | null = null;
  private sentAt = 0;
  /** Advances with every resend, over all operations: successive timeouts try all replicas. */
  private rotation = 0;
  private readonly roundTrips = new Float64Array(ROUND_TRIPS);
  private roundTripCount = 0;

  constructor(options: ClientOptions) {
    assert(!isZeroWords(options.clientId, 0, 16), 'client: id is zero');
    this.clientId = options.clientId;
    this.config = options.config;
    this.cluster = options.cluster;
    this.replicaCount = options.replicaCount;
    this.clock = options.clock;
    this.network = options.network;
    this.rng = options.rng;
    this.pool = options.pool;
    this.listener = options.listener;
  }

  /** True when `request` and `query` may be called. */
  get idle(): boolean {
    return this.status === 'registered' && this.inFlight === null;
  }

  /** The sealed request or query that waits for its reply. Not to be changed or kept. */
  get openMessage(): Message | null {
    return this.inFlight;
  }

  /** Finds the cluster's view and opens the session. */
  start(): void {
    assert(this.status === 'created', 'client: started twice');
    this.status = 'registering';
    this.sendPings();
    this.clock.arm(CLIENT_TIMER.ping, PING_MICROS);
    this.launch(COMMAND.request, OPERATION.register, 0, EMPTY);
  }

  /** A replicated operation. `body` is copied. */
  request(operation: number, body: Uint8Array): void {
    assert(this.idle, 'client: request while busy', operation);
    assert(operation >= 128 && operation < 192, 'client: not a replicated operation', operation);
    assert(this.requestNumber < 0xffff_ffff, 'client: request numbers are used up');
    this.requestNumber++;
    this.launch(COMMAND.request, operation, this.requestNumber, body);
  }

  /** A read outside the log, answered from a confirmed read index. `body` is copied. */
  query(operation: number, body: Uint8Array): void {
    assert(this.idle, 'client: query while busy', operation);
    assert(operation >= 192 && operation < 256, 'client: not a query', operation);
    assert(this.queryNumber < 0xffff_ffff, 'client: query numbers are used up');
    this.queryNumber++;
    this.launch(COMMAND.query, operation, this.queryNumber, body);
  }

  /** Forgets what is in flight (its outcome is unknown) and disarms everything. */
  stop(): void {
    this.status = 'stopped';
    this.dropInFlight();
    this.clock.disarm(CLIENT_TIMER.ping);
  }

  /** Does not take ownership of `message`. */
  onMessage(message: Message): void {
    if (this.status === 'created' || this.status === 'evicted' || this.status === 'stopped') return;
    if (this.refuses(message)) {
      this.refusedCount++;
      return;
    }
    switch (commandOf(message)) {
      case COMMAND.reply:
        this.onReply(message);
        return;
      case COMMAND.queryReply:
        this.onQueryReply(message);
        return;
      case COMMAND.pongClient:
        this.adoptView(message);
        return;
      case COMMAND.eviction:
        this.onEviction(message);
        return;
      default:
        this.refusedCount++;
    }
  }

  onTimer(timer: number): void {
    if (timer === CLIENT_TIMER.ping) {
      this.sendPings();
      this.clock.arm(CLIENT_TIMER.ping, PING_MICROS);
      return;
    }
    assert(timer === CLIENT_TIMER.request, 'client: unknown timer', timer);
    if (this.inFlight === null) return; // The reply came in the same instant.
    this.attempts = (this.attempts + 1) & 0xff;
    resent.hits++;
    this.sendAgain(this.inFlight);
    this.sendPings(); // A pong tells of a newer view; the next timeout goes there.
    this.clock.arm(CLIENT_TIMER.request, this.timeout());
  }

  // --- Sending ---

  private launch(command: number, operation: number, number: number, body: Uint8Array): void {
    const size = HEADER_SIZE + body.byteLength;
    assert(size <= this.config.messageSizeMax, 'client: request too large', size);
    assert(this.inFlight === null, 'client: two operations in flight');
    const message = this.pool.acquire(size);
    this.writeFrame(message, command, size);
    setView(message, this.view);
    setRequest(message, number);
    setOperation(message, operation);
    if (command === COMMAND.request) {
      copyWords(this.context, 0, message, AT.parent, 32);
      writeU64(message, AT.session, this.session);
    }
    message.bytes.set(body, HEADER_SIZE);
    seal(this.config.checksumAlgorithm, message);

    this.inFlight = message;
    this.attempts = 0;
    this.sentAt = this.clock.monotonic();
    this.network.send(this.primary(), message);
    this.clock.arm(CLIENT_TIMER.request, this.timeout());
  }

  private sendAgain(message: Message): void {
    const primary = this.primary();
    this.network.send(primary, message);
    if (this.replicaCount === 1) return;
    const step = 1 + (this.rotation % (this.replicaCount - 1)); // Never the primary itself.
    this.rotation = (this.rotation + 1) % 0xffff;
    this.network.send((primary + step) % this.replicaCount, message);
  }

  private sendPings(): void {
    const message = this.pool.acquire(HEADER_SIZE);
    this.writeFrame(message, COMMAND.pingClient, HEADER_SIZE);
    writeU64(message, AT.session, this.session);
    writeU64(message, AT.timestamp, this.clock.monotonic());
    seal(this.config.checksumAlgorithm, message);
    for (let replica = 0; replica < this.replicaCount; replica++) this.network.send(replica, message);
    message.unref();
  }

  private writeFrame(message: Message, command: number, size: number): void {
    zeroWords(message, 0, HEADER_SIZE);
    copyWords(this.cluster, 0, message, AT.cluster, 16);
    setSize(message, size);
    message.fields.setUint32(AT.release, RELEASE, true);
    message.fields.setUint16(AT.protocol, PROTOCOL_VERSION, true);
    message.fields.setUint8(AT.command, command);
    copyWords(this.clientId, 0, message, AT.client, 16);
  }

  private primary(): number {
    return this.view % this.replicaCount;
  }

  // --- Receiving ---

  /** Damaged on the way, or not for this client. What a replica sends is never asserted on. */
  private refuses(message: Message): boolean {
    const algorithm = this.config.checksumAlgorithm;
    if (!headerValid(algorithm, message)) return true;
    if (!isZeroWords(message, AT.nonceReserved, 16)) return true;
    if (!isZeroWords(message, AT.reservedFrame, 12)) return true;
    if (message.fields.getUint16(AT.protocol, true) !== PROTOCOL_VERSION) return true;
    if (!equalWords(message, AT.cluster, this.cluster, 0, 16)) return true;
    if (!equalWords(message, AT.client, this.clientId, 0, 16)) return true;
    return !bodyValid(algorithm, message);
  }

  private onReply(message: Message): void {
    const request = this.inFlight;
    if (
      request === null ||
      commandOf(request) !== COMMAND.request ||
      requestOf(message) !== requestOf(request) ||
      !equalWords(message, AT.replyRequestChecksum, request, AT.checksum, 32)
    ) {
      staleReply.hits++; // Ordinary: the answer to an earlier copy, or to an earlier request.
      return;
    }
    const op = opOf(message);
    if (!Number.isSafeInteger(op) || op === 0) {
      this.refusedCount++;
      return;
    }
    this.adoptView(message);
    copyWords(message, AT.replyContext, this.context, 0, 32);
    this.finish();
    if (this.status === 'registering') {
      this.status = 'registered';
      this.session = op;
      this.listener.clientRegistered(this);
    } else {
      this.listener.clientReply(this, message);
    }
  }

  private onQueryReply(message: Message): void {
    const query = this.inFlight;
    if (
      query === null ||
      commandOf(query) !== COMMAND.query ||
      requestOf(message) !== requestOf(query)
    ) {
      staleReply.hits++;
      return;
    }
    this.adoptView(message);
    this.finish();
    this.listener.clientReply(this, message);
  }

  /** The request timer is left to fire as it would: many clients turning at once is a stampede. */
  private adoptView(message: Message): void {
    const view = viewOf(message);
    if (view <= this.view) return;
    viewAdopted.hits++;
    this.view = view;
  }

  private onEviction(message: Message): void {
    if (viewOf(message) < this.view) {
      staleEviction.hits++; // A deposed primary does not know the sessions of later views.
      return;
    }
    evictedProbe.hits++;
    this.status = 'evicted';
    this.dropInFlight();
    this.clock.disarm(CLIENT_TIMER.ping);
    this.listener.clientEvicted(this, message.fields.getUint8(AT.reason));
  }

  // --- The operation in flight ---

  private finish(): void {
    // A round trip that was resent cannot be told from one that was slow: it is no sample.
    if (this.attempts === 0) {
      const slot = this.roundTripCount % ROUND_TRIPS;
      this.roundTrips[slot] = Math.max(0, this.clock.monotonic() - this.sentAt);
      this.roundTripCount++;
    }
    this.dropInFlight();
  }

  private dropInFlight(): void {
    if (this.inFlight === null) return;
    const message = this.inFlight;
    this.inFlight = null;
    this.attempts = 0;
    this.clock.disarm(CLIENT_TIMER.request);
    message.unref();
  }

  /** `2 x round trip + backoff`; see reference section 5. */
  private timeout(): Micros {
    const range = Math.min(
      BACKOFF_MICROS_MAX - BACKOFF_MICROS_MIN,
      BACKOFF_MICROS_MIN * (1 << Math.min(this.attempts, 20)),
    );
    const backoff = BACKOFF_MICROS_MIN + this.rng.below(range);
    return (2 * this.roundTrip() + backoff) as Micros;
  }

  /** Median of the last samples, never below the timers' resolution. */
  private roundTrip(): number {
    if (this.roundTripCount < ROUND_TRIPS) return ROUND_TRIP_MICROS_INITIAL;
    // The sample with exactly three below it, ties broken by place: no sorting, no allocation.
    const samples = this.roundTrips;
    for (let i = 0; i < ROUND_TRIPS; i++) {
      const sample = samples[i] as number;
      let below = 0;
      for (let j = 0; j < ROUND_TRIPS; j++) {
        const other = samples[j] as number;
        if (other < sample || (other === sample && j < i)) below++;
      }
      if (below === ROUND_TRIPS >> 1) {
        return Math.max(ROUND_TRIP_MICROS_MIN, Math.min(sample, 60_000_000));
      }
    }
    return ROUND_TRIP_MICROS_INITIAL;
  }
}

const EMPTY = new Uint8Array(0);
