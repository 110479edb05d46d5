/** Streams are an interface: a change of these numbers changes every seed anyone has written down. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { fc } from '../fixed_seed.ts';
import { AssertionFailure } from '../../core/assert.ts';
import { mix32, Prng, seedOfText, type Seed } from '../../core/prng.ts';

const take = (rng: Prng, count: number): number[] => Array.from({ length: count }, () => rng.u32());
const word = fc.integer({ min: 0, max: 0xffff_ffff });
const seed = fc.tuple(word, word, word, word) as fc.Arbitrary<Seed>;

suite('prng', () => {
  test('seed stability: text to seed', () => {
    assert.deepEqual(seedOfText(''), PINNED.empty);
    assert.deepEqual(seedOfText('nightly-2026-11-22'), PINNED.nightly);
    assert.deepEqual(seedOfText('network', [1, 2, 3, 4]), PINNED.network);
  });

  test('seed stability: first draws', () => {
    assert.deepEqual(take(new Prng([1, 2, 3, 4]), 4), PINNED.draws);
    assert.deepEqual(take(new Prng([1, 2, 3, 4]).fork('network'), 4), PINNED.forked);
    assert.deepEqual(take(new Prng([0, 0, 0, 0]), 4), PINNED.zero);
    const rng = new Prng(seedOfText('below'));
    assert.deepEqual([2, 10, 1000, 4_294_967_296].map((bound) => rng.below(bound)), PINNED.below);
  });

  test('property: draws of one component move no other stream', () => {
    fc.assert(
      fc.property(seed, fc.nat({ max: 20 }), fc.string(), fc.string(), (s, draws, a, b) => {
        const quiet = new Prng(s);
        const busy = new Prng(s);
        take(busy, draws);
        take(busy.fork(b), draws);
        assert.deepEqual(take(busy.fork(a), 5), take(quiet.fork(a), 5));
        if (a !== b) assert.notDeepEqual(take(quiet.fork(a), 5), take(quiet.fork(b), 5));
        assert.notDeepEqual(take(new Prng(s).fork(a), 5), take(new Prng(s), 5));
      }),
    );
  });

  test('property: below is in range and costs one draw', () => {
    fc.assert(
      fc.property(seed, fc.integer({ min: 1, max: 4_294_967_296 }), (s, bound) => {
        const a = new Prng(s);
        const b = new Prng(s);
        const value = a.below(bound);
        assert.ok(Number.isInteger(value) && value >= 0 && value < bound);
        b.u32();
        assert.equal(a.u32(), b.u32());
      }),
    );
    assert.throws(() => new Prng([1, 2, 3, 4]).below(0), AssertionFailure);
    assert.throws(() => new Prng([1, 2, 3, 4]).below(4_294_967_297), AssertionFailure);
  });

  test('every value of a small range comes up about equally often', () => {
    const rng = new Prng(seedOfText('uniform'));
    const counts = Array.from({ length: 10 }, () => 0);
    for (let i = 0; i < 10_000; i++) {
      const value = rng.below(10);
      counts[value] = (counts[value] as number) + 1;
    }
    // 30 is the standard deviation; five of them.
    for (const count of counts) assert.ok(count > 850 && count < 1150, counts.join(' '));
  });

  test('mix32 is a bijection on a sample and never a fixed point but 0', () => {
    const seen = new Set<number>();
    for (let i = 0; i < 50_000; i++) seen.add(mix32(i));
    assert.equal(seen.size, 50_000);
    assert.equal(mix32(0), 0);
  });

  test('one bit of a seed changes the whole stream', () => {
    const base = take(new Prng([1, 2, 3, 4]).fork('x'), 4);
    for (let bit = 0; bit < 128; bit++) {
      const words: [number, number, number, number] = [1, 2, 3, 4];
      words[bit >> 5] = ((words[bit >> 5] as number) ^ (1 << (bit & 31))) >>> 0;
      const other = take(new Prng(words).fork('x'), 4);
      const equal = other.filter((value, i) => value === base[i]).length;
      assert.equal(equal, 0, `bit ${bit}`);
    }
  });
});

const PINNED = {
  empty: [2462723854, 3031090980, 2957703236, 2968492035],
  nightly: [3088576445, 1379658984, 3995480001, 1348746355],
  network: [2288627493, 2352114566, 773613483, 2348077726],
  draws: [6, 33947718, 612440710, 3628488838],
  forked: [405224996, 118481527, 4109335944, 2044526312],
  zero: [0, 32, 541131072, 16875812],
  below: [1, 3, 676, 4154419153],
} as const;
