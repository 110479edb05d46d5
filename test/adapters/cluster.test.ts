/**
 * The real thing: three processes with real files and sockets, concurrent clients, the primary
 * killed with SIGKILL again and again, one replica's file damaged while it is down. What the
 * clients saw is judged by the same checker as in simulation.
 *
 * `KMB_CLUSTER_SECONDS` makes it longer, `KMB_CLUSTER_SEED` moves the faults.
 */
import assert from 'node:assert/strict';
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type Connection } from '../../adapters/client.ts';
import { IndeterminateError, RequestError } from '../../adapters/errors.ts';
import { CHECKSUM_ALGORITHM, CONFIG_SMALL, type ClusterConfig } from '../../core/constants.ts';
import { Prng, seedOfText } from '../../core/prng.ts';
import { zonesOf } from '../../core/storage/data_file.ts';
import { checkHistory, type ClientCall } from '../../invariants/client_history.ts';
import { LocalCluster } from '../support/local_cluster.ts';

const SECONDS = Number(process.env['KMB_CLUSTER_SECONDS'] ?? 22);
const SEED = process.env['KMB_CLUSTER_SEED'] ?? 'cluster';
const CLIENTS = 6;
const STREAMS = 3;
const TENANT = 1;

/** The ring wraps and checkpoints come every few dozen ops, as with the small configuration. */
const config: ClusterConfig = {
  ...CONFIG_SMALL,
  pipelineMax: 16,
  journalSlots: 96,
  checkpointInterval: 64,
  messageSizeMax: 16 << 10,
  blockSize: 8 << 10,
  gridBlocks: 8192,
  checksumAlgorithm: CHECKSUM_ALGORITHM.sha256,
};

interface Shared {
  readonly calls: ClientCall[];
  readonly streams: readonly number[];
  readonly until: number;
  events: number;
}

test(
  `three processes under kill -9 and corruption for ${SECONDS} s`,
  { timeout: (SECONDS + 90) * 1000 },
  async (t) => {
    const local = await LocalCluster.format(3, config);
    try {
      await Promise.all([0, 1, 2].map((replica) => local.spawn(replica)));
      const setup = await connect({ addresses: local.addresses, sessions: 4 });
      await setup.createTenant(TENANT, 'tenant');
      const streams: number[] = [];
      for (let i = 0; i < STREAMS; i++) streams.push(await setup.createStream(TENANT, `stream_${i}`));

      const shared: Shared = { calls: [], streams, until: performance.now() + SECONDS * 1000, events: 0 };
      const rng = new Prng(seedOfText(SEED));
      const clients = Array.from({ length: CLIENTS }, (_, i) =>
        runClient(local, i, rng.fork(`client ${i}`), shared),
      );
      const [faults] = await Promise.all([runFaults(local, rng.fork('faults'), shared.until), ...clients]);

      // All replicas again; everything acknowledged must now be shown.
      await Promise.all([0, 1, 2].filter((r) => local.processes[r] === null).map((r) => local.spawn(r)));
      for (const stream of streams) await readAll(setup, stream, shared.calls);
    await untilAllNormal(local);
      await setup.close();

      const unknown = shared.calls.filter((call) => call.kind === 'unknown').length;
      const acknowledged = shared.calls.filter((call) => call.kind === 'appended').length;
      t.diagnostic(
        `${acknowledged} appends acknowledged, ${unknown} unknown, ${shared.calls.length} calls, ` +
          `${faults.kills} primaries killed, ${faults.corruptions} files damaged`,
      );
      const verdict = checkHistory(shared.calls, { everyEventRead: true });
      assert.deepEqual(verdict.problems, []);
      assert.ok(verdict.comparisons > acknowledged);
      assert.ok(acknowledged > 100, `only ${acknowledged} appends were acknowledged`);
      assert.ok(faults.kills >= 2, `only ${faults.kills} primaries were killed`);
      assert.ok(faults.corruptions >= 1);
      const crashes = local.log.filter((line) => / ended: (?!SIGKILL)/.test(line));
      assert.deepEqual(crashes, [], local.log.slice(-40).join('\n'));
    } catch (error) {
      t.diagnostic(local.log.slice(-60).join('\n'));
      throw error;
    } finally {
      await local.close();
    }
  },
);

// --- Clients ---

async function runClient(local: LocalCluster, process: number, rng: Prng, shared: Shared): Promise<void> {
  const db = await connect({
    addresses: local.addresses,
    sessions: 1 + (process % 3),
    connectTimeoutMillis: 60_000,
  });
  const next = new Map<number, number>();
  const one = async (): Promise<void> => {
    while (performance.now() < shared.until) {
      const stream = shared.streams[rng.below(shared.streams.length)] as number;
      const kind = rng.below(10);
      if (kind < 7) await append(db, process, stream, rng, next, shared);
      else await readSome(db, process, stream, rng, next, shared.calls);
      await sleep(rng.below(15));
    }
  };
  // As many at once as there are sessions: their requests overlap.
  await Promise.all(Array.from({ length: 1 + (process % 3) }, one));
  await db.close();
}

async function append(
  db: Connection,
  process: number,
  stream: number,
  rng: Prng,
  next: Map<number, number>,
  shared: Shared,
): Promise<void> {
  const events: string[] = [];
  for (let i = 1 + rng.below(3); i > 0; i--) events.push(`event ${shared.events++}`);
  const guess = next.get(stream);
  const expected = guess !== undefined && rng.below(4) === 0 ? { expectedOffset: guess } : {};
  // A few callers are impatient: what they gave up may or may not have happened.
  const timeoutMillis = rng.below(6) === 0 ? 100 : 60_000;
  const padded = events.map((event) => event.padEnd(40 + rng.below(200)));
  const calledAt = performance.now();
  const call = { process, stream, calledAt, events };
  try {
    const { offset } = await db.append(TENANT, stream, padded, { ...expected, timeoutMillis });
    shared.calls.push({ kind: 'appended', ...call, offset, returnedAt: performance.now() });
    next.set(stream, offset + events.length);
  } catch (error) {
    if (error instanceof IndeterminateError) {
      shared.calls.push({ kind: 'unknown', ...call });
    } else if (error instanceof RequestError && error.result === 'unexpected_stream_offset') {
      shared.calls.push({ kind: 'refused', ...call, length: error.detail, returnedAt: performance.now() });
      next.set(stream, error.detail);
    } else if (!(error instanceof RequestError && error.code === 'request-timeout')) {
      throw error;
    }
  }
}

async function readSome(
  db: Connection,
  process: number,
  stream: number,
  rng: Prng,
  next: Map<number, number>,
  calls: ClientCall[],
): Promise<void> {
  const known = next.get(stream) ?? 0;
  const offset = Math.max(0, known - rng.below(20));
  const calledAt = performance.now();
  try {
    const { events, nextOffset } = await db.read(TENANT, stream, {
      offset,
      limit: 1 + rng.below(30),
      timeoutMillis: 60_000,
    });
    const names = events.map((event) => Buffer.from(event.payload).toString().trimEnd());
    calls.push({
      kind: 'read',
      process,
      stream,
      calledAt,
      returnedAt: performance.now(),
      offset,
      events: names,
      length: nextOffset,
    });
    next.set(stream, nextOffset);
  } catch (error) {
    if (!(error instanceof RequestError && error.code === 'request-timeout')) throw error;
  }
}

async function readAll(db: Connection, stream: number, calls: ClientCall[]): Promise<void> {
  for (let offset = 0; ; ) {
    const calledAt = performance.now();
    const { events, nextOffset } = await db.read(TENANT, stream, { offset });
    const names = events.map((event) => Buffer.from(event.payload).toString().trimEnd());
    calls.push({
      kind: 'read',
      process: CLIENTS,
      stream,
      calledAt,
      returnedAt: performance.now(),
      offset,
      events: names,
      length: nextOffset,
    });
    offset += events.length;
    if (offset >= nextOffset) return;
    assert.ok(events.length > 0, 'a read before the end of the stream showed nothing');
  }
}

// --- Faults ---

/** Kills whoever leads, damages its file every other time, starts it again; until time is up. */
async function runFaults(
  local: LocalCluster,
  rng: Prng,
  until: number,
): Promise<{ kills: number; corruptions: number }> {
  let kills = 0;
  let corruptions = 0;
  await sleep(1000);
  while (performance.now() < until - 3000) {
    const primary = leaderOf(local.log);
    await local.kill(primary);
    kills++;
    await sleep(rng.below(1500));
    if (kills % 2 === 0) {
      // Only ever one replica's file, so that a whole copy of everything remains.
      await local.kill(2);
      corrupt(local.paths[2] as string, rng);
      corruptions++;
      if (primary !== 2) await local.spawn(2);
    }
    await local.spawn(primary);
    await untilLed(local, Math.min(until, performance.now() + 15_000));
    await sleep(500 + rng.below(1500));
  }
  return { kills, corruptions };
}

/** Of the newest view that any replica has told of. */
function leaderOf(log: readonly string[]): number {
  let view = 0;
  for (const line of log) view = Math.max(view, Number(/view (\d+): replica \d+ leads/.exec(line)?.[1] ?? 0));
  return view % 3;
}

/** The leader of the newest view is a process that lives, and it says so itself. */
async function untilLed(local: LocalCluster, deadline: number): Promise<void> {
  while (performance.now() < deadline) {
    const leader = leaderOf(local.log);
    const last =
      local.log.findLast((line) => line.startsWith(`R${leader} `) && /view|ended|listening/.test(line)) ?? '';
    if (local.processes[leader] !== null && last.includes(`replica ${leader} leads`)) return;
    await sleep(50);
  }
}

/** Each replica's last word on its state is that it follows a leader: damage was mended, not avoided. */
async function untilAllNormal(local: LocalCluster): Promise<void> {
  for (let waited = 0; waited < 20_000; waited += 50) {
    const last = [0, 1, 2].map((replica) => {
      const state = new RegExp(`^R${replica} (view \\d+:|ended|listening)`);
      return local.log.findLast((line) => state.test(line));
    });
    if (last.every((line) => line?.includes('leads') === true)) return;
    await sleep(50);
  }
  assert.fail('a replica did not come back to normal operation');
}

/** Flips bits in all zones; of the superblock in one copy only. */
function corrupt(path: string, rng: Prng): void {
  const zones = zonesOf(config);
  const fd = openSync(path, 'r+');
  const flip = (from: number, to: number, count: number): void => {
    const byte = new Uint8Array(1);
    for (let i = 0; i < count; i++) {
      const at = from + rng.below(to - from);
      readSync(fd, byte, 0, 1, at);
      byte[0] = (byte[0] as number) ^ (1 << rng.below(8));
      writeSync(fd, byte, 0, 1, at);
    }
  };
  const copy = rng.below(4);
  flip(copy * zones.superblockCopySize, (copy + 1) * zones.superblockCopySize, 20);
  flip(zones.journalHeaders, zones.journalPrepares, 3);
  // Prepares are short and lie at the start of their slots: aim there.
  for (let i = 0; i < 30; i++) {
    const slot = zones.journalPrepares + rng.below(config.journalSlots) * config.messageSizeMax;
    flip(slot, slot + 600, 1);
  }
  flip(zones.replies, zones.grid, 20);
  // Blocks are given out from the lowest address on.
  flip(zones.grid, zones.grid + 200 * config.blockSize, 200);
  closeSync(fd);
}
