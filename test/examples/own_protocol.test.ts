/**
 * docs/own_systems.md: each command is run, one after another, in a folder that looks like a clone,
 * and prints what stands there, but for numbers. `REWRITE=1` writes the real outputs into the page,
 * and the emitted test into examples/.
 */
import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { PROJECT_ROOT } from '../source_scanner.ts';
import { cloneFolder } from '../support/clone_folder.ts';
import { REWRITE, runPage } from '../support/page_commands.ts';

const EMITTED = join(PROJECT_ROOT, 'examples', 'own_protocol', 'answered_unstored.test.ts');
const folder = cloneFolder('own-protocol');
after(() => rmSync(folder, { recursive: true, force: true }));

suite('docs/own_systems.md', () => {
  test('every command does what it says', () => {
    runPage('own_systems.md', folder, [0, 1]);
    // The test that was emitted here is the one that stands in examples/, but for where it stands.
    const emitted = readFileSync(join(folder, '.vopr', 'small.test.ts'), 'utf8')
      .replace("'../cli/testing.ts'", "'../../cli/testing.ts'")
      .replace("'../examples/own_protocol/system.ts'", "'./system.ts'");
    if (REWRITE) writeFileSync(EMITTED, emitted);
    assert.equal(emitted, readFileSync(EMITTED, 'utf8'));
  });
});
