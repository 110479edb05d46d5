/**
 * Sessions and the jobs that wait for them. A session has one job in flight, as the protocol wants;
 * several sessions work on one queue. A caller that gives up does not stop its job: the session
 * goes on until the answer comes, for only then may the next request follow.
 */
import { assert } from '../core/assert.ts';
import { type ClusterConfig } from '../core/constants.ts';
import { AT, EVICTION_REASON } from '../core/message/header.ts';
import { type Message, type MessagePool } from '../core/message/pool.ts';
import { type Region } from '../core/message/region.ts';
import { type Network, type Rng } from '../core/ports.ts';
import { Client, type ClientListener } from '../core/vsr/client.ts';
import { IndeterminateError, RequestError } from './errors.ts';
import { randomId128 } from './seed_entropy.ts';
import { type SystemClock } from './system_clock.ts';

/** Timers of a session on the shared clock: the client's own, then ours. */
const TIMERS_A_SESSION = 4;
const TIMER_RESTART = 3;
/** A session that was evicted sooner than this after its start waits before the next. */
const RESTART_MICROS = 1_000_000;

/** One request or query of a caller. */
export interface Job {
  readonly operation: number;
  readonly body: Uint8Array;
  readonly query: boolean;
  /** Names the operation in errors. */
  readonly name: string;
  /** May be sent again in a new session: a query, or a command with an idempotency id. */
  readonly repeatable: boolean;
  /** `message` is valid during the call. */
  readonly answered: (message: Message) => void;
  readonly failed: (error: RequestError) => void;
  /** Sent at least once. */
  sent: boolean;
  /** The caller has its outcome; an answer that still comes is dropped. */
  over: boolean;
}

export interface SessionsOptions {
  readonly count: number;
  readonly config: ClusterConfig;
  readonly cluster: Region;
  readonly replicaCount: number;
  readonly clock: SystemClock;
  readonly network: Network;
  readonly rng: Rng;
  readonly pool: MessagePool;
  /** The first session is open. */
  readonly opened: () => void;
}

interface Session {
  client: Client;
  job: Job | null;
  startedAt: number;
}

export class Sessions implements ClientListener {
  private readonly options: SessionsOptions;
  private readonly sessions: Session[] = [];
  /** Those that had nothing to do; one that was evicted since is not idle and is passed over. */
  private readonly idle: Session[] = [];
  /** Place of a session by the first word of its id; no two begin alike. */
  private readonly places = new Map<number, number>();
  private queue: Job[] = [];
  private queueHead = 0;
  private stopped = false;

  constructor(options: SessionsOptions) {
    this.options = options;
    for (let place = 0; place < options.count; place++) {
      this.sessions.push({ client: this.newClient(place), job: null, startedAt: 0 });
    }
  }

  start(): void {
    for (const [place, session] of this.sessions.entries()) this.launch(place, session.client);
  }

  /** Queues a job; it is sent when a session is free. */
  submit(job: Job): void {
    assert(!this.stopped, 'sessions: submit after stop');
    this.queue.push(job);
    for (let session = this.idle.pop(); session !== undefined; session = this.idle.pop()) {
      if (!session.client.idle) continue;
      this.next(session);
      return;
    }
  }

  /** Ends everything; jobs that wait or are in flight are failed with `why`. */
  stop(why: (job: Job) => RequestError): void {
    this.stopped = true;
    for (const session of this.sessions) {
      if (session.client.status !== 'evicted') session.client.stop();
      if (session.job !== null) fail(session.job, why(session.job));
      session.job = null;
    }
    for (let job = this.takeJob(); job !== null; job = this.takeJob()) fail(job, why(job));
  }

  // --- Inputs ---

  onMessage(message: Message): void {
    const place = this.places.get(message.words[AT.client >> 2] as number);
    if (place !== undefined) this.sessions[place]?.client.onMessage(message);
  }

  onTimer(timer: number): void {
    const place = Math.floor(timer / TIMERS_A_SESSION);
    const session = this.sessions[place];
    assert(session !== undefined, 'sessions: timer', timer);
    if (timer % TIMERS_A_SESSION === TIMER_RESTART) this.launch(place, session.client);
    else session.client.onTimer(timer % TIMERS_A_SESSION);
  }

  // --- ClientListener ---

  clientRegistered(client: Client): void {
    this.options.opened();
    this.next(this.sessionOf(client));
  }

  clientReply(client: Client, message: Message): void {
    const session = this.sessionOf(client);
    const job = session.job;
    assert(job !== null, 'sessions: reply without a job');
    session.job = null;
    if (!job.over) {
      job.over = true;
      job.answered(message);
    }
    this.next(session);
  }

  /** A new session takes the place; what was in flight is sent again where that is harmless. */
  clientEvicted(client: Client, reason: number): void {
    const session = this.sessionOf(client);
    const place = this.places.get(firstWord(client.clientId)) as number;
    const job = session.job;
    session.job = null;
    this.places.delete(firstWord(client.clientId));
    session.client = this.newClient(place);
    if (job !== null && !job.over) {
      if (isRefusal(reason)) fail(job, refusal(job, reason));
      else if (job.repeatable) this.putBack(job);
      else fail(job, lost(job));
    }
    const { clock, rng } = this.options;
    const age = clock.monotonic() - session.startedAt;
    const pause = age < RESTART_MICROS ? RESTART_MICROS / 2 + rng.below(RESTART_MICROS) : 0;
    // Also without a pause not from here: the client is still in the middle of its message.
    clock.view(place * TIMERS_A_SESSION).arm(TIMER_RESTART, pause as ReturnType<SystemClock['monotonic']>);
  }

  // --- Jobs ---

  private next(session: Session): void {
    if (!session.client.idle) return;
    const job = this.takeJob();
    if (job === null) {
      this.idle.push(session);
      return;
    }
    session.job = job;
    job.sent = true;
    if (job.query) session.client.query(job.operation, job.body);
    else session.client.request(job.operation, job.body);
  }

  /** The first that its caller still waits for. */
  private takeJob(): Job | null {
    while (this.queueHead < this.queue.length) {
      const job = this.queue[this.queueHead++] as Job;
      if (this.queueHead === this.queue.length) {
        this.queue = [];
        this.queueHead = 0;
      } else if (this.queueHead === 1024) {
        this.queue = this.queue.slice(this.queueHead);
        this.queueHead = 0;
      }
      if (!job.over) return job;
    }
    return null;
  }

  private putBack(job: Job): void {
    this.queue = [job, ...this.queue.slice(this.queueHead)];
    this.queueHead = 0;
  }

  // --- Sessions ---

  private launch(place: number, client: Client): void {
    const session = this.sessions[place];
    if (session === undefined || this.stopped) return;
    session.startedAt = this.options.clock.monotonic();
    client.start();
  }

  private newClient(place: number): Client {
    const { config, cluster, replicaCount, network, rng, pool, clock } = this.options;
    let clientId = randomId128();
    while (this.places.has(firstWord(clientId))) clientId = randomId128();
    this.places.set(firstWord(clientId), place);
    return new Client({
      config,
      cluster,
      clientId,
      replicaCount,
      clock: clock.view(place * TIMERS_A_SESSION),
      network,
      rng: rng.fork(`session ${place}`),
      pool,
      listener: this,
    });
  }

  private sessionOf(client: Client): Session {
    const place = this.places.get(firstWord(client.clientId));
    const session = place === undefined ? undefined : this.sessions[place];
    assert(session !== undefined, 'sessions: unknown client');
    return session;
  }
}

function firstWord(id: Region): number {
  return id.words[0] as number;
}

function fail(job: Job, error: RequestError): void {
  if (job.over) return;
  job.over = true;
  job.failed(error);
}

/** Evictions that say the request itself will never be executed. */
function isRefusal(reason: number): boolean {
  return reason !== EVICTION_REASON.noSession && reason !== EVICTION_REASON.sessionTooLow;
}

function refusal(job: Job, reason: number): RequestError {
  const name = Object.entries(EVICTION_REASON).find(([, code]) => code === reason)?.[0] ?? `reason ${reason}`;
  return new RequestError(
    'request-refused',
    job.name,
    `${job.name} was refused: ${name}`,
    'check the request; a client of another version than the servers may also be the cause',
    { result: name },
  );
}

function lost(job: Job): RequestError {
  return new IndeterminateError('session-lost', job.name,
    `The session of ${job.name} was evicted: its outcome is unknown`,
    'read to find out, or use an idempotency id and repeat it');
}
