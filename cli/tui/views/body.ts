/** Which view a tab shows, and what of it fits. */
import { type CampaignModel } from '../../live/campaign_model.ts';
import { type CampaignSetup } from '../../live/campaign_setup.ts';
import { type Line } from '../lines.ts';
import { clamp, type TuiState } from '../tui_state.ts';
import { configuration } from './configuration.ts';
import { coverage } from './coverage.ts';
import { failures } from './failures.ts';
import { logs } from './logs.ts';
import { overview } from './overview.ts';
import { scenarios } from './scenarios.ts';
import { storyView, type Story } from './story.ts';

export interface Shown {
  /** At most as many as there is room for. */
  readonly lines: readonly Line[];
  /** Lines that scroll: how many there are, and how many of them are seen. */
  readonly total: number;
  readonly scrolled: number;
  /** Where in them one is: `12-31 of 90`; empty when all is seen. */
  readonly position: string;
}

export interface Showable {
  readonly model: CampaignModel;
  readonly setup: CampaignSetup;
  readonly story: Story | null;
}

export function body(state: TuiState, showable: Showable, width: number, height: number): Shown {
  const { model, setup, story } = showable;
  if (state.opened !== null && story !== null) {
    const { lines, total, scrolled, first } = storyView(story, state.storyScroll, width, height);
    return { lines, total, scrolled, position: positionOf(first, scrolled, total) };
  }
  switch (state.tab) {
    case 'Overview':
      return whole(overview(model, width, height));
    case 'Failures':
      return whole(failures(model, state.chosen, width, height));
    case 'Logs': {
      const total = model.log.length;
      const end = total - clamp(state.scroll.Logs, total - height);
      const lines = logs(model, state.scroll.Logs, width, height);
      const position = positionOf(Math.max(0, end - height), height, total);
      return { lines, total, scrolled: height, position };
    }
    case 'Scenarios':
      return windowed(scenarios(model, setup.scenarios, width), state.scroll.Scenarios, height);
    case 'Coverage':
      return windowed(coverage(model, width), state.scroll.Coverage, height);
    case 'Configuration':
      return windowed(configuration(setup, width), state.scroll.Configuration, height);
  }
}

function whole(lines: readonly Line[]): Shown {
  return { lines, total: lines.length, scrolled: lines.length, position: '' };
}

function windowed(lines: readonly Line[], scroll: number, height: number): Shown {
  const first = clamp(scroll, lines.length - height);
  return {
    lines: lines.slice(first, first + height),
    total: lines.length,
    scrolled: height,
    position: positionOf(first, height, lines.length),
  };
}

function positionOf(first: number, height: number, total: number): string {
  return total <= height ? '' : `${first + 1}-${Math.min(total, first + height)} of ${total}`;
}
