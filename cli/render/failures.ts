/**
 * Failures that are one failure: grouped by signature, over seeds and scenarios. Of each group the
 * one that shows itself after the fewest events is kept, since it is the quickest to look at.
 */
import { hash } from 'node:crypto';
import { type CampaignViolation } from '../../sim/search/campaign_summary.ts';
import { signatureOf } from '../../sim/search/signature.ts';
import { type RunReport } from './report.ts';

export interface Failure {
  readonly report: RunReport;
  readonly violation: CampaignViolation;
  readonly bundle: string | null;
}

export interface DistinctFailure {
  readonly signature: string;
  /** Eight hexadecimal digits that stand for the signature: in titles, file names, searches. */
  readonly id: string;
  readonly kept: Failure;
  /** All of them, in order of reports and seeds; `kept` is one. */
  readonly all: readonly Failure[];
}

export function failuresOf(report: RunReport): Failure[] {
  const { violations } = report.summary;
  return violations.map((violation, i) => ({ report, violation, bundle: report.bundles[i] ?? null }));
}

/** In the order in which each signature is first met. */
export function distinctFailures(reports: readonly RunReport[]): DistinctFailure[] {
  const groups = new Map<string, Failure[]>();
  for (const failure of reports.flatMap(failuresOf)) {
    const signature = signatureOf(failure.violation);
    const group = groups.get(signature);
    if (group === undefined) groups.set(signature, [failure]);
    else group.push(failure);
  }
  return [...groups].map(([signature, all]) => {
    const kept = all.reduce((best, one) => (one.violation.event < best.violation.event ? one : best));
    return { signature, id: signatureId(signature), kept, all };
  });
}

export function signatureId(signature: string): string {
  return hash('sha256', `kimberlite/signature/v1 ${signature}`, 'hex').slice(0, 8);
}
