/** What `vopr explore` says, and `vopr repro` of a bundle that it wrote. */
import { type Bundle, type BundleCode } from '../../bundles/format.ts';
import { type ExploreBounds, type SearchOrder } from '../../sim/search/explore/explore_bounds.ts';
import { type ExplorePlan } from '../../sim/search/explore/explore_plan.ts';
import { type ExploreCounts, type ExploreEnd } from '../../sim/search/explore/explorer.ts';
import { type Verification } from '../../sim/search/explore/verification.ts';
import { type ReplayOutcome } from '../../sim/search/replay_bundle.ts';
import { type SeedViolation } from '../../sim/search/seed_result.ts';
import { type Replay } from '../../sim/search/seed_run.ts';
import { counted, duration, grouped, short } from '../numbers.ts';
import { bundleCommand, inClone } from './commands.ts';

export type ExploreOutcome = ExploreEnd | 'interrupted' | 'time';

export interface ExploreFinding {
  readonly invariant: string;
  readonly message: string;
  /** Actions of the run that is told, and of the run that was found first. */
  readonly actions: number;
  readonly actionsFound: number;
  /** A line an action. */
  readonly story: readonly string[];
  readonly bundle: string;
}

export interface ExploreReport {
  readonly bounds: ExploreBounds;
  readonly order: SearchOrder;
  readonly statesMax: number;
  readonly timeBudgetSeconds: number | null;
  readonly canary: string | null;
  /** Visits of the canary's site. */
  readonly canaryReached: number;
  readonly end: ExploreOutcome;
  readonly counts: ExploreCounts;
  readonly finding: ExploreFinding | null;
  readonly verification: Verification | null;
  readonly seconds: number;
  readonly code: BundleCode;
}

export function boundsText(bounds: ExploreBounds, order: SearchOrder): string {
  const { replicas, clients, operations, crashes, timeouts, duplicates, disk } = bounds;
  const parts = [
    counted(replicas, 'replica'),
    counted(clients, 'client'),
    counted(operations, 'operation'),
    `up to ${crashes} ${crashes === 1 ? 'crash' : 'crashes'}, ${counted(timeouts, 'timeout')}`,
    `${counted(duplicates, 'duplicate')}, any losses and delays`,
  ];
  return `${parts.join(', ')}; disk ${disk}; ${order}`;
}

export function exploreText(report: ExploreReport): string {
  const { counts, finding, seconds, canary } = report;
  const known = counts.transitions === 0 ? 0 : 1 - (counts.states - 1) / counts.transitions;
  const rate = Math.max(seconds, 1e-3);
  const rows: [string, string][] = [
    [
      'states',
      `${grouped(counts.states)} distinct; ${grouped(counts.transitions)} steps, ` +
        `${(known * 100).toFixed(1)} % of them to states already known`,
    ],
    ['depth', `${counted(counts.depth, 'step')} at most; frontier ${grouped(counts.frontier)}`],
    [
      'parts',
      `${counted(counts.nodeStates, 'state')} of replicas and clients, ` +
        `${grouped(counts.checkerStates)} of the checkers, ${counted(counts.messages, 'message')}; ` +
        `the real code ran ${counted(counts.executed, 'step')}`,
    ],
    [
      'rate',
      `${short(counts.states / rate)} states/s, ${short(counts.transitions / rate)} steps/s; ` +
        `${duration(seconds)}`,
    ],
  ];
  if (report.verification !== null) rows.push(['verified', verificationText(report.verification)]);
  if (canary !== null && finding === null) {
    rows.push([
      'canary',
      report.canaryReached === 0
        ? `${canary} was never reached: no run came by where it is planted`
        : `${canary} survived: its site was reached, and no checker spoke`,
    ]);
  }
  return `${endText(report)}\n${rowsText(rows)}${finding === null ? '' : findingText(report, finding)}`;
}

/** What was and what was not looked at. */
function endText({ end, counts, bounds, statesMax, timeBudgetSeconds }: ExploreReport): string {
  const waits =
    `${counted(counts.frontier, 'state')} wait to be expanded; ` +
    'what lies behind them was not looked at';
  switch (end) {
    case 'exhausted': return 'exhausted: every run within these bounds was looked at, and no checker spoke';
    case 'depth':
      return (
        `bounded by --depth ${bounds.depth}: longer runs were not looked at; ` +
        'in shorter ones no checker spoke'
      );
    case 'states': return `bounded by --states ${grouped(statesMax)}: ${waits}`;
    case 'time': return `bounded by --time-budget ${timeBudgetSeconds ?? 0}: ${waits}`;
    case 'found': return 'a checker spoke';
    default: return `interrupted: ${waits}`;
  }
}

function verificationText({ answers, deliveries, problem }: Verification): string {
  if (problem !== null) return `NOT: ${problem}`;
  return (
    `${grouped(answers)} answers of states reached in two ways are alike, ` +
    `${grouped(deliveries)} deliveries of dead messages changed nothing`
  );
}

function findingText({ canary, code }: ExploreReport, finding: ExploreFinding): string {
  const { invariant, message, actions, actionsFound, story, bundle } = finding;
  const command = bundleCommand(bundle, code);
  const here = process.env['npm_lifecycle_event'] === 'vopr';
  const found = actions === actionsFound ? '' : `, ${actionsFound} as it was found`;
  const rows: [string, string][] = [
    ['run', `${counted(actions, 'action')}${found}`],
    ['replay', here ? `${command}   (in this clone: ${inClone(command)})` : command],
  ];
  if (canary !== null) rows.push(['hint', `canary ${canary} was planted`]);
  const lines = story.map((line, i) => `  ${String(i + 1).padStart(4)}  ${line}\n`);
  return `\nviolation of ${invariant}: ${message}\n${rowsText(rows)}\n${lines.join('')}`;
}

function rowsText(rows: readonly (readonly [string, string])[]): string {
  return rows.map(([label, text]) => `  ${label.padEnd(9)} ${text}\n`).join('');
}

/** Field names are a promise. */
export function exploreJson(report: ExploreReport): Record<string, unknown> {
  const { bounds, counts, finding, verification } = report;
  return {
    bounds,
    states_max: report.statesMax,
    time_budget_seconds: report.timeBudgetSeconds,
    search: report.order,
    canary: report.canary,
    canary_reached: report.canaryReached,
    end: report.end,
    exhausted: report.end === 'exhausted',
    states: counts.states,
    transitions: counts.transitions,
    expanded: counts.expanded,
    frontier: counts.frontier,
    depth: counts.depth,
    node_states: counts.nodeStates,
    checker_states: counts.checkerStates,
    messages: counts.messages,
    executed: counts.executed,
    seconds: report.seconds,
    verification,
    violation:
      finding === null
        ? null
        : {
            invariant: finding.invariant,
            message: finding.message,
            actions: finding.actions,
            actions_found: finding.actionsFound,
            story: finding.story,
            bundle: finding.bundle,
          },
    code: report.code,
  };
}

// --- A bundle again ---

export interface PathReplay {
  readonly outcome: ReplayOutcome;
  readonly replay: Replay;
  /** Actions that did not fit any more, and the first of them, by number; 0: all fit. */
  readonly misfits: number;
  readonly firstMisfit: number;
}

export function pathReplayText(
  name: string,
  bundle: Bundle,
  plan: ExplorePlan,
  run: PathReplay,
  misfit: string,
): string {
  const { code, failure, canary } = bundle;
  const { violation } = run.replay.result;
  const planted = canary === null ? '' : `, canary ${canary}`;
  const lines = [
    `${name}: found by vopr explore, ${counted(plan.replicas, 'replica')}, ` +
      `${counted(plan.clients, 'client')}${planted}`,
    `  recorded   ${failureText(failure)}`,
    `             by kimberlite ${code.version}, commit ${code.commit}, Node ${code.node}`,
    `  now        ${violation === null ? 'no violation' : failureText(violation)}`,
    `  actions    ${fitText(bundle, run, misfit)}`,
  ];
  if (run.replay.lastEvents.length > 0) {
    lines.push(`  last ${counted(run.replay.lastEvents.length, 'action')}`);
    for (const event of run.replay.lastEvents) lines.push(`    ${event}`);
  }
  lines.push(run.outcome);
  return `${lines.join('\n')}\n`;
}

function failureText({ invariant, event, message }: SeedViolation): string {
  return `${invariant} at action ${event}: ${message}`;
}

function fitText({ events }: Bundle, { misfits, firstMisfit, replay }: PathReplay, misfit: string): string {
  if (misfits > 0) {
    return `${misfits} of ${events} do not fit any more; the first is action ${firstMisfit}: ${misfit}`;
  }
  const { departure } = replay;
  if (departure === null) return `all ${events} fit, and led to the states as recorded`;
  return `all that were made fit; action ${departure.event} led to another state than recorded`;
}

/** Field names are a promise. */
export function pathReplayJson(path: string, bundle: Bundle, run: PathReplay): Record<string, unknown> {
  const { violation, events, digest } = run.replay.result;
  return {
    bundle: path,
    scenario: bundle.scenario,
    canary: bundle.canary,
    outcome: run.outcome,
    recorded: failureJson(bundle.failure),
    now: violation === null ? null : failureJson(violation),
    actions: { recorded: bundle.events, now: events, misfits: run.misfits, first_misfit: run.firstMisfit },
    digest: { recorded: bundle.digests.final, now: digest },
    departure: run.replay.departure,
    last_actions: run.replay.lastEvents,
  };
}

function failureJson({ invariant, event, message }: SeedViolation): Record<string, unknown> {
  return { invariant, action: event, message };
}
