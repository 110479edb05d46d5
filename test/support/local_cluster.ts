/**
 * A cluster on this machine for tests: data files in a temporary directory, replicas inside this
 * process or as processes of their own.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { addressText } from '../../adapters/addresses.ts';
import { formatFile } from '../../adapters/format_file.ts';
import { parseCluster } from '../../adapters/handshake.ts';
import { startServer, type Server } from '../../adapters/server.ts';
import { CONFIG_SMALL, type ClusterConfig } from '../../core/constants.ts';
import { freeAddresses } from './free_addresses.ts';

export const TEST_CLUSTER = '7';

export class LocalCluster {
  readonly directory: string;
  readonly paths: readonly string[];
  readonly addresses: string;
  readonly log: string[] = [];
  readonly servers: (Server | null)[];
  readonly processes: (ChildProcess | null)[];

  private constructor(directory: string, paths: readonly string[], addresses: string) {
    this.directory = directory;
    this.paths = paths;
    this.addresses = addresses;
    this.servers = paths.map(() => null);
    this.processes = paths.map(() => null);
  }

  /** Formats the data files; nothing runs yet. */
  static async format(replicaCount: number, config: ClusterConfig = CONFIG_SMALL): Promise<LocalCluster> {
    const directory = mkdtempSync(join(tmpdir(), 'kmb-cluster-'));
    const cluster = parseCluster(TEST_CLUSTER);
    if (cluster === null) throw new Error('cluster id');
    const paths = Array.from({ length: replicaCount }, (_, i) => join(directory, `${i}.kmb`));
    for (const [replicaIndex, path] of paths.entries()) {
      formatFile({ path, config, cluster, replicaIndex, replicaCount });
    }
    const addresses = (await freeAddresses(replicaCount)).map(addressText).join(',');
    return new LocalCluster(directory, paths, addresses);
  }

  /** In this process. */
  async start(replica: number): Promise<Server> {
    const server = await startServer({
      path: this.paths[replica] as string,
      addresses: this.addresses,
      log: (line) => this.log.push(`R${replica} ${line}`),
    });
    this.servers[replica] = server;
    return server;
  }

  async startAll(): Promise<void> {
    for (const replica of this.paths.keys()) await this.start(replica);
  }

  async stop(replica: number): Promise<void> {
    await this.servers[replica]?.close();
    this.servers[replica] = null;
  }

  /** As a process; resolves when its port is open. Rejects when it ends before. */
  async spawn(replica: number): Promise<ChildProcess> {
    const script = fileURLToPath(new URL('server_process.ts', import.meta.url));
    const child = spawn(process.execPath, [script, this.paths[replica] as string, this.addresses], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.processes[replica] = child;
    await new Promise<void>((listening, failed) => {
      let text = '';
      child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        const lines = text.split('\n');
        text = lines.pop() as string;
        for (const line of lines) {
          this.log.push(`R${replica} ${line}`);
          if (line.startsWith('listening on')) listening();
        }
      });
      child.once('exit', (code, signal) => {
        if (this.processes[replica] === child) this.processes[replica] = null;
        this.log.push(`R${replica} ended: ${signal ?? code}`);
        failed(
          new Error(`replica ${replica} ended with ${signal ?? code}: ${this.log.slice(-5).join('\n')}`),
        );
      });
    });
    return child;
  }

  async kill(replica: number, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.processes[replica];
    if (child === null || child === undefined) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }

  /** Stops everything and removes the files. */
  async close(): Promise<void> {
    for (const replica of this.paths.keys()) {
      await this.stop(replica);
      await this.kill(replica);
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}
