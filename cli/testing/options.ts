/** What `simTest` is asked for, and which scenarios that means. */
import { type CheckerEntry } from '../../invariants/invariant.ts';
import { SCENARIOS } from '../../scenarios/registry.ts';
import { scenarioOf, type OwnScenario, type OwnSystem } from '../../sim/define_system.ts';
import { type Plan, type ScenarioOptions } from '../../sim/plan.ts';
import { unknownName } from '../unknown_name.ts';
import { UsageError } from '../usage_error.ts';
import { INLINE } from '../vopr/catalogue.ts';

/** Of one's own system an `OwnScenario`, of Kimberlite `ScenarioOptions`. */
export type InlineScenario = OwnScenario | ScenarioOptions;

export interface SimTestOptions {
  /** What is simulated. Left out: Kimberlite. */
  readonly system?: OwnSystem;
  /** By name, or inline. Left out: all of the system's, one after another. */
  readonly scenario?: string | InlineScenario;
  /** This run instead of seeds of a scenario (`planOf`): it passes unless a checker speaks. */
  readonly plan?: Plan;
  /** How many consecutive seeds of each scenario. Default 20. `VOPR_SEEDS` overrules it. */
  readonly seeds?: number;
  /** The first of them: a whole number, or any text. Default 1. `VOPR_SEED` pins one seed. */
  readonly from?: number | string;
  /** Plants this bug: the test fails when a checker finds it. `VOPR_CANARY` overrules it. */
  readonly canary?: string;
  /** Beside those of the system; each must have compared something. Not with `jobs`. */
  readonly checkers?: readonly CheckerEntry[];
  /**
   * On a violation, spend so many seconds on making it smaller: its story goes into the message, its
   * bundle beside the first. Default 0. Not for what one of `checkers` finds.
   */
  readonly minimizeSeconds?: number;
  /** Where failing runs are written. Default `.vopr/bundles`. Null: nowhere. */
  readonly bundleDir?: string | null;
  /** No further seed begins after so many seconds; at least one has run. Default: no limit. */
  readonly seconds?: number;
  /**
   * Threads. Default 1: the test's own. With more, scenarios go by name, and one's own system says
   * its `module`.
   */
  readonly jobs?: number;
}

/** Throws UsageError for options that contradict each other. */
export function checkOptions(options: SimTestOptions): void {
  const { plan, scenario, seeds, from, checkers = [], jobs = 1, system } = options;
  if (plan !== undefined && (scenario ?? seeds ?? from) !== undefined) {
    throw new UsageError('simTest: a plan is one run; leave out scenario, seeds and from');
  }
  if (!Number.isInteger(jobs) || jobs < 1) throw new UsageError(`simTest: ${jobs} jobs: give a whole number`);
  if (jobs === 1) return;
  if (checkers.length > 0 || typeof scenario === 'object' || plan !== undefined) {
    throw new UsageError('simTest: plans, inline scenarios and checkers stay on one thread; leave out jobs');
  }
  if (system !== undefined && system.module === null) {
    throw new UsageError(
      `simTest: threads cannot load system "${system.name}": give defineSystem its module, import.meta.url`,
    );
  }
}

/** Throws UsageError for a name that the system has not. */
export function scenariosWanted({ system, scenario, checkers = [] }: SimTestOptions): ScenarioOptions[] {
  const ids = checkers.map(({ id }) => id);
  return scenariosNamed(system, scenario).map((one) => ({
    ...one,
    invariants: [...(one.invariants ?? []), ...ids],
  }));
}

function scenariosNamed(
  system: OwnSystem | undefined,
  scenario: string | InlineScenario | undefined,
): readonly ScenarioOptions[] {
  const known: readonly ScenarioOptions[] = system?.scenarios ?? SCENARIOS;
  if (scenario === undefined) return known;
  if (typeof scenario === 'string') {
    const wanted = scenario.replaceAll('-', '_');
    const found = known.find(({ name }) => name.replaceAll('-', '_') === wanted);
    if (found !== undefined) return [found];
    throw new UsageError(unknownName('scenario', scenario, known.map(({ name }) => name), 'vopr scenarios'));
  }
  if (known.includes(scenario as ScenarioOptions)) return [scenario as ScenarioOptions];
  const inline = { ...scenario, name: `${INLINE}${scenario.name}` };
  return [system === undefined ? (inline as ScenarioOptions) : scenarioOf(system, inline)];
}
