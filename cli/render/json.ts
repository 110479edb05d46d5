/** One object on stdout when all is done, for programs. Field names are a promise. */
import { type Renderer, type RunReport } from './report.ts';

export function jsonRenderer(write: (text: string) => void): Renderer {
  return {
    started() {},
    seedTaken() {},
    violated() {},
    finished() {},
    ended(reports) {
      const runs = reports.map(jsonOf);
      write(`${JSON.stringify(runs.length === 1 ? runs[0] : { runs }, null, 2)}\n`);
    },
  };
}

export function jsonOf(report: RunReport): Record<string, unknown> {
  const { summary } = report;
  return {
    scenario: summary.scenario,
    seeds: { first: summary.first, count: summary.count },
    passed: summary.passed,
    violations: summary.violations.map((violation, i) => ({
      seed: violation.seed,
      invariant: violation.invariant,
      event: violation.event,
      message: violation.message,
      bundle: report.bundles[i] ?? null,
    })),
    vacuous: summary.vacuous,
    events: summary.events,
    messages: summary.messages,
    storage_ops: summary.storageOps,
    commits: summary.commits,
    view_changes: summary.viewChanges,
    crashes: summary.crashes,
    checks: summary.checks,
    virtual_seconds: summary.virtualMicros / 1e6,
    wall_seconds: rounded(report.wallSeconds),
    events_per_second: Math.round(summary.events / Math.max(report.wallSeconds, 1e-3)),
    digest: summary.digest,
  };
}

function rounded(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
