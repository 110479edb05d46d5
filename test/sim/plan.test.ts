import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { FAULT_CLASSES, makePlan, seedWords, type ScenarioOptions } from '../../sim/plan.ts';

const SCENARIO: ScenarioOptions = {
  name: 'made_up',
  summary: 'For tests',
  replicas: [3, 5],
  clients: [2, 6],
  operationsPerClient: [10, 20],
  faultMicros: [1_000_000, 3_000_000],
  network: { delayMinMicros: [10, 100], delayMeanMicros: [100, 900], lossPpm: [1000, 50_000] },
  storage: {
    readMinMicros: 1,
    readMeanMicros: 10,
    writeMinMicros: 1,
    writeMeanMicros: 10,
    syncMinMicros: 1,
    syncMeanMicros: 10,
    lostPpm: 500_000,
  },
  clock: { offsetMicros: [0, 1000], driftPpm: [0, 100] },
  faults: {
    partitions: {
      count: [2, 4],
      lastsMicros: [1000, 9000],
      shapes: ['uniform_size', 'uniform_partition', 'isolate_primary', 'bridge', 'ring'],
      symmetry: 'coin',
      clientsToo: true,
    },
    clogs: { count: 3, lastsMicros: 5000, targets: ['primary', 'any'] },
    swizzles: { count: 1, links: 4, stepMicros: 100, holdMicros: 1000 },
    crashes: { count: 3, targets: ['any', 'backup'], downMicros: [10, 1000], duringWritePpm: 500_000 },
    restartsAll: { count: 1, downMicros: [10, 1000] },
    pauses: { count: 2, targets: ['primary'], lastsMicros: [10, 100] },
    bitRot: { count: 5, targets: ['any'], sectors: [1, 3] },
    latentSectors: { count: 2, targets: ['any'], sectors: 1 },
    ioErrors: { count: 1, targets: ['any'] },
    slowDisks: { count: 1, targets: ['any'], lastsMicros: 100, factor: 10 },
    clockJumps: { count: 1, targets: ['any'], byMicros: 1000 },
  },
  workload: {
    tenants: 1,
    streams: 2,
    weights: { append: [1, 10], read: 1 },
    eventsPerAppend: [1, 3],
    payloadBytes: [8, 20],
    thinkMicros: 'spread',
  },
  gates: [],
};

suite('plan', () => {
  test('the same seed gives the same plan, as JSON too', () => {
    const plan = makePlan(SCENARIO, 7);
    assert.deepEqual(makePlan(SCENARIO, '7'), plan);
    assert.deepEqual(JSON.parse(JSON.stringify(plan)), plan);
    assert.ok(Object.isFrozen(plan.faults[0]));
    assert.notDeepEqual(makePlan(SCENARIO, 8).faults, plan.faults);
  });

  test('seeds are numbers or any text', () => {
    assert.deepEqual(seedWords('007'), seedWords('7'));
    assert.deepEqual(seedWords('nightly-2026-11-22'), seedWords('nightly-2026-11-22'));
    assert.notDeepEqual(seedWords('nightly-2026-11-22'), seedWords('nightly-2026-11-23'));
  });

  test('faults are sorted, inside the fault phase, and aim at real nodes', () => {
    for (let seed = 0; seed < 50; seed++) {
      const plan = makePlan(SCENARIO, seed);
      const nodes = plan.replicaCount + plan.workload.clients;
      plan.faults.forEach((fault, i) => {
        assert.ok(i === 0 || fault.at >= (plan.faults[i - 1]?.at ?? 0));
        assert.ok(fault.at >= 0);
        if ('node' in fault) assert.ok(fault.node >= -3 && fault.node < plan.replicaCount);
        if (fault.kind === 'partition') {
          assert.equal(fault.links.length % 2, 0);
          for (const link of fault.links) assert.ok(link >= 0 && link < nodes);
        }
        if (fault.kind === 'restart_all') assert.equal(fault.down.length, plan.replicaCount);
      });
    }
  });

  test('a class that is up for the draw is on in about half of the runs; others always', () => {
    const swarm: ScenarioOptions = { ...SCENARIO, swarm: ['loss', 'crash'] };
    let loss = 0;
    let crash = 0;
    const runs = 200;
    for (let seed = 0; seed < runs; seed++) {
      const plan = makePlan(swarm, seed);
      const lossOn = plan.enabled.includes('loss');
      const crashOn = plan.enabled.includes('crash');
      if (lossOn) loss++;
      if (crashOn) crash++;
      assert.equal(plan.network.lossPpm > 0, lossOn);
      assert.equal(plan.faults.some((fault) => fault.kind === 'crash'), crashOn);
      assert.ok(plan.enabled.length >= FAULT_CLASSES.length - 2);
      assert.ok(plan.enabled.includes('partition'));
    }
    assert.ok(loss > runs * 0.35 && loss < runs * 0.65, `loss ${loss}`);
    assert.ok(crash > runs * 0.35 && crash < runs * 0.65, `crash ${crash}`);
  });

  test('taking one fault class away leaves every other value as it was', () => {
    const { crashes: _, ...faults } = SCENARIO.faults ?? {};
    const before = makePlan(SCENARIO, 3);
    const after = makePlan({ ...SCENARIO, faults }, 3);
    assert.deepEqual(after.faults, before.faults.filter((fault) => fault.kind !== 'crash'));
    assert.deepEqual(after.workload, before.workload);
    assert.deepEqual(after.network, before.network);
  });

  test('work that is spread lasts about as long as the fault phase', () => {
    const { workload, faultMicros } = makePlan(SCENARIO, 5);
    const mean = (workload.thinkMicros[0] + workload.thinkMicros[1]) / 2;
    const total = mean * workload.operationsPerClient;
    assert.ok(total > faultMicros * 0.7 && total < faultMicros, `${total} of ${faultMicros}`);
  });
});
