import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seal } from '../../../core/checksum.ts';
import { CONFIG_SMALL, HEADER_SIZE } from '../../../core/constants.ts';
import { AT, COMMAND, setSize, sizeOf } from '../../../core/message/header.ts';
import { allocateAligned, MessagePool, type Message } from '../../../core/message/pool.ts';
import { copyWords, regionOf, type Region } from '../../../core/message/region.ts';
import { STORAGE_RESULT } from '../../../core/ports.ts';
import { Prng } from '../../../core/prng.ts';
import {
  ClientReplies,
  REPLY_MESSAGES_MAX,
  type ClientRepliesListener,
} from '../../../core/storage/client_replies.ts';
import { replyOffset, zonesOf } from '../../../core/storage/data_file.ts';
import { MemoryStorage } from '../../support/memory_storage.ts';
import { fc } from '../../fixed_seed.ts';

const CONFIG = { ...CONFIG_SMALL, clientsMax: 64 };
const ZONES = zonesOf(CONFIG);
const CLUSTER = regionOf(new Uint8Array(16).fill(5));

class Harness implements ClientRepliesListener {
  readonly storage: MemoryStorage;
  readonly pool: MessagePool;
  readonly replies: ClientReplies;
  readonly events: string[] = [];
  writable = 0;

  constructor(storage = new MemoryStorage(ZONES.end)) {
    this.storage = storage;
    this.pool = new MessagePool({
      smallCount: REPLY_MESSAGES_MAX + 1,
      smallSize: 4096,
      largeCount: 1,
      largeSize: 8192,
      allocate: allocateAligned,
    });
    const { checksumAlgorithm } = CONFIG;
    this.replies = new ClientReplies({
      config: CONFIG,
      zones: ZONES,
      storage,
      pool: this.pool,
      cluster: CLUSTER,
      checksumAlgorithm,
      listener: this,
    });
    storage.deliver = (token, result) => this.replies.onStorage(token, result);
  }

  replyRead(token: number, message: Message | null): void {
    const content = message === null ? 'nothing' : contentOf(message);
    this.events.push(`${token} ${content}`);
  }
  repliesWritable(): void {
    this.writable++;
  }
  repliesFlushed(): void {
    this.events.push('flushed');
  }

  write(slot: number, content: string): Region {
    const reply = this.pool.acquire(4096);
    const checksum = fillReply(reply, content);
    this.replies.write(slot, reply);
    reply.unref();
    return checksum;
  }

  read(slot: number, checksum: Region, token: number): void {
    assert.equal(this.replies.read(slot, checksum, 0, token), true);
  }

  completeOne(kind: 'read' | 'write' | 'sync', result?: 0 | 1 | 2 | 3): void {
    const index = this.storage.pending.findIndex((operation) => operation.kind === kind);
    assert.notEqual(index, -1, `no ${kind} pending`);
    this.storage.complete(index, result);
  }

  pendingCount(kind: 'read' | 'write' | 'sync'): number {
    return this.storage.pending.filter((operation) => operation.kind === kind).length;
  }

  assertNoLeak(): void {
    assert.equal(this.pool.freeCount, REPLY_MESSAGES_MAX + 2);
  }
}

/** Returns the checksum. The bytes past the size are left dirty, as a reused buffer's are. */
function fillReply(reply: Message, content: string): Region {
  reply.bytes.fill(0xee);
  reply.bytes.fill(0, 0, HEADER_SIZE);
  copyWords(CLUSTER, 0, reply, AT.cluster, 16);
  reply.fields.setUint8(AT.command, COMMAND.reply);
  reply.bytes.set(Buffer.from(content), HEADER_SIZE);
  setSize(reply, HEADER_SIZE + content.length);
  seal(CONFIG.checksumAlgorithm, reply);
  return regionOf(reply.bytes.slice(AT.checksum, AT.checksum + 32));
}

function contentOf(message: Message): string {
  return Buffer.from(message.bytes.subarray(HEADER_SIZE, sizeOf(message))).toString();
}

test('client replies: written, flushed, and there after a restart', () => {
  const h = new Harness();
  const checksums = Array.from({ length: 20 }, (_, slot) => h.write(slot, `reply ${slot}`));
  h.replies.flush();
  assert.deepEqual(h.events, []);
  h.storage.run();
  assert.deepEqual(h.events, ['flushed']);
  assert.equal(h.writable, 20);
  h.assertNoLeak();
  h.storage.crash(new Prng([1, 2, 3, 4]), ['old']);
  const cold = new Harness(h.storage);
  checksums.slice(0, 8).forEach((checksum, slot) => cold.read(slot, checksum, slot));
  assert.equal(cold.replies.read(9, checksums[9] as Region, 0, 9), false, 'busy');
  cold.storage.run();
  assert.deepEqual(cold.events, checksums.slice(0, 8).map((_, slot) => `${slot} reply ${slot}`));
  assert.equal(cold.replies.faultyCount, 0);
  cold.assertNoLeak();
});

test('client replies: one write a slot, and the newest wins', () => {
  const h = new Harness();
  h.write(3, 'first');
  h.write(3, 'second');
  h.write(4, 'other');
  const third = h.write(3, 'third');
  assert.equal(h.pendingCount('write'), 2, 'slots 3 and 4');
  h.replies.flush();
  const fourth = h.write(3, 'fourth');
  h.completeOne('write');
  assert.equal(h.pendingCount('write'), 2, 'slot 4, and the newest of 3');
  h.completeOne('write');
  assert.equal(h.pendingCount('sync'), 0, 'slot 3 was promised to the flush');
  h.completeOne('write');
  h.completeOne('sync');
  assert.deepEqual(h.events, ['flushed']);
  h.assertNoLeak();
  h.read(3, third, 1);
  h.storage.run();
  assert.equal(h.events.at(-1), '1 nothing');
  h.read(3, fourth, 2);
  h.storage.run();
  assert.equal(h.events.at(-1), '2 fourth');
});

test('client replies: a flush does not wait for later replies', () => {
  const h = new Harness();
  h.write(1, 'a');
  h.replies.flush();
  h.write(2, 'b');
  h.completeOne('write');
  h.completeOne('sync');
  assert.deepEqual(h.events, ['flushed']);
  assert.equal(h.pendingCount('write'), 1);
  h.replies.flush();
  assert.throws(() => h.replies.flush(), /while flushing/);
  h.storage.run();
  assert.deepEqual(h.events, ['flushed', 'flushed']);
});

test('client replies: the bytes past a reply are zero on disk', () => {
  const h = new Harness();
  h.write(0, 'x');
  h.storage.run();
  const at = replyOffset(ZONES, 0);
  assert.ok(h.storage.written.subarray(at + 257, at + 4096).every((byte) => byte === 0));
});

test('client replies: back-pressure', () => {
  const h = new Harness();
  let slot = 0;
  for (; h.replies.canWrite(); slot++) h.write(slot, `reply ${slot}`);
  assert.equal(slot, 32);
  assert.equal(h.pendingCount('write'), 8);
  h.write(31, 'replaces one that waits');
  assert.throws(() => h.write(slot, 'one too many'), /canWrite/);
  assert.equal(h.writable, 0);
  h.completeOne('write');
  assert.equal(h.writable, 1);
  assert.equal(h.replies.canWrite(), true);
});

test('client replies: a read of a reply being written waits for it and needs no disk', () => {
  const h = new Harness();
  const older = h.write(1, 'older');
  const middle = h.write(1, 'middle');
  const newer = h.write(1, 'newer');
  h.read(1, older, 1);
  h.read(1, middle, 2);
  h.read(1, newer, 3);
  assert.equal(h.pendingCount('read'), 0);
  assert.deepEqual(h.events, [], 'never in the stack of the caller');
  h.completeOne('write');
  assert.deepEqual(h.events, ['1 older', '2 nothing', '3 newer']);
  assert.equal(h.replies.isFaulty(1), false, 'overtaken, not damaged');
  h.storage.run();
  h.assertNoLeak();
});

test('client replies: a write waits for a read of its slot', () => {
  const h = new Harness();
  const old = h.write(1, 'old');
  h.storage.run();
  h.read(1, old, 1);
  h.read(1, regionOf(new Uint8Array(32)), 2);
  h.write(1, 'new');
  assert.equal(h.pendingCount('write'), 0);
  h.completeOne('read');
  assert.equal(h.pendingCount('write'), 0);
  h.completeOne('read');
  assert.deepEqual(h.events, ['1 old', '2 nothing']);
  assert.equal(h.replies.isFaulty(1), false, 'about to be overwritten');
  assert.equal(h.pendingCount('write'), 1);
  h.storage.run();
});

test('client replies: damage makes a slot faulty until it is written again', () => {
  const places = { checksum: 3, reserved: 70, body: 257, padding: 4000 };
  for (const [place, at] of Object.entries(places)) {
    const h = new Harness();
    const checksum = h.write(7, 'reply');
    h.storage.run();
    const offset = replyOffset(ZONES, 7) + at;
    h.storage.poke(offset, new Uint8Array([(h.storage.written[offset] as number) ^ 4]));
    h.read(7, checksum, 1);
    h.storage.run();
    assert.deepEqual(h.events, ['1 nothing'], place);
    assert.equal(h.replies.isFaulty(7), true);
    assert.equal(h.replies.faultySlot(0), 7);
    assert.equal(h.replies.faultySlot(8), 7, 'wraps');
    h.write(7, 'reply');
    assert.equal(h.replies.faultyCount, 0);
    h.storage.run();
    h.read(7, checksum, 2);
    h.storage.run();
    assert.equal(h.events.at(-1), '2 reply');
  }
});

test('client replies: read errors make a slot faulty, write and sync errors are fatal', () => {
  const h = new Harness();
  for (const result of [STORAGE_RESULT.corruptRead, STORAGE_RESULT.ioError] as const) {
    const slot = result;
    const checksum = h.write(slot, 'reply');
    h.storage.run();
    h.read(slot, checksum, 1);
    h.completeOne('read', result);
    assert.equal(h.replies.isFaulty(slot), true);
  }
  assert.equal(h.replies.faultyCount, 2);
  h.replies.clearFaulty(1);
  h.replies.markFaulty(9);
  assert.equal(h.replies.faultySlot(0), 2);
  assert.equal(h.replies.faultySlot(3), 9);
  h.replies.reset();
  assert.equal(h.replies.faultySlot(0), -1);
  h.write(1, 'reply');
  assert.throws(() => h.completeOne('write', STORAGE_RESULT.noSpace), { code: 'storage-write' });
  const other = new Harness();
  other.replies.flush();
  assert.throws(() => other.completeOne('sync', STORAGE_RESULT.ioError), { code: 'storage-sync' });
});

test('client replies: whatever the order, a slot ends with its newest reply', () => {
  const step = fc.record({
    kind: fc.constantFrom('write', 'write', 'read', 'complete', 'complete', 'complete', 'flush'),
    n: fc.nat(),
  });
  const run = fc.property(fc.array(step, { maxLength: 200, size: 'max' }), (steps) => {
    const h = new Harness();
    const newest = new Map<number, { content: string; checksum: Region }>();
    let count = 0;
    let reads = 0;
    let flushes = 0;
    for (const { kind, n } of steps) {
      const slot = n % 5;
      const last = newest.get(slot);
      if (kind === 'write' && h.replies.canWrite()) {
        const content = `reply ${++count}`;
        newest.set(slot, { content, checksum: h.write(slot, content) });
      } else if (kind === 'read' && last !== undefined) {
        if (h.replies.read(slot, last.checksum, 0, count)) reads++;
      } else if (kind === 'complete' && h.storage.pending.length > 0) {
        h.storage.complete(n % h.storage.pending.length);
      } else if (kind === 'flush' && h.events.filter((e) => e === 'flushed').length === flushes) {
        h.replies.flush();
        flushes++;
      }
    }
    h.storage.run();
    assert.equal(h.events.length, reads + flushes);
    assert.equal(h.replies.faultyCount, 0);
    h.assertNoLeak();
    for (const [slot, { content, checksum }] of newest) {
      h.read(slot, checksum, 0);
      h.storage.run();
      assert.equal(h.events.at(-1), `0 ${content}`);
    }
  });
  fc.assert(run, { numRuns: 100 });
});
