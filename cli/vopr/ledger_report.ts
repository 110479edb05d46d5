/** A campaign of a ledger as a report, as `vopr run` made it when it ended. */
import { CampaignTotals, type CampaignSummary } from '../../sim/search/campaign_summary.ts';
import { counted } from '../numbers.ts';
import { type RunReport } from '../render/report.ts';
import { shardOf } from '../../sim/search/campaign.ts';
import { type LedgerCampaign } from './ledger.ts';

/** Of one that did not end, only its failures are known; what is missing says so. */
export function reportOfCampaign({ started, failures, ended }: LedgerCampaign): RunReport {
  const { scenario, seeds, shard, limits, checkDeterminism, canary, code, at } = started;
  const { count } = shardOf(seeds.first, seeds.count, shard.index, shard.shards);
  const common = { scope: { seeds, shard, limits, checkDeterminism }, canary, startedAt: at, code };
  if (ended !== null) {
    const { summary, bundles, wallSeconds, interrupted } = ended;
    const missing = interrupted ? [`interrupted after ${summary.count} of ${counted(count, 'seed')}`] : [];
    return { ...common, summary, bundles, wallSeconds, missing };
  }
  const bySeed = [...failures].sort((a, b) => a.seed - b.seed);
  const violations = bySeed.map(({ seed, invariant, message, event, virtualMicros, replicas }) => {
    return { seed, invariant, message, event, virtualMicros, replicas };
  });
  const nothing = new CampaignTotals().summary(scenario, seeds.first);
  const summary: CampaignSummary = { ...nothing, count: violations.length, violations };
  const missing = [`did not end: nothing is known of it but ${counted(violations.length, 'failure')}`];
  return { ...common, summary, bundles: bySeed.map(({ bundle }) => bundle), wallSeconds: 0, missing };
}
