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
  for (let size = Math.max(1, best.length >> 1); size > 0; ) {
    const before = best.length;
    // From the end: what comes later depends on what came before.
    for (let end = before; end > 0; end = Math.min(end - size, best.length)) {
      const candidate = [...best.slice(0, Math.max(0, end - size)), ...best.slice(end)];
      runs++;
      const shorter = failing(bounds, candidate, canary, signature);
      if (shorter !== null && shorter.length < best.length) best = shorter;
    }
    // One by one until nothing more goes.
    if (size > 1 || best.length === before) size >>= 1;
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
