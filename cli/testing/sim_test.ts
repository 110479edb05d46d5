/**
 * `simTest`: simulated seeds as one test of any runner that takes a function and awaits what it
 * returns.
 *
 *   test('no acknowledged write is lost', simTest({ scenario: 'combined', seeds: 200 }));
 *
 * A violation fails the test, and so does a run in which the scenario did not happen, as in
 * `vopr run`. Seeds run one after another on the test's own thread, which it lets go between them.
 */
import { encodeBundle, type BundleCode } from '../../bundles/format.ts';
import { type CheckerEntry } from '../../invariants/invariant.ts';
import { SCENARIOS } from '../../scenarios/registry.ts';
import { scenarioOf, type OwnScenario, type OwnSystem } from '../../sim/define_system.ts';
import { makePlan, type Plan, type ScenarioOptions } from '../../sim/plan.ts';
import { Campaign, seedAt, type SeedRange } from '../../sim/search/campaign.ts';
import { type CampaignSummary } from '../../sim/search/campaign_summary.ts';
import { recordBundle } from '../../sim/search/record_bundle.ts';
import { WorldPlaces } from '../../sim/search/run_seed.ts';
import { NO_LIMITS, type SeedResult } from '../../sim/search/seed_result.ts';
import { runToEnd } from '../../sim/search/seed_run.ts';
import { canaryIdOf, registerSystem, systemOf } from '../../sim/system_registry.ts';
import { counted } from '../numbers.ts';
import { violationText } from '../render/human.ts';
import { UsageError } from '../usage_error.ts';
import { codeVersion } from '../version.ts';
import { bundleFileName, writeBundle } from '../vopr/bundle_file.ts';
import { INLINE } from '../vopr/catalogue.ts';
import { moduleAsTyped } from '../vopr/own_system.ts';
import { unknownName } from '../unknown_name.ts';
import { seedsWanted } from './seeds_wanted.ts';
import { SimulationFailure, type FailureFacts, type SimTestReport } from './simulation_failure.ts';

/** The test's thread is let go after this long, for the runner's timeouts and its other work. */
const HOLD_MILLIS = 50;
const BUNDLE_DIRECTORY = '.vopr/bundles';
const SEEDS_SHOWN_MAX = 10;

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
  /** Plants this bug. The test fails when a checker finds it: that is what one does it for. */
  readonly canary?: string;
  /** Beside those of the system; each must have compared something. */
  readonly checkers?: readonly CheckerEntry[];
  /** Where failing runs are written. Default `.vopr/bundles`. Null: nowhere. */
  readonly bundleDir?: string | null;
  /** No further seed begins after so many seconds; at least one has run. Default: no limit. */
  readonly seconds?: number;
}

/**
 * The function to hand to a runner. It returns a promise that is rejected with `SimulationFailure`,
 * or with `UsageError` when the options or the environment make no sense.
 */
export function simTest(options: SimTestOptions): () => Promise<void> {
  const site = stackAbove(simTest);
  return async () => {
    await runTest(options, site);
  };
}

/** The same at once and without a runner, with what ran. */
export function simulate(options: SimTestOptions): Promise<SimTestReport> {
  return runTest(options, stackAbove(simulate));
}

async function runTest(options: SimTestOptions, site: string): Promise<SimTestReport> {
  const test = new SimulatedTest(options, site);
  return options.plan === undefined ? test.runScenarios() : test.runPlan(options.plan);
}

function stackAbove(caller: (...parameters: never[]) => unknown): string {
  const holder = { stack: '' };
  Error.captureStackTrace(holder, caller);
  return holder.stack.split('\n').slice(1).join('\n');
}

const places = new WorldPlaces();

class SimulatedTest {
  readonly #options: SimTestOptions;
  readonly #site: string;
  readonly #endsAt: number;
  #heldSince = performance.now();

  constructor(options: SimTestOptions, site: string) {
    if (options.plan !== undefined && (options.scenario ?? options.seeds ?? options.from) !== undefined) {
      throw new UsageError('simTest: a plan is one run; leave out scenario, seeds and from');
    }
    this.#options = options;
    this.#site = site;
    this.#endsAt = performance.now() + (options.seconds ?? Infinity) * 1000;
    if (options.system !== undefined) registerSystem(options.system);
  }

  async runScenarios(): Promise<SimTestReport> {
    const seeds = seedsWanted(this.#options, process.env);
    const campaigns: CampaignSummary[] = [];
    for (const scenario of scenariosOf(this.#options)) {
      campaigns.push(await this.#runSeeds(scenario, seeds));
    }
    return { campaigns };
  }

  /** Gates do not count: the plan says itself what happens. */
  async runPlan(plan: Plan): Promise<SimTestReport> {
    const campaign = new Campaign({
      scenario: plan.scenario,
      seeds: { first: Number(plan.seed), stride: 1, count: 1 },
      keepGoing: false,
    });
    const result = this.#run(plan);
    if (result.violation !== null) throw this.#violated(plan, result);
    campaign.add(0, { ...result, unmet: [], shares: [] }, () => {});
    return { campaigns: [campaign.summary()] };
  }

  async #runSeeds(scenario: ScenarioOptions, seeds: SeedRange): Promise<CampaignSummary> {
    const campaign = new Campaign({ scenario: scenario.name, seeds, keepGoing: false });
    for (let position = 0; position < seeds.count; position++) {
      if (position > 0 && performance.now() > this.#endsAt) break;
      const plan = makePlan(scenario, seedAt(seeds, position));
      const result = this.#run(plan);
      if (result.violation !== null) throw this.#violated(plan, result);
      campaign.add(position, result, () => {});
      await this.#letGo();
    }
    const summary = campaign.summary();
    if (summary.vacuous.length > 0) throw this.#vacuous(summary);
    return summary;
  }

  #run(plan: Plan): SeedResult {
    const canary = canaryIdOf(plan, this.#options.canary ?? null);
    const checkers = [...systemOf(plan).checkers, ...(this.#options.checkers ?? [])];
    return runToEnd(places.start({ plan, canary, limits: NO_LIMITS, checkers }));
  }

  async #letGo(): Promise<void> {
    if (performance.now() - this.#heldSince < HOLD_MILLIS) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.#heldSince = performance.now();
  }

  // --- What fails ---

  #violated(plan: Plan, result: SeedResult): SimulationFailure {
    const { scenario } = plan;
    const { seed, violation } = result;
    if (violation === null) throw new Error('simTest: no violation');
    const code = this.#code();
    const bundle = this.#writeBundle(plan, result, code);
    const canary = systemOf(plan).canaries.find(({ name }) => name === this.#options.canary) ?? null;
    const story = violationText(
      { seed, ...violation },
      { scenario, canary: canary && { name: canary.name, checker: canary.caughtBy }, bundle, code },
    );
    const seeds = this.#options.plan === undefined;
    const here = seeds ? `\n  here    VOPR_SEED=${plan.seed} runs this seed alone` : '';
    return this.#failure(`${story.trim()}${here}`, {
      scenario, seed, violation, unmet: result.unmet, bundle,
    });
  }

  #vacuous({ scenario, count, vacuous, unmet }: CampaignSummary): SimulationFailure {
    const shown = vacuous.slice(0, SEEDS_SHOWN_MAX).join(' ');
    const more = vacuous.length > SEEDS_SHOWN_MAX ? ' ...' : '';
    const of = `${vacuous.length} of ${counted(count, 'seed')}: ${shown}${more}`;
    const lines = [`vacuous: the scenario ${scenario} did not happen in ${of}`];
    for (const [reason, seeds] of Object.entries(unmet)) {
      lines.push(`  ${reason}: not so in ${counted(seeds, 'seed')}`);
    }
    return this.#failure(lines.join('\n'), {
      scenario,
      seed: vacuous[0] as number,
      violation: null,
      unmet: Object.keys(unmet),
      bundle: null,
    });
  }

  #failure(message: string, facts: FailureFacts): SimulationFailure {
    return new SimulationFailure(message, facts, this.#site);
  }

  #code(): BundleCode {
    const { module = null } = this.#options.system ?? {};
    return { ...codeVersion(), ...(module === null ? {} : moduleAsTyped(module)) };
  }

  /** None for what a checker of this test alone has found: `vopr` has no such checker. */
  #writeBundle(plan: Plan, { violation }: SeedResult, code: BundleCode): string | null {
    const { bundleDir = BUNDLE_DIRECTORY, canary = null, checkers = [] } = this.#options;
    if (bundleDir === null || violation === null) return null;
    if (checkers.some(({ id }) => id === violation.invariant)) return null;
    const { bundle } = recordBundle(places, { plan, canary, limits: NO_LIMITS, code });
    if (bundle === null) throw new Error(`seed ${plan.seed} of ${plan.scenario} did not fail a second time`);
    const name = bundleFileName(plan.scenario, bundle.seed, canary, violation.invariant);
    return writeBundle(bundleDir, name, encodeBundle(bundle));
  }
}

function scenariosOf({ system, scenario, checkers = [] }: SimTestOptions): readonly ScenarioOptions[] {
  const ids = checkers.map(({ id }) => id);
  return scenariosNamed(system?.scenarios ?? SCENARIOS, system, scenario).map((one) => ({
    ...one,
    invariants: [...(one.invariants ?? []), ...ids],
  }));
}

function scenariosNamed(
  known: readonly ScenarioOptions[],
  system: OwnSystem | undefined,
  scenario: string | InlineScenario | undefined,
): readonly ScenarioOptions[] {
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
