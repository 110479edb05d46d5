/**
 * `vopr minimize`: from a bundle to the smallest one that fails alike, by running smaller plans on
 * all cores. Exit status as `repro`: 1 the failure is there (and was made smaller), 0 no failure,
 * 125 another failure; then nothing is written.
 */
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, dirname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InvalidArgumentError, type Command } from 'commander';
import { encodeBundle, type Bundle } from '../../bundles/format.ts';
import { type CanaryId } from '../../core/canary.ts';
import { type Plan } from '../../sim/plan.ts';
import { decisionsOf } from '../../sim/search/minimize/decisions_of.ts';
import { type Best } from '../../sim/search/minimize/facts.ts';
import { Judge } from '../../sim/search/minimize/judge.ts';
import { Minimizer, PATIENCE_EVENTS } from '../../sim/search/minimize/minimizer.ts';
import { spokenOptions } from '../../sim/search/minimize/spoken.ts';
import { recordBundle } from '../../sim/search/record_bundle.ts';
import { replayBundle } from '../../sim/search/replay_bundle.ts';
import { WorldPlaces } from '../../sim/search/run_seed.ts';
import { NO_LIMITS } from '../../sim/search/seed_result.ts';
import { DETERMINISM } from '../../sim/search/seed_run.ts';
import { signatureOf } from '../../sim/search/signature.ts';
import { canaryIdOf } from '../../sim/system_registry.ts';
import { grouped, parseSeconds, short, wholeNumber } from '../numbers.ts';
import { subcommand } from '../program.ts';
import { minimizeJson, minimizeText, type EndedBy, type MinimizeReport } from '../render/minimize.ts';
import { ProgressLine } from '../render/progress_line.ts';
import { testText } from '../render/test_text.ts';
import { EXIT, UsageError, type ExitStatus } from '../usage_error.ts';
import { codeVersion } from '../version.ts';
import { readBundle, writeBundle } from './bundle_file.ts';
import { findScenario, runsOf, scenarioNames } from './catalogue.ts';
import { JudgeThreads } from './judge_threads.ts';
import { addFormatOption, type ListOptions } from './list.ts';
import { ownSystemUrl } from './own_system.ts';
import { REPLAY_STATUS, bundleName } from './repro.ts';
import { storyOf } from './story_of.ts';

const IMPORT_DEFAULT = 'kimberlite/testing';

type Emitted = 'test' | 'story';

interface MinimizeOptions extends ListOptions {
  readonly output?: string;
  readonly emit: readonly Emitted[];
  readonly import: string;
  /** Microseconds. */
  readonly budgetSeconds?: number;
  readonly jobs: number;
  readonly thorough?: true;
  readonly quiet?: true;
}

export function addMinimizeCommand(program: Command, setStatus: (status: ExitStatus) => void): void {
  const command = subcommand(program, 'minimize', 'make a failing run as small as it goes', [
    'vopr minimize .vopr/bundles/combined-1182-agreement.kmb --emit test,story',
    'vopr minimize - --budget-seconds 60 -o small.min.kmb < failing.kmb',
  ]);
  addFormatOption(command)
    .argument('<bundle.kmb>', 'a file that `vopr run` wrote; - reads standard input')
    .option('-o, --output <bundle.kmb>', 'where to (default: beside it, as NAME.min.kmb)')
    .option(
      '--emit <what>',
      'also `test`, a regression test in TypeScript, and `story`, what happened in words: beside the bundle',
      parseEmitted,
      [],
    )
    .option('--import <module>', 'what the test imports', IMPORT_DEFAULT)
    .option('--budget-seconds <seconds>', 'then stop, with the smallest so far', parseSeconds)
    .option('--thorough', 'never leave off where little is gained: until nothing more can be taken away')
    .option('--jobs <count>', 'threads', wholeNumber(1, 256), availableParallelism())
    .option('-q, --quiet', 'only the exit status')
    .addHelpText('after', '\nCtrl-C stops it, too, with the smallest so far. How it works: docs/minimize.md.')
    .action(async (path: string, options: MinimizeOptions) => setStatus(await minimize(path, options)));
}

function parseEmitted(text: string, before: readonly Emitted[]): readonly Emitted[] {
  const words = text.split(',');
  for (const word of words) {
    if (word !== 'test' && word !== 'story') {
      throw new InvalidArgumentError('It must be test, story, or both with a comma between them.');
    }
  }
  return [...before, ...(words as Emitted[])];
}

async function minimize(path: string, options: MinimizeOptions): Promise<ExitStatus> {
  const bundle = readBundle(path);
  const name = bundleName(path);
  const output = outputPath(path, options.output);
  if (bundle.failure.invariant === DETERMINISM && options.emit.includes('test')) {
    throw new UsageError(
      `Cannot emit a test for ${name}: it is about two runs of one plan that differ, and a test runs it ` +
        'once; leave out `--emit test`, and let `vopr repro` run the bundle',
    );
  }
  const runs = runsOf(bundle, name);
  const replay = replayBundle(runs, 0);
  if (replay.outcome !== 'reproduced') {
    notReproduced(name, bundle, replay.outcome, replay.replay.result.violation?.invariant, options);
    return REPLAY_STATUS[replay.outcome];
  }

  const startedAt = performance.now();
  const usedBefore = process.cpuUsage();
  const canary = canaryIdOf(replay.plan, bundle.canary);
  const first = firstOf(withLimits(replay.plan, bundle), canary, signatureOf(bundle.failure));
  const minimizer = new Minimizer({
    first,
    replicas: clusterSizes(bundle.scenario, first.plan),
    patienceEvents: options.thorough === true ? Infinity : PATIENCE_EVENTS,
  });
  const endedBy = await search(minimizer, canary, signatureOf(bundle.failure), options);

  const { best } = minimizer;
  const written = writeSmallest(best, bundle, output);
  const sizes = { before: sizeOf(first), after: sizeOf(best) };
  const emitted = { best, bundle, written, first };
  const report: MinimizeReport = {
    name,
    scenario: bundle.scenario,
    seed: replay.plan.seed,
    canary: bundle.canary,
    recorded: bundle.failure,
    signature: signatureOf(bundle.failure),
    failure: best.facts.violation,
    ...sizes,
    effort: minimizer.effort,
    seconds: (performance.now() - startedAt) / 1000,
    cpuSeconds: cpuSeconds(usedBefore),
    jobs: options.jobs,
    endedBy,
    code: written.code,
    bundle: output,
    test: options.emit.includes('test') ? emitTest(emitted, output, options.import) : null,
    story: options.emit.includes('story') ? emitStory(emitted, output, canary) : null,
  };
  if (options.quiet !== true) {
    process.stdout.write(options.format === 'json' ? minimizeJson(report) : minimizeText(report));
  }
  return EXIT.violation;
}

/** Of a plan by hand, or of a scenario written in a test, nobody knows which others would make sense. */
function clusterSizes(scenario: string, plan: Plan): readonly number[] {
  if (!scenarioNames().includes(scenario)) return [plan.replicaCount];
  return findScenario(scenario).replicas;
}

function outputPath(path: string, chosen: string | undefined): string {
  if (chosen !== undefined) {
    if (!chosen.endsWith('.kmb')) throw new UsageError(`--output "${chosen}": it must end in .kmb`);
    return chosen;
  }
  const stem = path === '-' ? 'failing' : path.replace(/(\.min)?\.kmb$/, '');
  return `${stem}.min.kmb`;
}

function notReproduced(
  name: string,
  bundle: Bundle,
  outcome: string,
  invariant: string | undefined,
  { format, quiet }: MinimizeOptions,
): void {
  if (quiet === true) return;
  if (format === 'json') {
    process.stdout.write(`${JSON.stringify({ reproduced: false, outcome, invariant: invariant ?? null })}\n`);
    return;
  }
  const now = invariant === undefined ? 'no checker speaks' : `${invariant} speaks instead`;
  process.stdout.write(
    `${name}: not reproduced, so there is nothing to make smaller: it was recorded as a violation of ` +
      `${bundle.failure.invariant}, and here ${now}; \`vopr repro\` tells where the runs part\n`,
  );
}

/** What the command line had capped is said by the plan itself. */
function withLimits(plan: Plan, { limits }: Bundle): Plan {
  return {
    ...plan,
    faultMicros: Math.min(plan.faultMicros, limits.micros ?? plan.faultMicros),
    eventsMax: Math.min(plan.eventsMax, limits.events ?? plan.eventsMax),
  };
}

function firstOf(plan: Plan, canary: CanaryId, signature: string): Best {
  const verdict = new Judge({ canary, signature }).judge(plan, null);
  if (verdict.kind !== 'same') throw new Error('minimize: the same plan did not fail a second time');
  return { plan, facts: verdict.facts };
}

/** Of all threads. */
function cpuSeconds(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

function sizeOf(best: Best): MinimizeReport['before'] {
  const { events, violation } = best.facts;
  return { events, virtualMicros: violation.virtualMicros, decisions: decisionsOf(best) };
}

// --- The search ---

async function search(
  minimizer: Minimizer,
  canary: CanaryId,
  signature: string,
  { budgetSeconds, jobs, quiet }: MinimizeOptions,
): Promise<EndedBy> {
  const startedAt = performance.now();
  const progress = new ProgressLine(process.stderr, () => performance.now() / 1000);
  const threads = new JudgeThreads(jobs, canary, signature);
  let endedBy: EndedBy = 'smallest';
  const stop = (why: EndedBy): void => {
    endedBy = why;
    threads.stop();
  };
  const onInterrupt = (): void => stop('interrupt');
  process.once('SIGINT', onInterrupt);
  const timer = budgetSeconds === undefined
    ? undefined
    : setTimeout(() => stop('budget'), budgetSeconds / 1000);
  const text = (): string => progressText(minimizer, (performance.now() - startedAt) / 1000);
  try {
    for (let attempt = minimizer.next(); attempt !== null; attempt = minimizer.next()) {
      const verdicts = await threads.judge(attempt, (place, verdict) => minimizer.holds(place, verdict));
      if (verdicts === null) break;
      minimizer.take(verdicts);
      if (endedBy !== 'smallest') break;
      if (quiet !== true) progress.update(text);
    }
  } finally {
    clearTimeout(timer);
    process.removeListener('SIGINT', onInterrupt);
    progress.clear();
    await threads.close();
  }
  return endedBy === 'smallest' && minimizer.effort.left > 0 ? 'patience' : endedBy;
}

function progressText(minimizer: Minimizer, seconds: number): string {
  const { best, effort } = minimizer;
  return (
    `round ${effort.rounds}, ${minimizer.trying}: best ${grouped(best.facts.events)} events, ` +
    `${grouped(decisionsOf(best).total)} decisions; ${grouped(effort.tries)} plans ` +
    `(${short(effort.tries / Math.max(seconds, 1e-3))}/s), ${grouped(effort.cacheHits)} known without`
  );
}

// --- What is written ---

const places = new WorldPlaces();

function writeSmallest({ plan, facts }: Best, { canary }: Bundle, output: string): Bundle {
  // Of two runs in lock step, one alone shows no departure.
  const failure = facts.violation.invariant === DETERMINISM ? facts.violation : null;
  const request = { plan, canary, limits: NO_LIMITS, code: codeVersion(), failure };
  const { bundle } = recordBundle(places, request);
  if (bundle === null) throw new Error('minimize: the smallest plan did not fail a second time');
  writeBundle(dirname(output), basename(output), encodeBundle(bundle), '-o');
  return bundle;
}

interface Emitting {
  readonly best: Best;
  readonly first: Best;
  /** As it was given, and as it was written. */
  readonly bundle: Bundle;
  readonly written: Bundle;
}

function emitTest({ best, first, bundle, written }: Emitting, output: string, from: string): string {
  const text = testText({
    scenario: bundle.scenario,
    seed: first.plan.seed,
    canary: bundle.canary,
    invariant: written.failure.invariant,
    message: written.failure.message,
    before: sizeOf(first),
    after: sizeOf(best),
    options: spokenOptions(best),
    from,
    system: systemFrom(output),
  });
  return writeText(`${output.replace(/\.kmb$/, '')}.test.ts`, text);
}

/** The module of one's own system as the test imports it, which lies beside the bundle. */
function systemFrom(output: string): string | null {
  const url = ownSystemUrl();
  if (url === null) return null;
  const path = relative(dirname(resolve(output)), fileURLToPath(url)).replaceAll('\\', '/');
  return path.startsWith('.') ? path : `./${path}`;
}

function emitStory({ best, first, bundle }: Emitting, output: string, canary: CanaryId): string {
  const planted = bundle.canary === null ? '' : `, canary ${bundle.canary}`;
  const title = `${bundle.scenario}, seed ${first.plan.seed}${planted}, minimised.`;
  const text = storyOf(best, canary, title, places);
  return writeText(`${output.replace(/\.kmb$/, '')}.story.txt`, text);
}

function writeText(path: string, text: string): string {
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw new UsageError(`Cannot write "${path}": ${(error as Error).message}`, { cause: error });
  }
  return path;
}
