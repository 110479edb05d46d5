/** The commands that show a failure again, to be pasted into a shell. */
import { type BundleCode } from '../../bundles/format.ts';
import { type CampaignSummary, type CampaignViolation } from '../../sim/search/campaign_summary.ts';
import { type RunReport } from './report.ts';

/** As much of a failure as its commands need. */
export interface Replayable {
  readonly report: Pick<RunReport, 'scope' | 'canary' | 'code'> & {
    readonly summary: Pick<CampaignSummary, 'scenario'>;
  };
  readonly violation: Pick<CampaignViolation, 'seed'>;
  readonly bundle: string | null;
}

/** Quoted when a shell would not take it as one plain word. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** From its seed: needs nothing but the code. */
export function seedCommand({ report, violation }: Omit<Replayable, 'bundle'>): string {
  const { limits, checkDeterminism } = report.scope;
  const words = ['vopr', 'run', report.summary.scenario, '--seed', String(violation.seed)];
  if (report.canary !== null) words.push('--canary', report.canary.name);
  if (limits.events !== null) words.push('--events', String(limits.events));
  if (limits.micros !== null) words.push('--time', String(limits.micros / 1e6));
  if (checkDeterminism) words.push('--check-determinism');
  return [...words, ...systemOf(report.code)].map(shellWord).join(' ');
}

export function bundleCommand(bundle: string, code: BundleCode): string {
  return ['vopr', 'repro', bundle, ...systemOf(code)].map(shellWord).join(' ');
}

/** From its bundle when it has one, else from its seed. */
export function replayCommand(failure: Replayable): string {
  const { bundle, report } = failure;
  return bundle === null ? seedCommand(failure) : bundleCommand(bundle, report.code);
}

/** A system of one's own is code that has to be named each time. */
function systemOf({ module }: BundleCode): string[] {
  return module === undefined ? [] : ['--system', module];
}

/** The same for a clone, where there is no `vopr` on the path. */
export function inClone(command: string): string {
  return command.replace(/^vopr /, 'npm run -s vopr -- ');
}
