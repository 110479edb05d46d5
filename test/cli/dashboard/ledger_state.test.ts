/** What the page shows of a ledger: sums over its campaigns, and the latest of many failures. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type DashboardState } from '../../../cli/dashboard/dashboard_state.ts';
import { stateOfLedger } from '../../../cli/dashboard/ledger_state.ts';
import { panelsOf } from '../../../cli/dashboard/page.ts';
import { type Declared } from '../../../cli/live/declared.ts';
import { LedgerReader, readLedger } from '../../../cli/vopr/ledger.ts';
import { type LedgerEntry } from '../../../cli/vopr/ledger_line.ts';
import { ended, failure, ledgersIn, started } from '../made_up_ledger.ts';

const DIRECTORY = mkdtempSync(join(tmpdir(), 'vopr-ledger-state-'));
after(() => rmSync(DIRECTORY, { recursive: true, force: true }));
const ledgers = ledgersIn(DIRECTORY);

const DECLARED: Declared = {
  probes: ['p: reached', 'p: never'],
  checkers: [{ id: 'agreement', claim: 'a' }, { id: 'liveness', claim: 'l' }],
  faultClasses: ['loss'],
  scenarios: [{ name: 'combined', gates: [{ counter: 'crashes', min: 1 }] }],
  canaries: ['quorum-too-small', 'deaf-primary', 'lazy-backup'],
};
const SMALL = { name: 'quorum-too-small', checker: 'agreement' };
const DEAF = { name: 'deaf-primary', checker: 'liveness' };

function stateOf(...campaigns: readonly (readonly LedgerEntry[])[]): DashboardState {
  return stateOfLedger(readLedger(ledgers.written(...campaigns)), DECLARED, 'a.jsonl', 1);
}

test('ledger state: sums, coverage and gates over all campaigns, those without an end too', () => {
  const seeds = Array.from({ length: 10 }, (_, i) => i + 1);
  const state = stateOf(
    [started(), failure(3), ended(seeds, [3], [5, 6])],
    [started({ shard: { index: 2, shards: 2 } }), failure(4)],
  );
  const { planned, taken, passed, failed, vacuous } = state.totals;
  assert.deepEqual([planned, taken, passed, failed, vacuous], [10, 10, 7, 2, 2]);
  assert.match(state.detail, /^a\.jsonl · 1 without an end: running, or killed · latest: combined, /);
  assert.deepEqual(state.scenarios.map(({ planned, failed, running }) => [planned, failed, running]), [
    [15, 2, true],
  ]);
  assert.deepEqual(state.coverage.dimensions.map(({ reached, declared }) => `${reached}/${declared}`), [
    '1/2', '1/2', '1/1', '0/1', '0/1', '0/1',
  ]);
  assert.deepEqual(state.coverage.gates, [
    { scenario: 'combined', gate: 'crashes at least 1', met: 7, seeds: 9 },
  ]);
  assert.equal(state.throughput.points.length, 1);
  assert.equal(state.topSeeds, null);
  assert.equal(panelsOf(state)['seeds'], null, 'the panel is left out');
  assert.equal(panelsOf(state)['canaries'], null);
});

test('ledger state: equal failures point at the first; under two canaries they are two', () => {
  const { failures, distinctFailures } = stateOf(
    [started(), failure(1), failure(2)],
    [started({ canary: SMALL }), failure(1), failure(2)],
  );
  assert.deepEqual(failures.map(({ number, sameAs }) => [number, sameAs]), [[1, 1], [2, 1], [3, 3], [4, 3]]);
  assert.equal(distinctFailures, 2);
  assert.equal(failures[1]?.replay, 'vopr repro b/2.kmb');
});

test('ledger state: the canary matrix says who caught what, and what was never planted', () => {
  const { canaries, canariesMissing } = stateOf(
    [started({ canary: SMALL }), failure(1)],
    [started({ canary: DEAF }), failure(1), failure(2)],
    [started({ canary: SMALL }), failure(9)],
  );
  assert.deepEqual(canaries, [
    { ...SMALL, seeds: 2, caught: 2, caughtByOther: 0, reached: 0 },
    { ...DEAF, seeds: 2, caught: 0, caughtByOther: 2, reached: 0 },
  ]);
  assert.deepEqual(canariesMissing, ['lazy-backup']);
});

test('ledger state: of many failures the latest are listed, all are counted', () => {
  const many = Array.from({ length: 3500 }, (_, i) => failure(i + 1));
  const { failures, failureCount } = stateOf([started(), ...many]);
  assert.equal(failureCount, 3500);
  assert.equal(failures.length, 1000);
  assert.deepEqual([failures[0]?.number, failures.at(-1)?.number], [2501, 3500]);
});

test('ledger state: an empty ledger is a page without a division by zero', () => {
  const state = stateOfLedger(new LedgerReader().end(), DECLARED, 'a.jsonl', 0);
  for (const inside of Object.values(panelsOf(state))) {
    assert.doesNotMatch(inside ?? '', /NaN|Infinity|undefined/);
  }
  assert.match(panelsOf(state)['head'] ?? '', /No campaign has been written down here yet/);
});
