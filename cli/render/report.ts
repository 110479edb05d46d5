/** What the output formats are given. */
import { type BundleCode } from '../../bundles/format.ts';
import { type CampaignSummary, type CampaignViolation } from '../../sim/search/campaign_summary.ts';
import { type SeedResult } from '../../sim/search/seed_result.ts';

export interface CanaryInfo {
  readonly name: string;
  /** Id of the checker that must catch it. */
  readonly checker: string;
}

export interface RunReport {
  readonly summary: CampaignSummary;
  /** Path of each violation's bundle, in the order of `summary.violations`; null: not written. */
  readonly bundles: readonly (string | null)[];
  readonly canary: CanaryInfo | null;
  readonly wallSeconds: number;
  readonly code: BundleCode;
}

export interface Renderer {
  /** A campaign of `count` seeds begins; `early` are those among them that failed before. */
  started(scenario: string, count: number, early: readonly number[]): void;
  /** The next result, in order of seeds. */
  seedTaken(result: SeedResult, taken: number): void;
  violated(violation: CampaignViolation, report: ViolationContext): void;
  finished(report: RunReport): void;
  /** All campaigns are over. */
  ended(reports: readonly RunReport[]): void;
}

export interface ViolationContext {
  readonly scenario: string;
  readonly canary: CanaryInfo | null;
  readonly bundle: string | null;
  readonly code: BundleCode;
}

/** 0 quiet, 1 normal, 2 and 3: -v and -vv. */
export type Verbosity = 0 | 1 | 2 | 3;
