import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { CANARY } from '../../../core/canary.ts';
import { DecisionList } from '../../../cli/page/decision_list.ts';
import { changedPlan, outcomeOf, partingEvent } from '../../../cli/page/fork.ts';
import { Player, type PlayerOptions } from '../../../cli/page/player.ts';
import { planProblem } from '../../../sim/plan_check.ts';
import { type PinnedDecision } from '../../../sim/plan.ts';
import { failingRun } from './failing_run.ts';

const run = failingRun('reply-cache-skipped');
const original = played(run.options);
const decisions = new DecisionList(run.options);
while (!decisions.work(() => false));

function played(options: PlayerOptions): Player {
  const player = new Player(options);
  player.seek(Infinity);
  return player;
}

function forked(pin: PinnedDecision): Player {
  const plan = changedPlan(run.plan, [{ kind: 'pin', pin, text: '' }]);
  assert.equal(planProblem(JSON.parse(JSON.stringify(plan))), null, 'it can be saved and run elsewhere');
  return played({ ...run.options, plan });
}

/** First sending of a run that satisfies the test. */
function sending(test: (index: number) => boolean): number {
  const { timeline } = original;
  for (let i = 0; i < timeline.count; i++) {
    if (timeline.kind(i) === 'message' && timeline.what(i) === 'send' && test(i)) return i;
  }
  assert.fail('no such sending');
}

function lostAt(player: Player, index: number): boolean {
  const { timeline } = player;
  return timeline.what(index + 1) === 'drop' && timeline.cause(index + 1) === 'loss';
}

suite('fork', () => {
  test('a fork without changes is the same run', () => {
    const same = played({ ...run.options, plan: changedPlan(run.plan, []) });
    assert.equal(partingEvent(original, same), null);
    assert.equal(outcomeOf(original, same), 'same failure');
    assert.equal(same.result?.digest, run.bundle.digests.final);
  });

  test('the loss of a message is vetoed: it leaves, and up to there nothing is different', () => {
    const index = sending((i) => lostAt(original, i));
    const key = decisions.messageKey(original.timeline, index);
    assert.ok(key !== null);
    const fork = forked({ domain: 'loss', key, value: 0 });
    assert.equal(fork.timeline.text(index), original.timeline.text(index));
    assert.ok(!lostAt(fork, index));
    assert.ok((fork.timeline.partners[index] as number) > index + 1, 'and arrives');
    for (let i = 0; i <= index; i++) {
      const one = { ...fork.timeline.entry(i), packet: 0 };
      assert.deepEqual(one, { ...original.timeline.entry(i), packet: 0 });
    }
    const parting = partingEvent(original, fork);
    assert.ok(parting === null || parting > (original.timeline.events[index] as number));
  });

  test('every message that leaves can be lost, this one and no other before it', () => {
    const indices = [5, 40, 110].map((nth) => {
      let seen = 0;
      return sending((i) => original.timeline.partners[i] !== i + 1 && seen++ === nth);
    });
    for (const index of indices) {
      const key = decisions.messageKey(original.timeline, index);
      assert.ok(key !== null, original.timeline.text(index));
      const fork = forked({ domain: 'loss', key, value: 1 });
      assert.ok(lostAt(fork, index), `lost: ${original.timeline.text(index)}`);
      for (let i = 0; i < index; i++) assert.equal(fork.timeline.text(i), original.timeline.text(i));
    }
  });

  test('what chance did is listed by event, and a veto takes exactly that back', () => {
    const before = decisions.before(original.known, 1000);
    const losses = before.filter(({ domain }) => domain === 'loss');
    assert.equal(losses.length, run.bundle.decisions === null ? 0 : countLosses(original));
    const events = before.map(({ event }) => event);
    assert.deepEqual(events, [...events].sort((a, b) => b - a));
    assert.equal(decisions.after(original.known, 10).length, 0);
    assert.equal(decisions.after(0, 5).length, 5);
    const first = losses.at(-1);
    assert.ok(first !== undefined);
    const fork = forked(decisions.veto(first));
    const index = sending((i) => lostAt(original, i));
    assert.ok(!lostAt(fork, index));
  });

  test('without the planted bug there is no violation; with it again there is', () => {
    const clean = played({ ...run.options, canary: CANARY.none });
    assert.equal(outcomeOf(original, clean), 'no violation');
    assert.notEqual(partingEvent(original, clean), null);
    original.seek(100);
    original.seek(Infinity);
    assert.equal(original.world.digest(), run.bundle.digests.final, 'each player arms its own');
  });

  test('a scheduled fault is left out of the plan', () => {
    const { plan, options } = failingRun('torn-write-accepted');
    const crashes = plan.faults.filter(({ kind }) => kind === 'crash').length;
    assert.ok(crashes > 0);
    const index = plan.faults.findIndex(({ kind }) => kind === 'crash');
    const changed = changedPlan(plan, [{ kind: 'fault', index, text: '' }]);
    assert.equal(changed.faults.length, plan.faults.length - 1);
    const fork = played({ ...options, plan: changed });
    assert.notEqual(partingEvent(played(options), fork), null);
  });

  test('of two pins for one decision the later counts', () => {
    const pin = { domain: 'loss', key: 5, value: 1 };
    const changed = changedPlan({ ...run.plan, decisions: [pin, { ...pin, key: 6 }] }, [
      { kind: 'pin', pin: { ...pin, value: 0 }, text: '' },
    ]);
    assert.deepEqual(changed.decisions, [{ ...pin, value: 0 }, { ...pin, key: 6 }]);
  });
});

function countLosses({ timeline }: Player): number {
  let count = 0;
  for (let i = 0; i < timeline.count; i++) {
    const drop = timeline.kind(i) === 'message' && timeline.what(i) === 'drop';
    if (drop && timeline.cause(i) === 'loss') count++;
  }
  return count;
}
