import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { fc } from '../../fixed_seed.ts';
import { AssertionFailure } from '../../../core/assert.ts';
import { allocateAligned, MessagePool, type Message } from '../../../core/message/pool.ts';

function pool(smallCount = 2, largeCount = 2): MessagePool {
  return new MessagePool({
    smallCount,
    smallSize: 4096,
    largeCount,
    largeSize: 8192,
    allocate: allocateAligned,
  });
}

suite('message pool', () => {
  test('a message holds what was asked for and has one reference', () => {
    const p = pool();
    const small = p.acquire(4096);
    const large = p.acquire(4097);
    assert.equal(small.capacity, 4096);
    assert.equal(large.capacity, 8192);
    assert.equal(small.references, 1);
    assert.equal(p.freeCount, 2);
  });

  test('small requests spill into large messages; exhaustion is a bug', () => {
    const p = pool(1, 1);
    assert.equal(p.acquire(256).capacity, 4096);
    assert.equal(p.acquire(256).capacity, 8192);
    assert.throws(() => p.acquire(256), /pool: exhausted/);
  });

  test('large requests never take a small message', () => {
    const p = pool(5, 1);
    p.acquire(8192);
    assert.throws(() => p.acquire(8192), /pool: exhausted/);
  });

  test('sizes outside the frame are refused', () => {
    for (const size of [0, 255, 8193]) {
      assert.throws(() => pool().acquire(size), AssertionFailure, String(size));
    }
  });

  test('the last reference returns the message; one more is a bug', () => {
    const p = pool();
    const m = p.acquire(256);
    assert.equal(m.ref(), m);
    m.unref();
    assert.equal(p.freeCount, 3);
    m.unref();
    assert.equal(p.freeCount, 4);
    assert.throws(() => m.unref(), AssertionFailure);
    assert.throws(() => m.ref(), AssertionFailure);
  });

  test('slots do not overlap and are sector aligned', () => {
    const p = pool(3, 3);
    p.messages.forEach((m, i) => {
      assert.equal(m.index, i);
      assert.equal(m.bytes.byteOffset % 4096, 0);
      m.bytes.fill(i + 1);
    });
    p.messages.forEach((m, i) => assert.ok(m.bytes.every((byte) => byte === i + 1)));
    const m = p.messages[4] as Message;
    m.fields.setUint32(8, 0x01020304, true);
    assert.equal(m.words[2], 0x01020304);
  });

  test('one size class when both sizes are equal', () => {
    const p = new MessagePool({
      smallCount: 2, smallSize: 4096, largeCount: 2, largeSize: 4096, allocate: allocateAligned,
    });
    const all = [1, 2, 3, 4].map(() => p.acquire(4096));
    for (const m of all) m.unref();
    assert.equal(p.freeCount, 4);
  });

  test('property: any order of taking, keeping and dropping conserves the messages', () => {
    const act = fc.record({ act: fc.nat({ max: 3 }), pick: fc.nat() });
    fc.assert(
      fc.property(fc.array(act, { maxLength: 100 }), (acts) => {
        const p = pool(4, 4);
        const held: Message[] = []; // One entry a reference.
        for (const { act, pick } of acts) {
          const chosen = held[pick % Math.max(held.length, 1)];
          if (act <= 1 && new Set(held).size < 4) held.push(p.acquire(act === 0 ? 256 : 8192));
          else if (act === 2 && chosen !== undefined) held.push(chosen.ref());
          else if (chosen !== undefined) {
            held.splice(pick % held.length, 1);
            chosen.unref();
          }
          assert.equal(p.freeCount, 8 - new Set(held).size);
        }
      }),
    );
  });
});
