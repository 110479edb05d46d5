/**
 * hash_chain: per stream, each record names the hash of the one before it, the first names zero,
 * and every digest and hash recomputes.
 *
 * Judged on raw record bytes, from read replies and from disks, with OpenSSL's SHA-256. A record
 * that was hashed once is recognised by a fingerprint of its bytes the next time, so a run pays for
 * each event once. Source: reference "storage-and-crypto" section 3.
 */
import { HEADER_SIZE } from '../core/constants.ts';
import { BODY, REPLY, STREAM_ENTRY } from '../core/kernel/commands.ts';
import { RECORD } from '../core/kernel/events.ts';
import { KERNEL, RESULT } from '../core/kernel/operations.ts';
import { readU64, type Region } from '../core/message/region.ts';
import { Fingerprint } from './fingerprint.ts';
import { sizeWithin } from './history.ts';
import { type CheckContext, type Checker, type Observed } from './invariant.ts';
import { Numbers } from './numbers.ts';
import { RecordLink, digestHolds, frameProblem, recordOffset, recordSpanAt } from './records.ts';
import { type StreamSweep } from './stream_sweep.ts';

/** What is known of a stream, by offset. */
interface Chain {
  /** Fingerprint of the record's bytes, two halves; -1: not seen. */
  readonly low: Numbers;
  readonly high: Numbers;
  /** 64 bytes an offset: the hash it names as previous, then its own hash. */
  links: Uint8Array;
}

const LINK_SIZE = 64;

export class HashChain implements Checker {
  readonly id = 'hash_chain';
  comparisons = 0;
  private readonly context: CheckContext;
  private readonly observed: Observed;
  private readonly streams = new Map<number, Chain>();
  private readonly fingerprint = new Fingerprint();
  private readonly link = new RecordLink();

  constructor(context: CheckContext, observed: Observed) {
    this.context = context;
    this.observed = observed;
  }

  onReturned(client: number, reply: Region): void {
    const { calls } = this.observed;
    const operation = calls.operation[client];
    if (reply.fields.getUint16(HEADER_SIZE + REPLY.code, true) !== RESULT.ok) return;
    if (operation === KERNEL.readEvents) {
      const stream = readU64(calls.bodies[client] as Region, BODY.queryStream);
      const count = reply.fields.getUint32(HEADER_SIZE + REPLY.count, true);
      const end = sizeWithin(reply);
      let at = HEADER_SIZE + REPLY.records;
      for (let i = 0; i < count; i++) {
        const span = recordSpanAt(reply, at, end);
        if (span === 0) {
          this.context.fail(this.id, `a read reply holds ${i} whole records and promises ${count}`);
          return;
        }
        this.record(stream, reply, at, `read by client ${client}`);
        at += span;
      }
    } else if (operation === KERNEL.streamInfo) {
      this.compareHead(reply, HEADER_SIZE + REPLY.infoEntry);
    }
  }

  onStreamRecord(sweep: StreamSweep): void {
    this.record(sweep.stream, sweep.region, sweep.at, `on the disk of R${sweep.node}`);
  }

  private record(stream: number, region: Region, at: number, where: string): void {
    let chain = this.streams.get(stream);
    if (chain === undefined) {
      chain = { low: new Numbers(), high: new Numbers(), links: new Uint8Array(32 * LINK_SIZE) };
      this.streams.set(stream, chain);
    }
    const offset = recordOffset(region, at);
    // An offset far beyond anything appended is offset_monotonicity's and client_history's business.
    if (offset > 0xff_ffff) return;
    const length = region.words[(at + RECORD.storedLength) >> 2] as number;
    const { low, high } = this.fingerprint.of(region, at, RECORD.payload + length + 8);
    this.comparisons++;
    if (chain.low.get(offset) !== -1) {
      if (chain.low.get(offset) === low && chain.high.get(offset) === high) return;
      this.fail(stream, offset, where, 'differs from the same record as seen before');
      return;
    }
    const problem = frameProblem(region, at);
    if (problem !== null) return this.fail(stream, offset, where, problem);
    if (!digestHolds(region, at)) {
      return this.fail(stream, offset, where, "has a digest that is not its payload's SHA-256");
    }
    chain.low.set(offset, low);
    chain.high.set(offset, high);
    const links = roomFor(chain, offset);
    const mine = offset * LINK_SIZE;
    for (let i = 0; i < 32; i++) links[mine + i] = region.bytes[at + RECORD.prevHash + i] as number;
    this.link.into(region, at, links, mine + 32);
    this.compareLink(chain, stream, offset, where);
    if (chain.low.get(offset + 1) !== -1) this.compareLink(chain, stream, offset + 1, where);
  }

  /** What the record at `offset` names as previous is the hash of the record before, where known. */
  private compareLink(chain: Chain, stream: number, offset: number, where: string): void {
    if (offset > 0 && chain.low.get(offset - 1) === -1) return;
    const mine = offset * LINK_SIZE;
    this.comparisons++;
    for (let i = 0; i < 32; i++) {
      const expected = offset === 0 ? 0 : chain.links[mine - 32 + i];
      if (chain.links[mine + i] !== expected) {
        const before = offset === 0 ? 'zero' : `the hash of offset ${offset - 1}`;
        this.fail(stream, offset, where, `does not name ${before} as its previous hash`);
        return;
      }
    }
  }

  /** stream_info tells the head of the chain: the hash of the last record. */
  private compareHead(reply: Region, entry: number): void {
    const next = readU64(reply, entry + STREAM_ENTRY.nextOffset);
    const chain = this.streams.get(readU64(reply, entry + STREAM_ENTRY.id));
    if (next !== 0 && (chain === undefined || chain.low.get(next - 1) === -1)) return;
    this.comparisons++;
    for (let i = 0; i < 32; i++) {
      const expected = next === 0 ? 0 : (chain as Chain).links[(next - 1) * LINK_SIZE + 32 + i];
      if (reply.bytes[entry + STREAM_ENTRY.chain + i] !== expected) {
        const stream = readU64(reply, entry + STREAM_ENTRY.id);
        this.fail(stream, next - 1, 'told by stream_info', 'has another hash');
        return;
      }
    }
  }

  private fail(stream: number, offset: number, where: string, what: string): void {
    this.context.fail(this.id, `offset ${offset} of stream ${stream}, ${where}, ${what}`);
  }
}

function roomFor(chain: Chain, offset: number): Uint8Array {
  let size = chain.links.length;
  if ((offset + 1) * LINK_SIZE > size) {
    while ((offset + 1) * LINK_SIZE > size) size *= 2;
    const links = new Uint8Array(size);
    links.set(chain.links);
    chain.links = links;
  }
  return chain.links;
}
