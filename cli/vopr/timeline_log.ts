/**
 * A run as a log: a line an entry, for runs too long for a picture. In front a column a node, so
 * that the eye can follow one of them downwards; then what the replica said of itself at that very
 * moment: role, status, view, commits (executed/known) and head.
 */
import { type Entry } from '../../sim/recorder.ts';
import { span, type StyledLine } from '../render/styled_text.ts';
import { symbolOf } from './entry_symbols.ts';
import { nodeName } from './timeline_view.ts';

/** What a replica says of itself; of another system's node, as much of it as it has. */
export interface ReplicaStatus {
  readonly role: string;
  readonly status: string;
  readonly view: number;
  readonly commitMin: number;
  readonly commitMax: number;
  readonly op: number;
}

export type LaneState = 'up' | 'down' | 'paused';

export interface LogRow {
  readonly entry: Entry;
  /** Of the entry's node; null: it is a client or the world, it is down, or it says nothing. */
  readonly status: ReplicaStatus | null;
  /** Of all replicas. */
  readonly lanes: readonly LaneState[];
}

const EVENT_COLUMNS = 8;
const SECONDS_COLUMNS = 13;
const LANE: Readonly<Record<LaneState, string>> = { up: '.', down: ' ', paused: '~' };

/** Columns of symbols: the world, each replica, all clients together. */
export function logHeader(replicaCount: number): StyledLine {
  const lanes = Array.from({ length: replicaCount }, (_, node) => String(node)).join('');
  const when = 'event'.padStart(EVENT_COLUMNS) + 'seconds'.padStart(SECONDS_COLUMNS);
  const about = statusColumns('role', 'status', 'view', 'commit', 'head');
  return [span(`${when} w${lanes}c  node   ${about}what`, 'faint')];
}

export function logLine({ entry, status, lanes }: LogRow, replicaCount: number): StyledLine {
  const { symbol, tone } = symbolOf(entry);
  const columns = [' ', ...lanes.map((lane) => LANE[lane]), ' '];
  const place = Math.min(entry.node, replicaCount) + 1;
  const seconds = (entry.virtualMicros / 1e6).toFixed(6).padStart(SECONDS_COLUMNS);
  return [
    span(`${String(entry.event).padStart(EVENT_COLUMNS)}${seconds} `),
    span(columns.slice(0, place).join(''), 'faint'),
    span(symbol, tone),
    span(columns.slice(place + 1).join(''), 'faint'),
    span(`  ${nodeName(entry.node, replicaCount).padEnd(5)}  `, 'strong'),
    span(statusText(status)),
    span(entry.text, tone === 'faint' ? 'plain' : tone),
  ];
}

function statusText(status: ReplicaStatus | null): string {
  if (status === null) return statusColumns('', '', '', '', '');
  const { role, view, commitMin, commitMax, op } = status;
  return statusColumns(role, status.status, `v${view}`, `${commitMin}/${commitMax}`, `${op}`);
}

function statusColumns(role: string, status: string, view: string, commit: string, head: string): string {
  return `${role.padEnd(8)}${status.padEnd(16)}${view.padEnd(5)}${commit.padEnd(10)}${head.padEnd(6)}`;
}
