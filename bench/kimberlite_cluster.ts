/**
 * Three `kmb server` processes on loopback, with new data files, for one benchmark.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { formatFile } from '../adapters/format_file.ts';
import { parseCluster } from '../adapters/handshake.ts';
import { CONFIG_PRODUCTION, type ClusterConfig } from '../core/constants.ts';
import { type LoadRequest, type LoadResult } from './append_load.ts';
import { Program, freePorts, output } from './processes.ts';

const REPLICAS = 3;
const BLOCKS_A_GIBIBYTE = (1 << 30) / CONFIG_PRODUCTION.blockSize;

export class KimberliteCluster {
  readonly addresses: string;
  readonly servers: readonly Program[];
  private readonly directory: string;

  private constructor(directory: string, addresses: string, servers: readonly Program[]) {
    this.directory = directory;
    this.addresses = addresses;
    this.servers = servers;
  }

  /**
   * Configured as in production, but for the limit of the data file: room for `gibibytes` of events.
   * `nodeOptions` go to each server; `%` in them is its index.
   */
  static async start(
    directory: string,
    gibibytes: number,
    nodeOptions: readonly string[] = [],
  ): Promise<KimberliteCluster> {
    const config: ClusterConfig = { ...CONFIG_PRODUCTION, gridBlocks: gibibytes * BLOCKS_A_GIBIBYTE };
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory, { recursive: true });
    const cluster = parseCluster('7');
    if (cluster === null) throw new Error('cluster id');
    const paths = Array.from({ length: REPLICAS }, (_, i) => join(directory, `${i}.kmb`));
    for (const [replicaIndex, path] of paths.entries()) {
      formatFile({ path, config, cluster, replicaIndex, replicaCount: REPLICAS });
    }
    const addresses = (await freePorts(REPLICAS)).map((port) => `127.0.0.1:${port}`).join(',');
    const kmb = fileURLToPath(new URL('../cli/kmb.ts', import.meta.url));
    const servers = paths.map((path, i) => {
      const own = nodeOptions.map((option) => option.replace('%', String(i)));
      const args = [...own, kmb, 'server', '--addresses', addresses, path];
      return new Program(`replica ${i}`, process.execPath, args);
    });
    const started = new KimberliteCluster(directory, addresses, servers);
    try {
      await Promise.all(servers.map((server) => server.line(/listening/)));
    } catch (error) {
      await started.stop();
      throw error;
    }
    return started;
  }

  /** Runs the clients, in a process of their own. */
  async load(
    request: Omit<LoadRequest, 'addresses'>,
    nodeOptions: readonly string[] = [],
  ): Promise<LoadResult> {
    const script = fileURLToPath(new URL('append_load_process.ts', import.meta.url));
    const argument = JSON.stringify({ ...request, addresses: this.addresses });
    return JSON.parse(await output(process.execPath, [...nodeOptions, script, argument])) as LoadResult;
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.stop()));
    rmSync(this.directory, { recursive: true, force: true });
  }
}
