/** What a run decided, by identity: complete, cheap to leave off, and the same after a restore. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import {
  DECISIONS_MAX,
  packDecisions,
  readDecisions,
  tapeProblem,
} from '../../bundles/decision_tape.ts';
import { decisionText } from '../../bundles/decision_text.ts';
import { CANARY } from '../../core/canary.ts';
import { COMMAND_NAMES } from '../../core/message/header.ts';
import { findScenario } from '../../scenarios/registry.ts';
import { Counters } from '../../sim/counters.ts';
import { DOMAIN, Decisions, isChance, type DomainName } from '../../sim/decide.ts';
import { DecisionRecorder } from '../../sim/decision_recorder.ts';
import { FAMILY, decisionNames } from '../../sim/identity.ts';
import { makePlan, type PinnedDecision, type Plan } from '../../sim/plan.ts';
import { WorldPlaces } from '../../sim/search/run_seed.ts';
import { NO_LIMITS } from '../../sim/search/seed_result.ts';
import { Snapshot } from '../../sim/snapshot.ts';
import { type World } from '../../sim/world.ts';

const places = new WorldPlaces();

function planOf(scenario: string, seed: number): Plan {
  return makePlan(findScenario(scenario) ?? assert.fail(), seed);
}

function start(plan: Plan, recordDecisions = true): World {
  return places.start({ plan, canary: CANARY.none, limits: NO_LIMITS, recordDecisions });
}

suite('decision recorder', () => {
  test('it changes nothing, and its tape holds what came true', () => {
    const plan = planOf('combined', 3);
    const plain = start(plan, false);
    while (plain.step());
    assert.equal(plain.decisionTape(), null);
    const { faults } = plain.result();
    const digest = plain.digest();

    const world = start(plan);
    while (world.step());
    assert.equal(world.digest(), digest);
    const tape = world.decisionTape() ?? assert.fail();
    const decisions = [...readDecisions(tape)];
    assert.equal(decisions.filter(({ domain }) => domain === 'loss').length, faults['loss.applied']);
    assert.ok(decisions.length > world.events / 2, `${decisions.length} of ${world.events}`);
    assert.ok(decisions.every(({ domain, value }) => !isChance(domain) || value === 1));
    const texts = new Set(decisions.map((decision) => decisionText(decision, tape.names)));
    assert.ok(texts.size > decisions.length * 0.99, 'their words tell them apart');
    let event = 0;
    for (const decision of decisions) {
      assert.ok(decision.event >= event);
      event = decision.event;
    }
  });

  test('a key comes from its identity: pinning the whole tape, by identity, is the same run', () => {
    const plan = planOf('corruption_torn_write', 7);
    const world = start(plan);
    while (world.step());
    const digest = world.digest();
    const tape = world.decisionTape() ?? assert.fail();
    const decide = new Decisions(plan.seedWords, []);
    const taken = new Set(world.decisionsTaken().map(({ domain, key }) => `${domain} ${key}`));
    assert.ok(taken.size > 100);
    const all: PinnedDecision[] = [];
    for (const { domain, value, identity } of readDecisions(tape)) {
      const key = decide.keyOf(identity) >>> 0;
      all.push({ domain, key, value });
      if (isChance(domain)) assert.ok(taken.delete(`${domain} ${key}`), `${domain} ${key}`);
      assert.ok(DOMAIN[domain as DomainName] > 0);
    }
    assert.equal(taken.size, 0);
    // With other means all delays would be others, were they not pinned.
    const { network, storage } = plan;
    const changed: Plan = {
      ...plan,
      network: { ...network, delayMeanMicros: network.delayMeanMicros * 3 },
      storage: { ...storage, writeMeanMicros: storage.writeMeanMicros * 3 },
    };
    const unpinned = start(changed);
    while (unpinned.step());
    assert.notEqual(unpinned.digest(), digest);
    const pinned = start({ ...changed, decisions: all });
    while (pinned.step());
    assert.equal(pinned.digest(), digest);
  });

  test('beyond its bound it only counts', () => {
    const recorder = new DecisionRecorder({ ...new Counters(), events: 7 } as Counters);
    const over = 5;
    for (let i = 0; i < DECISIONS_MAX + over; i++) {
      recorder.made(i, FAMILY.link, i, 9, 0, 0, 0, 0);
      recorder.decide(DOMAIN.linkFactor, i, i & 1023);
      recorder.decide(DOMAIN.linkFactor, i, i & 1023); // Asked again: once on the tape.
    }
    const tape = packDecisions(recorder.columns(), recorder.total, decisionNames(DOMAIN, COMMAND_NAMES, 3));
    assert.equal(tape.count, DECISIONS_MAX);
    assert.ok(tape.total >= DECISIONS_MAX + over);
    assert.equal(tapeProblem(tape, 7), null);
  });

  test('a run restored in the middle records the same tape', () => {
    const world = start(planOf('combined', 5));
    for (let event = 0; event < 2_000; event++) assert.ok(world.step());
    const snapshot = Snapshot.of(world);
    while (world.step());
    const tape = world.decisionTape();
    snapshot.restore();
    while (world.step());
    assert.deepEqual(world.decisionTape(), tape);
  });
});
