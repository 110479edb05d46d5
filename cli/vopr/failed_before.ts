/**
 * Which seeds to run before the others: those that the ledger knows to have failed, whatever the
 * code was, and that have not passed on this very commit since. Only the order of a campaign depends
 * on it, never its summary.
 */
import { positionOf, shardOf } from '../../sim/search/campaign.ts';
import { type CampaignRequest } from './campaign_run.ts';
import { type Ledger, type LedgerCampaign } from './ledger.ts';
import { type CampaignStarted } from './ledger_line.ts';

/** A list to be looked through for every seed of the campaign must stay short. */
const SEEDS_MAX = 256;

/** The latest failures first. */
export function failedBefore(
  ledger: Ledger,
  request: Pick<CampaignRequest, 'scenario' | 'canary' | 'code' | 'limits'>,
): number[] {
  /** In the order in which they failed last. */
  const failed = new Set<number>();
  for (const campaign of ledger.campaigns) {
    if (campaign.started.scenario !== request.scenario) continue;
    if (campaign.started.code.module !== request.code.module) continue;
    if (campaign.started.canary?.name !== request.canary?.name) continue;
    if (campaign.started.code.module !== request.code.module) continue; // Of another system.
    if (failed.size > 0 && isSameCode(campaign.started, request)) {
      for (const seed of seedsPassed(campaign, failed)) failed.delete(seed);
    }
    for (const { seed } of campaign.failures) {
      failed.delete(seed);
      failed.add(seed);
    }
  }
  return [...failed].reverse().slice(0, SEEDS_MAX);
}

/** Uncommitted changes, or a commit that nobody knows, are never the same code. */
function isSameCode(
  started: CampaignStarted,
  { code, limits }: Pick<CampaignRequest, 'code' | 'limits'>,
): boolean {
  const known = /^[0-9a-f]+$/.test(code.commit);
  return known && started.code.commit === code.commit && started.code.version === code.version &&
    started.limits.events === limits.events && started.limits.micros === limits.micros;
}

/** Of `candidates`, those that this campaign ran and that neither failed nor were vacuous. */
function seedsPassed({ started, ended }: LedgerCampaign, candidates: ReadonlySet<number>): number[] {
  if (ended === null) return [];
  const { seeds, shard, early } = started;
  const range = { ...shardOf(seeds.first, seeds.count, shard.index, shard.shards), early };
  const bad = new Set([...ended.summary.violations.map(({ seed }) => seed), ...ended.summary.vacuous]);
  return [...candidates].filter((seed) => {
    const position = positionOf(range, seed);
    return position !== null && position < ended.summary.count && !bad.has(seed);
  });
}
