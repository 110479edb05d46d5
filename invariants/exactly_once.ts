/**
 * exactly_once: each acknowledged mutation took effect once, each other one at most once.
 *
 * Two independent measures. Of the log: along the canonical history a session's requests are
 * numbered 1, 2, 3, … without repetition, whatever was resent, forwarded or re-proposed. Of the
 * data: every event carries an id that its client never uses again; an id is acknowledged at one
 * offset, is read at that offset and nowhere else, and no offset holds two ids.
 */
import { BODY, REPLY, eventEnd } from '../core/kernel/commands.ts';
import { KERNEL, RESULT } from '../core/kernel/operations.ts';
import { HEADER_SIZE } from '../core/constants.ts';
import { AT, OPERATION, operationOf, requestOf } from '../core/message/header.ts';
import { readU64, type Region } from '../core/message/region.ts';
import { type CheckContext, type Checker, type Observed } from './invariant.ts';
import { Numbers } from './numbers.ts';
import { eventIdAt, recordEventId, recordOffset, recordSpanAt } from './records.ts';
import { sizeWithin } from './history.ts';
import { type StreamSweep } from './stream_sweep.ts';

export class ExactlyOnce implements Checker {
  readonly id = 'exactly_once';
  comparisons = 0;
  private readonly context: CheckContext;
  private readonly observed: Observed;
  /** First words of a client id -> number of its last committed request. */
  private readonly sessions = new Map<number, number>();
  /** Stream id -> index into `events`. */
  private readonly streams = new Map<number, number>();
  /** By stream index: event id at each offset. */
  private readonly events: Numbers[] = [];
  /** By client: where each event is, as stream index * 2^32 + offset. By serial. */
  private readonly places: Numbers[] = [];

  constructor(context: CheckContext, observed: Observed) {
    this.context = context;
    this.observed = observed;
    for (let i = 0; i < context.clientCount; i++) this.places.push(new Numbers());
  }

  onCommitted(_node: number, op: number, prepare: Region): void {
    if (!this.observed.history.first) return;
    const operation = operationOf(prepare);
    if (operation !== OPERATION.register && operation < 128) return;
    const session = prepare.words[AT.client >> 2] as number;
    const key = session * 2_097_152 + ((prepare.words[(AT.client >> 2) + 1] as number) >>> 11);
    const request = requestOf(prepare);
    const last = this.sessions.get(key);
    this.comparisons++;
    if (operation === OPERATION.register) {
      if (last === undefined) this.sessions.set(key, 0);
      return;
    }
    if (last === undefined) {
      this.context.fail(this.id, `op ${op} belongs to a session that was never registered`);
    } else if (request !== last + 1) {
      this.context.fail(
        this.id,
        `op ${op} is request ${request} of a session whose request ${last} had committed last`,
      );
    }
    this.sessions.set(key, request);
  }

  onReturned(client: number, reply: Region): void {
    const { calls } = this.observed;
    const operation = calls.operation[client] as number;
    const body = calls.bodies[client] as Region;
    const code = reply.fields.getUint16(HEADER_SIZE + REPLY.code, true);
    if (code !== RESULT.ok) return;
    if (operation === KERNEL.append) {
      const stream = this.streamIndex(readU64(body, BODY.stream));
      const first = readU64(reply, HEADER_SIZE + REPLY.value);
      const count = body.fields.getUint32(BODY.count, true);
      let at: number = BODY.events;
      for (let i = 0; i < count; i++) {
        const length = body.fields.getUint32(at, true);
        if (length >= 8) this.place(stream, first + i, eventIdAt(body, at + 4), 'acknowledged');
        at = eventEnd(at, length);
      }
    } else if (operation === KERNEL.readEvents) {
      const stream = this.streamIndex(readU64(body, BODY.queryStream));
      const count = reply.fields.getUint32(HEADER_SIZE + REPLY.count, true);
      const end = sizeWithin(reply);
      let at = HEADER_SIZE + REPLY.records;
      for (let i = 0; i < count; i++) {
        const span = recordSpanAt(reply, at, end);
        if (span === 0) return; // hash_chain reports malformed records.
        const event = recordEventId(reply, at);
        if (event >= 0) this.place(stream, recordOffset(reply, at), event, 'read');
        at += span;
      }
    }
  }

  /** What the disks hold in the end. */
  onStreamRecord(sweep: StreamSweep): void {
    const event = recordEventId(sweep.region, sweep.at);
    if (event < 0) return;
    this.place(this.streamIndex(sweep.stream), sweep.offset, event, `on the disk of R${sweep.node}`);
  }

  private streamIndex(stream: number): number {
    let index = this.streams.get(stream);
    if (index === undefined) {
      index = this.events.length;
      this.streams.set(stream, index);
      this.events.push(new Numbers());
    }
    return index;
  }

  private place(stream: number, offset: number, event: number, how: string): void {
    const events = this.events[stream] as Numbers;
    const client = Math.floor(event / 4_294_967_296);
    const places = this.places[client];
    if (places === undefined) {
      this.context.fail(this.id, `offset ${offset} is ${how} with an event that no client appended`);
      return;
    }
    const serial = event - client * 4_294_967_296;
    const place = stream * 4_294_967_296 + offset;
    const before = places.get(serial);
    this.comparisons++;
    if (before >= 0 && before !== place) {
      this.context.fail(
        this.id,
        `event ${serial} of client ${client} is ${how} at offset ${offset}, but is also at offset ` +
          `${before % 4_294_967_296}`,
      );
      return;
    }
    const there = events.get(offset);
    if (there >= 0 && there !== event) {
      const owner = Math.floor(there / 4_294_967_296);
      this.context.fail(
        this.id,
        `offset ${offset} is ${how} with event ${serial} of client ${client}, but holds event ` +
          `${there - owner * 4_294_967_296} of client ${owner}`,
      );
      return;
    }
    places.set(serial, place);
    events.set(offset, event);
  }
}
