/** One run of a `simTest`: its seeds, on this thread or on several, and the failure that ends it. */
import { encodeBundle, type BundleCode } from '../../bundles/format.ts';
import { CANARY } from '../../core/canary.ts';
import { type Canary } from '../../sim/canaries.ts';
import { KIMBERLITE } from '../../sim/kimberlite.ts';
import { makePlan, type Plan, type ScenarioOptions } from '../../sim/plan.ts';
import { Campaign, seedAt, type SeedRange } from '../../sim/search/campaign.ts';
import { type CampaignSummary, type CampaignViolation } from '../../sim/search/campaign_summary.ts';
import { recordBundle } from '../../sim/search/record_bundle.ts';
import { WorldPlaces } from '../../sim/search/run_seed.ts';
import { NO_LIMITS, type SeedResult } from '../../sim/search/seed_result.ts';
import { runToEnd } from '../../sim/search/seed_run.ts';
import { type System } from '../../sim/system.ts';
import { canaryOf, registerSystem } from '../../sim/system_registry.ts';
import { bundleCommand } from '../render/commands.ts';
import { type CanaryInfo, type ViolationContext } from '../render/report.ts';
import { codeVersion } from '../version.ts';
import { bundleFileName, writeBundle } from '../vopr/bundle_file.ts';
import { runCampaign } from '../vopr/campaign_run.ts';
import { moduleAsTyped } from '../vopr/own_system.ts';
import { SeedWorkers } from '../vopr/workers.ts';
import { minimised } from './minimised.ts';
import { checkOptions, scenariosWanted, type SimTestOptions } from './options.ts';
import { seedsWanted } from './seeds_wanted.ts';
import { vacuousFailure, violationFailure, type SimTestReport } from './simulation_failure.ts';

/** The test's thread is let go after this long, for the runner's timeouts and its other work. */
const HOLD_MILLIS = 50;
const BUNDLE_DIRECTORY = '.vopr/bundles';

const places = new WorldPlaces();

export class SimulatedTest {
  readonly #options: SimTestOptions;
  readonly #system: System;
  readonly #canary: Canary | null;
  readonly #site: string;
  readonly #endsAt: number;
  #heldSince = performance.now();

  /** `site`: stack of whoever defined the test. Throws UsageError. */
  constructor(options: SimTestOptions, site: string) {
    checkOptions(options);
    this.#options = options;
    this.#system = options.system ?? KIMBERLITE;
    // Before the names are looked up: a system may have been defined anew.
    if (options.system !== undefined) registerSystem(options.system);
    this.#canary = canaryOf(this.#system, process.env['VOPR_CANARY'] || (options.canary ?? null));
    this.#site = site;
    this.#endsAt = performance.now() + (options.seconds ?? Infinity) * 1000;
  }

  /** Throws `SimulationFailure`. */
  async run(): Promise<SimTestReport> {
    const { plan, jobs = 1 } = this.#options;
    if (plan !== undefined) return { campaigns: [this.#judged(await this.#runPlan(plan))] };
    const seeds = seedsWanted(this.#options, process.env);
    const campaigns: CampaignSummary[] = [];
    for (const scenario of scenariosWanted(this.#options)) {
      const summary = jobs > 1
        ? await this.#runOnThreads(scenario, seeds, jobs)
        : await this.#runHere(scenario, seeds);
      campaigns.push(this.#judged(summary));
    }
    return { campaigns };
  }

  /** Gates do not count: the plan says itself what happens. Checkers that it names must have compared. */
  async #runPlan(plan: Plan): Promise<CampaignSummary> {
    const result = this.#simulate({ ...plan, gates: [] });
    if (result.violation !== null) throw await this.#violated(plan, [plan.replicaCount], result);
    const seed = Number.isSafeInteger(result.seed) ? result.seed : 0; // A text stands in the plan.
    const seeds = { first: seed, stride: 1, count: 1 };
    const campaign = new Campaign({ scenario: plan.scenario, seeds, keepGoing: false });
    campaign.add(0, { ...result, seed }, () => {});
    return campaign.summary();
  }

  async #runHere(scenario: ScenarioOptions, seeds: SeedRange): Promise<CampaignSummary> {
    const campaign = new Campaign({ scenario: scenario.name, seeds, keepGoing: false });
    for (let position = 0; position < seeds.count; position++) {
      if (position > 0 && performance.now() > this.#endsAt) break;
      const plan = makePlan(scenario, seedAt(seeds, position));
      const result = this.#simulate(plan);
      if (result.violation !== null) throw await this.#violated(plan, scenario.replicas, result);
      campaign.add(position, result, () => {});
      await this.#letGo();
    }
    return campaign.summary();
  }

  async #letGo(): Promise<void> {
    if (performance.now() - this.#heldSince < HOLD_MILLIS) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.#heldSince = performance.now();
  }

  #simulate(plan: Plan): SeedResult {
    const { checkers = [] } = this.#options;
    return runToEnd(places.start({
      plan,
      canary: this.#canary?.id ?? CANARY.none,
      limits: NO_LIMITS,
      checkers: [...this.#system.checkers, ...checkers],
    }));
  }

  async #runOnThreads(scenario: ScenarioOptions, seeds: SeedRange, jobs: number): Promise<CampaignSummary> {
    const { system, bundleDir = BUNDLE_DIRECTORY } = this.#options;
    const workers = new SeedWorkers(Math.min(jobs, seeds.count), system?.module ?? null);
    const failed: { readonly violation: CampaignViolation; readonly context: ViolationContext }[] = [];
    try {
      const { running, report } = runCampaign(
        workers,
        {
          scenario: scenario.name,
          seeds,
          shard: { index: 1, shards: 1 },
          early: [],
          canary: this.#canaryInfo(),
          limits: NO_LIMITS,
          checkDeterminism: false,
          keepGoing: false,
          jobs,
          code: this.#code(),
          bundleDirectory: bundleDir,
          ledger: null,
        },
        {
          started() {},
          seedTaken() {},
          violated: (violation, context) => void failed.push({ violation, context }),
          finished() {},
        },
      );
      const left = this.#endsAt - performance.now();
      const timer = left === Infinity ? undefined : setTimeout(() => running.stop(), Math.max(0, left));
      const { summary } = await report;
      clearTimeout(timer);
      const [first] = failed;
      if (first === undefined) return summary;
      const { violation, context } = first;
      const plan = makePlan(scenario, violation.seed);
      throw this.#failure(violation, context, await this.#smaller(plan, scenario.replicas, violation));
    } finally {
      await workers.close();
    }
  }

  // --- What fails ---

  #judged(summary: CampaignSummary): CampaignSummary {
    const unreached = this.#canary !== null && summary.canaryReached === 0;
    if (unreached || summary.vacuous.length > 0) throw vacuousFailure(summary, this.#canary, this.#site);
    return summary;
  }

  async #violated(plan: Plan, replicas: readonly number[], result: SeedResult): Promise<Error> {
    const { seed, violation: found } = result;
    if (found === null) throw new Error('simTest: no violation');
    const violation = { seed, ...found };
    const bundle = this.#writeBundle(plan, violation, '');
    const { scenario } = plan;
    const context = { scenario, canary: this.#canaryInfo(), bundle, code: this.#code() };
    return this.#failure(violation, context, await this.#smaller(plan, replicas, violation));
  }

  #failure(violation: CampaignViolation, context: ViolationContext, smaller: string | null): Error {
    const here = this.#options.plan === undefined ? `VOPR_SEED=${violation.seed} runs this seed alone` : null;
    return violationFailure(violation, context, { here, smaller }, this.#site);
  }

  /** The story of the smallest plan that was found, and how to replay it; null: nobody asked. */
  async #smaller(
    plan: Plan,
    replicas: readonly number[],
    violation: CampaignViolation,
  ): Promise<string | null> {
    const { minimizeSeconds: seconds = 0 } = this.#options;
    if (seconds <= 0 || this.#isOwnChecker(violation)) return null;
    const canary = this.#canary;
    const letGo = (): Promise<void> => this.#letGo();
    const found = await minimised({ plan, violation, canary, replicas, seconds, places, letGo });
    if (found === null) return null;
    const bundle = this.#writeBundle(found.plan, violation, '.min');
    const replay = bundle === null ? '' : `\n\n  replay  ${bundleCommand(bundle, this.#code())}`;
    return `${found.story.trimEnd()}${replay}`;
  }

  /** `vopr` has no such checker: it could not replay what one of the test's own has found. */
  #isOwnChecker({ invariant }: CampaignViolation): boolean {
    return this.#options.checkers?.some(({ id }) => id === invariant) === true;
  }

  #canaryInfo(): CanaryInfo | null {
    return this.#canary && { name: this.#canary.name, checker: this.#canary.caughtBy };
  }

  #code(): BundleCode {
    const { module = null } = this.#options.system ?? {};
    return { ...codeVersion(), ...(module === null ? {} : moduleAsTyped(module)) };
  }

  /** `kind`: what comes before `.kmb` in its name. */
  #writeBundle(plan: Plan, violation: CampaignViolation, kind: string): string | null {
    const { bundleDir = BUNDLE_DIRECTORY } = this.#options;
    const canary = this.#canary?.name ?? null;
    if (bundleDir === null || this.#isOwnChecker(violation)) return null;
    const { bundle } = recordBundle(places, { plan, canary, limits: NO_LIMITS, code: this.#code() });
    if (bundle === null) throw new Error(`seed ${plan.seed} of ${plan.scenario} did not fail a second time`);
    const seed = Number.isSafeInteger(violation.seed) ? violation.seed : 0;
    const name = bundleFileName(plan.scenario, seed, canary, violation.invariant);
    return writeBundle(bundleDir, name.replace(/\.kmb$/, `${kind}.kmb`), encodeBundle(bundle));
  }
}
