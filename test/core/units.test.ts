import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { AssertionFailure } from '../../core/assert.ts';
import { micros, op, replicaIndex, saturatingSub, slot, view } from '../../core/units.ts';

suite('units', () => {
  const accepted: readonly [make: (n: number) => number, values: readonly number[]][] = [
    [op, [0, 1, 4_294_967_296, Number.MAX_SAFE_INTEGER]],
    [view, [0, 1, 0xffff_ffff]],
    [replicaIndex, [0, 5, 11]],
    [slot, [0, 1, 1023]],
    [micros, [0, 1, Number.MAX_SAFE_INTEGER]],
  ];
  const refused: readonly [make: (n: number) => number, values: readonly number[]][] = [
    [op, [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, Number.MAX_SAFE_INTEGER + 1]],
    [view, [-1, 0.5, Number.NaN, 0x1_0000_0000]],
    [replicaIndex, [-1, 0.5, Number.NaN, 12]],
    [slot, [-1, 0.5, Number.NaN]],
    [micros, [-1, 0.5, Number.NaN, Number.MAX_SAFE_INTEGER + 1]],
  ];
  test('a unit is its own number', () => {
    for (const [make, values] of accepted) for (const value of values) assert.equal(make(value), value);
  });
  test('what is not one is refused at birth', () => {
    for (const [make, values] of refused) {
      for (const value of values) {
        assert.throws(() => make(value), AssertionFailure, `${make.name}(${value})`);
      }
    }
  });
  test('a ∸ b', () => {
    assert.equal(saturatingSub(5, 3), 2);
    assert.equal(saturatingSub(3, 3), 0);
    assert.equal(saturatingSub(3, 5), 0);
  });
});
