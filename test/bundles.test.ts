/**
 * Every bundle of bundles/regression, run again: a failure that was fixed stays fixed. A bundle is
 * added by the commit that fixes it, and fails on the commit before. One with a canary is kept for
 * another reason, to prove that the checker still catches it, and must fail as recorded.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { decodeBundle, type Bundle } from '../bundles/format.ts';
import { findCanary, findScenario, recordRun, startBundle } from '../cli/vopr/catalogue.ts';
import { makePlan } from '../sim/plan.ts';
import { runToEnd } from '../sim/search/seed_run.ts';
import { PROJECT_ROOT } from './source_scanner.ts';

const FOLDER = join(PROJECT_ROOT, 'bundles', 'regression');

/** Null when it runs as it must. */
function problemOf(bundle: Bundle): string | null {
  const { violation } = runToEnd(startBundle(bundle));
  if (bundle.canary === null) {
    return violation === null ? null : `fails again: ${violation.invariant}: ${violation.message}`;
  }
  if (violation?.invariant === bundle.failure.invariant) return null;
  return `canary ${bundle.canary} is not caught by ${bundle.failure.invariant} any more`;
}

suite('regression bundles', () => {
  mkdirSync(FOLDER, { recursive: true });
  for (const name of readdirSync(FOLDER).filter((file) => file.endsWith('.kmb'))) {
    test(name, () => {
      assert.equal(problemOf(decodeBundle(readFileSync(join(FOLDER, name)))), null, name);
    });
  }

  test('a bundle of a run that fails is told from one that passes', () => {
    const canary = findCanary('commit-before-quorum');
    const limits = { events: null, micros: null };
    const { bytes } = recordRun({
      plan: makePlan(findScenario(canary.scenario), 1),
      canary: canary.name,
      limits,
      code: { version: '0', commit: 'unknown', node: process.version },
    });
    assert.ok(bytes !== null);
    const bundle = decodeBundle(bytes);
    assert.equal(problemOf(bundle), null);
    assert.match(problemOf({ ...bundle, canary: 'double-apply' }) ?? '', /is not caught by acked_durability/);
  });
});
