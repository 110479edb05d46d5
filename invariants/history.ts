/**
 * The canonical history: one list of committed prepares, fixed by the first replica that commits
 * each op. It holds the whole header and a fingerprint of the body, and a fingerprint of the reply's
 * body. Checkers compare every later commit, reply and disk with it.
 *
 * Arrays are indexed by op and grow by doubling; entry 0 is the root prepare, which nobody commits.
 */
import { HEADER_SIZE } from '../core/constants.ts';
import { sizeOf } from '../core/message/header.ts';
import { copyWords, regionOf, type Region } from '../core/message/region.ts';
import { Fingerprint } from './fingerprint.ts';

const OPS_INITIAL = 512;

export class History {
  /** Ops 1..opMax have committed somewhere. */
  opMax = 0;
  /** Prepare headers as committed first; header of op k at k * 256. */
  headers: Region = regionOf(new Uint8Array(OPS_INITIAL * HEADER_SIZE));
  /** Two words an op: fingerprint of the prepare's body. */
  bodies = new Uint32Array(OPS_INITIAL * 2);
  /** Two words an op: fingerprint of the reply's body as first computed; with `replySize` 0: none yet. */
  replies = new Uint32Array(OPS_INITIAL * 2);
  /** Reply size in bytes, header included. */
  replySize = new Uint32Array(OPS_INITIAL);
  /** True virtual time of the first commit, in microseconds. */
  committedAt = new Float64Array(OPS_INITIAL);
  /** Fingerprints of the bodies of the prepare and the reply now being observed. */
  readonly body = new Fingerprint();
  readonly reply = new Fingerprint();
  /** True while the commit now being observed is the first of its op. */
  first = false;

  /** Byte offset of the header of `op` in `headers`. */
  headerAt(op: number): number {
    return op * HEADER_SIZE;
  }

  /**
   * Called by the suite before any checker sees the commit. An op beyond `opMax + 1` extends
   * nothing: no replica committed the op before it, and `prefix` reports that.
   */
  observe(op: number, prepare: Region, reply: Region | null, now: number): void {
    this.body.of(prepare, HEADER_SIZE, sizeWithin(prepare) - HEADER_SIZE);
    if (reply !== null) this.reply.of(reply, HEADER_SIZE, sizeWithin(reply) - HEADER_SIZE);
    this.first = op === this.opMax + 1;
    if (this.first) {
      if (op >= this.committedAt.length) this.grow();
      this.opMax = op;
      copyWords(prepare, 0, this.headers, op * HEADER_SIZE, HEADER_SIZE);
      this.bodies[op * 2] = this.body.low;
      this.bodies[op * 2 + 1] = this.body.high;
      this.committedAt[op] = now;
    }
    if (reply !== null && op <= this.opMax && this.replySize[op] === 0) {
      this.replies[op * 2] = this.reply.low;
      this.replies[op * 2 + 1] = this.reply.high;
      this.replySize[op] = sizeWithin(reply);
    }
  }

  private grow(): void {
    const count = this.committedAt.length * 2;
    const headers = regionOf(new Uint8Array(count * HEADER_SIZE));
    headers.bytes.set(this.headers.bytes);
    this.headers = headers;
    this.bodies = grown(this.bodies, count * 2);
    this.replies = grown(this.replies, count * 2);
    this.replySize = grown(this.replySize, count);
    const committedAt = new Float64Array(count);
    committedAt.set(this.committedAt);
    this.committedAt = committedAt;
  }
}

/** The message's size, never beyond the memory it lies in, at least a header. */
export function sizeWithin(message: Region): number {
  const size = sizeOf(message);
  if (size < HEADER_SIZE) return HEADER_SIZE;
  return size <= message.bytes.byteLength ? size : message.bytes.byteLength;
}

export function grown(from: Uint32Array<ArrayBuffer>, length: number): Uint32Array<ArrayBuffer> {
  const target = new Uint32Array(length);
  target.set(from);
  return target;
}

