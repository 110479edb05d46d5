/**
 * docs/minimize.md: each command is run, one after another, in a folder that looks like a clone, and
 * prints what stands there, but for numbers. `REWRITE=1` writes the real outputs into the page.
 */
import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { CANARIES } from '../sim/canaries.ts';
import { PROJECT_ROOT } from './source_scanner.ts';
import { cloneFolder } from './support/clone_folder.ts';
import { runPage } from './support/page_commands.ts';

const PAGE = join(PROJECT_ROOT, 'docs', 'minimize.md');
const folder = cloneFolder('minimize');
after(() => rmSync(folder, { recursive: true, force: true }));

suite('docs/minimize.md', () => {
  test('every command does what it says', () => {
    runPage('minimize.md', folder, [0, 1]);
  });

  test('the table has each canary', () => {
    const rows = readFileSync(PAGE, 'utf8').matchAll(/^\| ([a-z-]+) \| \d+ \|/gm);
    assert.deepEqual([...rows].map(([, name]) => name), CANARIES.map(({ name }) => name));
  });
});
