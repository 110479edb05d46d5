/**
 * A replica's process: opens the data file, learns from its superblock which replica of which
 * cluster it is, wires the very same `Replica` that the simulator runs to real ports, and forwards
 * completions. No logic may live here that the simulator does not run.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { AssertionFailure, ReplicaFatal } from '../core/assert.ts';
import { type Message } from '../core/message/pool.ts';
import { MessagePool } from '../core/message/pool.ts';
import { regionOf, type Region } from '../core/message/region.ts';
import { type StorageResult } from '../core/ports.ts';
import { zonesOf } from '../core/storage/data_file.ts';
import {
  SUPERBLOCK_SCAN_SIZE,
  readSuperblockConfig,
  type SuperblockIdentity,
} from '../core/storage/superblock_layout.ts';
import { NO_OBSERVER, type ReplicaObserver } from '../core/vsr/observer.ts';
import { Replica } from '../core/vsr/replica.ts';
import { addressText, parseAddresses, type Address } from './addresses.ts';
import { DataFileError, EXIT_STATUS, OperatingError, dataFileError } from './errors.ts';
import { lockDataFile, type FileLock } from './file_lock.ts';
import { FileStorage } from './file_storage.ts';
import { clusterText } from './handshake.ts';
import { serverPoolSizes } from './pool_size.ts';
import { seedFromEntropy } from './seed_entropy.ts';
import { SystemClock } from './system_clock.ts';
import { TcpNetwork } from './tcp_network.ts';

export interface ServerOptions {
  /** Data file made by `formatFile`. */
  readonly path: string;
  /** Of all replicas, in order of index. */
  readonly addresses: string | readonly (string | Address)[];
  /** Where to listen when it differs from this replica's entry in `addresses`. */
  readonly listen?: Address;
  readonly log?: (line: string) => void;
  readonly observer?: ReplicaObserver;
}

/** Why a server ended: null after `close`. */
export interface ServerEnd {
  readonly error: Error | null;
  readonly exitStatus: number;
}

export interface Server {
  readonly address: Address;
  readonly replica: Replica;
  readonly network: TcpNetwork;
  /** Settles when the server has ended, by `close` or because it cannot go on. Never rejects. */
  readonly ended: Promise<ServerEnd>;
  /** `ended`, as the process's exit status. */
  readonly closed: Promise<number>;
  /** Stops at once; what is acknowledged is durable already. */
  close(): Promise<void>;
}

/** Throws OperatingError for what the operator can fix: lock, file, addresses, port. */
export async function startServer(options: ServerOptions): Promise<Server> {
  const log = options.log ?? ((): void => {});
  // What is asked wrongly is told before who holds the file: nothing here writes.
  const identity = readIdentity(options.path);
  const addresses = checkedAddresses(options, identity);
  const lock = await lockDataFile(options.path);
  let host: Host | null = null;
  try {
    host = new Host(options, identity, addresses, lock, log);
    await host.listen(options.listen ?? (addresses[identity.replicaIndex] as Address));
    return host;
  } catch (error) {
    if (host === null) lock.release();
    else await host.close();
    throw error;
  }
}

/**
 * Runs a server until a signal or a failure ends it, and returns the process's exit status:
 * 0 after SIGTERM or SIGINT, 74 when the replica cannot trust its storage, 70 for a bug.
 */
export async function runServer(options: ServerOptions): Promise<number> {
  const log = options.log ?? ((): void => {});
  const server = await startServer(options);
  const stop = (): void => void server.close();
  const crash = (error: unknown): void => {
    log(describeFailure(options.path, error));
    process.exit(EXIT_STATUS.bug);
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  process.once('uncaughtException', crash);
  const { exitStatus } = await server.ended;
  process.removeListener('SIGTERM', stop);
  process.removeListener('SIGINT', stop);
  process.removeListener('uncaughtException', crash);
  return exitStatus;
}

class Host implements Server {
  readonly replica: Replica;
  readonly network: TcpNetwork;
  readonly ended: Promise<ServerEnd>;
  readonly closed: Promise<number>;
  address: Address = { host: '', port: 0 };
  private readonly path: string;
  private readonly storage: FileStorage;
  private readonly clock = new SystemClock();
  private readonly lock: FileLock;
  private readonly log: (line: string) => void;
  private end: (end: ServerEnd) => void = () => {};
  private stopping: Promise<void> | null = null;

  constructor(
    options: ServerOptions,
    identity: SuperblockIdentity,
    addresses: readonly Address[],
    lock: FileLock,
    log: (line: string) => void,
  ) {
    const { config, replicaIndex, replicaCount } = identity;
    const cluster: Region = regionOf(identity.cluster.slice());
    this.path = options.path;
    this.lock = lock;
    this.log = log;
    this.ended = new Promise((resolve) => (this.end = resolve));
    this.closed = this.ended.then(({ exitStatus }) => exitStatus);
    const rng = seedFromEntropy();
    const sizes = serverPoolSizes(config, replicaCount, options.path);
    this.storage = new FileStorage({ path: options.path, sizeMin: zonesOf(config).end, log });
    const pool = new MessagePool({ ...sizes, allocate: (size) => this.storage.allocate(size) });
    this.network = new TcpNetwork({
      replicaIndex,
      addresses,
      cluster,
      config,
      pool,
      rng: rng.fork('network'),
      log,
    });
    this.replica = new Replica({
      config,
      cluster,
      replicaIndex,
      replicaCount,
      clock: this.clock,
      network: this.network,
      storage: this.storage,
      rng: rng.fork('replica'),
      pool,
      observer: options.observer ?? statusLogger(log),
    });
    this.storage.attach(this);
    this.network.attach(this);
    this.clock.attach(this);
    log(`replica ${replicaIndex} of ${replicaCount}, cluster ${clusterText(cluster)}, "${options.path}"`);
  }

  async listen(address: Address): Promise<void> {
    this.address = await this.network.listen(address);
    this.log(`listening on ${addressText(this.address)}`);
    this.guard(() => this.replica.start());
    this.network.connect();
  }

  // --- Events, each a turn of the replica ---

  onMessage(message: Message): void {
    if (this.stopping !== null) return;
    try {
      this.replica.onMessage(message);
    } catch (error) {
      this.fail(error);
    }
  }

  onStorage(token: number, result: StorageResult): void {
    if (this.stopping !== null) return;
    try {
      this.replica.onStorage(token, result);
    } catch (error) {
      this.fail(error);
    }
  }

  onTimer(timer: number): void {
    if (this.stopping !== null) return;
    try {
      this.replica.onTimer(timer);
    } catch (error) {
      this.fail(error);
    }
  }

  // --- The end ---

  async close(): Promise<void> {
    await this.stop(null, EXIT_STATUS.ok);
  }

  private guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.fail(error);
    }
  }

  /** Nothing more may leave this replica: its state is not what it believed. */
  private fail(error: unknown): void {
    if (this.stopping !== null) return;
    this.log(describeFailure(this.path, error));
    const status = error instanceof ReplicaFatal ? EXIT_STATUS.fatal : EXIT_STATUS.bug;
    void this.stop(error instanceof Error ? error : new Error(String(error)), status);
  }

  private stop(error: Error | null, exitStatus: number): Promise<void> {
    this.stopping ??= this.shutDown(error, exitStatus);
    return this.stopping;
  }

  private async shutDown(error: Error | null, exitStatus: number): Promise<void> {
    this.clock.close();
    await Promise.all([this.network.close(error === null), this.storage.close()]);
    this.lock.release();
    this.log(error === null ? 'stopped' : 'stopped after a failure');
    this.end({ error, exitStatus });
  }
}

/** Tells the operator of every view: who leads, and when this replica is not in normal operation. */
function statusLogger(log: (line: string) => void): ReplicaObserver {
  let last = '';
  return {
    ...NO_OBSERVER,
    statusChanged(replica) {
      const { status, view } = replica;
      const line =
        status === 'normal'
          ? `view ${view}: replica ${replica.primaryOf(view)} leads`
          : `view ${view}: ${status.replace('_', ' ')}`;
      if (line !== last) log(line);
      last = line;
    },
    synced(_replica, fromOp, toOp) {
      log(`fetched the checkpoint of op ${toOp} from the others, having had op ${fromOp}`);
    },
  };
}

/** What happened, where, and what to do about it. */
function describeFailure(path: string, error: unknown): string {
  if (error instanceof ReplicaFatal) {
    return `"${path}": ${error.message} (${error.code}); ${adviceFor(error.code)}`;
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const kind = error instanceof AssertionFailure ? 'assertion failed' : 'internal error';
  return (
    `"${path}": ${kind}; the server stops to protect the data. ` +
    `This is a bug; please report it with these lines:\n${stack}`
  );
}

function adviceFor(code: string): string {
  if (code.startsWith('storage')) {
    return 'check the disk and the system log; start the server again when the disk works';
  }
  if (code.startsWith('superblock')) {
    return (
      'the other replicas have the data: look with "kmb inspect", ' +
      'then replace this file from a healthy replica'
    );
  }
  return 'look with "kmb inspect"; the other replicas go on while a majority of them runs';
}

function readIdentity(path: string): SuperblockIdentity {
  const bytes = new Uint8Array(SUPERBLOCK_SCAN_SIZE);
  let length = 0;
  try {
    const fd = openSync(path, 'r');
    length = readSync(fd, bytes, 0, bytes.byteLength, 0);
    closeSync(fd);
  } catch (error) {
    throw dataFileError('open', path, error);
  }
  const result = readSuperblockConfig(bytes.subarray(0, length - (length % 4096)));
  const what = `Cannot open "${path}"`;
  switch (result.kind) {
    case 'config':
      return result.identity;
    case 'not-formatted':
      throw new DataFileError(
        'not-formatted',
        path,
        `${what}: it is no data file, or its formatting was cut short`,
        'check the path, or remove the file and make it with "kmb format"',
      );
    case 'newer-version':
      throw new DataFileError(
        'protocol-mismatch',
        path,
        `${what}: it was written by a newer program (version ${result.version})`,
        'use that program, or a newer one',
      );
    case 'damaged':
      throw new DataFileError(
        'data-file-unreadable',
        path,
        `${what}: none of its superblocks is whole (${result.copies} damaged)`,
        'the other replicas have the data: replace this file from a healthy replica',
      );
    case 'conflict':
      throw new DataFileError('config-mismatch', path, `${what}: its superblocks contradict each other`,
        'the file is a mixture of two; replace it from a healthy replica');
  }
}

function checkedAddresses(options: ServerOptions, identity: SuperblockIdentity): Address[] {
  const addresses = parseAddresses(options.addresses);
  if (addresses.length !== identity.replicaCount) {
    throw new OperatingError(
      'addresses-count',
      options.path,
      `Cannot serve "${options.path}": ${addresses.length} addresses ` +
        `for a cluster of ${identity.replicaCount} replicas`,
      'give --addresses one address a replica, in order of index, the same on all of them',
    );
  }
  return addresses;
}
