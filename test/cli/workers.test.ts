/** The threads of a campaign: a pause holds the seeds back and changes nothing else. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { type SeedTask } from '../../cli/vopr/seed_task.ts';
import { SeedWorkers } from '../../cli/vopr/workers.ts';
import { Campaign } from '../../sim/search/campaign.ts';
import { NO_LIMITS } from '../../sim/search/seed_result.ts';

const TASK: SeedTask = {
  scenario: 'baseline',
  seeds: { first: 1, stride: 1, count: 40 },
  canary: null,
  limits: { ...NO_LIMITS, events: 1500 },
  checkDeterminism: false,
  bundles: true,
  code: { version: '0', commit: '0', node: process.version },
};

const newCampaign = (): Campaign =>
  new Campaign({ scenario: TASK.scenario, seeds: TASK.seeds, keepGoing: true });

test('workers: paused, no seed is begun; resumed, the outcome is that of a run without a pause', async () => {
  const workers = new SeedWorkers(2);
  try {
    const straight = newCampaign();
    await workers.run(TASK, straight, () => {}).done;
    assert.equal(straight.taken, 40);

    const campaign = newCampaign();
    const first = Promise.withResolvers<void>();
    const running = workers.run(TASK, campaign, () => first.resolve());
    await first.promise;
    running.pause();
    while (running.inFlight > 0) await sleep(5);
    const taken = campaign.taken;
    assert.ok(taken > 0 && taken < 40, `${taken} seeds taken before the pause`);
    await sleep(300); // About as long as all 40 take.
    assert.equal(campaign.taken, taken);
    assert.ok(running.pausedSeconds >= 0.3);
    running.resume();
    await running.done;
    assert.ok(running.pausedSeconds < 30, 'it does not go on');
    assert.deepEqual(campaign.summary(), straight.summary());
  } finally {
    await workers.close();
  }
});

test('workers: a paused campaign can be stopped', async () => {
  const workers = new SeedWorkers(1);
  try {
    const campaign = newCampaign();
    const running = workers.run(TASK, campaign, () => {});
    running.pause();
    while (running.inFlight > 0) await sleep(5);
    running.stop();
    await running.done;
    assert.ok(campaign.taken < 40);
  } finally {
    await workers.close();
  }
});
