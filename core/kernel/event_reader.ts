/**
 * Reads of events: each walks the stream's index to a log block, copies whole records from it into
 * its reply, and goes on to the next block, until it has what was asked for. Blocks in memory are
 * used at once; for the others the read waits, and several wait side by side.
 *
 * A read shows the stream as it was when the read began: what is appended meanwhile is not in it.
 */
import { assert } from '../assert.ts';
import { HEADER_SIZE } from '../constants.ts';
import { AT, sizeOf } from '../message/header.ts';
import { type Message } from '../message/pool.ts';
import { writeU64 } from '../message/region.ts';
import { type EventLog } from '../storage/event_log.ts';
import { LogBlockCursor, RUN_KIND } from '../storage/log_block.ts';
import { findInEntries, type IndexHit } from '../storage/stream_index.ts';
import { REPLY } from './commands.ts';
import { RESULT, RUN_HEADER_SIZE } from './operations.ts';

/** Reads that may wait for blocks at one time. */
export const READS_MAX = 32;

/** One read. Free when `query` is null. */
export interface EventRead {
  readonly token: number;
  query: Message | null;
  reply: Message | null;
  slot: number;
  /** Offset of the next record to copy, and the end of the range. */
  next: number;
  end: number;
  /** Events asked for, and those in the reply. */
  countMax: number;
  count: number;
  /** Where the next record goes, and the end of what may be filled. */
  replyEnd: number;
  replyMax: number;
  /** Which block comes next; level -1: look it up. */
  hit: IndexHit;
  waiting: boolean;
}

export class EventReader {
  private readonly log: EventLog;
  private readonly reads: EventRead[] = [];
  private readonly cursor = new LogBlockCursor();

  /** Grid reads get tokens from `tokenFirst` on. */
  constructor(log: EventLog, tokenFirst: number) {
    this.log = log;
    for (let i = 0; i < READS_MAX; i++) {
      this.reads.push({
        token: tokenFirst + i,
        query: null,
        reply: null,
        slot: 0,
        next: 0,
        end: 0,
        countMax: 0,
        count: 0,
        replyEnd: 0,
        replyMax: 0,
        hit: { level: -1, ordinal: 0, position: 0 },
        waiting: false,
      });
    }
  }

  /** A free read, or null when all are in use. */
  free(): EventRead | null {
    for (const read of this.reads) if (read.query === null) return read;
    return null;
  }

  get inUse(): number {
    let count = 0;
    for (const read of this.reads) if (read.query !== null) count++;
    return count;
  }

  byToken(token: number): EventRead {
    const read = this.reads[token - (this.reads[0] as EventRead).token];
    assert(read !== undefined && read.token === token, 'event reader: token', token);
    return read;
  }

  /**
   * Begins a read of `next..end-1`, at most `countMax` events in `replyMax` bytes of `reply`, but
   * always one. Owns both references until `release`. Then `advance`.
   */
  begin(
    read: EventRead,
    query: Message,
    reply: Message,
    slot: number,
    next: number,
    end: number,
    countMax: number,
    replyMax: number,
  ): void {
    assert(read.query === null, 'event reader: read in use', read.token);
    read.query = query;
    read.reply = reply;
    read.slot = slot;
    read.next = next;
    read.end = end;
    read.countMax = countMax;
    read.count = 0;
    read.replyEnd = HEADER_SIZE + REPLY.records;
    read.replyMax = Math.min(replyMax, reply.capacity);
    read.hit.level = -1;
    read.waiting = false;
    reply.fields.setUint32(HEADER_SIZE + REPLY.code, RESULT.ok, true);
    writeU64(reply, HEADER_SIZE + REPLY.firstOffset, next);
    writeU64(reply, HEADER_SIZE + REPLY.nextOffset, end);
  }

  /** True: the reply is complete. False: a block is on its way, `blockRead` follows. */
  advance(read: EventRead): boolean {
    const { log } = this;
    while (read.next < read.end && read.count < read.countMax) {
      const { hit } = read;
      if (hit.level === -1) {
        const found = log.index.find(read.slot, read.next, hit);
        assert(found, 'event reader: offset not in the index', read.slot, read.next);
      }
      if (log.isTail(hit.ordinal)) {
        if (!this.consume(read, log.tailBlock(), log.tailSize)) break;
        continue;
      }
      const block = log.manifest.read(hit.ordinal, read.token);
      if (block === null) {
        read.waiting = true;
        return false;
      }
      if (!this.consume(read, block, sizeOf(block))) break;
    }
    const reply = read.reply as Message;
    reply.fields.setUint32(HEADER_SIZE + REPLY.count, read.count, true);
    reply.fields.setUint32(AT.size, read.replyEnd, true);
    return true;
  }

  /** The block that `read` waits for. As `advance`. */
  blockRead(read: EventRead, block: Message): boolean {
    assert(read.waiting, 'event reader: not waiting', read.token);
    read.waiting = false;
    if (this.consume(read, block, sizeOf(block))) return this.advance(read);
    read.countMax = read.count;
    return this.advance(read);
  }

  /** The block's address was freed meanwhile: look the offset up again. As `advance`. */
  blockLost(read: EventRead): boolean {
    read.waiting = false;
    read.hit.level = -1;
    return this.advance(read);
  }

  /** Frees the read; the caller has taken over both messages. */
  release(read: EventRead): void {
    read.query = null;
    read.reply = null;
  }

  /** Drops all reads: nobody gets an answer. */
  reset(): void {
    for (const read of this.reads) {
      read.query?.unref();
      read.reply?.unref();
      this.release(read);
      read.waiting = false;
    }
  }

  /** Uses the block that `hit` names. False: the reply can take no more. */
  private consume(read: EventRead, block: Message, size: number): boolean {
    const { cursor } = this;
    const { hit } = read;
    cursor.wrap(block, size, hit.position);
    let more = true;
    if (hit.level > 0) {
      const isNode = cursor.nextRun() && cursor.kind === RUN_KIND.index;
      assert(isNode && cursor.slot === read.slot, 'event reader: no index node there', hit.position);
      hit.level--;
      findInEntries(block, cursor.runAt + RUN_HEADER_SIZE, cursor.count, read.next, hit);
    } else {
      const before = read.next;
      hit.level = -1;
      more = this.copyRecords(read, block);
      assert(!more || read.next > before, 'event reader: offset not in its block', read.slot, before);
    }
    cursor.unwrap();
    return more;
  }

  /** Copies records of the stream from the cursor's runs on. */
  private copyRecords(read: EventRead, block: Message): boolean {
    const { cursor } = this;
    const reply = read.reply as Message;
    while (cursor.nextRun()) {
      if (cursor.slot !== read.slot || cursor.kind !== RUN_KIND.events) continue;
      // Records that follow each other are copied in one piece.
      let from = 0;
      let to = 0;
      let full = false;
      while (cursor.nextRecord()) {
        if (cursor.recordOffset < read.next) continue;
        const span = cursor.recordSpan;
        const room = read.replyMax - read.replyEnd - (to - from);
        const first = read.count === 0 && read.replyEnd + span <= reply.capacity;
        full = read.next >= read.end || read.count >= read.countMax || (span > room && !first);
        if (full) break;
        if (from === 0) from = cursor.recordAt;
        to = cursor.recordAt + span;
        read.next = cursor.recordOffset + 1;
        read.count++;
      }
      if (from !== 0) {
        reply.bytes.set(block.bytes.subarray(from, to), read.replyEnd);
        read.replyEnd += to - from;
      }
      if (full) return false;
    }
    assert(cursor.problem === null, 'event reader: block malformed', cursor.runAt);
    return true;
  }
}
