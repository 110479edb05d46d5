/**
 * The screen of `vopr tui`: header, tabs, the view of the tab, status bar. It draws what the model
 * says, at most ten times a second, and turns keys into intents. Written without JSX, which Node
 * does not strip.
 */
import { createElement as h, useEffect, useRef, useState, type ReactElement } from 'react';
import { Box, Text, useInput, useWindowSize, type Key } from 'ink';
import { type CampaignModel, type CampaignState, type Failure } from '../live/campaign_model.ts';
import { type CampaignSetup } from '../live/campaign_setup.ts';
import { grouped } from '../numbers.ts';
import { ends, fit, line, span, type Line, type Span } from './lines.ts';
import {
  FIRST_STATE,
  TABS,
  helpFor,
  onKey,
  type KeyContext,
  type KeyName,
  type Tab,
  type TuiState,
} from './tui_state.ts';
import { body } from './views/body.ts';
import { type Story } from './views/story.ts';

export const COLUMNS_MIN = 40;
export const ROWS_MIN = 12;
/** Between looks at the model; keys are answered at once. */
export const POLL_MILLISECONDS = 100;
/** Header, tabs, the rule under them, status bar. */
const FRAME_ROWS = 4;

export interface AppProps {
  readonly model: CampaignModel;
  readonly setup: CampaignSetup;
  /** Seconds, of the clock that the model's happenings have. */
  readonly now: () => number;
  readonly start: () => void;
  readonly pause: () => void;
  readonly resume: () => void;
  readonly quit: () => void;
  /** Runs a failure again; what it tells is drawn as it comes. */
  readonly openStory: (failure: Failure) => Story;
  /** Seeds that were begun and are not over: they come in although the campaign is paused. */
  readonly inFlight: () => number;
}

export function App(props: AppProps): ReactElement {
  const { model } = props;
  const { columns, rows } = useWindowSize();
  // Not a state of React's: the second of two keys must see what the first one did.
  const screen = useRef<TuiState>(FIRST_STATE);
  const story = useRef<Story | null>(null);
  const drawn = useRef('');
  const logged = useRef(0);
  const [, redraw] = useState(0);

  useEffect(() => {
    const timer = setInterval(() => {
      model.tick(props.now());
      const running = model.state.name === 'Running' ? Math.floor(model.activeSeconds * 10) : 0;
      const stamp = `${model.version} ${running} ${props.inFlight()} ${story.current?.version ?? 0}`;
      if (stamp === drawn.current) return;
      drawn.current = stamp;
      // Lines that come while one reads further up leave what one reads where it is.
      const came = model.log.pushed - logged.current;
      logged.current = model.log.pushed;
      if (came > 0) screen.current = withLogScroll(screen.current, came);
      redraw((count) => count + 1);
    }, POLL_MILLISECONDS);
    return () => clearInterval(timer);
  }, [model, props]);

  const state = screen.current;
  const bodyRows = rows - FRAME_ROWS;
  const shown = body(state, { model, setup: props.setup, story: story.current }, columns, bodyRows);
  const context: KeyContext = {
    campaign: model.state.name,
    failures: model.failures.length,
    rows: shown.scrolled,
    lines: shown.total,
  };
  useInput((input, key) => {
    for (const name of keyNames(input, key)) {
      const next = onKey(screen.current, name, context);
      screen.current = next.state;
      if (next.state.opened === null) story.current = null;
      if (next.intent === 'open') {
        story.current = props.openStory(model.failures[next.state.opened as number] as Failure);
      } else if (next.intent !== null) {
        props[next.intent]();
      }
    }
    redraw((count) => count + 1);
  });

  if (columns < COLUMNS_MIN || rows < ROWS_MIN) return tooSmall(columns, rows);
  const lines: Line[] = [
    header(props, columns),
    tabBar(state.tab, model.failed, columns),
    line(span('─'.repeat(columns), { dim: true })),
    ...shown.lines,
  ];
  while (lines.length < rows - 1) lines.push([]);
  lines.push(statusBar(state, context, shown.position, columns));
  return h(Box, { flexDirection: 'column', width: columns, height: rows }, ...lines.map(lineElement));
}

function withLogScroll(state: TuiState, came: number): TuiState {
  if (state.scroll.Logs === 0) return state;
  return { ...state, scroll: { ...state.scroll, Logs: state.scroll.Logs + came } };
}

function tooSmall(columns: number, rows: number): ReactElement {
  const needs = `vopr tui needs ${COLUMNS_MIN}x${ROWS_MIN}`;
  const text = `This terminal has ${columns}x${rows} cells; ${needs}. q quits.`;
  return h(Box, { width: columns, height: rows, overflow: 'hidden' }, h(Text, { wrap: 'wrap' }, text));
}

function lineElement(text: Line, row: number): ReactElement {
  // An empty Text has no height.
  const spans = text.length === 0 ? [span(' ')] : text;
  return h(Text, { key: row, wrap: 'truncate-end' }, ...spans.map(spanElement));
}

const COLOURS = process.env['NO_COLOR'] === undefined || process.env['NO_COLOR'] === '';

function spanElement(item: Span, i: number): ReactElement {
  const { text, colour, bold = false, dim = false, inverse = false } = item;
  const color = COLOURS && colour !== undefined ? { color: colour } : {};
  return h(Text, { key: i, bold, dimColor: dim, inverse, ...color }, text);
}

// --- Frame ---

function header({ model, setup, inFlight }: AppProps, width: number): Line {
  const [first = '', ...more] = setup.scenarios;
  const others = more.length === 0 ? '' : ` +${more.length}`;
  const planted = setup.canary === null ? '' : `  canary ${setup.canary.name}`;
  const name = span('vopr', { bold: true });
  const left = line(name, `  ${first}${others}`, span(planted, { colour: 'magenta' }));
  const right = line(stateSpan(model.state, inFlight()));
  const gap = width - right.reduce((sum, { text }) => sum + text.length, 0) - 1;
  return ends(fit(left, gap), right, width);
}

function stateSpan(state: CampaignState, inFlight: number): Span {
  switch (state.name) {
    case 'Idle':
      return span('Idle', { dim: true });
    case 'Running': {
      const words = `Running ${grouped(state.taken)}/${grouped(state.planned)}`;
      return span(words, { colour: 'green', bold: true });
    }
    case 'Paused': {
      const rest = inFlight === 0 ? '' : `, ${inFlight} to come in`;
      return span(`Paused ${grouped(state.taken)}${rest}`, { colour: 'yellow', bold: true });
    }
    case 'Completed': {
      const words = `Completed ${grouped(state.successes)} ok, ${grouped(state.failures)} failed`;
      return span(words, { colour: state.failures > 0 ? 'red' : 'green', bold: true });
    }
  }
}

/** Titles in full where they fit; otherwise the others than the chosen one are cut. */
function tabBar(chosen: Tab, failed: number, width: number): Line {
  const title = (tab: Tab): string => (tab === 'Failures' && failed > 0 ? `Failures ${short3(failed)}` : tab);
  const full = TABS.map(title);
  const fits = full.reduce((sum, text) => sum + text.length + 2, 0) <= width;
  return TABS.flatMap((tab, i) => {
    const text = fits || tab === chosen ? (full[i] as string) : tab.slice(0, 4);
    const red = tab === 'Failures' && failed > 0 ? { colour: 'red' as const } : {};
    const style = tab === chosen ? { inverse: true, bold: true } : red;
    return fits ? [span(` ${text} `, style)] : [span(i === 0 ? '' : ' '), span(text, style)];
  });
}

function short3(count: number): string {
  return count > 999 ? '999+' : String(count);
}

function statusBar(state: TuiState, context: KeyContext, position: string, width: number): Line {
  const right = line(span(position, { dim: true }));
  const room = width - position.length - 1;
  const left: Span[] = [];
  let used = 0;
  for (const [key, words] of helpFor(state, context)) {
    const length = key.length + words.length + 3;
    if (used + length > room) break;
    left.push(span(key, { bold: true, colour: 'cyan' }), span(` ${words}  `, { dim: true }));
    used += length;
  }
  return ends(left, right, width);
}

// --- Keys ---

/** A paste, or keys that were quicker than the screen, come as one text. */
export function keyNames(input: string, key: Key): KeyName[] {
  if (key.ctrl && input === 'c') return ['q'];
  if (key.upArrow) return ['up'];
  if (key.downArrow) return ['down'];
  if (key.pageUp) return ['page up'];
  if (key.pageDown) return ['page down'];
  if (key.home) return ['home'];
  if (key.end) return ['end'];
  if (key.return) return ['enter'];
  if (key.escape) return ['escape'];
  if (key.tab) return [key.shift ? 'shift tab' : 'tab'];
  return [...input].map((character) => CHARACTERS[character] ?? 'other');
}

const CHARACTERS: Readonly<Record<string, KeyName>> = {
  ' ': 'space',
  '\t': 'tab',
  '\r': 'enter',
  s: 's',
  q: 'q',
};
