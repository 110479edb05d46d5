/**
 * `vopr explore`: every run of a small cluster of real replicas, within bounds. Exit status: 0 no
 * checker spoke (whether all was looked at is said), 1 a violation, 2 usage, 3 the planted bug was
 * never reached.
 */
import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { encodeBundle } from '../../bundles/format.ts';
import { CANARY, canaryReached } from '../../core/canary.ts';
import { signatureOf } from '../../sim/search/signature.ts';
import {
  BOUNDS_DEFAULT,
  BOUNDS_MAX,
  DISK_MODELS,
  SEARCH_ORDERS,
  type DiskModel,
  type ExploreBounds,
  type SearchOrder,
} from '../../sim/search/explore/explore_bounds.ts';
import { exploreBundle } from '../../sim/search/explore/explore_bundle.ts';
import { explorePlan, EXPLORE_SCENARIO } from '../../sim/search/explore/explore_plan.ts';
import { ExploreRun } from '../../sim/search/explore/explore_run.ts';
import { Explorer, type ExploreCounts } from '../../sim/search/explore/explorer.ts';
import { actionOf } from '../../sim/search/explore/live_cluster.ts';
import { shorten } from '../../sim/search/explore/shorten.ts';
import { verify } from '../../sim/search/explore/verification.ts';
import { type Canary } from '../../sim/canaries.ts';
import { grouped, parseSeconds, short, wholeNumber } from '../numbers.ts';
import { subcommand } from '../program.ts';
import {
  boundsText,
  exploreJson,
  exploreText,
  type ExploreFinding,
  type ExploreOutcome,
  type ExploreReport,
} from '../render/explore.ts';
import { EXIT, UsageError, type ExitStatus } from '../usage_error.ts';
import { codeVersion } from '../version.ts';
import { bundleFileName, writeBundle } from './bundle_file.ts';
import { findCanary } from './catalogue.ts';
import { addFormatOption, type ListOptions } from './list.ts';
import { ownSystem } from './own_system.ts';

const STATES_DEFAULT = 5_000_000;
/** A planted bug is looked for where view changes are, and not in the order of length. */
const CANARY_TIMEOUTS = 4;
const CANARY_ORDER: SearchOrder = 'directed';
/** States between two looks at the clock and the keyboard. */
const SLICE = 500;
const REDRAW_SECONDS = 0.2;
const PLAIN_LINE_SECONDS = 10;

interface ExploreOptions extends ListOptions {
  readonly replicas: number;
  readonly clients: number;
  readonly operations: number;
  readonly crashes: number;
  readonly timeouts?: number;
  readonly duplicates: number;
  readonly depth: number;
  readonly states: number;
  readonly timeBudget?: number;
  readonly search?: SearchOrder;
  readonly disk: DiskModel;
  readonly canary?: string;
  readonly symmetry: boolean;
  readonly verify?: number;
  readonly bundleDir: string;
  readonly quiet?: true;
}

export function addExploreCommand(program: Command, setStatus: (status: ExitStatus) => void): void {
  const command = subcommand(program, 'explore', 'search every run of a small cluster of real replicas', [
    'vopr explore --operations 1 --verify',
    'vopr explore --canary view-change-longest-log --operations 1',
  ]);
  const { replicas, clients, operations, crashes, timeouts, duplicates, depth, disk } = BOUNDS_DEFAULT;
  const upTo = (max: number, min = 0): ((text: string) => number) => wholeNumber(min, max);
  addFormatOption(command)
    .option('--replicas <count>', 'of the cluster', upTo(BOUNDS_MAX.replicas, 1), replicas)
    .option('--clients <count>', 'each with one operation at a time', upTo(BOUNDS_MAX.clients, 1), clients)
    .option('--operations <count>', 'appends, over all clients', upTo(BOUNDS_MAX.operations), operations)
    .option('--crashes <count>', 'of replicas, in one run', upTo(BOUNDS_MAX.crashes), crashes)
    .option(
      '--timeouts <count>',
      `timers that fire, in one run (default: ${timeouts}; with --canary ${CANARY_TIMEOUTS})`,
      upTo(BOUNDS_MAX.timeouts),
    )
    .option('--duplicates <count>', 'messages that arrive twice', upTo(BOUNDS_MAX.duplicates), duplicates)
    .option('--depth <count>', 'steps of a run', upTo(BOUNDS_MAX.depth, 1), depth)
    .option('--states <count>', 'stop after so many distinct states', upTo(2 ** 28, 1), STATES_DEFAULT)
    .option('--time-budget <seconds>', 'stop after this time', parseSeconds)
    .addOption(
      new Option('--search <order>', `of states (default: bfs; with --canary ${CANARY_ORDER})`)
        .choices(SEARCH_ORDERS),
    )
    .addOption(new Option('--disk <model>', 'I/O at once or in steps').choices(DISK_MODELS).default(disk))
    .option('--canary <name>', 'plant this bug')
    .option('--no-symmetry', 'explore also the runs that differ in the names of clients alone')
    .option('--verify [n]', 'ask the real code if states were rightly merged: every n-th case', parseShare)
    .option('--bundle-dir <directory>', 'where a violation is written', '.vopr/bundles')
    .option('-q, --quiet', 'only the exit status')
    .addHelpText(
      'after',
      '\nMessages may be lost and late without bound. Ctrl-C stops, and tells how far it got.\n' +
        'What is explored, and what is not: docs/explore.md.',
    )
    .action(async (options: ExploreOptions) => setStatus(await explore(options)));
}

function parseShare(text: string): number {
  const share = Number(text);
  if (!/^\d+$/.test(text) || share < 1) throw new InvalidArgumentError('It must be a whole number from 1.');
  return share;
}

async function explore(options: ExploreOptions): Promise<ExitStatus> {
  if (ownSystem() !== null) throw new UsageError('vopr explore knows Kimberlite alone: leave out --system');
  const canary = options.canary === undefined ? null : findCanary(options.canary);
  const bounds = boundsOf(options, canary);
  const order = options.search ?? (canary === null ? 'bfs' : CANARY_ORDER);
  const human = options.format === 'human' && options.quiet !== true;
  if (human) process.stdout.write(`exploring ${boundsText(bounds, order)}\n`);

  const startedAt = performance.now();
  const explorer = new Explorer({
    bounds,
    order,
    canary: canary?.id ?? CANARY.none,
    symmetry: options.symmetry,
    statesMax: options.states,
  });
  const end = await search(explorer, options);
  const seconds = (performance.now() - startedAt) / 1000;
  const reached = canaryReached();
  const report: ExploreReport = {
    bounds,
    order,
    statesMax: options.states,
    timeBudgetSeconds: options.timeBudget === undefined ? null : options.timeBudget / 1e6,
    canary: canary?.name ?? null,
    canaryReached: reached,
    end,
    counts: explorer.counts,
    // Before it moves the nodes.
    finding: explorer.finding === null ? null : found(explorer, canary, options.bundleDir),
    verification: options.verify === undefined ? null : verify(explorer, shareOf(options.verify)),
    seconds,
    code: codeVersion(),
  };
  if (options.quiet !== true) {
    process.stdout.write(human ? exploreText(report) : `${JSON.stringify(exploreJson(report), null, 2)}\n`);
  }
  if (report.verification?.problem !== undefined && report.verification.problem !== null) return EXIT.usage;
  if (report.finding !== null) return EXIT.violation;
  return canary !== null && reached === 0 ? EXIT.vacuous : EXIT.passed;
}

/** `--verify` alone: every case. */
function shareOf(given: number | true): number {
  return given === true ? 1 : given;
}

function boundsOf(options: ExploreOptions, canary: Canary | null): ExploreBounds {
  const { replicas, clients, operations, crashes, duplicates, depth, disk } = options;
  const timeouts = options.timeouts ?? (canary === null ? BOUNDS_DEFAULT.timeouts : CANARY_TIMEOUTS);
  return { replicas, clients, operations, crashes, timeouts, duplicates, depth, disk };
}

/** Until it is over, the time is up, or somebody presses Ctrl-C. */
async function search(explorer: Explorer, options: ExploreOptions): Promise<ExploreOutcome> {
  let interrupted = false;
  const onInterrupt = (): void => {
    interrupted = true;
  };
  process.once('SIGINT', onInterrupt);
  const progress = new ExploreProgress();
  const startedAt = performance.now();
  try {
    while (explorer.run(SLICE)) {
      await turnOfTheLoop();
      if (interrupted) return 'interrupted';
      const now = performance.now();
      if (options.timeBudget !== undefined && (now - startedAt) * 1000 >= options.timeBudget) return 'time';
      if (options.quiet !== true) progress.update(explorer.counts, (now - startedAt) / 1000);
    }
    return explorer.end;
  } finally {
    progress.clear();
    process.removeListener('SIGINT', onInterrupt);
  }
}

/** Shortens the run, tells it, and writes its bundle. */
function found(explorer: Explorer, canary: Canary | null, directory: string): ExploreFinding {
  const { bounds, cluster } = explorer;
  const { invariant } = explorer.finding as { invariant: string };
  const signature = signatureOf(explorer.finding as { invariant: string; message: string });
  const actions = explorer.path.map((step) => actionOf(cluster, step));
  const shorter = shorten(bounds, actions, canary?.id ?? CANARY.none, signature).actions;
  const plan = explorePlan(bounds, shorter);
  const bundle = exploreBundle(plan, canary?.name ?? null, codeVersion());
  if (bundle === null) throw new Error(`the run that violates ${invariant} does not when it is made again`);
  const name = bundleFileName(EXPLORE_SCENARIO, 0, canary?.name ?? null, invariant);
  const path = writeBundle(directory, name, encodeBundle(bundle));
  const story: string[] = [];
  const run = new ExploreRun(plan, canary?.id ?? CANARY.none);
  while (run.step()) story.push(run.describe());
  const { failure } = bundle;
  return {
    invariant: failure.invariant,
    message: failure.message,
    actions: shorter.length,
    actionsFound: actions.length,
    story,
    bundle: path,
  };
}

/** On stderr: redrawn in place on a terminal, a plain line now and then anywhere else. */
class ExploreProgress {
  #drawnAt = 0;
  #shown = false;

  update({ states, transitions, frontier, depth }: ExploreCounts, seconds: number): void {
    const onTerminal = process.stderr.isTTY === true;
    if (seconds - this.#drawnAt < (onTerminal ? REDRAW_SECONDS : PLAIN_LINE_SECONDS)) return;
    this.#drawnAt = seconds;
    const text =
      `${grouped(states)} states, frontier ${grouped(frontier)}, depth ${depth}, ` +
      `${short(states / seconds)} states/s, ${short(transitions / seconds)} steps/s`;
    this.#shown = onTerminal;
    process.stderr.write(onTerminal ? `\r\u001b[K${text}` : `explore: ${text}\n`);
  }

  clear(): void {
    if (this.#shown) process.stderr.write('\r\u001b[K');
    this.#shown = false;
  }
}
