/** The superblock on a disk that fails: opening, updating, crashing at every step, being damaged. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AssertionFailure, ReplicaFatal } from '../../../core/assert.ts';
import {
  CHECKPOINT_STATE_SIZE,
  CHECKSUM_ALGORITHM,
  CONFIG_PRODUCTION,
  CONFIG_SMALL,
  HEADER_SIZE,
  type ClusterConfig,
} from '../../../core/constants.ts';
import { headerValid, sealHeader } from '../../../core/checksum.ts';
import { opOf, setOp, setView } from '../../../core/message/header.ts';
import { copyWords, regionOf, type Region } from '../../../core/message/region.ts';
import { SECTOR_SIZE, STORAGE_RESULT } from '../../../core/ports.ts';
import { Prng } from '../../../core/prng.ts';
import { checkpointOpAt } from '../../../core/storage/checkpoint_state.ts';
import { zonesOf } from '../../../core/storage/data_file.ts';
import { format } from '../../../core/storage/format.ts';
import { Superblock, type SuperblockListener } from '../../../core/storage/superblock.ts';
import {
  readSuperblockConfig,
  SUPERBLOCK_AT,
  SUPERBLOCK_SCAN_SIZE,
} from '../../../core/storage/superblock_layout.ts';
import { fc } from '../../fixed_seed.ts';
import { MemoryStorage } from '../../support/memory_storage.ts';

const CONFIG: ClusterConfig = { ...CONFIG_SMALL, gridBlocks: 16 };
const ZONES = zonesOf(CONFIG);
const COPY = ZONES.superblockCopySize;
const CLUSTER = regionOf(new Uint8Array(16).fill(7));

class Events implements SuperblockListener {
  opened = 0;
  updated = 0;
  superblockOpened(): void {
    this.opened++;
  }
  superblockUpdated(): void {
    this.updated++;
  }
}

function formatted(config: ClusterConfig = CONFIG): MemoryStorage {
  const storage = new MemoryStorage(zonesOf(config).end);
  format({
    config,
    cluster: CLUSTER,
    replicaIndex: 1,
    replicaCount: 3,
    write: (offset, bytes) => storage.poke(offset, bytes),
  });
  return storage;
}

function started(storage: MemoryStorage): { superblock: Superblock; events: Events } {
  const events = new Events();
  const superblock = new Superblock({ config: CONFIG, zones: ZONES, storage, listener: events });
  storage.deliver = (token, result) => superblock.onStorage(token, result);
  superblock.open();
  return { superblock, events };
}

function opened(storage: MemoryStorage): { superblock: Superblock; events: Events } {
  const both = started(storage);
  storage.run();
  assert.equal(both.events.opened, 1);
  return both;
}

function fatalCode(run: () => void): string {
  try {
    run();
  } catch (error) {
    if (error instanceof ReplicaFatal) return error.code;
    throw error;
  }
  return 'none';
}

/** A prepare header of this op and view, in a region of its own. */
function header(op: number, view: number): Region {
  const region = regionOf(new Uint8Array(HEADER_SIZE));
  const { superblock } = opened(formatted());
  copyWords(superblock.working.viewHeaders, 0, region, 0, HEADER_SIZE);
  setOp(region, op);
  setView(region, view);
  sealHeader(CONFIG.checksumAlgorithm, region, 0);
  return region;
}

function flip(storage: MemoryStorage, offset: number, bit: number): void {
  const byte = storage.durable[offset] as number;
  storage.poke(offset, Uint8Array.of(byte ^ (1 << bit)));
}

test('superblock: a formatted file opens with the root as checkpoint and head', () => {
  const { superblock } = opened(formatted());
  const { working } = superblock;
  assert.equal(working.sequence, 1);
  assert.equal(working.view, 0);
  assert.equal(working.logView, 0);
  assert.equal(working.commitMax, 0);
  assert.equal(working.generation, 0);
  assert.equal(working.replicaIndex, 1);
  assert.equal(working.replicaCount, 3);
  assert.deepEqual(working.cluster.bytes, CLUSTER.bytes);
  assert.equal(checkpointOpAt(working.checkpoint, 0), 0);
  assert.equal(working.viewHeadersCount, 1);
  assert.equal(opOf(working.viewHeaders, 0), 0);
  assert.ok(headerValid(CONFIG.checksumAlgorithm, working.viewHeaders, 0));
  assert.ok(headerValid(CONFIG.checksumAlgorithm, working.checkpoint, 0));
  assert.equal(superblock.copiesRepaired, 0);
});

test('superblock: an update is copied at once, chained, and found again', () => {
  const storage = formatted();
  const { superblock, events } = opened(storage);
  const before = superblock.working.checksum.bytes.slice();
  const head = header(9, 2);
  const checkpoint = regionOf(superblock.working.checkpoint.bytes.slice());
  checkpoint.bytes[CHECKPOINT_STATE_SIZE - 1] = 5;
  superblock.update({
    view: 3,
    logView: 2,
    commitMax: 4,
    generation: 1,
    syncOpMin: 1,
    syncOpMax: 2,
    checkpoint,
    viewHeaders: { region: head, at: 0, count: 1 },
  });
  head.bytes.fill(0);
  checkpoint.bytes.fill(0);
  assert.equal(superblock.working.view, 0, 'not durable yet');
  assert.equal(superblock.staging.view, 3);
  storage.run();
  assert.equal(events.updated, 1);
  assert.equal(superblock.working.view, 3);
  assert.deepEqual(superblock.working.parent.bytes, before);

  const again = opened(storage).superblock.working;
  assert.equal(again.sequence, 2);
  assert.equal(again.view, 3);
  assert.equal(again.logView, 2);
  assert.equal(again.commitMax, 4);
  assert.equal(again.generation, 1);
  assert.equal(again.syncOpMin, 1);
  assert.equal(again.syncOpMax, 2);
  assert.equal(opOf(again.viewHeaders, 0), 9);
  assert.equal(again.checkpoint.bytes[CHECKPOINT_STATE_SIZE - 1], 5);
  assert.deepEqual(again.image.bytes, superblock.working.image.bytes);
});

test('superblock: copies are written one after another, each synced, then read one by one', () => {
  const storage = formatted();
  const { superblock } = opened(storage);
  superblock.update({ view: 1 });
  const order: string[] = [];
  while (storage.pending.length > 0) {
    assert.equal(storage.pending.length, 1);
    const [operation] = storage.pending;
    order.push(`${operation?.kind} ${(operation?.offset ?? 0) / COPY}`);
    storage.step();
  }
  assert.deepEqual(order, [
    'write 0', 'sync 0', 'write 1', 'sync 0', 'write 2', 'sync 0', 'write 3', 'sync 0',
    'read 0', 'read 1', 'read 2', 'read 3',
  ]);
});

test('superblock: what comes during an update merges into one that follows', () => {
  const storage = formatted();
  const { superblock, events } = opened(storage);
  superblock.update({ view: 1 });
  superblock.update({ view: 2, logView: 1 });
  superblock.update({ view: 3, commitMax: 5 });
  assert.equal(superblock.queuedUpdate, true);
  while (events.updated === 0) storage.step();
  assert.equal(superblock.working.view, 1);
  assert.equal(superblock.updating, true);
  storage.run();
  assert.equal(events.updated, 2);
  assert.equal(superblock.updating, false);
  assert.equal(superblock.working.sequence, 3);
  assert.equal(superblock.working.view, 3);
  assert.equal(superblock.working.logView, 1);
  assert.equal(superblock.working.commitMax, 5);
});

test('superblock: what must never decrease is asserted', () => {
  const cases = [{ view: 1 }, { commitMax: 1 }, { generation: 1 }, { view: 3, logView: 1 }];
  for (const patch of cases) {
    const storage = formatted();
    const { superblock } = opened(storage);
    superblock.update({ view: 2, logView: 2, commitMax: 2, generation: 2 });
    storage.run();
    assert.throws(() => superblock.update(patch), AssertionFailure, JSON.stringify(patch));
  }
  // The log view never passes the view.
  const { superblock } = opened(formatted());
  assert.throws(() => superblock.update({ logView: 1 }), AssertionFailure);
});

test('superblock: a crash at any step leaves the old state or the new, and nothing reported is lost', () => {
  // An update is 12 operations, an interrupted repair up to as many.
  for (let seed = 0; seed < 150; seed++) {
    const rng = new Prng([seed, 1, 2, 3]);
    const storage = formatted();
    let { superblock, events } = opened(storage);
    let view = 0;
    for (let round = 0; round < 6; round++) {
      superblock.update({ view: view + 1 });
      for (let steps = rng.below(16); steps > 0; steps--) storage.step();
      const reported = view + events.updated;
      storage.crash(rng);
      // The machine may die again while it mends the copies.
      ({ superblock, events } = started(storage));
      if (rng.below(2) === 0) {
        for (let steps = rng.below(14); steps > 0; steps--) storage.step();
        storage.crash(rng);
        ({ superblock, events } = started(storage));
      }
      storage.run();
      assert.equal(events.opened, 1, `seed ${seed}`);
      const found = superblock.working.view;
      assert.ok(found === reported || found === view + 1, `seed ${seed}: ${found} ${reported}`);
      view = found;
    }
  }
});

test('superblock: two damaged copies open and are mended; three do not', () => {
  const storage = formatted();
  const { superblock } = opened(storage);
  superblock.update({ view: 5 });
  storage.run();
  const good = storage.durable.slice(0, 4 * COPY);
  fc.assert(
    fc.property(
      fc.shuffledSubarray([0, 1, 2, 3], { minLength: 1, maxLength: 3 }),
      fc.nat({ max: COPY - 1 }),
      fc.nat({ max: 7 }),
      (positions, at, bit) => {
        storage.poke(0, good);
        for (const position of positions) flip(storage, position * COPY + at, bit);
        if (at >= SUPERBLOCK_AT.copy && at < SUPERBLOCK_AT.version) {
          return; // Outside the checksum: the next test.
        }
        if (positions.length === 3) {
          assert.equal(fatalCode(() => opened(storage)), 'superblock-quorum-lost');
          return;
        }
        const again = opened(storage).superblock;
        assert.equal(again.working.view, 5);
        assert.equal(again.copiesRepaired, positions.length);
        assert.deepEqual(storage.durable.slice(0, 4 * COPY), good);
      },
    ),
    { numRuns: 150 },
  );
});

test('superblock: a damaged copy index is put right and never spread', () => {
  for (const index of [0, 1, 2, 4, 77, 0xffff]) {
    const storage = formatted();
    const good = storage.durable.slice(0, 4 * COPY);
    storage.poke(3 * COPY + SUPERBLOCK_AT.copy, Uint8Array.of(index & 255, index >> 8));
    assert.equal(opened(storage).superblock.copiesRepaired, 1);
    assert.deepEqual(storage.durable.slice(0, 4 * COPY), good);
  }
});

test('superblock: unreadable copies count as damaged, a failing device does not', () => {
  const storage = formatted();
  storage.badSectors.add(0);
  storage.badSectors.add(2 * COPY + SECTOR_SIZE);
  assert.equal(opened(storage).superblock.copiesRepaired, 2);
  assert.equal(storage.badSectors.size, 0);

  started(storage);
  assert.equal(fatalCode(() => storage.complete(0, STORAGE_RESULT.ioError)), 'storage-read');
});

test('superblock: a failed write or sync is fatal', () => {
  for (const [steps, code] of [[0, 'storage-write'], [1, 'storage-sync']] as const) {
    const storage = formatted();
    const { superblock } = opened(storage);
    superblock.update({ view: 1 });
    for (let i = 0; i < steps; i++) storage.step();
    assert.equal(fatalCode(() => storage.complete(0, STORAGE_RESULT.ioError)), code);
  }
});

test('superblock: an update needs three copies that read back as written', () => {
  for (const damaged of [1, 2]) {
    const storage = formatted();
    const { superblock, events } = opened(storage);
    superblock.update({ view: 1 });
    for (let i = 0; i < 8; i++) storage.step();
    // The disk confirmed all four, and holds something else: one byte past the view headers.
    for (let i = 0; i < damaged; i++) flip(storage, i * COPY + COPY - 1, 0);
    const code = fatalCode(() => storage.run());
    assert.equal(code, damaged === 1 ? 'none' : 'superblock-verify');
    assert.equal(events.updated, damaged === 1 ? 1 : 0);
  }
});

test('superblock: copies that landed in each other’s place do not verify', () => {
  const storage = formatted();
  const { superblock } = opened(storage);
  superblock.update({ view: 1 });
  for (let i = 0; i < 8; i++) storage.step();
  const [first, second] = [storage.durable.slice(0, COPY), storage.durable.slice(COPY, 2 * COPY)];
  storage.poke(0, second);
  storage.poke(COPY, first);
  assert.equal(fatalCode(() => storage.run()), 'superblock-verify');
});

test('superblock: refuses what is not its file, each with its own code', () => {
  assert.equal(fatalCode(() => opened(new MemoryStorage(ZONES.end))), 'superblock-not-formatted');

  const newer = formatted();
  for (let i = 0; i < 4; i++) newer.poke(i * COPY + SUPERBLOCK_AT.version, Uint8Array.of(99, 0));
  assert.equal(fatalCode(() => opened(newer)), 'superblock-version');

  const other: ClusterConfig = { ...CONFIG, clientsMax: CONFIG.clientsMax + 1 };
  assert.equal(fatalCode(() => opened(formatted(other))), 'superblock-config');

  // A copy of another file, two updates ahead.
  const storage = formatted();
  const ahead = formatted();
  const { superblock } = opened(ahead);
  superblock.update({ view: 1 });
  superblock.update({ view: 2 });
  ahead.run();
  storage.poke(COPY, ahead.durable.slice(COPY, 2 * COPY));
  assert.equal(fatalCode(() => opened(storage)), 'superblock-sequence-gap');

  // Written by two processes: one sequence, two contents.
  const fork = formatted();
  const both = formatted();
  const one = opened(fork).superblock;
  one.update({ view: 1 });
  fork.run();
  const two = opened(both).superblock;
  two.update({ view: 2 });
  both.run();
  fork.poke(0, both.durable.slice(0, COPY));
  assert.equal(fatalCode(() => opened(fork)), 'superblock-fork');
});

test('superblock: config and identity are readable from a file about which nothing is known', () => {
  for (const config of [
    CONFIG,
    { ...CONFIG_PRODUCTION, gridBlocks: 16, journalSlots: 1024, messageSizeMax: 32768, blockSize: 4096 },
    { ...CONFIG, checksumAlgorithm: CHECKSUM_ALGORITHM.sha256 },
  ] satisfies ClusterConfig[]) {
    const storage = formatted(config);
    const copy = zonesOf(config).superblockCopySize;
    const head = storage.durable.subarray(0, SUPERBLOCK_SCAN_SIZE);
    const whole = readSuperblockConfig(head);
    assert.equal(whole.kind, 'config');
    if (whole.kind !== 'config') return;
    assert.deepEqual(whole.identity.config, config);
    assert.equal(whole.identity.verified, true);
    assert.equal(whole.identity.replicaIndex, 1);
    assert.equal(whole.identity.replicaCount, 3);
    assert.deepEqual(whole.identity.cluster, CLUSTER.bytes);

    // One sector alone gives the config, and vouches for no more.
    const first = readSuperblockConfig(head.subarray(0, SECTOR_SIZE));
    assert.ok(first.kind === 'config' && !first.identity.verified);

    // Any one copy is enough.
    for (let i = 0; i < 3; i++) {
      storage.poke(i * copy, new Uint8Array(copy).fill(i === 1 ? 255 : 0));
      const rest = readSuperblockConfig(storage.durable.subarray(0, SUPERBLOCK_SCAN_SIZE));
      assert.ok(rest.kind === 'config' && rest.identity.verified, `without copy ${i}`);
      if (rest.kind === 'config') assert.deepEqual(rest.identity.config, config);
    }
    storage.poke(3 * copy + 300, Uint8Array.of(1, 2, 3));
    const damaged = readSuperblockConfig(storage.durable.subarray(0, SUPERBLOCK_SCAN_SIZE));
    assert.equal(damaged.kind, 'damaged');
  }
  assert.equal(readSuperblockConfig(new Uint8Array(SUPERBLOCK_SCAN_SIZE)).kind, 'not-formatted');
  assert.equal(readSuperblockConfig(new Uint8Array(100)).kind, 'not-formatted');

  const storage = formatted();
  storage.poke(SUPERBLOCK_AT.version, Uint8Array.of(2, 0));
  const head = storage.durable.subarray(0, COPY);
  assert.deepEqual(readSuperblockConfig(head), { kind: 'newer-version', version: 2 });
});

test('superblock: a config that was tampered with is refused, not believed', () => {
  const storage = formatted();
  fc.assert(
    fc.property(fc.nat({ max: 111 }), fc.integer({ min: 1, max: 255 }), (at, mask) => {
      const head = storage.durable.slice(0, COPY);
      head[SUPERBLOCK_AT.config + at] = (head[SUPERBLOCK_AT.config + at] as number) ^ mask;
      assert.equal(readSuperblockConfig(head).kind, 'damaged');
    }),
    { numRuns: 200 },
  );
});
