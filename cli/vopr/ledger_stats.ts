/**
 * What a ledger adds up to: measured numbers, each against a declared denominator where there is
 * one. Campaigns with a planted bug count for the canaries alone. Field names are the JSON's, and a
 * promise.
 */
import { positionOf, shardOf } from '../../sim/search/campaign.ts';
import { addCounts, type CampaignSummary } from '../../sim/search/campaign_summary.ts';
import { seedCommand } from '../render/commands.ts';
import { failuresOf, signatureId } from '../render/failures.ts';
import { outcomeOf, type RunReport } from '../render/report.ts';
import { type Ledger, type LedgerCampaign } from './ledger.ts';
import { reportOfCampaign } from './ledger_report.ts';
import { signatureOf } from '../../sim/search/signature.ts';

export const STATS_SCHEMA = 1;

/** What the code has, whether the ledger knows of it or not. */
export interface Declared {
  readonly scenarios: readonly string[];
  readonly invariants: readonly string[];
  readonly faults: readonly string[];
  readonly probes: readonly string[];
  readonly canaries: readonly string[];
}

interface Tally {
  campaigns: number;
  seeds: number;
  failures: number;
  events: number;
  wall_seconds: number;
}

export interface DayRow extends Tally {
  /** In UTC, `2026-11-22`. */
  readonly day: string;
}

export interface ScenarioStats extends Tally {
  readonly scenario: string;
  vacuous: number;
  virtual_seconds: number;
  /** How many distinct failures. */
  signatures: number;
  readonly checks: Record<string, number>;
  /** What had not happened: in how many seeds, by gate. */
  readonly unmet: Record<string, number>;
  readonly faults: Record<string, number>;
}

export interface FailureRow {
  readonly signature: string;
  readonly id: string;
  readonly scenarios: string[];
  /** Distinct seeds, over all scenarios. */
  seeds: number;
  /** Seen, also when the same seed failed again. */
  times: number;
  first_at: string;
  last_at: string;
  /** Of the one after the fewest events. */
  event: number;
  message: string;
  bundle: string | null;
  command: string;
}

export interface FaultRow {
  readonly class: string;
  readonly attempted: number;
  readonly applied: number;
  readonly observed: number;
}

export interface CanaryStats extends Tally {
  readonly canary: string;
  readonly checker: string;
  /** Campaigns in which its checker caught it. */
  caught: number;
  /** Campaigns in which another checker spoke, by checker. */
  readonly caught_by_others: Record<string, number>;
  /** Campaigns that reached it and in which nothing spoke. */
  survived: number;
  /** Campaigns that did not reach it. */
  unreached: number;
  /** The most seeds that it took its checker, of campaigns that began at their first seed. */
  seeds_to_catch_max: number | null;
}

export interface LedgerStats extends Tally {
  readonly schema: typeof STATS_SCHEMA;
  /** Of the campaigns that count here; null: there are none. */
  first_at: string | null;
  last_at: string | null;
  unfinished: number;
  interrupted: number;
  vacuous: number;
  virtual_seconds: number;
  readonly days: readonly DayRow[];
  readonly scenarios: readonly ScenarioStats[];
  readonly scenarios_never_run: readonly string[];
  readonly failed: readonly FailureRow[];
  readonly checks: Record<string, number>;
  readonly invariants_never_compared: readonly string[];
  readonly faults: readonly FaultRow[];
  readonly probes: { readonly declared: number; readonly hit: number; readonly never_hit: readonly string[] };
  readonly canaries: readonly CanaryStats[];
  readonly canaries_never_run: readonly string[];
  /** Campaigns of the ledger that were not asked for. */
  readonly left_out: number;
  readonly damaged_lines: Ledger['damaged'];
  readonly unknown_lines: Ledger['unknown'];
}

export interface StatsFilter {
  /** Milliseconds since 1970. */
  readonly since: number;
  /** Null: all. */
  readonly scenario: string | null;
  /** Module of the system; undefined: Kimberlite. */
  readonly module: string | undefined;
}

export function statsOf(ledger: Ledger, declared: Declared, filter: StatsFilter): LedgerStats {
  const campaigns = ledger.campaigns.filter(({ started }) => {
    return Date.parse(started.at) >= filter.since && started.code.module === filter.module &&
      (filter.scenario === null || started.scenario === filter.scenario);
  });
  const plain = campaigns.filter(({ started }) => started.canary === null);
  const planted = campaigns.filter(({ started }) => started.canary !== null);
  const total = { ...newTally(), vacuous: 0, virtual_seconds: 0 };
  const days = new Map<string, DayRow>();
  const scenarios = new Map<string, ScenarioStats>();
  const failures = new FailureTable();
  const checks: Record<string, number> = {};
  const faults: Record<string, number> = {};
  const probes: Record<string, number> = {};
  for (const campaign of plain) {
    const report = reportOfCampaign(campaign);
    const { summary } = report;
    const { at, scenario } = campaign.started;
    addReport(total, report);
    total.vacuous += summary.vacuous.length;
    total.virtual_seconds += summary.virtualMicros / 1e6;
    addReport(entryOf(days, at.slice(0, 10), (day) => ({ day, ...newTally() })), report);
    addToScenario(entryOf(scenarios, scenario, newScenario), report);
    addCounts(checks, summary.checks);
    addCounts(faults, summary.faults);
    addCounts(probes, summary.probes);
    failures.add(report, campaign);
  }
  for (const row of scenarios.values()) row.signatures = failures.of(row.scenario);
  const names = filter.scenario === null ? declared.scenarios : [];
  const never = declared.probes.filter((name) => (probes[name] ?? 0) === 0);
  const canaries = canaryStats(planted);
  const times = campaigns.map(({ started }) => started.at).sort();
  return {
    schema: STATS_SCHEMA,
    first_at: times[0] ?? null,
    last_at: times.at(-1) ?? null,
    unfinished: plain.filter(({ ended }) => ended === null).length,
    interrupted: plain.filter(({ ended }) => ended?.interrupted === true).length,
    ...total,
    days: [...days.values()].sort((a, b) => (a.day < b.day ? -1 : 1)),
    scenarios: [...scenarios.values()],
    scenarios_never_run: names.filter((name) => !scenarios.has(name)),
    failed: failures.rows(),
    checks,
    invariants_never_compared: declared.invariants.filter((name) => (checks[name] ?? 0) === 0),
    faults: declared.faults.map((name) => ({
      class: name,
      attempted: faults[`${name}.attempted`] ?? 0,
      applied: faults[`${name}.applied`] ?? 0,
      observed: faults[`${name}.observed`] ?? 0,
    })),
    probes: {
      declared: declared.probes.length,
      hit: declared.probes.length - never.length,
      never_hit: never,
    },
    canaries,
    canaries_never_run: declared.canaries.filter((name) => !canaries.some(({ canary }) => canary === name)),
    left_out: ledger.campaigns.length - campaigns.length,
    damaged_lines: ledger.damaged,
    unknown_lines: ledger.unknown,
  };
}

function newTally(): Tally {
  return { campaigns: 0, seeds: 0, failures: 0, events: 0, wall_seconds: 0 };
}

function addReport(tally: Tally, { summary, wallSeconds }: RunReport): void {
  tally.campaigns++;
  tally.seeds += summary.count;
  tally.failures += summary.violations.length;
  tally.events += summary.events;
  tally.wall_seconds += wallSeconds;
}

function newScenario(scenario: string): ScenarioStats {
  const lists = { checks: {}, unmet: {}, faults: {} };
  return { scenario, ...newTally(), vacuous: 0, virtual_seconds: 0, signatures: 0, ...lists };
}

function addToScenario(row: ScenarioStats, report: RunReport): void {
  const { summary } = report;
  addReport(row, report);
  row.vacuous += summary.vacuous.length;
  row.virtual_seconds += summary.virtualMicros / 1e6;
  addCounts(row.checks, summary.checks);
  addCounts(row.unmet, summary.unmet);
  addCounts(row.faults, summary.faults);
}

function entryOf<T>(map: Map<string, T>, key: string, make: (key: string) => T): T {
  let entry = map.get(key);
  if (entry === undefined) {
    entry = make(key);
    map.set(key, entry);
  }
  return entry;
}

// --- Failures ---

class FailureTable {
  readonly #rows = new Map<string, FailureRow>();
  readonly #seeds = new Map<string, Set<string>>();

  add(report: RunReport, { started }: LedgerCampaign): void {
    for (const failure of failuresOf(report)) {
      const { violation, bundle } = failure;
      const signature = signatureOf(violation);
      const row = entryOf(this.#rows, signature, () => ({
        signature, id: signatureId(signature), scenarios: [], seeds: 0, times: 0, first_at: started.at,
        last_at: started.at, event: Number.POSITIVE_INFINITY, message: '', bundle: null, command: '',
      }));
      const seeds = entryOf(this.#seeds, signature, () => new Set<string>());
      seeds.add(`${started.scenario} ${violation.seed}`);
      row.seeds = seeds.size;
      row.times++;
      if (!row.scenarios.includes(started.scenario)) row.scenarios.push(started.scenario);
      if (started.at < row.first_at) row.first_at = started.at;
      if (started.at > row.last_at) row.last_at = started.at;
      if (violation.event >= row.event) continue;
      const { event, message } = violation;
      Object.assign(row, { event, message, bundle, command: seedCommand(failure) });
    }
  }

  /** Distinct failures of one scenario. */
  of(scenario: string): number {
    return [...this.#rows.values()].filter(({ scenarios }) => scenarios.includes(scenario)).length;
  }

  /** The latest first. */
  rows(): FailureRow[] {
    return [...this.#rows.values()].sort((a, b) => (a.last_at > b.last_at ? -1 : 1));
  }
}

// --- Canaries ---

function canaryStats(campaigns: readonly LedgerCampaign[]): CanaryStats[] {
  const rows = new Map<string, CanaryStats>();
  for (const campaign of campaigns) {
    const { canary } = campaign.started;
    if (canary === null || campaign.ended === null) continue;
    const row = entryOf(rows, canary.name, () => ({
      canary: canary.name, checker: canary.checker, ...newTally(), caught: 0, caught_by_others: {},
      survived: 0, unreached: 0, seeds_to_catch_max: null,
    }));
    const report = reportOfCampaign(campaign);
    addReport(row, report);
    const { violations } = report.summary;
    const caught = violations.filter(({ invariant }) => invariant === canary.checker);
    if (caught.length > 0) {
      row.caught++;
      const seeds = seedsUntil(campaign, caught);
      if (seeds !== null) row.seeds_to_catch_max = Math.max(seeds, row.seeds_to_catch_max ?? 0);
    } else if (violations.length > 0) {
      addCounts(row.caught_by_others, { [violations[0]?.invariant ?? '']: 1 });
    } else if (outcomeOf(report) === 'vacuous' && report.summary.canaryReached === 0) {
      row.unreached++;
    } else {
      row.survived++;
    }
  }
  return [...rows.values()].sort((a, b) => (a.canary < b.canary ? -1 : 1));
}

/** How many seeds had run when its checker spoke; null when seeds known to fail came first. */
function seedsUntil({ started }: LedgerCampaign, caught: CampaignSummary['violations']): number | null {
  if (started.early.length > 0) return null;
  const range = shardOf(started.seeds.first, started.seeds.count, started.shard.index, started.shard.shards);
  return Math.min(...caught.map(({ seed }) => positionOf(range, seed) ?? 0)) + 1;
}
