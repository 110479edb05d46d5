/** Runs that fail, for tests of the page: a planted bug in the first seed of its scenario. */
import assert from 'node:assert/strict';
import { CHECKSUM_ALGORITHM } from '../../../core/constants.ts';
import { decodeBundle, type Bundle } from '../../../bundles/format.ts';
import { findCanary, findScenario, recordRun } from '../../../cli/vopr/catalogue.ts';
import { type PlayerOptions } from '../../../cli/page/player.ts';
import { makePlan, type Plan } from '../../../sim/plan.ts';

const LIMITS = { events: null, micros: null };

export interface FailingRun {
  readonly options: PlayerOptions;
  readonly plan: Plan;
  readonly bundle: Bundle;
  readonly bytes: Uint8Array;
}

type Checksum = keyof typeof CHECKSUM_ALGORITHM;

export function failingRun(canaryName: string, checksum: Checksum = 'fast128'): FailingRun {
  const canary = findCanary(canaryName);
  const drawn = makePlan(findScenario(canary.scenario), 1);
  const plan = { ...drawn, config: { ...drawn.config, checksumAlgorithm: CHECKSUM_ALGORITHM[checksum] } };
  const code = { version: '0', commit: 'unknown', node: process.version };
  const { bytes } = recordRun({ plan, canary: canary.name, limits: LIMITS, code });
  assert.ok(bytes !== null, `${canaryName} is caught in the first seed of ${canary.scenario}`);
  return { plan, options: { plan, canary: canary.id, limits: LIMITS }, bundle: decodeBundle(bytes), bytes };
}
