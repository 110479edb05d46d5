import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AssertionFailure } from '../../../core/assert.ts';
import { MessagePool, allocateAligned } from '../../../core/message/pool.ts';

function poolOf(): MessagePool {
  const pool = new MessagePool({
    smallCount: 4,
    smallSize: 4096,
    largeCount: 2,
    largeSize: 8192,
    allocate: allocateAligned,
  });
  pool.trackHolders(3);
  return pool;
}

test('pool: what a holder holds can be taken from it, others keep theirs', () => {
  const pool = poolOf();
  pool.holder = 0;
  const shared = pool.acquire(256);
  const own = pool.acquire(5000);
  own.ref();
  pool.holder = 1;
  shared.ref();
  pool.dropHolder(0);
  assert.equal(shared.references, 1);
  assert.equal(own.references, 0);
  assert.equal(pool.freeCount, 5);
  shared.unref();
  assert.equal(pool.freeCount, 6);
});

test('pool: nobody drops what he does not hold', () => {
  const pool = poolOf();
  const message = pool.acquire(256);
  pool.holder = 2;
  assert.throws(() => message.unref(), AssertionFailure);
});

test('pool: reset gives back all messages, zero, in their first order', () => {
  const pool = poolOf();
  const order = [pool.acquire(256).index, pool.acquire(256).index, pool.acquire(8000).index];
  for (const index of order) pool.messages[index]?.bytes.fill(7);
  pool.reset();
  assert.equal(pool.freeCount, 6);
  const again = [pool.acquire(256), pool.acquire(256), pool.acquire(8000)];
  assert.deepEqual(again.map((message) => message.index), order);
  for (const message of again) assert.ok(message.bytes.every((byte) => byte === 0));
});
