/** `vopr merge`: shards add up to the campaign that they are parts of, and nothing else is added up. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import * as fc from 'fast-check';
import { jsonOf } from '../../cli/render/json.ts';
import { type RunReport } from '../../cli/render/report.ts';
import { LedgerFile, readLedger } from '../../cli/vopr/ledger.ts';
import { reportOfCampaign } from '../../cli/vopr/ledger_report.ts';
import { mergeParts, type Part } from '../../cli/vopr/merge_parts.ts';
import { reportsOfResult } from '../../cli/vopr/result_file.ts';
import { sinceTime } from '../../cli/vopr/since.ts';
import { Campaign, seedAt, shardOf } from '../../sim/search/campaign.ts';
import { type SeedResult } from '../../sim/search/seed_result.ts';
import { CODE, REPORT } from './made_up_report.ts';
import { runProgram, type Outcome } from './run_program.ts';
import { xmlTree } from './xml.ts';

const DIRECTORY = mkdtempSync(join(tmpdir(), 'merge-'));
after(() => rmSync(DIRECTORY, { recursive: true, force: true }));

function resultOf(seed: number): SeedResult {
  const invariant = seed % 22 === 0 ? 'liveness' : 'agreement';
  return {
    seed, digest: (seed * 2_654_435_761).toString(16), events: 100 + seed, messages: 50, storageOps: 20,
    commits: 10, viewChanges: seed % 3, crashes: 1, virtualMicros: 1_000_000 + seed,
    violation: seed % 11 === 0
      ? { invariant, message: `op ${seed}`, event: 1000 - seed, virtualMicros: 4, replicas: [0, 2] }
      : null,
    unmet: seed % 10 === 3 ? [`view_changes at least 100: ${seed}`] : [],
    shares: [{ gate: 'even', sharePpm: 400_000, met: seed % 2 === 0 }],
    checks: { agreement: seed }, gates: { view_changes: seed % 3 }, faults: { [`f${seed % 4}.applied`]: 1 },
    probes: { [`p${seed % 5}`]: 1 }, canaryReached: 0,
  };
}

function reportOf(index: number, shards: number, count: number, change: Partial<RunReport> = {}): RunReport {
  const range = shardOf(5, count, index, shards);
  const probes = ['p0', 'p9'];
  const campaign = new Campaign({ scenario: 'combined', seeds: range, keepGoing: true, probes });
  for (let i = 0; i < range.count; i++) campaign.add(i, resultOf(seedAt(range, i)), () => {});
  const summary = campaign.summary();
  return {
    ...REPORT,
    scope: { ...REPORT.scope, seeds: { first: 5, count }, shard: { index, shards } },
    summary,
    bundles: summary.violations.map(({ seed }) => `b/${seed}.kmb`),
    wallSeconds: 2,
    ...change,
  };
}

const asPart = (report: RunReport, i = 0): Part => ({ where: `part-${i}`, report });
const indices = (shards: number): number[] => Array.from({ length: shards }, (_, i) => i + 1);

/** As it comes out of a ledger. */
function throughLedger(reports: readonly RunReport[], path: string): RunReport[] {
  const file = new LedgerFile(path);
  reports.forEach(({ scope, summary, bundles, canary, wallSeconds, code }, i) => {
    const { scenario } = summary;
    const asked = { early: [], keepGoing: true, jobs: 1 };
    file.append(`c${i}`, { kind: 'started', scenario, ...scope, canary, code, ...asked });
    file.append(`c${i}`, { kind: 'ended', interrupted: false, summary, bundles, wallSeconds });
  });
  file.close();
  const { campaigns, damaged } = readLedger(path);
  assert.deepEqual(damaged, []);
  return campaigns.map(reportOfCampaign);
}

test('merge: shards in any order, as results or from ledgers, are the unsharded campaign', () => {
  let files = 0;
  fc.assert(
    fc.property(fc.nat(129), fc.nat(6), fc.nat(6), (seeds, parted, turn) => {
      const [count, shards] = [seeds + 1, parted + 1];
      const whole = reportOf(1, 1, count);
      const parts = indices(shards).map((index) => reportOf(index, shards, count));
      const turned = [...parts.slice(turn % shards), ...parts.slice(0, turn % shards)];
      const texts = turned.map((report) => JSON.stringify(jsonOf(report)));
      const results = texts.flatMap((text) => reportsOfResult(JSON.parse(text), 'r.json'));
      const fromLedger = throughLedger(turned, join(DIRECTORY, `${++files}.jsonl`));
      for (const reports of [turned, results, fromLedger]) {
        const [merged, ...more] = mergeParts(reports.map(asPart));
        assert.ok(merged !== undefined && more.length === 0);
        const same = { startedAt: whole.startedAt, wallSeconds: 2 * shards };
        assert.equal(JSON.stringify({ ...merged, ...same }), JSON.stringify({ ...whole, ...same }));
        assert.equal(merged.wallSeconds, 2 * shards);
      }
    }),
    { numRuns: 60, seed: 1 },
  );
});

test('merge: what does not belong together is refused, and named', () => {
  const [one, two, three] = [reportOf(1, 3, 50), reportOf(2, 3, 50), reportOf(3, 3, 50)];
  const scoped = (change: Partial<RunReport['scope']>): RunReport => ({
    ...two, scope: { ...two.scope, ...change },
  });
  const summed = (change: Partial<RunReport['summary']>): RunReport => ({
    ...two, summary: { ...two.summary, ...change },
  });
  const cases: [RunReport[], RegExp][] = [
    [[one, two, two], /^UsageError: shard 2\/3 of combined is there twice, in part-1 and part-2: give each/],
    [
      [one, { ...two, code: { ...CODE, commit: '0123456' } }],
      /not shards of one campaign of combined: .*, commit faccfb7 in part-0, .*, commit 0123456 in part-1$/,
    ],
    [[one, { ...two, code: { ...CODE, module: 'my.ts' } }], /commit faccfb7 with my.ts in part-1/],
    [[one, scoped({ seeds: { first: 5, count: 51 } })], /: 50 seeds from 5 in part-0, 51 seeds from 5 in p/],
    [[one, scoped({ shard: { index: 2, shards: 4 } })], /shards of 3 in part-0, shards of 4 in part-1/],
    [[one, scoped({ limits: { events: 9, micros: null } })], /limits of all events.*limits of 9 events/],
    [[one, scoped({ checkDeterminism: true })], /seeds run once in part-0, seeds run twice in part-1/],
    [[scoped({ shard: { index: 4, shards: 3 } })], /part-0 does not add up: combined: shard 4 of 3/],
    [[scoped({ shard: { index: 1, shards: 1e15 } })], /shard 1 of 1000000000000000 of 50 seeds/],
    [[summed({ count: 18, passed: two.summary.passed + 1 })], /18 seeds where the shard has 17/],
    [[summed({ passed: 3 })], /3 passed of 17/],
    [[summed({ vacuous: [5] })], /seed 5 is not of its shard/],
    [[one, { ...one, scope: two.scope }], /part-1 does not add up: combined: seed \d+ is not of its shard/],
    [[summed({ vacuous: [6, 6] })], /a seed is counted twice/],
  ];
  for (const [reports, words] of cases) assert.throws(() => mergeParts(reports.map(asPart)), words);
  const nodes = mergeParts([one, { ...two, code: { ...CODE, node: 'v26.0.0' } }, three].map(asPart));
  assert.equal(nodes[0]?.code.node, 'v24.21.0 and v26.0.0', 'another Node runs the same seeds');
  const planted = { ...two, canary: { name: 'c', checker: 'agreement' } };
  const campaigns = mergeParts([one, planted, three].map(asPart));
  assert.equal(campaigns.length, 2, 'with a canary it is another campaign');
});

test('merge: what is not there is said, and is not a pass', () => {
  const parts = indices(5).map((index) => reportOf(index, 5, 52));
  const missing = (reports: readonly (RunReport | undefined)[]): readonly string[] | undefined =>
    mergeParts((reports as RunReport[]).map(asPart))[0]?.missing;
  assert.deepEqual(missing(parts), []);
  assert.deepEqual(missing([parts[0], parts[2]]), ['shards 2, 4 and 5 of 5 not there, 31 seeds']);
  assert.deepEqual(missing(parts.slice(1)), ['shard 1 of 5 not there, 11 seeds']);
  const many = reportOf(1, 40, 50);
  assert.deepEqual(missing([many]), ['39 shards of 40 not there, 48 seeds']);
  const three = indices(3).map((index) => reportOf(index, 9, 3));
  assert.deepEqual(missing(three), [], 'the others would be empty');
  const cut = { ...(parts[0] as RunReport), missing: ['interrupted after 11 of 11 seeds'] };
  assert.deepEqual(missing([cut, ...parts.slice(1)]), ['shard 1/5 interrupted after 11 of 11 seeds']);
  const stopped = reportOf(1, 1, 7);
  const first = { ...stopped, scope: { ...stopped.scope, seeds: { first: 5, count: 50 } } };
  assert.deepEqual(missing([first]), ['ended with its first violation, after 7 of 50 seeds']);
});

test('merge: a campaign that was killed gives its failures', () => {
  const path = join(DIRECTORY, 'killed.jsonl');
  const file = new LedgerFile(path);
  const { scope, canary, code, summary } = reportOf(2, 3, 50);
  const asked = { early: [], keepGoing: true, jobs: 1 };
  file.append('c', { kind: 'started', scenario: 'combined', ...scope, canary, code, ...asked });
  for (const violation of summary.violations) {
    file.append('c', { kind: 'failure', ...violation, signature: 's', bundle: `b/${violation.seed}.kmb` });
  }
  file.close();
  const killed = readLedger(path).campaigns.map(reportOfCampaign);
  const [merged] = mergeParts([...killed, reportOf(1, 3, 50), reportOf(3, 3, 50)].map(asPart));
  assert.deepEqual(merged?.missing, ['shard 2/3 did not end: nothing is known of it but 1 failure']);
  assert.deepEqual(merged?.summary.violations.map(({ seed }) => seed), [11, 22, 33, 44]);
  assert.deepEqual(merged?.bundles, [11, 22, 33, 44].map((seed) => `b/${seed}.kmb`));
});

test('merge: results that nobody can have written are refused by field', () => {
  const good = JSON.parse(JSON.stringify(jsonOf(reportOf(1, 1, 20)))) as Record<string, unknown>;
  assert.equal(reportsOfResult({ runs: [good, good] }, 'r').length, 2);
  for (const [change, words] of [
    [{ scenario: 7 }, /^UsageError: Cannot read the result "r": "scenario" must be text; `vopr run` did not/],
    [{ schema: 2 }, /schema 2; update kimberlite/],
    [{ asked: null }, /"asked" must be a map/],
    [{ digest: 'x' }, /"digest" must be 32 hexadecimal digits/],
    [{ probes: { 'grid: a b': -1 } }, /"probes.grid: a b" must be a number, at least 0/],
    [{ violations: [{}] }, /"violations\[0\].seed" must be a whole number/],
  ] as const) {
    assert.throws(() => reportsOfResult({ ...good, ...change }, 'r'), words);
    assert.throws(() => reportsOfResult({ runs: [good, { ...good, ...change }] }, 'r'), /"r": run 2: /);
  }
  assert.throws(() => reportsOfResult([], 'r'), /"r": it must be a map/);
});

test('since: dates, times and ages', () => {
  const now = Date.parse('2026-11-22T12:00:00Z');
  for (const [text, time] of [
    ['2026-11-20', '2026-11-20T00:00:00Z'],
    ['2026-11-20T06:30', '2026-11-20T06:30:00Z'],
    ['2026-11-20T06:30:01Z', '2026-11-20T06:30:01Z'],
    ['2026-11-20 06:30+02:00', '2026-11-20T04:30:00Z'],
    ['36h', '2026-11-21T00:00:00Z'],
    ['7d', '2026-11-15T12:00:00Z'],
    ['90m', '2026-11-22T10:30:00Z'],
  ] as const) {
    assert.equal(sinceTime(text, now), Date.parse(time), text);
  }
  for (const bad of ['', 'yesterday', '2026-13-01', '5y', '-1d', '22.11.2026']) {
    assert.throws(() => sinceTime(bad, now), /It must be a date/, bad);
  }
});

const vopr = (...args: string[]): Promise<Outcome> => runProgram('vopr', args, { cwd: DIRECTORY });

interface Result {
  readonly digest: string;
  readonly outcome: string;
  readonly violations: { seed: number; bundle: string }[];
}

test('vopr merge: three shards, each a process of its own, are the whole run', async () => {
  const scenario = ['run', 'baseline', '--canary', 'ack-before-sync', '--keep-going', '--seeds', '7'];
  const run = (...args: string[]): Promise<Outcome> => vopr(...scenario, '--bundle-dir', 'b', ...args);
  const files = indices(3).map((i) => `shard-${i}.json`);
  const ledgers = indices(3).map((i) => `ledger-${i}.jsonl`);
  const [whole, ...shards] = await Promise.all([
    run('--format', 'json', '--no-ledger'),
    ...indices(3).map((i) => {
      const to = ['--ledger', `ledger-${i}.jsonl`, '--reporter', `human,json=shard-${i}.json`];
      return run('--shard', `${i}/3`, ...to);
    }),
  ]);
  assert.deepEqual([whole, ...shards].map(({ status }) => status), [1, 1, 1, 1]);
  const expected = JSON.parse(whole.stdout) as Result;
  assert.equal(expected.violations.length, 7);

  const [json, human, fromLedgers, partly, twice] = await Promise.all([
    vopr('merge', ...files, '--reporter', 'json,junit=merged.xml'),
    vopr('merge', ...files),
    vopr('merge', ...ledgers, '--format', 'json'),
    vopr('merge', 'shard-1.json', 'shard-3.json', '--format', 'json'),
    vopr('merge', ...files, 'ledger-2.jsonl'),
  ]);
  const merged = JSON.parse(json.stdout) as Result;
  assert.equal(merged.digest, expected.digest);
  assert.deepEqual(merged.violations, expected.violations);
  assert.deepEqual((JSON.parse(fromLedgers.stdout) as Result).violations, expected.violations);
  const suites = xmlTree(readFileSync(join(DIRECTORY, 'merged.xml'), 'utf8')).children;
  assert.deepEqual(suites.map(({ attributes }) => attributes['failures']), ['7']);

  assert.equal(human.stdout.match(/\nviolation of /g)?.length, 1, 'one story for one signature');
  assert.match(human.stdout, /\n {2}acked_durability: 7 seeds: 1 2 3 4 5 6 7\n/);
  assert.match(human.stdout, /\nbaseline +7 seeds from 1: 7 violated; /);
  const bundle = /vopr repro (\S+)/.exec(human.stdout)?.[1] ?? '';
  assert.equal((await vopr('repro', bundle)).status, 1, 'the bundle that the story names');

  assert.deepEqual((JSON.parse(partly.stdout) as Result & { missing: string[] }).missing, [
    'shard 2 of 3 not there, 2 seeds',
  ]);
  assert.deepEqual([json, human, fromLedgers, partly].map(({ status }) => status), [1, 1, 1, 1]);
  assert.equal(twice.status, 2);
  assert.match(twice.stderr, /shard 2\/3 of baseline, canary .* twice, in "shard-2.json" and "ledger-2/);
});

test('vopr merge: incomplete is 2, vacuous is 3, and files that are neither are refused', async () => {
  const run = ['run', 'baseline', '--seeds', '2', '--no-ledger', '--events', '500'];
  const [a, b] = await Promise.all(
    ['1/2', '2/2'].map((shard, i) => vopr(...run, '--shard', shard, '--reporter', `json=${i + 1}.json`)),
  );
  assert.deepEqual([a?.status, b?.status, a?.stdout], [3, 3, '']);
  const vacuous = await vopr('merge', '1.json', '2.json');
  assert.equal(vacuous.status, 3);
  assert.match(vacuous.stdout, /vacuous seeds \(the scenario did not happen\): 1 2\n/);
  const half = await vopr('merge', '1.json');
  assert.equal(half.status, 2);
  assert.match(half.stderr, /: this is not all of the campaign: baseline: shard 2 of 2 not there, 1 seed\n$/);
  assert.match(half.stdout, /\n {2}incomplete: shard 2 of 2 not there, 1 seed\n/);

  const at = (name: string): string => join(DIRECTORY, name);
  writeFileSync(at('empty.json'), '');
  writeFileSync(at('text.json'), 'hello\n');
  writeFileSync(at('other.json'), '{"name": "kimberlite"}');
  const line = { schema: 1, kind: 'mood', at: '2026-11-22T00:00:00Z', campaign: 'c' };
  writeFileSync(at('newer.jsonl'), `${JSON.stringify(line)}\n`);
  for (const [files, words] of [
    [['absent.json'], /Cannot read "absent.json": ENOENT/],
    [['empty.json'], /"empty.json" is empty: the run that should have written it did not end/],
    [['text.json'], /"text.json" is neither a ledger nor a result: line 1 is not a line of JSON/],
    [['other.json'], /Cannot read the result "other.json": "scenario" must be text/],
    [['newer.jsonl'], /1 of kind "mood" left out: written by a newer version\n.*no campaign in newer.jsonl/],
    [['1.json', '--since', 'noon'], /'--since <time>' argument 'noon' is invalid. It must be a date/],
    [[], /missing required argument 'file'/],
  ] as const) {
    const outcome = await vopr('merge', ...files);
    assert.match(outcome.stderr, words);
    assert.deepEqual([outcome.status, outcome.stdout], [2, '']);
  }
});
