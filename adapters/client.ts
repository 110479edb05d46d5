/**
 * The TypeScript client.
 *
 *   const db = await connect({ addresses: '127.0.0.1:3001,127.0.0.1:3002,127.0.0.1:3003' });
 *   await db.createTenant(1, 'acme');
 *   const stream = await db.createStream(1, 'orders');
 *   const { offset } = await db.append(1, stream, ['first', 'second'], { expectedOffset: 0 });
 *   const { events } = await db.read(1, stream, { offset });
 *   await db.close();
 *
 * Acknowledged means durable on a quorum. A call that fails throws `RequestError`; when nobody can
 * tell whether it took effect, `IndeterminateError`. Requests are sent again for as long as the
 * caller waits, to whichever replica leads, and are executed at most once.
 */
import { type ClusterConfig } from '../core/constants.ts';
import { HEADER_SIZE } from '../core/constants.ts';
import { sizeOf } from '../core/message/header.ts';
import { allocateAligned, MessagePool, type Message } from '../core/message/pool.ts';
import { regionOf } from '../core/message/region.ts';
import {
  decodeListStreams,
  decodeReadResult,
  decodeRecords,
  decodeResult,
  decodeStreamInfo,
  encodeAppend,
  encodeCreateStream,
  encodeCreateTenant,
  encodeDeleteStream,
  encodeListStreams,
  encodeReadEvents,
  encodeStreamInfo,
  nameProblem,
  resultCode,
  type CommandResult,
  type StreamEntry,
} from '../core/kernel/commands.ts';
import { InputRules } from '../core/kernel/input.ts';
import {
  DATA_CLASSES,
  KERNEL,
  RESULT,
  kernelOperationName,
  resultName,
  resultRetryable,
} from '../core/kernel/operations.ts';
import { parseAddresses, type Address } from './addresses.ts';
import {
  ClientNetwork,
  CLIENT_NETWORK_QUEUE_MAX,
  type ClientNetworkHandler,
  type ClusterFound,
} from './client_network.ts';
import { Sessions, type Job } from './client_session.ts';
import { AddressError, IndeterminateError, OperatingError, RequestError } from './errors.ts';
import { clusterText, parseCluster } from './handshake.ts';
import { seedFromEntropy } from './seed_entropy.ts';
import { SystemClock } from './system_clock.ts';

export { IndeterminateError, OperatingError, RequestError } from './errors.ts';

export interface ConnectOptions {
  /** Of the replicas, or some of them: `host:port,host:port` or a list. */
  readonly addresses: string | readonly (string | Address)[];
  /** Cluster id, decimal or 0x hexadecimal; a server of another cluster is then refused. */
  readonly cluster?: string;
  /** Requests in flight at once; 1 keeps all of them in the order of the calls. */
  readonly sessions?: number;
  /** For the cluster to be found and to register the first session. Default 10,000 ms. */
  readonly connectTimeoutMillis?: number;
  /** Default for every call: 30,000 ms. */
  readonly timeoutMillis?: number;
  readonly signal?: AbortSignal;
}

export interface CallOptions {
  readonly timeoutMillis?: number;
  readonly signal?: AbortSignal;
}

export interface CommandCallOptions extends CallOptions {
  /** 16 bytes of your choice: the same command with the same id takes effect once, ever. */
  readonly idempotencyId?: Uint8Array;
}

export interface CreateStreamOptions extends CommandCallOptions {
  /** Default 'Public'. */
  readonly dataClass?: DataClass;
}

export interface AppendOptions extends CommandCallOptions {
  /** Refused with `unexpected_stream_offset` unless the first event gets this offset. */
  readonly expectedOffset?: number;
}

export interface ReadOptions extends CallOptions {
  /** Of the first event. Default 0. */
  readonly offset?: number;
  /** Default 1,000; fewer come when the answer is full or the stream ends. */
  readonly limit?: number;
}

export type DataClass = (typeof DATA_CLASSES)[number];

export interface Appended {
  /** Of the first event; the others follow without gaps. */
  readonly offset: number;
  readonly count: number;
  /** Position in the log of all streams. */
  readonly op: number;
  readonly timestampMicros: number;
}

export interface StreamEvent {
  readonly offset: number;
  readonly timestampMicros: number;
  readonly payload: Uint8Array;
}

export interface EventsRead {
  readonly events: readonly StreamEvent[];
  /** Offset that the stream's next event will get: all are read when the last one is before it. */
  readonly nextOffset: number;
}

export interface StreamInfo {
  readonly id: number;
  readonly name: string;
  readonly dataClass: string;
  readonly deleted: boolean;
  readonly nextOffset: number;
  readonly createdMicros: number;
  /** Head of the stream's SHA-256 chain; zero when it is empty. */
  readonly chain: Uint8Array;
}

const CONNECT_MILLIS = 10_000;
const CALL_MILLIS = 30_000;
const SESSIONS_MAX = 4096;
const SMALL_SIZE = 8192;
/** After `busy`, before the query is sent again. */
const BUSY_MILLIS = 20;

/** Throws AddressError, or RequestError when aborted or out of time. */
export async function connect(options: ConnectOptions): Promise<Connection> {
  options.signal?.throwIfAborted();
  const connection = new Connection(options);
  await connection.open(options);
  return connection;
}

/** An open connection to a cluster, shared by any number of callers. Made by `connect`. */
export class Connection implements ClientNetworkHandler {
  private readonly clock = new SystemClock();
  private readonly network: ClientNetwork;
  private readonly sessionCount: number;
  private readonly timeoutMillis: number;
  private readonly where: string;
  private sessions: Sessions | null = null;
  private rules: InputRules | null = null;
  private found: ClusterFound | null = null;
  private closed = false;
  private opened: (() => void) | null = null;
  private openFailed: ((error: OperatingError) => void) | null = null;
  private unreachableError: AddressError | null = null;

  /** Use `connect`. */
  constructor(options: ConnectOptions) {
    const addresses = parseAddresses(options.addresses);
    const cluster = options.cluster === undefined ? null : parseCluster(options.cluster);
    if (options.cluster !== undefined && cluster === null) {
      throw new OperatingError(
        'usage',
        options.cluster,
        `Cannot use cluster id "${options.cluster}"`,
        'write a number of at most 128 bits, decimal or 0x hexadecimal',
      );
    }
    this.sessionCount = options.sessions ?? 1;
    if (!Number.isInteger(this.sessionCount) || this.sessionCount < 1 || this.sessionCount > SESSIONS_MAX) {
      throw new OperatingError(
        'usage',
        'sessions',
        `Cannot open ${this.sessionCount} sessions`,
        `choose 1 to ${SESSIONS_MAX}`,
      );
    }
    this.timeoutMillis = options.timeoutMillis ?? CALL_MILLIS;
    this.where =
      typeof options.addresses === 'string'
        ? options.addresses
        : addresses.map((a) => `${a.host}:${a.port}`).join(',');
    this.network = new ClientNetwork({ addresses, cluster, rng: seedFromEntropy(), handler: this });
  }

  /** Called once, by `connect`. */
  async open(options: ConnectOptions): Promise<void> {
    const millis = options.connectTimeoutMillis ?? CONNECT_MILLIS;
    let timer: NodeJS.Timeout | undefined;
    const abort = (): void => this.openFailed?.(this.aborted('connect', options.signal?.reason));
    try {
      await new Promise<void>((opened, failed) => {
        this.opened = opened;
        this.openFailed = failed;
        timer = setTimeout(() => failed(this.unreachableError ?? this.noLeader(millis)), millis);
        options.signal?.addEventListener('abort', abort, { once: true });
        this.network.connect();
      });
    } catch (error) {
      this.shutDown();
      throw error;
    } finally {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', abort);
      this.opened = null;
      this.openFailed = null;
    }
  }

  /** Of the cluster this is connected with. */
  get cluster(): string {
    return this.found === null ? '' : clusterText(this.found.cluster);
  }

  get config(): ClusterConfig | null {
    return this.found?.config ?? null;
  }

  // --- Commands ---

  /** `tenant`: its number, 1 or more. Refused with `tenant_exists` when it is taken. */
  async createTenant(tenant: number, name: string, options: CommandCallOptions = {}): Promise<void> {
    checkName(name);
    checkNumber('tenant', tenant);
    await this.command(KERNEL.createTenant, encodeCreateTenant(tenant, name, idOf(options)), options);
  }

  /** Returns the stream's id. Refused with `stream_exists` (detail: its id) when the name is taken. */
  async createStream(tenant: number, name: string, options: CreateStreamOptions = {}): Promise<number> {
    checkName(name);
    checkNumber('tenant', tenant);
    const dataClass = DATA_CLASSES.indexOf(options.dataClass ?? 'Public');
    const body = encodeCreateStream(tenant, name, dataClass, idOf(options));
    return (await this.command(KERNEL.createStream, body, options)).value;
  }

  /** All events or none, in order, with consecutive offsets. Strings are written as UTF-8. */
  async append(
    tenant: number,
    stream: number,
    events: readonly (Uint8Array | string)[],
    options: AppendOptions = {},
  ): Promise<Appended> {
    checkNumber('tenant', tenant);
    checkNumber('stream', stream);
    checkNumber('expectedOffset', options.expectedOffset ?? 0);
    const encoded = events.map((event) => (typeof event === 'string' ? textEncoder.encode(event) : event));
    const expected = options.expectedOffset === undefined ? {} : { expectedOffset: options.expectedOffset };
    const body = encodeAppend(tenant, stream, encoded, { ...idOf(options), ...expected });
    const result = await this.command(KERNEL.append, body, options);
    return {
      offset: result.value,
      count: result.count,
      op: result.op,
      timestampMicros: result.timestampMicros,
    };
  }

  /** The stream's name and offsets stay taken. */
  async deleteStream(tenant: number, stream: number, options: CommandCallOptions = {}): Promise<void> {
    checkNumber('tenant', tenant);
    checkNumber('stream', stream);
    await this.command(KERNEL.deleteStream, encodeDeleteStream(tenant, stream, idOf(options)), options);
  }

  // --- Reads: linearizable, each shows everything acknowledged before it was called ---

  async read(tenant: number, stream: number, options: ReadOptions = {}): Promise<EventsRead> {
    checkNumber('tenant', tenant);
    checkNumber('stream', stream);
    checkNumber('offset', options.offset ?? 0);
    checkNumber('limit', options.limit ?? 0);
    const body = encodeReadEvents(tenant, stream, options.offset ?? 0, options.limit ?? 1000);
    return await this.query(KERNEL.readEvents, body, options, (message, length) => {
      const head = decodeReadResult(message, HEADER_SIZE, length);
      if (head === null) throw damaged('read_events', 'its head');
      const { records, problem } = decodeRecords(message, HEADER_SIZE, length);
      if (problem !== null) throw damaged('read_events', problem);
      const events = records.map(({ offset, timestampMicros, payload }) => ({
        offset,
        timestampMicros,
        payload: payload.slice(),
      }));
      return { events, nextOffset: head.nextOffset };
    });
  }

  /** By id or by name. */
  async streamInfo(tenant: number, stream: number | string, options: CallOptions = {}): Promise<StreamInfo> {
    checkNumber('tenant', tenant);
    if (typeof stream === 'string') checkName(stream);
    else checkNumber('stream', stream);
    return await this.query(
      KERNEL.streamInfo,
      encodeStreamInfo(tenant, stream),
      options,
      (message, length) => {
        const entry = decodeStreamInfo(message, HEADER_SIZE, length);
        if (entry === null) throw damaged('stream_info', 'its entry');
        return infoOf(entry);
      },
    );
  }

  async listStreams(tenant: number, options: CallOptions = {}): Promise<StreamInfo[]> {
    checkNumber('tenant', tenant);
    const all: StreamInfo[] = [];
    for (let from = 0; ;) {
      const page = await this.query(
        KERNEL.listStreams,
        encodeListStreams(tenant, from),
        options,
        (message, length) => {
          const list = decodeListStreams(message, HEADER_SIZE, length);
          if (list === null) throw damaged('list_streams', 'its entries');
          return { entries: list.entries.map(infoOf), next: list.next };
        },
      );
      all.push(...page.entries);
      if (page.next === 0) return all;
      from = page.next;
    }
  }

  /** Calls that wait fail: those in flight as indeterminate, unless they only read. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.shutDown();
    await new Promise((turn) => setImmediate(turn)); // Sockets have seen their end.
  }

  // --- ClientNetworkHandler ---

  clusterFound(found: ClusterFound): MessagePool {
    this.found = found;
    const { config } = found;
    this.rules = new InputRules(config);
    const smallSize = Math.min(SMALL_SIZE, config.messageSizeMax);
    const pool = new MessagePool({
      // In flight, pings, what waits on each connection, what is being received.
      smallCount: 3 * this.sessionCount + found.replicaCount * CLIENT_NETWORK_QUEUE_MAX + 64,
      smallSize,
      largeCount: this.sessionCount + 2 * found.replicaCount + 8,
      largeSize: config.messageSizeMax,
      allocate: allocateAligned,
    });
    this.sessions = new Sessions({
      ...found,
      count: this.sessionCount,
      clock: this.clock,
      network: this.network,
      rng: seedFromEntropy(),
      pool,
      opened: () => this.opened?.(),
    });
    this.clock.attach(this.sessions);
    setImmediate(() => {
      if (!this.closed) this.sessions?.start();
    });
    return pool;
  }

  onMessage(message: Message): void {
    this.sessions?.onMessage(message);
  }

  /** A refusal is final for `connect`; silence may end, and is told only when time is up. */
  unreachable(error: AddressError): void {
    this.unreachableError = error;
    if (error.code !== 'connect-failed') this.openFailed?.(error);
  }

  // --- Calls ---

  private async command(
    operation: number,
    body: Uint8Array,
    options: CommandCallOptions,
  ): Promise<CommandResult> {
    return await this.call(
      operation,
      body,
      false,
      options.idempotencyId !== undefined,
      options,
      (message, length) => {
        const result = decodeResult(message, HEADER_SIZE, length);
        if (result === null) throw damaged(kernelOperationName(operation), 'its result');
        if (result.code !== RESULT.ok) throw refused(operation, result.code, result.value);
        return result;
      },
    );
  }

  private async query<T>(
    operation: number,
    body: Uint8Array,
    options: CallOptions,
    decode: (message: Message, length: number) => T,
  ): Promise<T> {
    const deadline = performance.now() + (options.timeoutMillis ?? this.timeoutMillis);
    for (;;) {
      const timeoutMillis = Math.max(0, deadline - performance.now());
      const answer = await this.call(
        operation,
        body,
        true,
        true,
        { ...options, timeoutMillis },
        (message, length) => {
          const code = resultCode(message, HEADER_SIZE, length);
          if (code === RESULT.busy) return null;
          if (code !== RESULT.ok) throw refused(operation, code, 0);
          return { value: decode(message, length) };
        },
      );
      if (answer !== null) return answer.value;
      await new Promise((pause) => setTimeout(pause, BUSY_MILLIS));
    }
  }

  private call<T>(
    operation: number,
    body: Uint8Array,
    query: boolean,
    repeatable: boolean,
    options: CallOptions,
    decode: (message: Message, length: number) => T,
  ): Promise<T> {
    const name = kernelOperationName(operation);
    return new Promise<T>((resolve, reject) => {
      const { sessions, rules } = this;
      if (sessions === null || rules === null || this.closed) {
        reject(
          new RequestError(
            'client-closed',
            name,
            `${name} was not sent: the connection is closed`,
            'connect again',
          ),
        );
        return;
      }
      if (options.signal?.aborted === true) {
        reject(this.aborted(name, options.signal.reason));
        return;
      }
      const problem = rules.problem(operation, regionOf(body), 0, body.byteLength);
      if (problem !== null) {
        reject(
          new RequestError('request-invalid', name, `${name} was not sent: ${problem}`, 'change the request'),
        );
        return;
      }
      const millis = options.timeoutMillis ?? this.timeoutMillis;
      const done = (): void => {
        clearTimeout(timer);
        options.signal?.removeEventListener('abort', abort);
      };
      const job: Job = {
        operation,
        body,
        query,
        name,
        repeatable,
        sent: false,
        over: false,
        answered(message) {
          done();
          try {
            resolve(decode(message, sizeOf(message) - HEADER_SIZE));
          } catch (error) {
            reject(error as Error);
          }
        },
        failed(error) {
          done();
          reject(error);
        },
      };
      const giveUp = (error: RequestError): void => {
        if (job.over) return;
        job.over = true;
        job.failed(error);
      };
      const abort = (): void => giveUp(this.aborted(name, options.signal?.reason, job));
      const timer = setTimeout(() => giveUp(this.timedOut(job, millis)), millis);
      options.signal?.addEventListener('abort', abort, { once: true });
      sessions.submit(job);
    });
  }

  private shutDown(): void {
    this.closed = true;
    this.sessions?.stop((job) => outcome(job, 'client-closed', 'the connection was closed', 'connect again'));
    this.clock.close();
    this.network.close();
  }

  // --- Errors ---

  private timedOut(job: Job, millis: number): RequestError {
    const reach =
      this.network.connectedCount === 0
        ? `no replica at ${this.where} is connected`
        : `no answer from ${this.where} in ${Math.round(millis)} ms`;
    return outcome(job, 'request-timeout', reach, 'check that a majority of the replicas runs');
  }

  private aborted(name: string, reason: unknown, job?: Job): RequestError {
    if (job !== undefined)
      return outcome(job, 'request-aborted', 'it was aborted', 'nothing is wrong with the cluster', reason);
    return new RequestError('request-aborted', name, `${name} was aborted`, 'nothing was sent', {
      cause: reason,
    });
  }

  private noLeader(millis: number): AddressError {
    return new AddressError(
      'connect-failed',
      this.where,
      `Cannot open a session at ${this.where} in ${millis} ms: ` +
        `${this.network.connectedCount} replicas are connected, none leads`,
      'check that a majority of the replicas runs',
    );
  }
}

const textEncoder = new TextEncoder();

/** A write that was sent and is given up has an unknown outcome; anything else had no effect. */
function outcome(
  job: Job,
  code: OperatingError['code'],
  why: string,
  advice: string,
  cause?: unknown,
): RequestError {
  if (job.sent && !job.query) {
    return new IndeterminateError(
      code,
      job.name,
      `The outcome of ${job.name} is unknown: ${why}`,
      `${advice}; read to find out, or repeat it with the same idempotency id`,
      { cause },
    );
  }
  const what = job.query ? `${job.name} was not answered: ${why}` : `${job.name} was not sent: ${why}`;
  return new RequestError(code, job.name, what, advice, { retryable: true, cause });
}

function refused(operation: number, code: number, detail: number): RequestError {
  const name = kernelOperationName(operation);
  const result = resultName(code);
  const number = detail === 0 && code !== RESULT.unexpected_stream_offset ? '' : ` (${detail})`;
  const retryable = resultRetryable(code);
  return new RequestError('request-refused', name, `${name} was refused: ${result}${number}`,
    retryable ? 'try again later' : 'nothing was changed', { result, detail, retryable });
}

/** The reply passed the network's checksums and still makes no sense: not the network's fault. */
function damaged(name: string, part: string): RequestError {
  return new RequestError('reply-damaged', name, `The reply to ${name} is damaged: ${part}`,
    'inspect the replicas; this is data corruption or a bug');
}

function checkName(name: string): void {
  const problem = nameProblem(name);
  if (problem !== null) {
    throw new RequestError(
      'request-invalid',
      name,
      `Cannot use name "${name}": ${problem}`,
      'choose another name',
    );
  }
}

function checkNumber(what: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 0) return;
  throw new RequestError(
    'request-invalid',
    what,
    `Cannot use ${value} as ${what}`,
    'give a whole number, not negative',
  );
}

function idOf(options: CommandCallOptions): { idempotencyId?: Uint8Array } {
  const { idempotencyId } = options;
  if (idempotencyId === undefined) return {};
  if (idempotencyId.byteLength !== 16) {
    throw new RequestError(
      'request-invalid',
      'idempotencyId',
      `Cannot use an idempotency id of ${idempotencyId.byteLength} bytes`,
      'give 16 bytes',
    );
  }
  return { idempotencyId };
}

function infoOf(entry: StreamEntry): StreamInfo {
  return { ...entry, chain: entry.chain.slice() };
}
