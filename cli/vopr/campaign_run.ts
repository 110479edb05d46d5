/**
 * One campaign from its first seed to its summary: the threads feed it, bundles and ledger are
 * written, and whoever shows it is told. `vopr run` and `vopr tui` run campaigns by this alone.
 */
import { Campaign, shardOf, withEarly } from '../../sim/search/campaign.ts';
import { signatureOf } from '../../sim/search/signature.ts';
import { type BundleCode } from '../../bundles/format.ts';
import { type CanaryInfo, type Renderer, type RunReport, type RunScope } from '../render/report.ts';
import { bundleFileName, writeBundle } from './bundle_file.ts';
import { probeNames } from './catalogue.ts';
import { newCampaignId, type LedgerFile } from './ledger.ts';
import { type SeedTask } from './seed_task.ts';
import { type RunningCampaign, type SeedWorkers } from './workers.ts';

export interface CampaignRequest extends RunScope {
  readonly scenario: string;
  /** Seeds to run before the others, as far as they are among them. */
  readonly early: readonly number[];
  readonly canary: CanaryInfo | null;
  /** False: the campaign ends with its first violation. */
  readonly keepGoing: boolean;
  readonly jobs: number;
  readonly code: BundleCode;
  /** Where violations are written. Null: nowhere. */
  readonly bundleDirectory: string | null;
  /** Null: nothing is written down. */
  readonly ledger: LedgerFile | null;
}

/** What is told of one campaign; a `Renderer` is one. */
export type CampaignWatcher = Omit<Renderer, 'ended'>;

export interface CampaignRun {
  readonly id: string;
  /** What is known so far. */
  readonly campaign: Campaign;
  /** To hold it up or end it early; `report` comes as ever. */
  readonly running: RunningCampaign;
  readonly report: Promise<RunReport>;
}

export function runCampaign(
  workers: SeedWorkers,
  request: CampaignRequest,
  watcher: CampaignWatcher,
): CampaignRun {
  const { scenario, canary, code, ledger, keepGoing } = request;
  const { first, count } = request.seeds;
  const seeds = withEarly(shardOf(first, count, request.shard.index, request.shard.shards), request.early);
  const campaign = new Campaign({ scenario, seeds, keepGoing, probes: probeNames() });
  const { limits, checkDeterminism } = request;
  const task: SeedTask = {
    scenario, seeds, canary: canary?.name ?? null, limits, checkDeterminism, bundles: true, code,
  };
  /** By seed: results come in the order in which seeds run, summaries list them by number. */
  const bundles = new Map<number, string | null>();
  const id = newCampaignId(scenario);
  const startedAt = new Date().toISOString();
  const startSeconds = performance.now() / 1000;

  const { shard, jobs } = request;
  ledger?.append(id, {
    kind: 'started', scenario, seeds: { first, count }, shard, early: seeds.early ?? [], canary, limits,
    checkDeterminism, keepGoing, jobs, code,
  });
  watcher.started(scenario, seeds.count, seeds.early ?? []);
  const running = workers.run(task, campaign, (result, bytes) => {
    if (result.violation !== null) {
      const name = bundleFileName(scenario, result.seed, canary?.name ?? null, result.violation.invariant);
      const { bundleDirectory: directory } = request;
      const bundle = bytes === null || directory === null ? null : writeBundle(directory, name, bytes);
      bundles.set(result.seed, bundle);
      const violation = { seed: result.seed, ...result.violation };
      ledger?.append(id, { kind: 'failure', ...violation, signature: signatureOf(violation), bundle });
      watcher.violated(violation, { scenario, canary, bundle, code });
    }
    watcher.seedTaken(result, campaign.taken);
  });
  const report = running.done.then((): RunReport => {
    const summary = campaign.summary();
    const wallSeconds = performance.now() / 1000 - startSeconds - running.pausedSeconds;
    const written = summary.violations.map(({ seed }) => bundles.get(seed) ?? null);
    const interrupted = !campaign.done;
    ledger?.append(id, { kind: 'ended', interrupted, summary, bundles: written, wallSeconds });
    const missing = interrupted ? [`interrupted after ${summary.count} of ${seeds.count} seeds`] : [];
    const scope = { seeds: { first, count }, shard, limits, checkDeterminism };
    const made = { scope, summary, bundles: written, canary, startedAt, wallSeconds, code, missing };
    watcher.finished(made);
    return made;
  });
  return { id, campaign, running, report };
}
