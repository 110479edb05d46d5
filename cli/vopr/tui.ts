/**
 * `vopr tui`: a campaign on the terminal, to be watched and held up. Exit status as of `vopr run`; a
 * campaign that was never started has failed nothing.
 */
import { type Command } from 'commander';
import { closingReport } from '../live/closing_report.ts';
import { setupOf } from '../live/campaign_setup.ts';
import { LiveCampaign } from '../live/live_campaign.ts';
import { grouped } from '../numbers.ts';
import { subcommand } from '../program.ts';
import { UsageError, type ExitStatus } from '../usage_error.ts';
import { addCampaignOptions, chosenCampaigns, type CampaignOptions } from './campaign_options.ts';
import { statusOf } from './run.ts';

export function addTuiCommand(program: Command, setStatus: (status: ExitStatus) => void): void {
  const command = subcommand(program, 'tui', 'run a campaign on the terminal: progress, failures, coverage', [
    'vopr tui combined --seeds 1000 --keep-going',
    'vopr tui --canary quorum-too-small',
  ]);
  addCampaignOptions(command).action(async (names: string[], options: CampaignOptions) => {
    setStatus(await tui(names, options));
  });
}

async function tui(names: readonly string[], options: CampaignOptions): Promise<ExitStatus> {
  const chosen = chosenCampaigns(names, options);
  refuseWithoutTerminal(names, options);
  // React looks at it when it is loaded; its other build is slower, and keeps what it measures.
  process.env['NODE_ENV'] ??= 'production';
  const { runScreen } = await import('../tui/screen.ts');
  const campaign = new LiveCampaign(chosen);
  const setup = setupOf(chosen);
  try {
    await runScreen(campaign, setup);
  } finally {
    await campaign.close();
  }
  process.stdout.write(closingReport(campaign, setup));
  if (campaign.interrupted) {
    throw new UsageError(`interrupted after ${grouped(campaign.model.sum('taken'))} seeds`);
  }
  return statusOf(campaign.reports);
}

function refuseWithoutTerminal(names: readonly string[], options: CampaignOptions): void {
  const without = !process.stdin.isTTY ? 'input' : !process.stdout.isTTY ? 'output' : null;
  const dumb = process.env['TERM'] === 'dumb';
  if (without === null && !dumb) return;
  const what = options.all === true ? '--all' : names.length > 0 ? names.join(' ') : '<scenario>';
  throw new UsageError(
    `vopr tui needs a terminal, and ${dumb ? 'TERM is "dumb"' : `standard ${without} is none`}: ` +
      `use \`vopr run ${what}\` instead`,
  );
}
