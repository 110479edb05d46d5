/**
 * `vopr repro`: runs a bundle again, from its plan. Exit status as `git bisect run` wants it:
 * 1 reproduced, 0 no failure, 125 another failure than the recorded one.
 */
import { basename } from 'node:path';
import { type Command } from 'commander';
import { type Bundle } from '../../bundles/format.ts';
import { type SeedViolation } from '../../sim/search/seed_result.ts';
import {
  DETERMINISM,
  replayAgainst,
  runInLockStep,
  type Replay,
} from '../../sim/search/seed_run.ts';
import { counted, grouped } from '../numbers.ts';
import { subcommand } from '../program.ts';
import { EXIT, UsageError, type ExitStatus } from '../usage_error.ts';
import { codeVersion } from '../version.ts';
import { readBundle } from './bundle_file.ts';
import { findCanary, findScenario, startBundle } from './catalogue.ts';

const LAST_EVENTS = [0, 30, 300];

interface ReproOptions {
  readonly quiet?: true;
  readonly verbose: number;
}

export function addReproCommand(program: Command, setStatus: (status: ExitStatus) => void): void {
  subcommand(program, 'repro', 'run a bundle again: 1 reproduced, 0 no failure, 125 another failure', [
    'vopr repro .vopr/bundles/combined-1182-agreement.kmb',
    'git bisect run npm run -s vopr -- repro /tmp/failing.kmb',
  ])
    .argument('<bundle.kmb>', 'a file that `vopr run` wrote; - reads standard input')
    .option('-q, --quiet', 'only the exit status')
    .option(
      '-v, --verbose',
      `also the last ${LAST_EVENTS[1]} events; -vv the last ${LAST_EVENTS[2]}`,
      (_, n: number) => n + 1,
      0,
    )
    .action((path: string, options: ReproOptions) => setStatus(repro(path, options)));
}

function repro(path: string, options: ReproOptions): ExitStatus {
  const bundle = readBundle(path);
  const name = path === '-' ? 'the bundle' : basename(path);
  try {
    findScenario(bundle.scenario);
    if (bundle.canary !== null) findCanary(bundle.canary);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`Cannot replay ${name}: ${error.message}`, { cause: error });
  }

  const keep = LAST_EVENTS[Math.min(options.verbose, LAST_EVENTS.length - 1)] as number;
  const replay = replayOf(bundle, keep);
  const outcome = outcomeOf(bundle, replay.result.violation);
  if (options.quiet !== true) process.stdout.write(reproText(name, bundle, replay, outcome));
  return STATUS[outcome];
}

/** A departure between two runs needs two runs to show itself. */
function replayOf(bundle: Bundle, keep: number): Replay {
  if (bundle.failure.invariant !== DETERMINISM) {
    return replayAgainst(startBundle(bundle), bundle.digests, keep);
  }
  const result = runInLockStep(startBundle(bundle, 0), startBundle(bundle, 1));
  return { result, departure: null, lastEvents: [] };
}

type Outcome = 'reproduced' | 'no failure' | 'different failure';
const STATUS: Readonly<Record<Outcome, ExitStatus>> = {
  reproduced: EXIT.violation,
  'no failure': EXIT.passed,
  'different failure': EXIT.otherFailure,
};

function outcomeOf(bundle: Bundle, violation: SeedViolation | null): Outcome {
  if (violation === null) return 'no failure';
  return violation.invariant === bundle.failure.invariant ? 'reproduced' : 'different failure';
}

function reproText(name: string, bundle: Bundle, replay: Replay, outcome: Outcome): string {
  const { code, failure } = bundle;
  const canary = bundle.canary === null ? '' : `, canary ${bundle.canary}`;
  const lines = [
    `${name}: scenario ${bundle.scenario}, seed ${bundle.seed}${canary}`,
    `  recorded ${failureText(failure)}`,
    `           by kimberlite ${code.version}, commit ${code.commit}, Node ${code.node}`,
  ];
  const { violation } = replay.result;
  if (violation !== null) lines.push(`  now      ${failureText(violation)}`);
  else lines.push(`  now      no violation in ${counted(replay.result.events, 'event')}`);
  lines.push(`  digests  ${digestText(bundle, replay)}`);
  if (replay.lastEvents.length > 0) {
    lines.push(`  last ${counted(replay.lastEvents.length, 'event')}`);
    for (const event of replay.lastEvents) lines.push(`    ${event}`);
  }
  lines.push(outcome);
  return `${lines.join('\n')}\n`;
}

function failureText(failure: SeedViolation): string {
  const at = (failure.virtualMicros / 1e6).toFixed(6);
  return `${failure.invariant} at event ${grouped(failure.event)}, ${at} s virtual: ${failure.message}`;
}

function digestText(bundle: Bundle, { departure }: Replay): string {
  if (bundle.failure.invariant === DETERMINISM) return 'compared between two runs in lock step';
  if (departure === null) return `as recorded, at each of ${counted(bundle.events, 'event')}`;
  const recorded = bundle.code;
  const here = codeVersion();
  const same = recorded.version === here.version && recorded.commit === here.commit;
  const why = same ? '' : `; this is commit ${here.commit}, Node ${here.node}`;
  const happened = departure.happened ?? 'this run ended before it';
  return `depart at event ${grouped(departure.event)} of ${grouped(bundle.events)}: ${happened}${why}`;
}
