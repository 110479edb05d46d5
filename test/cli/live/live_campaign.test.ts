/** A campaign that is watched runs the seeds that `vopr run` runs, in rounds, and can be held up. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { LiveCampaign } from '../../../cli/live/live_campaign.ts';
import { type Failure } from '../../../cli/live/campaign_model.ts';
import { chosenCampaigns, type CampaignOptions } from '../../../cli/vopr/campaign_options.ts';
import { readLedger } from '../../../cli/vopr/ledger.ts';

const DIRECTORY = mkdtempSync(join(tmpdir(), 'vopr-live-'));
after(() => rmSync(DIRECTORY, { recursive: true, force: true }));

function campaignOf(names: readonly string[], options: Partial<CampaignOptions>): LiveCampaign {
  const bundleDir = join(DIRECTORY, 'bundles');
  return new LiveCampaign(chosenCampaigns(names, { jobs: 2, bundleDir, ledger: false, ...options }));
}

test('live campaign: rounds take the seeds one after another, and are written to the ledger', async () => {
  const ledger = join(DIRECTORY, 'rounds.jsonl');
  const campaign = campaignOf(['baseline', 'message_loss'], { seeds: 3, ledger });
  campaign.start();
  campaign.start(); // It runs already.
  await campaign.round;
  assert.deepEqual(campaign.model.state, { name: 'Completed', successes: 6, failures: 0 });
  campaign.start();
  await campaign.round;
  await campaign.close();
  assert.equal(campaign.interrupted, false);
  assert.deepEqual(
    campaign.reports.map(({ summary, scope }) => [summary.scenario, scope.seeds.first, summary.count]),
    [['baseline', 1, 3], ['message_loss', 1, 3], ['baseline', 4, 3], ['message_loss', 4, 3]],
  );
  assert.deepEqual(campaign.model.recent.newest(3).map(({ seed }) => seed), [6, 5, 4]);
  const { campaigns, damaged } = readLedger(ledger);
  assert.deepEqual(campaigns.map(({ started }) => started.seeds.first), [1, 1, 4, 4]);
  assert.deepEqual(damaged, []);
});

test('live campaign: a pause at the end of a scenario holds the next one back', async () => {
  const campaign = campaignOf(['baseline', 'message_loss'], { seeds: 2, jobs: 1, events: 500 });
  try {
    campaign.start();
    while (campaign.model.sum('taken') === 0) await sleep(1);
    campaign.pause();
    while (campaign.inFlight > 0) await sleep(1);
    const held = campaign.model.sum('taken');
    assert.equal(held, 2, 'both seeds of the first scenario, which were begun at once');
    await sleep(300);
    assert.deepEqual([campaign.model.state.name, campaign.model.sum('taken')], ['Paused', held]);
    campaign.resume();
    await campaign.round;
    assert.equal(campaign.model.sum('taken'), 4);
  } finally {
    await campaign.close();
  }
});

test('live campaign: a failure has a bundle and a command, and ends it without --keep-going', async () => {
  const told: Failure[] = [];
  const campaign = campaignOf([], { canary: 'commit-before-quorum', seeds: 5 });
  campaign.onFailure = (failure) => told.push(failure);
  campaign.start();
  await campaign.round;
  await campaign.close();
  assert.equal(campaign.model.failed, 1);
  assert.match(campaign.model.log.newest(1)[0]?.text ?? '', /^ended by a violation/);
  const [failure] = told;
  assert.ok(failure !== undefined && told.length === 1);
  assert.equal(failure.canary, 'commit-before-quorum');
  assert.equal(failure.replay.command, `vopr repro ${failure.replay.bundle}`);
  assert.ok(readFileSync(failure.replay.bundle ?? '').byteLength > 100);
  assert.ok(campaign.model.canaryReached > 0);
});

test('live campaign: closed while it is paused, it is interrupted and leaves no thread behind', async () => {
  const campaign = campaignOf(['baseline'], { seeds: 500, jobs: 1, events: 500 });
  campaign.start();
  while (campaign.model.sum('taken') === 0) await sleep(5);
  campaign.pause();
  await campaign.close();
  assert.equal(campaign.interrupted, true);
  assert.equal(campaign.model.state.name, 'Completed');
  assert.match(campaign.reports[0]?.missing[0] ?? '', /interrupted/);
  campaign.start(); // Too late.
  assert.equal(campaign.model.state.name, 'Completed');
});

test('live campaign: a bundle that cannot be written is an error of the campaign', async () => {
  const bundleDir = '/dev/null/bundles';
  const campaign = campaignOf([], { canary: 'commit-before-quorum', seeds: 1, bundleDir });
  campaign.start();
  await assert.rejects(campaign.failed, /Cannot write the bundle "\/dev\/null\/bundles/);
  await campaign.close();
});
