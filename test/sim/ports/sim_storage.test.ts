/**
 * The simulated disk: the port's contract (conformance suite), what a crash leaves, and faults that
 * lie over the true bytes.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { SECTOR_SIZE, STORAGE_RESULT } from '../../../core/ports.ts';
import { FAULT } from '../../../sim/counters.ts';
import { type StoragePlan } from '../../../sim/plan.ts';
import { DiskMemory, OVERLAY, SimDisk } from '../../../sim/ports/sim_storage.ts';
import {
  STORAGE_FILE_SIZE,
  storageConformance,
  type StorageCompletion,
  type StorageSubject,
} from '../../conformance/storage.ts';
import { fc } from '../../fixed_seed.ts';
import { Bench, KIND_STORAGE, ZONES } from './lab.ts';

interface Rig extends StorageSubject {
  readonly disk: SimDisk;
  readonly bench: Bench;
  settle(): void;
  /** Runs one completion. */
  step(): void;
}

function rig(plan: Partial<StoragePlan> = {}, seed = 1, memory = new DiskMemory(STORAGE_FILE_SIZE)): Rig {
  const bench = new Bench(seed);
  const disk = new SimDisk({
    plan: { ...KIND_STORAGE, ...plan },
    time: bench.time,
    queue: bench.queue,
    decisions: bench.decisions,
    counters: bench.counters,
    node: 0,
    replicaCount: 3,
    superblockSize: ZONES.journalHeaders,
    memory,
  });
  const completions: StorageCompletion[] = [];
  const step = (): void => {
    bench.time.now = bench.queue.time;
    const slot = bench.queue.pop();
    const operation = bench.queue.a[slot] as number;
    bench.queue.release(slot);
    const result = disk.complete(operation);
    completions.push({ token: disk.tokenOf(operation), result });
  };
  const settle = (): void => {
    while (bench.queue.size > 0) step();
  };
  const crash = (): Rig => {
    disk.crash();
    disk.restart();
    completions.length = 0;
    return subject;
  };
  const subject: Rig = { storage: disk, disk, bench, completions, settle, step, crash, close: () => {} };
  return subject;
}

storageConformance('simulated', () => rig());
storageConformance('simulated, a new disk in used memory', () => {
  const memory = new DiskMemory(STORAGE_FILE_SIZE);
  const before = rig({}, 2, memory);
  const buffer = before.storage.allocate(64 * SECTOR_SIZE).fill(7);
  before.storage.write(0, buffer, 1);
  before.settle();
  before.disk.plant(3, OVERLAY.rot, 1);
  memory.reset();
  return rig({}, 3, memory);
});

const FIRST = 40;

function sector(value: number): Uint8Array {
  return new Uint8Array(SECTOR_SIZE).fill(value);
}

function readTrue(disk: SimDisk, at: number): number {
  const target = new Uint8Array(SECTOR_SIZE);
  disk.readTrue(at * SECTOR_SIZE, target);
  assert.ok(target.every((byte) => byte === target[0]), 'a sector is never half of one write');
  return target[0] as number;
}

function readDurable(disk: SimDisk, at: number): number {
  const target = new Uint8Array(SECTOR_SIZE);
  disk.readDurable(at * SECTOR_SIZE, target);
  return target[0] as number;
}

suite('simulated disk: durability', () => {
  test('a sync makes durable what had completed when it started, and nothing else', () => {
    const r = rig({ lostPpm: 1_000_000, syncMinMicros: 10_000, writeMeanMicros: 0 });
    r.disk.write(FIRST * SECTOR_SIZE, sector(1), 1);
    r.step();
    r.disk.sync(2); // Covers the first write.
    r.disk.write((FIRST + 1) * SECTOR_SIZE, sector(2), 3);
    r.step(); // Completes while the sync runs: not covered.
    assert.equal(readDurable(r.disk, FIRST), 0, 'not durable before the sync completes');
    r.settle();
    assert.equal(readDurable(r.disk, FIRST), 1);
    assert.equal(readDurable(r.disk, FIRST + 1), 0);
    assert.equal(readTrue(r.disk, FIRST + 1), 2, 'reads see it all the same');
    r.disk.crash();
    assert.equal(readTrue(r.disk, FIRST), 1);
    assert.equal(readTrue(r.disk, FIRST + 1), 0);
  });

  test('a rewrite of a synced sector falls back to the synced bytes', () => {
    const r = rig({ lostPpm: 1_000_000 });
    for (const value of [1, 2, 3]) {
      r.disk.write(FIRST * SECTOR_SIZE, sector(value), value);
      r.settle();
      if (value === 1) {
        r.disk.sync(9);
        r.settle();
      }
    }
    assert.equal(readTrue(r.disk, FIRST), 3);
    assert.equal(readDurable(r.disk, FIRST), 1);
    r.disk.crash();
    assert.equal(readTrue(r.disk, FIRST), 1);
  });

  test('with nothing to be lost a crash keeps even unfinished writes', () => {
    const r = rig();
    r.disk.write(FIRST * SECTOR_SIZE, sector(5), 1);
    r.disk.crash();
    assert.equal(readTrue(r.disk, FIRST), 5);
    assert.equal(r.bench.queue.size, 0, 'no completion comes after a crash');
  });

  test('after any history a crash leaves of each sector its durable or a later content', () => {
    const step = fc.record({
      what: fc.constantFrom('write', 'write', 'write', 'sync', 'settle', 'step', 'crash'),
      at: fc.nat(15),
      count: fc.integer({ min: 1, max: 3 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), fc.nat(1000), (steps, seed) => {
        const r = rig({ lostPpm: 500_000, tornPpm: 500_000 }, seed);
        // By sector: every value that it may hold after a crash now.
        const possible: Set<number>[] = Array.from({ length: 20 }, () => new Set([0]));
        const durable: { sync: number; values: (number | null)[] }[] = [];
        const current: number[] = Array.from({ length: 20 }, () => 0);
        const submitted: { at: number; count: number; value: number; token: number }[] = [];
        const busy = new Set<number>();
        let value = 0;
        let token = 0;
        const done = (): void => {
          for (const completion of r.completions.splice(0)) {
            const write = submitted.find((candidate) => candidate.token === completion.token);
            if (write !== undefined) {
              for (let i = write.at; i < write.at + write.count; i++) {
                current[i] = write.value;
                busy.delete(i);
              }
            }
            const sync = durable.find((candidate) => candidate.sync === completion.token);
            if (sync === undefined) continue;
            sync.values.forEach((content, i) => {
              if (content === null) return;
              // Values before the synced one are impossible from now on.
              for (const old of possible[i] as Set<number>) {
                if (old < content) (possible[i] as Set<number>).delete(old);
              }
            });
          }
        };
        for (const { what, at, count } of steps) {
          if (what === 'write') {
            const sectors = Array.from({ length: count }, (_, i) => at + i);
            if (sectors.some((i) => busy.has(i)) || value === 255) continue;
            value++;
            token++;
            const buffer = new Uint8Array(count * SECTOR_SIZE).fill(value);
            r.disk.write((FIRST + at) * SECTOR_SIZE, buffer, token);
            submitted.push({ at, count, value, token });
            for (const i of sectors) {
              busy.add(i);
              (possible[i] as Set<number>).add(value);
            }
          } else if (what === 'sync') {
            token++;
            r.disk.sync(token);
            durable.push({ sync: token, values: current.slice() });
          } else if (what === 'settle') {
            r.settle();
            done();
          } else if (what === 'step') {
            if (r.bench.queue.size > 0) r.step();
            done();
          } else {
            r.disk.crash();
            busy.clear();
            submitted.length = 0;
            durable.length = 0;
            for (let i = 0; i < 20; i++) {
              const left = readTrue(r.disk, FIRST + i);
              assert.ok((possible[i] as Set<number>).has(left), `sector ${i} holds ${left}`);
              assert.equal(readDurable(r.disk, FIRST + i), left, 'what survived is durable');
              current[i] = left;
              possible[i] = new Set([left]);
            }
          }
        }
      }),
      { numRuns: 150 },
    );
  });

  test('torn writes mix old and new sectors; whole ones do not', () => {
    let mixed = 0;
    for (let seed = 0; seed < 40; seed++) {
      for (const tornPpm of [0, 1_000_000]) {
        const r = rig({ lostPpm: 500_000, tornPpm }, seed);
        r.disk.write(FIRST * SECTOR_SIZE, new Uint8Array(4 * SECTOR_SIZE).fill(1), 1);
        r.disk.crash();
        const left = [0, 1, 2, 3].map((i) => readTrue(r.disk, FIRST + i));
        const isMixed = new Set(left).size > 1;
        if (tornPpm === 0) assert.ok(!isMixed, `seed ${seed}: ${left.join()}`);
        else if (isMixed) mixed++;
      }
    }
    assert.ok(mixed > 20, `${mixed} of 40 torn`);
  });

  test('the fate of a write does not depend on what else was written', () => {
    const fates = (others: readonly number[]): number => {
      const r = rig({ lostPpm: 500_000 });
      for (const other of others) r.disk.write(other * SECTOR_SIZE, sector(1), other);
      r.disk.write(FIRST * SECTOR_SIZE, sector(2), 1);
      r.disk.crash();
      return readTrue(r.disk, FIRST);
    };
    assert.equal(fates([]), fates([50, 60, 70, 80]));
  });
});

suite('simulated disk: faults over true bytes', () => {
  const filled = (): Rig => {
    const r = rig();
    r.disk.write(FIRST * SECTOR_SIZE, new Uint8Array(2 * SECTOR_SIZE).fill(3), 1);
    r.disk.sync(2);
    r.settle();
    r.completions.length = 0;
    return r;
  };
  const read = (r: Rig, count = 2): { result: number; buffer: Uint8Array } => {
    const buffer = r.disk.allocate(count * SECTOR_SIZE);
    r.disk.read(FIRST * SECTOR_SIZE, buffer, 7);
    r.settle();
    return { result: r.completions.pop()?.result ?? -1, buffer };
  };

  test('rot flips 1 to 8 bits of what is read, alike each time, until a rewrite', () => {
    const r = filled();
    assert.ok(r.disk.plant(FIRST, OVERLAY.rot, 99));
    assert.ok(!r.disk.plant(FIRST, OVERLAY.rot, 98), 'one fault a sector');
    const first = read(r);
    assert.equal(first.result, STORAGE_RESULT.ok);
    let flipped = 0;
    for (const byte of first.buffer) for (let x = byte ^ 3; x !== 0; x &= x - 1) flipped++;
    assert.ok(flipped >= 1 && flipped <= 8, `${flipped} bits`);
    assert.deepEqual(read(r).buffer, first.buffer);
    assert.equal(readTrue(r.disk, FIRST), 3);
    assert.equal(r.bench.counters.observed[FAULT.bit_rot], 2);
    r.disk.write(FIRST * SECTOR_SIZE, sector(4), 8);
    r.settle();
    assert.equal(read(r, 1).buffer[0], 4);
  });

  test('a latent sector error fails the read until rewritten', () => {
    const r = filled();
    r.disk.plant(FIRST + 1, OVERLAY.unreadable, 1);
    assert.equal(read(r).result, STORAGE_RESULT.corruptRead);
    r.disk.write((FIRST + 1) * SECTOR_SIZE, sector(4), 8);
    r.settle();
    assert.equal(read(r).result, STORAGE_RESULT.ok);
  });

  test('nothing is planted where nothing was written; withdrawn faults are gone', () => {
    const r = filled();
    assert.ok(!r.disk.plant(FIRST + 5, OVERLAY.rot, 1));
    r.disk.plant(FIRST, OVERLAY.rot, 1);
    r.disk.withdraw(FIRST, FIRST + 1);
    assert.ok(read(r).buffer.every((byte) => byte === 3));
  });

  test('an injected error fails one operation of its kind; a failed write changes nothing', () => {
    const r = filled();
    r.disk.failNext = 1;
    assert.equal(read(r).result, STORAGE_RESULT.ok, 'a read does not meet it');
    r.disk.write(FIRST * SECTOR_SIZE, sector(9), 1);
    r.settle();
    assert.equal(r.completions.pop()?.result, STORAGE_RESULT.ioError);
    assert.equal(readTrue(r.disk, FIRST), 3);
    assert.ok(r.disk.errorInjected);
  });

  test('of four superblock copies a crash never spoils a second one', () => {
    for (let seed = 0; seed < 30; seed++) {
      const r = rig({ lostPpm: 500_000, tornPpm: 1_000_000, garbagePpm: 500_000 }, seed);
      const size = ZONES.superblockCopySize;
      for (let copy = 0; copy < 4; copy++) r.disk.write(copy * size, new Uint8Array(size).fill(1), copy);
      r.disk.sync(9);
      r.settle();
      r.disk.sync(9);
      r.settle();
      r.disk.plant(0, OVERLAY.rot, seed);
      r.disk.write(size, new Uint8Array(size).fill(2), 1);
      r.disk.crash();
      const left = new Set([readTrue(r.disk, size / SECTOR_SIZE), readTrue(r.disk, size / SECTOR_SIZE + 1)]);
      assert.equal(left.size, 1, 'the second copy is old or new as a whole');
      for (let s = 1; s < (4 * size) / SECTOR_SIZE; s++) assert.equal(r.disk.memory.overlay[s], 0);
    }
  });
});
