/**
 * One simulated client: the real client state machine of core/vsr, its operations, and the loop
 * between them. An evicted client begins again under a new id, as a new process would.
 */
import { Client, type ClientListener } from '../../core/vsr/client.ts';
import { type ClusterConfig } from '../../core/constants.ts';
import { type Message, type MessagePool } from '../../core/message/pool.ts';
import { regionOf, type Region } from '../../core/message/region.ts';
import { type Network } from '../../core/ports.ts';
import { type Seed } from '../../core/prng.ts';
import { type Counters } from '../counters.ts';
import { type SimClock } from '../ports/sim_clock.ts';
import { processRng } from '../ports/sim_rng.ts';
import { type ClientHost, type ClientProcess } from '../system.ts';
import { type Operations } from './operations.ts';

export interface SimClientOptions {
  readonly host: ClientHost;
  readonly config: ClusterConfig;
  readonly cluster: Region;
  readonly replicaCount: number;
  /** From 0. */
  readonly client: number;
  readonly clock: SimClock;
  readonly network: Network;
  readonly pool: MessagePool;
  readonly seed: Seed;
  readonly operations: Operations;
  readonly counters: Counters;
}

export class SimClient implements ClientListener, ClientProcess {
  readonly operations: Operations;
  readonly clock: SimClock;
  private readonly host: ClientHost;
  private readonly config: ClusterConfig;
  private readonly cluster: Region;
  private readonly replicaCount: number;
  private readonly client: number;
  private readonly network: Network;
  private readonly pool: MessagePool;
  private readonly seed: Seed;
  private readonly counters: Counters;
  session: Client;
  private sessions = 0;
  /** An operation waits for its answer. */
  waiting = false;
  /** No new operations: faults are over, what is open shall finish. */
  stopped = false;
  /** All operations done. */
  finished = false;

  constructor(options: SimClientOptions) {
    this.operations = options.operations;
    this.clock = options.clock;
    this.host = options.host;
    this.config = options.config;
    this.cluster = options.cluster;
    this.replicaCount = options.replicaCount;
    this.client = options.client;
    this.network = options.network;
    this.pool = options.pool;
    this.seed = options.seed;
    this.counters = options.counters;
    this.session = this.newSession();
  }

  start(): void {
    this.session.start();
  }

  /** Nothing is open: registered or never to be, and no operation waits. */
  get settled(): boolean {
    return !this.waiting && this.session.status !== 'registering';
  }

  onMessage(message: Message): void {
    this.session.onMessage(message);
  }

  onTimer(timer: number): void {
    this.session.onTimer(timer);
  }

  /** The rest is over: the next operation. */
  begin(): void {
    if (this.stopped || this.waiting || !this.session.idle) return;
    if (!this.operations.next()) {
      this.finished = true;
      return;
    }
    const { operation, body, bodyLength } = this.operations;
    const bytes = body.bytes.subarray(0, bodyLength);
    this.waiting = true;
    this.host.clientCalled(this.client, operation, bytes);
    if (operation < 192) this.session.request(operation, bytes);
    else this.session.query(operation, bytes);
  }

  clientRegistered(): void {
    this.host.clientRests(this.client, this.operations.restMicros());
  }

  clientReply(_client: Client, message: Message): void {
    this.waiting = false;
    this.counters.replies++;
    if (this.operations.operation >= 192) this.counters.queries++;
    this.host.clientReturned(this.client, message);
    this.operations.answered(message);
    this.host.clientRests(this.client, this.operations.restMicros());
  }

  clientEvicted(): void {
    this.counters.evictions++;
    if (this.waiting) this.host.clientAbandoned(this.client);
    this.waiting = false;
    this.clock.disarmAll();
    this.session = this.newSession();
    if (!this.stopped) this.session.start();
  }

  private newSession(): Client {
    const number = this.sessions++;
    const clientId = regionOf(new Uint8Array(16));
    // The network finds the client by the first word.
    clientId.words[0] = this.client + 1;
    clientId.words[1] = number + 1;
    return new Client({
      config: this.config,
      cluster: this.cluster,
      clientId,
      replicaCount: this.replicaCount,
      clock: this.clock,
      network: this.network,
      rng: processRng(this.seed, this.replicaCount + this.client, number),
      pool: this.pool,
      listener: this,
    });
  }
}
