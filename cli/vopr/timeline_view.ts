/**
 * A timeline as text: one lane a node, time from left to right, a symbol for what happened in a cell.
 * Pure: entries in, lines out; the command prints them, the terminal program shows them.
 *
 *                0.000               2.000               4.000
 *                |                   |                   |
 *     world                  #-------------+
 *     R0           ↑VmCMmCMm✗         ↑VmmCm!
 *
 * Between symbols a lane shows its node's state: `·` runs, `~` stands still, blank is down; the
 * world's lane `-` while some link is cut or clogged.
 */
import { type Entry } from '../../sim/recorder.ts';
import { type StyledLine, type Span, type Tone, span } from '../render/styled_text.ts';
import { allSymbols, symbolOf, type EntrySymbol } from './entry_symbols.ts';

const LABEL_COLUMNS = 12;
/** Label, and the gap to the cells. */
const RESERVED_COLUMNS = 15;
const MARK_COLUMNS = 20;
export const TIMELINE_WIDTH_MIN = 40;
export const TIMELINE_WIDTH_DEFAULT = 120;

export interface Timeline {
  /** What to show, in order; those outside of `from`..`to` are left out. */
  readonly entries: readonly Entry[];
  /**
   * Every crash, restart, partition and heal since the run began, in order: what lanes look like
   * between symbols, also where a filter left those entries out.
   */
  readonly circumstances: readonly Entry[];
  readonly replicaCount: number;
  readonly clientCount: number;
  /** Lanes to show, by node; left out: all. The world's lane is always there. */
  readonly nodes?: readonly number[];
  /** What goes from left to right: virtual microseconds, or numbers of events. */
  readonly axis: 'time' | 'event';
  /** Ends of the axis, both included. */
  readonly from: number;
  readonly to: number;
  /** Columns of a line. */
  readonly width: number;
}

type Cell = Pick<EntrySymbol, 'symbol' | 'tone' | 'weight'>;

export function nodeName(node: number, replicaCount: number): string {
  if (node < 0) return 'world';
  return node < replicaCount ? `R${node}` : `C${node - replicaCount}`;
}

export function timelineLines(timeline: Timeline): StyledLine[] {
  const { replicaCount, clientCount, nodes } = timeline;
  const columns = Math.max(TIMELINE_WIDTH_MIN, timeline.width) - RESERVED_COLUMNS;
  const lanes = [-1];
  for (let node = 0; node < replicaCount + clientCount; node++) {
    if (nodes === undefined || nodes.includes(node)) lanes.push(node);
  }
  const cells = new Map(lanes.map((node) => [node, background(timeline, node, columns)]));
  for (const entry of timeline.entries) {
    const lane = cells.get(entry.node);
    const column = columnOf(timeline, entry, columns);
    if (lane === undefined || column === -1) continue;
    const symbol = symbolOf(entry);
    if (symbol.weight > (lane[column] as Cell).weight) lane[column] = symbol;
  }
  const lines: StyledLine[] = markLines(timeline, columns);
  for (const node of lanes) {
    const label = nodeName(node, replicaCount).padEnd(LABEL_COLUMNS);
    lines.push([span(label, 'strong'), span('   '), ...spansOf(cells.get(node) as Cell[])]);
  }
  const seen = new Set([...cells.values()].flatMap((lane) => lane.map(({ symbol }) => symbol)));
  const symbols = allSymbols().filter(({ symbol }) => seen.has(symbol));
  return [...lines, [], ...legendLines(symbols, timeline.width)];
}

/** -1: outside. */
function columnOf({ axis, from, to }: Timeline, entry: Entry, columns: number): number {
  const value = axis === 'time' ? entry.virtualMicros : entry.event;
  if (value < from || value > to) return -1;
  return Math.floor(((value - from) / (to - from + 1)) * columns);
}

// --- What a lane looks like where nothing happens ---

const UP: Cell = { symbol: '·', tone: 'faint', weight: 0 };
const DOWN: Cell = { symbol: ' ', tone: 'plain', weight: 0 };
const PAUSED: Cell = { symbol: '~', tone: 'fault', weight: 0 };
const CUT: Cell = { symbol: '-', tone: 'fault', weight: 0 };

function background(timeline: Timeline, node: number, columns: number): Cell[] {
  const { axis, from, circumstances, replicaCount } = timeline;
  let state = node < replicaCount ? DOWN : UP;
  let cuts = 0;
  const lane: Cell[] = [];
  for (const entry of circumstances) {
    const before = (axis === 'time' ? entry.virtualMicros : entry.event) < from;
    const column = before ? 0 : columnOf(timeline, entry, columns);
    if (column === -1) break;
    // A state lasts up to the cell in which it ends.
    while (lane.length < column) lane.push(state);
    if (node === -1) {
      cuts = cutsAfter(cuts, entry);
      state = cuts > 0 ? CUT : DOWN;
    } else if (entry.node === node) {
      state = stateAfter(state, entry);
    }
  }
  while (lane.length < columns) lane.push(state);
  return lane;
}

function cutsAfter(cuts: number, { kind, what }: Entry): number {
  if (kind === 'partition') return cuts + 1;
  if (kind !== 'heal') return cuts;
  return what === 'phase' ? 0 : Math.max(0, cuts - 1);
}

function stateAfter(state: Cell, { kind, what }: Entry): Cell {
  if (kind === 'restart') return UP;
  if (kind === 'crash' && what === 'crash') return DOWN;
  if (kind === 'crash' && what === 'pause') return PAUSED;
  return state;
}

// --- Marks and legend ---

function markLines({ axis, from, to }: Timeline, columns: number): StyledLine[] {
  let labels = '';
  let ticks = '';
  const perColumn = (to - from + 1) / columns;
  const decimals = decimalsFor(perColumn * MARK_COLUMNS);
  for (let column = 0; column < columns; column += MARK_COLUMNS) {
    const value = from + column * perColumn;
    const label = axis === 'time' ? (value / 1e6).toFixed(decimals) : `#${Math.ceil(value)}`;
    if (column + label.length > columns) break;
    labels = labels.padEnd(column) + label;
    ticks = `${ticks.padEnd(column)}|`;
  }
  const unit = axis === 'time' ? 'seconds' : 'event';
  return [
    [span(unit.padEnd(RESERVED_COLUMNS) + labels, 'faint')],
    [span(' '.repeat(RESERVED_COLUMNS) + ticks, 'faint')],
  ];
}

/** So many that marks differ from each other. */
function decimalsFor(markMicros: number): number {
  let decimals = 1;
  for (let unit = 1e6; decimals < 6 && markMicros < unit * 10; unit /= 10) decimals++;
  return decimals;
}

/** What symbols mean, as many to a line as fit. */
export function legendLines(symbols: readonly EntrySymbol[], width: number): StyledLine[] {
  const lines: StyledLine[] = [];
  let line: Span[] = [];
  let length = 0;
  for (const { symbol, name, tone } of symbols) {
    const item = [span(symbol, tone), span(` ${name}`)];
    const size = symbol.length + name.length + 1;
    if (length > 0 && length + 3 + size > width) {
      lines.push(line);
      line = [];
      length = 0;
    }
    if (length > 0) item.unshift(span('   '));
    line.push(...item);
    length += size + (length > 0 ? 3 : 0);
  }
  if (length > 0) lines.push(line);
  return lines;
}

/** Cells of one tone in a row become one span. */
function spansOf(cells: readonly Cell[]): Span[] {
  const spans: Span[] = [];
  let text = '';
  let tone: Tone = 'plain';
  for (const cell of cells) {
    if (cell.tone !== tone && text !== '') {
      spans.push(span(text, tone));
      text = '';
    }
    tone = cell.tone;
    text += cell.symbol;
  }
  if (text !== '') spans.push(span(text, tone));
  return spans;
}
