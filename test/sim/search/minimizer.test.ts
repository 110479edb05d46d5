/**
 * The minimiser against a synthetic oracle, for what must hold whatever is minimised: it takes only
 * what the oracle said, asks nothing twice, keeps the best when it is interrupted, ends the same for
 * any number of jobs, and leaves nothing that it could take away. Then on real failures.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { packDecisions } from '../../../bundles/decision_tape.ts';
import { type Bundle } from '../../../bundles/format.ts';
import { CANARY } from '../../../core/canary.ts';
import { findScenario } from '../../../scenarios/registry.ts';
import { findCanary } from '../../../sim/canaries.ts';
import { DOMAIN } from '../../../sim/decide.ts';
import { decisionNames } from '../../../sim/identity.ts';
import { makePlan, type Plan } from '../../../sim/plan.ts';
import { planFrom, planProblem } from '../../../sim/plan_check.ts';
import { decisionsOf } from '../../../sim/search/minimize/decisions_of.ts';
import { type Best, type Facts, type Verdict } from '../../../sim/search/minimize/facts.ts';
import { Judge } from '../../../sim/search/minimize/judge.ts';
import { Minimizer } from '../../../sim/search/minimize/minimizer.ts';
import { spokenOptions } from '../../../sim/search/minimize/spoken.ts';
import { WorldPlaces } from '../../../sim/search/run_seed.ts';
import { signatureOf } from '../../../sim/search/signature.ts';
import { operationsOf, planOf } from '../../../sim/testing/plan_of.ts';
import { fc } from '../../fixed_seed.ts';
import { failingBundle } from '../../support/failing_bundle.ts';

// --- A synthetic oracle ---

type Fails = (plan: Plan) => boolean;

const NO_DECISIONS = packDecisions(
  {
    events: new Uint32Array(0),
    domains: new Uint8Array(0),
    values: new Float64Array(0),
    identities: new Uint32Array(0),
    families: new Uint8Array(0),
    words: Array.from({ length: 6 }, () => new Uint32Array(0)),
    copies: new Uint32Array(0),
    parts: new Uint32Array(0),
  },
  0,
  decisionNames(DOMAIN, [], 3),
);

/** A run of the plan that fails after everything in it has happened, an event each. */
function factsOf(plan: Plan): Facts {
  const calls = operationsOf(plan).map((indices) => indices.length);
  return {
    events: plan.faults.length + calls.reduce((sum, count) => sum + count, 0) + plan.replicaCount,
    violation: { invariant: 'agreement', message: 'no', event: 1, virtualMicros: 9_000_000, replicas: [] },
    healedMicros: null,
    calls,
    faultNodes: plan.faults.map((fault) => ('node' in fault && fault.node >= 0 ? fault.node : 0)),
    chances: 0,
    delays: 0,
    tape: NO_DECISIONS,
  };
}

interface Searched {
  readonly best: Best;
  /** All plans that were run, in order, as text. */
  readonly asked: readonly string[];
  /** Plans that became the best, in order. */
  readonly taken: readonly Plan[];
  readonly minimizer: Minimizer;
}

/** Drives it as `jobs` threads would, for at most so many attempts. */
function search(plan: Plan, fails: Fails, jobs = 1, attempts = Number.POSITIVE_INFINITY): Searched {
  const minimizer = new Minimizer({ first: { plan, facts: factsOf(plan) }, replicas: [3, 5] });
  const asked: string[] = [];
  const taken: Plan[] = [];
  for (let n = 0; n < attempts; n++) {
    const attempt = minimizer.next();
    if (attempt === null) break;
    assert.equal(minimizer.next()?.plans, attempt.plans, 'asked again before the answer: the same');
    const verdicts: Verdict[] = [];
    let held = -1;
    for (let at = 0; at < attempt.plans.length && held < 0; at += jobs) {
      for (const candidate of attempt.plans.slice(at, at + jobs)) {
        assert.equal(planProblem(candidate), null);
        if (held < 0) asked.push(JSON.stringify(candidate));
        const facts = factsOf(candidate);
        const cut = facts.events > attempt.eventsMax;
        const verdict: Verdict = cut
          ? { kind: 'cut', events: attempt.eventsMax }
          : fails(candidate) ? { kind: 'same', facts } : { kind: 'miss', events: 1 };
        if (held < 0 && minimizer.holds(verdicts.length, verdict)) held = verdicts.length;
        verdicts.push(verdict);
      }
    }
    minimizer.take(verdicts);
    if (held >= 0) taken.push(minimizer.best.plan);
  }
  return { best: minimizer.best, asked, taken, minimizer };
}

const CRASHES = findScenario('crash_recovery') ?? assert.fail();
const SWARM = findScenario('combined') ?? assert.fail();

const anyPlan = fc.tuple(fc.constantFrom(CRASHES, SWARM), fc.integer({ min: 1, max: 60 }))
  .map(([scenario, seed]) => makePlan(scenario, seed));

/** Fails as long as some of the plan's faults are there, and clients ask for something. */
const anyNeed = fc.record({
  faults: fc.array(fc.nat(30), { maxLength: 4 }),
  operations: fc.nat(6),
  clients: fc.integer({ min: 1, max: 3 }),
});

function needing(plan: Plan, need: { faults: number[]; operations: number; clients: number }): Fails {
  const wanted = [...new Set(need.faults)].flatMap((place) => plan.faults[place]?.kind ?? []);
  return (candidate) => {
    const total = operationsOf(candidate).flat().length;
    if (candidate.workload.clients < need.clients || total < need.operations) return false;
    return wanted.every((kind) => {
      const needed = wanted.filter((other) => other === kind).length;
      return candidate.faults.filter((fault) => fault.kind === kind).length >= needed;
    });
  };
}

suite('minimizer, synthetic', () => {
  test('takes only what fails, never a plan twice, and leaves what is needed alone', () => {
    fc.assert(
      fc.property(anyPlan, anyNeed, (plan, need) => {
        const fails = needing(plan, need);
        fc.pre(fails(plan));
        const { best, asked, taken, minimizer } = search(plan, fails);
        assert.ok(minimizer.done);
        for (const one of taken) assert.ok(fails(one));
        assert.equal(best.plan, taken.at(-1) ?? plan);
        assert.equal(new Set(asked).size, asked.length, 'a plan was run twice');
        assert.equal(asked.length, minimizer.effort.tries);

        // One-minimal in everything that the oracle looks at.
        for (const fault of best.plan.faults) {
          assert.ok(!fails({ ...best.plan, faults: best.plan.faults.filter((it) => it !== fault) }));
        }
        assert.equal(operationsOf(best.plan).flat().length, need.operations);
        assert.equal(best.plan.workload.clients, need.clients);
        assert.equal(decisionsOf(best).numbers, 0, JSON.stringify(spokenOptions(best)));
        assert.equal(best.plan.seed, '1');
      }),
      { numRuns: 40 },
    );
  });

  test('any number of jobs finds the same, and as many tries count', () => {
    fc.assert(
      fc.property(anyPlan, anyNeed, fc.integer({ min: 2, max: 9 }), (plan, need, jobs) => {
        const fails = needing(plan, need);
        fc.pre(fails(plan));
        const one = search(plan, fails);
        const many = search(plan, fails, jobs);
        assert.deepEqual(many.best.plan, one.best.plan);
        assert.deepEqual(many.minimizer.effort, one.minimizer.effort);
      }),
      { numRuns: 15 },
    );
  });

  test('interrupted after any answer, the best so far fails and is not larger', () => {
    const plan = makePlan(CRASHES, 4);
    const fails = needing(plan, { faults: [0, 3], operations: 2, clients: 2 });
    const whole = search(plan, fails);
    let before = decisionsOf({ plan, facts: factsOf(plan) }).total;
    for (let attempts = 0; attempts < 60; attempts++) {
      const { best } = search(plan, fails, 1, attempts);
      assert.ok(fails(best.plan));
      const now = decisionsOf(best).total;
      assert.ok(now <= before, `${now} decisions after ${attempts} attempts, ${before} before`);
      before = now;
    }
    assert.ok(decisionsOf(whole.best).total <= before);
  });

  test('what nothing is needed for becomes the plainest plan', () => {
    const { best } = search(makePlan(SWARM, 9), () => true);
    const { scenario, seed, replicas } = spokenOptions(best);
    const plainest = planOf({ scenario, seed, replicas, operations: 0, invariants: ['agreement'] } as object);
    assert.deepEqual(best.plan, plainest);
  });

  test('what cannot be made smaller stays as it is, but for what never came to matter', () => {
    const plan = makePlan(CRASHES, 2);
    const { best, minimizer } = search(plan, (candidate) => candidate === plan);
    assert.equal(best.plan, plan);
    assert.equal(minimizer.effort.accepted, 0);
    assert.equal(minimizer.effort.rounds, 1);
  });

  test('without patience it ends sooner, says so, and has still something smaller', () => {
    const plan = makePlan(CRASHES, 4);
    // Every second operation is needed: single ones can be left out, no group of them can.
    const needed = operationsOf(plan).map((indices) => indices.filter((index) => index % 2 === 0));
    const fails: Fails = (candidate) =>
      needed.every((indices, client) => {
        const kept = operationsOf(candidate)[client] ?? [];
        return indices.every((index) => kept.includes(index));
      });
    const { events } = factsOf(plan);
    const run = (patienceEvents: number): Minimizer => {
      const first = { plan, facts: factsOf(plan) };
      const minimizer = new Minimizer({ first, replicas: [3], patienceEvents });
      for (let attempt = minimizer.next(); attempt !== null; attempt = minimizer.next()) {
        const verdicts = attempt.plans.map((candidate): Verdict =>
          fails(candidate) ? { kind: 'same', facts: factsOf(candidate) } : { kind: 'miss', events });
        minimizer.take(verdicts);
      }
      return minimizer;
    };
    const hasty = run(events * 20);
    const thorough = run(Infinity);
    assert.ok(hasty.effort.left > 0);
    assert.equal(thorough.effort.left, 0);
    assert.ok(hasty.effort.tries < thorough.effort.tries / 2);
    assert.ok(fails(hasty.best.plan));
    assert.ok(decisionsOf(hasty.best).total < decisionsOf({ plan, facts: factsOf(plan) }).total);
    assert.deepEqual(operationsOf(thorough.best.plan).flat().length, needed.flat().length);
  });

  test('how long a cluster may take to come back is not shortened when that is the failure', () => {
    const plan: Plan = { ...makePlan(CRASHES, 2), healMicros: 500_000_000 };
    const liveness = { ...factsOf(plan).violation, invariant: 'liveness' };
    const facts = { ...factsOf(plan), healedMicros: 1, violation: liveness };
    const minimizer = new Minimizer({ first: { plan, facts }, replicas: [3] });
    for (let attempt = minimizer.next(); attempt !== null; attempt = minimizer.next()) {
      for (const { healMicros } of attempt.plans) assert.ok(healMicros >= 60_000_000);
      minimizer.take(attempt.plans.map((candidate) =>
        candidate.healMicros < 500_000_000 ? { kind: 'miss', events: 1 } : { kind: 'same', facts }));
    }
    assert.equal(minimizer.best.plan.healMicros, 500_000_000);
  });
});

// --- Real failures ---

const places = new WorldPlaces();

function minimized(
  name: string,
  suits: (bundle: Bundle) => boolean = () => true,
): { first: Best; best: Best; clean: Verdict } {
  const canary = findCanary(name) ?? assert.fail();
  const scenario = findScenario(canary.scenario) ?? assert.fail();
  const plan = planFrom(failingBundle(name, 1, suits).plan);
  const found = new Judge({ canary: canary.id, signature: null }, places).judge(plan, null);
  assert.ok(found.kind === 'same');
  const signature = signatureOf(found.facts.violation);
  assert.equal(signature, canary.caughtBy);
  const judge = new Judge({ canary: canary.id, signature }, places);
  const minimizer = new Minimizer({ first: { plan, facts: found.facts }, replicas: scenario.replicas });
  for (let attempt = minimizer.next(); attempt !== null; attempt = minimizer.next()) {
    const verdicts: Verdict[] = [];
    for (const candidate of attempt.plans) {
      const verdict = judge.judge(candidate, attempt.eventsMax);
      verdicts.push(verdict);
      if (minimizer.holds(verdicts.length - 1, verdict)) break;
    }
    minimizer.take(verdicts);
  }
  const { best } = minimizer;
  // Said in words and read back it fails the same way, and not at all without the bug.
  const again = planOf(spokenOptions(best));
  const verdict = judge.judge(again, null);
  assert.ok(verdict.kind === 'same', `${name}: what is emitted does not fail`);
  assert.equal(verdict.facts.events, best.facts.events);
  const clean = new Judge({ canary: CANARY.none, signature: null }, places).judge(again, null);
  return { first: { plan, facts: found.facts }, best, clean };
}

suite('minimizer, real', () => {
  test('a bug that needs no faults is left without any', () => {
    const { best, clean } = minimized('commit-before-quorum');
    assert.deepEqual([best.plan.faults, best.plan.decisions], [[], []]);
    assert.equal(best.plan.workload.clients, 1);
    assert.equal(decisionsOf(best).numbers, 0);
    assert.equal(clean.kind, 'miss');
  });

  test('of thousands of chances and delays the one lost message is left', () => {
    const { first, best, clean } = minimized('reply-cache-skipped', ({ events }) => events > 500);
    assert.ok(decisionsOf(first).total > 500);
    const { chances, delays, faults } = decisionsOf(best);
    assert.deepEqual({ chances, delays, faults }, { chances: 1, delays: 0, faults: 0 });
    const [said] = spokenOptions(best).decisions ?? [];
    assert.match(String(said), /^loss of R0 -> C0 reply, view 0, op \d+, request 1$/);
    assert.equal(clean.kind, 'miss');
  });

  test('of a dozen crashes one is left, at a round time, on a replica by name', () => {
    const { first, best, clean } = minimized('view-not-durable');
    assert.ok(first.plan.faults.length > 5);
    const faults = best.plan.faults.map(({ kind, at }) => ({ kind, round: at % 100_000 === 0 }));
    assert.deepEqual(faults, [{ kind: 'crash', round: true }]);
    assert.ok(best.plan.faults.every((fault) => 'node' in fault && fault.node >= 0));
    assert.equal(clean.kind, 'miss');
  });
});
