/**
 * `vopr run`: seeds of scenarios on all cores. Exit status: 0 passed, 1 violation, 2 usage or
 * operating error, 3 vacuous.
 */
import { Option, type Command } from 'commander';
import { grouped } from '../numbers.ts';
import { subcommand } from '../program.ts';
import { compactRenderer } from '../render/compact.ts';
import { humanRenderer } from '../render/human.ts';
import { jsonRenderer } from '../render/json.ts';
import { Progress } from '../render/progress.ts';
import { type Renderer, type RunReport, type Verbosity } from '../render/report.ts';
import { EXIT, UsageError, type ExitStatus } from '../usage_error.ts';
import { addCampaignOptions, chosenCampaigns, type CampaignOptions } from './campaign_options.ts';
import { runCampaign } from './campaign_run.ts';
import { failedBefore } from './failed_before.ts';
import { SeedWorkers } from './workers.ts';

interface RunOptions extends CampaignOptions {
  readonly format: 'human' | 'json' | 'compact';
  readonly quiet?: true;
  readonly verbose: number;
}

export function addRunCommand(program: Command, setStatus: (status: ExitStatus) => void): void {
  const command = subcommand(program, 'run', 'simulate seeds of one or more scenarios', [
    'vopr run combined --seeds 1000',
    'vopr run swizzle_clogging crash_recovery --seed 42 --check-determinism',
  ]);
  addCampaignOptions(command)
    .addOption(
      new Option('--format <format>', 'of standard output')
        .choices(['human', 'json', 'compact'])
        .default('human'),
    )
    .option('-q, --quiet', 'only what is wrong')
    .option(
      '-v, --verbose',
      'counters of each scenario; -vv also a line a seed',
      (_, count: number) => count + 1,
      0,
    )
    .action(async (names: string[], options: RunOptions) => setStatus(await run(names, options)));
}

async function run(names: readonly string[], options: RunOptions): Promise<ExitStatus> {
  if (options.quiet === true && options.verbose > 0) {
    throw new UsageError('--quiet and --verbose contradict each other: give one of them');
  }
  const { scenarios, request, past } = chosenCampaigns(names, options);
  const renderer = rendererOf(options);
  const reports: RunReport[] = [];
  const workers = new SeedWorkers(request.jobs);
  let interrupted = false;
  try {
    for (const scenario of scenarios) {
      const early = past === null ? [] : failedBefore(past, { ...request, scenario });
      const started = runCampaign(workers, { ...request, scenario, early }, renderer);
      const onInterrupt = (): void => {
        interrupted = true;
        started.running.stop();
      };
      process.once('SIGINT', onInterrupt);
      const report = await started.report;
      process.removeListener('SIGINT', onInterrupt);
      reports.push(report);
      if (interrupted) break;
      if (report.summary.violations.length > 0 && !request.keepGoing) break;
    }
  } finally {
    await workers.close();
    request.ledger?.close();
  }
  renderer.ended(reports);
  if (interrupted) {
    const taken = reports.reduce((sum, { summary }) => sum + summary.count, 0);
    throw new UsageError(`interrupted after ${grouped(taken)} seeds`);
  }
  return statusOf(reports);
}

export function statusOf(reports: readonly RunReport[]): ExitStatus {
  if (reports.some(({ summary }) => summary.violations.length > 0)) return EXIT.violation;
  const vacuous = reports.some(({ summary, canary }) => {
    // A canary that no run came by proves nothing about its checker.
    const unreached = canary !== null && summary.count > 0 && summary.canaryReached === 0;
    return unreached || summary.vacuous.length > 0;
  });
  return vacuous ? EXIT.vacuous : EXIT.passed;
}

const write = (text: string): void => void process.stdout.write(text);

function rendererOf(options: RunOptions): Renderer {
  if (options.format === 'json') return jsonRenderer(write);
  if (options.format === 'compact') return compactRenderer(write);
  const verbosity = options.quiet === true ? 0 : (Math.min(3, 1 + options.verbose) as Verbosity);
  return humanRenderer(write, new Progress(process.stderr, () => performance.now() / 1000), verbosity);
}
