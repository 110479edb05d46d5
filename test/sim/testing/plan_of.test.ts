/** Plans by hand: what is not said is plain, and what a plan says can be said again. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { decisionText, readDecisions } from '../../../bundles/format.ts';
import { CANARY } from '../../../core/canary.ts';
import { SCENARIOS } from '../../../scenarios/registry.ts';
import { makePlan, type Plan } from '../../../sim/plan.ts';
import { WorldPlaces } from '../../../sim/search/run_seed.ts';
import { NO_LIMITS, type SeedResult } from '../../../sim/search/seed_result.ts';
import { runToEnd } from '../../../sim/search/seed_run.ts';
import { operationsOf, optionsOf, planOf } from '../../../sim/testing/plan_of.ts';

const places = new WorldPlaces();

function runOf(plan: Plan): SeedResult {
  return runToEnd(places.start({ plan, canary: CANARY.none, limits: NO_LIMITS }));
}

suite('planOf', () => {
  test('nothing said: three replicas answer one append of one client', () => {
    const result = runOf(planOf({}));
    assert.equal(result.violation, null);
    assert.deepEqual(result.unmet, []);
    // Register, a tenant, a stream, the append.
    assert.equal(result.commits, 4);
    assert.deepEqual(result.faults, {});
  });

  test('what is said is in the plan, faults in order of time, with what is plain of their kind', () => {
    const plan = planOf({
      replicas: 5,
      operations: [[2], [0, 4]],
      network: { lossPpm: 1000 },
      clocks: { 1: { offsetMicros: -5 } },
      faults: [
        { kind: 'isolate', at: 9000, node: 2 },
        { kind: 'crash', at: 8000, node: 1 },
      ],
      decisions: [{ domain: 'loss', key: 7 }],
    });
    assert.equal(plan.replicaCount, 5);
    assert.equal(plan.workload.clients, 2);
    assert.deepEqual(operationsOf(plan), [[2], [0, 4]]);
    assert.deepEqual(plan.faults, [
      { kind: 'crash', at: 8000, node: 1, down: 100_000, duringWrite: false, downMax: 6 },
      { kind: 'isolate', at: 9000, node: 2, lasts: 1_000_000, direction: 'both' },
    ]);
    assert.equal(plan.network.lossPpm, 1000);
    assert.equal(plan.clocks[1]?.offsetMicros, -5);
    assert.deepEqual(plan.decisions, [{ domain: 'loss', key: 7, value: 1 }]);
    assert.ok(Object.isFrozen(plan.faults[0]));
  });

  test('what is no plan is refused, with the reason', () => {
    assert.throws(() => planOf({ replicas: 7 }), /no plan: .*replicaCount/);
    assert.throws(() => planOf({ faults: [{ kind: 'crash', at: 1, node: 3 }] }), /faults\[0\].*node/);
    assert.throws(() => planOf({ clients: 1, absent: [1] }), /absent/);
  });

  test("a scenario's plan can be said by hand: the same run", () => {
    for (const scenario of SCENARIOS) {
      const { gates: _, enabled: _all, ...plan } = makePlan(scenario, 3);
      const { gates, enabled, ...again } = planOf(optionsOf(makePlan(scenario, 3)));
      assert.deepEqual(again, plan, scenario.name);
      assert.deepEqual([gates, enabled], [[], []]);
    }
    const plan = makePlan(SCENARIOS[0] ?? assert.fail(), 3);
    assert.equal(runOf(planOf(optionsOf(plan))).digest, runOf(plan).digest);
  });

  test('decisions are said in words, and take place', () => {
    // The first request of the client is its registration.
    const said = 'loss of C0 -> R0 request, view 0';
    const plan = planOf({ seed: 5, decisions: [said] });
    const keyed = planOf({ seed: 5, decisions: [{ domain: 'loss', key: plan.decisions[0]?.key ?? 0 }] });
    assert.deepEqual(plan, keyed);
    const world = places.start({ plan, canary: CANARY.none, limits: NO_LIMITS, recordDecisions: true });
    const result = runToEnd(world);
    assert.deepEqual(result.faults, { 'loss.attempted': 1, 'loss.applied': 1, 'loss.observed': 0 });
    const tape = world.decisionTape() ?? assert.fail();
    const texts = [...readDecisions(tape)].map((decision) => decisionText(decision, tape.names));
    assert.ok(texts.includes(said));
    assert.throws(() => planOf({ decisions: ['loss of hope'] }), /no decision: "loss of hope"/);
  });

  test('once the faults are over a pinned loss is none', () => {
    // All faults end before the first client starts.
    const result = runOf(planOf({ decisions: ['loss of C0 -> R0 request, view 0'], faultMicros: 0 }));
    assert.equal(result.violation, null);
    assert.deepEqual(result.faults, {});
  });

  test('an absent client calls nothing, and the others do not notice', () => {
    const all = runOf(planOf({ clients: 3, operations: 2 }));
    const two = planOf({ clients: 3, operations: 2, absent: [1] });
    const result = runOf(two);
    assert.equal(result.violation, null);
    // Register, tenant, stream, two operations: of each client.
    assert.equal(all.commits, 15);
    assert.equal(result.commits, 10);
    assert.deepEqual(planOf(optionsOf(two)), two);
  });

  test('the heal phase does not wait for the answers of an absent client', () => {
    const result = runOf(planOf({ clients: 2, operations: 1, absent: [0], repliesMin: 1000 }));
    assert.equal(result.violation, null);
  });
});
