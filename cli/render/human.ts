/**
 * For people. A passed scenario takes a line; a violation tells its story: what contradicts, when
 * and where, which run and code, and the command that replays it.
 */
import { type BundleCode } from '../../bundles/format.ts';
import { counted, duration, grouped, listed, short } from '../numbers.ts';
import { probesNeverHit, type CampaignViolation } from '../../sim/search/campaign_summary.ts';
import { signatureOf } from '../../sim/search/signature.ts';
import { bundleCommand, inClone } from './commands.ts';
import { type Progress } from './progress.ts';
import { codeText, type Renderer, type RunReport, type Verbosity, type ViolationContext } from './report.ts';

const SEEDS_SHOWN_MAX = 10;
const SCENARIO_WIDTH = 30;

export function humanRenderer(
  write: (text: string) => void,
  progress: Progress,
  verbosity: Verbosity,
): Renderer {
  let events = 0;
  let earlyCount = 0;
  return {
    started(scenario, count, early) {
      events = 0;
      earlyCount = early.length;
      if (early.length > 0 && verbosity >= 1) write(earlyText(scenario, early));
      progress.start(scenario, count);
    },
    seedTaken(result, taken) {
      events += result.events;
      if (verbosity >= 3) {
        progress.clear();
        const how =
          result.violation !== null
            ? `violated ${result.violation.invariant}`
            : result.unmet.length > 0
              ? `vacuous: ${result.unmet.join('; ')}`
              : 'passed';
        write(
          `  seed ${result.seed}: ${how}; ${counted(result.events, 'event')}, ` +
            `${counted(result.commits, 'commit')}, ${counted(result.viewChanges, 'view change')}, ` +
            `${(result.virtualMicros / 1e6).toFixed(3)} s virtual, digest ${result.digest}\n`,
        );
      }
      if (verbosity >= 1) progress.update(taken, events);
    },
    violated(violation, context) {
      progress.clear();
      write(violationText(violation, context));
    },
    finished(report) {
      progress.clear();
      if (verbosity >= 1 || !isClean(report)) write(summaryText(report, earlyCount));
      if (verbosity >= 2) write(detailText(report));
    },
    ended(reports) {
      if (verbosity >= 1 && reports.length > 1) write(totalText(reports));
    },
  };
}

function earlyText(scenario: string, early: readonly number[]): string {
  const more = early.length > SEEDS_SHOWN_MAX ? ' …' : '';
  const seeds = early.slice(0, SEEDS_SHOWN_MAX).join(' ');
  const noun = counted(early.length, 'seed');
  return `${scenario.padEnd(SCENARIO_WIDTH)} ${noun} that failed before, first: ${seeds}${more}\n`;
}

function isClean({ summary, missing }: RunReport): boolean {
  return summary.violations.length === 0 && summary.vacuous.length === 0 && missing.length === 0;
}

export function violationText(violation: CampaignViolation, context: ViolationContext): string {
  const { canary, code, scenario, bundle } = context;
  const noun = violation.replicas.length === 1 ? 'replica' : 'replicas';
  const replicas = violation.replicas.length === 0 ? '' : `, ${noun} ${listed(violation.replicas)}`;
  const planted = canary === null ? '' : `, canary ${canary.name}`;
  const rows: [string, string][] = [
    ['at', `${seconds(violation.virtualMicros)} virtual, event ${grouped(violation.event)}${replicas}`],
    ['run', `scenario ${scenario}, seed ${violation.seed}${planted}`],
    ['code', codeText(code)],
  ];
  if (bundle !== null) {
    rows.push(['replay', replayText(bundle, code)]);
    rows.push(['hint', hintText(violation, context)]);
  }
  const lines = rows.map(([label, text]) => `  ${label.padEnd(7)} ${text}\n`);
  return `\nviolation of ${violation.invariant}: ${violation.message}\n${lines.join('')}\n`;
}

/** In a clone there is no `vopr` on the path, but npm knows it. */
function replayText(bundle: string, code: BundleCode): string {
  const command = bundleCommand(bundle, code);
  const here = process.env['npm_lifecycle_event'] === 'vopr';
  return here ? `${command}   (in this clone: ${inClone(command)})` : command;
}

function hintText(violation: CampaignViolation, { canary }: ViolationContext): string {
  if (violation.invariant === 'determinism') {
    return 'look for state outside the world, iteration order, or a clock or random source not of a port';
  }
  if (canary !== null && violation.invariant === canary.checker) {
    return `canary ${canary.name} was planted; this is the checker that must catch it`;
  }
  if (canary !== null) {
    return `canary ${canary.name} was planted; ${canary.checker} is the checker that must catch it`;
  }
  return '`vopr repro -v` on this bundle also prints the last events before the violation';
}

function summaryText({ summary, wallSeconds, canary, missing }: RunReport, earlyCount: number): string {
  const parts: string[] = [];
  if (summary.passed > 0) parts.push(`${grouped(summary.passed)} passed`);
  if (summary.violations.length > 0) parts.push(`${grouped(summary.violations.length)} violated`);
  if (summary.vacuous.length > 0) parts.push(`${grouped(summary.vacuous.length)} vacuous`);
  const rate = short(summary.events / Math.max(wallSeconds, 1e-3));
  const onlyEarly = summary.count > 0 && summary.count <= earlyCount;
  const which = onlyEarly ? 'that failed before' : `from ${summary.first}`;
  let text =
    `${summary.scenario.padEnd(SCENARIO_WIDTH)} ${counted(summary.count, 'seed')} ${which}: ` +
    `${parts.join(', ') || 'none run'}; ${short(summary.events)} events, ${rate}/s, ` +
    `${duration(summary.virtualMicros / 1e6)} virtual in ${duration(wallSeconds)}; ` +
    `digest ${summary.digest}\n`;
  for (const what of missing) text += `  incomplete: ${what}\n`;
  text += sharedText(summary.violations);
  if (summary.vacuous.length > 0) {
    const shown = summary.vacuous.slice(0, SEEDS_SHOWN_MAX).join(' ');
    const more = summary.vacuous.length > SEEDS_SHOWN_MAX ? ' …' : '';
    text += `  vacuous seeds (the scenario did not happen): ${shown}${more}\n`;
    for (const [reason, count] of Object.entries(summary.unmet)) {
      text += `    ${reason}: not so in ${counted(count, 'seed')}\n`;
    }
  }
  if (canary !== null && summary.violations.length === 0) {
    text +=
      summary.canaryReached === 0
        ? `  canary ${canary.name} was never reached: no run went where it is planted\n`
        : `  canary ${canary.name} survived: reached ${grouped(summary.canaryReached)} times, ` +
          `not caught by ${canary.checker}\n`;
  }
  return text;
}

/** Failures that are the same in several seeds. */
function sharedText(violations: readonly CampaignViolation[]): string {
  const seedsOf = new Map<string, number[]>();
  for (const violation of violations) {
    const signature = signatureOf(violation);
    seedsOf.set(signature, [...(seedsOf.get(signature) ?? []), violation.seed]);
  }
  let text = '';
  for (const [signature, seeds] of seedsOf) {
    if (seeds.length === 1) continue;
    const more = seeds.length > SEEDS_SHOWN_MAX ? ' …' : '';
    const shown = seeds.slice(0, SEEDS_SHOWN_MAX).join(' ') + more;
    text += `  ${signature}: ${counted(seeds.length, 'seed')}: ${shown}\n`;
  }
  return text;
}

function detailText({ summary }: RunReport): string {
  const lines = [
    `  ${counted(summary.messages, 'message')}, ${counted(summary.storageOps, 'storage operation')}, ` +
      `${counted(summary.commits, 'commit')}, ${counted(summary.viewChanges, 'view change')}, ` +
      `${counted(summary.crashes, 'crash').replace(/crashs$/, 'crashes')}`,
  ];
  for (const [title, counts] of [
    ['checks', summary.checks],
    ['gate', summary.gates],
    ['faults', summary.faults],
  ] as const) {
    const rows = Object.entries(counts);
    if (rows.length === 0) continue;
    lines.push(`  ${title}`);
    const width = Math.max(...rows.map(([key]) => key.length));
    for (const [key, count] of rows) lines.push(`    ${key.padEnd(width)} ${grouped(count).padStart(14)}`);
  }
  const declared = Object.keys(summary.probes).length;
  const never = probesNeverHit(summary);
  if (declared > 0) lines.push(`  probes: ${declared - never.length} of ${declared} reached; never reached:`);
  for (const name of never) lines.push(`    ${name}`);
  return `${lines.join('\n')}\n`;
}

function totalText(reports: readonly RunReport[]): string {
  const sum = (of: (report: RunReport) => number): number =>
    reports.reduce((total, report) => total + of(report), 0);
  const scenarios = new Set(reports.map(({ summary }) => summary.scenario));
  const seeds = sum(({ summary }) => summary.count);
  const events = sum(({ summary }) => summary.events);
  const wall = sum((report) => report.wallSeconds);
  const violated = sum(({ summary }) => summary.violations.length);
  const vacuous = sum(({ summary }) => summary.vacuous.length);
  return (
    `${counted(scenarios.size, 'scenario')}, ${counted(seeds, 'seed')}: ` +
    `${counted(violated, 'violation')}, ${grouped(vacuous)} vacuous; ` +
    `${short(events)} events in ${duration(wall)}, ${short(events / Math.max(wall, 1e-3))}/s\n`
  );
}

function seconds(micros: number): string {
  return `${(micros / 1e6).toFixed(6)} s`;
}
