/**
 * `vopr run`: seeds of scenarios on all cores. Exit status: 0 passed, 1 violation, 2 usage or
 * operating error, 3 vacuous.
 */
import { availableParallelism } from 'node:os';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { seedOfName } from '../../sim/search/campaign.ts';
import { type SeedLimits } from '../../sim/search/seed_result.ts';
import { grouped, parseSeconds, wholeNumber } from '../numbers.ts';
import { subcommand } from '../program.ts';
import { compactRenderer } from '../render/compact.ts';
import { humanRenderer } from '../render/human.ts';
import { jsonRenderer } from '../render/json.ts';
import { Progress } from '../render/progress.ts';
import { type Renderer, type RunReport, type Verbosity } from '../render/report.ts';
import { EXIT, UsageError, type ExitStatus } from '../usage_error.ts';
import { codeVersion } from '../version.ts';
import { runCampaign, type CampaignRequest } from './campaign_run.ts';
import { findCanary, findScenario, scenarioNames } from './catalogue.ts';
import { failedBefore } from './failed_before.ts';
import { LEDGER_FILE, LedgerFile, readLedgerIfAny } from './ledger.ts';
import { SeedWorkers } from './workers.ts';

const SEEDS_DEFAULT = 100;
const FIRST_DEFAULT = 1;
const BUNDLE_DIRECTORY = '.vopr/bundles';

interface RunOptions {
  readonly all?: true;
  readonly seed?: number;
  readonly seeds?: number;
  readonly from?: number;
  readonly jobs: number;
  readonly shard?: { readonly index: number; readonly shards: number };
  readonly events?: number;
  readonly time?: number;
  readonly canary?: string;
  readonly checkDeterminism?: true;
  readonly keepGoing?: true;
  readonly bundleDir: string;
  /** False: --no-ledger. */
  readonly ledger: string | false;
  readonly format: 'human' | 'json' | 'compact';
  readonly quiet?: true;
  readonly verbose: number;
}

export function addRunCommand(program: Command, setStatus: (status: ExitStatus) => void): void {
  subcommand(program, 'run', 'simulate seeds of one or more scenarios', [
    'vopr run combined --seeds 1000',
    'vopr run swizzle_clogging crash_recovery --seed 42 --check-determinism',
  ])
    .argument('[scenario...]', 'names as `vopr scenarios` lists them')
    .option('--all', 'every scenario')
    .option('--seed <seed>', 'the first seed: a whole number, or any text', parseSeed)
    .option(
      '--seeds <count>',
      `how many consecutive seeds (default: 1 with --seed, else ${SEEDS_DEFAULT})`,
      wholeNumber(1, 1e9),
    )
    .option(
      '--from <seed>',
      `the first seed, as a number (default: ${FIRST_DEFAULT})`,
      wholeNumber(0, 2 ** 52),
    )
    .option('--jobs <count>', 'threads', wholeNumber(1, 256), availableParallelism())
    .option('--shard <i/n>', 'only the i-th of n equal parts of the seeds', parseShard)
    .option('--events <count>', 'end each run after this many events', wholeNumber(1))
    .option('--time <seconds>', 'end the faults of each run after this virtual time', parseSeconds)
    .option('--canary <name>', 'plant this bug; without a scenario, in the one it is made for')
    .option('--check-determinism', 'run each seed twice in lock step, compare after every event')
    .option('--keep-going', 'do not stop at the first violation')
    .option('--bundle-dir <directory>', 'where violations are written', BUNDLE_DIRECTORY)
    .option('--ledger <file>', 'where campaigns are written down; seeds that failed come first', LEDGER_FILE)
    .option('--no-ledger', 'write nothing down, and take no seed before the others')
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
  const canary = options.canary === undefined ? null : findCanary(options.canary);
  const scenarios = chosenScenarios(names, options, canary?.scenario ?? null);
  const seeds = chosenSeeds(options, names.length === 0 ? (canary?.seeds ?? null) : null);
  if (options.quiet === true && options.verbose > 0) {
    throw new UsageError('--quiet and --verbose contradict each other: give one of them');
  }
  const { shards } = options.shard ?? { shards: 1 };
  const request: Omit<CampaignRequest, 'scenario' | 'early'> = {
    seeds,
    shard: options.shard ?? { index: 1, shards: 1 },
    canary: canary === null ? null : { name: canary.name, checker: canary.caughtBy },
    limits: limitsOf(options),
    checkDeterminism: options.checkDeterminism === true,
    keepGoing: options.keepGoing === true,
    jobs: options.jobs,
    code: codeVersion(),
    bundleDirectory: options.bundleDir,
    ledger: options.ledger === false ? null : new LedgerFile(options.ledger),
  };
  const past = options.ledger === false ? null : readLedgerIfAny(options.ledger);

  const renderer = rendererOf(options);
  const reports: RunReport[] = [];
  // No more threads than seeds: each takes about 0.1 s to start.
  const jobs = Math.max(1, Math.min(options.jobs, Math.ceil(seeds.count / shards)));
  const workers = new SeedWorkers(jobs);
  let interrupted = false;
  try {
    for (const scenario of scenarios) {
      const early = past === null ? [] : failedBefore(past, { ...request, scenario });
      const started = runCampaign(workers, { ...request, scenario, early, jobs }, renderer);
      const onInterrupt = (): void => {
        interrupted = true;
        started.running.stop();
      };
      process.once('SIGINT', onInterrupt);
      const report = await started.report;
      process.removeListener('SIGINT', onInterrupt);
      reports.push(report);
      if (interrupted) break;
      if (report.summary.violations.length > 0 && options.keepGoing !== true) break;
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

function chosenScenarios(
  names: readonly string[],
  options: RunOptions,
  ofCanary: string | null,
): readonly string[] {
  if (options.all === true) {
    if (names.length > 0) throw new UsageError(`--all and "${names[0]}": give one or the other`);
    return scenarioNames();
  }
  if (names.length > 0) {
    const chosen = names.map((name) => findScenario(name).name);
    return [...new Set(chosen)];
  }
  if (ofCanary !== null) return [ofCanary];
  throw new UsageError('nothing to run: name a scenario (`vopr scenarios` lists them), or give --all');
}

function chosenSeeds(options: RunOptions, ofCanary: number | null): CampaignRequest['seeds'] {
  if (options.seed !== undefined && options.from !== undefined) {
    throw new UsageError('--seed and --from both name the first seed: give one of them');
  }
  const first = options.seed ?? options.from ?? FIRST_DEFAULT;
  const count = options.seeds ?? (options.seed !== undefined ? 1 : (ofCanary ?? SEEDS_DEFAULT));
  return { first, count };
}

function limitsOf(options: RunOptions): SeedLimits {
  return { events: options.events ?? null, micros: options.time ?? null };
}

const write = (text: string): void => void process.stdout.write(text);

function rendererOf(options: RunOptions): Renderer {
  if (options.format === 'json') return jsonRenderer(write);
  if (options.format === 'compact') return compactRenderer(write);
  const verbosity = options.quiet === true ? 0 : (Math.min(3, 1 + options.verbose) as Verbosity);
  return humanRenderer(write, new Progress(process.stderr, () => performance.now() / 1000), verbosity);
}

// --- Options ---

/** Digits are the number itself; other text is turned into one, always the same. */
export function parseSeed(text: string): number {
  if (text === '') throw new InvalidArgumentError('It must not be empty.');
  if (!/^\d+$/.test(text)) return seedOfName(text);
  const seed = Number(text);
  if (seed > 2 ** 52) throw new InvalidArgumentError('As a number it must be at most 2^52.');
  return seed;
}

export function parseShard(text: string): { index: number; shards: number } {
  const match = /^(\d+)\/(\d+)$/.exec(text);
  const index = Number(match?.[1]);
  const shards = Number(match?.[2]);
  if (match === null || index < 1 || index > shards || shards > 1e6) {
    throw new InvalidArgumentError('It must be i/n with i from 1 to n, such as 2/8.');
  }
  return { index, shards };
}
