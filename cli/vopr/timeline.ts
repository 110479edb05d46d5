/** `vopr timeline`: executes a run again and draws it, a lane a node; `--log`: a line a fact. */
import { Option, type Command } from 'commander';
import {
  ENTRY_KINDS,
  Recorder,
  entryMatches,
  type Entry,
  type EntryFilter,
  type EntryKind,
} from '../../sim/recorder.ts';
import { grouped, parseRange, parseTimeRange, wholeNumber, type NumberRange } from '../numbers.ts';
import { subcommand } from '../program.ts';
import { writeOutput, type Output } from '../render/output.ts';
import { lineText, linesText, wantsColour } from '../render/styled_text.ts';
import { UsageError } from '../usage_error.ts';
import {
  addRunSource,
  isCircumstance,
  laneStates,
  openRun,
  runOn,
  runText,
  statusOf,
  violationJson,
  type ObservedRun,
  type RunSourceOptions,
} from './observed_run.ts';
import { logHeader, logLine } from './timeline_log.ts';
import { TIMELINE_WIDTH_DEFAULT, TIMELINE_WIDTH_MIN, nodeName, timelineLines } from './timeline_view.ts';

/** Entries kept for a picture; the newest. About 80 MB. */
const ENTRIES_MAX = 400_000;

export interface FilterOptions {
  readonly nodes?: string;
  readonly kinds?: readonly EntryKind[];
  readonly time?: NumberRange;
  readonly events?: NumberRange;
  readonly op?: number;
}

interface TimelineOptions extends RunSourceOptions, FilterOptions {
  readonly width?: number;
  readonly log?: true;
  readonly color: boolean;
  readonly output?: string;
  readonly format: 'human' | 'json';
}

export function addTimelineCommand(program: Command): void {
  const command = subcommand(program, 'timeline', 'run again and draw what happened, a lane a node', [
    'vopr timeline .vopr/bundles/combined-1182-agreement.kmb --time 3.5..4',
    'vopr timeline combined --seed 7 --nodes 0,1,c0 --kinds commit,view_change,crash',
  ]);
  addFilterOptions(addRunSource(command))
    .option('--width <columns>', 'of a line (default: the terminal\'s, else 120)',
      wholeNumber(TIMELINE_WIDTH_MIN, 10_000))
    .option('--log', 'a line a fact, with what the replica said of itself')
    .option('--no-color', 'no colours on a terminal (also: NO_COLOR=1)')
    .option('--output <file>', 'write there instead of to standard output')
    .addOption(
      new Option('--format <format>', 'of the output').choices(['human', 'json']).default('human'),
    )
    .action(async (argument: string, options: TimelineOptions) => timeline(argument, options));
}

export function addFilterOptions(command: Command): Command {
  return command
    .option('--nodes <list>', 'only these lanes: replicas by number, clients as c0')
    .option('--kinds <list>', `only these kinds: ${ENTRY_KINDS.join(', ')}`, parseKinds)
    .option('--time <A..B>', 'only this span of virtual time, in seconds', parseTimeRange)
    .option('--events <A..B>', 'only these events; the axis then counts events', parseRange)
    .option('--op <number>', 'only what is about this op, and what befalls nodes and links', wholeNumber(0));
}

async function timeline(argument: string, options: TimelineOptions): Promise<void> {
  const run = openRun(argument, options);
  const filter = filterOf(run, options);
  await writeOutput(options.output, async (output) => {
    if (options.format === 'json') await writeJson(run, filter, output);
    else if (options.log === true) await writeLog(run, filter, output, options);
    else await writePicture(run, filter, output, options);
  });
}

// --- Three forms ---

async function writePicture(
  run: ObservedRun,
  filter: EntryFilter,
  output: Output,
  options: TimelineOptions,
): Promise<void> {
  const { world } = run;
  const recorder = new Recorder({ capacity: ENTRIES_MAX, filter });
  const circumstances: Entry[] = [];
  world.observer = {
    entry(entry) {
      recorder.entry(entry);
      if (isCircumstance(entry)) circumstances.push(entry);
    },
  };
  await runOn(world);
  const axis = options.events === undefined ? 'time' : 'event';
  const end = axis === 'time' ? world.time.now : world.events;
  const [from, to] = (axis === 'time' ? options.time : options.events) ?? [0, end];
  if (from > end) throw new UsageError(`the run ends before that: ${runText(run).trimEnd()}`);
  const lines = timelineLines({
    entries: recorder.entries(),
    circumstances,
    replicaCount: world.replicaCount,
    clientCount: world.clientCount,
    ...(filter.nodes === undefined ? {} : { nodes: filter.nodes }),
    axis,
    from,
    to: Math.min(to, end),
    width: options.width ?? output.columns ?? TIMELINE_WIDTH_DEFAULT,
  });
  const colour = wantsColour(output, options.color, process.env);
  const missing = recorder.leftOut === 0 ? '' : missingText(recorder.leftOut);
  await output.write(`${runText(run)}${missing}\n${linesText(lines, colour)}`);
}

function missingText(count: number): string {
  return `the first ${grouped(count)} entries are not shown: narrow the time or the kinds\n`;
}

async function writeLog(
  run: ObservedRun,
  filter: EntryFilter,
  output: Output,
  options: TimelineOptions,
): Promise<void> {
  const { world } = run;
  const colour = wantsColour(output, options.color, process.env);
  let lines: string[] = [`${lineText(logHeader(world.replicaCount), colour)}\n`];
  world.observer = {
    entry(entry) {
      if (!entryMatches(entry, filter)) return;
      const row = { entry, status: statusOf(world, entry.node), lanes: laneStates(world) };
      lines.push(`${lineText(logLine(row, world.replicaCount), colour)}\n`);
    },
  };
  const flush = async (): Promise<void> => {
    const text = lines.join('');
    lines = [];
    await output.write(text);
  };
  await runOn(world, Number.POSITIVE_INFINITY, flush);
  await flush();
  await output.write(`\n${runText(run)}`);
}

async function writeJson(run: ObservedRun, filter: EntryFilter, output: Output): Promise<void> {
  const { world, scenario, seed, canary } = run;
  const recorder = new Recorder({ capacity: ENTRIES_MAX, filter });
  world.observer = recorder;
  await runOn(world);
  const head = {
    scenario,
    seed,
    canary,
    replicas: world.replicaCount,
    clients: world.clientCount,
    events: world.events,
    virtual_micros: world.time.now,
    violation: world.violationFound === null ? null : violationJson(world.violationFound),
    left_out: recorder.leftOut,
  };
  const entries = recorder.entries().map((entry) => JSON.stringify(entryJson(entry, world.replicaCount)));
  const text = JSON.stringify(head).slice(0, -1);
  await output.write(`${text},"entries":[\n${entries.join(',\n')}\n]}\n`);
}

/** Field names are a promise; null: none or not known. */
export function entryJson(entry: Entry, replicaCount: number): Record<string, string | number | null> {
  return {
    event: entry.event,
    virtual_micros: entry.virtualMicros,
    kind: entry.kind,
    what: entry.what,
    node: nodeName(entry.node, replicaCount),
    peer: entry.peer === -1 ? null : nodeName(entry.peer, replicaCount),
    view: orNull(entry.view),
    op: orNull(entry.op),
    cause: entry.cause === '' ? null : entry.cause,
    packet: orNull(entry.packet),
    text: entry.text,
  };
}

function orNull(value: number): number | null {
  return value === -1 ? null : value;
}

// --- Filters ---

export function filterOf({ world }: ObservedRun, options: FilterOptions): EntryFilter {
  const { kinds, time, events, op } = options;
  const nodes = options.nodes === undefined
    ? undefined
    : parseNodes(options.nodes, world.replicaCount, world.clientCount);
  return {
    ...(nodes === undefined ? {} : { nodes }),
    ...(kinds === undefined ? {} : { kinds }),
    ...(time === undefined ? {} : { micros: time }),
    ...(events === undefined ? {} : { events }),
    ...(op === undefined ? {} : { op }),
  };
}

function parseKinds(text: string): EntryKind[] {
  return text.split(',').map((name) => {
    const kind = ENTRY_KINDS.find((known) => known === name.trim().replaceAll('-', '_'));
    if (kind !== undefined) return kind;
    throw new UsageError(`unknown kind "${name}": the kinds are ${ENTRY_KINDS.join(', ')}`);
  });
}

/** `0`, `R0`, `c1`. */
export function parseNodes(text: string, replicas: number, clients: number): number[] {
  return text.split(',').map((name) => {
    const match = /^([rc]?)(\d+)$/i.exec(name.trim());
    const isClient = match?.[1]?.toLowerCase() === 'c';
    const number = Number(match?.[2]);
    if (match !== null && number < (isClient ? clients : replicas)) {
      return isClient ? replicas + number : number;
    }
    throw new UsageError(
      `unknown node "${name}": this run has R0 to R${replicas - 1}` +
        (clients === 0 ? '' : ` and C0 to C${clients - 1}`),
    );
  });
}
