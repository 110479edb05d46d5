/**
 * Runs a plan and says whether it fails as the first one did: the same signature, not merely some
 * failure. What fails is run once more with the recorder on, for the facts that smaller plans are
 * made from.
 */
import { type DecisionTape } from '../../../bundles/decision_tape.ts';
import { type CanaryId } from '../../../core/canary.ts';
import { type Plan } from '../../plan.ts';
import { type World } from '../../world.ts';
import { WorldPlaces } from '../run_seed.ts';
import { NO_LIMITS, type SeedResult, type SeedViolation } from '../seed_result.ts';
import { DETERMINISM, runInLockStep, type SeedRun } from '../seed_run.ts';
import { signatureOf } from '../signature.ts';
import { type Facts, type Verdict } from './facts.ts';
import { countMade, isMessageDelay, isStorageDelay, isTaken } from './pins.ts';

export interface JudgeOptions {
  readonly canary: CanaryId;
  /** As `signatureOf` gives it; null: any failure will do. */
  readonly signature: string | null;
}

/** Asked now and then; true ends the run. */
export type Interrupt = () => boolean;
const ASKED_EVERY = 256;

export class Judge {
  private readonly options: JudgeOptions;
  private readonly places: WorldPlaces;

  constructor(options: JudgeOptions, places = new WorldPlaces()) {
    this.options = options;
    this.places = places;
  }

  /** `eventsMax`: null for the plan's own. An interrupted run is a cut one. */
  judge(plan: Plan, eventsMax: number | null, interrupt: Interrupt = () => false): Verdict {
    const { signature } = this.options;
    const world = this.start(plan, eventsMax, false, 0);
    const result = signature === DETERMINISM
      ? runInLockStep(world, this.start(plan, eventsMax, false, 1)) // Too rare to be interrupted.
      : runUnless(interrupt, world);
    if (result === null) return { kind: 'cut', events: 0 };
    const { violation, events } = result;
    if (violation === null) {
      return { kind: eventsMax !== null && events >= eventsMax ? 'cut' : 'miss', events };
    }
    if (signature !== null && signatureOf(violation) !== signature) return { kind: 'miss', events };
    return { kind: 'same', facts: this.factsOf(plan, violation) };
  }

  private start(plan: Plan, events: number | null, recordDecisions: boolean, place: number): World {
    const { canary } = this.options;
    return this.places.start({ plan, canary, limits: { ...NO_LIMITS, events }, recordDecisions }, place);
  }

  private factsOf(plan: Plan, violation: SeedViolation): Facts {
    const world = this.start(plan, null, true, 0);
    while (world.events < violation.event && world.step());
    const tape = world.decisionTape() as DecisionTape;
    return {
      events: violation.event,
      violation,
      healedMicros: world.healedMicros,
      calls: [...world.calls],
      faultNodes: world.faultNodes(),
      chances: countMade(tape, isTaken),
      delays: countMade(tape, isMessageDelay) + countMade(tape, isStorageDelay),
      tape,
    };
  }
}

function runUnless(interrupt: Interrupt, run: SeedRun): SeedResult | null {
  while (run.step()) {
    if (run.events % ASKED_EVERY === 0 && interrupt()) return null;
  }
  return run.result();
}
