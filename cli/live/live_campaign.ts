/**
 * A campaign that can be watched: it runs the chosen scenarios one after another on threads, as
 * `vopr run` does, and tells the model what happens. The terminal and the page look at the model.
 */
import { shardOf } from '../../sim/search/campaign.ts';
import { type SeedResult } from '../../sim/search/seed_result.ts';
import { replayCommand } from '../render/commands.ts';
import { type RunReport } from '../render/report.ts';
import { type ChosenCampaigns } from '../vopr/campaign_options.ts';
import { runCampaign } from '../vopr/campaign_run.ts';
import { failedBefore } from '../vopr/failed_before.ts';
import { SeedWorkers, type RunningCampaign } from '../vopr/workers.ts';
import { CampaignModel, type Failure, type Replay } from './campaign_model.ts';
import { declared } from './declared.ts';

export class LiveCampaign {
  readonly model: CampaignModel;
  /** Of the scenarios that have ended, in order. */
  readonly reports: RunReport[] = [];
  /** Rejects when a thread or the disk fails; never settles otherwise. */
  readonly failed: Promise<never>;
  /** Called when a seed has failed, after the model has it. */
  onFailure: (failure: Failure) => void = () => {};
  readonly #chosen: ChosenCampaigns;
  readonly #fail: (error: unknown) => void;
  /** Seeds of the rounds before this one: a round takes the seeds after them. */
  #seedsBefore = 0;
  #workers: SeedWorkers | null = null;
  #running: RunningCampaign | null = null;
  /** Resolved but during a pause. */
  #unpaused = resolved();
  #stopping = false;
  #round: Promise<void> = Promise.resolve();

  constructor(chosen: ChosenCampaigns) {
    this.#chosen = chosen;
    this.model = new CampaignModel(declared(), chosen.request.canary?.name ?? null);
    const { promise, reject } = Promise.withResolvers<never>();
    this.failed = promise;
    this.failed.catch(() => {}); // Also when nobody waits for it.
    this.#fail = reject;
  }

  /** Seconds since the process began. */
  now(): number {
    return performance.now() / 1000;
  }

  /** Begins a round: all scenarios with the seeds asked for, after those of the rounds before. */
  start(): void {
    const { name } = this.model.state;
    if (this.#stopping || name === 'Running' || name === 'Paused') return;
    this.#round = this.#runRound().catch((error: unknown) => this.#fail(error));
  }

  pause(): void {
    if (this.model.state.name !== 'Running') return;
    this.#unpaused = Promise.withResolvers<void>();
    this.#running?.pause();
    this.model.apply({ at: this.now(), kind: 'paused' });
  }

  resume(): void {
    if (this.model.state.name !== 'Paused') return;
    this.model.apply({ at: this.now(), kind: 'resumed' });
    this.#running?.resume();
    this.#unpaused.resolve();
  }

  /** Seeds that were begun and are not over. */
  get inFlight(): number {
    return this.#running?.inFlight ?? 0;
  }

  /** True when `close` came before the round was over. */
  interrupted = false;

  /** When the round that runs now is over. */
  get round(): Promise<void> {
    return this.#round;
  }

  /** Ends what runs, and the threads. */
  async close(): Promise<void> {
    const { name } = this.model.state;
    this.interrupted ||= name === 'Running' || name === 'Paused';
    this.#stopping = true;
    this.#running?.stop();
    this.#unpaused.resolve();
    await Promise.race([this.#round, this.failed.catch(() => {})]);
    await this.#workers?.close();
    this.#chosen.request.ledger?.close();
  }

  async #runRound(): Promise<void> {
    const { scenarios, request } = this.#chosen;
    const { seeds: asked, shard } = request;
    const { count } = asked;
    const seeds = { count, first: asked.first + this.#seedsBefore };
    this.#seedsBefore += count;
    const ofShard = shardOf(seeds.first, count, shard.index, shard.shards).count;
    const planned = scenarios.map((name) => ({ name, seeds: ofShard }));
    this.model.apply({ at: this.now(), kind: 'started', scenarios: planned });
    this.#workers ??= new SeedWorkers(request.jobs);
    let why: 'all seeds' | 'violation' | 'stopped' = 'all seeds';
    for (const scenario of scenarios) {
      while (this.model.state.name === 'Paused' && !this.#stopping) await this.#unpaused.promise;
      if (this.#stopping) why = 'stopped';
      if (why !== 'all seeds') break;
      const report = await this.#runScenario(this.#workers, scenario, seeds);
      this.reports.push(report);
      if (this.#stopping) why = 'stopped';
      else if (report.summary.violations.length > 0 && !request.keepGoing) why = 'violation';
      if (why !== 'all seeds') break;
    }
    this.model.apply({ at: this.now(), kind: 'completed', why });
  }

  async #runScenario(
    workers: SeedWorkers,
    scenario: string,
    seeds: { readonly first: number; readonly count: number },
  ): Promise<RunReport> {
    const { request, past } = this.#chosen;
    const early = past === null ? [] : failedBefore(past, { ...request, scenario });
    this.model.apply({ at: this.now(), kind: 'scenario started', scenario });
    const { canary, code } = request;
    const report = { scope: { ...request, seeds }, canary, code, summary: { scenario } };
    let replay: Replay | null = null;
    const started = runCampaign(workers, { ...request, seeds, scenario, early }, {
      started: () => {},
      violated: (violation, { bundle }) => {
        replay = { bundle, command: replayCommand({ report, violation, bundle }) };
      },
      seedTaken: (result) => {
        this.#taken(scenario, result, replay);
        replay = null;
      },
      finished: () => {},
    });
    this.#running = started.running;
    const made = await started.report;
    this.#running = null;
    this.model.apply({ at: this.now(), kind: 'scenario ended', scenario, summary: made.summary });
    return made;
  }

  #taken(scenario: string, result: SeedResult, replay: Replay | null): void {
    const before = this.model.failures.length;
    this.model.apply({ at: this.now(), kind: 'seed taken', scenario, result, replay });
    const failure = this.model.failures[before];
    if (failure !== undefined) this.onFailure(failure);
  }
}

function resolved(): PromiseWithResolvers<void> {
  const settled = Promise.withResolvers<void>();
  settled.resolve();
  return settled;
}
