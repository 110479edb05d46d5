/**
 * Bundles of planted bugs for tests. Which seed shows a rare bug changes with the protocol's timing,
 * so the seed asked for is a guess that saves time: when it does not fail, others are tried.
 */
import assert from 'node:assert/strict';
import { decodeBundle, type Bundle } from '../../bundles/format.ts';
import { findCanary, findScenario, recordRun, startRun } from '../../cli/vopr/catalogue.ts';
import { makePlan } from '../../sim/plan.ts';
import { NO_LIMITS } from '../../sim/search/seed_result.ts';
import { runToEnd } from '../../sim/search/seed_run.ts';

/** Of the first failing seed that suits; by the canary's own checker. */
export function failingBundle(
  canaryName: string,
  guess: number,
  suits: (bundle: Bundle) => boolean = () => true,
): Bundle {
  const canary = findCanary(canaryName);
  const scenario = findScenario(canary.scenario);
  const seeds = Array.from({ length: canary.seeds * 2 }, (_, i) => i + 1);
  for (const seed of [guess, ...seeds]) {
    const run = startRun({ scenario, seed, canary, limits: NO_LIMITS });
    if (runToEnd(run).violation?.invariant !== canary.caughtBy) continue;
    const { bytes } = recordRun({
      plan: makePlan(scenario, seed),
      canary: canary.name,
      limits: NO_LIMITS,
      code: { version: '0', commit: 'faccfb7', node: 'v24.0.0' },
    });
    const bundle = decodeBundle(bytes ?? assert.fail('a failing run fails again'));
    if (suits(bundle)) return bundle;
  }
  assert.fail(`no seed of ${canary.scenario} shows ${canaryName} as the test needs it`);
}
