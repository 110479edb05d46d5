/**
 * A report as one HTML file for people: no scripts, nothing fetched, light and dark. Scenarios,
 * failures with the commands that show them again, and all counters folded away below.
 */
import { probesNeverHit, type Counts } from '../../sim/search/campaign_summary.ts';
import { counted, duration, grouped, short } from '../numbers.ts';
import { inClone, replayCommand, seedCommand } from './commands.ts';
import { distinctFailures, type DistinctFailure, type Failure } from './failures.ts';
import { escapeMarkup as text } from './markup.ts';
import { codeText, outcomeOf, scenarioText, worstOutcome, type Renderer, type RunReport } from './report.ts';

const SEEDS_SHOWN_MAX = 200;

const STYLE = `
:root { color-scheme: light dark; --line: #8884; --bad: #c62828; --odd: #b26a00; --good: #2e7d32; }
@media (prefers-color-scheme: dark) { :root { --bad: #ff8a80; --odd: #ffcc80; --good: #a5d6a7; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 0.5rem 0 1.5rem; }
th, td { text-align: left; padding: 0.2rem 0.8rem 0.2rem 0; border-bottom: 1px solid var(--line); }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
pre, code { font: 13px/1.5 ui-monospace, monospace; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; padding: 0.6rem 0.8rem; border: 1px solid var(--line); }
.wide { overflow-x: auto; }
.violated, .incomplete { color: var(--bad); } .vacuous { color: var(--odd); } .passed { color: var(--good); }
`;

export function htmlRenderer(write: (text: string) => void): Renderer {
  return {
    started() {},
    seedTaken() {},
    violated() {},
    finished() {},
    ended: (reports) => write(htmlReport(reports)),
  };
}

export function htmlReport(reports: readonly RunReport[]): string {
  const worst = worstOutcome(reports);
  const failures = distinctFailures(reports);
  const codes = new Set(reports.map(({ code }) => codeText(code)));
  const begun = reports.map(({ startedAt }) => startedAt).sort()[0] ?? '';
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>vopr: ${worst}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>vopr: <span class="${worst}">${worst}</span></h1>
<p>${[...codes].map(text).join('<br>')}<br>${text(begun)}</p>
${scenarioTable(reports)}
${reports.map(shortfalls).join('')}${failures.length === 0 ? '' : '<h2>Failures</h2>\n'}${
  failures.map(failureSection).join('')
}<h2>Counted</h2>
${reports.map(countedSection).join('')}</body>
</html>
`;
}

type Column = readonly [title: string, cell: (report: RunReport) => string, kind?: 'number'];

const COLUMNS: readonly Column[] = [
  ['scenario', (report) => text(scenarioText(report))],
  ['outcome', (report) => `<span class="${outcomeOf(report)}">${outcomeOf(report)}</span>`],
  ['first', ({ summary }) => String(summary.first), 'number'],
  ['seeds', ({ summary }) => grouped(summary.count), 'number'],
  ['passed', ({ summary }) => grouped(summary.passed), 'number'],
  ['violated', ({ summary }) => grouped(summary.violations.length), 'number'],
  ['vacuous', ({ summary }) => grouped(summary.vacuous.length), 'number'],
  ['events', ({ summary }) => short(summary.events), 'number'],
  ['events/s', ({ summary, wallSeconds }) => short(summary.events / Math.max(wallSeconds, 1e-3)), 'number'],
  ['virtual time', ({ summary }) => duration(summary.virtualMicros / 1e6), 'number'],
  ['took', ({ wallSeconds }) => duration(wallSeconds), 'number'],
  ['digest', ({ summary }) => `<code>${text(summary.digest)}</code>`],
];

function scenarioTable(reports: readonly RunReport[]): string {
  const row = (tag: 'th' | 'td', of: (column: Column) => string): string => {
    const cells = COLUMNS.map((column) => {
      const mark = column[2] === undefined ? '' : ` class="${column[2]}"`;
      return `<${tag}${mark}>${of(column)}</${tag}>`;
    });
    return `<tr>${cells.join('')}</tr>\n`;
  };
  const head = row('th', ([title]) => title);
  const rows = reports.map((report) => row('td', ([, cell]) => cell(report)));
  return `<div class="wide"><table>\n${head}${rows.join('')}</table></div>`;
}

function shortfalls({ summary, canary, missing }: RunReport): string {
  const items = missing.map((what) => `incomplete: ${what}`);
  for (const [reason, count] of Object.entries(summary.unmet)) {
    items.push(`vacuous: ${reason}: not so in ${counted(count, 'seed')}`);
  }
  if (canary !== null && summary.violations.length === 0) {
    items.push(`canary ${canary.name} ${summary.canaryReached === 0 ? 'was never reached' : 'survived'}`);
  }
  return items.map((item) => `<p>${text(summary.scenario)}: ${text(item)}</p>\n`).join('');
}

function failureSection({ signature, id, kept, all }: DistinctFailure): string {
  const { violation, report, bundle } = kept;
  const at = `event ${grouped(violation.event)}, ${(violation.virtualMicros / 1e6).toFixed(6)} s virtual`;
  const commands = [seedCommand(kept), ...(bundle === null ? [] : [replayCommand(kept)])];
  return `<section id="failure-${id}">
<h3 class="violated">${text(violation.invariant)}: ${text(scenarioText(report))}, seed ${violation.seed}</h3>
<p>${at}; signature <code>${text(signature)}</code>, in ${counted(all.length, 'seed')}</p>
<pre>${text(violation.message)}</pre>
<pre>${commands.flatMap((line) => [line, inClone(line)]).map(text).join('\n')}</pre>
${othersText(all.filter((one) => one !== kept))}</section>
`;
}

function othersText(others: readonly Failure[]): string {
  if (others.length === 0) return '';
  const named = others
    .slice(0, SEEDS_SHOWN_MAX)
    .map(({ report, violation }) => `${scenarioText(report)} ${violation.seed}`);
  const more = others.length > SEEDS_SHOWN_MAX ? ` and ${grouped(others.length - SEEDS_SHOWN_MAX)} more` : '';
  return `<details><summary>other seeds</summary><p>${text(named.join(', '))}${more}</p></details>\n`;
}

function countedSection({ summary }: RunReport): string {
  const never = probesNeverHit(summary);
  const probes = Object.keys(summary.probes).length;
  const list = never.map((name) => `<li>${text(name)}</li>`).join('');
  const parts = [
    countTable('checks', summary.checks),
    countTable('gates', summary.gates),
    countTable('faults', summary.faults),
    `<h4>probes: ${probes - never.length} of ${probes} reached</h4>\n`,
    never.length === 0 ? '' : `<p>never reached:</p><ul>${list}</ul>\n`,
  ];
  return `<details><summary>${text(summary.scenario)}</summary>\n${parts.join('')}</details>\n`;
}

function countTable(title: string, counts: Counts): string {
  const rows = Object.entries(counts).map(
    ([name, count]) => `<tr><td>${text(name)}</td><td class="number">${grouped(count)}</td></tr>\n`,
  );
  return rows.length === 0 ? '' : `<h4>${title}</h4>\n<table>\n${rows.join('')}</table>\n`;
}
