/** The ledger: what is appended is read back, and damage costs the damaged line alone. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import * as fc from 'fast-check';
import { failedBefore } from '../../cli/vopr/failed_before.ts';
import {
  LedgerFile,
  LedgerReader,
  newCampaignId,
  readLedger,
  readLedgerIfAny,
  type Ledger,
} from '../../cli/vopr/ledger.ts';
import { type LedgerEntry } from '../../cli/vopr/ledger_line.ts';
import { NO_LIMITS } from '../../sim/search/seed_result.ts';
import { CODE, ended, failure, ledgersIn, range, started, VIOLATION } from './made_up_ledger.ts';

const DIRECTORY = mkdtempSync(join(tmpdir(), 'ledger-'));
after(() => rmSync(DIRECTORY, { recursive: true, force: true }));
const { newPath, written } = ledgersIn(DIRECTORY);

test('ledger: what is appended is read back, whole', () => {
  const entries = [started(), failure(3), failure(7), ended(range(10), [3, 7])];
  const path = written(entries, [started({ scenario: 'baseline' })]);
  const { campaigns, damaged, unknown } = readLedger(path);
  assert.deepEqual([damaged, unknown], [[], {}]);
  assert.equal(campaigns.length, 2);
  const [first, second] = campaigns as [Ledger['campaigns'][number], Ledger['campaigns'][number]];
  const { schema, at, campaign, ...rest } = first.started;
  assert.deepEqual([schema, campaign, rest], [1, 'c0', started()]);
  assert.ok(Math.abs(Date.parse(at) - Date.now()) < 60_000);
  const failed = first.failures.map(({ seed, bundle }) => [seed, bundle]);
  assert.deepEqual(failed, [[3, 'b/3.kmb'], [7, 'b/7.kmb']]);
  assert.equal(first.failures[0]?.message, VIOLATION.message);
  assert.equal(JSON.stringify(first.ended?.summary), JSON.stringify(ended(range(10), [3, 7]).summary));
  assert.deepEqual([first.line, second.line], [1, 5]);
  assert.equal(second.ended, null, 'still running, or killed');
});

test('ledger: is not made before there is a line; one that is not there has no campaigns', () => {
  const path = newPath();
  new LedgerFile(path).close();
  assert.ok(!existsSync(path));
  assert.deepEqual(readLedgerIfAny(path).campaigns, []);
  assert.throws(() => readLedger(path), /^UsageError: Cannot read the ledger ".*": ENOENT/);
  assert.throws(() => readLedgerIfAny(DIRECTORY), /Cannot read the ledger ".*": EISDIR/);
  assert.throws(
    () => new LedgerFile(join(written([started()]), 'ledger.jsonl')).append('c', started()),
    /^UsageError: Cannot write the ledger ".*ledger.jsonl": .*; choose another with --ledger/,
  );
});

test('ledger: damage costs its line, and is told by number and reason', () => {
  const path = written([started(), failure(3), ended(range(10), [3])]);
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n') as [string, string, string];
  const change = (line: string, from: string, to: string): string => {
    assert.ok(line.includes(from), from);
    return line.replace(from, to);
  };
  const [begin, fail, end] = lines;
  const cases: [line: string, reason: RegExp][] = [
    ['{"schema":1,"kind":"sta', /^not a line of JSON$/],
    ['[]', /^the line must be a map$/],
    ['7', /^the line must be a map$/],
    [change(begin, '"first":1', '"first":-1'), /^"seeds.first" must be a whole number, at least 0$/],
    [change(begin, '"index":1', '"index":2'), /^"shard.index" must be at most 1$/],
    [change(begin, '"early":[]', '"early":[99]'), /^"early" must not have 99: it is no seed of/],
    [change(begin, '"commit":', '"comit":'), /^"code.commit" must be text$/],
    [change(fail, '"replicas":[0]', '"replicas":[0,"1"]'), /^"replicas\[1\]" must be a whole number/],
    [change(fail, '"campaign":"c0"', '"campaign":"c9"'), /^nothing says that campaign "c9" was started/],
    [change(end, '"agreement":30', '"agreement":null'), /^"summary.checks.agreement" must be a number/],
    [change(end, '"digest":"', '"digest":"Z'), /^"summary.digest" must be 32 hexadecimal digits$/],
    [change(end, '"bundles":["b/3.kmb"]', '"bundles":[]'), /^"bundles" must be a list of 1$/],
    [begin, /^campaign "c0" was started before$/],
    [change(begin, '"at":"20', '"at":"x'), /^"at" must be a time in UTC$/],
  ];
  const noted: LedgerReader = new LedgerReader();
  const whole = [begin, ...cases.map(([line]) => line), fail, '', end, fail, ''].join('\n');
  noted.push(Buffer.from(whole));
  noted.push(Buffer.from([0x22, 0xff, 0xfe, 0x22, 0x0a]));
  const { campaigns, damaged } = noted.end();
  assert.equal(campaigns.length, 1);
  assert.deepEqual(campaigns[0]?.failures.map(({ seed }) => seed), [3]);
  assert.equal(campaigns[0]?.ended?.summary.passed, 9);
  const reasons = new Map(damaged.map(({ line, reason }) => [line, reason]));
  assert.equal(damaged.length, cases.length + 2);
  cases.forEach(([line, reason], i) => {
    assert.match(reasons.get(i + 2) ?? '', reason, line);
  });
  assert.equal(reasons.get(cases.length + 5), 'campaign "c0" had ended');
  assert.equal(reasons.get(cases.length + 6), 'not text in UTF-8');
});

test('ledger: kinds and schemas of later versions are counted and left alone', () => {
  const path = written([started(), ended(range(10), [])]);
  const [begin] = readFileSync(path, 'utf8').split('\n') as [string];
  appendFileSync(path, `${begin.replace('"kind":"started"', '"kind":"progress"')}\n`);
  appendFileSync(path, `${begin.replace('"kind":"started"', '"kind":"constructor"')}\n`);
  appendFileSync(path, `${begin.replace('"schema":1', '"schema":2')}\n`);
  appendFileSync(path, `${begin.replace('"schema":1', '"schema":2')}\n`);
  appendFileSync(path, `${begin.replace('"campaign":"c0"', '"campaign":"c5","mood":"good"')}\n`);
  const { campaigns, damaged, unknown } = readLedger(path);
  assert.deepEqual(unknown, { 'kind "progress"': 1, 'kind "constructor"': 1, 'schema 2': 2 });
  assert.deepEqual(damaged, []);
  assert.equal(campaigns.length, 2, 'a field more is no harm');
});

test('ledger: a line that a kill cut short is no line, and does not swallow the next', () => {
  const path = written([started(), failure(3)]);
  const bytes = readFileSync(path);
  writeFileSync(path, bytes.subarray(0, bytes.byteLength - 20));
  const cut = readLedger(path);
  assert.deepEqual(cut.damaged, [{ line: 2, reason: 'cut short: it has no end' }]);
  assert.equal(cut.campaigns[0]?.failures.length, 0);

  const file = new LedgerFile(path);
  file.append('c1', started());
  file.close();
  const mended = readLedger(path);
  assert.deepEqual(mended.damaged, [{ line: 2, reason: 'not a line of JSON' }]);
  assert.deepEqual(mended.campaigns.map(({ started }) => started.campaign), ['c0', 'c1']);
});

test('ledger: read in pieces of any size, it is the same ledger', () => {
  const path = written([started(), failure(3), ended(range(10), [3])], [started(), failure(5)]);
  const bytes = readFileSync(path);
  const whole = readLedger(path);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 60 }), (sizes) => {
      const reader = new LedgerReader();
      // One buffer, written over again and again, as a reader of a file does.
      const chunk = new Uint8Array(900);
      for (let at = 0, i = 0; at < bytes.byteLength; i++) {
        const size = Math.min(sizes[i % sizes.length] as number, bytes.byteLength - at);
        chunk.set(bytes.subarray(at, at + size));
        reader.push(chunk.subarray(0, size));
        at += size;
      }
      assert.deepEqual(reader.end(), whole);
    }),
    { numRuns: 50, seed: 1 },
  );
});

test('ledger: several programs append to one file, and no line is torn', async () => {
  const path = newPath();
  const ledger = new URL('../../cli/vopr/ledger.ts', import.meta.url).href;
  const script = `
    import { LedgerFile } from ${JSON.stringify(ledger)};
    const [path, who] = process.argv.slice(1);
    const file = new LedgerFile(path);
    const entry = { kind: 'failure', seed: 1, invariant: 'i', message: 'x'.repeat(20000), event: 1,
      virtualMicros: 1, replicas: [], signature: 'i', bundle: null };
    file.append(who, ${JSON.stringify(started())});
    for (let seed = 0; seed < 200; seed++) file.append(who, { ...entry, seed });`;
  const run = (who: string): Promise<number | null> =>
    new Promise((resolve) => {
      const args = ['--input-type=module', '-e', script, path, who];
      spawn(process.execPath, args, { stdio: 'inherit' }).on('close', resolve);
    });
  assert.deepEqual(await Promise.all([run('a'), run('b'), run('c')]), [0, 0, 0]);
  const { campaigns, damaged } = readLedger(path);
  assert.deepEqual(damaged, []);
  assert.deepEqual(campaigns.map(({ failures }) => failures.length), [200, 200, 200]);
});

test('ledger: ids sort by time and differ', () => {
  const time = new Date('2026-11-22T05:42:07.123Z');
  const ids = [newCampaignId('combined', time), newCampaignId('combined', time)];
  for (const id of ids) assert.match(id, /^20261122T054207-combined-[0-9a-f]{8}$/);
  assert.notEqual(ids[0], ids[1]);
});

test('failed before: seeds of the scenario that failed, unless they passed on this commit since', () => {
  const request = { scenario: 'combined', canary: null, code: CODE, limits: NO_LIMITS };
  const old = { ...CODE, commit: '0123456789ab' };
  const of = (...campaigns: readonly (readonly LedgerEntry[])[]): number[] =>
    failedBefore(readLedger(written(...campaigns)), request);
  const failed = [started({ code: old }), failure(3), failure(7), ended(range(10), [3, 7])];

  assert.deepEqual(of(failed), [7, 3], 'the latest first');
  assert.deepEqual(of([started({ code: old }), failure(3)]), [3], 'the campaign was killed');
  assert.deepEqual(of(failed, [started({ code: old }), failure(3)]), [3, 7], 'again');
  const before = [started({ code: old }), ended(range(10), [])];
  assert.deepEqual(of(failed, before), [7, 3], 'passed on another commit');
  assert.deepEqual(of(failed, [started(), ended(range(5), [])]), [7], '3 passed here');
  assert.deepEqual(of(failed, [started(), ended(range(5), [], [3])]), [7, 3], '3 was vacuous here');
  assert.deepEqual(of(failed, [started(), ended(range(5), []), failure(9)]), [7], 'had ended');
  assert.deepEqual(of([started(), ended(range(10), [])], failed), [7, 3], 'passed before it failed');
  const early = started({ early: [7] });
  assert.deepEqual(of(failed, [early, ended([7, 1], [])]), [3], '7 was the first of two');
  const half = started({ shard: { index: 2, shards: 2 } });
  assert.deepEqual(of(failed, [half, ended([2, 4], [])]), [7, 3], 'not of this shard');
  const short = started({ limits: { events: 5, micros: null } });
  assert.deepEqual(of(failed, [short, ended(range(10), [])]), [7, 3], 'shorter runs');
  const dirty = { ...CODE, commit: `${CODE.commit}-dirty` };
  const passed = [started({ code: dirty }), ended(range(10), [])];
  assert.deepEqual(failedBefore(readLedger(written(failed, passed)), { ...request, code: dirty }), [7, 3]);

  const canary = { name: 'c', checker: 'agreement' };
  const planted = [started({ canary }), failure(3)];
  assert.deepEqual(of(planted, [started({ scenario: 'baseline' }), failure(4)]), []);
});
