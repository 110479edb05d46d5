/**
 * Search in words: `view change`, `send by R1`, `commit op 7`, `crash R2`, `drop prepare`. Words
 * that name a kind, a detail, a node, an op or a view narrow the search; all others must stand in
 * the entry's text.
 */
import { ENTRY_KINDS, type EntryKind } from '../../sim/recorder.ts';
import { KIND, NONE, type Timeline } from './timeline.ts';

export interface Query {
  readonly kinds: readonly EntryKind[];
  /** Any of them must be the entry's detail. */
  readonly whats: readonly string[];
  /** Lanes; the entry happens on one of them. */
  readonly nodes: readonly number[];
  readonly op: number;
  readonly view: number;
  /** In lower case; each must stand in text, detail or cause. */
  readonly words: readonly string[];
}

/** Details that people call by other words, or that need their kind beside them. */
const WHATS: Readonly<Record<string, { readonly kind: EntryKind; readonly whats: readonly string[] }>> = {
  send: { kind: 'message', whats: ['send', 'duplicate'] },
  sent: { kind: 'message', whats: ['send', 'duplicate'] },
  deliver: { kind: 'message', whats: ['deliver'] },
  delivery: { kind: 'message', whats: ['deliver'] },
  drop: { kind: 'message', whats: ['drop'] },
  duplicate: { kind: 'message', whats: ['duplicate'] },
  request: { kind: 'client', whats: ['request'] },
  success: { kind: 'client', whats: ['success'] },
  reply: { kind: 'client', whats: ['success', 'failure'] },
  failure: { kind: 'client', whats: ['failure'] },
  checkpoint: { kind: 'commit', whats: ['checkpoint'] },
  sync: { kind: 'commit', whats: ['sync'] },
  timeout: { kind: 'view_change', whats: ['timeout'] },
  write: { kind: 'storage', whats: ['write_start', 'write_done', 'write_failed'] },
  read: { kind: 'storage', whats: ['read_start', 'read', 'read_failed'] },
  flush: { kind: 'storage', whats: ['flush_start', 'flush', 'flush_failed'] },
  pause: { kind: 'crash', whats: ['pause'] },
  panic: { kind: 'crash', whats: ['panic'] },
  resume: { kind: 'restart', whats: ['resume'] },
  phase: { kind: 'heal', whats: ['phase'] },
};
/** Why a message was dropped, where `drop` stands beside it; `lost` alone means all that were. */
const DROP_CAUSES: ReadonlySet<string> = new Set(['loss', 'partition', 'overflow', 'crashed']);
const IGNORED = new Set(['next', 'previous', 'by', 'on', 'of', 'at', 'a', 'the', 'from']);
const KINDS: ReadonlySet<string> = new Set(ENTRY_KINDS);

/** Never fails: what it does not understand is looked for as text. */
export function parseQuery(text: string, replicaCount: number): Query {
  const kinds = new Set<EntryKind>();
  const whats = new Set<string>();
  const nodes: number[] = [];
  const words: string[] = [];
  let op = NONE;
  let view = NONE;
  const tokens = text.toLowerCase().replace(/view[ _]change/g, 'view_change')
    .replace(/\b(op|view)[ =:#]*(\d+)/g, '$1=$2').replace(/\blost\b/g, 'drop loss')
    .split(/[\s,]+/).filter((token) => token !== '');
  const drops = tokens.some((token) => WHATS[token]?.whats[0] === 'drop');
  for (const token of tokens) {
    const node = /^([rc])(\d{1,3})$/.exec(token);
    const number = /^(op|view)=(\d+)$/.exec(token);
    const singular = token === 'crashes' ? 'crash' : token.replace(/s$/, '');
    const what = WHATS[token] ?? WHATS[singular];
    if (node !== null) {
      nodes.push(Number(node[2]) + (node[1] === 'c' ? replicaCount : 0));
    } else if (number !== null) {
      if (number[1] === 'op') op = Number(number[2]);
      else view = Number(number[2]);
    } else if (drops && DROP_CAUSES.has(token)) {
      words.push(token);
    } else if (KINDS.has(token)) {
      kinds.add(token as EntryKind);
    } else if (KINDS.has(singular)) {
      kinds.add(singular as EntryKind);
    } else if (what !== undefined) {
      kinds.add(what.kind);
      for (const name of what.whats) whats.add(name);
    } else if (!IGNORED.has(token)) {
      words.push(token);
    }
  }
  return { kinds: [...kinds], whats: [...whats], nodes, op, view, words };
}

export function queryIsEmpty(query: Query): boolean {
  const { kinds, whats, nodes, op, view, words } = query;
  return kinds.length + whats.length + nodes.length + words.length === 0 && op === NONE && view === NONE;
}

/** A test on an entry's index; columns first, texts last. */
export function matcher(timeline: Timeline, query: Query): (index: number) => boolean {
  const { whats, nodes, op, view, words } = query;
  const kinds = query.kinds.map((kind) => KIND[kind]);
  return (index) => {
    if (kinds.length > 0 && !kinds.includes(timeline.kinds[index] as number)) return false;
    if (op !== NONE && timeline.ops[index] !== op) return false;
    if (view !== NONE && timeline.views[index] !== view) return false;
    if (nodes.length > 0 && !nodes.includes(timeline.nodes[index] as number)) return false;
    if (whats.length > 0 && !whats.includes(timeline.what(index))) return false;
    if (words.length === 0) return true;
    const kind = timeline.kind(index);
    const text = `${kind} ${timeline.what(index)} ${timeline.cause(index)} ${timeline.text(index)}`;
    const lower = text.toLowerCase();
    return words.every((word) => lower.includes(word));
  };
}

/** Index of the nearest match after (`forwards`) or before `index`; -1 when there is none. */
export function findEntry(timeline: Timeline, query: Query, index: number, forwards: boolean): number {
  const matches = matcher(timeline, query);
  if (forwards) {
    for (let i = index + 1; i < timeline.count; i++) if (matches(i)) return i;
  } else {
    for (let i = Math.min(index, timeline.count) - 1; i >= 0; i--) if (matches(i)) return i;
  }
  return NONE;
}
