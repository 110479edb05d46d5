/** `vopr explore` from outside, and its bundles in processes of their own. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { decodeBundle, encodeBundle } from '../../bundles/format.ts';
import { programPath, runProgram } from './run_program.ts';

const DIRECTORY = mkdtempSync(join(tmpdir(), 'kimberlite-explore-'));
after(() => rmSync(DIRECTORY, { recursive: true, force: true }));

test('explore: clean code is searched to the end, and the end is said', async () => {
  const args = ['explore', '--operations', '1', '--timeouts', '0'];
  const text = await runProgram('vopr', [...args, '--verify']);
  assert.equal(text.status, 0, text.stderr);
  assert.match(text.stdout, /^exploring 3 replicas, 1 client, 1 operation, up to 1 crash, 0 timeouts/);
  assert.match(text.stdout, /\nexhausted: every run within these bounds was looked at, and no checker spoke/);
  assert.match(text.stdout, /\n {2}verified {2}\d+ answers .* alike, [\d,]+ deliveries/);
  const json = await runProgram('vopr', [...args, '--format', 'json']);
  const report = JSON.parse(json.stdout) as Record<string, unknown>;
  assert.equal(report['exhausted'], true);
  assert.equal(report['frontier'], 0);
  assert.equal(report['violation'], null);
  const [, states = ''] = /states {4}([\d,]+) distinct/.exec(text.stdout) ?? assert.fail();
  assert.equal(report['states'], Number(states.replaceAll(',', '')), 'two processes, one count');
});

test('explore: a bound is told as one', async () => {
  const { status, stdout } = await runProgram('vopr', ['explore', '--states', '500']);
  assert.equal(status, 0);
  assert.match(stdout, /\nbounded by --states 500: \d+ states wait to be expanded; what lies behind them/);
});

test('explore: a planted bug becomes a bundle that another process reproduces', async () => {
  const canary = 'commit-before-quorum';
  const directory = ['--bundle-dir', DIRECTORY];
  const found = await runProgram('vopr', ['explore', '--canary', canary, ...directory]);
  assert.equal(found.status, 1, found.stderr);
  assert.match(found.stdout, /\nviolation of acked_durability: R0 answered op 1, .* 2 are needed\n/);
  assert.match(found.stdout, /\n {5}1 {2}R0 starts: is normal in view 0/);
  const path = join(DIRECTORY, `explore-0-${canary}.kmb`);
  assert.ok(found.stdout.includes(`vopr repro ${path}`));

  const again = await runProgram('vopr', ['repro', '-v', path]);
  assert.equal(again.status, 1, again.stderr);
  assert.match(again.stdout, /\n {2}actions {4}all 3 fit, and led to the states as recorded\n/);
  assert.match(again.stdout, /\n {4}C0 -> R0 request 0 register, view 0: commits op 1/);
  assert.match(again.stdout, /\nreproduced\n$/);

  // On code without the bug: the same actions, and nothing to see.
  const clean = join(DIRECTORY, 'clean.kmb');
  writeFileSync(clean, encodeBundle({ ...decodeBundle(readFileSync(path)), canary: null }));
  const fixed = await runProgram('vopr', ['repro', '--format', 'json', clean]);
  assert.equal(fixed.status, 0, fixed.stderr);
  assert.equal((JSON.parse(fixed.stdout) as { outcome: string }).outcome, 'no failure');

  for (const command of ['minimize', 'bisect', 'show', 'timeline']) {
    const { status, stderr } = await runProgram('vopr', [command, path]);
    assert.equal(status, 2, command);
    assert.match(stderr, /`vopr explore` found it, .* `vopr repro -vv` tells it/);
  }
});

test('explore: a plan that is none is refused', async () => {
  const path = join(DIRECTORY, 'hostile.kmb');
  const bundle = decodeBundle(readFileSync(join(DIRECTORY, 'explore-0-commit-before-quorum.kmb')));
  const plan = { ...(bundle.plan as object), replicas: 1_000_000 };
  writeFileSync(path, encodeBundle({ ...bundle, plan }));
  const { status, stderr } = await runProgram('vopr', ['repro', path]);
  assert.equal(status, 2);
  assert.match(stderr, /Cannot replay hostile\.kmb: plan: "replicas" must be from 1 to 6; it was not/);
});

test('explore: Ctrl-C ends it, and it says how far it came', async () => {
  const child = spawn(process.execPath, [programPath('vopr'), 'explore', '--timeouts', '9'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  const closed = new Promise<number | null>((resolve) => child.on('close', resolve));
  const stop = setTimeout(() => child.kill('SIGKILL'), 30_000);
  child.stdout.on('data', (chunk: Buffer) => {
    if (stdout === '') setTimeout(() => child.kill('SIGINT'), 1500);
    stdout += chunk.toString();
  });
  assert.equal(await closed, 0);
  clearTimeout(stop);
  assert.match(stdout, /\ninterrupted: [\d,]+ states wait to be expanded/);
});
