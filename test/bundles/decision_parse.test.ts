/** Decisions in words can be read back, and what is no decision is refused with the reason. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { parseDecision } from '../../bundles/decision_parse.ts';
import { type Decision } from '../../bundles/decision_tape.ts';
import { decisionText } from '../../bundles/decision_text.ts';
import { COMMAND_NAMES } from '../../core/message/header.ts';
import { DOMAIN } from '../../sim/decide.ts';
import { decisionNames, FAMILY } from '../../sim/identity.ts';
import { fc } from '../fixed_seed.ts';

const NAMES = decisionNames(DOMAIN, COMMAND_NAMES, 3);

/** Words that a family really has: others are zero. */
function wordsOf(family: number, [a, b, c, d]: readonly [number, number, number, number]): number[] {
  switch (family) {
    case FAMILY.message:
      return [((a % 8) << 16) | ((b % 8) << 8) | (c % 30), b, c, d, 0, 0];
    case FAMILY.storage: {
      const kind = b % 3;
      return [a % 3, kind, c, kind === 2 ? 0 : d, 0, 0];
    }
    case FAMILY.operation:
      return d % 2 === 1 ? [a % 64, b, c, 1, 0, 0] : [a % 64, b, 0, 0, 0, 0];
    case FAMILY.process:
      return d % 2 === 1 ? [a % 8, b, 1, 0, 0, 0] : [a % 8, 0, 0, 0, 0, 0];
    default:
      return [a, 0, 0, 0, 0, 0];
  }
}

const anyDecision = fc
  .record({
    family: fc.constantFrom(FAMILY.plan, FAMILY.message, FAMILY.storage, FAMILY.operation, FAMILY.fault,
      FAMILY.process),
    numbers: fc.tuple(fc.nat(5000), fc.nat(5000), fc.nat(5000), fc.nat(5000)),
    copy: fc.nat(20),
    sector: fc.nat(1000),
    chance: fc.boolean(),
    value: fc.nat(1_000_000),
  })
  .map(({ family, numbers, copy, sector, chance, value }): Decision => {
    const words = wordsOf(family, numbers);
    const torn = family === FAMILY.storage && words[1] === 1;
    return {
      event: 1,
      domain: chance ? 'sectorLost' : 'storageDelay',
      value: chance ? 1 : value,
      identity: {
        family,
        words,
        copy: family === FAMILY.message ? copy : null,
        part: torn ? sector * 2 + 1 : 0,
      },
    };
  });

suite('decisions in words', () => {
  test('read back they are the same decisions', () => {
    fc.assert(
      fc.property(anyDecision, ({ domain, value, identity }) => {
        const text = decisionText({ event: 1, domain, value, identity }, NAMES);
        assert.deepEqual(parseDecision(text, NAMES), { domain, value, identity }, text);
      }),
    );
  });

  test('parts that only some decisions have', () => {
    const cases: readonly [text: string, words: readonly number[], part: number][] = [
      ['expected of C1 operation 7, older', [1, 7], 1],
      ['payload 40 of C1 operation 7, event 3', [1, 7], 3],
      ['corruptBits 9 of R0 -> R1 prepare, view 2, op 17, bit 4', [0x0106, 2, 17], 4],
    ];
    for (const [text, words, part] of cases) {
      const decision = parseDecision(text, NAMES);
      assert.deepEqual(decision.identity.words.slice(0, words.length), words);
      assert.equal(decision.identity.part, part);
      assert.equal(decisionText({ event: 1, ...decision }, NAMES), text);
    }
  });

  test('what is no decision', () => {
    const cases: readonly [string, RegExp][] = [
      ['loss', /it is not "domain of what"/],
      ['luck of R0 sync 1', /nothing is called "luck"/],
      ['delay of R0 sync 1', /delay needs a value/],
      ['loss of R0 -> R1 prepare, view 2, op 17, and more', /names nothing that is decided about/],
      ['loss of R0 -> R1 praise, view 2', /names nothing/],
      ['loss of the day', /names nothing/],
    ];
    for (const [text, reason] of cases) assert.throws(() => parseDecision(text, NAMES), reason);
  });
});
