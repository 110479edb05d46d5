/** A plan as one would write it: single decisions in words, not by their keys. */
import { decisionAt, unpackDecisions } from '../../../bundles/decision_tape.ts';
import { decisionText } from '../../../bundles/decision_text.ts';
import { Decisions } from '../../decide.ts';
import { optionsOf, type PinOptions, type PlanOptions } from '../../testing/plan_of.ts';
import { type Best } from './facts.ts';

/** `planOf` makes the same plan of it. */
export function spokenOptions({ plan, facts }: Best): PlanOptions {
  const options = optionsOf(plan);
  if (options.decisions === undefined) return options;
  const { tape } = facts;
  const columns = unpackDecisions(tape);
  const keys = new Decisions(plan.seedWords, []);
  const texts = new Map<string, string>();
  for (let i = 0; i < tape.count; i++) {
    const decision = decisionAt(columns, tape.names, i);
    const key = keys.keyOf(decision.identity) >>> 0;
    texts.set(`${decision.domain} ${key} ${decision.value}`, decisionText(decision, tape.names));
  }
  // A veto, or a pin that the run did not ask for, stands on no tape.
  const decisions = plan.decisions.map(({ domain, key, value }, i) =>
    texts.get(`${domain} ${key} ${value}`) ?? (options.decisions?.[i] as PinOptions));
  return { ...options, decisions };
}
