/**
 * docs/minimize.md: each command is run, one after another, in a folder that looks like a clone, and
 * prints what stands there, but for numbers. `REWRITE=1` writes the real outputs into the page.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { CANARIES } from '../sim/canaries.ts';
import { PROJECT_ROOT } from './source_scanner.ts';
import { cloneFolder } from './support/clone_folder.ts';
import { shapeOf, stepsOf, withOutputs } from './support/console_blocks.ts';

const PAGE = join(PROJECT_ROOT, 'docs', 'minimize.md');
const REWRITE = process.env['REWRITE'] === '1';
const folder = cloneFolder('minimize');
after(() => rmSync(folder, { recursive: true, force: true }));

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

suite('docs/minimize.md', () => {
  test('every command does what it says', () => {
    const markdown = readFileSync(PAGE, 'utf8');
    const steps = stepsOf(markdown);
    assert.ok(steps.length >= 5);
    const outputs = steps.map(({ command }) => run(command));
    steps.forEach(({ command, output }, i) => {
      const real = outputs[i] as string[];
      if (REWRITE) return;
      assert.deepEqual(real.map(shapeOf), output.map(shapeOf), `${command}\n${real.join('\n')}`);
    });
    if (REWRITE) writeFileSync(PAGE, withOutputs(markdown, outputs));
  });

  test('the table has each canary', () => {
    const rows = readFileSync(PAGE, 'utf8').matchAll(/^\| ([a-z-]+) \| \d+ \|/gm);
    assert.deepEqual([...rows].map(([, name]) => name), CANARIES.map(({ name }) => name));
  });
});
