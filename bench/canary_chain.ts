/**
 * From a planted bug to its regression test, each step a process of its own, as a user goes:
 * `vopr run` finds it, `repro` has it again, `bisect` names the event that decided, `minimize` makes
 * it small, and the test that it emitted fails with the bug and passes without.
 */
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type DecisionCount } from '../sim/search/minimize/decisions_of.ts';
import { type Canary } from '../sim/canaries.ts';

const VOPR = fileURLToPath(new URL('../cli/vopr.ts', import.meta.url));
const TESTING = fileURLToPath(new URL('../cli/testing.ts', import.meta.url));

export interface ChainSize {
  readonly events: number;
  readonly decisions: DecisionCount;
}

export interface Chain {
  readonly canary: string;
  readonly scenario: string;
  readonly seed: number;
  readonly invariant: string;
  readonly before: ChainSize;
  readonly after: ChainSize;
  /** Of `minimize` alone, from the first run of the plan to the last; without starting the program. */
  readonly seconds: number;
  /** Of all its threads, and its start. */
  readonly cpuSeconds: number;
  readonly tries: number;
  /** Event from which on it could not be saved; 0: it needs no fault. */
  readonly lostFrom: number;
  readonly replays: number;
  readonly replaysMax: number;
  /** Files of the smallest run. */
  readonly bundle: string;
  readonly test: string;
}

export interface ChainOptions {
  /** For everything that is written. */
  readonly directory: string;
  readonly jobs: number;
  /** Tried before the seeds from 1 on. */
  readonly guess?: number;
}

/** Throws with the output of the step that did not end as it should. */
export async function runChain(canary: Canary, { directory, jobs, guess }: ChainOptions): Promise<Chain> {
  mkdirSync(directory, { recursive: true });
  const found = await findFailure(canary, directory, jobs, guess);
  const vopr = (args: readonly string[]): Promise<string> => step([VOPR, ...args], 1, directory);

  await vopr(['repro', found.bundle]);
  const bisected = JSON.parse(await vopr(['bisect', found.bundle, '--format', 'json'])) as {
    readonly lost_from: { readonly event: number };
    readonly replays: number;
    readonly replays_max: number;
  };
  const emit = ['--emit', 'test,story', '--import', TESTING, '--format', 'json', '--jobs', String(jobs)];
  const smallest = JSON.parse(await vopr(['minimize', found.bundle, ...emit])) as {
    readonly before: ChainSize;
    readonly after: ChainSize;
    readonly seconds: number;
    readonly cpu_seconds: number;
    readonly tries: number;
    readonly bundle: string;
    readonly test: string;
  };
  await vopr(['repro', smallest.bundle]);

  await step(['--test', smallest.test], 0, directory);
  const red = await step(['--test', smallest.test], 1, directory, { VOPR_CANARY: canary.name });
  if (!red.includes(`violation of ${canary.caughtBy}`)) {
    throw new Error(`${smallest.test} fails, but not with ${canary.caughtBy}:\n${red}`);
  }
  const { before, after, seconds, tries, bundle, test } = smallest;
  return {
    canary: canary.name,
    scenario: canary.scenario,
    seed: found.seed,
    invariant: canary.caughtBy,
    before,
    after,
    seconds,
    cpuSeconds: smallest.cpu_seconds,
    tries,
    lostFrom: bisected.lost_from.event,
    replays: bisected.replays,
    replaysMax: bisected.replays_max,
    bundle,
    test,
  };
}

interface FoundFailure {
  readonly invariant: string;
  readonly seed: number;
  readonly bundle: string;
}

/** The first seed that the named checker catches. Another one that was quicker is an accident. */
async function findFailure(
  canary: Canary,
  directory: string,
  jobs: number,
  guess: number | undefined,
): Promise<FoundFailure> {
  const args = ['run', '--canary', canary.name, '--bundle-dir', directory, '--no-ledger'];
  const options = ['--format', 'json', '--jobs', String(jobs)];
  const guessed = guess === undefined ? [] : [['--seed', String(guess)]];
  for (const seeds of [...guessed, [], ['--keep-going']]) {
    const output = await step([VOPR, ...args, ...options, ...seeds], null, directory);
    const { violations } = JSON.parse(output) as { violations: readonly FoundFailure[] };
    const found = violations.find(({ invariant }) => invariant === canary.caughtBy);
    if (found !== undefined) return found;
  }
  throw new Error(`${canary.name} is not caught by ${canary.caughtBy} in ${canary.seeds} seeds`);
}

/** Runs Node on it; `status` null: whatever it is. Returns standard output. */
function step(
  args: readonly string[],
  status: number | null,
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  // A test runner in a test runner runs nothing, unless it does not know.
  const { NODE_TEST_CONTEXT: _, VOPR_CANARY: _canary, ...inherited } = process.env;
  const child = spawn(process.execPath, args, {
    cwd,
    env: { ...inherited, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      if (status === null || code === status) resolve(stdout);
      else reject(new Error(`node ${args.join(' ')} ended with ${code}, not ${status}:\n${stdout}${stderr}`));
    });
  });
}

/** Without latencies, which in a plain plan are no decisions at all. */
export function withoutDelays({ decisions }: ChainSize): number {
  return decisions.total - decisions.delays;
}

/** In percent. */
export function gone(before: number, after: number): number {
  return 100 - (100 * after) / Math.max(1, before);
}

export function directoryOf(root: string, canary: Canary): string {
  return join(root, canary.name);
}
