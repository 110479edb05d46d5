/**
 * etcd on loopback for comparison: three members as Debian's `etcd-server` installs them, with
 * default options, data beside ours on the same disk.
 *
 * Two loads. `etcdctl check perf` is etcd's own, with limited rates; its extra-large load (1,000
 * clients, 15,000 puts a second) asks for more than a small machine gives, and so shows its most.
 * The closed loop, 64 clients with one put in flight each, is what our own clients do: gRPC over
 * HTTP/2 by `h2load`, a client in C that leaves the processors to etcd, straight to the leader.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { percentile } from './measurements.ts';
import { Program, findProgram, freePorts, output } from './processes.ts';

const MEMBERS = 3;
const ENVIRONMENT = { ETCDCTL_API: '3' };

export interface PutResult {
  readonly requestsPerSecond: number;
  readonly p50Millis: number;
  readonly p99Millis: number;
}

/** What is missing here, or null. */
export function etcdMissing(): string | null {
  if (findProgram('etcd') === null) return 'etcd is not installed (Debian: apt-get install etcd-server)';
  if (findProgram('etcdctl') === null) {
    return 'etcdctl is not installed (Debian: apt-get install etcd-client)';
  }
  return null;
}

export function h2loadMissing(): string | null {
  return findProgram('h2load') === null
    ? 'h2load is not installed (Debian: apt-get install nghttp2-client)'
    : null;
}

export class EtcdCluster {
  private readonly directory: string;
  private readonly endpoints: readonly string[];
  private readonly members: readonly Program[];

  private constructor(directory: string, endpoints: readonly string[], members: readonly Program[]) {
    this.directory = directory;
    this.endpoints = endpoints;
    this.members = members;
  }

  static async start(directory: string): Promise<EtcdCluster> {
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory, { recursive: true });
    const ports = await freePorts(2 * MEMBERS);
    const urls = ports.map((port) => `http://127.0.0.1:${port}`);
    const endpoints = urls.slice(0, MEMBERS);
    const peers = urls.slice(MEMBERS);
    const cluster = peers.map((url, i) => `m${i}=${url}`).join(',');
    const members = endpoints.map((endpoint, i) => {
      const peer = peers[i] as string;
      return new Program(`etcd member ${i}`, 'etcd', [
        '--name', `m${i}`,
        '--data-dir', join(directory, String(i)),
        '--listen-client-urls', endpoint,
        '--advertise-client-urls', endpoint,
        '--listen-peer-urls', peer,
        '--initial-advertise-peer-urls', peer,
        '--initial-cluster', cluster,
        '--initial-cluster-state', 'new',
        '--log-level', 'error',
      ]);
    });
    const started = new EtcdCluster(directory, endpoints, members);
    try {
      await started.untilHealthy();
    } catch (error) {
      await started.stop();
      throw error;
    }
    return started;
  }

  /** Closed loop: `clients` connections with one put of `valueBytes` in flight each. */
  async put(clients: number, valueBytes: number, seconds: number, warmupSeconds: number): Promise<PutResult> {
    const body = join(this.directory, 'put.bin');
    const log = join(this.directory, 'put.log');
    writeFileSync(body, grpcPut('bench', valueBytes));
    await output('h2load', [
      '--clients', String(clients),
      '--max-concurrent-streams', '1',
      '--warm-up-time', String(warmupSeconds),
      '--duration', String(seconds),
      '--data', body,
      '--header', 'content-type: application/grpc',
      '--header', 'te: trailers',
      '--log-file', log,
      `${await this.leader()}/etcdserverpb.KV/Put`,
    ]);
    // A line a request: time begun in us, HTTP status, duration in us.
    const micros: number[] = [];
    for (const line of readFileSync(log, 'utf8').split('\n')) {
      const [, status, duration] = line.split('\t');
      if (status === undefined) continue;
      if (status !== '200') throw new Error(`etcd answered with status ${status}`);
      micros.push(Number(duration));
    }
    rmSync(log);
    const sorted = Float64Array.from(micros).sort();
    return {
      requestsPerSecond: sorted.length / seconds,
      p50Millis: percentile(sorted, 0.5) / 1000,
      p99Millis: percentile(sorted, 0.99) / 1000,
    };
  }

  /** `etcdctl check perf`: puts a second, and whether etcd itself calls that a pass. */
  async checkPerf(load: 's' | 'm' | 'l' | 'xl'): Promise<{ requestsPerSecond: number; passed: boolean }> {
    // It ends with status 1 when etcd fails its own test; the figure is in the text either way.
    const text = await this.etcdctl(['check', 'perf', '--load', load], true);
    const match = /Throughput (?:is|too low:) (\d+) writes\/s/.exec(text);
    if (match === null) throw new Error(`etcdctl check perf says no throughput:\n${text}`);
    return { requestsPerSecond: Number(match[1]), passed: /^PASS$/m.test(text) };
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member.stop()));
    rmSync(this.directory, { recursive: true, force: true });
  }

  private async untilHealthy(): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      try {
        await this.etcdctl(['endpoint', 'health']);
        return;
      } catch (error) {
        if (attempt === 50) throw error;
        await new Promise((pause) => setTimeout(pause, 200));
      }
    }
  }

  private async leader(): Promise<string> {
    const text = await this.etcdctl(['endpoint', 'status', '--write-out', 'json']);
    interface MemberStatus {
      Endpoint: string;
      Status: { leader: number; header: { member_id: number } };
    }
    const statuses = JSON.parse(text) as MemberStatus[];
    const leading = statuses.find(({ Status }) => Status.leader === Status.header.member_id);
    if (leading === undefined) throw new Error('etcd has no leader');
    return leading.Endpoint;
  }

  private async etcdctl(args: readonly string[], failureIsFine = false): Promise<string> {
    return await output('etcdctl', ['--endpoints', this.endpoints.join(','), ...args], {
      env: ENVIRONMENT,
      failureIsFine,
    });
  }
}

/** etcdserverpb.PutRequest {1: key, 2: value} behind gRPC's prefix: uncompressed, length u32. */
function grpcPut(key: string, valueBytes: number): Uint8Array {
  const keyBytes = Buffer.from(key);
  const message = Buffer.concat([
    Buffer.from([0x0a, keyBytes.length]),
    keyBytes,
    Buffer.from([0x12, ...varint(valueBytes)]),
    Buffer.alloc(valueBytes, 0x61),
  ]);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return [...bytes, rest];
    bytes.push((rest & 0x7f) | 0x80);
  }
}
