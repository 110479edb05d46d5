/**
 * The queue against a naive one: a sorted list of (time, sequence).
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventQueue } from '../../sim/event_queue.ts';
import { fc } from '../fixed_seed.ts';

interface Pending {
  time: number;
  sequence: number;
  readonly id: number;
  readonly slot: number;
}

const action = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('push'), time: fc.nat(50), pick: fc.nat() }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('pop'), time: fc.nat(50), pick: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('move'), time: fc.nat(50), pick: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cancel'), time: fc.nat(50), pick: fc.nat() }) },
);

test('event queue: pops in order of time, then of scheduling, whatever was moved or cancelled', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 400 }), (actions) => {
      const queue = new EventQueue();
      const pending: Pending[] = [];
      let sequence = 0;
      const popBoth = (): void => {
        pending.sort((a, b) => a.time - b.time || a.sequence - b.sequence);
        const expected = pending.shift() as Pending;
        assert.equal(queue.time, expected.time);
        const slot = queue.pop();
        assert.equal(queue.a[slot], expected.id);
        assert.equal(queue.isQueued(slot), false);
        queue.release(slot);
      };
      for (const { kind, time, pick } of actions) {
        const chosen = pending[pick % Math.max(1, pending.length)];
        if (kind === 'push') {
          const id = sequence;
          const slot = queue.push(time, 1, 2, id, 3, 4);
          pending.push({ time, sequence: sequence++, id, slot });
        } else if (chosen === undefined) {
          assert.equal(queue.size, 0);
        } else if (kind === 'pop') {
          popBoth();
        } else if (kind === 'move') {
          queue.move(chosen.slot, time);
          chosen.time = time;
          chosen.sequence = sequence++;
          assert.equal(queue.timeOf(chosen.slot), time);
        } else {
          queue.cancel(chosen.slot);
          pending.splice(pending.indexOf(chosen), 1);
        }
        assert.equal(queue.size, pending.length);
      }
      while (pending.length > 0) popBoth();
    }),
    { numRuns: 200 },
  );
});

test('event queue: grows past its first capacity and keeps payloads', () => {
  const queue = new EventQueue();
  for (let i = 0; i < 5000; i++) queue.push((i * 7919) % 1000, i & 3, i & 63, i, ~i, i * 2);
  let before = -1;
  for (let i = 0; i < 5000; i++) {
    const time = queue.time;
    assert.ok(time >= before);
    before = time;
    const slot = queue.pop();
    const id = queue.a[slot] as number;
    assert.equal(queue.b[slot], ~id);
    assert.equal(queue.c[slot], id * 2);
    assert.equal(queue.kind[slot], id & 3);
    assert.equal(queue.node[slot], id & 63);
    queue.release(slot);
  }
  assert.equal(queue.size, 0);
});
