/** What stays in the shell when the screen or the page is gone: as `vopr run` says it, in short. */
import { humanRenderer } from '../render/human.ts';
import { Progress } from '../render/progress.ts';
import { type CampaignSetup } from './campaign_setup.ts';
import { type LiveCampaign } from './live_campaign.ts';

/** Of many failures the first so many that differ. */
const FAILURES_TOLD = 3;

export function closingReport({ model, reports }: LiveCampaign, { canary, code }: CampaignSetup): string {
  let text = '';
  const silent = new Progress({ write: () => {} }, () => 0);
  const renderer = humanRenderer((words) => (text += words), silent, 1);
  const distinct = model.failures.filter(({ number, sameAs }) => number === sameAs);
  for (const { violation, seed, scenario, replay } of distinct.slice(0, FAILURES_TOLD)) {
    renderer.violated({ seed, ...violation }, { scenario, canary, bundle: replay.bundle, code });
  }
  for (const report of reports) renderer.finished(report);
  renderer.ended(reports);
  return text;
}
