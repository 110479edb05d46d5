import assert from 'node:assert/strict';
import test from 'node:test';
import { signatureOf } from '../../sim/search/signature.ts';

test('signature', async (t) => {
  await t.test('numbers and names of nodes are circumstances', () => {
    const a = signatureOf({ invariant: 'no_panic', message: 'R1 stopped: AssertionError: slot 12 of 32' });
    const b = signatureOf({ invariant: 'no_panic', message: 'R2 stopped: AssertionError: slot 9 of 32' });
    assert.equal(a, b);
  });
  await t.test('two assertions are two failures', () => {
    const a = signatureOf({ invariant: 'no_panic', message: 'R1 stopped: AssertionError: slot 12' });
    const b = signatureOf({ invariant: 'no_panic', message: 'R1 stopped: AssertionError: view 12' });
    assert.notEqual(a, b);
  });
  await t.test('a checker is its own signature', () => {
    assert.equal(signatureOf({ invariant: 'agreement', message: 'op 3 differs' }), 'agreement');
  });
});
