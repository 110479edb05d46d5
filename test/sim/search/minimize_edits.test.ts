/** Parts of plans under other numbers, and numbers made plain: what is meant stays the same. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { CANARY } from '../../../core/canary.ts';
import { SCENARIOS } from '../../../scenarios/registry.ts';
import { makePlan, type Plan } from '../../../sim/plan.ts';
import { planProblem } from '../../../sim/plan_check.ts';
import { type Best } from '../../../sim/search/minimize/facts.ts';
import { withPresent } from '../../../sim/search/minimize/plan_edits.ts';
import {
  numbersOf,
  plainerValues,
  rounded,
  SECTIONS,
  withPlainNumbers,
} from '../../../sim/search/minimize/plan_numbers.ts';
import { renumbered } from '../../../sim/search/minimize/renumber.ts';
import { spokenOptions } from '../../../sim/search/minimize/spoken.ts';
import { WorldPlaces } from '../../../sim/search/run_seed.ts';
import { NO_LIMITS } from '../../../sim/search/seed_result.ts';
import { operationsOf, planOf } from '../../../sim/testing/plan_of.ts';

const places = new WorldPlaces();

/** The plan with the tape of its run, as if it had failed at its end. */
function ran(plan: Plan): Best {
  const limits = NO_LIMITS;
  const world = places.start({ plan, canary: CANARY.none, limits, recordDecisions: true });
  while (world.step());
  assert.equal(world.result().violation, null);
  return {
    plan,
    facts: {
      events: world.events,
      violation: { invariant: 'x', message: '', event: world.events, virtualMicros: 0, replicas: [] },
      healedMicros: world.healedMicros,
      calls: [...world.calls],
      faultNodes: world.faultNodes(),
      chances: 0,
      delays: 0,
      tape: world.decisionTape() ?? assert.fail(),
    },
  };
}

suite('renumbered', () => {
  test('pins go with the client they are about, and with its operations', () => {
    const best = ran(planOf({
      clients: 3,
      operations: [[], [4], [0, 7]],
      workload: { appendWeight: 1, expectedExactPpm: 0 },
      decisions: [
        'loss of C2 -> R0 request, view 0',
        'idempotent of C2 operation 7',
        'loss of C1 -> R0 request, view 0',
      ],
    }));
    const kept = renumbered(best, {
      clients: [2],
      operation: ({ client, index }) => (client === 2 && index === 7 ? { client: 0, index: 1 } : null),
    });
    assert.equal(planProblem(kept), null);
    assert.equal(kept.workload.clients, 1);
    assert.deepEqual(operationsOf(kept), [[1]]);
    const said = ['loss of C0 -> R0 request, view 0', 'idempotent of C0 operation 1'];
    assert.deepEqual(kept.decisions, planOf({ decisions: said }).decisions);
  });

  test('under another seed pins are about the same', () => {
    const decisions = ['loss of C0 -> R0 request, view 0', 'storageDelay 5000 of R1 sync 2'];
    const other = renumbered(ran(planOf({ seed: 3, decisions })), { seed: '8' });
    assert.deepEqual(other.decisions, planOf({ seed: 8, decisions }).decisions);
    assert.deepEqual(spokenOptions(ran(other)).decisions, decisions);
  });

  test('what fell on a replica that is gone is gone; links keep their ends', () => {
    const faults = [
      { kind: 'crash', at: 1000, node: 4 },
      { kind: 'pause', at: 2000, node: 1, lasts: 3000 },
      { kind: 'clog', at: 3000, node: 0, peer: 3 },
      // R0 to R4, R1 to C0, C1 to R2.
      { kind: 'partition', at: 4000, links: [0, 4, 1, 5, 6, 2], lasts: 5000 },
      { kind: 'restart_all', at: 9000, down: [1, 2, 3, 4, 5] },
    ] as const;
    const best = ran(planOf({ replicas: 5, clients: 2, clocks: { 6: { driftPpm: 9 } }, faults }));
    const three = renumbered(best, { replicas: 3 });
    assert.equal(planProblem(three), null);
    assert.deepEqual(three.faults.map(({ kind }) => kind), ['pause', 'partition', 'restart_all']);
    assert.deepEqual(three.faults[1], { kind: 'partition', at: 4000, links: [1, 3, 4, 2], lasts: 5000 });
    assert.deepEqual(three.clocks.map(({ driftPpm }) => driftPpm), [0, 0, 0, 0, 9]);
    const one = renumbered({ ...best, plan: three }, { clients: [1] });
    assert.deepEqual(one.faults[1], { kind: 'partition', at: 4000, links: [3, 2], lasts: 5000 });
  });

  test('who is absent stays so, under the new number', () => {
    const plan = withPresent(planOf({ clients: 4, operations: 1 }), [0, 3]);
    assert.deepEqual(plan.workload.absent, [1, 2]);
    const best = ran(plan);
    assert.deepEqual(renumbered(best, { clients: [0, 2, 3] }).workload.absent, [1]);
    assert.equal(renumbered(best, { clients: [0, 3] }).workload.absent, undefined);
    assert.equal(withPresent(plan, [0, 1, 2, 3]).workload.absent, undefined);
  });
});

suite('numbers', () => {
  test('a plain plan has none; of all others each can be made plain, and is none then', () => {
    assert.deepEqual(numbersOf(planOf({})), []);
    for (const scenario of SCENARIOS) {
      const plan = makePlan(scenario, 5);
      const numbers = numbersOf(plan);
      assert.ok(numbers.length > 10);
      for (const number of numbers) {
        const plainer = number.with(plan, number.plain);
        assert.equal(numbersOf(plainer).length, numbers.length - 1, number.name);
        assert.ok(!numbersOf(plainer).some(({ name }) => name === number.name));
      }
      assert.deepEqual(numbersOf(withPlainNumbers(plan, SECTIONS)), []);
    }
  });

  test('an event after which to heal is a number, and plain when it is not said', () => {
    const plan: Plan = { ...planOf({}), healAfterEvent: 70 };
    const [number] = numbersOf(plan);
    assert.deepEqual(number?.with(plan, number.plain), planOf({}));
  });

  test('plainer values: the plain one, then fewer digits, without what it is', () => {
    assert.deepEqual([0, 7, 12_345, -987, 1000, 25].map(rounded), [
      [], [], [10_000, 12_000], [-1000, -990], [], [30],
    ]);
    const plan = planOf({ network: { delayMeanMicros: 4321 }, storage: { lostPpm: 300_000 } });
    const values = Object.fromEntries(numbersOf(plan).map((it) => [it.name, plainerValues(it)]));
    assert.deepEqual(values, {
      'network.delayMeanMicros': [0, 4000, 4300],
      'storage.lostPpm': [0, 1_000_000],
    });
    const [think] = numbersOf(planOf({ workload: { thinkMicros: [5, 77] } }));
    assert.deepEqual(think === undefined ? [] : plainerValues(think), [[0, 0], [5, 5], [77, 77], [80, 80]]);
  });
});
