import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { fc } from '../../fixed_seed.ts';
import { AssertionFailure } from '../../../core/assert.ts';
import {
  copyWords,
  equalWords,
  isZeroWords,
  readNanosAsMicros,
  readU64,
  regionOf,
  u64Fits,
  writeNanos,
  writeU64,
  zeroWords,
} from '../../../core/message/region.ts';

const region = regionOf(new Uint8Array(64));
const AT = 8;
const bigAt = (): bigint => region.fields.getBigUint64(AT, true);
/** Up to the year 2255 in microseconds. */
const micros = fc.maxSafeInteger().map(Math.abs);

suite('region', () => {
  test('u64: edges', () => {
    for (const value of [0, 1, 0xffff_ffff, 0x1_0000_0000, Number.MAX_SAFE_INTEGER]) {
      writeU64(region, AT, value);
      assert.equal(bigAt(), BigInt(value));
      assert.equal(readU64(region, AT), value);
      assert.ok(u64Fits(region, AT));
    }
  });

  test('u64: what a number cannot hold reads as Infinity', () => {
    for (const value of [1n << 53n, (1n << 64n) - 1n, 1n << 63n]) {
      region.fields.setBigUint64(AT, value, true);
      assert.equal(u64Fits(region, AT), false);
      assert.equal(readU64(region, AT), Number.POSITIVE_INFINITY);
    }
  });

  test('u64: what is none is refused', () => {
    for (const value of [-1, Number.MAX_SAFE_INTEGER + 1, Number.NaN, Number.POSITIVE_INFINITY]) {
      assert.throws(() => writeU64(region, AT, value), AssertionFailure, String(value));
    }
  });

  test('property: u64 agrees with BigInt and comes back', () => {
    fc.assert(
      fc.property(micros, (value) => {
        writeU64(region, AT, value);
        assert.equal(bigAt(), BigInt(value));
        assert.equal(readU64(region, AT), value);
      }),
    );
  });

  test('property: nanoseconds agree with BigInt and come back, rounded up', () => {
    fc.assert(
      fc.property(micros, fc.nat({ max: 5_000_000 }), (value, before) => {
        const nanos = BigInt(value) * 1000n - BigInt(before);
        if (nanos < 0n) {
          assert.throws(() => writeNanos(region, AT, value, before), AssertionFailure);
          return;
        }
        writeNanos(region, AT, value, before);
        assert.equal(bigAt(), nanos);
        assert.equal(BigInt(readNanosAsMicros(region, AT)), (nanos + 999n) / 1000n);
      }),
      { numRuns: 2000 },
    );
  });

  test('nanoseconds: borrows across the halves', () => {
    // 2^32 ns is 4294967.296 ms: the low half wraps inside a microsecond.
    for (const value of [4_294_968, 4_294_967, 1, 4_294_967_296, 4_294_967_297]) {
      for (const before of [0, 1, 296, 297, 703, 704, 999]) {
        writeNanos(region, AT, value, before);
        assert.equal(bigAt(), BigInt(value) * 1000n - BigInt(before), `${value} - ${before}`);
      }
    }
  });

  test('property: words are copied, compared and cleared like bytes', () => {
    const words = fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 32, maxLength: 32 });
    fc.assert(
      fc.property(words, fc.nat({ max: 7 }), fc.nat({ max: 7 }), (bytes, fromWord, toWord) => {
        const from = regionOf(Uint8Array.from([...bytes, ...bytes]));
        const to = regionOf(new Uint8Array(64).fill(0xaa));
        copyWords(from, fromWord * 4, to, toWord * 4, 32);
        const expected = new Uint8Array(64).fill(0xaa);
        expected.set(from.bytes.subarray(fromWord * 4, fromWord * 4 + 32), toWord * 4);
        assert.deepEqual(to.bytes, expected);
        assert.ok(equalWords(from, fromWord * 4, to, toWord * 4, 32));
        const at = toWord * 4 + (bytes[0] as number) % 32;
        to.bytes[at] = (to.bytes[at] as number) ^ 1;
        assert.equal(equalWords(from, fromWord * 4, to, toWord * 4, 32), false);
        zeroWords(to, toWord * 4, 32);
        assert.ok(isZeroWords(to, toWord * 4, 32));
        to.bytes[at] = 1;
        assert.equal(isZeroWords(to, toWord * 4, 32), false);
        if (toWord > 0) assert.equal(to.bytes[toWord * 4 - 1], 0xaa);
        if (toWord < 8 && toWord * 4 + 32 < 64) assert.equal(to.bytes[toWord * 4 + 32], 0xaa);
      }),
    );
  });

  test('three views of one memory; unaligned memory is refused', () => {
    const memory = new Uint8Array(32);
    const part = regionOf(memory.subarray(8, 24));
    part.words[1] = 0x04030201;
    assert.deepEqual([...memory.subarray(12, 16)], [1, 2, 3, 4]);
    assert.equal(part.fields.getUint32(4, true), 0x04030201);
    assert.throws(() => regionOf(memory.subarray(2, 10)), AssertionFailure);
    assert.throws(() => regionOf(memory.subarray(4, 9)), AssertionFailure);
  });
});
