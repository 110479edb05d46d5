/**
 * `vopr bisect`: the first event of a failing run after which ending the faults no longer helps. Each
 * step is told as it is made; the prefix up to that event becomes a bundle of its own. Exit status as
 * `vopr repro`: 1 found, 0 the bundle does not fail here, 125 it fails in another way.
 */
import { basename, dirname, join } from 'node:path';
import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import { type Command } from 'commander';
import { encodeBundle, type Bundle } from '../../bundles/format.ts';
import { Bisect, type Bisection, type BisectProbe, type NotReproduced } from '../../sim/search/bisect.ts';
import { planByIdentity } from '../../sim/search/drift.ts';
import { bundleOf } from '../../sim/search/record_bundle.ts';
import { outcomeOf, sameFailure, type BundleRuns } from '../../sim/search/replay_bundle.ts';
import { DETERMINISM } from '../../sim/search/seed_run.ts';
import { subcommand } from '../program.ts';
import { bisectJson, bisectionText, probeText, reproducedText } from '../render/bisect.ts';
import { bundleTitle, failureText } from '../render/repro.ts';
import { UsageError, type ExitStatus } from '../usage_error.ts';
import { codeVersion } from '../version.ts';
import { readBundle, writeBundle } from './bundle_file.ts';
import { runsOf } from './catalogue.ts';
import { addFormatOption, type ListOptions } from './list.ts';
import { REPLAY_STATUS, bundleName } from './repro.ts';

interface BisectOptions extends ListOptions {
  readonly output?: string;
}

export function addBisectCommand(program: Command, setStatus: (status: ExitStatus) => void): void {
  const command = subcommand(
    program,
    'bisect',
    'find the event of a failing run from which on it cannot be saved',
    [
      'vopr bisect .vopr/bundles/combined-1182-agreement.kmb',
      'vopr bisect - -o prefix.kmb --format json < failing.kmb',
    ],
  );
  addFormatOption(command)
    .argument('<bundle.kmb>', 'a file that `vopr run` wrote; - reads standard input')
    .option('-o, --output <file>', 'where the prefix is written (default: <name>.bisected.kmb beside it)')
    .action(async (path: string, options: BisectOptions) => setStatus(await bisectBundle(path, options)));
}

async function bisectBundle(path: string, options: BisectOptions): Promise<ExitStatus> {
  const bundle = readBundle(path);
  const name = bundleName(path);
  if (bundle.failure.invariant === DETERMINISM) {
    throw new UsageError(
      `Cannot bisect ${name}: two runs of its plan departed at event ${bundle.failure.event}, ` +
        'which is found already; run `vopr repro` on it',
    );
  }
  const out = options.output ?? defaultOutput(path);
  // A cap on events would end the way on after a prefix as well.
  const runs = runsOf({ ...bundle, limits: { ...bundle.limits, events: null } }, name);
  const say = (text: string): void => {
    if (options.format === 'human') process.stdout.write(text);
  };
  say(`${bundleTitle(name, bundle)}\n  recorded   ${failureText(bundle.failure)}\n`);
  const found = await search(runs, say);
  if (found.failure === null) {
    const outcome = outcomeOf(bundle, found.violation);
    say(
      `${found.violation === null ? '' : `  now        ${failureText(found.violation)}\n`}` +
        `not reproduced, so there is nothing to bisect; \`vopr repro\` tells where the run departs\n` +
        `${outcome}\n`,
    );
    const status = REPLAY_STATUS[outcome];
    if (options.format === 'json') print({ ...bisectJson(path, bundle, found, null), outcome, status });
    return status;
  }
  const written = writeBundle(dirname(out), basename(out), encodedPrefix(bundle, found), '-o');
  say(bisectionText(found, written, codeVersion()));
  const status = REPLAY_STATUS.reproduced;
  if (options.format === 'json') {
    print({ ...bisectJson(path, bundle, found, written), outcome: 'found', status });
  }
  return status;
}

/** From the plan; if that alone does not fail any more, with the decisions of the tape held to. */
async function search(runs: BundleRuns, say: (text: string) => void): Promise<Bisection | NotReproduced> {
  const { bundle, plan } = runs;
  const plain = await watched(runs, plan, say);
  if (plain.failure !== null || bundle.decisions === null) return plain;
  const held = await watched(runs, planByIdentity(plan, bundle.decisions), say);
  return held.failure === null ? plain : held;
}

/** A little at a time, so that a signal comes through in between. */
async function watched(
  { bundle, start }: BundleRuns,
  plan: BundleRuns['plan'],
  say: (text: string) => void,
): Promise<Bisection | NotReproduced> {
  let interrupted = false;
  const onInterrupt = (): void => {
    interrupted = true;
  };
  process.once('SIGINT', onInterrupt);
  try {
    const search = new Bisect({
      world: start(plan, true, 0),
      plan,
      same: (violation) => sameFailure(bundle, violation),
      expected: bundle.failure.event,
    });
    let told = 0;
    for (let more = true; more; ) {
      const known = search.failure;
      more = search.advance();
      if (known === null && search.failure !== null) say(reproducedText(search.failure, search.searched));
      for (const probe of search.probes.slice(told)) say(probeText(probe, ++told));
      await turnOfTheLoop();
      if (interrupted) throw new UsageError(interruptedText(search.probes));
    }
    return search.result();
  } finally {
    process.removeListener('SIGINT', onInterrupt);
  }
}

function interruptedText(probes: readonly BisectProbe[]): string {
  const events = (verdict: BisectProbe['verdict']): number[] =>
    probes.filter((probe) => probe.verdict === verdict).map(({ event }) => event);
  const saved = events('saved');
  const lost = events('lost');
  const known = [
    ...(saved.length === 0 ? [] : [`saved after event ${Math.max(...saved)}`]),
    ...(lost.length === 0 ? [] : [`lost after event ${Math.min(...lost)}`]),
  ];
  return `interrupted after ${probes.length} probes${known.length === 0 ? '' : `: ${known.join(', ')}`}`;
}

function encodedPrefix(bundle: Bundle, found: Bisection): Uint8Array {
  const limits = { events: null, micros: bundle.limits.micros };
  const request = { plan: found.plan, canary: bundle.canary, limits, code: codeVersion() };
  const prefix = bundleOf(request, found.recording, found.decisions);
  if (prefix === null) throw new Error('bisect: a lost prefix without a violation');
  return encodeBundle(prefix);
}

function defaultOutput(path: string): string {
  if (path === '-') return 'bundle.bisected.kmb';
  return join(dirname(path), `${basename(path, '.kmb')}.bisected.kmb`);
}

function print(json: Record<string, unknown>): void {
  process.stdout.write(`${JSON.stringify(json, null, 2)}\n`);
}
