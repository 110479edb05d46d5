/**
 * Clients that append as fast as they are answered, through the public client.
 *
 * Each client is a session of the cluster with one append in flight. They share `connections`
 * connections to each replica.
 */
import { connect, type Connection } from '../adapters/client.ts';
import { percentile } from './measurements.ts';

export interface LoadRequest {
  readonly addresses: string;
  readonly clients: number;
  /** Connections to each replica; the clients are divided among them. */
  readonly connections: number;
  readonly eventsPerAppend: number;
  readonly payloadBytes: number;
  readonly streams: number;
  /** Not counted: engines compile, files are touched for the first time. */
  readonly warmupSeconds: number;
  readonly seconds: number;
}

export interface LoadResult {
  readonly requestsPerSecond: number;
  readonly eventsPerSecond: number;
  readonly p50Millis: number;
  readonly p99Millis: number;
  readonly maxMillis: number;
  readonly requests: number;
  /** Of this process, in CPU seconds a second. */
  readonly clientCores: number;
}

const TENANT = 1;

export async function appendLoad(request: LoadRequest): Promise<LoadResult> {
  const { addresses, clients, connections } = request;
  const opened: Connection[] = [];
  for (let i = 0; i < connections; i++) {
    const sessions = Math.floor((clients + i) / connections);
    opened.push(await connect({ addresses, sessions, connectTimeoutMillis: 60_000 }));
  }
  const first = opened[0] as Connection;
  const streams: number[] = [];
  const label = String(process.pid);
  await first.createTenant(TENANT, 'bench').catch(() => {}); // It exists: an earlier repetition.
  for (let i = 0; i < request.streams; i++) {
    streams.push(await first.createStream(TENANT, `bench_${label}_${i}`));
  }
  const payload = new Uint8Array(request.payloadBytes).fill(0x61);
  const events = Array.from({ length: request.eventsPerAppend }, () => payload);

  const begin = performance.now() + request.warmupSeconds * 1000;
  const end = begin + request.seconds * 1000;
  const samples: number[] = [];
  let cpuAtBegin: NodeJS.CpuUsage | null = null;
  const loop = async (connection: Connection, stream: number): Promise<void> => {
    for (let before = performance.now(); before < end; ) {
      await connection.append(TENANT, stream, events);
      const now = performance.now();
      if (before >= begin && now <= end) samples.push(now - before);
      if (cpuAtBegin === null && now >= begin) cpuAtBegin = process.cpuUsage();
      before = now;
    }
  };
  const loops: Promise<void>[] = [];
  for (let i = 0; i < clients; i++) {
    const connection = opened[i % connections] as Connection;
    loops.push(loop(connection, streams[i % streams.length] as number));
  }
  await Promise.all(loops);
  const cpu = process.cpuUsage(cpuAtBegin ?? undefined);
  await Promise.all(opened.map((connection) => connection.close()));

  const sorted = Float64Array.from(samples).sort();
  const requestsPerSecond = sorted.length / request.seconds;
  return {
    requestsPerSecond,
    eventsPerSecond: requestsPerSecond * request.eventsPerAppend,
    p50Millis: percentile(sorted, 0.5),
    p99Millis: percentile(sorted, 0.99),
    maxMillis: sorted.at(-1) ?? Number.NaN,
    requests: sorted.length,
    clientCores: (cpu.user + cpu.system) / 1e6 / request.seconds,
  };
}
