import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DOMAIN, Decisions, NEVER, choose } from '../../sim/decide.ts';
import { DecisionTable } from '../../sim/decision_table.ts';
import { type PinnedDecision } from '../../sim/plan.ts';

const SEED = [1, 2, 3, 4] as const;

test('decide: a decision is a function of seed, identity and domain', () => {
  const a = new Decisions(SEED, []);
  const b = new Decisions(SEED, []);
  const other = new Decisions([1, 2, 3, 5], []);
  let differs = 0;
  for (let i = 0; i < 100; i++) {
    const key = a.key(1, i, 2, 3, 4, 5, 6);
    assert.equal(key, b.key(1, i, 2, 3, 4, 5, 6));
    if (key !== other.key(1, i, 2, 3, 4, 5, 6)) differs++;
    assert.equal(a.bits(key, DOMAIN.loss), b.bits(key, DOMAIN.loss));
    assert.notEqual(a.bits(key, DOMAIN.loss), a.bits(key, DOMAIN.delay));
  }
  assert.equal(differs, 100);
});

test('decide: each part of an identity matters', () => {
  const decisions = new Decisions(SEED, []);
  const keys = new Set<number>();
  const parts = [0, 0, 0, 0, 0, 0, 0];
  keys.add(decisions.key(0, 0, 0, 0, 0, 0, 0));
  for (let i = 0; i < parts.length; i++) {
    const changed = parts.map((part, j) => (i === j ? 1 : part));
    keys.add(decisions.key(...(changed as [number, number, number, number, number, number, number])));
  }
  assert.equal(keys.size, parts.length + 1);
});

test('decide: rates, means and bounds over many identities', () => {
  const decisions = new Decisions(SEED, []);
  const count = 20_000;
  let hits = 0;
  let exponential = 0;
  let longest = 0;
  const buckets = new Uint32Array(10);
  for (let i = 0; i < count; i++) {
    const key = decisions.key(9, i, i >> 3, 7, 0, 0, 0);
    if (decisions.chance(key, DOMAIN.loss, 100_000)) hits++;
    assert.equal(decisions.chance(key, DOMAIN.loss, 0), false);
    assert.equal(decisions.chance(key, DOMAIN.loss, 1_000_000), true);
    const delay = decisions.exponential(key, DOMAIN.delay, 1000);
    exponential += delay;
    longest = Math.max(longest, delay);
    const bucket = decisions.below(key, DOMAIN.stream, 10);
    buckets[bucket] = (buckets[bucket] as number) + 1;
    const between = decisions.between(key, DOMAIN.think, 5, 7);
    assert.ok(between >= 5 && between <= 7);
  }
  assert.ok(Math.abs(hits / count - 0.1) < 0.01, `loss rate ${hits / count}`);
  assert.ok(Math.abs(exponential / count - 1000) < 30, `mean ${exponential / count}`);
  assert.ok(longest > 6000 && longest < 8000, `tail ${longest}`);
  for (const bucket of buckets) assert.ok(Math.abs(bucket - count / 10) < 200, `bucket ${bucket}`);
});

test('decide: a pinned decision overrules the hash, and no other', () => {
  const free = new Decisions(SEED, []);
  const key = free.key(1, 2, 3, 4, 5, 6, 7);
  const pinned = new Decisions(SEED, [
    { domain: 'loss', key: key >>> 0, value: 1 },
    { domain: 'delay', key: key >>> 0, value: 123 },
  ]);
  assert.equal(pinned.chance(key, DOMAIN.loss, 0), true);
  assert.equal(pinned.exponential(key, DOMAIN.delay, 1), 123);
  assert.equal(pinned.chance(key, DOMAIN.duplicate, 0), false);
  assert.equal(pinned.chance(key + 1, DOMAIN.loss, 0), false);
  const vetoed = new Decisions(SEED, [{ domain: 'loss', key: key >>> 0, value: 0 }]);
  assert.equal(vetoed.chance(key, DOMAIN.loss, 1_000_000), false);
});

test('decide: what cannot happen is not forced by a pin', () => {
  const key = new Decisions(SEED, []).key(1, 2, 3, 4, 5, 6, 7);
  const pinned = new Decisions(SEED, [{ domain: 'sectorGarbage', key: key >>> 0, value: 1 }]);
  assert.equal(pinned.chance(key, DOMAIN.sectorGarbage, 0), true);
  assert.equal(pinned.chance(key, DOMAIN.sectorGarbage, NEVER), false);
});

test('decide: thousands of pins, each found by its own domain and key; of two the first counts', () => {
  const free = new Decisions(SEED, []);
  const pins: PinnedDecision[] = [];
  for (let i = 0; i < 20_000; i++) {
    pins.push({ domain: 'delay', key: free.key(1, i, 0, 0, 0, 0, 0) >>> 0, value: i });
  }
  const first = pins[7] as PinnedDecision;
  const pinned = new Decisions(SEED, [...pins, { ...first, value: 99 }]);
  for (let i = 0; i < pins.length; i++) {
    const key = free.key(1, i, 0, 0, 0, 0, 0);
    assert.equal(pinned.exponential(key, DOMAIN.delay, 1000), i);
    assert.equal(
      pinned.exponential(key, DOMAIN.storageDelay, 1000),
      free.exponential(key, DOMAIN.storageDelay, 1000),
    );
    const other = free.key(2, i, 0, 0, 0, 0, 0);
    assert.equal(
      pinned.exponential(other, DOMAIN.delay, 1000),
      free.exponential(other, DOMAIN.delay, 1000),
    );
  }
});

test('decide: a table grows, keeps what it held, and takes a new value for an old pair', () => {
  const table = new DecisionTable();
  for (let i = 0; i < 5000; i++) table.set(1 + (i % 3), i * 0x10001, i);
  table.set(1, 0, 77);
  assert.equal(table.count, 5000);
  assert.equal(table.valueAt(table.find(1, 0)), 77);
  for (let i = 1; i < 5000; i++) {
    assert.equal(table.valueAt(table.find(1 + (i % 3), i * 0x10001)), i);
    assert.equal(table.find(1 + ((i + 1) % 3), i * 0x10001), -1);
  }
});

test('decide: weighted choice', () => {
  const weights = Uint32Array.of(0, 3, 0, 1);
  assert.deepEqual([0, 1, 2, 3].map((value) => choose(weights, value)), [1, 1, 1, 3]);
});
