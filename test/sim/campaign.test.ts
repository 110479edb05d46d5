/** Campaigns: which seeds a shard holds, and results that do not depend on who finished first. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  Campaign,
  CampaignDigest,
  seedAt,
  seedOfName,
  shardOf,
  type CampaignSummary,
} from '../../sim/search/campaign.ts';
import { type SeedResult } from '../../sim/search/seed_result.ts';

function resultOf(seed: number): SeedResult {
  const failed = seed % 10 === 7;
  return {
    seed,
    digest: (seed * 2_654_435_761).toString(16),
    events: 100 + seed,
    messages: 50,
    storageOps: 20,
    commits: 10,
    viewChanges: seed % 3,
    crashes: 1,
    virtualMicros: 1_000_000,
    violation: failed
      ? { invariant: 'agreement', message: 'a, b', event: 9, virtualMicros: 4, replicas: [0, 2] }
      : null,
    unmet: seed % 10 === 3 ? [`view_changes at least 100: ${seed}`] : [],
    shares: [{ gate: 'crashes >= 1', sharePpm: 250_000, met: seed % 4 === 0 }],
    checks: { agreement: seed },
    gates: { view_changes: seed % 3 },
    faults: { crash: 1 },
    canaryReached: 0,
  };
}

function runInOrder(positions: readonly number[], keepGoing: boolean, first = 0): CampaignSummary {
  const seeds = { first, stride: 1, count: positions.length };
  const campaign = new Campaign({ scenario: 'combined', seeds, keepGoing });
  let expected = first;
  for (const position of positions) {
    if (campaign.done) break;
    campaign.add(position, resultOf(seedAt(seeds, position)), (taken) => {
      assert.equal(taken.seed, expected++, 'taken in order');
    });
  }
  assert.ok(campaign.done);
  return campaign.summary();
}

test('campaign: the outcome is the same in whatever order results come', () => {
  for (const keepGoing of [true, false]) {
    const positions = Array.from({ length: 40 }, (_, i) => i);
    const expected = runInOrder(positions, keepGoing);
    fc.assert(
      fc.property(fc.shuffledSubarray(positions, { minLength: 40 }), (order) => {
        assert.deepEqual(runInOrder(order, keepGoing), expected);
      }),
      { numRuns: 100, seed: 1 },
    );
  }
});

test('campaign: stops at its first violation unless told to keep going', () => {
  const positions = Array.from({ length: 40 }, (_, i) => i);
  const first = runInOrder(positions, false);
  assert.equal(first.count, 8);
  assert.deepEqual(first.violations.map((v) => v.seed), [7]);
  const all = runInOrder(positions, true);
  assert.equal(all.count, 40);
  assert.deepEqual(all.violations.map((v) => v.seed), [7, 17, 27, 37]);
  assert.deepEqual(all.vacuous, [3, 13, 23, 33]);
  assert.deepEqual(all.unmet, { 'view_changes at least 100': 4 });
  assert.equal(all.passed, 32, 'ten of 32 met the gate that asks for a quarter');
  assert.equal(all.events, 40 * 100 + 780);
  assert.equal(all.checks['agreement'], 780);
});

test('campaign: a gate that too few seeds met makes those vacuous that missed it', () => {
  const seeds = { first: 0, stride: 1, count: 30 };
  const campaign = new Campaign({ scenario: 's', seeds, keepGoing: true });
  for (let i = 0; i < 30; i++) {
    const met = i % 5 === 0; // 6 of 30; a quarter is asked for.
    const result = resultOf(i);
    const shares = [{ gate: 'crashes >= 1', sharePpm: 250_000, met }];
    campaign.add(i, { ...result, violation: null, unmet: [], shares }, () => {});
  }
  const summary = campaign.summary();
  assert.equal(summary.passed, 6);
  assert.equal(summary.vacuous.length, 24);
  assert.deepEqual(summary.unmet, { 'crashes >= 1 in 25 % of the seeds': 24 });
});

test('campaign: shards hold each seed once, and their digests add up to that of the whole', () => {
  fc.assert(
    fc.property(
      fc.nat(1000),
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 9 }),
      (first, count, shards) => {
        const whole = new CampaignDigest();
        const added = new CampaignDigest();
        const seen: number[] = [];
        for (let index = 1; index <= shards; index++) {
          const range = shardOf(first, count, index, shards);
          for (let i = 0; i < range.count; i++) {
            seen.push(seedAt(range, i));
            added.add('s', seedAt(range, i), `d${seedAt(range, i)}`);
          }
        }
        for (let i = 0; i < count; i++) whole.add('s', first + i, `d${first + i}`);
        assert.deepEqual(seen.sort((a, b) => a - b), Array.from({ length: count }, (_, i) => first + i));
        assert.equal(added.text(), whole.text());
      },
    ),
    { numRuns: 100, seed: 1 },
  );
});

test('campaign: the digest moves with seed, digest and scenario', () => {
  const of = (scenario: string, seed: number, digest: string): string => {
    const sum = new CampaignDigest();
    sum.add(scenario, seed, digest);
    return sum.text();
  };
  const texts = [of('a', 1, 'x'), of('b', 1, 'x'), of('a', 2, 'x'), of('a', 1, 'y')];
  assert.equal(new Set(texts).size, 4);
  assert.match(texts[0] as string, /^[0-9a-f]{32}$/);
});

test('campaign: a textual seed is 48 bits and always the same', () => {
  assert.equal(seedOfName('nightly-2026-11-22'), seedOfName('nightly-2026-11-22'));
  assert.notEqual(seedOfName('nightly-2026-11-22'), seedOfName('nightly-2026-11-23'));
  const seed = seedOfName('nightly');
  assert.ok(seed >= 2 ** 32 && seed < 2 ** 48);
});
