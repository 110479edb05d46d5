/**
 * PostgreSQL on loopback for comparison: one node of Debian's version with default options, among
 * them fsync and synchronous_commit on; data beside ours on the same disk.
 *
 * Clients are those of `pgbench`, in C. Each sends multi-row INSERTs as text, one at a time, each a
 * transaction. The table has the least that lets an event be found again: a number, its key.
 */
import { chownSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { percentile } from './measurements.ts';
import { Program, findProgram, freePorts, output, userIds, type ProgramOptions } from './processes.ts';

const DIRECTORIES = ['/usr/lib/postgresql/15/bin'];
const PROGRAMS = ['initdb', 'postgres', 'pgbench', 'psql'] as const;
const USER = 'postgres';
const THREADS = 2;

const TABLE = `CREATE TABLE events (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  stream bigint NOT NULL,
  payload bytea NOT NULL
)`;

export interface InsertResult {
  readonly rowsPerSecond: number;
  readonly p50Millis: number;
  readonly p99Millis: number;
}

/** What is missing here, or null. */
export function postgresMissing(): string | null {
  for (const name of PROGRAMS) {
    if (findProgram(name, DIRECTORIES) === null) {
      return `PostgreSQL is not installed: no ${name} (Debian: apt-get install postgresql-15)`;
    }
  }
  // It refuses to run as root.
  if (process.getuid?.() === 0 && userIds(USER) === null) {
    return `PostgreSQL does not run as root, and there is no user "${USER}"`;
  }
  return null;
}

export class PostgresServer {
  readonly version: string;
  private readonly directory: string;
  private readonly options: ProgramOptions;
  private readonly port: number;
  private readonly server: Program;

  private constructor(options: {
    readonly version: string;
    readonly directory: string;
    readonly options: ProgramOptions;
    readonly port: number;
    readonly server: Program;
  }) {
    this.version = options.version;
    this.directory = options.directory;
    this.options = options.options;
    this.port = options.port;
    this.server = options.server;
  }

  static async start(directory: string): Promise<PostgresServer> {
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory, { recursive: true });
    const ids = process.getuid?.() === 0 ? userIds(USER) : null;
    if (ids !== null) chownSync(directory, ids.uid, ids.gid);
    const options: ProgramOptions = { cwd: directory, ...ids };
    const data = join(directory, 'data');
    await output(program('initdb'), ['--pgdata', data, '--auth', 'trust', '--username', USER], options);
    const [port = 0] = await freePorts(1);
    const settings = [
      'listen_addresses=127.0.0.1',
      `port=${port}`,
      `unix_socket_directories=${directory}`,
      'fsync=on',
      'synchronous_commit=on',
    ];
    const args = ['-D', data, ...settings.flatMap((setting) => ['-c', setting])];
    const server = new Program('postgres', program('postgres'), args, options);
    await server.line(/ready to accept connections/);
    const version = (await output(program('postgres'), ['--version'], options)).trim();
    return new PostgresServer({ version, directory, options, port, server });
  }

  /** Closed loop: `clients` connections, each with one INSERT of `rows` rows in flight. */
  async insert(clients: number, rows: number, payloadBytes: number, seconds: number): Promise<InsertResult> {
    const script = join(this.directory, 'insert.sql');
    const log = join(this.directory, 'transactions');
    const row = `(:client_id,'${'a'.repeat(payloadBytes)}')`;
    const list = Array.from({ length: rows }, () => row).join(',');
    writeFileSync(script, `INSERT INTO events (stream, payload) VALUES ${list};\n`);
    await this.query(`DROP TABLE IF EXISTS events; ${TABLE}; CHECKPOINT`);
    await output(
      program('pgbench'),
      [
        ...this.connection(),
        '--no-vacuum',
        '--protocol', 'simple',
        '--client', String(clients),
        '--jobs', String(Math.min(THREADS, clients)),
        '--time', String(seconds),
        '--file', script,
        '--log', '--log-prefix', log,
        USER,
      ],
      this.options,
    );
    // A line a transaction: client, number, duration in us, …
    const micros: number[] = [];
    for (const name of readdirSync(this.directory)) {
      if (!name.startsWith('transactions')) continue;
      const path = join(this.directory, name);
      for (const line of readFileSync(path, 'utf8').split('\n')) {
        if (line !== '') micros.push(Number(line.split(' ')[2]));
      }
      rmSync(path);
    }
    const sorted = Float64Array.from(micros).sort();
    return {
      rowsPerSecond: (sorted.length * rows) / seconds,
      p50Millis: percentile(sorted, 0.5) / 1000,
      p99Millis: percentile(sorted, 0.99) / 1000,
    };
  }

  async stop(): Promise<void> {
    await this.server.stop('SIGINT'); // Fast shutdown: does not wait for clients.
    rmSync(this.directory, { recursive: true, force: true });
  }

  private connection(): string[] {
    return ['--host', '127.0.0.1', '--port', String(this.port), '--username', USER];
  }

  private async query(text: string): Promise<void> {
    const args = [...this.connection(), '--quiet', '--set', 'ON_ERROR_STOP=1', USER];
    await output(program('psql'), args, { ...this.options, input: `${text};\n` });
  }
}

function program(name: (typeof PROGRAMS)[number]): string {
  return findProgram(name, DIRECTORIES) ?? name;
}
