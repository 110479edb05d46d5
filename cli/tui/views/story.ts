/**
 * The timeline of one failure: the lanes of all nodes above, a line a fact below, the violation at
 * the end. The lanes show the events up to the last line in sight: scrolling goes back in time.
 */
import { type Failure } from '../../live/campaign_model.ts';
import { type FailureStory } from '../../live/failure_story.ts';
import { grouped } from '../../numbers.ts';
import { type StyledLine, type Tone } from '../../render/styled_text.ts';
import { symbolOf } from '../../vopr/entry_symbols.ts';
import { logLine, type LogRow } from '../../vopr/timeline_log.ts';
import { TIMELINE_WIDTH_MIN, nodeName, timelineLines } from '../../vopr/timeline_view.ts';
import { fit, line, span, wrapped, type Line, type Style } from '../lines.ts';
import { clamp } from '../tui_state.ts';

/** The run of a failure, told again: filled in when it is over. */
export interface Story {
  readonly failure: Failure;
  /** Grows when there is more to draw. */
  version: number;
  told: FailureStory | null;
  /** Why not. */
  problem: string;
}

export function newStory(failure: Failure): Story {
  return { failure, version: 0, told: null, problem: '' };
}

export interface StoryShown {
  readonly lines: readonly Line[];
  readonly total: number;
  /** Rows of the log in sight. */
  readonly scrolled: number;
  readonly first: number;
}

/** Columns that a line with what the replica says of itself takes at least. */
const WIDE = 120;
/** Cells that timelines keep for labels. */
const LABELS = 15;

export function storyView(story: Story, scroll: number, width: number, height: number): StoryShown {
  const { failure, told, problem } = story;
  const title = fit(
    line(
      span(`#${failure.number} ${failure.violation.invariant}`, { colour: 'red', bold: true }),
      ` ${failure.scenario} seed ${failure.seed}`,
    ),
    width,
  );
  const only = (lines: readonly Line[]): StoryShown => {
    return { lines: [title, ...lines], total: 0, scrolled: 0, first: 0 };
  };
  if (problem !== '') return only(wrapped(problem, width, height - 1, { colour: 'yellow' }));
  if (told === null) return only([line(span('Running it again, with an observer …', { dim: true }))]);

  const { rows, replicaCount } = told;
  const laneCount = lanesThatFit(told, width, height);
  // The height of the lanes does not depend on what is in them, but for the legend: without it.
  const scrolled = Math.max(1, height - 1 - laneCount);
  const first = clamp(scroll, rows.length - scrolled);
  const shown = rows.slice(first, first + scrolled);
  const lanes = laneCount === 0 ? [] : lanesUpTo(told, shown.at(-1)?.entry.event ?? 0, width, laneCount);
  return {
    lines: [
      outcomeLine(title, told, width),
      ...lanes,
      ...shown.map((row) => fit(rowLine(row, replicaCount, width), width)),
    ],
    total: rows.length,
    scrolled,
    first,
  };
}

/** Two lines of marks and a lane a node; replicas alone where there is no room for clients. */
function lanesThatFit({ replicaCount, clientCount }: FailureStory, width: number, height: number): number {
  if (width < TIMELINE_WIDTH_MIN) return 0;
  const room = height - 1 - Math.max(4, Math.floor(height * 0.4));
  for (const nodes of [replicaCount + clientCount, replicaCount]) {
    if (3 + nodes <= room) return 3 + nodes;
  }
  return 0;
}

/** An event a cell, the last one at the right edge. */
function lanesUpTo(told: FailureStory, event: number, width: number, count: number): Line[] {
  const { replicaCount, clientCount, circumstances, rows } = told;
  const columns = width - LABELS;
  const from = Math.max(0, event - columns + 1);
  const nodes = Array.from({ length: count - 3 }, (_, node) => node);
  return timelineLines({
    entries: rows.map(({ entry }) => entry).filter((entry) => entry.event >= from && entry.event <= event),
    circumstances,
    replicaCount,
    clientCount,
    nodes,
    axis: 'event',
    from,
    to: from + columns - 1,
    width,
  })
    .slice(0, count)
    .map((styled) => fit(toned(styled), width));
}

function outcomeLine(title: Line, { outcome, leftOut }: FailureStory, width: number): Line {
  const [, departed] = outcome.split('\n');
  const before = leftOut === 0 ? '' : `  without its first ${grouped(leftOut)} facts`;
  const odd = departed === undefined ? '' : `  ${departed}`;
  return fit([...title, span(before, { dim: true }), span(odd, { colour: 'yellow' })], width);
}

function rowLine(row: LogRow, replicaCount: number, width: number): Line {
  if (width >= WIDE) return toned(logLine(row, replicaCount));
  const { entry } = row;
  const { symbol, tone } = symbolOf(entry);
  const style = STYLES[tone];
  return line(
    span(`${String(entry.event).padStart(7)} `, { dim: true }),
    span(nodeName(entry.node, replicaCount).padEnd(6), { bold: true }),
    span(`${symbol} `, style),
    span(entry.text, tone === 'faint' ? {} : style),
  );
}

const STYLES: Readonly<Record<Tone, Style>> = {
  plain: {},
  strong: { bold: true },
  faint: { dim: true },
  failure: { colour: 'red', bold: true },
  fault: { colour: 'yellow' },
  recovery: { colour: 'green' },
  protocol: { colour: 'magenta' },
  data: { colour: 'cyan' },
};

function toned(styled: StyledLine): Line {
  return styled.map(({ text, tone }) => span(text, STYLES[tone]));
}
