/** What `vopr minimize` reports: for people, and as one JSON object. */
import { type BundleCode, type BundleFailure } from '../../bundles/format.ts';
import { type DecisionCount } from '../../sim/search/minimize/decisions_of.ts';
import { type Effort } from '../../sim/search/minimize/minimizer.ts';
import { type SeedViolation } from '../../sim/search/seed_result.ts';
import { counted, duration, grouped, listed, short } from '../numbers.ts';
import { bundleCommand } from './commands.ts';

/** A failing plan in figures. */
export interface Size {
  readonly events: number;
  readonly virtualMicros: number;
  readonly decisions: DecisionCount;
}

/** Why it ended: nothing is smaller, too little was gained, the time is over, Ctrl-C. */
export type EndedBy = 'smallest' | 'patience' | 'budget' | 'interrupt';

export interface MinimizeReport {
  readonly name: string;
  readonly scenario: string;
  readonly seed: string;
  readonly canary: string | null;
  readonly recorded: BundleFailure;
  readonly signature: string;
  /** The smallest plan's failure. */
  readonly failure: SeedViolation;
  readonly before: Size;
  readonly after: Size;
  readonly effort: Effort;
  readonly seconds: number;
  /** Of all threads together. */
  readonly cpuSeconds: number;
  readonly jobs: number;
  readonly endedBy: EndedBy;
  readonly code: BundleCode;
  /** Paths; null: not asked for. */
  readonly bundle: string;
  readonly test: string | null;
  readonly story: string | null;
}

/** Share of the decisions that are gone, in percent. */
export function reduction({ before, after }: Pick<MinimizeReport, 'before' | 'after'>): number {
  return 100 - (100 * after.decisions.total) / Math.max(1, before.decisions.total);
}

export function minimizeText(report: MinimizeReport): string {
  const { before, after, effort, failure } = report;
  const canary = report.canary === null ? '' : `, canary ${report.canary}`;
  const known = effort.cacheHits === 0 ? '' : `, ${grouped(effort.cacheHits)} known without`;
  const rate = short(effort.tries / Math.max(report.seconds, 1e-3));
  const rows: [string, string][] = [
    ['before', sizeText(before)],
    ['after', sizeText(after)],
    ['smaller', `${reduction(report).toFixed(1)} % of the decisions are gone`],
    ['failure', `${failure.invariant}: ${failure.message}`],
    [
      'effort',
      `${counted(effort.tries, 'plan')} run in ${duration(report.seconds)} ` +
        `(${duration(report.cpuSeconds)} of processor) on ${counted(report.jobs, 'thread')}, ` +
        `${rate}/s${known}; ${ENDED[report.endedBy]}`,
    ],
    ['wrote', report.bundle],
  ];
  for (const path of [report.test, report.story]) if (path !== null) rows.push(['', path]);
  rows.push(['replay', bundleCommand(report.bundle, report.code)]);
  const lines = rows.map(([label, text]) => `  ${label.padEnd(8)}${text}\n`);
  return `${report.name}: scenario ${report.scenario}, seed ${report.seed}${canary}\n${lines.join('')}`;
}

const ENDED: Readonly<Record<EndedBy, string>> = {
  smallest: 'no change tried makes it smaller',
  patience: 'the rest gains too little for its cost, --thorough tries it',
  budget: 'the time is over, there may be a smaller one',
  interrupt: 'interrupted, there may be a smaller one',
};

function sizeText({ events, decisions, virtualMicros }: Size): string {
  const { total, ...kinds } = decisions;
  const parts = Object.entries(kinds).filter(([, count]) => count > 0);
  const of = parts.map(([kind, count]) => `${grouped(count)} ${count === 1 ? SINGULAR[kind] : kind}`);
  return (
    `${counted(events, 'event')}, ${(virtualMicros / 1e6).toFixed(3)} s virtual, ` +
    `${counted(total, 'decision')}: ${listed(of)}`
  );
}

const SINGULAR: Readonly<Record<string, string>> = {
  nodes: 'node',
  operations: 'operation',
  faults: 'fault',
  chances: 'chance',
  delays: 'delay',
  numbers: 'number',
};

export function minimizeJson(report: MinimizeReport): string {
  const { before, after, effort } = report;
  return `${JSON.stringify(
    {
      reproduced: true,
      scenario: report.scenario,
      seed: report.seed,
      canary: report.canary,
      signature: report.signature,
      failure: report.failure,
      before: sizeJson(before),
      after: sizeJson(after),
      reduction_percent: Number(reduction(report).toFixed(2)),
      seconds: Number(report.seconds.toFixed(3)),
      cpu_seconds: Number(report.cpuSeconds.toFixed(3)),
      jobs: report.jobs,
      tries: effort.tries,
      cache_hits: effort.cacheHits,
      accepted: effort.accepted,
      rounds: effort.rounds,
      ended_by: report.endedBy,
      bundle: report.bundle,
      test: report.test,
      story: report.story,
    },
    null,
    2,
  )}\n`;
}

function sizeJson({ events, virtualMicros, decisions }: Size): object {
  return { events, virtual_micros: virtualMicros, decisions };
}
