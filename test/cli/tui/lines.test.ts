/** Lines of the terminal's views: exact in cells, and harmless. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  bar,
  ends,
  fit,
  line,
  padded,
  plain,
  printable,
  sparkline,
  span,
  table,
  widthOf,
  wrapped,
} from '../../../cli/tui/lines.ts';

test('lines: whatever the text, a fitted line has at most its width, a padded one exactly', () => {
  const texts = fc.array(fc.string({ unit: 'binary' }), { maxLength: 4 });
  fc.assert(
    fc.property(texts, fc.integer({ min: 0, max: 30 }), (parts, width) => {
      const text = line(...parts);
      assert.ok(widthOf(fit(text, width)) <= width);
      if (widthOf(text) <= width) assert.equal(plain(fit(text, width)), plain(text));
      if (width > 0) assert.equal(widthOf(padded(text, width)), width);
    }),
  );
});

test('lines: what a terminal would take as a command becomes a space', () => {
  assert.equal(printable('a\u001b[2Jb\r\n\tc\u0007\u009bd\u202ee'), 'a [2Jb   c  d e');
  assert.equal(span('\u001b]0;title\u0007').text, ' ]0;title ');
});

test('lines: cut, at two ends, wrapped, in columns', () => {
  assert.equal(plain(fit(line('abc', 'def'), 5)), 'abcd…');
  assert.equal(plain(ends(line('left'), line('right'), 12)), 'left   right');
  assert.equal(plain(ends(line('left'), line('right'), 8)), 'left');
  assert.deepEqual(wrapped('one two three four', 8, 9).map(plain), ['one two', 'three', 'four']);
  assert.deepEqual(wrapped('one two three four', 8, 2).map(plain), ['one two', 'three f…']);
  assert.deepEqual(wrapped('abcdefghij', 4, 9).map(plain), ['abcd', 'efgh', 'ij']);
  const cell = (text: string): { text: string } => span(text);
  assert.deepEqual(
    table([[cell('a'), cell('1')], [cell('bcd'), cell('234')]], '<>').map(plain),
    ['a      1', 'bcd  234'],
  );
});

test('lines: bars and sparklines of shares and of nothing', () => {
  assert.equal(plain(bar(0.5, 4)), '██░░');
  assert.equal(plain(bar(0.28, 4)), '█▏░░');
  assert.equal(plain(bar(7, 4)), '████');
  for (const share of [0, -1, Number.NaN]) assert.equal(plain(bar(share, 4)), '░░░░');
  assert.equal(sparkline([0, 1, 4, 8], 4), ' ▂▅█');
  assert.equal(sparkline([9, 0, 0], 2), '  ');
  assert.equal(sparkline([], 4), '');
});
