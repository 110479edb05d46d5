/** What the output formats are given. */
import { type BundleCode } from '../../bundles/format.ts';
import { type CampaignSummary, type CampaignViolation } from '../../sim/search/campaign_summary.ts';
import { type SeedLimits, type SeedResult } from '../../sim/search/seed_result.ts';

export interface CanaryInfo {
  readonly name: string;
  /** Id of the checker that must catch it. */
  readonly checker: string;
}

/** What was asked for. Parts of one campaign differ in `shard` only. */
export interface RunScope {
  /** Of the whole campaign, before it was divided. */
  readonly seeds: { readonly first: number; readonly count: number };
  readonly shard: { readonly index: number; readonly shards: number };
  readonly limits: SeedLimits;
  readonly checkDeterminism: boolean;
}

export interface RunReport {
  readonly scope: RunScope;
  readonly summary: CampaignSummary;
  /** Path of each violation's bundle, in the order of `summary.violations`; null: not written. */
  readonly bundles: readonly (string | null)[];
  readonly canary: CanaryInfo | null;
  /** ISO 8601 in UTC. */
  readonly startedAt: string;
  /** Without pauses. */
  readonly wallSeconds: number;
  readonly code: BundleCode;
  /** Seeds that should have run and did not, in words; empty when all is there. */
  readonly missing: readonly string[];
}

export type RunOutcome = 'passed' | 'violated' | 'vacuous' | 'incomplete';

export function outcomeOf({ summary, canary, missing }: RunReport): RunOutcome {
  if (summary.violations.length > 0) return 'violated';
  if (missing.length > 0) return 'incomplete';
  // A canary that no run came by proves nothing about its checker.
  const unreached = canary !== null && summary.count > 0 && summary.canaryReached === 0;
  return unreached || summary.vacuous.length > 0 ? 'vacuous' : 'passed';
}

/** Of several: the first of violated, incomplete, vacuous that one of them is. */
export function worstOutcome(reports: readonly RunReport[]): RunOutcome {
  const outcomes = reports.map(outcomeOf);
  const worst = (['violated', 'incomplete', 'vacuous'] as const).find((one) => outcomes.includes(one));
  return worst ?? 'passed';
}

/** `combined`, or `combined, canary commit-before-quorum`. */
export function scenarioText({ summary, canary }: Pick<RunReport, 'summary' | 'canary'>): string {
  return canary === null ? summary.scenario : `${summary.scenario}, canary ${canary.name}`;
}

export function codeText(code: BundleCode): string {
  return `kimberlite ${code.version}, commit ${code.commit}, Node ${code.node}`;
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
