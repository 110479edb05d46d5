/** The recovery decision table, every case of it; the torn refinement; the filter by view. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HEADER_SIZE } from '../../../core/constants.ts';
import { AT, COMMAND, OPERATION } from '../../../core/message/header.ts';
import { regionOf, writeU64, type Region } from '../../../core/message/region.ts';
import {
  ballotOf,
  findTorn,
  FOUND,
  RECOVERY_CASE,
  RECOVERY_CASE_COUNT,
  recoveryCase,
  recoveryCaseName,
  recoveryDecision,
  TORN_CANCELLED,
  viewAllowed,
  type Found,
} from '../../../core/storage/journal_recovery.ts';

interface Facts {
  r: 'bad' | 'reserved' | 'entry';
  b: 'bad' | 'reserved' | 'entry';
  rOp: number;
  bOp: number;
  equal: boolean;
  top: number;
  max: number;
}

/** Vsr.md 7.4, row by row, as conditions on their own: exactly one must hold. */
const ROWS: Record<string, (f: Facts) => boolean> = {
  A: (f) => f.r === 'bad' && f.b === 'bad',
  B: (f) => f.r === 'reserved' && f.b === 'bad',
  C: (f) => f.r === 'entry' && f.b === 'bad',
  D: (f) => f.r === 'bad' && f.b === 'reserved',
  E: (f) => f.r === 'bad' && f.b === 'entry' && f.bOp !== f.top && f.bOp <= f.max,
  F: (f) => f.r === 'bad' && f.b === 'entry' && f.bOp === f.top && f.bOp <= f.max,
  G: (f) => f.r === 'reserved' && f.b === 'entry' && f.bOp <= f.max,
  H: (f) => f.b === 'entry' && f.bOp > f.max,
  I: (f) => f.r === 'entry' && f.b === 'entry' && f.rOp > f.max && f.bOp <= f.max,
  J: (f) => f.r === 'entry' && f.b === 'reserved' && f.rOp > f.max,
  K: (f) => f.r === 'entry' && f.b === 'reserved' && f.rOp <= f.max,
  L: (f) => f.r === 'reserved' && f.b === 'reserved',
  M: (f) => both(f) && f.rOp < f.bOp,
  N: (f) => both(f) && f.rOp > f.bOp,
  O: (f) => both(f) && f.rOp === f.bOp && !f.equal,
  P: (f) => both(f) && f.rOp === f.bOp && f.equal,
};

function both(f: Facts): boolean {
  return f.r === 'entry' && f.b === 'entry' && f.rOp <= f.max && f.bOp <= f.max;
}

test('recovery: exactly one row applies, and it is the one chosen', () => {
  const kinds = ['bad', 'reserved', 'entry'] as const;
  const ops = [5, 37, 69];
  const seen = new Set<string>();
  for (const r of kinds) {
    for (const b of kinds) {
      for (const rOp of ops) {
        for (const bOp of ops) {
          for (const equal of rOp === bOp ? [false, true] : [false]) {
            for (const top of [5, 37, 69, 70]) {
              for (const max of [4, 5, 36, 37, 68, 69, 100]) {
                const facts: Facts = { r, b, rOp, bOp, equal, top, max };
                const holding = Object.keys(ROWS).filter((name) => ROWS[name]?.(facts));
                assert.equal(holding.length, 1, JSON.stringify(facts));
                const found = recoveryCase(FOUND[r], rOp, FOUND[b], bOp, equal, top, max);
                assert.equal(recoveryCaseName(found), holding[0], JSON.stringify(facts));
                seen.add(holding[0] as string);
                // Misdirected is bad, as far as the table goes.
                if (b === 'bad') {
                  assert.equal(recoveryCase(FOUND[r], rOp, FOUND.foreign, bOp, equal, top, max), found);
                }
                if (r === 'bad') {
                  assert.equal(recoveryCase(FOUND.foreign, rOp, FOUND[b], bOp, equal, top, max), found);
                }
              }
            }
          }
        }
      }
    }
  }
  assert.equal(seen.size, RECOVERY_CASE_COUNT);
});

test('recovery: decisions', () => {
  const rows = Array.from({ length: RECOVERY_CASE_COUNT }, (_, i) =>
    [recoveryCaseName(i), recoveryDecision(i, false), recoveryDecision(i, true)].join(' '),
  );
  assert.deepEqual(rows, [
    'A faulty fatal',
    'B faulty fatal',
    'C faulty fatal',
    'D faulty fix',
    'E faulty fix',
    'F fix fix',
    'G fix fix',
    'H cut impossible',
    'I cut impossible',
    'J cut impossible',
    'K faulty fatal',
    'L nil nil',
    'M fix fix',
    'N faulty fatal',
    'O faulty fatal',
    'P clean clean',
  ]);
});

/**
 * A ring of 8: `cases` a letter a slot; lower case `x` is case A by a foreign prepare (so B or C
 * with a foreign prepare are `b` and `c`). Prints the slots found torn.
 */
function torn(ring: string, checkpointOp: number, top: number, prepareMax: number, writes = 3): string {
  const slots = ring.length;
  const cases = new Uint8Array(slots);
  const prepareFound = new Uint8Array(slots);
  [...ring].forEach((letter, slot) => {
    cases[slot] = RECOVERY_CASE[letter.toUpperCase() as keyof typeof RECOVERY_CASE];
    const bad: Found = letter === letter.toLowerCase() ? FOUND.foreign : FOUND.bad;
    prepareFound[slot] = 'ABCabc'.includes(letter) ? bad : FOUND.entry;
  });
  const marks = new Uint8Array(slots).fill(9);
  const question = { cases, prepareFound, checkpointOp, prepareMax, top, writesMax: writes };
  const count = findTorn(question, marks);
  assert.equal(Math.max(count, 0), marks.reduce((a, b) => a + b, 0));
  return count === TORN_CANCELLED ? 'cancelled' : `[${[...marks.keys()].filter((s) => marks[s]).join(',')}]`;
}

test('recovery: torn refinement', () => {
  // Second lap: ops 8.. in slots 0..; checkpoint 7, top 11 in slot 3, prepareMax 15 in slot 7.
  assert.equal(torn('PPPPPPPP', 7, 11, 15), '[]');
  assert.equal(torn('PPPPCPPP', 7, 11, 15), '[4]');
  assert.equal(torn('PPPPPCPP', 7, 11, 15), '[5]', 'writes finish in any order');
  assert.equal(torn('PPPPCCCP', 7, 11, 15), '[4,5,6]');
  assert.equal(torn('PPPPCCCC', 7, 11, 15), 'cancelled', 'more than writes in flight');
  assert.equal(torn('PPPPCCCC', 7, 11, 15, 4), '[4,5,6,7]');
  assert.equal(torn('PPPFLGMP', 7, 11, 15), '[]', 'fixed slots are no faults');
  // A fault of any other form in the range may have been an op above the head.
  for (const other of ['A', 'D', 'E', 'K', 'N', 'O', 'c', 'b', 'a']) {
    assert.equal(torn(`PPPPC${other}PP`, 7, 11, 15), 'cancelled', other);
    assert.equal(torn(`PPPP${other}CPP`, 7, 11, 15), 'cancelled', other);
  }
  // Left of the head faults do not matter, and are not touched.
  assert.equal(torn('CPAPCPPP', 7, 11, 15), '[4]');
  // The head is not certain below the checkpoint; nothing is above prepareMax.
  assert.equal(torn('PPPPCPPP', 12, 11, 19), '[]');
  assert.equal(torn('PPPPCPPP', 7, 15, 15), '[]');
  assert.equal(torn('PPPPCPPP', 7, 16, 15), '[]');
  // First lap: never used slots are reserved, and torn just the same.
  assert.equal(torn('PPPBBLLL', 0, 2, 7), '[3,4]');
  assert.equal(torn('PPPBBALL', 0, 2, 7), 'cancelled');
  // A whole ring above the head: the last op shares the head's slot, whose fault is the head's.
  assert.equal(torn('PPPPPPPC', 7, 7, 15), '[]');
  assert.equal(torn('CPPPPPPC', 7, 7, 15), '[0]');
});

/** `op:view` a header, top first; `op:-` a blank. */
function headerList(text: string): { headers: Region; count: number } {
  const entries = text.split(' ');
  const headers = regionOf(new Uint8Array(entries.length * HEADER_SIZE));
  entries.forEach((entry, i) => {
    const at = i * HEADER_SIZE;
    const [opText, view] = entry.split(':');
    writeU64(headers, at + AT.op, Number(opText));
    if (view === '-') return;
    headers.fields.setUint8(at + AT.command, COMMAND.prepare);
    headers.fields.setUint8(at + AT.operation, OPERATION.noop);
    headers.fields.setUint32(at + AT.view, Number(view), true);
  });
  return { headers, count: entries.length };
}

test('recovery: view filter', () => {
  const { headers, count } = headerList('20:7 19:- 18:5 17:5 16:- 15:3 8:2');
  const allowed = (op: number): string =>
    Array.from({ length: 11 }, (_, view) => view)
      .filter((view) => viewAllowed(op, ballotOf(0, view), headers, count, ballotOf(0, 9)))
      .join(',');
  assert.equal(allowed(25), '9', 'above the list: only the log view');
  assert.equal(allowed(21), '9');
  assert.equal(allowed(20), '7', 'listed: exactly its view');
  assert.equal(allowed(19), '5,6,7', 'blank: between its neighbours');
  assert.equal(allowed(18), '5');
  assert.equal(allowed(16), '3,4,5');
  assert.equal(allowed(15), '3');
  assert.equal(allowed(10), '2,3', 'not listed');
  assert.equal(allowed(8), '2');
  assert.equal(allowed(1), '0,1,2', 'below the list');
  // Epoch first.
  assert.equal(viewAllowed(25, ballotOf(1, 0), headers, count, ballotOf(0, 9)), false);
  assert.equal(viewAllowed(25, ballotOf(1, 0), headers, count, ballotOf(1, 0)), true);
  assert.equal(viewAllowed(1, ballotOf(1, 0), headers, count, ballotOf(1, 0)), false);
});
