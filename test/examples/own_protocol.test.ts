/**
 * docs/own_systems.md: each command is run, one after another, in a folder that looks like a clone,
 * and prints what stands there, but for numbers. `REWRITE=1` writes the real outputs into the page,
 * and the emitted test into examples/.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { PROJECT_ROOT } from '../source_scanner.ts';
import { shapeOf, stepsOf, withOutputs } from '../support/console_blocks.ts';

const PAGE = join(PROJECT_ROOT, 'docs', 'own_systems.md');
const EMITTED = join(PROJECT_ROOT, 'examples', 'own_protocol', 'answered_unstored.test.ts');
const REWRITE = process.env['REWRITE'] === '1';
const folder = mkdtempSync(join(tmpdir(), 'own-protocol-'));
after(() => rmSync(folder, { recursive: true, force: true }));

for (const name of readdirSync(PROJECT_ROOT)) {
  if (!name.startsWith('.')) symlinkSync(join(PROJECT_ROOT, name), join(folder, name));
}

function run(command: string): string[] {
  const env: NodeJS.ProcessEnv = { ...process.env, NO_COLOR: '1' };
  for (const name of Object.keys(env)) {
    if (/^(NODE_TEST_CONTEXT|REWRITE|VOPR_.*)$/.test(name)) delete env[name];
  }
  const options = { cwd: folder, encoding: 'utf8', timeout: 60_000, env } as const;
  const { status, stdout, stderr } = spawnSync('bash', ['-c', command], options);
  assert.ok(status === 0 || status === 1, `${command}\n${status}\n${stdout}\n${stderr}`);
  return stdout.replaceAll(folder, '.').trimEnd().split('\n');
}

suite('docs/own_systems.md', () => {
  test('every command does what it says', () => {
    const markdown = readFileSync(PAGE, 'utf8');
    const steps = stepsOf(markdown);
    assert.ok(steps.length >= 5);
    const outputs: string[][] = [];
    for (const { command, output } of steps) {
      const real = run(command);
      outputs.push(real);
      if (REWRITE) continue;
      assert.deepEqual(real.map(shapeOf), output.map(shapeOf), `${command}\n${real.join('\n')}`);
    }
    if (REWRITE) writeFileSync(PAGE, withOutputs(markdown, outputs));
    // The test that was emitted here is the one that stands in examples/, but for where it stands.
    const emitted = readFileSync(join(folder, '.vopr', 'small.test.ts'), 'utf8')
      .replace("'../cli/testing.ts'", "'../../cli/testing.ts'")
      .replace("'../examples/own_protocol/system.ts'", "'./system.ts'");
    if (REWRITE) writeFileSync(EMITTED, emitted);
    assert.equal(emitted, readFileSync(EMITTED, 'utf8'));
  });
});
