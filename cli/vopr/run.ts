/**
 * `vopr run`: seeds of scenarios on all cores. Exit status: 0 passed, 1 violation, 2 usage or
 * operating error, 3 vacuous.
 */
import { type Command } from 'commander';
import { grouped } from '../numbers.ts';
import { subcommand } from '../program.ts';
import { worstOutcome, type RunOutcome, type RunReport } from '../render/report.ts';
import { EXIT, UsageError, type ExitStatus } from '../usage_error.ts';
import {
  addCampaignOptions,
  chosenCampaigns,
  type CampaignOptions,
  type ChosenCampaigns,
} from './campaign_options.ts';
import { runCampaign, type CampaignRequest } from './campaign_run.ts';
import { failedBefore } from './failed_before.ts';
import { addOutputOptions, openReporters, type OutputOptions } from './reporters.ts';
import { SeedWorkers } from './workers.ts';

/** Ctrl-C, and what a machine says before it is taken away: what is known is reported. */
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

interface RunOptions extends CampaignOptions, OutputOptions {
  readonly failed?: true;
}

export function addRunCommand(program: Command, setStatus: (status: ExitStatus) => void): void {
  const command = subcommand(program, 'run', 'simulate seeds of one or more scenarios', [
    'vopr run combined --seeds 1000',
    'vopr run swizzle_clogging crash_recovery --seed 42 --check-determinism',
  ]);
  addCampaignOptions(command)
    .option('--failed', 'only seeds that failed before and have not passed on this commit since');
  addOutputOptions(command).action(async (names: string[], options: RunOptions) => {
    setStatus(await run(names, options));
  });
}

async function run(names: readonly string[], options: RunOptions): Promise<ExitStatus> {
  const { request, campaigns } = campaignsOf(names, options);
  const reporting = openReporters(options);
  const reports: RunReport[] = [];
  const workers = new SeedWorkers(request.jobs);
  let interrupted = false;
  try {
    for (const campaign of campaigns) {
      const started = runCampaign(workers, { ...request, ...campaign }, reporting.renderer);
      const onInterrupt = (): void => {
        interrupted = true;
        started.running.stop();
      };
      for (const signal of SIGNALS) process.once(signal, onInterrupt);
      const report = await started.report;
      for (const signal of SIGNALS) process.removeListener(signal, onInterrupt);
      reports.push(report);
      if (interrupted) break;
      if (report.summary.violations.length > 0 && !request.keepGoing) break;
    }
  } finally {
    await workers.close();
    request.ledger?.close();
  }
  reporting.renderer.ended(reports);
  reporting.close();
  if (interrupted) {
    const taken = reports.reduce((sum, { summary }) => sum + summary.count, 0);
    const message = `interrupted after ${grouped(taken)} seeds`;
    // What was found is found, whoever ended the search for more.
    if (reports.every(({ summary }) => summary.violations.length === 0)) throw new UsageError(message);
    process.stderr.write(`vopr: ${message}\n`);
    return EXIT.violation;
  }
  return statusOf(reports);
}

type CampaignChoice = Pick<CampaignRequest, 'scenario' | 'seeds' | 'early'>;

/** In the order in which they run: one a scenario, or, of seeds that failed before, one a seed. */
function campaignsOf(
  names: readonly string[],
  options: RunOptions,
): { request: ChosenCampaigns['request']; campaigns: readonly CampaignChoice[] } {
  const { failed, ...rest } = options;
  if (failed === true) requireNothingElse(options);
  const everything = failed === true && names.length === 0 && options.canary === undefined;
  const { scenarios, request, past } = chosenCampaigns(names, everything ? { ...rest, all: true } : rest);
  const campaigns = scenarios.flatMap((scenario): CampaignChoice[] => {
    const early = past === null ? [] : failedBefore(past, { ...request, scenario });
    if (failed !== true) return [{ scenario, seeds: request.seeds, early }];
    return early.map((seed) => ({ scenario, seeds: { first: seed, count: 1 }, early: [] }));
  });
  if (campaigns.length === 0) {
    const path = request.ledger?.path;
    process.stderr.write(`no seed in ${path} has failed and not passed on this commit since\n`);
  }
  return { request, campaigns };
}

function requireNothingElse(options: RunOptions): void {
  const others = (['seed', 'seeds', 'from', 'shard'] as const).filter((name) => options[name] !== undefined);
  if (options.ledger === false) throw new UsageError('--failed and --no-ledger contradict each other');
  if (others.length === 0) return;
  throw new UsageError(`--failed names its seeds itself: leave out --${others.join(' and --')}`);
}

export function statusOf(reports: readonly RunReport[]): ExitStatus {
  return STATUS[worstOutcome(reports)];
}
const STATUS: Readonly<Record<RunOutcome, ExitStatus>> = {
  passed: EXIT.passed,
  violated: EXIT.violation,
  vacuous: EXIT.vacuous,
  incomplete: EXIT.usage,
};
