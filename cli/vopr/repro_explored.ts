/** `vopr repro` of a bundle that `vopr explore` wrote: its actions again, by the real code. */
import { type Bundle } from '../../bundles/format.ts';
import { CANARY, type CanaryId } from '../../core/canary.ts';
import {
  explorePlanProblem,
  type ExploreAction,
  type ExplorePlan,
} from '../../sim/search/explore/explore_plan.ts';
import { ExploreRun } from '../../sim/search/explore/explore_run.ts';
import { actionText } from '../../sim/search/explore/story.ts';
import { outcomeOf } from '../../sim/search/replay_bundle.ts';
import { replayAgainst } from '../../sim/search/seed_run.ts';
import { pathReplayJson, pathReplayText, type PathReplay } from '../render/explore.ts';
import { UsageError } from '../usage_error.ts';
import { findCanary } from './catalogue.ts';

/** The run at its beginning. Throws UsageError when its plan or its canary is none of ours. */
export function exploreRunOf(bundle: Bundle, name = 'the bundle'): ExploreRun {
  const problem = explorePlanProblem(bundle.plan);
  if (problem !== null) {
    throw new UsageError(`Cannot replay ${name}: ${problem}; it was not written by \`vopr explore\``);
  }
  let canary: CanaryId = CANARY.none;
  try {
    if (bundle.canary !== null) canary = findCanary(bundle.canary).id;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`Cannot replay ${name}: ${error.message}`, { cause: error });
  }
  return new ExploreRun(bundle.plan as unknown as ExplorePlan, canary);
}

export interface ExploredRepro {
  readonly replay: PathReplay;
  readonly text: string;
  readonly json: Record<string, unknown>;
}

/** `keep`: last actions to tell. */
export function reproExplored(path: string, name: string, bundle: Bundle, keep: number): ExploredRepro {
  const run = exploreRunOf(bundle, name);
  const replayed = replayAgainst(run, bundle.digests, keep);
  const { misfits, firstMisfit } = run;
  const outcome = outcomeOf(bundle, replayed.result.violation);
  const replay: PathReplay = { outcome, replay: replayed, misfits, firstMisfit };
  const plan = bundle.plan as unknown as ExplorePlan;
  const first = plan.actions[firstMisfit - 1] as ExploreAction | undefined;
  const misfit = first === undefined ? '' : actionText(first, plan.replicas);
  const text = pathReplayText(name, bundle, plan, replay, misfit);
  return { replay, text, json: pathReplayJson(path, bundle, replay) };
}
