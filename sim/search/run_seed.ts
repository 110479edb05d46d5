/**
 * A plan becomes a run that can be stepped: a world of the system that the plan names.
 *
 * Memory for worlds is kept between runs (see arena.ts); `WorldPlaces` holds one arena a place, so
 * that two runs of one plan can stand side by side.
 */
import { armCanary, type CanaryId } from '../../core/canary.ts';
import { type CheckerEntry } from '../../invariants/invariant.ts';
import { Arena } from '../arena.ts';
import { type Plan } from '../plan.ts';
import { systemOf } from '../system_registry.ts';
import { World } from '../world.ts';
import { type SeedLimits } from './seed_result.ts';

export interface RunRequest {
  readonly plan: Plan;
  /** Armed for this process; the run must not be interleaved with one of another canary. */
  readonly canary: CanaryId;
  readonly limits: SeedLimits;
  /** Left out: all of the system's. */
  readonly checkers?: readonly CheckerEntry[];
  /** See `WorldOptions`. */
  readonly recordDecisions?: boolean;
}

/** Places in which worlds stand; each holds its memory from run to run. */
export class WorldPlaces {
  /** By place, system and checksum: seeds alternate between algorithms, and memory is dear to make. */
  private readonly arenas = new Map<string, Arena>();

  /** A world at its beginning. It takes the place of the one that stood there. */
  start(request: RunRequest, place = 0): World {
    const { plan, limits, checkers, recordDecisions = false } = request;
    const system = systemOf(plan);
    const key = `${place} ${system.name} ${plan.config.checksumAlgorithm}`;
    let arena = this.arenas.get(key);
    if (arena === undefined || !arena.fits(plan.config, system)) {
      arena = new Arena(plan.config, system);
      this.arenas.set(key, arena);
    }
    armCanary(request.canary);
    const own = checkers === undefined ? {} : { checkers };
    return new World({ plan, arena, limits, recordDecisions, ...own });
  }
}
