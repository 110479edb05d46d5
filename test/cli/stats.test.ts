/** `vopr stats`: the numbers of a ledger, each against what the code declares. */
import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { statsText } from '../../cli/render/stats.ts';
import { readLedger } from '../../cli/vopr/ledger.ts';
import { type LedgerEntry } from '../../cli/vopr/ledger_line.ts';
import { statsOf, type Declared, type LedgerStats, type StatsFilter } from '../../cli/vopr/ledger_stats.ts';
import { CODE, ended, failure, ledgersIn, range, started } from './made_up_ledger.ts';
import { runProgram, type Outcome } from './run_program.ts';

const DIRECTORY = mkdtempSync(join(tmpdir(), 'stats-'));
after(() => rmSync(DIRECTORY, { recursive: true, force: true }));
const { written } = ledgersIn(DIRECTORY);

const DECLARED: Declared = {
  scenarios: ['baseline', 'combined', 'message_loss'],
  invariants: ['agreement', 'liveness'],
  faults: ['loss', 'crash', 'pause'],
  probes: ['p: reached', 'p: never', 'p: new'],
  canaries: ['double-apply', 'stale-read', 'repair-never'],
};
const ALL: StatsFilter = { since: 0, scenario: null, module: undefined };

/** Campaign c0 on the first of `days`, c1 on the second, ... */
function onDays(path: string, days: readonly string[]): string {
  const text = readFileSync(path, 'utf8').replaceAll(/"at":"[^"]*","campaign":"c(\d+)"/g, (_, c: string) => {
    return `"at":"${days[Number(c)]}T12:00:00.000Z","campaign":"c${c}"`;
  });
  writeFileSync(path, text);
  return path;
}

function of(path: string, filter: Partial<StatsFilter> = {}): LedgerStats {
  return statsOf(readLedger(path), DECLARED, { ...ALL, ...filter });
}

test('stats: seeds, failures and rates by day and scenario', () => {
  const other = ended(range(10), []);
  const faults = { 'loss.attempted': 5, 'loss.applied': 4, 'loss.observed': 0, 'crash.attempted': 1 };
  const cut = { ...other, summary: { ...other.summary, faults }, interrupted: true };
  const path = onDays(
    written(
      [started(), failure(3), failure(7), ended(range(10), [3, 7], [4])],
      [started({ scenario: 'baseline' }), cut],
      [started(), failure(3), ended(range(10), [3])],
      [started({ scenario: 'baseline', seeds: { first: 1, count: 99 } }), failure(20)],
    ),
    ['2026-11-20', '2026-11-20', '2026-11-22', '2026-11-22'],
  );
  const stats = of(path);
  const { campaigns, seeds, failures, vacuous, events, wall_seconds: wall } = stats;
  assert.deepEqual([campaigns, seeds, failures, vacuous, events, wall], [4, 31, 4, 1, 150, 4.5]);
  assert.deepEqual([stats.unfinished, stats.interrupted], [1, 1]);
  assert.deepEqual([stats.first_at, stats.last_at], ['2026-11-20T12:00:00.000Z', '2026-11-22T12:00:00.000Z']);
  assert.deepEqual(stats.days, [
    { day: '2026-11-20', campaigns: 2, seeds: 20, failures: 2, events: 100, wall_seconds: 3 },
    { day: '2026-11-22', campaigns: 2, seeds: 11, failures: 2, events: 50, wall_seconds: 1.5 },
  ]);
  const rows = stats.scenarios.map(({ scenario, campaigns, failures, signatures, vacuous }) => {
    return [scenario, campaigns, failures, signatures, vacuous];
  });
  assert.deepEqual(rows, [['combined', 2, 3, 1, 1], ['baseline', 2, 1, 1, 0]]);
  assert.deepEqual(stats.scenarios[0]?.unmet, { 'crashes at least 1': 1 });
  assert.deepEqual(stats.scenarios_never_run, ['message_loss']);

  assert.deepEqual(stats.checks, { agreement: 90 });
  assert.deepEqual(stats.invariants_never_compared, ['liveness']);
  assert.deepEqual(stats.faults, [
    { class: 'loss', attempted: 5, applied: 4, observed: 0 },
    { class: 'crash', attempted: 1, applied: 0, observed: 0 },
    { class: 'pause', attempted: 0, applied: 0, observed: 0 },
  ]);
  assert.deepEqual(stats.probes, { declared: 3, hit: 1, never_hit: ['p: never', 'p: new'] });

  assert.equal(stats.failed.length, 1);
  const [failed] = stats.failed;
  assert.equal(failed?.signature, 'agreement');
  assert.deepEqual([failed.seeds, failed.times], [3, 4], 'seed 3 of combined twice, 7, and 20 of baseline');
  assert.deepEqual([failed.first_at, failed.last_at], [stats.first_at, stats.last_at]);
  assert.equal(failed.command, 'vopr run combined --seed 3');

  const text = statsText('l.jsonl', stats);
  assert.match(text, /^l.jsonl: 4 campaigns from 2026-11-20 to 2026-11-22, 1 did not end, 1 interrupted\n/);
  assert.match(text, /\n31 seeds: 4 failures, 1 vacuous; 150 events, .* in 4.5 s: 6.9 seeds\/s, 33 ev/);
  assert.match(text, /\n2026-11-22 +2 +11 +2 +50 +7.3 +33\n/);
  assert.match(text, /\nnever run: message_loss\ngate unmet in combined: crashes at least 1: 1 seed\n/);
  assert.match(text, /agreement: 3 seeds of combined and baseline, 4 times, 2026-11-20 to 2026-11-22\n/);
  assert.match(text, /\n {4}vopr run combined --seed 3\n {4}vopr repro b\/3.kmb\n/);
  assert.match(text, /\nnever compared anything: liveness\n/);
  assert.match(text, /\napplied and never observed: loss\nnever attempted: pause\n/);
  assert.match(text, /\nprobes: 1 of 3 reached; never:\n {2}p: never\n {2}p: new\n/);
});

test('stats: by time, scenario and system', () => {
  const path = onDays(
    written(
      [started(), ended(range(10), [])],
      [started({ scenario: 'baseline' }), ended(range(4), [])],
      [started({ code: { ...CODE, module: 'my.ts' } }), ended(range(2), [])],
    ),
    ['2026-11-20', '2026-11-21', '2026-11-21'],
  );
  assert.equal(of(path).seeds, 14);
  assert.equal(of(path, { since: Date.parse('2026-11-21T00:00:00Z') }).seeds, 4);
  const one = of(path, { scenario: 'baseline' });
  assert.deepEqual([one.seeds, one.scenarios.length, one.scenarios_never_run], [4, 1, []]);
  const own = of(path, { module: 'my.ts' });
  assert.deepEqual([own.seeds, own.left_out], [2, 2]);
});

/** The end of three seeds, of which some failed, or none. */
function end(invariant: string, failed: readonly number[], canaryReached = 9): LedgerEntry {
  const entry = ended([1, 2, 3], []);
  const circumstances = { message: 'm', event: 1, virtualMicros: 1, replicas: [] };
  const violations = failed.map((seed) => ({ seed, invariant, ...circumstances }));
  const summary = { ...entry.summary, violations, canaryReached };
  return { ...entry, summary, bundles: failed.map(() => null) };
}

test('stats: canaries: caught by their checker, by another, not at all, not reached', () => {
  const begin = (name: string): LedgerEntry =>
    started({ canary: { name, checker: 'agreement' }, seeds: { first: 1, count: 3 } });
  const path = written(
    [started(), ended(range(10), [])],
    [begin('stale-read'), end('agreement', [2])],
    [begin('stale-read'), end('agreement', [1, 3])],
    [begin('stale-read'), end('liveness', [1])],
    [begin('stale-read'), end('', [])],
    [begin('double-apply'), end('', [], 0)],
  );
  const stats = of(path);
  assert.deepEqual([stats.campaigns, stats.failures], [1, 0], 'what was planted is no failure of the code');
  const rows = stats.canaries.map((row) => [
    row.canary, row.campaigns, row.seeds, row.caught, row.seeds_to_catch_max, row.caught_by_others,
    row.survived, row.unreached,
  ]);
  assert.deepEqual(rows, [
    ['double-apply', 1, 3, 0, null, {}, 0, 1],
    ['stale-read', 4, 12, 2, 2, { liveness: 1 }, 1, 0],
  ]);
  assert.deepEqual(stats.canaries_never_run, ['repair-never']);
  const text = statsText('l', stats);
  assert.match(text, /\nstale-read +agreement +4 +2 +2 +1 +0 {2}liveness\ncanaries never planted: re/);
});

const vopr = (...args: string[]): Promise<Outcome> => runProgram('vopr', args, { cwd: DIRECTORY });

test('vopr stats: without a ledger says so; with one, for people and programs', async () => {
  const none = await vopr('stats');
  assert.deepEqual([none.status, none.stderr], [0, '']);
  assert.match(none.stdout, /^no campaigns in \.vopr\/ledger\.jsonl: `vopr run` writes them down there\n$/);
  const unknown = await vopr('stats', '--scenario', 'basline');
  assert.equal(unknown.status, 2);
  assert.match(unknown.stderr, /unknown scenario "basline": did you mean "baseline"\?/);

  const ran = await vopr('run', 'baseline', '--seeds', '3');
  assert.equal(ran.status, 0, ran.stderr);
  appendFileSync(join(DIRECTORY, '.vopr', 'ledger.jsonl'), '{"schema":1,"kind":"ended"');
  const [human, json, never] = await Promise.all([
    vopr('stats'),
    vopr('stats', '--format', 'json', '--scenario', 'baseline', '--since', '1h'),
    vopr('stats', '--since', '2100-01-01'),
  ]);
  assert.deepEqual([human.status, json.status, never.status], [0, 0, 0]);
  assert.match(human.stdout, /^\.vopr\/ledger\.jsonl, line 3 is left out: cut short: it has no end\n/);
  assert.match(human.stdout, /\n3 seeds: 0 failures, 0 vacuous; /);
  assert.match(human.stdout, /\ncanaries never planted: .*commit-before-quorum/);
  assert.match(never.stdout, /\nnone of the 1 campaign in .*jsonl was asked for \(--since, --scenario, /);
  const stats = JSON.parse(json.stdout) as LedgerStats;
  assert.deepEqual([stats.schema, stats.campaigns, stats.seeds], [1, 1, 3]);
  assert.ok((stats.checks['agreement'] ?? 0) > 100);
  assert.equal(stats.probes.hit + stats.probes.never_hit.length, stats.probes.declared);
  assert.ok(stats.probes.declared > 100);
  assert.ok(stats.events / stats.wall_seconds > 0);
});
