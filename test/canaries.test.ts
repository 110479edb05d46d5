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

/** The first catch by the checker that is named, or null. */
async function catchBy(args: readonly string[], invariant: string): Promise<Caught | null> {
  const run = await runProgram('vopr', [...args, '--format', 'json']);
  assert.equal(run.status, 1, run.stdout + run.stderr);
  const { violations } = JSON.parse(run.stdout) as { violations: Caught[] };
  return violations.find((violation) => violation.invariant === invariant) ?? null;
}

suite('canaries', { concurrency: 2 }, () => {
  for (const canary of CANARIES) {
    test(`${canary.name} is caught by ${canary.caughtBy}`, async () => {
      assert.ok(canary.seeds <= 200, 'a budget of at most 200 seeds');
      const bundles = join(DIRECTORY, canary.name);
      const args = ['run', '--canary', canary.name, '--bundle-dir', bundles, '--jobs', '1'];
      // Another checker may meet the bug in an earlier seed. That is by accident, and no catch.
      const caught = (await catchBy(args, canary.caughtBy)) ??
        (await catchBy([...args, '--keep-going'], canary.caughtBy));
      assert.ok(caught !== null, `not caught by ${canary.caughtBy} in ${canary.seeds} seeds`);

      const again = await runProgram('vopr', ['repro', caught.bundle]);
      assert.equal(again.status, 1, again.stdout + again.stderr);
      assert.match(again.stdout, /\nreproduced\n$/);
    });
  }
});
