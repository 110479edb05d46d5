/** What the terminal and the page show is a function of what happened. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CampaignModel, type Happening } from '../../../cli/live/campaign_model.ts';
import { Campaign } from '../../../sim/search/campaign.ts';
import { type SeedResult } from '../../../sim/search/seed_result.ts';
import { DECLARED, failing, seedResult } from './seed_results.ts';

function modelAfter(...happenings: Happening[]): CampaignModel {
  const model = new CampaignModel(DECLARED, null);
  for (const happening of happenings) model.apply(happening);
  return model;
}

const started = (at: number, ...names: string[]): Happening => {
  return { at, kind: 'started', scenarios: names.map((name) => ({ name, seeds: 10 })) };
};
const taken = (at: number, scenario: string, result: SeedResult, bundle: string | null = null): Happening => {
  return { at, kind: 'seed taken', scenario, result, replay: { bundle, command: `again ${bundle}` } };
};

test('campaign model: before anything happens nothing is divided by zero', () => {
  const model = modelAfter();
  assert.deepEqual(model.state, { name: 'Idle' });
  assert.deepEqual(model.averageRate, { seeds: 0, events: 0 });
  assert.deepEqual(model.currentRate, { seeds: 0, events: 0 });
  assert.equal(model.secondsLeft, null);
  assert.deepEqual(model.coverage.dimensions(), [
    { name: 'probes reached', reached: 0, declared: 3 },
    { name: 'checkers at work', reached: 0, declared: 2 },
    { name: 'gates met', reached: 0, declared: 0 },
    { name: 'faults attempted', reached: 0, declared: 3 },
    { name: 'faults applied', reached: 0, declared: 3 },
    { name: 'faults observed', reached: 0, declared: 3 },
  ]);
  assert.deepEqual(model.topSeeds.ranked(10), []);
});

test('campaign model: states Idle, Running, Paused, Completed', () => {
  const model = modelAfter(started(100, 'calm', 'storm'));
  assert.deepEqual(model.state, { name: 'Running', taken: 0, planned: 20 });
  model.apply(taken(101, 'calm', seedResult(1)));
  model.apply({ at: 102, kind: 'paused' });
  assert.deepEqual(model.state, { name: 'Paused', taken: 1, planned: 20 });
  model.apply({ at: 110, kind: 'resumed' });
  assert.deepEqual(model.state, { name: 'Running', taken: 1, planned: 20 });
  model.apply(taken(110, 'storm', failing(1), 'a.kmb'));
  model.apply({ at: 112, kind: 'completed', why: 'violation' });
  assert.deepEqual(model.state, { name: 'Completed', successes: 1, failures: 1 });
  assert.equal(model.activeSeconds, 4, 'without the pause');
});

test('campaign model: rates leave pauses out, and what went on before the start', () => {
  const model = modelAfter(started(1000, 'calm'));
  for (let i = 0; i < 4; i++) model.apply(taken(1000.5 + i, 'calm', seedResult(1 + i)));
  model.tick(1004);
  assert.deepEqual(model.averageRate, { seeds: 1, events: 1000 });
  assert.equal(model.secondsLeft, 6);
  model.apply({ at: 1004, kind: 'paused' });
  model.tick(2000);
  assert.deepEqual(model.averageRate, { seeds: 1, events: 1000 });
  assert.deepEqual(model.currentRate, { seeds: 0, events: 0 });
});

test('campaign model: a second round goes on where the first ended', () => {
  const model = modelAfter(
    started(0, 'calm'),
    taken(1, 'calm', failing(1)),
    { at: 2, kind: 'completed', why: 'violation' },
    started(500, 'calm'),
    taken(501, 'calm', seedResult(2)),
  );
  assert.deepEqual(model.state, { name: 'Running', taken: 2, planned: 11 });
  assert.equal(model.activeSeconds, 3, 'nobody worked between the rounds');
});

test('campaign model: failures are numbered, and equal ones point at the first', () => {
  const model = modelAfter(
    started(0, 'calm'),
    taken(1, 'calm', failing(3), 'calm-3.kmb'),
    taken(2, 'calm', seedResult(4)),
    taken(3, 'calm', failing(5, 'R1 committed c, R2 committed d'), 'calm-5.kmb'),
    taken(4, 'calm', { ...failing(6), violation: { ...failing(6).violation!, invariant: 'liveness' } }),
  );
  assert.deepEqual(
    model.failures.map(({ number, seed, sameAs, replay }) => [number, seed, sameAs, replay.bundle]),
    [[1, 3, 1, 'calm-3.kmb'], [2, 5, 1, 'calm-5.kmb'], [3, 6, 3, null]],
  );
  assert.equal(model.distinctFailures, 2);
  assert.match(model.log.newest(1)[0]?.text ?? '', /calm seed 6: violation of liveness/);
});

test('campaign model: coverage has the declared denominators', () => {
  const model = modelAfter(
    started(0, 'calm', 'storm'),
    taken(1, 'calm', seedResult(1)),
    taken(2, 'calm', seedResult(2, { probes: { 'journal: torn': 1, 'grid: repaired': 1 } })),
  );
  assert.deepEqual(model.coverage.dimensions().map(({ reached, declared }) => `${reached}/${declared}`), [
    '2/3', // probes
    '1/2', // checkers: liveness compared nothing
    '1/3', // gates: view changes happened where none may, and the storm has not begun
    '2/3',
    '1/3',
    '1/3',
  ]);
  assert.deepEqual(model.coverage.probeCoverage(), [
    { name: 'journal: torn', hits: 4, seeds: 2 },
    { name: 'grid: repaired', hits: 1, seeds: 1 },
    { name: 'never: reached', hits: 0, seeds: 0 },
  ]);
  assert.deepEqual(model.coverage.gateCoverage()[0], {
    scenario: 'calm',
    gate: 'client.replies at least 5',
    met: 2,
    seeds: 2,
  });
});

test('campaign model: the rarest seeds come first, equals in order of seed', () => {
  const model = modelAfter(started(0, 'calm'));
  for (let seed = 1; seed <= 600; seed++) {
    const probes = { 'journal: torn': 1, ...(seed === 300 ? { 'grid: repaired': 9 } : {}) };
    model.apply(taken(seed, 'calm', seedResult(seed, { probes })));
  }
  const [first, second] = model.topSeeds.ranked(2);
  assert.equal(first?.seed, 300);
  assert.equal(first?.rarest, 'grid: repaired');
  assert.equal(first?.rarestSeeds, 1);
  assert.ok(Math.abs((first?.rarity ?? 0) - (1 + 1 / 600)) < 1e-9);
  assert.equal(second?.seed, 1);
});

test('campaign model: memory is bounded', () => {
  const model = modelAfter(started(0, 'calm'));
  for (let seed = 1; seed <= 3000; seed++) model.apply(taken(seed * 10, 'calm', failing(seed)));
  assert.equal(model.log.length, 1000);
  assert.equal(model.log.newest(1)[0]?.second, 30_000);
  assert.equal(model.failures.length, 1000);
  assert.equal(model.failed, 3000);
  assert.ok(model.throughput.all.length <= 240);
  assert.equal(model.throughput.all.reduce((sum, { seeds }) => sum + seeds, 0), 3000);
  assert.ok(model.throughput.width * 240 >= 30_000);
});

test('campaign model: gates over the batch make seeds vacuous when the scenario ends', () => {
  const campaign = new Campaign({
    scenario: 'calm',
    seeds: { first: 1, stride: 1, count: 20 },
    keepGoing: true,
  });
  const model = modelAfter({ at: 0, kind: 'started', scenarios: [{ name: 'calm', seeds: 20 }] });
  for (let i = 0; i < 20; i++) {
    const shares = [{ gate: 'g', sharePpm: 500_000, met: i < 5 }];
    campaign.add(i, seedResult(1 + i, { shares }), (result) => model.apply(taken(i, 'calm', result)));
  }
  assert.equal(model.scenarios[0]?.passed, 20);
  model.apply({ at: 21, kind: 'scenario ended', scenario: 'calm', summary: campaign.summary() });
  assert.equal(model.scenarios[0]?.passed, 5);
  assert.equal(model.scenarios[0]?.vacuous, 15);
});
