import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { CONFIG_SMALL } from '../../../core/constants.ts';
import { InputRules } from '../../../core/kernel/input.ts';
import { KERNEL } from '../../../core/kernel/operations.ts';
import { findScenario } from '../../../scenarios/registry.ts';
import { Counters } from '../../../sim/counters.ts';
import { Decisions } from '../../../sim/decide.ts';
import { makePlan, type ScenarioOptions, type WorkloadPlan } from '../../../sim/plan.ts';
import { Operations } from '../../../sim/workload/operations.ts';

const SCENARIO = findScenario('baseline') as ScenarioOptions;
const PLAN = makePlan(SCENARIO, 1).workload;

interface Composed {
  readonly operation: number;
  readonly body: string;
}

function all(client: number, plan: WorkloadPlan = PLAN): Composed[] {
  const operations = new Operations({
    plan,
    config: CONFIG_SMALL,
    decisions: new Decisions([1, 2, 3, 4], []),
    counters: new Counters(),
    client,
  });
  const composed: Composed[] = [];
  while (operations.next()) {
    const body = operations.body.bytes.subarray(0, operations.bodyLength);
    composed.push({ operation: operations.operation, body: Buffer.from(body).toString('hex') });
  }
  return composed;
}

suite('operations', () => {
  test('every operation is one that the kernel admits', () => {
    const rules = new InputRules(CONFIG_SMALL);
    for (let seed = 0; seed < 20; seed++) {
      const { workload } = makePlan(SCENARIO, seed);
      const operations = new Operations({
        plan: workload,
        config: CONFIG_SMALL,
        decisions: new Decisions([seed, 2, 3, 4], []),
        counters: new Counters(),
        client: 0,
      });
      const kinds = new Set<number>();
      while (operations.next()) {
        const { operation, body, bodyLength } = operations;
        assert.equal(rules.problem(operation, body, 0, bodyLength), null);
        kinds.add(operation);
      }
      assert.ok(kinds.has(KERNEL.append) && kinds.has(KERNEL.readEvents) && kinds.has(KERNEL.createTenant));
    }
  });

  test('leaving operations out changes none of the others', () => {
    const whole = all(1);
    const index = whole.length - PLAN.operationsPerClient;
    const omitted = [(1 << 20) + 3, (1 << 20) + 7];
    const shorter = all(1, { ...PLAN, omitted });
    assert.deepEqual(
      shorter,
      whole.filter((_, i) => i !== index + 3 && i !== index + 7),
    );
    assert.deepEqual(all(2, { ...PLAN, omitted }), all(2));
  });

  test('clients differ, and no append body comes twice', () => {
    const bodies = [0, 1, 2].flatMap((client) => all(client)).filter((o) => o.operation === KERNEL.append);
    assert.equal(new Set(bodies.map((o) => o.body)).size, bodies.length);
    assert.notDeepEqual(all(1).slice(-5), all(2).slice(-5));
  });
});
