/**
 * What happened in a run, as a list for people and tools: timeline, show, the time-travel page, the
 * terminal, the story of a minimised failure. A world tells its observer of each fact as it happens
 * (watch.ts); a `Recorder` is the observer that keeps them, so many and of such kinds as it is asked.
 *
 * Observing changes nothing: no decision, no digest. An observer is no part of a world's state: a
 * snapshot neither saves nor restores it, and it stays attached. When the world is put back to an
 * earlier event, `rewound` says to which, and a recorder forgets what came after it.
 */

/** The kinds, and under `what` their details as `watch.ts` gives them. */
export const ENTRY_KINDS = [
  /** request, success, failure. */
  'client',
  /** {read, write, flush}_start, read, write_done, flush, {read, write, flush}_failed; what a crash
   * did to a sector: lost_write, torn_write, garbage_write; bit_rot, latent_sector, slow_disk(_end). */
  'storage',
  /** send, duplicate, deliver, drop, hold (a clogged link keeps it), ignore (by who received it). */
  'message',
  /** A replica's new status: normal, view_change, recovering_head; timeout: why it leaves a view. */
  'view_change',
  /** commit, checkpoint, sync (a checkpoint of others was installed). */
  'commit',
  /** What befalls a process: crash, pause, panic, clock_jump. */
  'crash',
  /** start, restart, resume. */
  'restart',
  /** partition, isolate, clog. */
  'partition',
  /** partition, isolate, clog: that one ended; phase: all faults ended. */
  'heal',
  /** passed: checkers compared something; failed: a replica that a violation is about. */
  'check',
  /** The id of the checker. */
  'violation',
] as const;
export type EntryKind = (typeof ENTRY_KINDS)[number];

/** One fact. Plain data; never changed once it was handed over. */
export interface Entry {
  /** Number of the world's event during which it happened; the first is 1, 0 is before it. */
  readonly event: number;
  readonly virtualMicros: number;
  readonly kind: EntryKind;
  /** The kind's detail, see `ENTRY_KINDS`. */
  readonly what: string;
  /** Lane: replicas first, then clients; -1: the world. Of a message's fate: who was to get it. */
  readonly node: number;
  /** The other end; -1: none. */
  readonly peer: number;
  /** -1: unknown or none. */
  readonly view: number;
  readonly op: number;
  /** Why, in one word: of a drop loss, partition, overflow or crashed; '' when there is no why. */
  readonly cause: string;
  /** Number of the packet on its link, the same for send and fate; -1: none (yet). */
  readonly packet: number;
  /** Words for people, without time and lane. */
  readonly text: string;
}

export interface WorldObserver {
  entry(entry: Entry): void;
  /** The world stands behind this event again: what came later has not happened. */
  rewound?(event: number): void;
}

/** What to keep; whatever is left out lets everything pass. Ranges include both ends. */
export interface EntryFilter {
  readonly kinds?: readonly EntryKind[];
  /** Lanes; entries of the world itself (-1) always pass. */
  readonly nodes?: readonly number[];
  readonly micros?: readonly [from: number, to: number];
  readonly events?: readonly [from: number, to: number];
  /** Only what is about this op; violations and what befalls nodes and links pass all the same. */
  readonly op?: number;
}

/** Kinds that are about no op, and without which an op's story cannot be understood. */
const CIRCUMSTANCES: readonly EntryKind[] = [
  'view_change', 'crash', 'restart', 'partition', 'heal', 'violation',
];

export function entryMatches(entry: Entry, filter: EntryFilter): boolean {
  const { kinds, nodes, micros, events, op } = filter;
  if (kinds !== undefined && !kinds.includes(entry.kind)) return false;
  if (nodes !== undefined && entry.node !== -1 && !nodes.includes(entry.node)) return false;
  if (micros !== undefined && !within(entry.virtualMicros, micros)) return false;
  if (events !== undefined && !within(entry.event, events)) return false;
  return op === undefined || entry.op === op || CIRCUMSTANCES.includes(entry.kind);
}

function within(value: number, [from, to]: readonly [number, number]): boolean {
  return value >= from && value <= to;
}

/** About 200 bytes an entry. */
export const RECORDER_ENTRIES_MAX = 50_000;

export interface RecorderOptions {
  /** The newest so many are kept. */
  readonly capacity?: number;
  readonly filter?: EntryFilter;
}

export class Recorder implements WorldObserver {
  private readonly capacity: number;
  private readonly filter: EntryFilter;
  private list: Entry[] = [];
  /** Entries that were pushed out by newer ones. */
  leftOut = 0;

  constructor(options: RecorderOptions = {}) {
    this.capacity = options.capacity ?? RECORDER_ENTRIES_MAX;
    this.filter = options.filter ?? {};
  }

  /** What is kept, oldest first; at most `capacity`. A copy. */
  entries(): Entry[] {
    this.trim();
    return this.list.slice();
  }

  entry(entry: Entry): void {
    if (!entryMatches(entry, this.filter)) return;
    this.list.push(entry);
    // Trimmed by halves: one move of the list for as many entries as it holds.
    if (this.list.length >= 2 * this.capacity) this.trim();
  }

  /** Entries that were pushed out before do not come back. */
  rewound(event: number): void {
    const { list } = this;
    while (list.length > 0 && (list.at(-1) as Entry).event > event) list.pop();
  }

  private trim(): void {
    const excess = this.list.length - this.capacity;
    if (excess <= 0) return;
    this.leftOut += excess;
    this.list = this.list.slice(excess);
  }
}
