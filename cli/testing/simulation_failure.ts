/** What `simTest` throws, in words, and what it returns. */
import { type Canary } from '../../sim/canaries.ts';
import { type CampaignSummary, type CampaignViolation } from '../../sim/search/campaign_summary.ts';
import { type SeedViolation } from '../../sim/search/seed_result.ts';
import { counted } from '../numbers.ts';
import { violationText } from '../render/human.ts';
import { type ViolationContext } from '../render/report.ts';

const SEEDS_SHOWN_MAX = 10;

/** What passed. */
export interface SimTestReport {
  /** One a scenario, in order. */
  readonly campaigns: readonly CampaignSummary[];
}

/** A seed failed, or was vacuous. The message tells the story and how to replay it. */
export class SimulationFailure extends Error {
  override readonly name = 'SimulationFailure';
  readonly scenario: string;
  /** That failed, or the first that was vacuous. */
  readonly seed: number;
  /** Null: no checker spoke, but the scenario did not happen; `unmet` says what was missing. */
  readonly violation: SeedViolation | null;
  readonly unmet: readonly string[];
  /** Path of the bundle; null: none was written. */
  readonly bundle: string | null;

  /** `site`: the stack of whoever defined the test, which says more than where a seed was run. */
  constructor(
    message: string,
    facts: Pick<SimulationFailure, 'scenario' | 'seed' | 'violation' | 'unmet' | 'bundle'>,
    site: string,
  ) {
    super(message);
    this.scenario = facts.scenario;
    this.seed = facts.seed;
    this.violation = facts.violation;
    this.unmet = facts.unmet;
    this.bundle = facts.bundle;
    this.stack = `${this.name}: ${message}\n${site}`;
  }
}

/**
 * `here`: how to run it again in this test; null: it is the only run. `smaller`: the story of the run
 * made smaller; null: it was not.
 */
export function violationFailure(
  violation: CampaignViolation,
  context: ViolationContext,
  { here, smaller }: { readonly here: string | null; readonly smaller: string | null },
  site: string,
): SimulationFailure {
  const story = violationText(violation, context).trim();
  const again = here === null ? story : `${story}\n  here    ${here}`;
  const message = smaller === null ? again : `${again}\n\n${smaller}`;
  const { scenario, bundle } = context;
  const { seed } = violation;
  return new SimulationFailure(message, { scenario, seed, violation, unmet: [], bundle }, site);
}

export function vacuousFailure(
  { scenario, first, count, vacuous, unmet }: CampaignSummary,
  canary: Canary | null,
  site: string,
): SimulationFailure {
  const lines: string[] = [];
  if (vacuous.length === 0) {
    const where = `${counted(count, 'seed')} of ${scenario}`;
    lines.push(`vacuous: canary ${canary?.name} was never reached in ${where}`);
  } else {
    const shown = vacuous.slice(0, SEEDS_SHOWN_MAX).join(' ');
    const more = vacuous.length > SEEDS_SHOWN_MAX ? ' ...' : '';
    const which = `${vacuous.length} of ${counted(count, 'seed')}: ${shown}${more}`;
    lines.push(`vacuous: the scenario ${scenario} did not happen in ${which}`);
    for (const [reason, seeds] of Object.entries(unmet)) {
      lines.push(`  ${reason}: not so in ${counted(seeds, 'seed')}`);
    }
  }
  const seed = vacuous[0] ?? first;
  const facts = { scenario, seed, violation: null, unmet: Object.keys(unmet), bundle: null };
  return new SimulationFailure(lines.join('\n'), facts, site);
}
