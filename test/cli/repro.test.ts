/** `vopr repro` from outside: what it prints, for people and for programs, and how it exits. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { encodeBundle } from '../../bundles/format.ts';
import { PROJECT_ROOT } from '../source_scanner.ts';
import { failingBundle } from '../support/failing_bundle.ts';
import { runProgram } from './run_program.ts';

const DIRECTORY = mkdtempSync(join(tmpdir(), 'kimberlite-repro-'));
after(() => rmSync(DIRECTORY, { recursive: true, force: true }));

const BUNDLE = failingBundle('repair-never', 1);

test('repro: on changed code it names the first decision that does not match', async () => {
  const path = join(DIRECTORY, 'fixed.kmb');
  writeFileSync(path, encodeBundle({ ...BUNDLE, canary: null }));
  const fixed = await runProgram('vopr', ['repro', path]);
  assert.equal(fixed.status, 0, fixed.stderr);
  assert.match(fixed.stdout, /by kimberlite 0, commit faccfb7, Node v24.0.0\n/);
  assert.match(fixed.stdout, /digests {4}depart at event [\d,]+ of [\d,]+: .*; this is commit /);
  assert.match(fixed.stdout, /decisions {2}held to by identity; [\d,]+ of [\d,]+ as recorded, /);
  // A replica that repairs asks for headers: the planted bug is that it never does.
  assert.match(
    fixed.stdout,
    /first that does not match, at event [\d,]+: delay \d+ of R\d -> R\d request_\w+, .*\(asked here, not /,
  );
  assert.match(fixed.stdout, /\nno failure\n$/);

  const json = await runProgram('vopr', ['repro', '-', '--format', 'json'], { input: readFileSync(path) });
  assert.equal(json.status, 0, json.stderr);
  const told = JSON.parse(json.stdout) as Record<string, unknown>;
  assert.equal(told['bundle'], '-');
  assert.equal(told['outcome'], 'no failure');
  assert.equal(told['status'], 0);
  assert.equal(told['way'], 'identity');
  assert.equal(told['now'], null);
  const drift = told['drift'] as { recorded: number; matched: number; first: { decision: string } };
  assert.ok(drift.matched > 0 && drift.matched < drift.recorded);
  assert.match(drift.first.decision, /request_/);
});

test('repro: as recorded, in json; quiet is quiet', async () => {
  const path = join(DIRECTORY, 'as_recorded.kmb');
  writeFileSync(path, encodeBundle(BUNDLE));
  const json = await runProgram('vopr', ['repro', path, '--format', 'json', '-v']);
  assert.equal(json.status, 1, json.stderr);
  const told = JSON.parse(json.stdout) as Record<string, unknown>;
  assert.equal(told['outcome'], 'reproduced');
  assert.equal(told['way'], 'exact');
  assert.equal(told['drift'], null);
  assert.equal(told['departure'], null);
  assert.deepEqual(told['recorded'], told['now']);
  assert.equal((told['last_events'] as unknown[]).length, 30);
  const quiet = await runProgram('vopr', ['repro', '-q', path]);
  assert.deepEqual([quiet.status, quiet.stdout, quiet.stderr], [1, '', '']);
});

test('repro: a bundle of schema 1 opens, and runs', async () => {
  const path = join(PROJECT_ROOT, 'bundles', 'regression', 'restart_all_at_once-11-liveness.kmb');
  const outcome = await runProgram('vopr', ['repro', path]);
  assert.equal(outcome.status, 0, outcome.stderr);
  assert.match(outcome.stdout, /decisions {2}none recorded: the bundle is of schema 1, its plan was run\n/);
});
