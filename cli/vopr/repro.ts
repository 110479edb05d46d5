/**
 * `vopr repro`: runs a bundle again. On changed code it holds the run to the recorded decisions and
 * tells where they no longer fit. Exit status as `git bisect run` wants it: 1 reproduced, 0 no
 * failure, 125 another failure than the recorded one.
 */
import { basename } from 'node:path';
import { type Command } from 'commander';
import { isExplorePlan } from '../../sim/search/explore/explore_plan.ts';
import { replayBundle, type ReplayOutcome } from '../../sim/search/replay_bundle.ts';
import { subcommand } from '../program.ts';
import { reproJson, reproText } from '../render/repro.ts';
import { EXIT, type ExitStatus } from '../usage_error.ts';
import { codeVersion } from '../version.ts';
import { readBundle } from './bundle_file.ts';
import { runsOf } from './catalogue.ts';
import { addFormatOption, type ListOptions } from './list.ts';
import { reproExplored } from './repro_explored.ts';

const LAST_EVENTS = [0, 30, 300];

interface ReproOptions extends ListOptions {
  readonly quiet?: true;
  readonly verbose: number;
}

export const REPLAY_STATUS: Readonly<Record<ReplayOutcome, ExitStatus>> = {
  reproduced: EXIT.violation,
  'no failure': EXIT.passed,
  'different failure': EXIT.otherFailure,
};

export function addReproCommand(program: Command, setStatus: (status: ExitStatus) => void): void {
  const command = subcommand(
    program,
    'repro',
    'run a bundle again: 1 reproduced, 0 no failure, 125 another failure',
    [
      'vopr repro .vopr/bundles/combined-1182-agreement.kmb',
      'git bisect run npm run -s vopr -- repro /tmp/failing.kmb',
    ],
  );
  addFormatOption(command)
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
  const name = bundleName(path);
  const keep = LAST_EVENTS[Math.min(options.verbose, LAST_EVENTS.length - 1)] as number;
  if (isExplorePlan(bundle.plan)) {
    const explored = reproExplored(path, name, bundle, keep);
    const exit = REPLAY_STATUS[explored.replay.outcome];
    if (options.quiet === true) return exit;
    const json = `${JSON.stringify({ ...explored.json, status: exit }, null, 2)}\n`;
    process.stdout.write(options.format === 'json' ? json : explored.text);
    return exit;
  }
  const replay = replayBundle(runsOf(bundle, name), keep);
  const status = REPLAY_STATUS[replay.outcome];
  if (options.quiet === true) return status;
  if (options.format === 'json') {
    const json = reproJson(path, bundle, replay, codeVersion());
    process.stdout.write(`${JSON.stringify({ ...json, status }, null, 2)}\n`);
  } else {
    process.stdout.write(reproText(name, bundle, replay, codeVersion()));
  }
  return status;
}

/** What messages call the bundle of this path. */
export function bundleName(path: string): string {
  return path === '-' ? 'the bundle' : basename(path);
}
