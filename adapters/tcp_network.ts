/**
 * The Network port of a replica over TCP: one connection to each other replica (the one with the
 * higher index dials) and any number from clients.
 *
 * Nobody is trusted to be who the port is for: a connection begins with a handshake, garbage closes
 * it and is counted, and a client's connection may carry only what clients send. Sends of one turn
 * of the event loop leave together, after all that was ready has been read.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { assert } from '../core/assert.ts';
import { type ClusterConfig } from '../core/constants.ts';
import { COMMAND, COMMAND_COUNT } from '../core/message/header.ts';
import { type Message, type MessagePool } from '../core/message/pool.ts';
import { equalWords, type Region } from '../core/message/region.ts';
import { TO_CLIENT, type Network, type Rng } from '../core/ports.ts';
import { addressText, type Address } from './addresses.ts';
import { ClientRoutes } from './client_routes.ts';
import { Dialer, type DialerUser } from './dialer.ts';
import { AddressError, errnoOf } from './errors.ts';
import {
  COMMANDS_ALL,
  FramedConnection,
  WriteScratch,
  type ConnectionOwner,
  type FrameRules,
} from './framing.ts';
import {
  HANDSHAKE_KIND,
  HANDSHAKE_ROLE,
  NOBODY,
  REFUSAL,
  decodeHandshake,
  encodeHandshake,
  refusalOf,
  sameConfig,
  type Handshake,
  type Identity,
} from './handshake.ts';

export interface MessageHandler {
  onMessage(message: Message): void;
}

export interface TcpNetworkOptions {
  readonly replicaIndex: number;
  /** Of all replicas, in order of index. */
  readonly addresses: readonly Address[];
  /** 16 bytes. */
  readonly cluster: Region;
  readonly config: ClusterConfig;
  readonly pool: MessagePool;
  readonly rng: Rng;
  readonly log?: (line: string) => void;
  readonly clientConnectionsMax?: number;
}

const COMMANDS_OF_CLIENTS = new Uint8Array(COMMAND_COUNT);
for (const command of [COMMAND.request, COMMAND.query, COMMAND.pingClient]) COMMANDS_OF_CLIENTS[command] = 1;

/** Messages that may wait for a client; an answer takes one. */
const CLIENT_QUEUE_MAX = 256;
/** Messages of a class kept for the core when replicas, and when clients, send. */
const RESERVE_REPLICA = 8;
export const RESERVE_CLIENT = 64;
const SWEEP_MILLIS = 1000;
/** How long a message may wait for others of the same turn. */
const TURN_MILLIS = 0.5;
/** A connection stuck in a handshake, in a message or in a write for so many sweeps is closed. */
const STUCK_SWEEPS = 10;

export interface TcpNetworkCounters {
  accepted: number;
  /** Connections closed for bytes that are no protocol of ours. */
  garbage: number;
  /** Handshakes refused, with a reason sent back. */
  refused: number;
  /** Messages dropped: no connection there, or its queue is full. */
  dropped: number;
  received: number;
  sent: number;
}

interface Watched {
  progress: number;
  sweeps: number;
}

export class TcpNetwork implements Network, ConnectionOwner, DialerUser {
  readonly counters: TcpNetworkCounters = {
    accepted: 0, garbage: 0, refused: 0, dropped: 0, received: 0, sent: 0,
  };
  private handler: MessageHandler | null = null;
  private readonly replicaIndex: number;
  private readonly addresses: readonly Address[];
  private readonly log: (line: string) => void;
  private readonly clientConnectionsMax: number;
  private readonly identity: Identity;
  private readonly rulesReplica: FrameRules;
  private readonly rulesClient: FrameRules;
  private readonly scratch = new WriteScratch();
  private readonly server: Server;
  /** Open connection by replica index. */
  private readonly peers: (FramedConnection | null)[];
  /** To replicas of a lower index; null for the others. */
  private readonly dialers: (Dialer | null)[];
  /** What was last logged of each dialer, so that a lasting problem is told once. */
  private readonly told: string[];
  private readonly clients = new ClientRoutes();
  private clientConnectionCount = 0;
  private readonly connections = new Map<FramedConnection, Watched>();
  private readonly sweeper: NodeJS.Timeout;
  /** Connections with something to write, since when in ms. */
  private dirty: FramedConnection[] = [];
  private dirtySince = 0;
  private readonly flush = (): void => this.onFlush();

  constructor(options: TcpNetworkOptions) {
    const { config, cluster, pool } = options;
    this.replicaIndex = options.replicaIndex;
    this.addresses = options.addresses;
    this.log = options.log ?? ((): void => {});
    this.clientConnectionsMax = options.clientConnectionsMax ?? 4096;
    this.identity = {
      role: HANDSHAKE_ROLE.replica,
      replica: options.replicaIndex,
      replicaCount: options.addresses.length,
      cluster,
      config,
    };
    const common = {
      pool,
      cluster,
      checksumAlgorithm: config.checksumAlgorithm,
      messageSizeMax: config.messageSizeMax,
    };
    this.rulesReplica = {
      ...common,
      commands: COMMANDS_ALL,
      poolReserve: RESERVE_REPLICA,
      queueMax: peerQueueMax(config),
    };
    this.rulesClient = {
      ...common,
      commands: COMMANDS_OF_CLIENTS,
      poolReserve: RESERVE_CLIENT,
      queueMax: CLIENT_QUEUE_MAX,
    };
    this.peers = options.addresses.map(() => null);
    this.told = options.addresses.map(() => '');
    this.dialers = options.addresses.map((address, index) =>
      index >= options.replicaIndex
        ? null
        : new Dialer({
            address,
            identity: this.identity,
            addressee: index,
            user: this,
            scratch: this.scratch,
            rng: options.rng.fork(`dialer ${index}`),
          }),
    );
    this.server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 5000 }, (socket) =>
      this.accept(socket),
    );
    this.sweeper = setInterval(() => this.sweep(), SWEEP_MILLIS);
    this.sweeper.unref();
  }

  attach(handler: MessageHandler): void {
    this.handler = handler;
  }

  /** Opens the port; returns the address bound (port 0 asks the system for one). */
  async listen(address: Address): Promise<Address> {
    await new Promise<void>((listening, failed) => {
      this.server.once('error', (error) => failed(listenError(address, error)));
      this.server.listen({ host: address.host, port: address.port, exclusive: true }, listening);
    });
    this.server.removeAllListeners('error');
    this.server.on('error', (error) => this.log(`listening socket: ${error.message}`));
    const bound = this.server.address();
    assert(bound !== null && typeof bound === 'object', 'tcp: no bound address');
    return { host: address.host, port: bound.port };
  }

  /** Begins to dial the replicas of lower index, for as long as it takes. */
  connect(): void {
    for (const dialer of this.dialers) dialer?.start();
  }

  send(to: number, message: Message): void {
    assert(to !== this.replicaIndex, 'tcp: message to oneself', to);
    const connection = to === TO_CLIENT ? this.clients.lookup(message) : (this.peers[to] ?? null);
    if (connection === null || !connection.send(message)) this.counters.dropped++;
    else this.counters.sent++;
    // A turn that executes large batches takes long: what it has to say does not wait for its end.
    if (this.dirty.length > 0 && performance.now() - this.dirtySince > TURN_MILLIS) this.onFlush();
  }

  /** `flush`: what waits is handed to the kernel first. A replica in doubt says nothing more. */
  async close(flush = true): Promise<void> {
    clearInterval(this.sweeper);
    if (flush) this.onFlush();
    this.dirty = [];
    for (const dialer of this.dialers) dialer?.stop();
    const closed = new Promise<void>((done) => this.server.close(() => done()));
    for (const connection of this.connections.keys()) connection.close('shutting down');
    await closed;
  }

  /** Replicas (not this one) with an open connection. */
  get peersConnected(): number {
    return this.peers.filter((peer) => peer !== null).length;
  }

  // --- Accepting ---

  private accept(socket: Socket): void {
    this.counters.accepted++;
    const connection = new FramedConnection(socket, this, this.scratch);
    this.watch(connection);
  }

  handshakeReceived(connection: FramedConnection, bytes: Region): void {
    const hello = decodeHandshake(bytes);
    if (hello === null) {
      connection.close('garbage: damaged handshake');
      return;
    }
    const refusal = refusalOf(this.identity, hello) ?? this.refusalHere(hello);
    if (refusal !== null) {
      this.counters.refused++;
      const who = hello.role === HANDSHAKE_ROLE.client ? 'a client' : `replica ${hello.replica}`;
      this.log(`refused ${who} at ${connection.socket.remoteAddress ?? 'unknown'}: ${refusal.text}`);
      const answer = encodeHandshake(
        HANDSHAKE_KIND.refused,
        this.identity,
        NOBODY,
        refusal.reason,
        refusal.text,
      );
      connection.refuse(answer, `refused: ${refusal.text}`);
      return;
    }
    connection.sendRaw(encodeHandshake(HANDSHAKE_KIND.welcome, this.identity, NOBODY));
    if (hello.role === HANDSHAKE_ROLE.client) {
      this.clientConnectionCount++;
      connection.open(this.rulesClient);
    } else {
      this.peerOpened(hello.replica, connection);
      connection.open(this.rulesReplica);
    }
  }

  /** What only this network knows against a hello that is right in itself. */
  private refusalHere(hello: Handshake): { reason: number; text: string } | null {
    if (hello.role === HANDSHAKE_ROLE.client) {
      if (this.clientConnectionCount < this.clientConnectionsMax) return null;
      return {
        reason: REFUSAL.full,
        text: `${this.clientConnectionsMax} client connections are open already`,
      };
    }
    if (hello.replica > this.replicaIndex && hello.replica < this.addresses.length) return null;
    return {
      reason: REFUSAL.addressee,
      text: `replica ${hello.replica} has no reason to connect to replica ${this.replicaIndex}`,
    };
  }

  private peerOpened(replica: number, connection: FramedConnection): void {
    connection.replica = replica;
    // A newer connection proves that its sender gave up the older one.
    this.peers[replica]?.close('replaced by a newer connection');
    this.peers[replica] = connection;
    this.told[replica] = '';
    this.log(`connected with replica ${replica}`);
  }

  // --- Both ways ---

  frameReceived(connection: FramedConnection, message: Message): void {
    this.counters.received++;
    if (connection.replica === -1) this.clients.learn(message, connection);
    assert(this.handler !== null, 'tcp: no handler attached');
    this.handler.onMessage(message);
  }

  flushWanted(connection: FramedConnection): void {
    if (this.dirty.length === 0) {
      this.dirtySince = performance.now();
      setImmediate(this.flush);
    }
    this.dirty.push(connection);
  }

  connectionClosed(connection: FramedConnection, reason: string): void {
    this.connections.delete(connection);
    if (reason.startsWith('garbage')) {
      this.counters.garbage++;
      this.log(`closed a connection from ${connection.socket.remoteAddress ?? 'unknown'}: ${reason}`);
    }
    if (connection.replica !== -1) {
      if (this.peers[connection.replica] === connection) {
        this.peers[connection.replica] = null;
        this.log(`lost replica ${connection.replica}: ${reason}`);
      }
    } else {
      if (connection.wasOpen) this.clientConnectionCount--;
      this.clients.forget(connection);
    }
  }

  private onFlush(): void {
    const dirty = this.dirty;
    this.dirty = [];
    for (const connection of dirty) connection.flush();
  }

  // --- Dialing ---

  dialed(dialer: Dialer, welcome: Handshake): FrameRules | string {
    const replica = this.dialers.indexOf(dialer);
    const { config, replicaCount } = this.identity;
    if (!equalWords(welcome.cluster, 0, this.identity.cluster, 0, 16)) return 'it belongs to another cluster';
    if (!sameConfig(welcome, config as ClusterConfig, replicaCount)) return 'it has another configuration';
    if (welcome.replica !== replica) return `it is replica ${welcome.replica}, not ${replica}`;
    const connection = dialer.opening;
    assert(connection !== null, 'tcp: dialed without a connection');
    this.watch(connection);
    this.peerOpened(replica, connection);
    return this.rulesReplica;
  }

  lost(_dialer: Dialer, connection: FramedConnection, reason: string): void {
    this.connectionClosed(connection, reason);
  }

  dialFailed(dialer: Dialer, problem: string): void {
    const replica = this.dialers.indexOf(dialer);
    if (this.told[replica] === problem) return;
    this.told[replica] = problem;
    this.log(`replica ${replica} at ${dialer.text} is out of reach: ${problem}; trying again`);
  }

  // --- The watchdog ---

  private watch(connection: FramedConnection): void {
    this.connections.set(connection, { progress: connection.progress, sweeps: 0 });
  }

  private sweep(): void {
    for (const [connection, watched] of this.connections) {
      const waiting = connection.midway || connection.blocked;
      if (!waiting || watched.progress !== connection.progress) {
        watched.progress = connection.progress;
        watched.sweeps = 0;
      } else if (++watched.sweeps >= STUCK_SWEEPS) {
        connection.close('stuck in the middle of a message');
      }
    }
  }
}

/** A pipeline of prepares, as many acks or repairs, and the protocol's own traffic. */
export function peerQueueMax(config: ClusterConfig): number {
  return 4 * config.pipelineMax + 64;
}

function listenError(address: Address, error: unknown): AddressError {
  const text = addressText(address);
  const what = `Cannot listen on ${text}`;
  switch (errnoOf(error)) {
    case 'EADDRINUSE':
      return new AddressError('address-in-use', text, `${what}: the port is in use`,
        'stop the process that has it, or choose another port with --addresses', error);
    case 'EACCES':
      return new AddressError('address-unavailable', text, `${what}: permission denied`,
        'choose a port above 1023', error);
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new AddressError('address-unavailable', text, `${what}: no such address on this machine`,
        'check the host name', error);
    default:
      return new AddressError('address-unavailable', text,
        `${what}: ${error instanceof Error ? error.message : String(error)}`, 'check the address', error);
  }
}
