/**
 * What a key does: pure. The state of the screen (tab, scroll, choice) changes here; what concerns
 * the campaign leaves as an intent, which app.ts carries out.
 */
import { type CampaignState } from '../live/campaign_model.ts';

export const TABS = ['Overview', 'Scenarios', 'Failures', 'Coverage', 'Logs', 'Configuration'] as const;
export type Tab = (typeof TABS)[number];

export interface TuiState {
  readonly tab: Tab;
  /** Lines above the first one shown, by tab; of the log: lines below the last one shown. */
  readonly scroll: Readonly<Record<Tab, number>>;
  /** The chosen failure, from 0. */
  readonly chosen: number;
  /** The failure whose timeline is open, from 0; null: none. */
  readonly opened: number | null;
  /** Lines of the open timeline above the first one shown. */
  readonly storyScroll: number;
}

export const FIRST_STATE: TuiState = {
  tab: 'Overview',
  scroll: { Overview: 0, Scenarios: 0, Failures: 0, Coverage: 0, Logs: 0, Configuration: 0 },
  chosen: 0,
  opened: null,
  storyScroll: Number.MAX_SAFE_INTEGER, // The violation is at its end.
};

export type KeyName =
  | 'up' | 'down' | 'page up' | 'page down' | 'home' | 'end'
  | 'tab' | 'shift tab' | 'enter' | 'escape' | 'space' | 's' | 'q' | 'other';

/** What the screen shows when the key comes. */
export interface KeyContext {
  readonly campaign: CampaignState['name'];
  readonly failures: number;
  /** Lines that the body has room for, and lines that there are in what is shown now. */
  readonly rows: number;
  readonly lines: number;
}

export type Intent = 'start' | 'pause' | 'resume' | 'quit' | 'open' | null;

export function onKey(
  state: TuiState,
  key: KeyName,
  context: KeyContext,
): { readonly state: TuiState; readonly intent: Intent } {
  const stay = (intent: Intent): { state: TuiState; intent: Intent } => ({ state, intent });
  const go = (change: Partial<TuiState>, intent: Intent = null): { state: TuiState; intent: Intent } => {
    return { state: { ...state, ...change }, intent };
  };
  switch (key) {
    case 'q':
      return stay('quit');
    case 'escape':
      return state.opened === null ? stay('quit') : go({ opened: null });
    case 's':
      return stay(context.campaign === 'Idle' || context.campaign === 'Completed' ? 'start' : null);
    case 'space':
      if (context.campaign === 'Running') return stay('pause');
      return stay(context.campaign === 'Paused' ? 'resume' : null);
    case 'tab':
    case 'shift tab': {
      const by = key === 'tab' ? 1 : TABS.length - 1;
      const tab = TABS[(TABS.indexOf(state.tab) + by) % TABS.length] as Tab;
      return go({ tab, opened: null });
    }
    case 'enter':
      if (state.tab !== 'Failures' || state.opened !== null || context.failures === 0) return stay(null);
      return go(
        { opened: clamp(state.chosen, context.failures - 1), storyScroll: FIRST_STATE.storyScroll },
        'open',
      );
    default: {
      const by = distance(key, context);
      return by === 0 ? stay(null) : go(scrolled(state, by, context));
    }
  }
}

function distance(key: KeyName, { rows, lines, failures }: KeyContext): number {
  const page = Math.max(1, rows - 1);
  const all = Math.max(lines, failures);
  const by = { up: -1, down: 1, 'page up': -page, 'page down': page, home: -all, end: all };
  return by[key as keyof typeof by] ?? 0;
}

function scrolled(state: TuiState, by: number, context: KeyContext): Partial<TuiState> {
  const most = Math.max(0, context.lines - context.rows);
  if (state.opened !== null) return { storyScroll: clamp(clamp(state.storyScroll, most) + by, most) };
  if (state.tab === 'Failures') {
    return { chosen: clamp(clamp(state.chosen, context.failures - 1) + by, context.failures - 1) };
  }
  const { tab } = state;
  const direction = tab === 'Logs' ? -by : by; // The log is held at its end.
  const scroll = clamp(clamp(state.scroll[tab], most) + direction, most);
  return { scroll: { ...state.scroll, [tab]: scroll } };
}

/** Into 0..max; also of a `max` below 0. */
export function clamp(value: number, max: number): number {
  return Math.max(0, Math.min(value, max));
}

/** What can be done now, most important first: keys and words for the status bar. */
export function helpFor(state: TuiState, context: KeyContext): readonly (readonly [string, string])[] {
  const help: [string, string][] = [];
  if (state.opened !== null) help.push(['Esc', 'back']);
  if (context.campaign === 'Idle') help.push(['s', 'start']);
  if (context.campaign === 'Running') help.push(['Space', 'pause']);
  if (context.campaign === 'Paused') help.push(['Space', 'resume']);
  if (context.campaign === 'Completed') help.push(['s', 'next seeds']);
  if (state.opened === null && state.tab === 'Failures' && context.failures > 0) {
    help.push(['Enter', 'timeline']);
  }
  help.push(['Tab', 'next tab']);
  help.push(['q', 'quit']);
  if (state.opened === null && state.tab === 'Failures') {
    if (context.failures > 1) help.push(['↑↓', 'choose']);
  } else if (context.lines > context.rows) {
    help.push(['↑↓ PgUp PgDn', 'scroll']);
  }
  return help;
}
