/** Delta debugging on synthetic tests: what is left is needed, and nothing is asked twice in a row. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Ddmin } from '../../../sim/search/minimize/ddmin.ts';
import { fc } from '../../fixed_seed.ts';

type Holds = (items: readonly number[]) => boolean;

interface Shrunk {
  readonly items: readonly number[];
  readonly tests: number;
}

/** Drives it to its end; `inspect` sees what is kept after each answer. */
function shrink(
  items: readonly number[],
  holds: Holds,
  inspect: (kept: readonly number[]) => void = () => {},
): Shrunk {
  const ddmin = new Ddmin(items);
  let tests = 0;
  for (;;) {
    const lists = ddmin.propose();
    if (lists.length === 0) {
      assert.ok(ddmin.done);
      return { items: ddmin.items, tests };
    }
    const held = lists.findIndex((list) => {
      tests++;
      return holds(list);
    });
    ddmin.take(held);
    inspect(ddmin.items);
  }
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

suite('ddmin', () => {
  test('finds exactly the needed items when each is needed by itself', () => {
    fc.assert(
      fc.property(fc.nat(200), fc.array(fc.nat(199), { maxLength: 12 }), (count, wanted) => {
        const needed = [...new Set(wanted.filter((item) => item < count))].sort((a, b) => a - b);
        const { items } = shrink(range(count), (list) => needed.every((item) => list.includes(item)));
        assert.deepEqual(items, needed);
      }),
    );
  });

  test('what is left is one-minimal for tests that are not monotone either', () => {
    const anyTest = fc.record({
      // Some list is enough; a list with the sum in one class holds as well; too short a list never.
      needed: fc.array(fc.nat(29), { maxLength: 5 }),
      modulus: fc.integer({ min: 2, max: 7 }),
      shortest: fc.nat(4),
    });
    fc.assert(
      fc.property(fc.nat(30), anyTest, (count, { needed, modulus, shortest }) => {
        const all = range(count);
        const holds: Holds = (list) => {
          if (list.length === all.length) return true; // The failure that was found.
          if (list.length < shortest) return false;
          const sum = list.reduce((total, item) => total + item, 0);
          return needed.every((item) => list.includes(item)) || sum % modulus === 1;
        };
        const { items } = shrink(all, holds);
        assert.ok(holds(items));
        for (const left of items) {
          assert.ok(!holds(items.filter((item) => item !== left)), `${left} can be left out`);
        }
      }),
    );
  });

  test('what is kept holds after every answer, in the order of the whole', () => {
    const needed = [3, 17, 18, 90];
    const holds: Holds = (list) => needed.every((item) => list.includes(item));
    shrink(range(100), holds, (kept) => {
      assert.ok(holds(kept));
      assert.deepEqual(kept, [...kept].sort((a, b) => a - b));
    });
  });

  test('one needed item of a thousand takes about twice the logarithm', () => {
    for (const item of [0, 1, 499, 500, 998, 999]) {
      const { items, tests } = shrink(range(1000), (list) => list.includes(item));
      assert.deepEqual(items, [item]);
      assert.ok(tests <= 32, `${tests} tests`);
    }
  });

  test('nothing is needed, nothing is there', () => {
    assert.deepEqual(shrink(range(50), () => true), { items: [], tests: 1 });
    assert.deepEqual(shrink([], () => true), { items: [], tests: 0 });
    assert.deepEqual(shrink([7], (list) => list.length === 1), { items: [7], tests: 1 });
  });

  test('which lists are asked does not depend on how far beyond the first that holds one looks', () => {
    const needed = [5, 6, 70];
    const holds: Holds = (list) => needed.every((item) => list.includes(item));
    const asked = (jobs: number): string[] => {
      const ddmin = new Ddmin(range(80));
      const log: string[] = [];
      for (let lists = ddmin.propose(); lists.length > 0; lists = ddmin.propose()) {
        // As `jobs` threads do: in groups, and of the first group with one that holds, its first.
        let held = -1;
        for (let at = 0; at < lists.length && held < 0; at += jobs) {
          const found = lists.slice(at, at + jobs).findIndex(holds);
          if (found >= 0) held = at + found;
        }
        log.push(`${lists.length} ${held}`);
        ddmin.take(held);
      }
      return log;
    };
    assert.deepEqual(asked(1), asked(4));
    assert.deepEqual(asked(1), asked(16));
  });
});
