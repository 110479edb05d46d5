/** Every view at every size: no line too long, none too many, and what matters is there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CampaignSetup } from '../../../cli/live/campaign_setup.ts';
import { CampaignModel, type Failure } from '../../../cli/live/campaign_model.ts';
import { tellFailure } from '../../../cli/live/failure_story.ts';
import { plain, widthOf } from '../../../cli/tui/lines.ts';
import { FIRST_STATE, TABS, type Tab, type TuiState } from '../../../cli/tui/tui_state.ts';
import { body } from '../../../cli/tui/views/body.ts';
import { newStory, type Story } from '../../../cli/tui/views/story.ts';
import { DECLARED, failing, seedResult } from '../live/seed_results.ts';

const SETUP: CampaignSetup = {
  scenarios: ['calm', 'storm', 'a_scenario_with_a_name_that_is_longer_than_most_of_them'],
  seeds: { first: 1, stride: 1, count: 100 },
  canary: { name: 'deaf-primary', checker: 'liveness' },
  limits: { events: 1_000_000, micros: null },
  checkDeterminism: true,
  keepGoing: true,
  jobs: 2,
  bundleDirectory: '/a/directory/that/lies/deeper/than/a/narrow/terminal/has/room/for/bundles',
  ledger: '.vopr/ledger.jsonl',
  code: { version: '0.1.0', commit: 'abcdef012345', node: 'v24.21.0' },
};

function modelAfter(seeds: number): CampaignModel {
  const model = new CampaignModel(DECLARED, 'deaf-primary');
  const scenarios = SETUP.scenarios.map((name) => ({ name, seeds: 100 }));
  if (seeds > 0) model.apply({ at: 0, kind: 'started', scenarios });
  for (let seed = 1; seed <= seeds; seed++) {
    const failed = seed % 5 === 0;
    const message = 'R0 committed one thing at op 7, R2 committed quite another thing at op 7 '.repeat(3);
    const vacuous = seed % 7 === 0 ? { unmet: ['client.replies at least 5: 1'] } : {};
    const result = failed ? failing(seed, message) : seedResult(seed, vacuous);
    const bundle = `/tmp/bundles/calm-${seed}-agreement.kmb`;
    const replay = failed ? { bundle, command: `vopr repro ${bundle}` } : null;
    model.apply({ at: seed, kind: 'seed taken', scenario: 'calm', result, replay });
  }
  return model;
}

/** A failing run of 5 lanes and more, told once for all sizes. */
function toldStory(failure: Failure): Story {
  const story = newStory(failure);
  story.told = tellFailure({
    bundle: null,
    scenario: 'network_partition_symmetric',
    seed: 50,
    canary: 'quorum-too-small',
  });
  return story;
}

test('views: at every size from 40x12 on each fits, with nothing to show and with much', () => {
  const empty = modelAfter(0);
  const full = modelAfter(300);
  const failure = full.failures[0] as Failure;
  const broken: Story = { ...newStory(failure), problem: 'gone '.repeat(90) };
  const stories = [newStory(failure), broken, toldStory(failure)];
  const check = (state: TuiState, model: CampaignModel, story: Story | null): void => {
    for (const width of [40, 41, 59, 60, 72, 76, 80, 99, 100, 119, 120, 200]) {
      for (const height of [8, 9, 12, 20, 26, 56]) {
        const shown = body(state, { model, setup: SETUP, story }, width, height);
        const where = `${state.tab} ${state.opened === null ? '' : 'story '}at ${width}x${height}`;
        assert.ok(shown.lines.length <= height, `${where}: ${shown.lines.length} lines`);
        assert.ok(shown.lines.length > 0, where);
        for (const text of shown.lines) {
          assert.ok(widthOf(text) <= width, `${where}: ${plain(text)}`);
          assert.doesNotMatch(plain(text), /NaN|Infinity|undefined/);
        }
      }
    }
  };
  for (const tab of TABS) {
    for (const model of [empty, full]) {
      for (const by of [0, 7, Number.MAX_SAFE_INTEGER]) {
        check({ ...FIRST_STATE, tab, scroll: { ...FIRST_STATE.scroll, [tab]: by } }, model, null);
      }
    }
  }
  for (const story of stories) {
    for (const storyScroll of [0, 30, Number.MAX_SAFE_INTEGER]) {
      check({ ...FIRST_STATE, tab: 'Failures', opened: 0, storyScroll }, full, story);
    }
  }
});

test('views: the smallest terminal still shows outcome and failure', () => {
  const text = (tab: Tab): string => {
    const shown = body({ ...FIRST_STATE, tab }, { model: modelAfter(20), setup: SETUP, story: null }, 40, 8);
    return shown.lines.map(plain).join('\n');
  };
  assert.match(text('Overview'), /passed +14[\s\S]*failed +4[\s\S]*vacuous +2/);
  assert.match(text('Overview'), /Last of 4 failures: agreement/);
  assert.match(text('Failures'), /^4 failures, 1 distinct\n▸#1 +calm 5 +agreement/);
  assert.match(text('Scenarios'), /calm 20\/100\n {2}14 passed 4 failed 2 vacuous/);
});
