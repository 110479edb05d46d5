/** `vopr` as a user meets it: options, exit statuses, output, bundles. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { decodeBundle, encodeBundle } from '../../bundles/format.ts';
import { parseSeconds } from '../../cli/numbers.ts';
import { readLedger } from '../../cli/vopr/ledger.ts';
import { parseSeed, parseShard } from '../../cli/vopr/campaign_options.ts';
import { projectSources } from '../source_scanner.ts';
import { programPath, runProgram, type Outcome } from './run_program.ts';

const DIRECTORY = mkdtempSync(join(tmpdir(), 'vopr-'));
after(() => rmSync(DIRECTORY, { recursive: true, force: true }));

const vopr = (...args: string[]): Promise<Outcome> => runProgram('vopr', args, { cwd: DIRECTORY });

interface RunJson {
  readonly scenario: string;
  readonly seeds: { first: number; count: number };
  readonly passed: number;
  readonly violations: { seed: number; invariant: string; event: number; message: string; bundle: string }[];
  readonly vacuous: number[];
  readonly events: number;
  readonly checks: Record<string, number>;
  readonly digest: string;
}

async function runJson(status: number, ...args: string[]): Promise<RunJson> {
  const outcome = await vopr('run', ...args, '--format', 'json');
  assert.equal(outcome.status, status, outcome.stdout + outcome.stderr);
  return JSON.parse(outcome.stdout) as RunJson;
}

test('vopr: what is asked wrongly is refused with status 2 and what to do', async () => {
  const cases: [string[], RegExp][] = [
    [
      ['run', 'swizzle_cloging'],
      /unknown scenario "swizzle_cloging": did you mean "swizzle_clogging"\? `vopr scenarios` lists all/,
    ],
    [
      ['run', 'baseline', '--canary', 'comit-before-quorum'],
      /unknown canary "comit-before-quorum": did you mean "commit-before-quorum"\?/,
    ],
    [['run'], /nothing to run: name a scenario/],
    [['run', 'baseline', '--all'], /--all and "baseline": give one or the other/],
    [['run', 'baseline', '--seed', '1', '--from', '2'], /--seed and --from both name the first seed/],
    [
      ['run', '--failed', '--seeds', '3', '--shard', '1/2'],
      /--failed names its seeds itself: leave out --seeds and --shard/,
    ],
    [['run', '--failed', '--no-ledger'], /--failed and --no-ledger contradict each other/],
    [['run', 'baseline', '--seeds', '0'], /'--seeds <count>' argument '0' is invalid. It must be a whole/],
    [['run', 'baseline', '--shard', '4/3'], /'--shard <i\/n>' argument '4\/3' is invalid/],
    [['run', 'baseline', '--time', '-1'], /'--time <seconds>' argument '-1' is invalid/],
    [['run', 'baseline', '-q', '-v'], /--quiet and --verbose contradict/],
    [['run', 'baseline', '--frmat', 'json'], /unknown option '--frmat'\s+\(Did you mean --format\?\)/],
    [['run', 'baseline', '--format', 'yaml'], /Allowed choices are human, json, compact/],
    [['rum'], /unknown command 'rum'\s+\(Did you mean run\?\)/],
    [['repro', 'absent.kmb'], /Cannot read the bundle from "absent.kmb": ENOENT/],
    [['repro', '.'], /Cannot read the bundle from "\.": it is a directory/],
    [['repro'], /missing required argument 'bundle.kmb'/],
  ];
  const check = async ([args, words]: [string[], RegExp]): Promise<void> => {
    const outcome = await vopr(...args);
    assert.match(outcome.stderr, words, args.join(' '));
    assert.equal(outcome.status, 2, args.join(' '));
    assert.equal(outcome.stdout, '', args.join(' '));
  };
  await Promise.all(cases.map(check));
});

test('vopr: lists for people and for programs name the same things', async () => {
  for (const [list, fields] of [
    ['scenarios', ['name', 'category', 'summary', 'replicas', 'gates', 'invariants']],
    ['invariants', ['name', 'claim', 'scenarios']],
    ['canaries', ['name', 'bug', 'caught_by', 'scenario', 'seeds']],
  ] as const) {
    const [human, json] = await Promise.all([vopr(list), vopr(list, '--format', 'json')]);
    assert.equal(human.status, 0);
    const rows = JSON.parse(json.stdout) as Record<string, unknown>[];
    assert.ok(rows.length >= 12, list);
    for (const row of rows) {
      assert.deepEqual(Object.keys(row), fields);
      assert.ok(human.stdout.includes(String(row['name'])));
    }
  }
});

test('vopr: every canary names a scenario and a checker that exist', async () => {
  const [scenarios, invariants, canaries] = await Promise.all(
    ['scenarios', 'invariants', 'canaries'].map(async (list) => {
      return JSON.parse((await vopr(list, '--format', 'json')).stdout) as Record<string, string>[];
    }),
  );
  for (const canary of canaries ?? []) {
    assert.ok(scenarios?.some((row) => row['name'] === canary['scenario']), canary['name']);
    assert.ok(invariants?.some((row) => row['name'] === canary['caught_by']), canary['name']);
  }
});

test('vopr: the help of each command has two examples', async () => {
  const lists = ['scenarios', 'invariants', 'canaries'];
  for (const command of ['run', 'tui', 'dashboard', 'merge', 'stats', 'repro', ...lists]) {
    const { stdout, status } = await vopr(command, '--help');
    assert.equal(status, 0);
    assert.match(stdout, /Examples:\n {2}.*vopr.*\n {2}.*vopr /, command);
  }
});

test('vopr: the outcome does not depend on jobs, shards or a second run in lock step', async () => {
  const one = await runJson(0, 'baseline', '--seeds', '4', '--jobs', '1');
  assert.deepEqual(one.seeds, { first: 1, count: 4 });
  assert.equal(one.passed, 4);
  for (const more of [['--jobs', '3'], ['--check-determinism']]) {
    const other = await runJson(0, 'baseline', '--seeds', '4', ...more);
    assert.equal(other.digest, one.digest, more.join(' '));
    assert.deepEqual(other.checks, one.checks);
  }
  let sum = 0n;
  for (const shard of ['1/3', '2/3', '3/3']) {
    sum += BigInt(`0x${(await runJson(0, 'baseline', '--seeds', '4', '--shard', shard)).digest}`);
  }
  assert.equal((sum % (1n << 128n)).toString(16).padStart(32, '0'), one.digest);
});

test('vopr: several scenarios give an object of runs; a textual seed is a number', async () => {
  const outcome = await vopr('run', 'baseline', 'message-loss', '--seed', 'nightly', '--format', 'json');
  assert.equal(outcome.status, 0, outcome.stdout);
  const { runs } = JSON.parse(outcome.stdout) as { runs: RunJson[] };
  assert.deepEqual(runs.map((run) => run.scenario), ['baseline', 'message_loss']);
  assert.deepEqual(runs[0]?.seeds, { first: parseSeed('nightly'), count: 1 });
});

test('vopr: a scenario that did not happen is vacuous: status 3', async () => {
  const json = await runJson(3, 'baseline', '--seeds', '2', '--events', '500');
  assert.deepEqual(json.vacuous, [1, 2]);
  assert.equal(json.passed, 0);
  assert.equal(json.events, 1000);
  const human = await vopr('run', 'baseline', '--seeds', '2', '--events', '500');
  assert.match(human.stdout, /vacuous seeds \(the scenario did not happen\): 1 2\n/);
  assert.match(human.stdout, /stopped after 500 events: not so in 2 seeds|stopped after 500 events/);
});

test('vopr: interrupted, it tells how far it came and exits with 2', async () => {
  const ledger = join(DIRECTORY, 'interrupted.jsonl');
  const run = ['run', 'baseline', '--seeds', '100000', '-vv', '--ledger', ledger];
  const args = [programPath('vopr'), ...run, '--reporter', `human,junit=${ledger}.xml`];
  const child = spawn(process.execPath, args, { cwd: DIRECTORY, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise((resolve) => child.on('close', resolve));
  let stdout = '';
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  await new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
      if (stdout.includes('seed 3: passed')) resolve();
    });
  });
  child.kill('SIGTERM'); // As Ctrl-C: what a machine says before it is taken away.
  assert.equal(await ended, 2);
  assert.match(stdout, /\nbaseline +\d+ seeds from 1: \d+ passed; /);
  assert.match(stdout, /\n {2}incomplete: interrupted after \d+ of 100000 seeds\n/);
  assert.match(stderr, /vopr: interrupted after \d+ seeds\n$/);
  assert.match(readFileSync(`${ledger}.xml`, 'utf8'), /<failure type="incomplete" message="interrup/);
  const [campaign] = readLedger(ledger).campaigns;
  assert.equal(campaign?.ended?.interrupted, true);
  assert.ok((campaign?.ended?.summary.count ?? 0) >= 3);
});

test('vopr: interrupted after a violation, it exits with 1', async () => {
  const run = ['run', '--canary', 'commit-before-quorum', '--seeds', '100000', '--keep-going', '--no-ledger'];
  const args = [programPath('vopr'), ...run, '-q', '--bundle-dir', join(DIRECTORY, 'stopped')];
  const child = spawn(process.execPath, args, { cwd: DIRECTORY, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise((resolve) => child.on('close', resolve));
  let stdout = '';
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  await new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
      if (stdout.includes('violation of')) resolve();
    });
  });
  child.kill('SIGINT');
  assert.equal(await ended, 1);
  assert.match(stderr, /vopr: interrupted after \d+ seeds\n$/);
});

test('vopr: a canary is caught, and its bundle tells so again in another process', async () => {
  const bundles = join(DIRECTORY, 'caught');
  const args = ['run', '--canary', 'commit-before-quorum', '--bundle-dir', bundles];
  const outcome = await vopr(...args);
  assert.equal(outcome.status, 1, outcome.stdout + outcome.stderr);
  assert.match(outcome.stdout, /violation of acked_durability: /);
  assert.match(outcome.stdout, /\n {2}run {5}scenario baseline, seed \d+, canary commit-before-quorum\n/);
  const [name] = readdirSync(bundles);
  assert.ok(name !== undefined && name.endsWith('.kmb'));
  const path = join(bundles, name);
  assert.ok(outcome.stdout.includes(`vopr repro ${path}`));

  const again = await vopr('repro', path);
  assert.equal(again.status, 1, again.stdout);
  assert.match(again.stdout, /digests {4}as recorded, at each of [\d,]+ events?\nreproduced\n$/);
  const verbose = await vopr('repro', '-v', path);
  assert.match(verbose.stdout, /last 30 events\n( {4}\d+\.\d{6}s .*\n){30}reproduced\n$/);

  const bytes = readFileSync(path);
  const piped = await runProgram('vopr', ['repro', '-'], { input: bytes });
  assert.equal(piped.status, 1);
  assert.match(piped.stdout, /^the bundle: scenario baseline/);

  await checkOtherOutcomes(bytes);
  await checkDamaged(bytes);
});

test('vopr: seeds that failed before run first; the outcome is that of all seeds', async () => {
  const ledger = join(DIRECTORY, 'first.jsonl');
  const args = ['run', 'baseline', '--canary', 'ack-before-sync', '--seeds', '6', '--ledger', ledger];
  const keepGoing = await vopr(...args, '--keep-going', '--format', 'json');
  assert.equal(keepGoing.status, 1, keepGoing.stderr);
  const all = JSON.parse(keepGoing.stdout) as RunJson;
  const failed = all.violations.map(({ seed }) => seed);
  const again = await vopr(...args, '--jobs', '2');
  assert.equal(again.status, 1);
  assert.deepEqual(failed, [1, 2, 3, 4, 5, 6], 'this bug is in all of them');
  assert.match(again.stdout, /^baseline +6 seeds that failed before, first: 6 5 4 3 2 1\n/);
  assert.match(again.stdout, /scenario baseline, seed 6, canary/);
  assert.match(again.stdout, /\nbaseline +1 seed that failed before: 1 violated; /);

  const wholeAgain = JSON.parse((await vopr(...args, '--keep-going', '--format', 'json')).stdout) as RunJson;
  assert.equal(wholeAgain.digest, all.digest);
  assert.deepEqual(wholeAgain.violations, all.violations);
  const { campaigns, damaged } = readLedger(ledger);
  assert.deepEqual(damaged, []);
  const inTurn = [...failed].reverse();
  assert.deepEqual(campaigns.map(({ started }) => started.early), [[], inTurn, inTurn]);
  assert.deepEqual(campaigns.map(({ failures }) => failures.length), [failed.length, 1, failed.length]);
  assert.deepEqual(campaigns.map(({ ended }) => ended?.summary.count), [6, 1, 6]);
  assert.equal(campaigns[0]?.ended?.summary.digest, all.digest);

  const without = await vopr(...args, '--no-ledger');
  assert.doesNotMatch(without.stdout, /failed before/);
  assert.equal(readLedger(ledger).campaigns.length, 3);

  const planted = [...args.slice(0, 4), '--ledger', ledger, '--failed', '--keep-going'];
  const [them, none] = await Promise.all([vopr(...planted), vopr('run', '--failed', '--ledger', ledger)]);
  assert.equal(them.status, 1);
  const ran = them.stdout.matchAll(/^baseline +1 seed from (\d): 1 violated/gm);
  const seeds = [...ran].map(([, seed]) => Number(seed));
  assert.deepEqual(seeds, failed, 'the latest failure was that of seed 1');
  assert.match(them.stdout, /\n1 scenario, 6 seeds: 6 violations, /);
  assert.deepEqual([none.status, none.stdout], [0, '']);
  assert.match(none.stderr, /^no seed in .*first.jsonl has failed and not passed on this commit since\n$/);
});

test('vopr: every probe that the code declares is in the summary, hit or not', async () => {
  const ledger = join(DIRECTORY, 'probes.jsonl');
  const args = ['run', 'baseline', '--seeds', '2', '--ledger', ledger];
  for (const jobs of ['1', '2']) await vopr(...args, '--jobs', jobs);
  const [one, two] = readLedger(ledger).campaigns.map(({ ended }) => ended?.summary.probes ?? {});
  assert.deepEqual(one, two, 'hits do not depend on who ran what before');
  const declared: string[] = [];
  for (const { path, source } of projectSources()) {
    if (!path.startsWith('core/') || path === 'core/probe.ts') continue;
    for (const [, name] of source.matchAll(/defineProbe\(\s*'([^']+)'/g)) declared.push(name as string);
  }
  assert.ok(declared.length > 100);
  const missing = declared.filter((name) => !Object.hasOwn(one ?? {}, name));
  assert.deepEqual(missing, []);
  assert.ok((one?.['checkpoint: cut'] ?? 0) > 0);
  assert.equal(one?.['state sync: refused, checkpoint does not continue ours'], 0);
});

/** What `repro` says when the failure is gone, or is another one. */
async function checkOtherOutcomes(bytes: Uint8Array): Promise<void> {
  const bundle = decodeBundle(bytes);
  const path = join(DIRECTORY, 'changed.kmb');
  writeFileSync(path, encodeBundle({ ...bundle, canary: null }));
  const gone = await vopr('repro', path);
  assert.equal(gone.status, 0, gone.stdout);
  assert.match(gone.stdout, /digests {4}as recorded up to event \d+, its last; this run goes on: /);
  assert.match(gone.stdout, /\nno failure\n$/);

  writeFileSync(path, encodeBundle({ ...bundle, failure: { ...bundle.failure, invariant: 'liveness' } }));
  const other = await vopr('repro', path);
  assert.equal(other.status, 125, other.stdout);
  assert.match(other.stdout, /different failure\n$/);

  for (const [change, words] of [
    [
      { scenario: 'baselin' },
      /Cannot replay changed.kmb: unknown scenario "baselin": did you mean "baseline"/,
    ],
    [{ canary: 'nope' }, /Cannot replay changed.kmb: unknown canary "nope"/],
    [{ plan: null }, /Cannot replay changed.kmb: plan: "plan" must be a map/],
    [
      { plan: { ...(bundle.plan as object), replicaCount: 99 } },
      /"replicaCount" must be a whole number from 1 to 6/,
    ],
  ] as const) {
    writeFileSync(path, encodeBundle({ ...bundle, ...change }));
    const outcome = await vopr('repro', path);
    assert.equal(outcome.status, 2);
    assert.match(outcome.stderr, words);
  }
}

async function checkDamaged(bytes: Uint8Array): Promise<void> {
  const path = join(DIRECTORY, 'damaged.kmb');
  const flipped = Uint8Array.from(bytes);
  flipped[200] = (flipped[200] ?? 0) ^ 4;
  const newer = Uint8Array.from(bytes);
  newer[10] = 9;
  for (const [content, words] of [
    [bytes.slice(0, 300), /Cannot open the bundle from ".*damaged.kmb": truncated: .*; copy it again/],
    [flipped, /corrupt: the checksum does not match the bytes; copy it again/],
    [newer, /written by a newer version: layout 1, schema 9.*; update kimberlite/],
    [new TextEncoder().encode('# A text file'), /not those of a .kmb bundle; pass a file that/],
  ] as const) {
    writeFileSync(path, content);
    const outcome = await vopr('repro', path);
    assert.equal(outcome.status, 2);
    assert.match(outcome.stderr, words);
  }
}

test('vopr: options that are numbers, times, parts and seeds', () => {
  assert.equal(parseSeed('42'), 42);
  assert.equal(parseSeed('0042'), 42);
  assert.equal(parseSeed('nightly'), parseSeed('nightly'));
  assert.throws(() => parseSeed('99999999999999999999'), /at most 2\^52/);
  assert.deepEqual(parseShard('2/8'), { index: 2, shards: 8 });
  for (const bad of ['0/2', '3/2', '1', '1/0', 'a/b', '1/2/3']) assert.throws(() => parseShard(bad));
  assert.equal(parseSeconds('0.25'), 250_000);
  for (const bad of ['0', '-1', '1e3', 'x', '']) assert.throws(() => parseSeconds(bad));
});
