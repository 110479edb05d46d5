/**
 * The Network port of clients: a connection to each address, shared by all sessions of a process.
 * Which replica answers where is learnt from its welcome, and so are the cluster's configuration
 * and the number of replicas, so the order of addresses does not matter to a client.
 */
import { type ClusterConfig } from '../core/constants.ts';
import { COMMAND, COMMAND_COUNT } from '../core/message/header.ts';
import { type Message, type MessagePool } from '../core/message/pool.ts';
import { equalWords, isZeroWords, regionOf, type Region } from '../core/message/region.ts';
import { type Network, type Rng } from '../core/ports.ts';
import { type Address } from './addresses.ts';
import { Dialer, type DialerUser } from './dialer.ts';
import { AddressError } from './errors.ts';
import { WriteScratch, type FramedConnection, type FrameRules } from './framing.ts';
import { HANDSHAKE_ROLE, NOBODY, REFUSAL, clusterText, sameConfig, type Handshake } from './handshake.ts';

/** What the first welcome tells. */
export interface ClusterFound {
  readonly cluster: Region;
  readonly config: ClusterConfig;
  readonly replicaCount: number;
}

export interface ClientNetworkHandler {
  /** The first replica said welcome. The pool will hold what arrives. */
  clusterFound(found: ClusterFound): MessagePool;
  onMessage(message: Message): void;
  /** Every address has failed at least once, and none is connected. */
  unreachable(error: AddressError): void;
}

export interface ClientNetworkOptions {
  readonly addresses: readonly Address[];
  /** Null: whichever cluster answers first. */
  readonly cluster: Region | null;
  readonly rng: Rng;
  readonly handler: ClientNetworkHandler;
}

export const CLIENT_NETWORK_QUEUE_MAX = 1024;
const COMMANDS_TO_CLIENTS = new Uint8Array(COMMAND_COUNT);
for (const command of [COMMAND.reply, COMMAND.queryReply, COMMAND.pongClient, COMMAND.eviction]) {
  COMMANDS_TO_CLIENTS[command] = 1;
}

interface Failure {
  readonly problem: string;
  readonly refusal: number;
}

export class ClientNetwork implements Network, DialerUser {
  private readonly handler: ClientNetworkHandler;
  private readonly scratch = new WriteScratch();
  private readonly dialers: Dialer[];
  private readonly cluster: Region;
  private found: ClusterFound | null = null;
  private rules: FrameRules | null = null;
  /** By replica index. */
  private connections: (FramedConnection | null)[] = [];
  /** By dialer: the last failure since it was last connected. */
  private readonly failures = new Map<Dialer, Failure>();
  private dirty: FramedConnection[] = [];
  private readonly flush = (): void => this.onFlush();

  constructor(options: ClientNetworkOptions) {
    this.handler = options.handler;
    this.cluster = options.cluster ?? regionOf(new Uint8Array(16));
    this.dialers = options.addresses.map(
      (address, i) =>
        new Dialer({
          address,
          identity: {
            role: HANDSHAKE_ROLE.client,
            replica: NOBODY,
            replicaCount: 0,
            cluster: this.cluster,
            config: null,
          },
          addressee: NOBODY,
          user: this,
          scratch: this.scratch,
          rng: options.rng.fork(`dialer ${i}`),
        }),
    );
  }

  connect(): void {
    for (const dialer of this.dialers) dialer.start();
  }

  close(): void {
    this.onFlush();
    for (const dialer of this.dialers) dialer.stop();
  }

  get connectedCount(): number {
    return this.connections.filter((connection) => connection !== null).length;
  }

  send(to: number, message: Message): void {
    this.connections[to]?.send(message);
  }

  // --- DialerUser ---

  dialed(dialer: Dialer, welcome: Handshake): FrameRules | string {
    if (welcome.config === null) return 'it did not tell its configuration';
    if (isZeroWords(this.cluster, 0, 16)) {
      this.cluster.bytes.set(welcome.cluster.bytes);
    } else if (!equalWords(this.cluster, 0, welcome.cluster, 0, 16)) {
      return `it belongs to cluster ${clusterText(welcome.cluster)}, not ${clusterText(this.cluster)}`;
    }
    const { config, replicaCount } = welcome;
    if (this.found === null) {
      this.found = { cluster: this.cluster, config, replicaCount };
      this.rules = {
        pool: this.handler.clusterFound(this.found),
        cluster: this.cluster,
        checksumAlgorithm: config.checksumAlgorithm,
        messageSizeMax: config.messageSizeMax,
        commands: COMMANDS_TO_CLIENTS,
        poolReserve: 2,
        queueMax: CLIENT_NETWORK_QUEUE_MAX,
      };
      this.connections = Array.from({ length: replicaCount }, () => null);
    }
    if (!sameConfig(welcome, this.found.config, this.found.replicaCount)) {
      return 'it has another configuration than the other replicas';
    }
    if (welcome.replica >= replicaCount) return 'it told an impossible replica index';
    const connection = dialer.opening as FramedConnection;
    connection.replica = welcome.replica;
    this.connections[welcome.replica] = connection;
    this.failures.delete(dialer);
    return this.rules as FrameRules;
  }

  frameReceived(_connection: FramedConnection, message: Message): void {
    this.handler.onMessage(message);
  }

  flushWanted(connection: FramedConnection): void {
    if (this.dirty.length === 0) setImmediate(this.flush);
    this.dirty.push(connection);
  }

  lost(dialer: Dialer, connection: FramedConnection, reason: string): void {
    if (this.connections[connection.replica] === connection) this.connections[connection.replica] = null;
    this.failed(dialer, { problem: reason, refusal: 0 });
  }

  dialFailed(dialer: Dialer, problem: string, refusal: number): void {
    this.failed(dialer, { problem, refusal });
  }

  private failed(dialer: Dialer, failure: Failure): void {
    this.failures.set(dialer, failure);
    if (this.failures.size === this.dialers.length) this.handler.unreachable(this.unreachableError());
  }

  /** A refusal tells more than a silence: it is what the operator must fix. */
  private unreachableError(): AddressError {
    const all = [...this.failures].map(([dialer, failure]) => ({ where: dialer.text, ...failure }));
    const refused = all.find((failure) => failure.refusal !== 0);
    if (refused === undefined) {
      const where = all.map((failure) => failure.where).join(',');
      return new AddressError('connect-failed', where,
        `Cannot reach any replica at ${where}: ${all[0]?.problem ?? 'no address'}`,
        'check the addresses and that the servers run');
    }
    const what = `Cannot connect to ${refused.where}: ${refused.problem}`;
    switch (refused.refusal) {
      case REFUSAL.cluster:
        return new AddressError(
          'cluster-mismatch',
          refused.where,
          what,
          'check the cluster id and the addresses',
        );
      case REFUSAL.protocol:
        return new AddressError(
          'protocol-mismatch',
          refused.where,
          what,
          "use a client of the servers' version",
        );
      default:
        return new AddressError('connect-failed', refused.where, what, 'check the addresses, or try later');
    }
  }

  private onFlush(): void {
    const dirty = this.dirty;
    this.dirty = [];
    for (const connection of dirty) connection.flush();
  }
}
