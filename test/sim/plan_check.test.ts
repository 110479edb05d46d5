/** Plans from files: every real one passes and runs the same, every broken one is refused by name. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeBundle, encodeBundle, type PlainData } from '../../bundles/format.ts';
import { CANARY } from '../../core/canary.ts';
import { SCENARIOS } from '../../scenarios/registry.ts';
import { makePlan, type Plan } from '../../sim/plan.ts';
import { planFrom, planProblem } from '../../sim/plan_check.ts';
import { WorldPlaces } from '../../sim/search/run_seed.ts';
import { type SeedLimits } from '../../sim/search/seed_result.ts';

/** The plan after a journey through a bundle. */
function throughBundle(plan: Plan): unknown {
  const bytes = encodeBundle({
    scenario: plan.scenario,
    seed: Number(plan.seed),
    canary: null,
    limits: { events: null, micros: null },
    plan: plan as unknown as PlainData,
    code: { version: '0', commit: '0', node: '0' },
    failure: { invariant: 'x', signature: 'x', message: '', event: 0, virtualMicros: 0, replicas: [] },
    events: 0,
    digests: { final: '0', tape: new Uint8Array(0) },
    decisions: null,
  });
  return decodeBundle(bytes).plan;
}

test('plan: each scenario makes plans that pass, also after a journey through a bundle', () => {
  for (const scenario of SCENARIOS) {
    for (let seed = 1; seed <= 20; seed++) {
      const plan = makePlan(scenario, seed);
      assert.equal(planProblem(plan), null, scenario.name);
      const back = throughBundle(plan);
      assert.deepEqual(back, plan);
      assert.equal(planProblem(back), null);
    }
  }
});

test('plan: a run of the plan that comes back is the same run', () => {
  const places = new WorldPlaces();
  const limits: SeedLimits = { events: 3000, micros: null };
  const scenario = SCENARIOS.at(-1);
  assert.ok(scenario !== undefined);
  const plan = makePlan(scenario, 7);
  const digestOf = (it: Plan): string => {
    const world = places.start({ plan: it, canary: CANARY.none, limits });
    while (world.step());
    return world.result().digest;
  };
  assert.equal(digestOf(planFrom(throughBundle(plan))), digestOf(plan));
});

test('plan: whatever is broken is named', () => {
  const good = makePlan(SCENARIOS.at(-1) ?? assert.fail(), 3) as unknown as Record<string, unknown>;
  const config = good['config'] as object;
  const network = good['network'] as object;
  const workload = good['workload'] as object;
  const cases: [unknown, RegExp][] = [
    [{ ...good, system: 7 }, /"system" must be text/],
    [{ ...good, system: '\u001b[31mred' }, /"system" is no name of a system/],
    [null, /"plan" must be a map/],
    [[], /"plan" must be a map/],
    [{}, /version undefined, not 1/],
    [{ ...good, version: 2 }, /version 2/],
    [{ ...good, seedWords: [1, 2, 3] }, /"seedWords" must be four numbers/],
    [{ ...good, seedWords: [1, 2, 3, -1] }, /"seedWords\[3\]" must be a whole number/],
    [{ ...good, replicaCount: 7 }, /"replicaCount" must be a whole number from 1 to 6/],
    [{ ...good, replicaCount: 2.5 }, /"replicaCount"/],
    [{ ...good, config: { ...config, messageSizeMax: 3 } }, /config: messageSizeMax/],
    [{ ...good, config: { ...config, gridBlocks: 60_000_000 } }, /disks of \d+ bytes are too large/],
    [{ ...good, config: { ...config, checksumAlgorithm: 9 } }, /unknown checksum/],
    [{ ...good, config: { ...config, pipelineMax: undefined } }, /"pipelineMax"/],
    [{ ...good, network: { ...network, lossPpm: 2_000_000 } }, /network: "lossPpm"/],
    [{ ...good, storage: 5 }, /"storage" must be a map/],
    [{ ...good, workload: { ...workload, clients: 1e6 } }, /workload: "clients"/],
    [{ ...good, workload: { ...workload, eventsPerAppend: [5, 1] } }, /"eventsPerAppend"/],
    [{ ...good, workload: { ...workload, payloadBytes: [1] } }, /"payloadBytes" must be two numbers/],
    [{ ...good, clocks: [] }, /"clocks" must be one a node/],
    [{ ...good, faults: [{ kind: 'meteor', at: 1 }] }, /faults\[0\]: unknown kind of fault/],
    [{ ...good, faults: [{ kind: '__proto__', at: 1 }] }, /faults\[0\]: unknown kind of fault/],
    [{ ...good, faults: [{ kind: 'pause', at: 1, lasts: 5, node: 9 }] }, /faults\[0\]: "node"/],
    [{ ...good, faults: [{ kind: 'partition', at: 1, lasts: 5, links: [0, 99] }] }, /"links"/],
    [{ ...good, decisions: [{ domain: 'x', key: 1, value: 1 }] }, /decisions\[0\]: unknown domain/],
    [{ ...good, eventsMax: Number.POSITIVE_INFINITY }, /"eventsMax"/],
    [{ ...good, gates: [{ counter: 'toString' }] }, /gates\[0\]: no such counter/],
    [{ ...good, enabled: ['earthquake'] }, /"enabled" names an unknown class/],
    [{ ...good, invariants: [1] }, /"invariants" must be names/],
  ];
  for (const [value, words] of cases) assert.match(planProblem(value) ?? 'accepted', words);
  for (const field of Object.keys(good)) {
    const without: Record<string, unknown> = { ...good };
    delete without[field];
    assert.notEqual(planProblem(without), null, `without ${field}`);
  }
});

test('plan: what passes after a random change does not break the world', () => {
  const places = new WorldPlaces();
  const plan = makePlan(SCENARIOS.at(-1) ?? assert.fail(), 11);
  const numbers = [0, 1, 7, 1_000_000, 4_294_967_295];
  let ran = 0;
  for (const part of ['network', 'storage', 'workload'] as const) {
    for (const field of Object.keys(plan[part]).slice(0, 4)) {
      for (const value of numbers.slice(0, 3)) {
        const changed: unknown = { ...plan, [part]: { ...plan[part], [field]: value } };
        if (planProblem(changed) !== null) continue;
        const limits: SeedLimits = { events: 300, micros: null };
        const world = places.start({ plan: planFrom(changed), canary: CANARY.none, limits });
        while (world.step());
        ran++;
      }
    }
  }
  assert.ok(ran > 20, `${ran} changed plans ran`);
});
