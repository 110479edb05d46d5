/** `vopr minimize` as a user meets it: what it writes, what it says, how it ends. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { decodeBundle, encodeBundle, type Bundle } from '../../bundles/format.ts';
import { type Plan } from '../../sim/plan.ts';
import { programPath, runProgram } from './run_program.ts';

const DIRECTORY = mkdtempSync(join(tmpdir(), 'kimberlite-minimize-'));
after(() => rmSync(DIRECTORY, { recursive: true, force: true }));

/** A bundle of the first seed that fails with this canary. */
async function bundleOf(canary: string): Promise<string> {
  const options = ['--bundle-dir', DIRECTORY, '--no-ledger', '--jobs', '1', '--format', 'json'];
  const run = await runProgram('vopr', ['run', '--canary', canary, ...options], { cwd: DIRECTORY });
  assert.equal(run.status, 1, run.stdout + run.stderr);
  const { violations } = JSON.parse(run.stdout) as { violations: { bundle: string }[] };
  return violations[0]?.bundle ?? assert.fail();
}

function changed(path: string, name: string, change: (bundle: Bundle) => Bundle): string {
  const copy = join(DIRECTORY, name);
  writeFileSync(copy, encodeBundle(change(decodeBundle(readFileSync(path)))));
  return copy;
}

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
}

function interrupted(args: readonly string[], millis: number): Promise<Ended> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let stdout = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  const timer = setTimeout(() => child.kill('SIGINT'), millis);
  return new Promise((resolve) => {
    child.on('close', (status) => {
      clearTimeout(timer);
      resolve({ status, stdout });
    });
  });
}

suite('vopr minimize', () => {
  let bundle = '';
  before(async () => {
    bundle = await bundleOf('view-not-durable');
  });

  test('writes a bundle that fails alike, a test, and a story', async () => {
    const path = join(DIRECTORY, 'one.kmb');
    copyFileSync(bundle, path);
    const run = await runProgram('vopr', ['minimize', path, '--emit', 'test,story']);
    assert.equal(run.status, 1, run.stdout + run.stderr);
    assert.equal(run.stderr, '');
    assert.match(run.stdout, /^one\.kmb: scenario crash_recovery, seed \d+, canary view-not-durable\n/);
    assert.match(run.stdout, /\n {2}before {2}[\d,]+ events, .* [\d,]+ decisions: .* \d+ faults/);
    assert.match(run.stdout, /\n {2}after {3}[\d,]+ events, .* \d decisions: .*1 fault/);
    assert.match(run.stdout, /no change tried makes it smaller\n/);

    const smallest = decodeBundle(readFileSync(join(DIRECTORY, 'one.min.kmb')));
    assert.equal(smallest.failure.invariant, 'view_monotonicity');
    assert.equal((smallest.plan as unknown as Plan).faults.length, 1);
    const repro = await runProgram('vopr', ['repro', join(DIRECTORY, 'one.min.kmb')]);
    assert.equal(repro.status, 1);
    assert.match(repro.stdout, /\nreproduced\n$/);

    const emitted = readFileSync(join(DIRECTORY, 'one.min.test.ts'), 'utf8');
    assert.match(emitted, /VOPR_CANARY=view-not-durable/);
    assert.match(emitted, /import \{ planOf, simTest \} from 'kimberlite\/testing';/);
    assert.match(emitted, /\{ kind: 'crash', at: \d00_000, node: \d \}/);
    assert.ok(emitted.split('\n').length <= 35, emitted);
    const story = readFileSync(join(DIRECTORY, 'one.min.story.txt'), 'utf8');
    assert.match(story, /3 replicas, R0 to R2, and 1 client\./);
    assert.match(story, /R\d: crash/);
    assert.match(story, /view_monotonicity does not hold\.\n {2}R\d sent a message of view/);
  });

  test('--format json, --output, from standard input; nothing else on standard output', async () => {
    const output = join(DIRECTORY, 'deeper', 'small.kmb');
    const run = await runProgram(
      'vopr',
      ['minimize', '-', '-o', output, '--format', 'json', '--jobs', '1'],
      { input: readFileSync(bundle) },
    );
    assert.equal(run.status, 1, run.stderr);
    const report = JSON.parse(run.stdout) as Record<string, unknown>;
    assert.equal(report['reproduced'], true);
    assert.equal(report['signature'], 'view_monotonicity');
    assert.equal(report['ended_by'], 'smallest');
    assert.equal(report['bundle'], output);
    assert.ok((report['reduction_percent'] as number) > 95);
    assert.ok(existsSync(output));
  });

  test('one job and two find the same plan', async () => {
    const plans: unknown[] = [];
    for (const jobs of ['1', '2']) {
      const output = join(DIRECTORY, `jobs${jobs}.kmb`);
      await runProgram('vopr', ['minimize', bundle, '-q', '-o', output, '--jobs', jobs]);
      plans.push(decodeBundle(readFileSync(output)).plan);
    }
    assert.deepEqual(plans[0], plans[1]);
  });

  test('a failure that does not reproduce: said first, nothing written', async () => {
    const path = changed(bundle, 'fixed.kmb', (it) => ({ ...it, canary: null }));
    const run = await runProgram('vopr', ['minimize', path, '--emit', 'test']);
    assert.equal(run.status, 0, run.stderr);
    assert.match(run.stdout, /^fixed\.kmb: not reproduced, .* violation of view_monotonicity, and here no/);
    assert.ok(!existsSync(join(DIRECTORY, 'fixed.min.kmb')));
    const json = await runProgram('vopr', ['minimize', path, '--format', 'json']);
    assert.deepEqual(JSON.parse(json.stdout), {
      reproduced: false,
      outcome: 'no failure',
      invariant: null,
    });
  });

  test('another failure than the recorded one: exit status 125', async () => {
    const path = changed(bundle, 'other.kmb', (it) => ({
      ...it,
      failure: { ...it.failure, invariant: 'agreement', signature: 'agreement' },
    }));
    const run = await runProgram('vopr', ['minimize', path]);
    assert.equal(run.status, 125, run.stderr);
    assert.match(run.stdout, /view_monotonicity speaks instead/);
  });

  test('when the time is over the smallest so far is written', async () => {
    const output = join(DIRECTORY, 'budget.kmb');
    const args = ['minimize', bundle, '--budget-seconds', '0.001', '-o', output];
    const run = await runProgram('vopr', args);
    assert.equal(run.status, 1, run.stderr);
    assert.match(run.stdout, /the time is over, there may be a smaller one/);
    assert.equal((await runProgram('vopr', ['repro', '-q', output])).status, 1);
  });

  test('Ctrl-C ends it with the smallest so far, and as cleanly', async () => {
    const large = await bundleOf('torn-write-accepted');
    const output = join(DIRECTORY, 'interrupted.kmb');
    const args = [programPath('vopr'), 'minimize', large, '-o', output];
    // It takes some seconds to start and some more to end, how many depends on the machine.
    let ended: Ended = { status: null, stdout: '' };
    for (const delay of [2000, 800, 4000, 8000]) {
      ended = await interrupted(args, delay);
      if (ended.stdout.includes('interrupted')) break;
    }
    assert.match(ended.stdout, /interrupted, there may be a smaller one/);
    assert.equal(ended.status, 1);
    assert.equal((await runProgram('vopr', ['repro', '-q', output])).status, 1);
  });

  test('what is asked wrongly is refused', async () => {
    const departed = changed(bundle, 'departed.kmb', (it) => ({
      ...it,
      failure: { ...it.failure, invariant: 'determinism', signature: 'determinism' },
    }));
    const cases: readonly [readonly string[], RegExp][] = [
      [['minimize', join(DIRECTORY, 'none.kmb')], /Cannot read the bundle/],
      [['minimize', bundle, '-o', 'small.txt'], /--output "small\.txt": it must end in \.kmb/],
      [['minimize', bundle, '--emit', 'poem'], /It must be test, story, or both/],
      [['minimize', departed, '--emit', 'test'], /emit a test for departed\.kmb: .* a test runs it once/],
      [['minimize', bundle, '--jobs', '0'], /whole number, from 1 to 256/],
      [['minimize'], /missing required argument/],
    ];
    for (const [args, message] of cases) {
      const run = await runProgram('vopr', args);
      assert.equal(run.status, 2, run.stdout);
      assert.match(run.stderr, message);
    }
  });
});
