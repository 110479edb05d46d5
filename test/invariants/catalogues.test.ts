/**
 * Scenarios, invariants and canaries name each other; no name dangles, and none is forgotten.
 */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { CANARY } from '../../core/canary.ts';
import { CHECKER_IDS, checkersOf } from '../../invariants/registry.ts';
import { findScenario, nearestScenario, SCENARIO_NAMES, SCENARIOS } from '../../scenarios/registry.ts';
import { CANARIES, findCanary } from '../../sim/canaries.ts';
import { Counters, counterValue } from '../../sim/counters.ts';
import { makePlan } from '../../sim/plan.ts';
import { WorldPlaces } from '../../sim/search/run_seed.ts';

describe('scenarios', () => {
  // Probes are defined when the code that they are in is loaded.
  assert(WorldPlaces !== undefined);

  it('are the twelve of the catalogue', () => {
    assert.deepEqual([...SCENARIO_NAMES].sort(), [
      'baseline',
      'combined',
      'corruption_bit_flip',
      'corruption_torn_write',
      'crash_recovery',
      'message_loss',
      'message_reorder',
      'network_partition_asymmetric',
      'network_partition_symmetric',
      'race_concurrent_view_changes',
      'restart_all_at_once',
      'swizzle_clogging',
    ]);
  });

  for (const scenario of SCENARIOS) {
    it(`${scenario.name} makes plans, asks for counters that exist and for checkers that exist`, () => {
      for (let seed = 1; seed <= 5; seed++) assert.equal(makePlan(scenario, seed).scenario, scenario.name);
      for (const gate of scenario.gates) {
        counterValue(new Counters(), gate.counter, 0, {});
      }
      assert(scenario.gates.length > 0, 'a scenario without a gate can pass without happening');
      assert.equal(checkersOf(scenario.invariants).length, scenario.invariants.length);
      assert.match(scenario.summary, /^[A-Z].{20,110}[^.]$/);
    });
  }

  it('together require every checker but one', () => {
    const required = new Set(SCENARIOS.flatMap((scenario) => scenario.invariants));
    // A history that ends exactly at a checkpoint leaves it nothing to compare.
    assert.deepEqual(CHECKER_IDS.filter((id) => !required.has(id)), ['journal_consistency']);
  });

  it('are found by either spelling, and by the nearest name', () => {
    assert.equal(findScenario('crash-recovery')?.name, 'crash_recovery');
    assert.equal(findScenario('nothing'), null);
    assert.equal(nearestScenario('crash_recvery'), 'crash_recovery');
    assert.equal(nearestScenario('reorder'), 'message_reorder');
    assert.equal(nearestScenario('Combind'), 'combined');
    assert.equal(nearestScenario('zzzzzzzzzzzz'), null);
  });
});

describe('canaries', () => {
  it('are all in the catalogue, under one name each', () => {
    const ids = Object.values(CANARY).filter((id) => id !== CANARY.none);
    assert.deepEqual(CANARIES.map((canary) => canary.id).sort((a, b) => a - b), ids);
    assert.equal(new Set(CANARIES.map((canary) => canary.name)).size, CANARIES.length);
    for (const [key, id] of Object.entries(CANARY)) {
      if (id === CANARY.none) continue;
      const name = key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
      assert.equal(CANARIES.find((canary) => canary.id === id)?.name, name);
    }
  });

  for (const canary of CANARIES) {
    it(`${canary.name} names a checker and a scenario that requires it`, () => {
      const scenario = findScenario(canary.scenario);
      assert(scenario !== null);
      assert(scenario.invariants.includes(canary.caughtBy));
      assert(canary.seeds >= 1 && canary.seeds <= 200);
      assert.equal(findCanary(canary.name.replaceAll('-', '_')), canary);
    });
  }
});
