/**
 * The commands of a page under docs/, run one after another in a folder that looks like a clone. Each
 * prints what stands in the page, but for numbers; `REWRITE=1` writes the real outputs into it.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT_ROOT } from '../source_scanner.ts';
import { shapeOf, stepsOf, withOutputs, type Step } from './console_blocks.ts';

export const REWRITE = process.env['REWRITE'] === '1';
const STEPS_MIN = 5;

export interface PageRun {
  readonly steps: readonly Step[];
  /** Lines that each step printed. */
  readonly outputs: readonly (readonly string[])[];
}

/** `statuses`: exit statuses that the page's commands may have; some show a failure on purpose. */
export function runPage(page: string, folder: string, statuses: readonly number[]): PageRun {
  const path = join(PROJECT_ROOT, 'docs', page);
  const markdown = readFileSync(path, 'utf8');
  const steps = stepsOf(markdown);
  assert.ok(steps.length >= STEPS_MIN, `${page}: ${steps.length} commands`);
  const outputs = steps.map(({ command, output }) => {
    const real = run(command, folder, statuses);
    if (!REWRITE) assert.deepEqual(real.map(shapeOf), output.map(shapeOf), `${command}\n${real.join('\n')}`);
    return real;
  });
  if (REWRITE) writeFileSync(path, withOutputs(markdown, outputs));
  return { steps, outputs };
}

function run(command: string, folder: string, statuses: readonly number[]): string[] {
  const env: NodeJS.ProcessEnv = { ...process.env, NO_COLOR: '1' };
  for (const name of Object.keys(env)) {
    if (/^(NODE_TEST_CONTEXT|REWRITE|GITHUB_STEP_SUMMARY|VOPR_.*)$/.test(name)) delete env[name];
  }
  const options = { cwd: folder, encoding: 'utf8', timeout: 60_000, env } as const;
  const { status, stdout, stderr } = spawnSync('bash', ['-c', command], options);
  assert.ok(status !== null && statuses.includes(status), `${command}\n${status}\n${stdout}\n${stderr}`);
  return stdout.replaceAll(folder, '.').trimEnd().split('\n');
}
