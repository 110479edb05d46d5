/**
 * What clients saw, as numbers in growing arrays, and the judgement whether it is linearizable.
 *
 * A stream is an append-only list, so no search is needed: every acknowledged append claims its
 * offsets, and with them its place in the one order of its stream. What remains to check is, per
 * stream (streams are independent objects, and linearizability is local):
 *   1. the claims fit: one event an offset, one offset an event, batches whole, no holes;
 *   2. reads return exactly the claimed events;
 *   3. the claimed order respects real time: if A returned before B was called, then A's position
 *      is not after B's. One sort and one sweep, O(n log n).
 * A call without an answer may have taken effect at any time after its call, or never; a read that
 * shows its events tells that it did, and where. Source: reference "vopr" 2.4.
 */

export const OPERATION_KIND = {
  /** Acknowledged: `offset` is that of its first event. */
  appended: 0,
  /** Outcome unknown. */
  unknown: 1,
  /** Definitely had no effect; `length` is what the answer told of the stream, or -1. */
  refused: 2,
  /** Returned `events` from `offset`; `length` is the stream length it saw, or -1 if not told. */
  read: 3,
} as const;

const NEVER = Number.POSITIVE_INFINITY;

export interface HistoryProblem {
  readonly stream: number;
  readonly message: string;
  /** Index of the operation found wrong, and of the one it contradicts (or -1). */
  readonly operation: number;
  readonly other: number;
}

export interface HistoryVerdict {
  /** In order of discovery; empty when the history is linearizable. */
  readonly problems: readonly HistoryProblem[];
  readonly comparisons: number;
}

/** Events of one stream. */
interface StreamEvents {
  /** Event at each known offset, -1 for a hole. */
  readonly events: number[];
  /** Operation that put it there or showed it. */
  readonly shownBy: number[];
  /** Operations on the stream, in order of recording. */
  readonly operations: number[];
}

export class HistoryLog {
  count = 0;
  kind = new Uint8Array(256);
  process = new Int32Array(256);
  stream = new Float64Array(256);
  calledAt = new Float64Array(256);
  /** Infinity for an unknown outcome. */
  returnedAt = new Float64Array(256);
  offset = new Float64Array(256);
  length = new Float64Array(256);
  eventFirst = new Uint32Array(256);
  eventCount = new Uint32Array(256);
  /** Events of all operations, one after another. An event is a number unique in the history. */
  events = new Float64Array(1024);
  eventsCount = 0;

  /** Adds an operation; its events follow by `addEvent`. Times are in any one unit. */
  add(
    kind: number,
    process: number,
    stream: number,
    calledAt: number,
    returnedAt: number,
    offset: number,
    length: number,
  ): number {
    const i = this.count++;
    if (i === this.kind.length) this.grow();
    this.kind[i] = kind;
    this.process[i] = process;
    this.stream[i] = stream;
    this.calledAt[i] = calledAt;
    this.returnedAt[i] = kind === OPERATION_KIND.unknown ? NEVER : returnedAt;
    this.offset[i] = offset;
    this.length[i] = length;
    this.eventFirst[i] = this.eventsCount;
    this.eventCount[i] = 0;
    return i;
  }

  /** One more event of the operation added last. */
  addEvent(event: number): void {
    if (this.eventsCount === this.events.length) {
      const events = new Float64Array(this.eventsCount * 2);
      events.set(this.events);
      this.events = events;
    }
    this.events[this.eventsCount++] = event;
    const last = this.count - 1;
    this.eventCount[last] = (this.eventCount[last] as number) + 1;
  }

  private grow(): void {
    const size = this.kind.length * 2;
    const kind = new Uint8Array(size);
    kind.set(this.kind);
    this.kind = kind;
    const process = new Int32Array(size);
    process.set(this.process);
    this.process = process;
    this.stream = grownFloats(this.stream, size);
    this.calledAt = grownFloats(this.calledAt, size);
    this.returnedAt = grownFloats(this.returnedAt, size);
    this.offset = grownFloats(this.offset, size);
    this.length = grownFloats(this.length, size);
    const eventFirst = new Uint32Array(size);
    eventFirst.set(this.eventFirst);
    this.eventFirst = eventFirst;
    const eventCount = new Uint32Array(size);
    eventCount.set(this.eventCount);
    this.eventCount = eventCount;
  }
}

function grownFloats(from: Float64Array<ArrayBuffer>, size: number): Float64Array<ArrayBuffer> {
  const target = new Float64Array(size);
  target.set(from);
  return target;
}

export interface JudgeOptions {
  /** Also require that a read called after its acknowledgement shows each acknowledged event. */
  readonly everyEventRead?: boolean;
  /** How to print an event and a stream. */
  readonly nameOfEvent?: (event: number) => string;
  readonly nameOfStream?: (stream: number) => string;
}

/** Judges the whole history. Does not change the log. */
export function judge(log: HistoryLog, options: JudgeOptions = {}): HistoryVerdict {
  return new Judgement(log, options).run();
}

class Judgement {
  private readonly log: HistoryLog;
  private readonly options: JudgeOptions;
  private readonly problems: HistoryProblem[] = [];
  private comparisons = 0;
  private readonly streams = new Map<number, StreamEvents>();
  /** Event -> operation that would append it (the first one recorded). */
  private readonly appender = new Map<number, number>();
  /** Event -> offset at which it was seen. */
  private readonly offsetOf = new Map<number, number>();
  /** First offset by operation; differs from the log's for unknown appends that a read has shown. */
  private readonly first: Float64Array;
  /** 1: a second call for events that an earlier call also carries (an idempotent retry). */
  private readonly retry: Uint8Array;

  constructor(log: HistoryLog, options: JudgeOptions) {
    this.log = log;
    this.options = options;
    this.first = log.offset.slice(0, log.count);
    this.retry = new Uint8Array(log.count);
  }

  run(): HistoryVerdict {
    const { log } = this;
    for (let i = 0; i < log.count; i++) this.register(i);
    for (let i = 0; i < log.count; i++) if (log.kind[i] === OPERATION_KIND.appended) this.claim(i);
    for (let i = 0; i < log.count; i++) if (log.kind[i] === OPERATION_KIND.read) this.compareRead(i);
    for (const known of this.streams.values()) {
      this.placeUnknown(known);
      this.explain(known);
      this.sweep(known);
    }
    if (this.options.everyEventRead === true) this.requireReads();
    return { problems: this.problems, comparisons: this.comparisons };
  }

  /** Who appends which event, and which operations touch which stream. */
  private register(i: number): void {
    const { log } = this;
    const stream = log.stream[i] as number;
    let known = this.streams.get(stream);
    if (known === undefined) {
      known = { events: [], shownBy: [], operations: [] };
      this.streams.set(stream, known);
    }
    known.operations.push(i);
    if (log.kind[i] === OPERATION_KIND.read) return;
    const count = log.eventCount[i] as number;
    for (let k = 0; k < count; k++) {
      const event = this.eventAt(i, k);
      const before = this.appender.get(event);
      if (before === undefined) this.appender.set(event, i);
      else if (k === 0) this.retry[i] = 1;
    }
  }

  /** An acknowledged append claims its offsets. */
  private claim(i: number): void {
    const count = this.log.eventCount[i] as number;
    for (let k = 0; k < count; k++) this.place(i, k, (this.first[i] as number) + k);
  }

  /** A read shows events at offsets, and through them where unanswered appends went. */
  private compareRead(i: number): void {
    const count = this.log.eventCount[i] as number;
    for (let k = 0; k < count; k++) {
      const event = this.eventAt(i, k);
      const from = this.appender.get(event);
      if (from === undefined) {
        this.problem(i, -1, `read event ${this.event(event)}, which nobody appended`);
        return;
      }
      if (this.log.stream[from] !== this.log.stream[i]) {
        this.problem(i, from, `read event ${this.event(event)}, which was appended to another stream`);
        return;
      }
      if (this.log.kind[from] === OPERATION_KIND.refused && this.retry[from] === 0 && !this.retried(event)) {
        this.problem(i, from, `read event ${this.event(event)}, whose append was refused`);
        return;
      }
      if ((this.log.calledAt[from] as number) > (this.log.returnedAt[i] as number)) {
        this.problem(i, from, `read event ${this.event(event)} before its append was called`);
        return;
      }
      this.place(i, k, (this.first[i] as number) + k);
      if (this.log.kind[from] === OPERATION_KIND.unknown && (this.first[from] as number) < 0) {
        this.locate(from, event, (this.first[i] as number) + k);
      }
    }
  }

  /** True when some other call than the first carries this event: rare, so found by scanning. */
  private retried(event: number): boolean {
    const { log } = this;
    for (let i = 0; i < log.count; i++) {
      if (this.retry[i] === 0 || log.kind[i] === OPERATION_KIND.refused) continue;
      const count = log.eventCount[i] as number;
      for (let k = 0; k < count; k++) if (this.eventAt(i, k) === event) return true;
    }
    return false;
  }

  private locate(append: number, event: number, offset: number): void {
    const count = this.log.eventCount[append] as number;
    for (let k = 0; k < count; k++) {
      if (this.eventAt(append, k) === event) {
        this.first[append] = offset - k;
        return;
      }
    }
  }

  /** States that operation `i` puts or sees its k-th event at `offset`. */
  private place(i: number, k: number, offset: number): void {
    const event = this.eventAt(i, k);
    const known = this.streams.get(this.log.stream[i] as number) as StreamEvents;
    this.comparisons++;
    const there = known.events[offset];
    if (there === undefined || there < 0) {
      const elsewhere = this.offsetOf.get(event);
      if (elsewhere !== undefined && elsewhere !== offset) {
        this.problem(
          i,
          this.appender.get(event) ?? -1,
          `event ${this.event(event)} is at offset ${offset} and at offset ${elsewhere}`,
        );
        return;
      }
      while (known.events.length <= offset) {
        known.events.push(-1);
        known.shownBy.push(-1);
      }
      known.events[offset] = event;
      known.shownBy[offset] = i;
      this.offsetOf.set(event, offset);
    } else if (there !== event) {
      this.problem(
        i,
        known.shownBy[offset] as number,
        `offset ${offset} holds event ${this.event(event)} and event ${this.event(there)}`,
      );
    }
  }

  /** A batch is whole: an unanswered append that a read has shown in part occupies all its offsets. */
  private placeUnknown(known: StreamEvents): void {
    const { log } = this;
    for (const i of known.operations) {
      if (log.kind[i] !== OPERATION_KIND.unknown || (this.first[i] as number) < 0) continue;
      this.claim(i);
    }
  }

  /**
   * Real time. Every operation has a position interval: an append ends at first + count and needs
   * everything that returned before its call to lie at or below `first`; a read that knows the
   * length stands exactly there; other operations only prove that the stream had come that far.
   */
  private sweep(known: StreamEvents): void {
    const { log } = this;
    const { byCall, byReturn } = ordered(log, known);
    let next = 0;
    let reached = 0;
    let reachedBy = -1;
    for (const i of byCall) {
      const calledAt = log.calledAt[i] as number;
      while (next < byReturn.length) {
        const j = byReturn[next] as number;
        if ((log.returnedAt[j] as number) >= calledAt) break;
        const proven = this.proves(j);
        if (proven > reached) {
          reached = proven;
          reachedBy = j;
        }
        next++;
      }
      const position = this.standsAt(i);
      if (position < 0) continue;
      this.comparisons++;
      if (position < reached) {
        this.problem(
          i,
          reachedBy,
          log.kind[i] === OPERATION_KIND.read || log.kind[i] === OPERATION_KIND.refused ?
            `saw the stream at length ${position}, but before it was called the stream had ` +
              `reached length ${reached}`
          : `appended at offset ${position}, but before it was called the stream had reached ` +
              `length ${reached}`,
        );
        return;
      }
    }
  }

  /**
   * No holes: every offset below a length that someone saw belongs to an append called before that
   * answer; offsets that no answer has claimed, to appends of unknown outcome. (How whole batches
   * of those fill the holes is not searched, only that there are events enough.)
   */
  private explain(known: StreamEvents): void {
    const { log } = this;
    const { byCall, byReturn } = ordered(log, known);
    let holes = 0;
    let firstHole = -1;
    let counted = 0;
    let next = 0;
    let unplaced = 0;
    for (const j of byReturn) {
      const length = this.proves(j);
      for (; counted < length; counted++) {
        if ((known.events[counted] ?? -1) !== -1) continue;
        if (firstHole < 0) firstHole = counted;
        holes++;
      }
      for (; next < byCall.length; next++) {
        const i = byCall[next] as number;
        if ((log.calledAt[i] as number) > (log.returnedAt[j] as number)) break;
        if (log.kind[i] === OPERATION_KIND.unknown && (this.first[i] as number) < 0) {
          unplaced += log.eventCount[i] as number;
        }
      }
      this.comparisons++;
      if (holes > unplaced) {
        this.problem(
          j,
          -1,
          `proves length ${length}, but offset ${firstHole} belongs to no append called until then ` +
            `(${holes} such offsets, ${unplaced} events of unknown outcome)`,
        );
        return;
      }
    }
  }

  /** The length which operation `i` proves that the stream had when it returned; 0 for none. */
  private proves(i: number): number {
    const { log } = this;
    const kind = log.kind[i];
    if (kind === OPERATION_KIND.appended) {
      return (this.first[i] as number) + (log.eventCount[i] as number);
    }
    if (kind === OPERATION_KIND.unknown) return 0;
    const length = log.length[i] as number;
    if (length >= 0) return length;
    if (kind === OPERATION_KIND.refused) return 0; // Refused for another reason than its offset.
    const count = log.eventCount[i] as number;
    return count === 0 ? 0 : (this.first[i] as number) + count;
  }

  /** The length at which operation `i` took effect, or -1 where the history leaves it open. */
  private standsAt(i: number): number {
    const { log } = this;
    const kind = log.kind[i];
    if (kind === OPERATION_KIND.read || kind === OPERATION_KIND.refused) return log.length[i] as number;
    // The answer to a retry may tell of the first call's effect.
    if (this.retry[i] === 1) return -1;
    if (this.appenderRetried(i)) return -1;
    return this.first[i] as number; // -1 for an unknown append that nobody saw.
  }

  /** The first of several calls with the same events: which of them took effect is open. */
  private appenderRetried(i: number): boolean {
    if (!this.anyRetry()) return false;
    const { log } = this;
    if (log.eventCount[i] === 0) return false;
    const event = this.eventAt(i, 0);
    for (let j = i + 1; j < log.count; j++) {
      if (this.retry[j] === 1 && log.eventCount[j] !== 0 && this.eventAt(j, 0) === event) {
        // It was acknowledged first: it did take effect, and before the other was called.
        return (log.returnedAt[i] as number) > (log.calledAt[j] as number);
      }
    }
    return false;
  }

  private retries = -1;
  private anyRetry(): boolean {
    if (this.retries < 0) this.retries = this.retry.includes(1) ? 1 : 0;
    return this.retries === 1;
  }

  /** Each acknowledged event is shown by a read that was called after the acknowledgement. */
  private requireReads(): void {
    const { log } = this;
    const readAt = new Map<number, number>();
    for (let i = 0; i < log.count; i++) {
      if (log.kind[i] !== OPERATION_KIND.read) continue;
      const count = log.eventCount[i] as number;
      for (let k = 0; k < count; k++) {
        const event = this.eventAt(i, k);
        const calledAt = log.calledAt[i] as number;
        if (calledAt > (readAt.get(event) ?? -1)) readAt.set(event, calledAt);
      }
    }
    for (let i = 0; i < log.count; i++) {
      if (log.kind[i] !== OPERATION_KIND.appended) continue;
      const count = log.eventCount[i] as number;
      for (let k = 0; k < count; k++) {
        this.comparisons++;
        const event = this.eventAt(i, k);
        if ((readAt.get(event) ?? -1) < (log.returnedAt[i] as number)) {
          this.problem(i, -1, `acknowledged event ${this.event(event)}, which no later read has shown`);
          return;
        }
      }
    }
  }

  private eventAt(i: number, k: number): number {
    return this.log.events[(this.log.eventFirst[i] as number) + k] as number;
  }

  private event(event: number): string {
    return this.options.nameOfEvent?.(event) ?? String(event);
  }

  private name(stream: number): string {
    return this.options.nameOfStream?.(stream) ?? String(stream);
  }

  private problem(i: number, other: number, what: string): void {
    const stream = this.log.stream[i] as number;
    const against =
      other < 0 ? '' : (
        ` (against operation ${other} of process ${this.log.process[other] as number})`
      );
    this.problems.push({
      stream,
      operation: i,
      other,
      message:
        `stream ${this.name(stream)}: operation ${i} of process ` +
        `${this.log.process[i] as number} ${what}${against}`,
    });
  }
}

/** The stream's operations by call, and those that returned by return; ties in order of recording. */
function ordered(log: HistoryLog, known: StreamEvents): { byCall: number[]; byReturn: number[] } {
  const { calledAt, returnedAt } = log;
  const byCall = known.operations.slice();
  byCall.sort((a, b) => (calledAt[a] as number) - (calledAt[b] as number) || a - b);
  const byReturn = known.operations.filter((i) => returnedAt[i] !== NEVER);
  byReturn.sort((a, b) => (returnedAt[a] as number) - (returnedAt[b] as number) || a - b);
  return { byCall, byReturn };
}
