/** The one way in which a failing run becomes a bundle: it is run, with the recorders on. */
import { type Bundle, type BundleCode, type PlainData } from '../../bundles/format.ts';
import { type Plan } from '../plan.ts';
import { canaryIdOf } from '../system_registry.ts';
import { type WorldPlaces } from './run_seed.ts';
import { type SeedLimits, type SeedResult, type SeedViolation } from './seed_result.ts';
import { record, type Recording } from './seed_run.ts';
import { signatureOf } from './signature.ts';

export interface BundleRequest {
  readonly plan: Plan;
  /** Name of the armed canary. */
  readonly canary: string | null;
  readonly limits: SeedLimits;
  readonly code: BundleCode;
  /** What the bundle is about, when one run alone does not show it; left out: the run's violation. */
  readonly failure?: SeedViolation | null;
}

export interface BundleRun {
  readonly result: SeedResult;
  /** Null: the run did not fail. */
  readonly bundle: Bundle | null;
}

/** Runs the plan from its beginning, in the first place of `places`. */
export function recordBundle(places: WorldPlaces, request: BundleRequest): BundleRun {
  const { plan, limits } = request;
  const canary = canaryIdOf(plan, request.canary);
  const world = places.start({ plan, canary, limits, recordDecisions: true });
  const recording = record(world);
  return {
    result: recording.result,
    bundle: bundleOf(request, recording, world.decisionTape()),
  };
}

/** From a recording that has been made already. Null: it did not fail. */
export function bundleOf(
  { plan, canary, limits, code, failure: given }: BundleRequest,
  { result, digests }: Recording,
  decisions: Bundle['decisions'],
): Bundle | null {
  const failure = given ?? result.violation;
  if (failure === null) return null;
  return {
    scenario: plan.scenario,
    // A seed given as text stands in the plan.
    seed: Number.isSafeInteger(result.seed) ? result.seed : 0,
    canary,
    limits: { events: limits.events, micros: limits.micros },
    plan: plan as unknown as PlainData,
    code,
    failure: {
      invariant: failure.invariant,
      signature: signatureOf(failure),
      message: failure.message,
      event: failure.event,
      virtualMicros: failure.virtualMicros,
      replicas: failure.replicas,
    },
    events: result.events,
    digests,
    decisions,
  };
}
