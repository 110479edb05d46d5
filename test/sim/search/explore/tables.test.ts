/** Number tables and the frontier: against maps and lists that do the same naively. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { DigestTable } from '../../../../sim/search/explore/digest_table.ts';
import { Frontier } from '../../../../sim/search/explore/frontier.ts';
import { TupleTable } from '../../../../sim/search/explore/tuple_table.ts';
import { mix32 } from '../../../../core/prng.ts';

suite('digest table', () => {
  test('each digest keeps its number, over many times its first capacity', () => {
    const table = new DigestTable(4);
    const words = new Uint32Array(4);
    const set = (i: number): Uint32Array => {
      // Few first words, so that places collide.
      words.set([mix32(i) & 7, mix32(i + 1), i, 3]);
      return words;
    };
    for (let i = 0; i < 5000; i++) assert.equal(table.add(set(i)), i);
    for (let i = 0; i < 5000; i++) {
      assert.equal(table.add(set(i)), i);
      assert.equal(table.find(set(i)), i);
      assert.equal(table.word(i, 2), i);
    }
    assert.equal(table.find(set(5000)), -1);
    assert.equal(table.count, 5000);
  });
});

suite('tuple table', () => {
  test('each tuple keeps its number, over many times its first capacity', () => {
    const table = new TupleTable(3, 2);
    const key = new Int32Array(3);
    const numbers = new Map<string, number>();
    for (let i = 0; i < 20_000; i++) {
      key.set([mix32(i) & 31, -(mix32(i + 7) & 31), mix32(i + 9) & 3]);
      const name = key.join();
      const expected = numbers.get(name) ?? numbers.size;
      numbers.set(name, expected);
      assert.equal(table.add(key), expected);
      assert.deepEqual([0, 1, 2].map((at) => table.element(expected, at)), [...key]);
    }
    assert.equal(table.count, numbers.size);
  });
});

suite('frontier', () => {
  const vector = new Int32Array(5000);

  /** Pushes `count` states of various lengths, pops one after each three, then the rest. */
  function drained(order: 'bfs' | 'dfs' | 'directed', count: number): number[] {
    const frontier = new Frontier(order);
    const popped: number[] = [];
    const pop = (): void => {
      const length = frontier.pop(vector);
      const state = vector[0] as number;
      assert.equal(length, 1 + (state % 3000));
      for (let i = 1; i < length; i++) if (vector[i] !== state + i) assert.fail(`state ${state}, word ${i}`);
      popped.push(state);
    };
    for (let state = 0; state < count; state++) {
      const length = 1 + (state % 3000);
      for (let i = 0; i < length; i++) vector[i] = state + i;
      frontier.push(vector, length, [state % 5, state % 7]);
      if (state % 3 === 2) pop();
    }
    while (frontier.count > 0) pop();
    return popped;
  }

  test('bfs: first in, first out; vectors come out as they went in', () => {
    assert.deepEqual(drained('bfs', 3000), Array.from({ length: 3000 }, (_, i) => i));
  });

  test('dfs: the youngest that waits', () => {
    assert.deepEqual(drained('dfs', 9), [2, 5, 8, 7, 6, 4, 3, 1, 0]);
  });

  test('directed: every state once, and a new class before the second of a known one', () => {
    const popped = drained('directed', 3000);
    assert.deepEqual([...popped].sort((a, b) => a - b), Array.from({ length: 3000 }, (_, i) => i));
    const frontier = new Frontier('directed');
    for (let state = 0; state < 50; state++) {
      vector[0] = state;
      frontier.push(vector, 1, state < 48 ? [0, 0] : [state, state]);
    }
    const first: number[] = [];
    for (let i = 0; i < 3; i++) {
      frontier.pop(vector);
      first.push(vector[0] as number);
    }
    assert.deepEqual(first.sort((a, b) => a - b), [0, 48, 49]);
  });
});
