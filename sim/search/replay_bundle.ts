/**
 * A bundle run again. On the code that recorded it, from its plan: every event is as recorded. On
 * changed code the digests depart somewhere; then once more with the decisions of its tape pinned by
 * identity, so that the run stays as close to the recorded one as the change lets it, and with an
 * account of where it does not (drift.ts).
 */
import { type Bundle } from '../../bundles/format.ts';
import { type Plan } from '../plan.ts';
import { type World } from '../world.ts';
import { driftOf, planByIdentity, type Drift } from './drift.ts';
import { type SeedViolation } from './seed_result.ts';
import { DETERMINISM, replayAgainst, runInLockStep, type Replay } from './seed_run.ts';
import { signatureOf } from './signature.ts';

export type ReplayOutcome = 'reproduced' | 'no failure' | 'different failure';

/**
 * exact: the plan alone gave every event as recorded. identity: it did not, and the decisions of the
 * tape were held to. plan: it did not, and there is no tape, or the plan alone does better.
 * lock step: two runs of the plan, for a failure that is a departure between them.
 */
export type ReplayWay = 'exact' | 'identity' | 'plan' | 'lock step';

export interface BundleReplay {
  readonly outcome: ReplayOutcome;
  readonly way: ReplayWay;
  readonly replay: Replay;
  /** The plan that was run: that of the bundle, or the same with pins. */
  readonly plan: Plan;
  /** Null when exact, or without a tape. */
  readonly drift: Drift | null;
}

export interface BundleRuns {
  readonly bundle: Bundle;
  /** The bundle's, checked. */
  readonly plan: Plan;
  /** A world at its beginning, with the bundle's canary and limits, in this place. */
  readonly start: (plan: Plan, recordDecisions: boolean, place: number) => World;
}

/** Runs it once, or twice when the digests depart; `keep`: last events to keep in words. */
export function replayBundle(runs: BundleRuns, keep: number): BundleReplay {
  const { bundle, plan, start } = runs;
  if (bundle.failure.invariant === DETERMINISM) {
    const result = runInLockStep(start(plan, false, 0), start(plan, false, 1));
    const replay: Replay = { result, departure: null, lastEvents: [] };
    return finished(bundle, 'lock step', replay, plan, null);
  }
  const tape = bundle.decisions;
  const attempt = (way: ReplayWay, chosen: Plan): BundleReplay => {
    const world = start(chosen, tape !== null, 0);
    const replay = replayAgainst(world, bundle.digests, keep);
    const exact = way === 'plan' && replay.departure === null;
    const now = exact ? null : world.decisionTape();
    const drift = tape === null || now === null ? null : driftOf(tape, now, plan.seedWords);
    return finished(bundle, exact ? 'exact' : way, replay, chosen, drift);
  };
  const first = attempt('plan', plan);
  if (first.way === 'exact' || tape === null) return first;
  const second = attempt('identity', planByIdentity(plan, tape));
  return first.outcome === 'reproduced' && second.outcome !== 'reproduced' ? first : second;
}

function finished(
  bundle: Bundle,
  way: ReplayWay,
  replay: Replay,
  plan: Plan,
  drift: Drift | null,
): BundleReplay {
  return { outcome: outcomeOf(bundle, replay.result.violation), way, replay, plan, drift };
}

export function outcomeOf(bundle: Bundle, violation: SeedViolation | null): ReplayOutcome {
  if (violation === null) return 'no failure';
  return sameFailure(bundle, violation) ? 'reproduced' : 'different failure';
}

/** By what the recorded message comes to today: how signatures are made may change between versions. */
export function sameFailure({ failure }: Bundle, violation: SeedViolation): boolean {
  return signatureOf(violation) === signatureOf(failure);
}
