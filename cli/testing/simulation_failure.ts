/** What `simTest` throws and what it returns. */
import { type CampaignSummary } from '../../sim/search/campaign_summary.ts';
import { type SeedViolation } from '../../sim/search/seed_result.ts';

export interface FailureFacts {
  readonly scenario: string;
  /** Of a run that failed, or the first that was vacuous. */
  readonly seed: number;
  /** Null: no checker spoke, but the scenario did not happen; `unmet` says what was missing. */
  readonly violation: SeedViolation | null;
  readonly unmet: readonly string[];
  /** Path of the bundle; null: none was written. */
  readonly bundle: string | null;
}

/** A seed failed, or was vacuous. The message tells the story and how to replay it. */
export class SimulationFailure extends Error implements FailureFacts {
  override readonly name = 'SimulationFailure';
  readonly scenario: string;
  readonly seed: number;
  readonly violation: SeedViolation | null;
  readonly unmet: readonly string[];
  readonly bundle: string | null;

  /** `site`: the stack of whoever defined the test, which says more than where a seed was run. */
  constructor(message: string, facts: FailureFacts, site: string) {
    super(message);
    this.scenario = facts.scenario;
    this.seed = facts.seed;
    this.violation = facts.violation;
    this.unmet = facts.unmet;
    this.bundle = facts.bundle;
    this.stack = `${this.name}: ${message}\n${site}`;
  }
}

/** What passed. */
export interface SimTestReport {
  /** One a scenario, in order. */
  readonly campaigns: readonly CampaignSummary[];
}
