/**
 * `vopr run`: seeds of scenarios on all cores. Exit status: 0 passed, 1 violation, 2 usage or
 * operating error, 3 vacuous.
 */
import { type Command } from 'commander';
import { grouped } from '../numbers.ts';
import { subcommand } from '../program.ts';
import { worstOutcome, type RunOutcome, type RunReport } from '../render/report.ts';
import { EXIT, UsageError, type ExitStatus } from '../usage_error.ts';
import { addCampaignOptions, chosenCampaigns, type CampaignOptions } from './campaign_options.ts';
import { runCampaign } from './campaign_run.ts';
import { failedBefore } from './failed_before.ts';
import { addOutputOptions, openReporters, type OutputOptions } from './reporters.ts';
import { SeedWorkers } from './workers.ts';

/** Ctrl-C, and what a machine says before it is taken away: what is known is reported. */
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

interface RunOptions extends CampaignOptions, OutputOptions {}

export function addRunCommand(program: Command, setStatus: (status: ExitStatus) => void): void {
  const command = subcommand(program, 'run', 'simulate seeds of one or more scenarios', [
    'vopr run combined --seeds 1000',
    'vopr run swizzle_clogging crash_recovery --seed 42 --check-determinism',
  ]);
  addOutputOptions(addCampaignOptions(command)).action(async (names: string[], options: RunOptions) => {
    setStatus(await run(names, options));
  });
}

async function run(names: readonly string[], options: RunOptions): Promise<ExitStatus> {
  const { scenarios, request, past } = chosenCampaigns(names, options);
  const reporting = openReporters(options);
  const reports: RunReport[] = [];
  const workers = new SeedWorkers(request.jobs);
  let interrupted = false;
  try {
    for (const scenario of scenarios) {
      const early = past === null ? [] : failedBefore(past, { ...request, scenario });
      const started = runCampaign(workers, { ...request, scenario, early }, reporting.renderer);
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
    throw new UsageError(`interrupted after ${grouped(taken)} seeds`);
  }
  return statusOf(reports);
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
