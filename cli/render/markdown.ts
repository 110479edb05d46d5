/** Reports in Markdown: the summary of a job, and the text of an issue for one failure. */
import { counted, duration, grouped, short } from '../numbers.ts';
import { inClone, replayCommand, seedCommand } from './commands.ts';
import { distinctFailures, type DistinctFailure } from './failures.ts';
import { codeBlock, plainMarkdown } from './markup.ts';
import { codeText, outcomeOf, scenarioText, worstOutcome, type RunReport } from './report.ts';

/** Other seeds with the same failure that are named. */
const SEEDS_SHOWN_MAX = 50;
/** Of a message: issue trackers take 64 KiB in all. */
const MESSAGE_SHOWN_MAX = 8_000;

export function summaryMarkdown(reports: readonly RunReport[]): string {
  const failures = distinctFailures(reports);
  const lines = [
    `## vopr: ${worstOutcome(reports)}`,
    '',
    '| scenario | outcome | seeds | violated | vacuous | events | events/s | virtual time | digest |',
    '| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |',
    ...reports.map(rowOf),
    '',
  ];
  for (const report of reports) lines.push(...shortfalls(report));
  for (const failure of failures) {
    lines.push(`### ${titleOf(failure)}`, '', failureMarkdown(failure));
  }
  return `${lines.join('\n')}\n`;
}

function rowOf(report: RunReport): string {
  const { summary, wallSeconds } = report;
  const cells = [
    scenarioText(report),
    outcomeOf(report),
    grouped(summary.count),
    grouped(summary.violations.length),
    grouped(summary.vacuous.length),
    short(summary.events),
    short(summary.events / Math.max(wallSeconds, 1e-3)),
    duration(summary.virtualMicros / 1e6),
    `\`${summary.digest}\``,
  ];
  return `| ${cells.join(' | ')} |`;
}

/** Why a report without a violation is not a pass. */
function shortfalls({ summary, canary, missing }: RunReport): string[] {
  const { scenario } = summary;
  const lines = missing.map((what) => `- ${scenario} is incomplete: ${plainMarkdown(what)}`);
  for (const [reason, count] of Object.entries(summary.unmet)) {
    lines.push(`- ${scenario} is vacuous: ${plainMarkdown(reason)}: not so in ${counted(count, 'seed')}`);
  }
  if (canary !== null && summary.violations.length === 0) {
    const how = summary.canaryReached === 0 ? 'was never reached' : `survived ${canary.checker}`;
    lines.push(`- ${scenario}: canary ${canary.name} ${how}`);
  }
  return lines.length === 0 ? [] : [...lines, ''];
}

// --- Issues ---

export interface IssueText {
  /** `[vopr 3fa2c1d0] agreement violated: combined, seed 1182`. */
  readonly title: string;
  readonly body: string;
}

/** The id in brackets is what later failures of the same signature find it by. */
export function issueOf(failure: DistinctFailure): IssueText {
  const footer =
    `One issue a signature: \`vopr ${failure.id}\` stands for ${codeSpan(failure.signature)}. ` +
    'Fixed when `vopr repro` exits 0; then keep the bundle in `bundles/regression/`.';
  const title = `[vopr ${failure.id}] ${titleOf(failure)}`;
  return { title, body: `${failureMarkdown(failure)}\n${footer}\n` };
}

function titleOf({ kept, all }: DistinctFailure): string {
  const { violation, report } = kept;
  const more = all.length === 1 ? '' : ` and ${counted(all.length - 1, 'more seed')}`;
  return `${violation.invariant} violated: ${scenarioText(report)}, seed ${violation.seed}${more}`;
}

function failureMarkdown({ kept, all }: DistinctFailure): string {
  const { violation, report, bundle } = kept;
  const { code } = report;
  const checkout = /^[0-9a-f]+$/.test(code.commit) ? [`git checkout ${code.commit} && npm ci`] : [];
  const parts = [
    codeBlock(violation.message.slice(0, MESSAGE_SHOWN_MAX)),
    `Scenario ${scenarioText(report)}, seed ${violation.seed}: event ${grouped(violation.event)}, ` +
      `${(violation.virtualMicros / 1e6).toFixed(6)} s virtual; ${codeText(code)}.`,
    '',
    'From the seed, in a clone:',
    '',
    codeBlock([...checkout, inClone(seedCommand(kept))].join('\n'), 'sh'),
  ];
  if (bundle !== null) {
    parts.push('From the bundle, also on changed code:', '', codeBlock(inClone(replayCommand(kept)), 'sh'));
  }
  if (all.length > 1) parts.push(othersText(all.filter((one) => one !== kept)), '');
  return parts.join('\n');
}

function othersText(others: DistinctFailure['all']): string {
  const byScenario = new Map<string, number[]>();
  for (const { report, violation } of others.slice(0, SEEDS_SHOWN_MAX)) {
    const { scenario } = report.summary;
    byScenario.set(scenario, [...(byScenario.get(scenario) ?? []), violation.seed]);
  }
  const shown = [...byScenario].map(([scenario, seeds]) => `${scenario} ${seeds.join(' ')}`);
  const more = others.length - SEEDS_SHOWN_MAX;
  return `Also in: ${shown.join('; ')}${more > 0 ? `, and ${grouped(more)} more` : ''}.`;
}

function codeSpan(text: string): string {
  return text.includes('`') ? plainMarkdown(text) : `\`${text}\``;
}
