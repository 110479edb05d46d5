/**
 * What `--format json` and `--reporter json=...` write, read back: one run, or several under `runs`.
 * The text may be anyone's, so every field is checked; those of later versions are left alone.
 */
import { type BundleCode } from '../../bundles/format.ts';
import { type Counts } from '../../sim/search/campaign_summary.ts';
import { RESULT_SCHEMA } from '../render/json.ts';
import { type CanaryInfo, type RunReport } from '../render/report.ts';
import { UsageError } from '../usage_error.ts';
import { amount, counts, digest, flag, inWords, list, map, orNull, text, time, whole } from './check_json.ts';
import { checkCanary, checkCode } from './ledger_line.ts';

interface Result {
  readonly scenario: string;
  readonly seeds: { readonly first: number; readonly count: number };
  readonly passed: number;
  readonly violations: readonly {
    readonly seed: number;
    readonly invariant: string;
    readonly event: number;
    readonly message: string;
    readonly bundle: string | null;
    readonly virtual_micros: number;
    readonly replicas: readonly number[];
  }[];
  readonly vacuous: readonly number[];
  readonly events: number;
  readonly messages: number;
  readonly storage_ops: number;
  readonly commits: number;
  readonly view_changes: number;
  readonly crashes: number;
  readonly checks: Counts;
  readonly wall_seconds: number;
  readonly digest: string;
  readonly missing: readonly string[];
  readonly asked: {
    readonly first: number;
    readonly count: number;
    readonly shard: number;
    readonly shards: number;
    readonly events: number | null;
    readonly micros: number | null;
    readonly check_determinism: boolean;
  };
  readonly canary: CanaryInfo | null;
  readonly canary_reached: number;
  readonly code: BundleCode;
  readonly started_at: string;
  readonly virtual_micros: number;
  readonly unmet: Counts;
  readonly shares: readonly {
    readonly gate: string;
    readonly share_ppm: number;
    readonly met: number;
    readonly missed: readonly number[];
  }[];
  readonly gates: Counts;
  readonly faults: Counts;
  readonly probes: Counts;
}

const checkResult = map({
  scenario: text,
  seeds: map({ first: whole(0), count: whole(0) }),
  passed: whole(0),
  violations: list(
    map({
      seed: whole(0),
      invariant: text,
      event: whole(0),
      message: text,
      bundle: orNull(text),
      virtual_micros: amount,
      replicas: list(whole(0)),
    }),
  ),
  vacuous: list(whole(0)),
  events: amount,
  messages: amount,
  storage_ops: amount,
  commits: amount,
  view_changes: amount,
  crashes: amount,
  checks: counts,
  wall_seconds: amount,
  digest,
  missing: list(text),
  asked: map({
    first: whole(0),
    count: whole(0),
    shard: whole(1),
    shards: whole(1),
    events: orNull(whole(1)),
    micros: orNull(whole(1)),
    check_determinism: flag,
  }),
  canary: checkCanary,
  canary_reached: amount,
  code: checkCode,
  started_at: time,
  virtual_micros: amount,
  unmet: counts,
  shares: list(map({ gate: text, share_ppm: amount, met: amount, missed: list(whole(0)) })),
  gates: counts,
  faults: counts,
  probes: counts,
});

/** `value` is the parsed JSON, `where` its file for messages. Throws UsageError when it is no result. */
export function reportsOfResult(value: unknown, where: string): RunReport[] {
  const several = value instanceof Object && 'runs' in value ? value.runs : null;
  const runs: readonly unknown[] = Array.isArray(several) ? several : [value];
  return runs.map((run, i) => {
    const name = runs.length === 1 ? '' : `run ${i + 1}: `;
    const schema = run instanceof Object && 'schema' in run ? run.schema : null;
    if (typeof schema === 'number' && schema > RESULT_SCHEMA) {
      throw new UsageError(`Cannot read the result "${where}": ${name}schema ${schema}; update kimberlite`);
    }
    const problem = checkResult(run);
    if (problem !== null) {
      const words = `${name}${inWords(problem, 'it')}; \`vopr run\` did not write it`;
      throw new UsageError(`Cannot read the result "${where}": ${words}`);
    }
    return reportOf(run as Result);
  });
}

function reportOf(run: Result): RunReport {
  const { asked } = run;
  return {
    scope: {
      seeds: { first: asked.first, count: asked.count },
      shard: { index: asked.shard, shards: asked.shards },
      limits: { events: asked.events, micros: asked.micros },
      checkDeterminism: asked.check_determinism,
    },
    summary: {
      scenario: run.scenario,
      first: run.seeds.first,
      count: run.seeds.count,
      passed: run.passed,
      violations: run.violations.map(({ seed, invariant, message, event, virtual_micros, replicas }) => {
        return { seed, invariant, message, event, virtualMicros: virtual_micros, replicas };
      }),
      vacuous: run.vacuous,
      unmet: run.unmet,
      shares: run.shares.map(({ gate, share_ppm, met, missed }) => {
        return { gate, sharePpm: share_ppm, met, missed };
      }),
      events: run.events,
      messages: run.messages,
      storageOps: run.storage_ops,
      commits: run.commits,
      viewChanges: run.view_changes,
      crashes: run.crashes,
      virtualMicros: run.virtual_micros,
      checks: run.checks,
      gates: run.gates,
      faults: run.faults,
      probes: run.probes,
      canaryReached: run.canary_reached,
      digest: run.digest,
    },
    bundles: run.violations.map(({ bundle }) => bundle),
    canary: run.canary,
    startedAt: run.started_at,
    wallSeconds: run.wall_seconds,
    code: run.code,
    missing: run.missing,
  };
}
