/**
 * .github/workflows/vopr.yml: what it says, and what its steps do. Each step's shell is run as it
 * stands in the file, with folders for artifacts and caches, and a stand-in for `gh`.
 */
import assert from 'node:assert/strict';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { LedgerFile, readLedger } from '../../cli/vopr/ledger.ts';
import { failure, started } from '../cli/made_up_ledger.ts';
import { type Outcome } from '../cli/run_program.ts';
import { PROJECT_ROOT } from '../source_scanner.ts';
import { cloneFolder } from '../support/clone_folder.ts';
import { parseYaml, yamlAt, type Yaml } from '../support/yaml.ts';
import type { FakeIssues } from './fake_gh.ts'; // The module is a program.
import { runStep } from './shell_step.ts';

const SOURCE = readFileSync(join(PROJECT_ROOT, '.github/workflows/vopr.yml'), 'utf8');
const [WORKFLOW] = parseYaml(SOURCE) as [Yaml];
const JOBS = yamlAt(WORKFLOW, 'jobs') as Readonly<Record<string, Yaml>>;

interface Step {
  readonly name?: string;
  readonly uses?: string;
  readonly run?: string;
  readonly if?: string;
  readonly with?: Readonly<Record<string, Yaml>>;
  readonly env?: Readonly<Record<string, string>>;
}

const stepsOf = (job: string): readonly Step[] => yamlAt(JOBS, job, 'steps') as unknown as Step[];

function shellOf(job: string, name: string): string {
  const run = stepsOf(job).find((step) => step.name === name)?.run;
  assert.ok(run !== undefined, `${job}: ${name}`);
  return run;
}

function withOf(job: string, action: string): Readonly<Record<string, Yaml>> {
  const step = stepsOf(job).find(({ uses }) => uses?.startsWith(`${action}@`));
  assert.ok(step?.with !== undefined, `${job}: ${action}`);
  return step.with;
}

suite('what the workflow says', () => {
  test('as many shards as are told of', () => {
    const shards = yamlAt(JOBS, 'shard', 'strategy', 'matrix', 'shard') as number[];
    const count = Number(yamlAt(WORKFLOW, 'env', 'SHARDS'));
    assert.deepEqual(shards, Array.from({ length: count }, (_, i) => i + 1));
    const failFast = yamlAt(JOBS, 'shard', 'strategy', 'fail-fast');
    assert.equal(failFast, false, 'one violation does not stop the others');
  });

  test('no shell is made from an expression, and contexts are those that there are', () => {
    for (const job of Object.keys(JOBS)) {
      for (const { run, name } of stepsOf(job)) assert.ok(run === undefined || !run.includes('${{'), name);
    }
    const known = new Set([
      'inputs.scenarios', 'inputs.seeds', 'github.run_id', 'github.run_attempt', 'github.token',
      'matrix.shard', 'hashFiles', 'cancelled',
    ]);
    for (const [, expression] of SOURCE.matchAll(/\$\{\{ (.*?) \}\}/g)) {
      const names = (expression as string).replaceAll(/'[^']*'/g, '').match(/[a-zA-Z][\w.]*/g) ?? [];
      for (const name of names) assert.ok(known.has(name), expression);
    }
    const inputs = yamlAt(WORKFLOW, 'on', 'workflow_dispatch', 'inputs');
    assert.deepEqual(Object.keys(inputs as object), ['scenarios', 'seeds']);
  });

  test('what one job keeps another takes, where it looks for it', () => {
    for (const job of ['again', 'shard']) {
      assert.equal(withOf(job, 'actions/upload-artifact')['path'], 'vopr-out/');
      assert.match(String(withOf(job, 'actions/upload-artifact')['name']), /^vopr-/);
    }
    const { pattern, path, 'merge-multiple': merged } = withOf('report', 'actions/download-artifact');
    assert.deepEqual([pattern, path, merged], ['vopr-*', 'vopr-out', true]);
    assert.deepEqual(yamlAt(JOBS, 'report', 'needs'), ['again', 'shard']);
    const restored = withOf('again', 'actions/cache/restore');
    const saved = withOf('report', 'actions/cache/save');
    assert.equal(restored['path'], saved['path']);
    assert.ok(String(saved['key']).startsWith(String(restored['restore-keys'])));
    assert.notEqual(saved['key'], restored['key'], 'a cache cannot be written twice');
  });

  test('what is found is kept and told also when a step has failed', () => {
    assert.equal(yamlAt(JOBS, 'report', 'if'), '${{ !cancelled() }}');
    for (const job of Object.keys(JOBS)) {
      const steps = stepsOf(job);
      const vopr = steps.findIndex(({ run }) => run?.includes('npm run -s vopr'));
      for (const step of steps.slice(vopr + 1)) assert.match(step.if ?? '', /!cancelled\(\)/, step.name);
    }
    assert.equal(yamlAt(JOBS, 'report', 'permissions', 'issues'), 'write');
    assert.deepEqual(yamlAt(WORKFLOW, 'permissions'), { contents: 'read' });
  });
});

suite('a night', () => {
  const folder = cloneFolder('workflow');
  after(() => rmSync(folder, { recursive: true, force: true }));
  const at = (...names: string[]): string => join(folder, ...names);

  /** A bug that every seed meets, so that a night is short. */
  const environment = {
    SCENARIOS: 'baseline --canary ack-before-sync', SEEDS: '5', SHARDS: '3', GITHUB_RUN_ID: '4711',
    GITHUB_SERVER_URL: 'https://example.com', GITHUB_REPOSITORY: 'owner/name', GH_TOKEN: 'none',
    GITHUB_STEP_SUMMARY: at('summary.md'), FAKE_GH: at('issues.json'),
    PATH: `${at('tools')}:${process.env['PATH'] ?? ''}`,
  };
  const step = (script: string, env: Record<string, string> = {}): Promise<Outcome> =>
    runStep(script, { cwd: folder, env: { ...environment, ...env }, shell: ['bash', '-e', '-c'] });

  /** As actions/upload-artifact: the files of `vopr-out/`, and the runner is gone. */
  const upload = (name: string): void => cpSync(at('vopr-out'), at('artifacts', name), { recursive: true });
  const clear = (...names: string[]): void => {
    for (const name of names) rmSync(at(name), { recursive: true, force: true });
  };

  test('shards, merge, ledger and issues', { timeout: 300_000 }, async () => {
    mkdirSync(at('tools'));
    const fake = join(import.meta.dirname, 'fake_gh.ts');
    writeFileSync(at('tools', 'gh'), `#!/bin/sh\nexec "${process.execPath}" "${fake}" "$@"\n`);
    chmodSync(at('tools', 'gh'), 0o755);

    // Last night seed 3 of baseline failed.
    const ledger = new LedgerFile(at('ledger.jsonl'));
    ledger.append('night-1', started({ scenario: 'baseline' }));
    ledger.append('night-1', failure(3));
    ledger.close();
    const again = await step(shellOf('again', 'Run them'));
    assert.equal(again.status, 0, again.stdout + again.stderr);
    assert.match(again.stdout, /^baseline +1 seed from 3: 1 passed; /m);
    upload('vopr-again');
    clear('vopr-out', 'ledger.jsonl');

    for (const shard of ['1', '2', '3']) {
      const ran = await step(shellOf('shard', 'Simulate'), { SHARD: shard });
      assert.equal(ran.status, 0, ran.stderr);
      assert.match(ran.stdout, /^baseline +[12] seeds? from \d+: [12] violated/m);
      upload(`vopr-shard-${shard}`);
      clear('vopr-out');
    }
    const wrong = await step(shellOf('shard', 'Simulate'), { SHARD: '1', SCENARIOS: 'nothing' });
    assert.equal(wrong.status, 2, 'a mistake is no result');
    clear('vopr-out');

    // As actions/download-artifact with merge-multiple.
    for (const name of readdirSync(at('artifacts'))) {
      cpSync(at('artifacts', name), at('vopr-out'), { recursive: true });
    }
    const merged = await step(shellOf('report', 'Merge'));
    assert.equal(merged.status, 1, merged.stderr);
    assert.match(merged.stdout, /\nbaseline +5 seeds from \d+: 5 violated; /);
    assert.equal(merged.stdout.match(/^::error title=acked_durability /gm)?.length, 1);
    assert.match(readFileSync(at('summary.md'), 'utf8'), /## vopr: violated\n[^]*and 4 more seeds\n/);
    assert.deepEqual(readdirSync(at('report')).sort(), ['junit.xml', 'report.html', 'result.json']);
    const bundle = /vopr repro (\S+)/.exec(merged.stdout)?.[1] ?? '';
    assert.ok(existsSync(at(bundle)), 'the bundle that the report names is among what was downloaded');

    const explained = await step(shellOf('report', 'Explain what failed'));
    assert.equal(explained.status, 0, explained.stderr);
    const small = readdirSync(at('report')).filter((name) => /^[0-9a-f]{8}\./.test(name));
    assert.deepEqual(small.map((name) => name.slice(9)).sort(), ['html', 'kmb', 'story.txt', 'test.ts']);

    assert.equal((await step(shellOf('report', 'Add to the ledger'))).status, 0);
    const { campaigns, damaged } = readLedger(at('ledger.jsonl'));
    assert.deepEqual(damaged, []);
    assert.deepEqual(campaigns.map(({ ended }) => ended?.summary.count ?? null), [null, 1, 2, 2, 1]);

    for (let night = 1; night <= 2; night++) {
      const told = await step(shellOf('report', 'Open issues, one a signature'));
      assert.equal(told.status, 0, told.stderr);
    }
    const { issues } = JSON.parse(readFileSync(at('issues.json'), 'utf8')) as FakeIssues;
    assert.equal(issues.length, 1, 'the same failure is the same issue');
    const [{ title, bodies }] = issues as [FakeIssues['issues'][number]];
    assert.match(title, /^\[vopr [0-9a-f]{8}\] acked_durability violated: baseline, .*, seed \d+ and 4 more/);
    assert.equal(bodies.length, 2);
    for (const body of bodies) {
      assert.match(body, /^```\nR\d acknowledged op/);
      assert.match(body, /\nnpm run -s vopr -- run baseline --seed \d+ --canary ack-before-sync\n/);
      assert.match(body, /\nBundles and reports: https:\/\/example.com\/owner\/name\/actions\/runs\/4711\n/);
      assert.match(body, /\n~~~~\nbaseline, seed \d+, canary ack-before-sync, minimised\.\n/);
      assert.match(body, /import \{ planOf, simTest \} from 'kimberlite\/testing';[^]*\n~~~~\n$/);
    }
  });

  test('without a ledger there is nothing to repeat, and without results nothing to merge', async () => {
    clear('vopr-out', 'ledger.jsonl', 'artifacts');
    const again = await step(shellOf('again', 'Run them'));
    assert.deepEqual([again.status, again.stdout], [0, ''], again.stderr);
    const merged = await step(shellOf('report', 'Merge'));
    assert.equal(merged.status, 2);
    assert.match(merged.stderr, /Cannot read "vopr-out\/result-\*\.json"/);
    const told = await step(shellOf('report', 'Open issues, one a signature'));
    assert.equal(told.status, 0, told.stderr);
  });
});
