/**
 * A shorter run with the same failure: actions are left out, first many at once, then one by one, and
 * the run is made again each time. Actions that no longer fit go with those they depended on.
 */
import { type CanaryId } from '../../../core/canary.ts';
import { signatureOf } from '../signature.ts';
import { ExploreRun } from './explore_run.ts';
import { explorePlan, type ExploreAction } from './explore_plan.ts';
import { type ExploreBounds } from './explore_bounds.ts';

export interface Shortened {
  readonly actions: readonly ExploreAction[];
  /** Runs that were made. */
  readonly runs: number;
}

/** `actions` must fail with a violation of this signature; what is returned does, too. */
export function shorten(
  bounds: ExploreBounds,
  actions: readonly ExploreAction[],
  canary: CanaryId,
  signature: string,
): Shortened {
  let best = actions;
  let runs = 0;
  for (let size = best.length >> 1; size >= 1; ) {
    let progress = false;
    for (let from = best.length - size; from > -size; from -= size) {
      const start = Math.max(0, from);
      const candidate = [...best.slice(0, start), ...best.slice(from + size)];
      runs++;
      const shorter = failing(bounds, candidate, canary, signature);
      if (shorter === null || shorter.length >= best.length) continue;
      best = shorter;
      progress = true;
      if (from > best.length) from = best.length;
    }
    if (!progress || size > 1) size = size === 1 ? 0 : size >> 1;
  }
  return { actions: best, runs };
}

/** The actions that fitted, up to the failure; null when it is another failure or none. */
function failing(
  bounds: ExploreBounds,
  actions: readonly ExploreAction[],
  canary: CanaryId,
  signature: string,
): readonly ExploreAction[] | null {
  const run = new ExploreRun(explorePlan(bounds, actions), canary);
  while (run.step());
  const { violation } = run.result();
  return violation !== null && signatureOf(violation) === signature ? run.fitting : null;
}
