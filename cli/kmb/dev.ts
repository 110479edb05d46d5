/**
 * `kmb dev`: a cluster of three real processes on this machine, in one command. Formats data
 * files where there are none, shows the replicas' logs behind their names, starts a replica again
 * that was killed, and stops all of them on Ctrl-C.
 */
import { existsSync, mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Command } from 'commander';
import { connect } from '../../adapters/client.ts';
import { formatFile } from '../../adapters/format_file.ts';
import { parseCluster } from '../../adapters/handshake.ts';
import { REPLICAS_MAX } from '../../core/constants.ts';
import { wholeNumber } from '../numbers.ts';
import { subcommand } from '../program.ts';
import { EXIT, UsageError, type ExitStatus } from '../usage_error.ts';
import { ChildProcesses } from './child_processes.ts';
import { CONFIG_DEVELOPMENT } from './configs.ts';

const HOST = '127.0.0.1';
const READY_MILLIS = 30_000;

interface DevOptions {
  readonly replicas: number;
  readonly port: number;
  readonly cluster: string;
}

export function addDevCommand(program: Command, setStatus: (status: ExitStatus) => void): void {
  subcommand(program, 'dev', 'run a whole cluster on this machine', [
    'kmb dev',
    'kmb dev --port 4100 /tmp/my-cluster',
  ])
    .argument('[directory]', 'of the data files; formatted when it has none', '.kimberlite/dev')
    .option('--replicas <count>', 'processes', wholeNumber(1, REPLICAS_MAX), 3)
    .option('--port <port>', 'of replica 0; the others take the next ones', wholeNumber(1, 65_530), 3901)
    .action(async (directory: string, options: DevOptions) => {
      setStatus(await dev(directory, options));
    });
}

async function dev(directory: string, { replicas, port }: DevOptions): Promise<ExitStatus> {
  const paths = Array.from({ length: replicas }, (_, i) => join(directory, `${i}.kmb`));
  const ports = paths.map((_, i) => port + i);
  const addresses = ports.map((number) => `${HOST}:${number}`).join(',');
  await Promise.all(ports.map(checkPortFree));
  formatMissing(directory, paths);

  const colours = process.stdout.isTTY === true && process.env['NO_COLOR'] === undefined;
  const print = (label: string, text: string): void => {
    const prefix = `${label.padEnd(3)}| `;
    const shown = colours ? `\u001b[${colourOf(label)}m${prefix}\u001b[0m` : prefix;
    process.stdout.write(`${shown}${text}\n`);
  };
  const { promise: ended, resolve: end } = Promise.withResolvers<ExitStatus>();
  const children = new ChildProcesses(
    paths.map((path, i) => ({
      label: `R${i}`,
      args: [kmbScript(), 'server', '--addresses', addresses, path],
    })),
    {
      line: print,
      gaveUp: (label, reason) => {
        print(label, `cannot be kept running: ${reason}`);
        end(EXIT.usage);
      },
    },
  );
  const onSignal = (): void => end(EXIT.passed);
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);

  children.start();
  void untilReady(addresses).then(
    () => process.stdout.write(readyText(addresses, children.pids())),
    (error: Error) => print('dev', `not ready after ${READY_MILLIS / 1000} s: ${error.message}`),
  );
  const status = await ended;
  await children.stop();
  process.removeListener('SIGINT', onSignal);
  process.removeListener('SIGTERM', onSignal);
  process.stdout.write('all replicas stopped\n');
  return status;
}

/** A cluster is ready when it has registered a client. */
async function untilReady(addresses: string): Promise<void> {
  const client = await connect({ addresses, connectTimeoutMillis: READY_MILLIS });
  await client.close();
}

function readyText(addresses: string, pids: ReadonlyMap<string, number>): string {
  const processes = [...pids].map(([label, pid]) => `${label} is process ${pid}`).join(', ');
  return (
    `\nready: ${addresses}\n  ${processes}; Ctrl-C stops them all\n` +
    `  try: kmb tenant create 1 acme --addresses ${addresses}\n\n`
  );
}

/**
 * All files or none: one that is missing beside others is a replica that forgot what it promised,
 * and a fresh one in its place could break what the cluster has committed.
 */
function formatMissing(directory: string, paths: readonly string[]): void {
  const missing = paths.filter((path) => !existsSync(path));
  if (missing.length === 0) return;
  if (missing.length < paths.length) {
    throw new UsageError(
      `Cannot start the cluster in "${directory}": ${missing[0]} is missing and others are there; ` +
        'bring it back, or remove the directory to start afresh',
    );
  }
  const cluster = parseCluster(String(1 + Math.floor(Math.random() * 1e9)));
  if (cluster === null) throw new Error('cluster id');
  mkdirSync(directory, { recursive: true });
  process.stdout.write(`formatting ${paths.length} data files in ${directory}\n`);
  for (const [i, path] of paths.entries()) {
    const config = CONFIG_DEVELOPMENT;
    formatFile({ path, config, cluster, replicaIndex: i, replicaCount: paths.length });
  }
}

/** So that the person hears it from us at once, not from one of three logs. */
function checkPortFree(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'it is in use' : error.message;
      reject(new UsageError(`Cannot listen on ${HOST}:${port}: ${why}; choose other ports with --port`));
    });
    probe.listen(port, HOST, () => probe.close(() => resolve()));
  });
}

function kmbScript(): string {
  const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
  return fileURLToPath(new URL(`../kmb${extension}`, import.meta.url));
}

function colourOf(label: string): number {
  return label === 'dev' ? 1 : 32 + (Number(label.slice(1)) % 5);
}
