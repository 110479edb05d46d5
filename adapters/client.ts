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
import { HEADER_SIZE, type ClusterConfig } from '../core/constants.ts';
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
} from '../core/kernel/operations.ts';
import { parseAddresses } from './addresses.ts';
import {
  ClientNetwork,
  CLIENT_NETWORK_QUEUE_MAX,
  type ClientNetworkHandler,
  type ClusterFound,
} from './client_network.ts';
import { checkName, checkNumber, damaged, idOf, outcome, refused } from './client_outcomes.ts';
import { Sessions, type Job } from './client_session.ts';
import {
  type Appended,
  type AppendOptions,
  type CallOptions,
  type CommandCallOptions,
  type ConnectOptions,
  type CreateStreamOptions,
  type EventsRead,
  type ReadOptions,
  type StreamInfo,
} from './client_types.ts';
import { AddressError, OperatingError, RequestError } from './errors.ts';
import { clusterText, parseCluster } from './handshake.ts';
import { seedFromEntropy } from './seed_entropy.ts';
import { SystemClock } from './system_clock.ts';

export { IndeterminateError, OperatingError, RequestError } from './errors.ts';

export type {
  Appended,
  AppendOptions,
  CallOptions,
  CommandCallOptions,
  ConnectOptions,
  CreateStreamOptions,
  DataClass,
  EventsRead,
  ReadOptions,
  StreamEvent,
  StreamInfo,
} from './client_types.ts';

const CONNECT_MILLIS = 10_000;
const CALL_MILLIS = 30_000;
const SESSIONS_MAX = 4096;
const SMALL_SIZE = 8192;
/** After `busy`, before the query is sent again. */
const BUSY_MILLIS = 20;

/** Throws AddressError, or RequestError when aborted or out of time. */
export async function connect(options: ConnectOptions): Promise<Connection> {
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
        if (options.signal?.aborted === true) abort();
        else this.network.connect();
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
        `replicas connected: ${this.network.connectedCount}, none leads`,
      'check that a majority of the replicas runs',
    );
  }
}

const textEncoder = new TextEncoder();

function infoOf(entry: StreamEntry): StreamInfo {
  return { ...entry, chain: entry.chain.slice() };
}
