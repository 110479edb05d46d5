/**
 * The real cluster against its neighbours: three `kmb server` processes on loopback with their
 * files on the disk, beside three etcd members for small appends and one PostgreSQL for batches.
 * All are loaded by closed loops of 64 clients, in turn, so that one machine's mood meets them all.
 */
import { join } from 'node:path';
import { EtcdCluster, etcdMissing, h2loadMissing } from './etcd.ts';
import { KimberliteCluster } from './kimberlite_cluster.ts';
import { median, medianBy, type Measurement } from './measurements.ts';
import { PostgresServer, postgresMissing } from './postgres.ts';

const CLIENTS = 64;
const PAYLOAD = 256;
const BATCH = 500;
/** PostgreSQL is best with few writers on a small machine: the better of the two counts. */
const BATCH_CLIENTS: readonly number[] = [4, 16];
const SECONDS = 8;
const WARMUP_SECONDS = 4;
const REPETITIONS = 3;

export async function benchCluster(directory: string): Promise<Measurement[]> {
  const measurements: Measurement[] = [];
  await benchSmall(directory, measurements);
  await benchBatches(directory, measurements);
  return measurements;
}

async function benchSmall(directory: string, measurements: Measurement[]): Promise<void> {
  const part = 'appends';
  const request = {
    clients: CLIENTS,
    connections: 2,
    eventsPerAppend: 1,
    payloadBytes: PAYLOAD,
    streams: CLIENTS,
    warmupSeconds: WARMUP_SECONDS,
    seconds: SECONDS,
  };
  const kimberlite = await KimberliteCluster.start(join(directory, 'kimberlite'), 2);
  const ours: Awaited<ReturnType<KimberliteCluster['load']>>[] = [];
  const missing = etcdMissing() ?? h2loadMissing();
  const theirs: Awaited<ReturnType<EtcdCluster['put']>>[] = [];
  const checked: number[] = [];
  try {
    const etcd = missing === null ? await EtcdCluster.start(join(directory, 'etcd')) : null;
    try {
      for (let i = 0; i < REPETITIONS; i++) {
        ours.push(await kimberlite.load(request));
        if (etcd === null) continue;
        theirs.push(await etcd.put(CLIENTS, PAYLOAD, SECONDS, WARMUP_SECONDS));
      }
      if (etcd !== null) checked.push((await etcd.checkPerf('xl')).requestsPerSecond);
    } finally {
      await etcd?.stop();
    }
  } finally {
    await kimberlite.stop();
  }
  const best = medianBy(ours, (run) => run.requestsPerSecond);
  const what = `${CLIENTS} clients, ${PAYLOAD} bytes, 3 replicas`;
  measurements.push(
    { part, name: 'kimberlite', value: best.requestsPerSecond, unit: 'requests/s', note: what },
    { part, name: 'kimberlite p50', value: best.p50Millis, unit: 'ms' },
    { part, name: 'kimberlite p99', value: best.p99Millis, unit: 'ms' },
  );
  if (missing !== null) {
    measurements.push({ part, reason: missing });
    return;
  }
  const other = medianBy(theirs, (run) => run.requestsPerSecond);
  const check = median(checked);
  measurements.push(
    {
      part,
      name: 'etcd, closed loop by h2load',
      value: other.requestsPerSecond,
      unit: 'requests/s',
      note: what,
    },
    { part, name: 'etcd p50', value: other.p50Millis, unit: 'ms' },
    { part, name: 'etcd p99', value: other.p99Millis, unit: 'ms' },
    { part, name: 'etcd, check perf --load xl', value: check, unit: 'requests/s', note: 'limited to 15,000' },
    {
      part,
      name: 'kimberlite / etcd, closed loop',
      value: best.requestsPerSecond / other.requestsPerSecond,
      unit: '',
      note: 'ratio',
    },
    {
      part,
      name: 'kimberlite / etcd, check perf',
      value: best.requestsPerSecond / check,
      unit: '',
      goal: { atLeast: 2 },
      note: 'ratio',
    },
  );
}

async function benchBatches(directory: string, measurements: Measurement[]): Promise<void> {
  const part = 'batches';
  const ours: { eventsPerSecond: number; p50Millis: number; p99Millis: number }[] = [];
  const theirs: Awaited<ReturnType<PostgresServer['insert']>>[] = [];
  const missing = postgresMissing();
  const kimberlite = await KimberliteCluster.start(join(directory, 'kimberlite'), 6);
  try {
    const postgres = missing === null ? await PostgresServer.start(join(directory, 'postgres')) : null;
    try {
      for (let i = 0; i < REPETITIONS; i++) {
        for (const clients of BATCH_CLIENTS) {
          ours.push(
            await kimberlite.load({
              clients,
              connections: 2,
              eventsPerAppend: BATCH,
              payloadBytes: PAYLOAD,
              streams: clients,
              warmupSeconds: 2,
              seconds: 4,
            }),
          );
          if (postgres !== null) theirs.push(await postgres.insert(clients, BATCH, PAYLOAD, 4));
        }
      }
    } finally {
      await postgres?.stop();
    }
  } finally {
    await kimberlite.stop();
  }
  // Each at the number of clients that suits it better.
  const best = bestOf(ours, (run) => run.eventsPerSecond);
  const what = `${BATCH} events of ${PAYLOAD} bytes an append`;
  measurements.push(
    { part, name: 'kimberlite, 3 replicas', value: best.eventsPerSecond, unit: 'events/s', note: what },
    { part, name: 'kimberlite p50', value: best.p50Millis, unit: 'ms' },
    { part, name: 'kimberlite p99', value: best.p99Millis, unit: 'ms' },
  );
  if (missing !== null) {
    measurements.push({ part, reason: missing });
    return;
  }
  const other = bestOf(theirs, (run) => run.rowsPerSecond);
  measurements.push(
    { part, name: 'postgresql, 1 node', value: other.rowsPerSecond, unit: 'rows/s', note: what },
    { part, name: 'postgresql p50', value: other.p50Millis, unit: 'ms' },
    { part, name: 'postgresql p99', value: other.p99Millis, unit: 'ms' },
    {
      part,
      name: 'kimberlite / postgresql',
      value: best.eventsPerSecond / other.rowsPerSecond,
      unit: '',
      goal: { atLeast: 1 },
      note: 'ratio',
    },
  );
}

/** The better number of clients, by the median of its repetitions; runs alternate between them. */
function bestOf<T>(runs: readonly T[], key: (run: T) => number): T {
  const medians = BATCH_CLIENTS.map((_, offset) =>
    medianBy(runs.filter((_run, i) => i % BATCH_CLIENTS.length === offset), key),
  );
  return medians.reduce((best, run) => (key(run) > key(best) ? run : best));
}
