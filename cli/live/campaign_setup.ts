/** What a campaign was asked to do: what its configuration page shows. */
import { shardOf, type SeedRange } from '../../sim/search/campaign.ts';
import { type ChosenCampaigns } from '../vopr/campaign_options.ts';
import { type CampaignRequest } from '../vopr/campaign_run.ts';

export interface CampaignSetup
  extends Pick<
    CampaignRequest,
    'canary' | 'limits' | 'checkDeterminism' | 'keepGoing' | 'jobs' | 'bundleDirectory' | 'code'
  > {
  readonly scenarios: readonly string[];
  /** Those of the shard. */
  readonly seeds: SeedRange;
  /** Path of the ledger; null: none is written. */
  readonly ledger: string | null;
}

export function setupOf({ scenarios, request }: ChosenCampaigns): CampaignSetup {
  const { seeds, shard, canary, limits, checkDeterminism, keepGoing, jobs, bundleDirectory, code } = request;
  return {
    scenarios,
    seeds: shardOf(seeds.first, seeds.count, shard.index, shard.shards),
    canary,
    limits,
    checkDeterminism,
    keepGoing,
    jobs,
    bundleDirectory,
    ledger: request.ledger?.path ?? null,
    code,
  };
}
