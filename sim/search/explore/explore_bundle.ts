/** What a search found as a bundle: the run is made again by the real code, and recorded. */
import { type Bundle, type BundleCode, type PlainData } from '../../../bundles/format.ts';
import { CANARIES } from '../../canaries.ts';
import { CANARY, type CanaryId } from '../../../core/canary.ts';
import { record } from '../seed_run.ts';
import { signatureOf } from '../signature.ts';
import { EXPLORE_SCENARIO, type ExplorePlan } from './explore_plan.ts';
import { ExploreRun } from './explore_run.ts';

/** Null: the run does not fail. `canary`: name of the planted bug. */
export function exploreBundle(plan: ExplorePlan, canary: string | null, code: BundleCode): Bundle | null {
  const { result, digests } = record(new ExploreRun(plan, canaryIdNamed(canary)));
  const failure = result.violation;
  if (failure === null) return null;
  return {
    scenario: EXPLORE_SCENARIO,
    seed: 0,
    canary,
    limits: { events: null, micros: null },
    plan: plan as unknown as PlainData,
    code,
    failure: { ...failure, signature: signatureOf(failure) },
    events: result.events,
    digests,
    // A plan of this kind is its own tape: there is nothing left to decide.
    decisions: null,
  };
}

function canaryIdNamed(name: string | null): CanaryId {
  return CANARIES.find((canary) => canary.name === name)?.id ?? CANARY.none;
}
