/**
 * The turning point of a failing run: found in the number of replays that is promised, and true of
 * both neighbours when they are run from their plans, from the beginning.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { findCanary, findScenario } from '../../../cli/vopr/catalogue.ts';
import { CANARY, type CanaryId } from '../../../core/canary.ts';
import { makePlan, type Plan } from '../../../sim/plan.ts';
import { planProblem } from '../../../sim/plan_check.ts';
import {
  SNAPSHOTS_MAX,
  Bisect,
  type Bisection,
  type BisectOptions,
  type NotReproduced,
} from '../../../sim/search/bisect.ts';
import { WorldPlaces } from '../../../sim/search/run_seed.ts';
import { NO_LIMITS, type SeedViolation } from '../../../sim/search/seed_result.ts';
import { record, runToEnd, type Recording } from '../../../sim/search/seed_run.ts';
import { type World } from '../../../sim/world.ts';
import { failingBundle } from '../../support/failing_bundle.ts';

const places = new WorldPlaces();

function start(plan: Plan, canary: CanaryId): World {
  return places.start({ plan, canary, limits: NO_LIMITS, recordDecisions: true });
}

/** The plan of a seed that shows the bug, and the bug's canary and checker. */
function planOf(name: string, guess: number): { plan: Plan; canary: CanaryId; invariant: string } {
  const bundle = failingBundle(name, guess);
  const { invariant } = bundle.failure;
  return { plan: bundle.plan as unknown as Plan, canary: findCanary(name).id, invariant };
}

function searched(options: BisectOptions): Bisection | NotReproduced {
  const search = new Bisect(options);
  while (search.advance());
  return search.result();
}

/** Of a recording what lives in the world: probes and canaries are counted by process. */
function ofWorld({ result, digests }: Recording): object {
  const { violation, events, messages, commits, checks, faults, virtualMicros } = result;
  return { digests, violation, events, messages, commits, checks, faults, virtualMicros };
}

/** Bisects, and runs both neighbours again. */
function bisected(name: string, guess: number, interval?: number): Bisection {
  const { plan, canary, invariant } = planOf(name, guess);
  const same = (violation: SeedViolation): boolean => violation.invariant === invariant;
  const options = { world: start(plan, canary), plan, same };
  const found = searched(interval === undefined ? options : { ...options, interval });
  assert.ok(found.failure !== null, 'reproduced');
  assert.ok(found.replays <= Math.floor(Math.log2(found.searched)) + 2, `${found.replays} replays`);
  assert.equal(found.replays, found.probes.length + 1);
  assert.ok(found.snapshots <= SNAPSHOTS_MAX);
  const { event } = found.turn;

  const world = start(found.plan, canary);
  const again = record(world);
  assert.deepEqual(ofWorld(again), ofWorld(found.recording), 'from a snapshot the same run');
  assert.deepEqual(world.decisionTape(), found.decisions);
  assert.equal(again.result.violation?.invariant, invariant);
  assert.equal(planProblem(found.plan), null);
  if (event > 0) {
    const before = runToEnd(start({ ...plan, healAfterEvent: event - 1 }, canary));
    assert.notEqual(before.violation?.invariant, invariant, 'one event earlier it is saved');
  }
  return found;
}

suite('bisect', () => {
  test('a crash tears a write: lost from the crash on, long before a checker can tell', () => {
    const found = bisected('torn-write-accepted', 1);
    assert.match(found.turn.text, /s crash R\d/);
    assert.ok(found.turn.entries.some(({ what }) => what === 'garbage_write' || what === 'torn_write'));
    assert.ok(found.failure.event - found.turn.event > 100);
    assert.ok(found.turn.entries.every(({ event }) => event === found.turn.event));
    const wide = bisected('torn-write-accepted', 1, 25);
    assert.deepEqual(wide.turn, found.turn);
    assert.ok(wide.snapshots >= SNAPSHOTS_MAX - 1, 'so many are asked for that they are thinned out');
  });

  test('two logs are mixed: lost only when the wrong one is asked for', () => {
    const found = bisected('view-change-longest-log', 16);
    assert.ok(found.turn.event > found.searched / 2, 'late in the run');
    const verdicts = new Map(found.probes.map(({ event, verdict }) => [event, verdict]));
    assert.equal(verdicts.get(found.turn.event), 'lost');
    assert.equal(verdicts.get(found.turn.event - 1), 'saved');
  });

  test('liveness: found in the fault phase, though it is told at the end of the heal phase', () => {
    const found = bisected('repair-never', 1);
    assert.ok(found.searched < found.failure.event, 'no further than the beginning of the heal phase');
    assert.ok(found.turn.event < found.searched);
    assert.ok(found.turn.entries.some(({ cause }) => cause === 'loss'), 'a lost message is behind it');
  });

  test('a bug that needs no fault: lost before the first event', () => {
    const found = bisected('commit-before-quorum', 1);
    assert.equal(found.turn.event, 0);
    assert.equal(found.turn.text, 'before the first event');
    assert.deepEqual(found.probes.at(-1)?.event, 0);
  });

  test('a run that does not fail, or fails otherwise, is no ground for a search', () => {
    const { plan, canary } = planOf('commit-before-quorum', 1);
    const clean = searched({ world: start(plan, CANARY.none), plan, same: () => true });
    assert.deepEqual(clean, { failure: null, violation: null });
    const other = searched({ world: start(plan, canary), plan, same: () => false });
    assert.equal(other.failure, null);
    assert.equal((other as NotReproduced).violation?.invariant, 'acked_durability');
  });

  test('healing by the plan and by call are one: after any event, the first and the last included', () => {
    const plan = makePlan(findScenario('combined'), 5);
    const whole = runToEnd(start(plan, CANARY.none));
    for (const event of [0, 1, 3, 1000, 2500, whole.events]) {
      const called = start(plan, CANARY.none);
      while (called.events < event) assert.ok(called.step());
      called.healNow();
      const byCall = runToEnd(called);
      const byPlan = runToEnd(start({ ...plan, healAfterEvent: event }, CANARY.none));
      assert.equal(byCall.digest, byPlan.digest, `after event ${event}`);
      assert.equal(byPlan.violation, null);
      if (event === whole.events) assert.equal(byPlan.digest, whole.digest);
      else assert.notEqual(byPlan.digest, whole.digest);
    }
  });

  test('healAfterEvent is checked like all of a plan', () => {
    const plan = makePlan(findScenario('combined'), 5);
    assert.equal(planProblem({ ...plan, healAfterEvent: 7 }), null);
    for (const bad of [-1, 0.5, '7', null, 2e9]) {
      assert.match(planProblem({ ...plan, healAfterEvent: bad }) ?? '', /"healAfterEvent" must be a whole/);
    }
  });
});
