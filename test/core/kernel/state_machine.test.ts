/** Commit, checkpoint, open and read: a replica that restarted is one that never did. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import * as fc from 'fast-check';
import { armCanary, CANARY, canaryReached } from '../../../core/canary.ts';
import {
  CHECKPOINT_STATE_SIZE,
  CHECKSUM_ALGORITHM,
  CONFIG_SMALL,
  HEADER_SIZE,
} from '../../../core/constants.ts';
import {
  decodeListStreams,
  decodeReadResult,
  decodeRecords,
  decodeStateDigest,
  decodeStreamInfo,
  encodeAppend,
  encodeCreateStream,
  encodeCreateTenant,
  encodeDeleteStream,
  encodeListStreams,
  encodeReadEvents,
  encodeStateDigest,
  encodeStreamInfo,
  resultCode,
} from '../../../core/kernel/commands.ts';
import { type EventRecord } from '../../../core/kernel/events.ts';
import { KERNEL, kernelLimits, RESULT, streamId } from '../../../core/kernel/operations.ts';
import { regionOf } from '../../../core/message/region.ts';
import { Prng, seedOfText } from '../../../core/prng.ts';
import { cacheBlocks } from '../../../core/storage/block_cache.ts';
import { blockOffset, zonesOf } from '../../../core/storage/data_file.ts';
import { StateMachineHarness } from '../../support/state_machine_harness.ts';

afterEach(() => armCanary(CANARY.none));

const LIMITS = kernelLimits(CONFIG_SMALL);

/** Naive streams: what was appended, by stream id. */
class Model {
  readonly streams = new Map<number, Uint8Array[]>();
}

function setUp(harness = new StateMachineHarness().open(), streams = 3): Model {
  const model = new Model();
  assert.equal(harness.commit(KERNEL.createTenant, encodeCreateTenant(1, 'acme')).name, 'ok');
  for (let i = 0; i < streams; i++) {
    const made = harness.commit(KERNEL.createStream, encodeCreateStream(1, `s${i}`, i % 8));
    assert.equal(made.name, 'ok');
    assert.equal(made.value, streamId(1, i + 1));
    model.streams.set(made.value, []);
  }
  return model;
}

function randomEvents(rng: Prng, sizeMax: number): Uint8Array[] {
  const events: Uint8Array[] = [];
  for (let n = 1 + rng.below(6); n > 0; n--) {
    const event = new Uint8Array(rng.below(sizeMax + 1));
    for (let i = 0; i < event.length; i++) event[i] = rng.below(256);
    events.push(event);
  }
  return events;
}

function appendRandom(harness: StateMachineHarness, model: Model, rng: Prng, sizeMax = 600): void {
  const ids = [...model.streams.keys()];
  const id = ids[rng.below(ids.length)] as number;
  const stream = model.streams.get(id) as Uint8Array[];
  const events = randomEvents(rng, sizeMax);
  const right = rng.below(4) !== 0;
  const expectedOffset = right ? stream.length : stream.length + 1;
  const result = harness.commit(KERNEL.append, encodeAppend(1, id, events, { expectedOffset }));
  if (right) {
    assert.equal(result.name, 'ok');
    assert.equal(result.value, stream.length);
    assert.equal(result.count, events.length);
    stream.push(...events);
  } else {
    assert.equal(result.name, 'unexpected_stream_offset');
    assert.equal(result.value, stream.length);
  }
}

function readAll(harness: StateMachineHarness, id: number, from = 0): EventRecord[] {
  const all: EventRecord[] = [];
  for (;;) {
    const next = from + all.length;
    const body = encodeReadEvents(1, id, next, 1000);
    const { region, length } = harness.ask(KERNEL.readEvents, body);
    const hash = all.at(-1)?.hash ?? null;
    const { records, problem } = decodeRecords(region, 0, length, hash);
    assert.equal(problem, null);
    const head = decodeReadResult(region, 0, length);
    assert.equal(head?.count, records.length);
    if (records.length === 0) {
      assert.equal(head?.nextOffset, next);
      return all;
    }
    all.push(...records);
  }
}

function assertStreams(harness: StateMachineHarness, model: Model): void {
  for (const [id, events] of model.streams) {
    const records = readAll(harness, id);
    assert.equal(records.length, events.length);
    records.forEach((record, i) => {
      assert.equal(record.offset, i);
      assert.deepEqual(Buffer.from(record.payload), Buffer.from(events[i] as Uint8Array));
    });
    const info = harness.ask(KERNEL.streamInfo, encodeStreamInfo(1, id));
    const entry = decodeStreamInfo(info.region, 0, info.length);
    assert.equal(entry?.nextOffset, events.length);
    const head = records.at(-1)?.hash ?? new Uint8Array(32);
    assert.deepEqual(Buffer.from(entry?.chain ?? []), Buffer.from(head));
  }
}

test('appended events are readable at once, before and after checkpoints and a restart', () => {
  const rng = new Prng(seedOfText('readable'));
  let harness = new StateMachineHarness().open();
  const model = setUp(harness);
  for (let round = 0; round < 6; round++) {
    for (let i = 0; i < 15; i++) appendRandom(harness, model, rng);
    assertStreams(harness, model);
    harness.checkpoint();
    assertStreams(harness, model);
    harness.machine.markCheckpointDurable();
    if (round % 2 === 1) harness = harness.reopen();
    else continue;
    harness.machine.markCheckpointDurable();
    assertStreams(harness, model);
  }
});

test('a replica that restarted at every checkpoint is bit-identical to one that never did', () => {
  const rng = [new Prng(seedOfText('twins')), new Prng(seedOfText('twins'))];
  const steady = new StateMachineHarness().open();
  let restarted = new StateMachineHarness().open();
  const models = [setUp(steady, 5), setUp(restarted, 5)];
  for (let round = 0; round < 12; round++) {
    for (let i = 0; i < 9; i++) {
      appendRandom(steady, models[0] as Model, rng[0] as Prng, 900);
      appendRandom(restarted, models[1] as Model, rng[1] as Prng, 900);
      const id = Buffer.alloc(16, 1 + (round * 9 + i) % 40);
      const options = { idempotencyId: id };
      const body = encodeAppend(1, streamId(1, 1 + (i % 5)), [Buffer.from(`x${i % 7}`)], options);
      const a = steady.commitRaw(KERNEL.append, body);
      const b = restarted.commitRaw(KERNEL.append, body);
      assert.deepEqual(a, b, 'replies');
      for (const model of models) {
        if (resultCode(a.region, 0, a.length) !== RESULT.ok) continue;
        const stream = (model as Model).streams.get(streamId(1, 1 + (i % 5))) as Uint8Array[];
        // A replayed first result appends nothing: its offset is in the past.
        const offset = a.region.fields.getUint32(8, true);
        if (offset === stream.length) stream.push(Buffer.from(`x${i % 7}`));
      }
      assert.equal(steady.digest(), restarted.digest());
    }
    const a = steady.checkpoint();
    const b = restarted.checkpoint();
    assert.deepEqual(Buffer.from(a.bytes), Buffer.from(b.bytes), `checkpoint ${round}`);
    restarted = restarted.reopen();
    steady.machine.markCheckpointDurable();
    restarted.machine.markCheckpointDurable();
    assert.equal(steady.digest(), restarted.digest());
    assert.equal(steady.grid.freeSet.freeCount, restarted.grid.freeSet.freeCount);
  }
  const zones = zonesOf(CONFIG_SMALL);
  const used = steady.grid.freeSet.highestAcquired() * CONFIG_SMALL.blockSize;
  const blocksOf = (h: StateMachineHarness): Buffer =>
    Buffer.from(h.storage.written.subarray(zones.grid, zones.grid + used));
  assert.ok(blocksOf(steady).equals(blocksOf(restarted)), 'grids are equal byte for byte');
  assertStreams(restarted, models[1] as Model);
});

test('a crash after more ops returns to the checkpoint, and replay ends in the same bytes', () => {
  const harness = new StateMachineHarness().open();
  const model = setUp(harness);
  const rng = new Prng(seedOfText('crash'));
  for (let i = 0; i < 12; i++) appendRandom(harness, model, rng);
  harness.checkpoint();
  const op = harness.op;
  const timestamp = harness.timestampMicros;
  const bodies: Uint8Array[] = [];
  for (let i = 0; i < 12; i++) bodies.push(encodeAppend(1, streamId(1, 1), randomEvents(rng, 900)));
  for (const body of bodies) harness.commit(KERNEL.append, body);
  harness.storage.run();
  const digest = harness.digest();
  harness.storage.crash(new Prng(seedOfText('torn')));

  const again = new StateMachineHarness(CONFIG_SMALL, harness.storage);
  again.open(harness.checkpointState, op);
  again.timestampMicros = timestamp;
  for (const body of bodies) again.commit(KERNEL.append, body);
  assert.equal(again.digest(), digest);
});

test('the order in which I/O completes changes no byte of a checkpoint; back-pressure ends', () => {
  const checkpointAfter = (complete: (harness: StateMachineHarness) => void): string[] => {
    const harness = new StateMachineHarness().open();
    const model = setUp(harness, 40);
    const rng = new Prng(seedOfText('order of completion'));
    const checkpoints: string[] = [];
    let waits = 0;
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 60; i++) {
        if (!harness.machine.canCommit()) {
          waits++;
          harness.events.length = 0;
          complete(harness);
          assert.deepEqual(harness.events, ['ready']);
          assert.ok(harness.machine.canCommit());
        }
        appendRandom(harness, model, rng, 1500);
      }
      harness.machine.checkpoint(harness.op, harness.sessions, harness.sessions.bytes.length);
      assert.ok(!harness.machine.canCommit());
      complete(harness);
      assert.ok(harness.events.includes('checkpointed'));
      assert.equal(harness.events.at(-1), 'ready');
      const state = regionOf(new Uint8Array(CHECKPOINT_STATE_SIZE));
      harness.machine.fillCheckpointState(state);
      checkpoints.push(Buffer.from(state.bytes).toString('hex'));
      harness.machine.markCheckpointDurable();
    }
    assert.ok(waits > 0, 'writes were behind at some time');
    return checkpoints;
  };
  const inOrder = checkpointAfter((harness) => harness.storage.run());
  for (const label of ['a', 'b', 'c']) {
    const rng = new Prng(seedOfText(label));
    assert.deepEqual(checkpointAfter((harness) => harness.storage.runShuffled(rng)), inOrder);
  }
});

test('a long stream: any offset is found through nodes of several levels', () => {
  let harness = new StateMachineHarness().open();
  setUp(harness, 2);
  const long = streamId(1, 1);
  const other = streamId(1, 2);
  // One event nearly fills a block, so each event is an entry of the index: 8 x 8 x 3 of them.
  const payload = new Uint8Array(LIMITS.payloadSizeMax - 300);
  let count = 0;
  for (let i = 0; i < 400; i++) {
    payload[0] = i;
    payload[1] = i >> 8;
    const result = harness.commit(KERNEL.append, encodeAppend(1, long, [payload]));
    assert.equal(result.name, 'ok');
    count++;
    if (i % 10 === 0) harness.commit(KERNEL.append, encodeAppend(1, other, [payload.subarray(0, 9)]));
    if (i % 100 === 99) {
      harness.checkpoint();
      harness = harness.reopen();
      harness.machine.markCheckpointDurable();
    }
  }
  for (const offset of [0, 1, 7, 8, 9, 63, 64, 65, 127, 128, 200, 255, 256, 311, 398, 399]) {
    const body = encodeReadEvents(1, long, offset, 3);
    const { region, length } = harness.ask(KERNEL.readEvents, body);
    const { records, problem } = decodeRecords(region, 0, length);
    assert.equal(problem, null);
    assert.equal(records[0]?.offset, offset);
    assert.equal((records[0]?.payload[0] ?? 0) + 256 * (records[0]?.payload[1] ?? 0), offset);
  }
  assert.equal(readAll(harness, long).length, count);
  assert.equal(readAll(harness, long, 390).length, 10);
  assert.equal(readAll(harness, other).length, 40);
});

test('many streams, one event each in turn: found again after a restart', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 5, max: 40 }), (seed, streams) => {
      const rng = new Prng(seedOfText(`many ${seed}`));
      let harness = new StateMachineHarness().open();
      const model = setUp(harness, streams);
      for (let i = 0; i < 80; i++) {
        appendRandom(harness, model, rng, 300);
        if (i % 20 === 19) {
          harness.checkpoint();
          harness = harness.reopen();
          harness.machine.markCheckpointDurable();
        }
      }
      assertStreams(harness, model);
    }),
    { seed: 20260703, numRuns: 6 },
  );
});

test('reads: limits by count and by bytes, always at least one event, never a part of one', () => {
  const harness = new StateMachineHarness().open();
  setUp(harness, 1);
  const id = streamId(1, 1);
  const events = [10, 200, 0, 3000, 1, 2, 3].map((size) => new Uint8Array(size).fill(size));
  harness.commit(KERNEL.append, encodeAppend(1, id, events));
  const read = (offset: number, count: number, bytes?: number): number[] => {
    const body = encodeReadEvents(1, id, offset, count, bytes);
    const { region, length } = harness.ask(KERNEL.readEvents, body);
    const { records, problem } = decodeRecords(region, 0, length);
    assert.equal(problem, null);
    return records.map((record) => record.offset);
  };
  assert.deepEqual(read(0, 100), [0, 1, 2, 3, 4, 5, 6]);
  assert.deepEqual(read(2, 2), [2, 3]);
  assert.deepEqual(read(0, 100, 120), [0]);
  assert.deepEqual(read(0, 100, 120 + 308), [0, 1]);
  assert.deepEqual(read(3, 100, 1), [3], 'larger than the limit: still returned');
  assert.deepEqual(read(7, 100), []);
  assert.deepEqual(read(700, 100), []);
  assert.deepEqual(read(0, 0), []);
});

test('a read spans blocks on disk with cold memory, several reads side by side', () => {
  const harness = new StateMachineHarness().open();
  const model = setUp(harness, 4);
  const rng = new Prng(seedOfText('cold'));
  for (let i = 0; i < 120; i++) appendRandom(harness, model, rng, 900);
  harness.checkpoint();
  const cold = harness.reopen();
  const bodies = [...model.streams.keys()].flatMap((id) =>
    Array.from({ length: 15 }, (_, i) => encodeReadEvents(1, id, i * 3, 1000)),
  );
  bodies.forEach((body, tag) => cold.query(KERNEL.readEvents, body, tag));
  assert.ok(cold.machine.queriesInProgress > 32, 'more than may wait at once');
  // Commits go on while queries wait, and what they append is in no answer.
  for (const id of model.streams.keys()) {
    cold.commit(KERNEL.append, encodeAppend(1, id, [new Uint8Array(700)]));
  }
  cold.storage.runShuffled(new Prng(seedOfText('order')));
  assert.equal(cold.answers.length, bodies.length);
  assert.equal(cold.machine.queriesInProgress, 0);
  for (const { tag, body, length } of cold.answers) {
    const id = [...model.streams.keys()][Math.floor(tag / 15)] as number;
    const { records, problem } = decodeRecords(body, 0, length);
    assert.equal(problem, null);
    const from = (tag % 15) * 3;
    records.forEach((record, i) => {
      const expected = (model.streams.get(id) as Uint8Array[])[from + i] ?? new Uint8Array(700);
      assert.deepEqual(Buffer.from(record.payload), Buffer.from(expected));
    });
    const all = decodeReadResult(body, 0, length)?.nextOffset ?? 0;
    assert.ok(from + records.length <= all);
  }
});

test('too many queries: refused as busy, not queued without end', () => {
  const harness = new StateMachineHarness().open();
  const model = setUp(harness, 1);
  const rng = new Prng(seedOfText('busy'));
  for (let i = 0; i < 60; i++) appendRandom(harness, model, rng, 900);
  harness.checkpoint();
  const cold = harness.reopen();
  for (let i = 0; i < 200; i++) cold.query(KERNEL.readEvents, encodeReadEvents(1, streamId(1, 1), 0, 9), i);
  cold.storage.run();
  assert.equal(cold.answers.length, 200);
  const codes = cold.answers.map(({ body, length }) => resultCode(body, 0, length));
  assert.equal(codes.filter((code) => code === RESULT.busy).length, 200 - 32 - 96);
  assert.equal(codes.filter((code) => code === RESULT.ok).length, 32 + 96);
});

test('reset drops queries and state; another checkpoint opens in the same process', () => {
  const harness = new StateMachineHarness().open();
  const model = setUp(harness);
  const rng = new Prng(seedOfText('reset'));
  for (let i = 0; i < 40; i++) appendRandom(harness, model, rng);
  harness.checkpoint();
  const digest = harness.digest();
  const op = harness.op;
  const free = harness.pool.freeCount;
  for (let i = 0; i < 20; i++) {
    harness.commit(KERNEL.append, encodeAppend(1, streamId(1, 1), [new Uint8Array(300)]));
  }
  harness.storage.run();
  const cold = harness;
  cold.query(KERNEL.readEvents, encodeReadEvents(1, streamId(1, 1), 0, 100));
  cold.machine.reset();
  cold.grid.reset();
  cold.storage.run();
  cold.open(cold.checkpointState, op);
  assert.equal(cold.digest(), digest);
  assertStreams(cold, model);
  assert.ok(cold.pool.freeCount >= free - 64, 'no message is lost but to the cache');
});

test('state sync wants every block that the range created, and says when all are here', () => {
  const harness = new StateMachineHarness().open();
  const model = setUp(harness);
  const rng = new Prng(seedOfText('sync'));
  for (let i = 0; i < 30; i++) appendRandom(harness, model, rng, 900);
  harness.checkpoint();
  // Log blocks are damaged on disk; the trailers are intact.
  const { manifest } = harness.machine.log;
  assert.ok(manifest.count > 5);
  const damaged = [0, 3, manifest.count - 1];
  const zones = zonesOf(CONFIG_SMALL);
  const good = new Map<number, Uint8Array>();
  for (const ordinal of damaged) {
    const at = blockOffset(zones, CONFIG_SMALL, manifest.addressOf(ordinal));
    const bytes = harness.storage.written.slice(at, at + CONFIG_SMALL.blockSize);
    good.set(manifest.addressOf(ordinal), bytes);
    harness.storage.poke(at + 300, new Uint8Array([1, 2, 3, 4]));
  }
  const cold = harness.reopen();
  cold.machine.syncBlocks(1, harness.op);
  cold.storage.run();
  assert.ok(!cold.events.includes('synced'));
  assert.equal(cold.grid.missingCount, damaged.length);
  for (const bytes of good.values()) {
    const block = cold.pool.acquire(CONFIG_SMALL.blockSize);
    block.bytes.set(bytes);
    assert.ok(cold.grid.onBlock(block));
    block.unref();
  }
  cold.storage.run();
  assert.equal(cold.events.at(-1), 'synced');
  assertStreams(cold, model);
});

test('queries about streams, their results, and the digest', () => {
  const harness = new StateMachineHarness().open();
  setUp(harness, 5);
  harness.commit(KERNEL.createTenant, encodeCreateTenant(2, 'other'));
  harness.commit(KERNEL.deleteStream, encodeDeleteStream(1, streamId(1, 2)));
  const code = (operation: number, body: Uint8Array): number => {
    const { region, length } = harness.ask(operation, body);
    return resultCode(region, 0, length);
  };
  assert.equal(code(KERNEL.readEvents, encodeReadEvents(3, streamId(3, 1), 0, 1)), RESULT.tenant_not_found);
  assert.equal(code(KERNEL.readEvents, encodeReadEvents(2, streamId(1, 1), 0, 1)), RESULT.tenant_mismatch);
  assert.equal(code(KERNEL.readEvents, encodeReadEvents(1, streamId(1, 9), 0, 1)), RESULT.stream_not_found);
  assert.equal(code(KERNEL.readEvents, encodeReadEvents(1, streamId(1, 2), 0, 1)), RESULT.stream_deleted);
  assert.equal(code(KERNEL.streamInfo, encodeStreamInfo(2, 's0')), RESULT.stream_not_found);
  assert.equal(code(KERNEL.streamInfo, encodeStreamInfo(2, streamId(1, 1))), RESULT.tenant_mismatch);

  const info = harness.ask(KERNEL.streamInfo, encodeStreamInfo(1, 's1'));
  const entry = decodeStreamInfo(info.region, 0, info.length);
  assert.equal(entry?.name, 's1');
  assert.equal(entry?.id, streamId(1, 2));
  assert.equal(entry?.deleted, true);
  assert.equal(entry?.dataClass, 'Deidentified');

  const names: string[] = [];
  let next = 0;
  do {
    const { region, length } = harness.ask(KERNEL.listStreams, encodeListStreams(1, next, 2));
    const page = decodeListStreams(region, 0, length);
    assert(page !== null);
    names.push(...page.entries.map((stream) => stream.name));
    next = page.next;
  } while (next !== 0);
  assert.deepEqual(names, ['s0', 's1', 's2', 's3', 's4']);

  const digest = harness.ask(KERNEL.stateDigest, encodeStateDigest());
  const bytes = decodeStateDigest(digest.region, 0, digest.length);
  assert.equal(Buffer.from(bytes ?? []).toString('hex'), harness.digest());
});

test('a full grid refuses appends by code, and still cuts checkpoints', () => {
  const config = { ...CONFIG_SMALL, gridBlocks: 128 };
  const harness = new StateMachineHarness(config).open();
  setUp(harness, 1);
  const body = encodeAppend(1, streamId(1, 1), [new Uint8Array(3000)]);
  let appended = 0;
  let refused = 0;
  for (let i = 0; i < 300; i++) {
    const { name } = harness.commit(KERNEL.append, body);
    if (name === 'ok') appended++;
    else {
      assert.equal(name, 'storage_full');
      refused++;
    }
    if (i % 16 === 15) {
      harness.checkpoint();
      harness.machine.markCheckpointDurable();
    }
  }
  assert.ok(appended > 50 && refused > 50, `${appended} ${refused}`);
  harness.checkpoint();
  const cold = harness.reopen();
  assert.equal(readAll(cold, streamId(1, 1)).length, appended);
  assert.equal(cold.digest(), harness.digest());
});

test('the same under BLAKE3 checksums', () => {
  const config = { ...CONFIG_SMALL, checksumAlgorithm: CHECKSUM_ALGORITHM.blake3 };
  const harness = new StateMachineHarness(config).open();
  const model = setUp(harness);
  const rng = new Prng(seedOfText('blake3'));
  for (let i = 0; i < 12; i++) appendRandom(harness, model, rng);
  harness.checkpoint();
  const cold = harness.reopen();
  assert.equal(cold.digest(), harness.digest());
  assertStreams(cold, model);
});

test('messages: the cache of the grid holds some, nobody loses any', () => {
  const harness = new StateMachineHarness().open();
  const model = setUp(harness);
  const rng = new Prng(seedOfText('leak'));
  for (let round = 0; round < 40; round++) {
    for (let i = 0; i < 15; i++) appendRandom(harness, model, rng, 100);
    const ids = [...model.streams.keys()];
    harness.ask(KERNEL.readEvents, encodeReadEvents(1, ids[round % 3] as number, 0, 50));
    harness.ask(KERNEL.listStreams, encodeListStreams(1));
    harness.checkpoint();
    harness.machine.markCheckpointDurable();
  }
  const held = harness.pool.messages.length - harness.pool.freeCount;
  assert.ok(held <= cacheBlocks(CONFIG_SMALL.blockSize), `${held} messages are held`);
});

// --- Planted bugs: the bytes that checkers look at do show them ---

test('canary offset_reused: an offset is given out twice', () => {
  armCanary(CANARY.offsetReused);
  const harness = new StateMachineHarness().open();
  setUp(harness, 1);
  const id = streamId(1, 1);
  const append = (expectedOffset?: number): number => {
    const options = expectedOffset === undefined ? {} : { expectedOffset };
    return harness.commit(KERNEL.append, encodeAppend(1, id, [new Uint8Array(8)], options)).value;
  };
  assert.equal(append(), 0);
  assert.equal(append(), 1);
  append(77);
  assert.equal(append(), 1, 'again');
  assert.equal(append(), 2);
  assert.equal(canaryReached(), 1);
});

test('canary chain_link_skipped: a read no longer links', () => {
  armCanary(CANARY.chainLinkSkipped);
  const harness = new StateMachineHarness().open();
  setUp(harness, 1);
  const events = Array.from({ length: 6 }, () => new Uint8Array(4));
  harness.commit(KERNEL.append, encodeAppend(1, streamId(1, 1), events));
  const { region, length } = harness.ask(KERNEL.readEvents, encodeReadEvents(1, streamId(1, 1), 0, 9));
  const { records, problem } = decodeRecords(region, 0, length);
  assert.equal(problem, 'record: not linked to the one before');
  assert.equal(records.length, 4);
});

test('canary nondeterministic_state: a restart changes the checkpoint', () => {
  const run = (): boolean => {
    const steady = new StateMachineHarness().open();
    const other = new StateMachineHarness().open();
    setUp(steady, 1);
    setUp(other, 1);
    steady.checkpoint();
    other.checkpoint();
    const restarted = other.reopen();
    steady.machine.markCheckpointDurable();
    restarted.machine.markCheckpointDurable();
    steady.commit(KERNEL.createStream, encodeCreateStream(1, 'x', 0));
    restarted.commit(KERNEL.createStream, encodeCreateStream(1, 'x', 0));
    return Buffer.from(steady.checkpoint().bytes).equals(Buffer.from(restarted.checkpoint().bytes));
  };
  assert.equal(run(), true);
  armCanary(CANARY.nondeterministicState);
  assert.equal(run(), false);
});

test('canary checkpoint_block_skipped: a block under the checkpoint is not on disk', () => {
  armCanary(CANARY.checkpointBlockSkipped);
  const harness = new StateMachineHarness().open();
  setUp(harness, 1);
  const id = streamId(1, 1);
  for (let i = 0; i < 4; i++) {
    harness.commit(KERNEL.append, encodeAppend(1, id, [new Uint8Array(8)]));
    harness.checkpoint();
    harness.machine.markCheckpointDurable();
  }
  assert.equal(canaryReached(), 1);
  const cold = harness.reopen();
  cold.query(KERNEL.readEvents, encodeReadEvents(1, id, 3, 1));
  cold.storage.run();
  assert.equal(cold.answers.length, 0);
  assert.equal(cold.grid.missingCount, 1);
});

test('the limits of a configuration', () => {
  assert.equal(LIMITS.payloadSizeMax, CONFIG_SMALL.blockSize - HEADER_SIZE - 48 - 108);
  const harness = new StateMachineHarness().open();
  setUp(harness, 1);
  const id = streamId(1, 1);
  const largest = encodeAppend(1, id, [new Uint8Array(LIMITS.payloadSizeMax)]);
  assert.equal(harness.commit(KERNEL.append, largest).name, 'ok');
  assert.equal(harness.commit(KERNEL.append, largest).name, 'ok');
  const many = Array.from({ length: LIMITS.batchEventsMax }, () => new Uint8Array(0));
  assert.equal(harness.commit(KERNEL.append, encodeAppend(1, id, many)).count, LIMITS.batchEventsMax);
  assert.equal(readAll(harness, id).length, 2 + LIMITS.batchEventsMax);
});
