/**
 * `vopr show`: what a bundle holds, and the run itself at any event of it: entries, messages, whole
 * states and what differs between two of them. Everything is read off the run as it is executed
 * again, once to its end and a second time past the events that were asked for.
 */
import { basename } from 'node:path';
import { Option, type Command } from 'commander';
import { type Plan } from '../../sim/plan.ts';
import { entryMatches, type EntryFilter } from '../../sim/recorder.ts';
import { type SeedResult } from '../../sim/search/seed_result.ts';
import { diffTrees, pathNames, type Change } from '../../sim/state_diff.ts';
import { stateTree, type StateTree } from '../../sim/state_tree.ts';
import { counted, grouped, parseRange, wholeNumber, type NumberRange } from '../numbers.ts';
import { subcommand } from '../program.ts';
import { writeOutput, type Output } from '../render/output.ts';
import { lineText, linesText, printable, wantsColour, type StyledLine } from '../render/styled_text.ts';
import { tableText } from '../render/table.ts';
import { UsageError } from '../usage_error.ts';
import { MessageTally, TALLY_COLUMNS, type TallyRow } from './message_tally.ts';
import {
  addRunSource,
  isAsRecorded,
  failureText,
  laneStates,
  openRun,
  runOn,
  statusOf,
  violationJson,
  type ObservedRun,
  type RunSourceOptions,
} from './observed_run.ts';
import { nodeTables } from './node_tables.ts';
import { planText } from './plan_view.ts';
import { writeTimeTravelPage } from './show_html.ts';
import { changeLines, stateLines } from './state_view.ts';
import { entryJson, parseNodes } from './timeline.ts';
import { logHeader, logLine, type LogRow } from './timeline_log.ts';

const EVENTS_DEFAULT = 20;
/** More entries than anybody reads; `vopr timeline --log` has no such bound. */
const ENTRIES_MAX = 100_000;

interface ShowOptions extends RunSourceOptions {
  /** A range, or so many last events; true: some. */
  readonly events?: NumberRange | number | true;
  /** An event; true: the last one. */
  readonly state?: number | true;
  readonly diff?: readonly string[];
  readonly config?: true;
  readonly messages?: true;
  readonly nodes?: string;
  /** File for the page. */
  readonly html?: string;
  readonly color: boolean;
  readonly output?: string;
  readonly format: 'human' | 'json';
}

export function addShowCommand(program: Command): void {
  const command = subcommand(program, 'show', 'what a bundle holds, and the state at any of its events', [
    'vopr show .vopr/bundles/combined-1182-agreement.kmb --events 40',
    'vopr show combined --seed 7 --diff 1000 1001 --nodes 0',
  ]);
  addRunSource(command)
    .option('--events [A..B]', `entries of these events, or of the last N (default: ${EVENTS_DEFAULT})`,
      parseEvents)
    .option('--state [event]', 'the whole state after this event (default: the last)', wholeNumber(0))
    .option('--diff <events...>', 'what differs between the states after two events: --diff A B')
    .option('--config', 'the plan: cluster, profiles, workload, faults')
    .option('--messages', 'what became of the messages, by command')
    .option('--nodes <list>', 'only these nodes of entries, states and diffs: replicas by number, c0')
    .option('--html <file>', 'write a page that executes the run in a browser (docs/time_travel.md)')
    .option('--no-color', 'no colours on a terminal (also: NO_COLOR=1)')
    .option('--output <file>', 'write there instead of to standard output')
    .addOption(
      new Option('--format <format>', 'of the output').choices(['human', 'json']).default('human'),
    )
    .action((argument: string, options: ShowOptions) => show(argument, options));
}

async function show(argument: string, options: ShowOptions): Promise<void> {
  if (options.html !== undefined) return showHtml(argument, options, options.html);
  const first = openRun(argument, options);
  const diff = options.diff === undefined ? null : parseDiff(options.diff);
  const { replicaCount, clientCount } = first.world;
  const nodes = options.nodes === undefined ? null : parseNodes(options.nodes, replicaCount, clientCount);
  const name = first.bundle === null ? null : argument === '-' ? 'the bundle' : basename(argument);
  const ending = await runToItsEnd(first, options.messages === true);
  const wanted = wantedOf(options, diff, ending.events);
  const findings = wanted.entries === null && wanted.states.length === 0
    ? NOTHING
    : await look(first.again(), wanted, nodes);
  const shown: Shown = { name, run: first, ending, findings, options, diff, nodes };
  await writeOutput(options.output, async (output) => {
    await output.write(options.format === 'json' ? jsonText(shown) : humanText(shown, output));
  });
}

async function showHtml(argument: string, options: ShowOptions, file: string): Promise<void> {
  const others = ['events', 'state', 'diff', 'config', 'messages', 'nodes', 'output'] as const;
  const other = others.find((name) => options[name] !== undefined);
  if (other !== undefined) throw new UsageError(`--html shows everything: leave out --${other}`);
  const { size, asRecorded } = await writeTimeTravelPage(argument, options, file);
  if (options.format === 'json') {
    process.stdout.write(`${JSON.stringify({ html: file, bytes: size, as_recorded: asRecorded })}\n`);
    return;
  }
  process.stdout.write(`wrote ${printable(file)}, ${grouped(size)} bytes: open it in a browser\n`);
  if (!asRecorded) {
    process.stdout.write(
      'not as recorded: the page shows what this code does; for the recorded run make it at the ' +
        'commit that `vopr show` names\n',
    );
  }
}

// --- Looking ---

interface Ending {
  readonly events: number;
  readonly result: SeedResult;
  readonly tree: StateTree;
  readonly messages: readonly TallyRow[];
}

async function runToItsEnd({ world }: ObservedRun, tallied: boolean): Promise<Ending> {
  const tally = new MessageTally();
  if (tallied) world.observer = tally;
  await runOn(world);
  world.observer = null;
  return { events: world.events, result: world.result(), tree: stateTree(world), messages: tally.rows() };
}

interface Wanted {
  readonly entries: NumberRange | null;
  /** Events after which the state is wanted. */
  readonly states: readonly number[];
}

function wantedOf(options: ShowOptions, diff: readonly [number, number] | null, last: number): Wanted {
  const states = diff === null ? [] : [...diff];
  if (typeof options.state === 'number') states.push(options.state);
  const beyond = states.find((event) => event > last);
  if (beyond !== undefined) {
    throw new UsageError(`there is no event ${grouped(beyond)}: the run ends with event ${grouped(last)}`);
  }
  if (options.events === undefined) return { entries: null, states };
  const events = options.events === true ? EVENTS_DEFAULT : options.events;
  return { entries: typeof events === 'number' ? [last - events + 1, last] : events, states };
}

interface Findings {
  readonly rows: readonly LogRow[];
  /** Entries beyond `ENTRIES_MAX`. */
  readonly rowsLeftOut: number;
  /** By event. */
  readonly trees: ReadonlyMap<number, StateTree>;
}

const NOTHING: Findings = { rows: [], rowsLeftOut: 0, trees: new Map() };

/** Runs as far as anything is wanted. */
async function look(
  { world }: ObservedRun,
  wanted: Wanted,
  nodes: readonly number[] | null,
): Promise<Findings> {
  const rows: LogRow[] = [];
  let rowsLeftOut = 0;
  if (wanted.entries !== null) {
    const filter: EntryFilter = { events: wanted.entries, ...(nodes === null ? {} : { nodes }) };
    world.observer = {
      entry(entry) {
        if (!entryMatches(entry, filter)) return;
        if (rows.length === ENTRIES_MAX) rowsLeftOut++;
        else rows.push({ entry, status: statusOf(world, entry.node), lanes: laneStates(world) });
      },
    };
  }
  const trees = new Map<number, StateTree>();
  for (const event of [...wanted.states].sort((a, b) => a - b)) {
    await runOn(world, event);
    trees.set(event, stateTree(world));
  }
  await runOn(world, wanted.entries?.[1] ?? 0);
  return { rows, rowsLeftOut, trees };
}

// --- Showing ---

interface Shown {
  /** Of the bundle. */
  readonly name: string | null;
  readonly run: ObservedRun;
  readonly ending: Ending;
  readonly findings: Findings;
  readonly options: ShowOptions;
  readonly diff: readonly [number, number] | null;
  readonly nodes: readonly number[] | null;
}

function humanText(shown: Shown, output: Output): string {
  const { run, ending, findings, options, diff } = shown;
  const colour = wantsColour(output, options.color, process.env);
  const parts = [headerText(shown)];
  const section = (lines: readonly StyledLine[]): number => parts.push(linesText(lines, colour));
  if (options.config === true) parts.push(printable(planText(run.world.plan() as unknown as Plan)));
  if (options.messages === true) parts.push(messagesText(ending.messages));
  if (options.events !== undefined) parts.push(rowsText(findings, run.world.replicaCount, colour));
  const state = stateOf(shown);
  if (state !== null) section(stateLines(only(state, shown)));
  if (diff !== null) {
    const changes = changesOf(shown, diff);
    const title = `${counted(changes.length, 'difference')} between the states after events ` +
      `${grouped(diff[0])} and ${grouped(diff[1])}`;
    parts.push(`${title}\n${linesText(changeLines(changes), colour)}`);
  }
  if (parts.length === 1) parts.push(nodeTables(ending.tree));
  return parts.join('\n');
}

function headerText({ name, run, ending }: Shown): string {
  const { bundle, scenario, seed, canary, world } = run;
  const { violation } = ending.result;
  const planted = canary === null ? '' : `, canary ${canary}`;
  const rows: [string, string][] = [];
  const seconds = (world.time.now / 1e6).toFixed(6);
  let now = violation === null
    ? `no violation in ${grouped(ending.events)} events, ${seconds} s virtual`
    : failureText(violation);
  if (bundle !== null) {
    const { code, failure, decisions } = bundle;
    rows.push(['failure', failureText(failure)]);
    if (failure.signature !== null) rows.push(['signature', printable(failure.signature)]);
    rows.push(['recorded', `by kimberlite ${code.version}, commit ${code.commit}, Node ${code.node}`]);
    if (decisions !== null) rows.push(['decisions', `${grouped(decisions.count)} on the tape`]);
    if (isAsRecorded(failure, violation)) now = 'as recorded';
  }
  rows.push(['now', now]);
  rows.push(['digest', ending.result.digest]);
  const faults = (world.plan() as unknown as Plan).faults.length;
  rows.push(['plan', `${counted(world.replicaCount, 'replica')}, ${counted(world.clientCount, 'client')}, ` +
    `${counted(faults, 'scheduled fault')}`]);
  const title = `${name === null ? '' : `${name}: `}scenario ${scenario}, seed ${seed}${planted}`;
  return `${title}\n${rows.map(([label, text]) => `  ${label.padEnd(9)}  ${text}\n`).join('')}`;
}

function messagesText(rows: readonly TallyRow[]): string {
  const columns = TALLY_COLUMNS.map(
    (column) => [column, (row: TallyRow) => grouped(row[column])] as const,
  );
  return tableText(rows, [['command', (row: TallyRow) => row.command], ...columns]);
}

function rowsText({ rows, rowsLeftOut }: Findings, replicaCount: number, colour: boolean): string {
  const lines = [logHeader(replicaCount), ...rows.map((row) => logLine(row, replicaCount))];
  const hint = `and ${grouped(rowsLeftOut)} more: \`vopr timeline --log\` shows them\n`;
  return `${lines.map((line) => `${lineText(line, colour)}\n`).join('')}${rowsLeftOut === 0 ? '' : hint}`;
}

/** Null: it was not asked for. */
function stateOf({ options, findings, ending }: Shown): StateTree | null {
  if (options.state === undefined) return null;
  return options.state === true ? ending.tree : (findings.trees.get(options.state) as StateTree);
}

/** The tree with the chosen nodes alone. */
function only(tree: StateTree, { nodes, run }: Shown): StateTree {
  if (nodes === null) return tree;
  const { replicaCount } = run.world;
  const names = new Set(nodes.map((node) => (node < replicaCount ? `R${node}` : `C${node - replicaCount}`)));
  const chosen = (branch: StateTree['replicas']): StateTree['replicas'] =>
    Object.fromEntries(Object.entries(branch).filter(([name]) => names.has(name)));
  return { ...tree, replicas: chosen(tree.replicas), clients: chosen(tree.clients) };
}

function changesOf(shown: Shown, [a, b]: readonly [number, number]): Change[] {
  const { trees } = shown.findings;
  const changes = diffTrees(only(trees.get(a) as StateTree, shown), only(trees.get(b) as StateTree, shown));
  // When, and how far, was asked.
  return changes.filter(({ path }) => !['event', 'virtualMicros'].includes(pathNames(path)[0] as string));
}

/** Field names are a promise. Sections are those asked for; of none, the state at the end. */
function jsonText(shown: Shown): string {
  const { name, run, ending, findings, options, diff } = shown;
  const { bundle, scenario, seed, canary, world } = run;
  const { violation, digest } = ending.result;
  const sections = [options.config, options.messages, options.events, options.state, options.diff];
  const state = sections.every((section) => section === undefined) ? ending.tree : stateOf(shown);
  const json = {
    bundle: bundle === null ? null : {
      name,
      code: bundle.code,
      failure: violationJson(bundle.failure),
      events: bundle.events,
      digest: bundle.digests.final,
      decisions: bundle.decisions?.count ?? null,
    },
    scenario,
    seed,
    canary,
    replicas: world.replicaCount,
    clients: world.clientCount,
    events: ending.events,
    virtual_micros: world.time.now,
    digest,
    violation: violation === null ? null : violationJson(violation),
    as_recorded: bundle === null ? null : isAsRecorded(bundle.failure, violation),
    ...(options.config === true ? { plan: world.plan() } : {}),
    ...(options.messages === true ? { messages: ending.messages } : {}),
    ...(options.events === undefined ? {} : {
      entries: findings.rows.map(({ entry }) => entryJson(entry, world.replicaCount)),
      entries_left_out: findings.rowsLeftOut,
    }),
    ...(state === null ? {} : { state: only(state, shown) }),
    ...(diff === null ? {} : { diff: { from: diff[0], to: diff[1], changes: changesOf(shown, diff) } }),
  };
  return `${JSON.stringify(json, null, 2)}\n`;
}

// --- Options ---

function parseEvents(text: string): NumberRange | number {
  return text.includes('..') ? parseRange(text) : wholeNumber(1)(text);
}

/** `A B` or `A..B`. */
function parseDiff(words: readonly string[]): readonly [number, number] {
  const ends = words.flatMap((word) => word.split('..'));
  const [from, to] = ends.map((end) => (/^\d[\d_,]*$/.test(end) ? Number(end.replaceAll(/[_,]/g, '')) : -1));
  if (ends.length === 2 && from !== undefined && to !== undefined && from >= 0 && to >= 0) return [from, to];
  throw new UsageError(
    '--diff wants two events, such as --diff 100 200; name the bundle before it',
  );
}
