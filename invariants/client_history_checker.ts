/**
 * client_history inside the simulator: records every client's calls and returns as numbers, and
 * judges them when the run ends. See client_history.ts for the claim and for use elsewhere.
 */
import { HEADER_SIZE } from '../core/constants.ts';
import { BODY, REPLY, STREAM_ENTRY, eventEnd } from '../core/kernel/commands.ts';
import { KERNEL, RESULT } from '../core/kernel/operations.ts';
import { readU64, type Region } from '../core/message/region.ts';
import { HistoryLog, OPERATION_KIND, judge } from './history_log.ts';
import { sizeWithin } from './history.ts';
import { type CheckContext, type Checker, type Observed } from './invariant.ts';
import { eventIdAt, recordEventId, recordSpanAt } from './records.ts';

const NOTHING = -1;

export class ClientHistory implements Checker {
  readonly id = 'client_history';
  comparisons = 0;
  private readonly context: CheckContext;
  private readonly observed: Observed;
  private readonly log = new HistoryLog();

  constructor(context: CheckContext, observed: Observed) {
    this.context = context;
    this.observed = observed;
  }

  onReturned(client: number, reply: Region): void {
    const { calls } = this.observed;
    const operation = calls.operation[client];
    const code = reply.fields.getUint16(HEADER_SIZE + REPLY.code, true);
    if (operation === KERNEL.append) {
      this.appendReturned(client, code, reply);
    } else if (operation === KERNEL.readEvents && code === RESULT.ok) {
      this.readReturned(client, reply);
    } else if (operation === KERNEL.streamInfo && code === RESULT.ok) {
      const entry = HEADER_SIZE + REPLY.infoEntry;
      const stream = readU64(reply, entry + STREAM_ENTRY.id);
      this.add(OPERATION_KIND.read, client, stream, 0, readU64(reply, entry + STREAM_ENTRY.nextOffset));
    }
  }

  onAbandoned(client: number): void {
    this.outcomeUnknown(client);
  }

  atEnd(): void {
    const { open } = this.observed.calls;
    for (let client = 0; client < open.length; client++) {
      if (open[client] === 1) this.outcomeUnknown(client);
    }
    const verdict = judge(this.log, { nameOfEvent });
    this.comparisons += verdict.comparisons;
    const problem = verdict.problems[0];
    if (problem !== undefined) this.context.fail(this.id, problem.message);
  }

  private appendReturned(client: number, code: number, reply: Region): void {
    const stream = readU64(this.observed.calls.bodies[client] as Region, BODY.stream);
    const value = readU64(reply, HEADER_SIZE + REPLY.value);
    if (code === RESULT.ok) {
      this.add(OPERATION_KIND.appended, client, stream, value, NOTHING);
    } else {
      const length = code === RESULT.unexpected_stream_offset ? value : NOTHING;
      this.add(OPERATION_KIND.refused, client, stream, NOTHING, length);
    }
    this.addCallEvents(client);
  }

  private readReturned(client: number, reply: Region): void {
    const stream = readU64(this.observed.calls.bodies[client] as Region, BODY.queryStream);
    const first = readU64(reply, HEADER_SIZE + REPLY.firstOffset);
    const length = readU64(reply, HEADER_SIZE + REPLY.nextOffset);
    this.add(OPERATION_KIND.read, client, stream, first, length);
    const count = reply.fields.getUint32(HEADER_SIZE + REPLY.count, true);
    const end = sizeWithin(reply);
    let at = HEADER_SIZE + REPLY.records;
    for (let i = 0; i < count; i++) {
      const span = recordSpanAt(reply, at, end);
      if (span === 0) return; // hash_chain reports malformed records.
      this.log.addEvent(recordEventId(reply, at));
      at += span;
    }
  }

  private outcomeUnknown(client: number): void {
    const { calls } = this.observed;
    if (calls.operation[client] !== KERNEL.append) return;
    const stream = readU64(calls.bodies[client] as Region, BODY.stream);
    this.add(OPERATION_KIND.unknown, client, stream, NOTHING, NOTHING);
    this.addCallEvents(client);
  }

  private add(kind: number, client: number, stream: number, offset: number, length: number): void {
    const calledAt = this.observed.calls.calledAt[client] as number;
    this.log.add(kind, client, stream, calledAt, this.context.now(), offset, length);
  }

  private addCallEvents(client: number): void {
    const body = this.observed.calls.bodies[client] as Region;
    const count = body.fields.getUint32(BODY.count, true);
    let at: number = BODY.events;
    for (let i = 0; i < count; i++) {
      this.log.addEvent(eventIdAt(body, at + 4));
      at = eventEnd(at, body.fields.getUint32(at, true));
    }
  }
}

function nameOfEvent(event: number): string {
  const client = Math.floor(event / 4_294_967_296);
  return `${event - client * 4_294_967_296} of client ${client}`;
}
