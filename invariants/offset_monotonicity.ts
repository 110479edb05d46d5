/**
 * offset_monotonicity: the offsets of a stream are 0, 1, 2, …; none is reused and none is skipped.
 *
 * Of the log: along the canonical history each append starts where the stream ended. Of the data:
 * records in read replies and on disks carry consecutive offsets from the first one asked for.
 */
import { HEADER_SIZE } from '../core/constants.ts';
import { BODY, REPLY } from '../core/kernel/commands.ts';
import { KERNEL, RESULT } from '../core/kernel/operations.ts';
import { operationOf } from '../core/message/header.ts';
import { readU64, type Region } from '../core/message/region.ts';
import { sizeWithin } from './history.ts';
import { type CheckContext, type Checker, type Observed } from './invariant.ts';
import { recordOffset, recordSpanAt } from './records.ts';
import { type StreamSweep } from './stream_sweep.ts';

export class OffsetMonotonicity implements Checker {
  readonly id = 'offset_monotonicity';
  comparisons = 0;
  private readonly context: CheckContext;
  private readonly observed: Observed;
  /** Stream id -> offset of its next event, by the canonical history. */
  private readonly next = new Map<number, number>();
  /** Node and stream of the last record swept, and the offset that must follow. */
  private sweptNode = -1;
  private readonly swept = new Map<number, number>();

  constructor(context: CheckContext, observed: Observed) {
    this.context = context;
    this.observed = observed;
  }

  onCommitted(_node: number, op: number, prepare: Region, reply: Region | null): void {
    if (!this.observed.history.first || reply === null) return;
    if (operationOf(prepare) !== KERNEL.append) return;
    if (reply.fields.getUint16(HEADER_SIZE + REPLY.code, true) !== RESULT.ok) return;
    const stream = readU64(prepare, HEADER_SIZE + BODY.stream);
    const first = readU64(reply, HEADER_SIZE + REPLY.value);
    const count = reply.fields.getUint32(HEADER_SIZE + REPLY.count, true);
    const next = this.next.get(stream) ?? 0;
    this.comparisons++;
    if (readU64(reply, HEADER_SIZE + REPLY.op) !== op) {
      // The answer to a repeated idempotency id tells of an earlier op.
      if (first + count > next) {
        this.context.fail(
          this.id,
          `op ${op} repeats an append that ends at ${first + count}, past the stream's end ${next}`,
        );
      }
      return;
    }
    if (first !== next) {
      this.context.fail(
        this.id,
        `op ${op} appended at offset ${first} of stream ${stream}, whose next offset was ${next}`,
      );
    }
    this.next.set(stream, first + count);
  }

  onReturned(client: number, reply: Region): void {
    const { calls } = this.observed;
    if (calls.operation[client] !== KERNEL.readEvents) return;
    if (reply.fields.getUint16(HEADER_SIZE + REPLY.code, true) !== RESULT.ok) return;
    const body = calls.bodies[client] as Region;
    const asked = readU64(body, BODY.readOffset);
    const first = readU64(reply, HEADER_SIZE + REPLY.firstOffset);
    const count = reply.fields.getUint32(HEADER_SIZE + REPLY.count, true);
    const end = sizeWithin(reply);
    if (count > 0 && first !== asked) {
      this.context.fail(this.id, `a read from offset ${asked} was answered from offset ${first}`);
    }
    let at = HEADER_SIZE + REPLY.records;
    for (let i = 0; i < count; i++) {
      const span = recordSpanAt(reply, at, end);
      if (span === 0) return;
      this.comparisons++;
      if (recordOffset(reply, at) !== first + i) {
        this.context.fail(
          this.id,
          `a read returned offset ${recordOffset(reply, at)} in the place of ${first + i}`,
        );
        return;
      }
      at += span;
    }
    const next = readU64(reply, HEADER_SIZE + REPLY.nextOffset);
    if (first + count > next) {
      this.context.fail(
        this.id,
        `a read returned events up to ${first + count} of a stream that ends at ${next}`,
      );
    }
  }

  onStreamRecord(sweep: StreamSweep): void {
    if (sweep.node !== this.sweptNode) {
      this.swept.clear();
      this.sweptNode = sweep.node;
    }
    const expected = this.swept.get(sweep.stream) ?? 0;
    this.comparisons++;
    if (sweep.offset !== expected || recordOffset(sweep.region, sweep.at) !== expected) {
      this.context.fail(
        this.id,
        `the disk of R${sweep.node} holds offset ${recordOffset(sweep.region, sweep.at)} of stream ` +
          `${sweep.stream} where ${expected} belongs`,
      );
    }
    this.swept.set(sweep.stream, expected + 1);
  }
}
