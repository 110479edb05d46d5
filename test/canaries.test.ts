/**
 * Every canary is caught by the checker that it names, within its budget of seeds, and the bundle
 * says so again in a new process. The same seeds pass without it: that is what the other tests and
 * `vopr run --all` show.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { CANARIES } from '../sim/canaries.ts';
import { runProgram } from './cli/run_program.ts';

const DIRECTORY = mkdtempSync(join(tmpdir(), 'kimberlite-canaries-'));
after(() => rmSync(DIRECTORY, { recursive: true, force: true }));

interface Caught {
  readonly invariant: string;
  readonly seed: number;
  readonly bundle: string;
}

suite('canaries', { concurrency: 2 }, () => {
  for (const canary of CANARIES) {
    test(`${canary.name} is caught by ${canary.caughtBy}`, async () => {
      assert.ok(canary.seeds <= 200, 'a budget of at most 200 seeds');
      const bundles = join(DIRECTORY, canary.name);
      const args = ['run', '--canary', canary.name, '--bundle-dir', bundles, '--jobs', '1'];
      const run = await runProgram('vopr', [...args, '--format', 'json']);
      assert.equal(run.status, 1, run.stdout + run.stderr);
      const { violations } = JSON.parse(run.stdout) as { violations: Caught[] };
      const [caught] = violations;
      assert.ok(caught !== undefined);
      assert.equal(caught.invariant, canary.caughtBy, `seed ${caught.seed}`);

      const again = await runProgram('vopr', ['repro', caught.bundle]);
      assert.equal(again.status, 1, again.stdout + again.stderr);
      assert.match(again.stdout, /\nreproduced\n$/);
    });
  }
});
