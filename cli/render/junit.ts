/**
 * JUnit's XML, which every CI system shows: a suite for each scenario, a failing case for each
 * violation. The seeds are one more case, however many passed, which fails when some are missing; and
 * a case says whether the scenario happened at all.
 */
import { counted } from '../numbers.ts';
import { inClone, replayCommand, seedCommand } from './commands.ts';
import { failuresOf, type Failure } from './failures.ts';
import { escapeAttribute, escapeMarkup } from './markup.ts';
import { codeText, scenarioText, type Renderer, type RunReport } from './report.ts';

export function junitRenderer(write: (text: string) => void): Renderer {
  return {
    started() {},
    seedTaken() {},
    violated() {},
    finished() {},
    ended: (reports) => write(junitText(reports)),
  };
}

interface Case {
  readonly name: string;
  readonly seconds: number;
  /** Null: it passed. */
  readonly failure: { readonly type: string; readonly message: string; readonly text: string } | null;
}

export function junitText(reports: readonly RunReport[]): string {
  const suites = reports.map((report) => ({ report, cases: casesOf(report) }));
  const all = suites.flatMap(({ cases }) => cases);
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    element('testsuites', { name: 'vopr', ...totals(all) }),
  ];
  for (const { report, cases } of suites) lines.push(...suiteLines(report, cases));
  return `${lines.join('\n')}\n</testsuites>\n`;
}

function suiteLines(report: RunReport, cases: readonly Case[]): string[] {
  const { summary, code } = report;
  const name = scenarioText(report);
  const attributes = { name, ...totals(cases), skipped: 0, timestamp: report.startedAt.slice(0, 19) };
  const properties: [string, string | number][] = [
    ['first', summary.first],
    ['seeds', summary.count],
    ['events', summary.events],
    ['digest', summary.digest],
    ['version', code.version],
    ['commit', code.commit],
    ['node', code.node],
  ];
  return [
    `  ${element('testsuite', attributes)}`,
    '    <properties>',
    ...properties.map(([key, value]) => `      ${element('property', { name: key, value }, '/')}`),
    '    </properties>',
    ...cases.flatMap((one) => caseLines(name, one)),
    '  </testsuite>',
  ];
}

function caseLines(suite: string, { name, seconds, failure }: Case): string[] {
  const attributes = { classname: suite, name, time: seconds.toFixed(3) };
  if (failure === null) return [`    ${element('testcase', attributes, '/')}`];
  const { type, message, text } = failure;
  return [
    `    ${element('testcase', attributes)}`,
    `      ${element('failure', { type, message })}${escapeMarkup(text)}</failure>`,
    '    </testcase>',
  ];
}

function casesOf(report: RunReport): Case[] {
  const { summary, canary, missing } = report;
  const cases: Case[] = failuresOf(report).map((failure) => ({
    name: `seed ${failure.violation.seed}`,
    seconds: 0,
    failure: {
      type: failure.violation.invariant,
      message: failure.violation.message,
      text: violationText(failure),
    },
  }));
  const happened = summary.vacuous.length === 0 && (canary === null || summary.canaryReached > 0);
  cases.push({
    name: 'the scenario happened',
    seconds: 0,
    failure: happened || summary.count === 0
      ? null
      : { type: 'vacuous', message: vacuousMessage(report), text: vacuousText(report) },
  });
  const lost = missing.join('; ');
  cases.push({
    name: 'seeds',
    seconds: report.wallSeconds,
    failure: missing.length === 0 ? null : { type: 'incomplete', message: lost, text: lost },
  });
  return cases;
}

function violationText(failure: Failure): string {
  const { violation, report, bundle } = failure;
  const lines = [
    `${violation.invariant}: ${violation.message}`,
    `at ${(violation.virtualMicros / 1e6).toFixed(6)} s virtual, event ${violation.event}`,
    `code: ${codeText(report.code)}`,
    `replay: ${replayCommand(failure)}`,
  ];
  if (bundle !== null) lines.push(`from the seed: ${seedCommand(failure)}`);
  lines.push(`in a clone: ${inClone(seedCommand(failure))}`);
  return lines.join('\n');
}

function vacuousMessage({ summary, canary }: RunReport): string {
  if (summary.vacuous.length > 0) return `vacuous in ${counted(summary.vacuous.length, 'seed')}`;
  return `canary ${canary?.name} was never reached`;
}

function vacuousText({ summary }: RunReport): string {
  const reasons = Object.entries(summary.unmet);
  const lines = reasons.map(([reason, count]) => `${reason}: not so in ${counted(count, 'seed')}`);
  return [...lines, `seeds: ${summary.vacuous.slice(0, 100).join(' ')}`].join('\n');
}

function totals(cases: readonly Case[]): Record<string, string | number> {
  return {
    tests: cases.length,
    failures: cases.filter(({ failure }) => failure !== null).length,
    errors: 0,
    time: cases.reduce((sum, { seconds }) => sum + seconds, 0).toFixed(3),
  };
}

type Attributes = Readonly<Record<string, string | number>>;

function element(name: string, attributes: Attributes, end: '' | '/' = ''): string {
  const pairs = Object.entries(attributes).map(([key, value]) => {
    return `${key}="${escapeAttribute(String(value))}"`;
  });
  return `<${[name, ...pairs].join(' ')}${end}>`;
}
