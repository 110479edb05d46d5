/**
 * client_history: what clients saw is linearizable.
 *
 * `checkHistory` judges a recorded history of real or simulated clients; it knows nothing of the
 * simulator. `ClientHistory` (client_history_checker.ts) records one inside the simulator and ends
 * in the same judgement.
 */
import { HistoryLog, OPERATION_KIND, judge, type HistoryVerdict } from './history_log.ts';

/** Anything that identifies: a name, an id in hexadecimal, a number. */
export type HistoryKey = string | number;

interface HistoryCall {
  /** Which client, for messages. */
  readonly process: number;
  readonly stream: HistoryKey;
  /** Times of one clock, in any unit; an operation that returned at t precedes one called after t. */
  readonly calledAt: number;
}

/** A batch was acknowledged: its first event has this offset. */
export interface AppendedCall extends HistoryCall {
  readonly kind: 'appended';
  readonly returnedAt: number;
  readonly offset: number;
  /** Unique over the whole history. */
  readonly events: readonly HistoryKey[];
}

/** An append without a known outcome: it may have happened, may yet happen, or never will. */
export interface UnknownCall extends HistoryCall {
  readonly kind: 'unknown';
  readonly events: readonly HistoryKey[];
}

/** An append that was refused for good, for instance because of its expected offset. */
export interface RefusedCall extends HistoryCall {
  readonly kind: 'refused';
  readonly returnedAt: number;
  readonly events: readonly HistoryKey[];
  /** Stream length that the refusal told. */
  readonly length?: number;
}

/** A read: `events` stand at `offset`, `offset` + 1, … */
export interface ReadCall extends HistoryCall {
  readonly kind: 'read';
  readonly returnedAt: number;
  readonly offset: number;
  readonly events: readonly HistoryKey[];
  /** Stream length that the answer told. */
  readonly length?: number;
}

export type ClientCall = AppendedCall | UnknownCall | RefusedCall | ReadCall;

export interface CheckHistoryOptions {
  /** Also require that each acknowledged event is shown by a read called after its acknowledgement. */
  readonly everyEventRead?: boolean;
}

/**
 * Judges a history of calls in any order. Operation numbers in the verdict are indices into
 * `calls`. O(n log n) in calls and events.
 */
export function checkHistory(
  calls: readonly ClientCall[],
  options: CheckHistoryOptions = {},
): HistoryVerdict {
  const streams = new Names();
  const events = new Names();
  const log = new HistoryLog();
  for (const call of calls) {
    const kind = OPERATION_KIND[call.kind];
    const returnedAt = call.kind === 'unknown' ? Number.POSITIVE_INFINITY : call.returnedAt;
    const offset = call.kind === 'appended' || call.kind === 'read' ? call.offset : -1;
    const length = (call.kind === 'read' || call.kind === 'refused' ? call.length : undefined) ?? -1;
    log.add(kind, call.process, streams.number(call.stream), call.calledAt, returnedAt, offset, length);
    for (const event of call.events) log.addEvent(events.number(event));
  }
  return judge(log, {
    everyEventRead: options.everyEventRead ?? false,
    nameOfEvent: (event) => events.name(event),
    nameOfStream: (stream) => streams.name(stream),
  });
}

/** Numbers for names, in order of appearance. */
class Names {
  private readonly numbers = new Map<HistoryKey, number>();
  private readonly names: HistoryKey[] = [];

  number(name: HistoryKey): number {
    let number = this.numbers.get(name);
    if (number === undefined) {
      number = this.names.length;
      this.numbers.set(name, number);
      this.names.push(name);
    }
    return number;
  }

  name(number: number): string {
    return String(this.names[number]);
  }
}
