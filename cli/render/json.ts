/**
 * One object when all is done, for programs. Field names are a promise; new ones come at the end.
 * It says all that there is to say, so that `vopr merge` can add up the results of shards.
 */
import { probesNeverHit } from '../../sim/search/campaign_summary.ts';
import { signatureOf } from '../../sim/search/signature.ts';
import { outcomeOf, type Renderer, type RunReport } from './report.ts';

export const RESULT_SCHEMA = 1;

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
  const { summary, scope } = report;
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
      signature: signatureOf(violation),
      virtual_micros: violation.virtualMicros,
      replicas: violation.replicas,
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
    schema: RESULT_SCHEMA,
    outcome: outcomeOf(report),
    missing: report.missing,
    asked: {
      first: scope.seeds.first,
      count: scope.seeds.count,
      shard: scope.shard.index,
      shards: scope.shard.shards,
      events: scope.limits.events,
      micros: scope.limits.micros,
      check_determinism: scope.checkDeterminism,
    },
    canary: report.canary,
    canary_reached: summary.canaryReached,
    code: report.code,
    started_at: report.startedAt,
    virtual_micros: summary.virtualMicros,
    unmet: summary.unmet,
    shares: summary.shares.map(({ gate, sharePpm, met, missed }) => {
      return { gate, share_ppm: sharePpm, met, missed };
    }),
    gates: summary.gates,
    faults: summary.faults,
    probes: summary.probes,
    probes_never_hit: probesNeverHit(summary),
  };
}

function rounded(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
