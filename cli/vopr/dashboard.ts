/**
 * `vopr dashboard`: a page on this machine that shows a campaign while it runs, or a ledger. Exit
 * status as of `vopr run`; of a ledger 0.
 */
import { Option, type Command } from 'commander';
import { LedgerFollower } from '../dashboard/ledger_follower.ts';
import { serveDashboard } from '../dashboard/server.ts';
import { CampaignSource, LedgerSource } from '../dashboard/sources.ts';
import { closingReport } from '../live/closing_report.ts';
import { setupOf } from '../live/campaign_setup.ts';
import { LiveCampaign } from '../live/live_campaign.ts';
import { grouped, wholeNumber } from '../numbers.ts';
import { subcommand } from '../program.ts';
import { EXIT, UsageError, type ExitStatus } from '../usage_error.ts';
import { addCampaignOptions, chosenCampaigns, type CampaignOptions } from './campaign_options.ts';
import { LEDGER_FILE } from './ledger.ts';
import { statusOf } from './run.ts';

const PORT_DEFAULT = 8080;
const POLL_MILLISECONDS = 1000;

interface DashboardOptions extends CampaignOptions {
  readonly port: number;
}

export function addDashboardCommand(program: Command, setStatus: (status: ExitStatus) => void): void {
  const command = subcommand(program, 'dashboard', 'a page that shows a running campaign, or a ledger', [
    'vopr dashboard combined --seeds 1000 --keep-going',
    'vopr dashboard --ledger .vopr/ledger.jsonl --port 0',
  ]);
  addCampaignOptions(command)
    .addOption(
      new Option('--port <port>', 'on the loopback address; 0: any that is free')
        .argParser(wholeNumber(0, 65_535))
        .default(PORT_DEFAULT),
    )
    .addHelpText('after', '\nWithout a scenario nothing is run: the page follows the ledger. Ctrl-C ends it.')
    .action(async (names: string[], options: DashboardOptions) => {
      const campaign = names.length > 0 || options.all === true || options.canary !== undefined;
      setStatus(campaign ? await showCampaign(names, options) : await showLedger(options));
    });
}

async function showCampaign(names: readonly string[], options: DashboardOptions): Promise<ExitStatus> {
  const chosen = chosenCampaigns(names, options);
  const campaign = new LiveCampaign(chosen);
  const setup = setupOf(chosen);
  const dashboard = await serveDashboard(new CampaignSource(campaign, setup), options.port);
  const interrupt = interrupted();
  try {
    tell(`${setup.scenarios.join(', ')}: ${dashboard.url}  (Ctrl-C ends it)`);
    campaign.start();
    await Promise.race([campaign.round, campaign.failed, interrupt]);
    if (campaign.model.state.name === 'Completed') {
      process.stdout.write(closingReport(campaign, setup));
      tell(`the campaign has ended, the page stays: ${dashboard.url}`);
      await Promise.race([interrupt, campaign.failed]);
    }
  } finally {
    await campaign.close();
    await dashboard.close();
  }
  if (campaign.interrupted) {
    process.stdout.write(closingReport(campaign, setup));
    throw new UsageError(`interrupted after ${grouped(campaign.model.sum('taken'))} seeds`);
  }
  return statusOf(campaign.reports);
}

async function showLedger({ ledger, port }: DashboardOptions): Promise<ExitStatus> {
  if (ledger === false) {
    throw new UsageError('nothing to show: name a scenario, or a ledger without --no-ledger');
  }
  const follower = new LedgerFollower(ledger);
  if (!follower.poll() && ledger !== LEDGER_FILE) {
    throw new UsageError(`Cannot read the ledger "${ledger}": there is no such file`);
  }
  const source = new LedgerSource(follower);
  const dashboard = await serveDashboard(source, port);
  const broken = Promise.withResolvers<never>();
  const timer = setInterval(() => {
    try {
      source.poll();
    } catch (error) {
      broken.reject(error);
    }
  }, POLL_MILLISECONDS);
  try {
    tell(`${ledger}: ${dashboard.url}  (Ctrl-C ends it)`);
    await Promise.race([interrupted(), broken.promise]);
  } finally {
    clearInterval(timer);
    await dashboard.close();
  }
  return EXIT.passed;
}

/** Resolves at the first Ctrl-C or SIGTERM; a second one ends the program at once. */
function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
}

function tell(line: string): void {
  process.stdout.write(`${line}\n`);
}
