/**
 * A bundle on changed code. A change to the code is played by a change to the bundle's plan or
 * canary after it was recorded: other means, as if a distribution were written anew; an operation
 * that is no longer asked for; the bug gone.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { encodeBundle, type Bundle } from '../../../bundles/format.ts';
import { decisionText } from '../../../bundles/decision_text.ts';
import { runsOf } from '../../../cli/vopr/catalogue.ts';
import { type Plan } from '../../../sim/plan.ts';
import { driftOf, planByIdentity } from '../../../sim/search/drift.ts';
import { replayBundle, type BundleReplay, type BundleRuns } from '../../../sim/search/replay_bundle.ts';
import { type SeedViolation } from '../../../sim/search/seed_result.ts';
import { runToEnd } from '../../../sim/search/seed_run.ts';
import { failingBundle } from '../../support/failing_bundle.ts';

/** Two logs are mixed in a view change. */
const BUNDLE = failingBundle('view-change-longest-log', 16);
const PLAN = BUNDLE.plan as unknown as Plan;

/** The plan with other means of delay, and then a run of it alone. */
function slower(bundle: Bundle): { runs: BundleRuns; alone: SeedViolation | null } {
  const { network, ...plan } = bundle.plan as unknown as Plan;
  const delayMeanMicros = Math.floor(network.delayMeanMicros * 1.5);
  const changed = { ...plan, network: { ...network, delayMeanMicros } };
  const runs = runsOf({ ...bundle, plan: changed } as unknown as Bundle);
  return { runs, alone: runToEnd(runs.start(runs.plan, false, 0)).violation };
}

function replay(change: Partial<Plan>, canary = BUNDLE.canary): BundleReplay {
  const bundle = { ...BUNDLE, plan: { ...PLAN, ...change }, canary } as unknown as Bundle;
  return replayBundle(runsOf(bundle), 3);
}

function firstInWords({ drift }: BundleReplay): string {
  const first = drift?.first ?? null;
  return first === null ? '' : `${first.why}: ${decisionText(first.decision, PLAN_NAMES)}`;
}
const PLAN_NAMES = BUNDLE.decisions?.names ?? assert.fail();

suite('replay of a bundle', () => {
  test('on the same code: exact, at each event', () => {
    const run = replay({});
    assert.equal(run.outcome, 'reproduced');
    assert.equal(run.way, 'exact');
    assert.equal(run.replay.departure, null);
    assert.equal(run.drift, null);
    assert.equal(run.replay.lastEvents.length, 3);
    assert.deepEqual(run.replay.result.violation, { ...violationOf(BUNDLE) });
  });

  test('with other means of delay: the plan alone loses the failure, the tape keeps it', () => {
    const rare = failingBundle('stale-view-accepted', 96, (bundle) => slower(bundle).alone === null);
    const run = replayBundle(slower(rare).runs, 0);
    assert.equal(run.outcome, 'reproduced');
    assert.equal(run.way, 'identity');
    assert.equal(run.replay.departure, null);
    assert.equal(run.drift?.matched, rare.decisions?.count);
    assert.equal(run.drift?.first, null);
  });

  test('with an operation left out: still reproduced, and the first decision that is missed is named', () => {
    // Not every operation can be spared: of those of the first client, one that can.
    let run = replay({});
    for (let index = 0; index < 10 && (run.way === 'exact' || run.outcome !== 'reproduced'); index++) {
      run = replay({ workload: { ...PLAN.workload, omitted: [index] } });
    }
    assert.equal(run.outcome, 'reproduced');
    assert.equal(run.way, 'identity');
    assert.match(firstInWords(run), /^only then: operation \d+ of C0 operation \d$/);
    const { drift, replay: { departure } } = run;
    assert.ok(drift !== null && drift.first !== null && departure !== null);
    assert.ok(drift.first.decision.event <= departure.event, 'decisions depart before digests do');
    assert.equal(drift.recorded, drift.matched + drift.otherwise + drift.onlyThen);
    assert.ok(drift.matched > drift.recorded * 0.9);
    assert.ok(drift.onlyThen > 0 && drift.onlyNow > 0);
  });

  test('with the bug gone: no failure, and the same decisions up to where it used to strike', () => {
    const run = replay({}, null);
    assert.equal(run.outcome, 'no failure');
    const { drift } = run;
    assert.ok(drift !== null && drift.first !== null);
    assert.ok(drift.first.decision.event <= BUNDLE.failure.event);
    assert.ok(drift.matched > drift.recorded * 0.9, `${drift.matched} of ${drift.recorded}`);
    assert.ok(drift.onlyNow > 0, 'the run goes on');
  });

  test('another failure is told from the recorded one', () => {
    const bundle = { ...BUNDLE, failure: { ...BUNDLE.failure, invariant: 'liveness' } };
    assert.equal(replayBundle(runsOf(bundle), 0).outcome, 'different failure');
  });

  test('a bundle of schema 1 is run from its plan, also when its digests depart', () => {
    const run = replayBundle(runsOf({ ...BUNDLE, canary: null, decisions: null }), 0);
    assert.equal(run.way, 'plan');
    assert.equal(run.outcome, 'no failure');
    assert.notEqual(run.replay.departure, null);
    assert.equal(run.drift, null);
  });

  test('pins of a tape: the plan keeps its own, and an unknown domain is passed over', () => {
    const tape = BUNDLE.decisions ?? assert.fail();
    const own = { domain: 'loss', key: 7, value: 1 };
    const domains = tape.names.domains.map((name) => (name === 'loss' ? 'later' : name));
    const names = { ...tape.names, domains };
    const pinned = planByIdentity({ ...PLAN, decisions: [own] }, { ...tape, names }).decisions;
    assert.deepEqual(pinned[0], own);
    assert.ok(!pinned.some(({ domain }) => domain === 'later'));
    assert.ok(pinned.length > tape.count * 0.9);
    const twice = planByIdentity({ ...PLAN, decisions: pinned }, { ...tape, names }).decisions;
    assert.deepEqual(twice, pinned, 'what is pinned already is not pinned again');
    const drift = driftOf({ ...tape, names }, tape, PLAN.seedWords);
    assert.equal(drift.matched + drift.onlyThen, drift.recorded);
    assert.equal(drift.onlyThen, drift.onlyNow);
    assert.ok(drift.onlyThen > 0);
  });
});

function violationOf(bundle: Bundle): object {
  const { signature: _, ...violation } = bundle.failure;
  return violation;
}

test('a bundle of schema 2 is small beside its events', () => {
  const size = encodeBundle(BUNDLE).byteLength;
  assert.ok(size < BUNDLE.events * 10, `${size} bytes for ${BUNDLE.events} events`);
});
