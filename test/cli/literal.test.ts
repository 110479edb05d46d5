/** Plain data as TypeScript: what is written is what was meant, and reads well. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Verbatim, literal, numeral, quoted } from '../../cli/render/literal.ts';
import { fc } from '../fixed_seed.ts';

const plain = fc.letrec((tie) => ({
  value: fc.oneof(fc.integer(), fc.string(), fc.boolean(), fc.constant(null), tie('list'), tie('map')),
  list: fc.array(tie('value'), { maxLength: 8 }),
  map: fc.dictionary(fc.string().filter((name) => name !== '__proto__'), tie('value'), { maxKeys: 6 }),
})).value;

suite('literal', () => {
  test('evaluated, it is the value', () => {
    fc.assert(
      fc.property(plain, fc.nat(8), (value, indent) => {
        const evaluated: unknown = new Function(`return (${literal(value, indent)});`)();
        assert.deepEqual(JSON.parse(JSON.stringify(evaluated)), JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  test('short things on a line, long ones on several', () => {
    assert.equal(literal({ kind: 'crash', at: 200_000, node: 1 }), "{ kind: 'crash', at: 200_000, node: 1 }");
    assert.equal(literal([{ a: 'x'.repeat(50) }, { a: 'y'.repeat(50) }]), [
      '[',
      `  { a: '${'x'.repeat(50)}' },`,
      `  { a: '${'y'.repeat(50)}' },`,
      ']',
    ].join('\n'));
    const many = literal(Array.from({ length: 60 }, (_, i) => i));
    assert.ok(many.split('\n').length <= 6);
    assert.ok(many.split('\n').every((line) => line.length <= 92));
    assert.equal(literal({ system: new Verbatim('system'), x: 'z'.repeat(90) }).split('\n')[1], '  system,');
  });

  test('numbers and texts', () => {
    assert.deepEqual([7, 9999, 10_000, 1_234_567, -50_000].map(numeral), [
      '7', '9999', '10_000', '1_234_567', '-50_000',
    ]);
    assert.equal(quoted("it's \"so\"\n"), "'it\\'s \"so\"\\n'");
  });
});
