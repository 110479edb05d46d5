/**
 * Which seeds of which scenarios, on how many threads, and where failures are written: the options
 * that the commands share that run campaigns (`run`, `tui`, `dashboard`).
 */
import { availableParallelism } from 'node:os';
import { InvalidArgumentError, type Command } from 'commander';
import { seedOfName } from '../../sim/search/campaign.ts';
import { parseSeconds, wholeNumber } from '../numbers.ts';
import { UsageError } from '../usage_error.ts';
import { codeVersion } from '../version.ts';
import { type CampaignRequest } from './campaign_run.ts';
import { findCanary, findScenario, scenarioNames } from './catalogue.ts';
import { LEDGER_FILE, LedgerFile, readLedgerIfAny, type Ledger } from './ledger.ts';

const SEEDS_DEFAULT = 100;
const FIRST_DEFAULT = 1;
const BUNDLE_DIRECTORY = '.vopr/bundles';

export interface CampaignOptions {
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
}

export function addCampaignOptions(command: Command): Command {
  return command
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
    .option('--no-ledger', 'write nothing down, and take no seed before the others');
}

export interface ChosenCampaigns {
  /** In the order in which they run. */
  readonly scenarios: readonly string[];
  /** The same for each of them. */
  readonly request: Omit<CampaignRequest, 'scenario' | 'early'>;
  /** What the ledger held before; null: there is to be none. */
  readonly past: Ledger | null;
}

/** `names`: scenarios as given. Throws UsageError when nothing, or contradicting things, are asked for. */
export function chosenCampaigns(names: readonly string[], options: CampaignOptions): ChosenCampaigns {
  const canary = options.canary === undefined ? null : findCanary(options.canary);
  const scenarios = chosenScenarios(names, options, canary?.scenario ?? null);
  const seeds = chosenSeeds(options, names.length === 0 ? (canary?.seeds ?? null) : null);
  const shard = options.shard ?? { index: 1, shards: 1 };
  const past = options.ledger === false ? null : readLedgerIfAny(options.ledger);
  const request = {
    seeds,
    shard,
    canary: canary === null ? null : { name: canary.name, checker: canary.caughtBy },
    limits: { events: options.events ?? null, micros: options.time ?? null },
    checkDeterminism: options.checkDeterminism === true,
    keepGoing: options.keepGoing === true,
    // No more threads than seeds: each takes about 0.1 s to start.
    jobs: Math.max(1, Math.min(options.jobs, Math.ceil(seeds.count / shard.shards))),
    code: codeVersion(),
    bundleDirectory: options.bundleDir,
    ledger: options.ledger === false ? null : new LedgerFile(options.ledger),
  };
  return { scenarios, request, past };
}

function chosenScenarios(
  names: readonly string[],
  options: CampaignOptions,
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

function chosenSeeds(options: CampaignOptions, ofCanary: number | null): CampaignRequest['seeds'] {
  if (options.seed !== undefined && options.from !== undefined) {
    throw new UsageError('--seed and --from both name the first seed: give one of them');
  }
  const first = options.seed ?? options.from ?? FIRST_DEFAULT;
  const count = options.seeds ?? (options.seed !== undefined ? 1 : (ofCanary ?? SEEDS_DEFAULT));
  return { first, count };
}

// --- Values ---

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
