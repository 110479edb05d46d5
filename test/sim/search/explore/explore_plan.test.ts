/** Plans of explored runs come from strangers: what is refused, and with which words. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { explorePlanProblem, isExplorePlan } from '../../../../sim/search/explore/explore_plan.ts';

const DELIVERY = { node: 1, deed: 'deliver', from: 0, text: 'prepare op 1 register', view: 0, word: 7 };
const PLAN = {
  kind: 'explore',
  version: 1,
  replicas: 3,
  clients: 1,
  operations: 2,
  disk: 'atomic',
  actions: [{ node: 0, deed: 'start' }, DELIVERY, { node: 1, deed: 'timer', timer: 'prepare', choices: [1] }],
};

/** What is put into the plan, and the words of the refusal. */
const REFUSED: readonly (readonly [Record<string, unknown>, RegExp])[] = [
  [{ kind: 'world' }, /not of vopr explore/],
  [{ version: 2 }, /version 2, not 1/],
  [{ replicas: 0 }, /"replicas" must be from 1 to 6/],
  [{ replicas: 7 }, /"replicas"/],
  [{ replicas: '3' }, /"replicas"/],
  [{ clients: 1e9 }, /"clients"/],
  [{ operations: -1 }, /"operations"/],
  [{ operations: 1.5 }, /"operations"/],
  [{ disk: 'slow' }, /"disk" must be atomic or steps/],
  [{ actions: 'start' }, /"actions" must be a list/],
  [{ actions: Array.from({ length: 20_001 }, () => ({ node: 0, deed: 'io' })) }, /20001 actions; at most/],
  [{ actions: [null] }, /actions\[0\]: not a map/],
  [{ actions: [{ node: 4, deed: 'start' }] }, /"node" must be from 0 to 3/],
  [{ actions: [{ node: 0, deed: 'explode' }] }, /"deed" is none that we know/],
  [{ actions: [{ node: 0, deed: 'timer' }] }, /"timer" must be a name/],
  [{ actions: [{ node: 0, deed: 'timer', timer: '\u001b[2J' }] }, /"timer" must be a name/],
  [{ actions: [{ ...DELIVERY, from: -1 }] }, /"from"/],
  [{ actions: [{ ...DELIVERY, text: 'x'.repeat(201) }] }, /"text" must be short text/],
  [{ actions: [{ ...DELIVERY, view: 2 ** 32 }] }, /"view" must be a u32/],
  [{ actions: [{ ...DELIVERY, word: Number.NaN }] }, /"word" must be a u32/],
  [{ actions: [{ ...DELIVERY, keeps: 1 }] }, /"keeps" must be true or false/],
  [{ actions: [{ ...DELIVERY, choices: [9] }] }, /"choices": out of range/],
  [{ actions: [{ ...DELIVERY, choices: Array.from({ length: 65 }, () => 0) }] }, /"choices" must be a short/],
];

suite('plan of an explored run', () => {
  test('a whole one is taken', () => {
    assert.equal(explorePlanProblem(PLAN), null);
    assert.equal(isExplorePlan(PLAN), true);
  });

  for (const [change, words] of REFUSED) {
    test(`refused: ${words.source}`, () => {
      assert.match(explorePlanProblem({ ...PLAN, ...change }) ?? '', words);
    });
  }

  test('what is no map is none', () => {
    for (const value of [null, 3, 'explore', [], new Uint8Array(4)]) {
      assert.equal(isExplorePlan(value), false);
      assert.match(explorePlanProblem(value) ?? '', /^plan: not a map/);
    }
  });
});
