/**
 * One seed, one run: the digest of every event is the same in another process, on other threads
 * and after a snapshot was restored in the middle; and it stays the same from commit to commit. A
 * pinned digest changes only with behaviour, on purpose: the commit that moves it says why.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { CANARY } from '../core/canary.ts';
import { findScenario } from '../scenarios/registry.ts';
import { makePlan } from '../sim/plan.ts';
import { WorldPlaces } from '../sim/search/run_seed.ts';
import { NO_LIMITS } from '../sim/search/seed_result.ts';
import { Snapshot } from '../sim/snapshot.ts';
import { type World } from '../sim/world.ts';
import { runProgram } from './cli/run_program.ts';

const PINNED: readonly (readonly [scenario: string, seed: number, digest: string])[] = [
  ['baseline', 1, '8511476d7eae62bf4309b97570b6550e'],
  ['crash_recovery', 2, '2f71b9d3b00297cf36dc9b3e35ced4b4'],
  ['combined', 3, '2c9e59b8c411edab15bb656c35223a0f'],
];

function start(scenario: string, seed: number): World {
  const found = findScenario(scenario);
  assert.ok(found !== null && found !== undefined);
  const plan = makePlan(found, seed);
  return new WorldPlaces().start({ plan, canary: CANARY.none, limits: NO_LIMITS });
}

suite('determinism', () => {
  for (const [scenario, seed, digest] of PINNED) {
    test(`${scenario}, seed ${seed}: the pinned digest`, () => {
      const world = start(scenario, seed);
      while (world.step());
      assert.equal(world.result().violation, null);
      assert.equal(world.digest(), digest);
    });
  }

  test('a run restored from a snapshot in the middle ends as the one never interrupted', () => {
    const world = start('combined', 5);
    const middle = 3_000;
    for (let event = 0; event < middle; event++) assert.ok(world.step());
    const snapshot = Snapshot.of(world);
    while (world.step());
    const first = world.digest();
    snapshot.restore();
    while (world.step());
    assert.equal(world.digest(), first);
  });

  test('a campaign has one digest, whatever the process and the number of threads', async () => {
    const digests: string[] = [];
    for (const jobs of ['1', '2', '2']) {
      const args = ['run', 'combined', 'crash_recovery', '--seeds', '12', '--jobs', jobs];
      const outcome = await runProgram('vopr', [...args, '--format', 'json']);
      assert.equal(outcome.status, 0, outcome.stdout + outcome.stderr);
      const { runs } = JSON.parse(outcome.stdout) as { runs: { digest: string }[] };
      digests.push(runs.map((run) => run.digest).join(' '));
    }
    assert.equal(digests[1], digests[0]);
    assert.equal(digests[2], digests[0]);
  });

  test('two runs in lock step do not part, in any scenario', async () => {
    const args = ['run', '--all', '--seeds', '2', '--check-determinism', '--format', 'json'];
    const outcome = await runProgram('vopr', args);
    assert.equal(outcome.status, 0, outcome.stdout + outcome.stderr);
  });
});
