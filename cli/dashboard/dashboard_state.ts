/** What the page shows: plain data, whether it comes from a campaign that runs or from a ledger. */
import {
  type CheckerCoverage,
  type CoverageTally,
  type Dimension,
  type FaultCoverage,
  type GateCoverage,
  type ProbeCoverage,
} from '../live/coverage_tally.ts';
import { type TopSeed } from '../live/top_seeds.ts';

export interface DashboardState {
  /** Grows with every change. */
  readonly version: number;
  readonly source: 'campaign' | 'ledger';
  /** What is shown, in a few words. */
  readonly title: string;
  /** Idle, Running, Paused, Completed; of a ledger its path. */
  readonly status: string;
  /** A line of facts about code, jobs, canary. */
  readonly detail: string;
  /** What is odd about the source, in words: damaged lines of a ledger. */
  readonly warnings: readonly string[];
  readonly totals: Totals;
  readonly throughput: Series;
  readonly scenarios: readonly ScenarioRow[];
  readonly coverage: Coverage;
  /** Null: the source does not know single seeds. */
  readonly topSeeds: readonly TopSeed[] | null;
  readonly failures: readonly FailureRow[];
  /** Failures in all; the list is bounded. */
  readonly failureCount: number;
  readonly distinctFailures: number;
  /** Empty when no canary was planted. */
  readonly canaries: readonly CanaryRow[];
  /** Canaries that were not planted, of those that the code declares. */
  readonly canariesMissing: readonly string[];
}

export interface Totals {
  readonly planned: number;
  readonly taken: number;
  readonly passed: number;
  readonly failed: number;
  readonly vacuous: number;
  readonly events: number;
  readonly seconds: number;
  readonly seedsPerSecond: number;
  readonly eventsPerSecond: number;
  readonly virtualSeconds: number;
  readonly viewChanges: number;
  readonly crashes: number;
}

/** Events per second over time; of a ledger, a point a campaign. */
export interface Series {
  readonly points: readonly { readonly value: number; readonly failures: number; readonly label: string }[];
  readonly first: string;
  readonly last: string;
}

export interface ScenarioRow {
  readonly name: string;
  readonly planned: number;
  readonly taken: number;
  readonly passed: number;
  readonly failed: number;
  readonly vacuous: number;
  readonly events: number;
  readonly virtualMicros: number;
  readonly running: boolean;
}

export interface Coverage {
  /** What `seeds` of a probe counts. */
  readonly unit: 'seeds' | 'campaigns';
  readonly dimensions: readonly Dimension[];
  readonly probes: readonly ProbeCoverage[];
  readonly checkers: readonly CheckerCoverage[];
  readonly gates: readonly GateCoverage[];
  readonly faults: readonly FaultCoverage[];
}

export interface FailureRow {
  /** From 1. */
  readonly number: number;
  readonly scenario: string;
  readonly seed: number;
  readonly canary: string | null;
  readonly invariant: string;
  readonly message: string;
  readonly event: number;
  readonly virtualMicros: number;
  readonly replicas: readonly number[];
  /** Number of the first one with the same signature. */
  readonly sameAs: number;
  readonly bundle: string | null;
  /** What to paste into a shell. */
  readonly replay: string;
  /** Where its page is; null: there is no bundle to make it from. */
  readonly timeTravel: string | null;
}

export interface CanaryRow {
  readonly name: string;
  /** Who must catch it. */
  readonly checker: string;
  readonly seeds: number;
  /** Seeds in which it was caught by that checker, and by another. */
  readonly caught: number;
  readonly caughtByOther: number;
  readonly reached: number;
}

export function coverageOf(tally: CoverageTally, unit: Coverage['unit']): Coverage {
  return {
    unit,
    dimensions: tally.dimensions(),
    probes: tally.probeCoverage(),
    checkers: tally.checkerCoverage(),
    gates: tally.gateCoverage(),
    faults: tally.faultCoverage(),
  };
}
