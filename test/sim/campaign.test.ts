/** Campaigns: which seeds a shard holds, and results that do not depend on who finished first. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Campaign, positionOf, seedAt, seedOfName, shardOf, withEarly } from '../../sim/search/campaign.ts';
import {
  addDigests,
  digestTerm,
  DIGEST_ZERO,
  mergeSummaries,
  probesNeverHit,
  type CampaignSummary,
} from '../../sim/search/campaign_summary.ts';
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
    probes: { [`p${seed % 3}`]: 2 },
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

test('campaign: seeds that failed before come first, and the summary is that of any order', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 4 }),
      fc.array(fc.integer({ min: -5, max: 200 }), { maxLength: 12 }),
      (count, stride, early) => {
        const range = { first: 3, stride, count };
        const seeds = withEarly(range, early);
        const plain = Array.from({ length: count }, (_, i) => 3 + i * stride);
        const inTurn = plain.map((_, i) => seedAt(seeds, i));
        inTurn.forEach((seed, i) => assert.equal(positionOf(seeds, seed), i));
        assert.equal(positionOf(seeds, 3 + count * stride), null);
        const wanted = [...new Set(early)].filter((seed) => plain.includes(seed));
        assert.deepEqual(inTurn.slice(0, wanted.length), wanted);
        assert.deepEqual(inTurn.slice(wanted.length), plain.filter((seed) => !wanted.includes(seed)));
        const [a, b] = [range, seeds].map((order) => {
          const campaign = new Campaign({ scenario: 's', seeds: order, keepGoing: true, probes: ['p9'] });
          for (let i = 0; i < count; i++) campaign.add(i, resultOf(seedAt(order, i)), () => {});
          return campaign.summary();
        });
        assert.equal(JSON.stringify(b), JSON.stringify(a));
      },
    ),
    { numRuns: 200, seed: 1 },
  );
  const range = withEarly({ first: 0, stride: 1, count: 40 }, [30, 27]);
  const campaign = new Campaign({ scenario: 's', seeds: range, keepGoing: false });
  for (const position of [2, 1, 0]) campaign.add(position, resultOf(seedAt(range, position)), () => {});
  assert.ok(campaign.done, 'ends with a seed that fails again');
  assert.deepEqual(campaign.summary().violations.map((v) => v.seed), [27]);
});

test('campaign: summaries of shards add up to that of the whole, shares judged anew', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 120 }), fc.integer({ min: 1, max: 5 }), (count, shards) => {
      const summaryOf = (range: ReturnType<typeof shardOf>): CampaignSummary => {
        const campaign = new Campaign({ scenario: 's', seeds: range, keepGoing: true, probes: ['p1', 'p9'] });
        for (let i = 0; i < range.count; i++) {
          const result = resultOf(seedAt(range, i));
          // Met by the even: all seeds of one shard of two, none of the other.
          const shares = [{ gate: 'even', sharePpm: 400_000, met: result.seed % 2 === 0 }];
          campaign.add(i, { ...result, shares: [...result.shares, ...shares] }, () => {});
        }
        return campaign.summary();
      };
      const parts = Array.from({ length: shards }, (_, i) => summaryOf(shardOf(1, count, i + 1, shards)));
      const whole = summaryOf(shardOf(1, count, 1, 1));
      assert.equal(JSON.stringify(mergeSummaries(parts.reverse())), JSON.stringify(whole));
      assert.ok(probesNeverHit(whole).includes('p9'));
      assert.ok(!probesNeverHit(whole).includes('p1'));
    }),
    { numRuns: 100, seed: 1 },
  );
});

test('campaign: shards hold each seed once, and their digests add up to that of the whole', () => {
  fc.assert(
    fc.property(
      fc.nat(1000),
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 9 }),
      (first, count, shards) => {
        let whole = DIGEST_ZERO;
        let added = DIGEST_ZERO;
        const seen: number[] = [];
        for (let index = 1; index <= shards; index++) {
          const range = shardOf(first, count, index, shards);
          let part = DIGEST_ZERO;
          for (let i = 0; i < range.count; i++) {
            const seed = seedAt(range, i);
            seen.push(seed);
            part = addDigests(part, digestTerm('s', seed, `d${seed}`));
          }
          added = addDigests(added, part);
        }
        for (let seed = first; seed < first + count; seed++) {
          whole = addDigests(whole, digestTerm('s', seed, `d${seed}`));
        }
        assert.deepEqual(seen.sort((a, b) => a - b), Array.from({ length: count }, (_, i) => first + i));
        assert.equal(added, whole);
      },
    ),
    { numRuns: 100, seed: 1 },
  );
});

test('campaign: the digest moves with seed, digest and scenario', () => {
  const cases = [['a', 1, 'x'], ['b', 1, 'x'], ['a', 2, 'x'], ['a', 1, 'y']] as const;
  const texts = cases.map(([scenario, seed, digest]) => digestTerm(scenario, seed, digest));
  assert.equal(new Set(texts).size, 4);
  assert.match(texts[0] as string, /^[0-9a-f]{32}$/);
  assert.equal(addDigests('f'.repeat(32), `${'0'.repeat(31)}2`), `${'0'.repeat(31)}1`, 'modulo 2^128');
});

test('campaign: a textual seed is 48 bits and always the same', () => {
  assert.equal(seedOfName('nightly-2026-11-22'), seedOfName('nightly-2026-11-22'));
  assert.notEqual(seedOfName('nightly-2026-11-22'), seedOfName('nightly-2026-11-23'));
  const seed = seedOfName('nightly');
  assert.ok(seed >= 2 ** 32 && seed < 2 ** 48);
});
