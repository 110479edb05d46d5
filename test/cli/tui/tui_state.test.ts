/** What a key does on the screen, without a screen. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  FIRST_STATE,
  TABS,
  helpFor,
  onKey,
  type Intent,
  type KeyContext,
  type KeyName,
  type TuiState,
} from '../../../cli/tui/tui_state.ts';

const IDLE: KeyContext = { campaign: 'Idle', failures: 0, rows: 10, lines: 10 };

interface Pressed {
  readonly state: TuiState;
  readonly intents: Intent[];
}

function press(state: TuiState, context: KeyContext, ...keys: KeyName[]): Pressed {
  const intents: Intent[] = [];
  for (const key of keys) {
    const next = onKey(state, key, context);
    state = next.state;
    if (next.intent !== null) intents.push(next.intent);
  }
  return { state, intents };
}

test('tui state: s starts, Space pauses and resumes, each only where it can', () => {
  const intents = (campaign: KeyContext['campaign']): Intent[] =>
    press(FIRST_STATE, { ...IDLE, campaign }, 's', 'space').intents;
  assert.deepEqual(intents('Idle'), ['start']);
  assert.deepEqual(intents('Running'), ['pause']);
  assert.deepEqual(intents('Paused'), ['resume']);
  assert.deepEqual(intents('Completed'), ['start']);
});

test('tui state: Tab goes round the tabs, Shift-Tab back', () => {
  const tabs = TABS.map((): KeyName => 'tab');
  const seen = tabs.map((_, i) => press(FIRST_STATE, IDLE, ...tabs.slice(0, i)).state.tab);
  assert.deepEqual(seen, TABS);
  assert.equal(press(FIRST_STATE, IDLE, ...tabs).state.tab, 'Overview');
  assert.equal(press(FIRST_STATE, IDLE, 'shift tab').state.tab, 'Configuration');
});

test('tui state: scrolling stays inside what there is', () => {
  const coverage = press(FIRST_STATE, IDLE, 'tab', 'tab', 'tab').state;
  const context = { ...IDLE, lines: 25 };
  assert.equal(press(coverage, context, 'up').state.scroll.Coverage, 0);
  assert.equal(press(coverage, context, 'down', 'down', 'up').state.scroll.Coverage, 1);
  assert.equal(press(coverage, context, 'page down').state.scroll.Coverage, 9);
  assert.equal(press(coverage, context, 'page down', 'page down', 'page down').state.scroll.Coverage, 15);
  assert.equal(press(coverage, context, 'end', 'home').state.scroll.Coverage, 0);
  assert.equal(press(coverage, { ...context, lines: 5 }, 'end').state.scroll.Coverage, 0, 'all is in sight');
});

test('tui state: the log is held at its end, and up goes back', () => {
  const log = press(FIRST_STATE, IDLE, 'tab', 'tab', 'tab', 'tab').state;
  assert.equal(log.tab, 'Logs');
  const context = { ...IDLE, lines: 1000 };
  const up = press(log, context, 'up', 'page up').state;
  assert.equal(up.scroll.Logs, 10);
  assert.equal(press(up, context, 'end').state.scroll.Logs, 0);
  assert.equal(press(up, context, 'home').state.scroll.Logs, 990);
});

test('tui state: Enter opens the chosen failure at its end, Esc comes back, then quits', () => {
  const failures = press(FIRST_STATE, IDLE, 'tab', 'tab').state;
  assert.deepEqual(press(failures, IDLE, 'enter').intents, [], 'there is none');
  const context = { ...IDLE, campaign: 'Running' as const, failures: 3 };
  const opened = press(failures, context, 'down', 'down', 'down', 'up', 'enter');
  assert.equal(opened.state.opened, 1);
  assert.deepEqual(opened.intents, ['open']);
  const inStory = { ...context, lines: 100 };
  assert.equal(press(opened.state, inStory, 'up').state.storyScroll, 89);
  assert.equal(press(opened.state, inStory, 'home', 'down').state.storyScroll, 1);
  const back = press(opened.state, inStory, 'up', 'escape');
  assert.equal(back.state.opened, null);
  assert.deepEqual(back.intents, []);
  assert.deepEqual(press(back.state, context, 'escape').intents, ['quit']);
  assert.deepEqual(press(opened.state, inStory, 'q').intents, ['quit'], 'q quits everywhere');
  assert.equal(press(opened.state, inStory, 'tab').state.opened, null);
});

test('tui state: the status bar offers what can be done', () => {
  const keys = (state: TuiState, context: KeyContext): string[] => {
    return helpFor(state, context).map(([key]) => key);
  };
  assert.deepEqual(keys(FIRST_STATE, IDLE), ['s', 'Tab', 'q']);
  assert.deepEqual(keys(FIRST_STATE, { ...IDLE, campaign: 'Running' }), ['Space', 'Tab', 'q']);
  const failures = press(FIRST_STATE, IDLE, 'tab', 'tab').state;
  const two = { ...IDLE, campaign: 'Completed' as const, failures: 2 };
  assert.deepEqual(keys(failures, two), ['s', 'Enter', 'Tab', 'q', '↑↓']);
  const opened = press(failures, two, 'enter').state;
  assert.deepEqual(keys(opened, { ...two, lines: 99 }), ['Esc', 's', 'Tab', 'q', '↑↓ PgUp PgDn']);
});
