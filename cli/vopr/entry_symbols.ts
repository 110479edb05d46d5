/**
 * One character for each thing that can happen, and how much it weighs: where several share a cell
 * of a timeline, the weightiest is seen. Source: reference "vopr" 8.3, with symbols of their own for
 * flush, drop, partition, heal and a failed check, which shared others there.
 */
import { type Entry } from '../../sim/recorder.ts';
import { type Tone } from '../render/styled_text.ts';

export interface EntrySymbol {
  readonly symbol: string;
  /** For the legend. */
  readonly name: string;
  readonly weight: number;
  readonly tone: Tone;
}

/** Heaviest first; the weight is the place in this list. */
const TABLE: readonly (readonly [kindAndWhat: string, symbol: string, name: string, tone: Tone])[] = [
  ['violation', '!', 'violation', 'failure'],
  ['check failed', 'E', 'check failed', 'failure'],
  ['crash panic', '✗', 'crash', 'fault'],
  ['crash crash', '✗', 'crash', 'fault'],
  ['storage write_failed', 'X', 'storage failed', 'fault'],
  ['storage read_failed', 'X', 'storage failed', 'fault'],
  ['storage flush_failed', 'X', 'storage failed', 'fault'],
  ['storage torn_write', '%', 'sector damaged', 'fault'],
  ['storage garbage_write', '%', 'sector damaged', 'fault'],
  ['storage lost_write', '%', 'sector damaged', 'fault'],
  ['storage bit_rot', '%', 'sector damaged', 'fault'],
  ['storage latent_sector', '%', 'sector damaged', 'fault'],
  ['partition', '#', 'partition', 'fault'],
  ['heal phase', 'H', 'all faults end', 'recovery'],
  ['heal', '+', 'heal', 'recovery'],
  ['restart resume', '↑', 'restart', 'recovery'],
  ['restart', '↑', 'restart', 'recovery'],
  ['crash pause', 'P', 'pause', 'fault'],
  ['crash clock_jump', 'J', 'clock jump', 'fault'],
  ['view_change', 'V', 'view change', 'protocol'],
  ['client failure', 'x', 'refused', 'fault'],
  ['commit sync', 'S', 'state sync', 'data'],
  ['commit checkpoint', 'K', 'checkpoint', 'data'],
  ['commit', 'C', 'commit', 'data'],
  ['client success', 'r', 'answer', 'plain'],
  ['client request', 'R', 'request', 'plain'],
  ['message drop', '/', 'message lost', 'fault'],
  ['message hold', '=', 'message held', 'fault'],
  ['message send', 'M', 'send', 'plain'],
  ['message duplicate', 'M', 'send', 'plain'],
  ['message deliver', 'm', 'deliver', 'plain'],
  ['message ignore', 'i', 'ignored', 'faint'],
  ['storage write_done', 'w', 'write done', 'plain'],
  ['storage write_start', 'W', 'write', 'plain'],
  ['storage flush', 'f', 'flush done', 'plain'],
  ['storage flush_start', 'F', 'flush', 'plain'],
  ['storage read', 'l', 'read done', 'faint'],
  ['storage read_start', 'L', 'read', 'faint'],
  ['storage slow_disk', 'Z', 'slow disk', 'fault'],
  ['storage slow_disk_end', 'z', 'slow disk ends', 'recovery'],
  ['check', '✓', 'checked', 'recovery'],
];

const SYMBOLS = new Map<string, EntrySymbol>(
  TABLE.map(([key, symbol, name, tone], i) => [key, { symbol, name, tone, weight: TABLE.length - i }]),
);
const OTHER: EntrySymbol = { symbol: '·', name: 'other', weight: 0, tone: 'faint' };

export function symbolOf(entry: Pick<Entry, 'kind' | 'what'>): EntrySymbol {
  return SYMBOLS.get(`${entry.kind} ${entry.what}`) ?? SYMBOLS.get(entry.kind) ?? OTHER;
}

/** Each symbol once, heaviest first. */
export function allSymbols(): EntrySymbol[] {
  const first = new Map<string, EntrySymbol>();
  for (const entry of SYMBOLS.values()) if (!first.has(entry.symbol)) first.set(entry.symbol, entry);
  return [...first.values()];
}
