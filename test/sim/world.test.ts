/**
 * Whole worlds of real replicas: a run is a function of its plan, can be stopped and continued, and
 * leaks nothing into the next.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { findScenario } from '../../scenarios/registry.ts';
import { Arena } from '../../sim/arena.ts';
import { makePlan, type Plan } from '../../sim/plan.ts';
import { runInLockStep } from '../../sim/search/seed_run.ts';
import { Snapshot } from '../../sim/snapshot.ts';
import { World } from '../../sim/world.ts';

function planOf(scenario: string, seed: number | string): Plan {
  const found = findScenario(scenario);
  assert.ok(found !== null, scenario);
  return makePlan(found, seed);
}

function worldOf(plan: Plan, arena = new Arena(plan.config)): World {
  return new World({ plan, arena });
}

function runToEnd(world: World): World {
  while (world.step());
  return world;
}

suite('world', () => {
  test('a run is the same in a new arena, in a used one, and from a plan that went through JSON', () => {
    const plan = planOf('combined', 11);
    const first = runToEnd(worldOf(plan));
    const arena = new Arena(plan.config);
    runToEnd(worldOf(planOf('crash_recovery', 3), arena));
    runToEnd(worldOf(planOf('corruption_bit_flip', 4), arena));
    const again = runToEnd(worldOf(JSON.parse(JSON.stringify(plan)) as Plan, arena));
    assert.deepEqual(again.result(), first.result());
    assert.ok(first.events > 1000);
  });

  test('two runs in lock step do not part', () => {
    const plan = planOf('swizzle_clogging', 5);
    const result = runInLockStep(worldOf(plan), worldOf(plan));
    assert.notEqual(result.violation?.invariant, 'determinism', result.violation?.message);
  });

  for (const scenario of ['combined', 'crash_recovery', 'corruption_torn_write']) {
    test(`restored in the middle, ${scenario} ends as if never interrupted`, () => {
      const world = worldOf(planOf(scenario, 7));
      const half = runToEnd(worldOf(planOf(scenario, 7))).events >> 1;
      while (world.events < half) world.step();
      const snapshot = Snapshot.of(world);
      const digestAt = world.digest();
      const first = runToEnd(world).result();
      assert.ok(first.events > half);
      for (let round = 0; round < 2; round++) {
        snapshot.restore();
        assert.equal(world.digest(), digestAt);
        assert.equal(world.events, half);
        const again = runToEnd(world).result();
        assert.equal(again.digest, first.digest);
        assert.deepEqual(again.checks, first.checks);
      }
    });
  }

  test('seeds and scenarios give different runs', () => {
    const digests = new Set<string>();
    for (const seed of [1, 2, 'text']) {
      digests.add(runToEnd(worldOf(planOf('baseline', seed))).digest());
    }
    assert.equal(digests.size, 3);
  });

  test('limits cut a run short, and say so', () => {
    const plan = planOf('baseline', 1);
    const world = new World({
      plan,
      arena: new Arena(plan.config),
      limits: { events: 500, micros: null },
    });
    const result = runToEnd(world).result();
    assert.equal(result.events, 500);
    assert.match(result.unmet.join(), /stopped after 500 events/);
    const short = new World({
      plan,
      arena: new Arena(plan.config),
      limits: { events: null, micros: 2_000_000 },
    });
    const cut = runToEnd(short).result();
    assert.ok(cut.virtualMicros < 6_000_000, `${cut.virtualMicros}`);
    assert.equal(cut.violation, null);
  });

  test('decisions can be listed, and vetoed one by one', () => {
    const plan = planOf('message_loss', 3);
    const arena = new Arena(plan.config);
    const world = new World({
      plan,
      arena,
      recordDecisions: true,
    });
    const taken = runToEnd(world).decisionsTaken();
    const losses = taken.filter(({ domain }) => domain === 'loss');
    assert.equal(losses.length, world.result().faults['loss.applied']);
    assert.ok(losses.length > 5);
    const digest = world.digest();
    // Forcing what happens anyway changes nothing; vetoing the first loss delivers that packet.
    const forced = runToEnd(worldOf({ ...plan, decisions: taken.slice(0, 20) }, arena));
    assert.equal(forced.digest(), digest);
    const first = losses[0];
    assert.ok(first !== undefined);
    const vetoed = runToEnd(worldOf({ ...plan, decisions: [{ ...first, value: 0 }] }, arena));
    assert.notEqual(vetoed.digest(), digest);
  });

  test('no fault is applied more often than it was attempted', () => {
    for (const scenario of ['corruption_torn_write', 'combined', 'crash_recovery']) {
      const { faults } = runToEnd(worldOf(planOf(scenario, 1))).result();
      for (const [name, applied] of Object.entries(faults).filter(([key]) => key.endsWith('.applied'))) {
        const attempted = faults[name.replace('.applied', '.attempted')] ?? 0;
        assert.ok(applied <= attempted, `${scenario}: ${name} ${applied}, attempted ${attempted}`);
      }
      if (scenario === 'corruption_torn_write') assert.ok((faults['torn_write.applied'] ?? 0) > 0);
    }
  });

  test('every message is accounted for: what is not held by a node or in flight is free', () => {
    const world = runToEnd(worldOf(planOf('crash_recovery', 2)));
    const { pool, queue } = world.arena;
    const inFlight = new Set<number>();
    for (let at = 0; at < queue.size; at++) {
      const slot = queue.slotAt(at);
      if (queue.kind[slot] === 0) inFlight.add(queue.a[slot] as number);
    }
    const held = pool.held as Int32Array;
    const count = pool.messages.length;
    const network = (world.replicaCount + world.clientCount) * count;
    for (const message of pool.messages) {
      let references = 0;
      for (let holder = 0; holder * count < held.length; holder++) {
        references += held[holder * count + message.index] as number;
      }
      assert.equal(references, message.references, `message ${message.index}`);
      if ((held[network + message.index] as number) > 0) assert.ok(inFlight.has(message.index));
    }
    assert.ok(world.counters.crashes > 0);
    assert.ok(pool.freeCount > count / 2, `${pool.freeCount} of ${count} free`);
  });
});
