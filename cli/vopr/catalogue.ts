/**
 * What `vopr` knows by name: scenarios, checkers, canaries; and how a name and a seed, or a bundle,
 * become a run.
 */
import { encodeBundle, type Bundle } from '../../bundles/format.ts';
import { CANARY, type CanaryId } from '../../core/canary.ts';
import { allProbes } from '../../core/probe.ts';
import { CHECKERS } from '../../invariants/registry.ts';
import { SCENARIOS } from '../../scenarios/registry.ts';
import { type Scenario } from '../../scenarios/scenario.ts';
import { type CheckerEntry } from '../../invariants/invariant.ts';
import { CANARIES, type Canary } from '../../sim/canaries.ts';
import { makePlan } from '../../sim/plan.ts';
import { planFrom, planProblem } from '../../sim/plan_check.ts';
import { isExplorePlan } from '../../sim/search/explore/explore_plan.ts';
import { recordBundle, type BundleRequest } from '../../sim/search/record_bundle.ts';
import { type BundleRuns } from '../../sim/search/replay_bundle.ts';
import { WorldPlaces } from '../../sim/search/run_seed.ts';
import { type SeedLimits, type SeedResult } from '../../sim/search/seed_result.ts';
import { type SeedRun } from '../../sim/search/seed_run.ts';
import { type World } from '../../sim/world.ts';
import { unknownName } from '../unknown_name.ts';
import { UsageError } from '../usage_error.ts';
import { ownSystem } from './own_system.ts';

export function scenarios(): readonly Scenario[] {
  return ownSystem()?.scenarios ?? SCENARIOS;
}

export function checkers(): readonly CheckerEntry[] {
  return ownSystem()?.checkers ?? CHECKERS;
}

export function canaries(): readonly Canary[] {
  return ownSystem()?.canaries ?? CANARIES;
}

export function scenarioNames(): readonly string[] {
  return scenarios().map(({ name }) => name);
}

/** Kebab-case is accepted for snake_case, and the other way round. */
export function findScenario(name: string): Scenario {
  return named('scenario', name, scenarios());
}

/**
 * Of a bundle: throws UsageError when it names a scenario that this version has not. Runs from tests
 * may be of no scenario: plans by hand are `plain`, scenarios written in a test `inline_...`.
 */
export function requireScenario(name: string): void {
  if (name !== 'plain' && !name.startsWith(INLINE)) findScenario(name);
}

export const INLINE = 'inline_';

export function findCanary(name: string): Canary {
  return named('canary', name, canaries());
}

function named<T extends { readonly name: string }>(kind: string, name: string, all: readonly T[]): T {
  const wanted = name.replaceAll('-', '_');
  const found = all.find((candidate) => candidate.name.replaceAll('-', '_') === wanted);
  if (found !== undefined) return found;
  const plural = kind === 'canary' ? 'canaries' : `${kind}s`;
  throw new UsageError(unknownName(kind, name, all.map((candidate) => candidate.name), `vopr ${plural}`));
}

// --- Runs ---

const places = new WorldPlaces();

export interface SeedRequest {
  readonly scenario: Scenario;
  readonly seed: number;
  readonly canary: Canary | null;
  readonly limits: SeedLimits;
}

/** At most one run stands in each place; a second one in it ends the first. */
export function startRun(request: SeedRequest, place = 0): SeedRun {
  return worldOfSeed(request, place);
}

/** The same run as what it is: a world, which can be watched. */
export function worldOfSeed({ scenario, seed, canary, limits }: SeedRequest, place = 0): World {
  const plan = makePlan(scenario, seed);
  return places.start({ plan, canary: canary?.id ?? CANARY.none, limits }, place);
}

/** Runs the plan again, in the first place, and encodes its bundle; null when it did not fail. */
export function recordRun(request: BundleRequest): { result: SeedResult; bytes: Uint8Array | null } {
  const { result, bundle } = recordBundle(places, request);
  return { result, bytes: bundle === null ? null : encodeBundle(bundle) };
}

/**
 * What it takes to run a bundle again and again. `name` is what messages call it. Throws UsageError
 * when its scenario, canary or plan is none of ours.
 */
export function runsOf(bundle: Bundle, name = 'the bundle'): BundleRuns {
  if (isExplorePlan(bundle.plan)) {
    throw new UsageError(
      `Cannot do that with ${name}: \`vopr explore\` found it, and it is no run of a world; ` +
        'it is as short as it goes, and `vopr repro -vv` tells it action by action',
    );
  }
  let canary: CanaryId = CANARY.none;
  try {
    requireScenario(bundle.scenario);
    if (bundle.canary !== null) canary = findCanary(bundle.canary).id;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`Cannot replay ${name}: ${error.message}`, { cause: error });
  }
  const problem = planProblem(bundle.plan);
  if (problem !== null) {
    throw new UsageError(`Cannot replay ${name}: ${problem}; it was not written by \`vopr run\``);
  }
  const { limits } = bundle;
  return {
    bundle,
    plan: planFrom(bundle.plan),
    start: (plan, recordDecisions, place) => {
      return places.start({ plan, canary, limits, recordDecisions }, place);
    },
  };
}

/** From the bundle's own plan. Throws UsageError when that is none. */
export function startBundle(bundle: Bundle, place = 0): SeedRun {
  return worldOfBundle(bundle, place);
}

export function worldOfBundle(bundle: Bundle, place = 0): World {
  const { start, plan } = runsOf(bundle);
  return start(plan, false, place);
}

// --- Lists ---

export interface ScenarioRow {
  readonly name: string;
  readonly category: string;
  readonly summary: string;
  readonly replicas: readonly number[];
  /** What must have happened, in words. */
  readonly gates: readonly string[];
  readonly invariants: readonly string[];
}

export function scenarioRows(): readonly ScenarioRow[] {
  return scenarios().map(({ name, category, summary, replicas, gates, invariants }) => ({
    name,
    category,
    summary,
    replicas: [...new Set(replicas)].sort((a, b) => a - b),
    gates: gates.map(({ counter, min, max, sharePpm }) => {
      const bounds = [min === undefined ? '' : ` >= ${min}`, max === undefined ? '' : ` <= ${max}`];
      const share = sharePpm === undefined ? '' : ` in ${sharePpm / 10_000} % of the seeds`;
      return `${counter}${bounds.join('')}${share}`;
    }),
    invariants,
  }));
}

export interface InvariantRow {
  readonly name: string;
  readonly claim: string;
  /** Scenarios that require it to have compared something. */
  readonly scenarios: readonly string[];
}

export function invariantRows(): readonly InvariantRow[] {
  return checkers().map(({ id, claim }) => ({
    name: id,
    claim,
    scenarios: scenarios().filter(({ invariants }) => invariants.includes(id)).map(({ name }) => name),
  }));
}

/** All that the simulated code declares: importing it has defined them. */
export function probeNames(): readonly string[] {
  return ownSystem()?.probes ?? allProbes().map(({ name }) => name);
}

export interface CanaryRow {
  readonly name: string;
  readonly bug: string;
  readonly caught_by: string;
  readonly scenario: string;
  readonly seeds: number;
}

export function canaryRows(): readonly CanaryRow[] {
  return canaries().map(({ name, bug, caughtBy, scenario, seeds }) => ({
    name,
    bug,
    caught_by: caughtBy,
    scenario,
    seeds,
  }));
}
