/**
 * A recorded run's decisions against those of another run, by identity: what is decided alike, what
 * is not asked any more, what is asked for the first time. The first of them that does not match is
 * where changed code takes another way, before any digest or checker can tell.
 */
import {
  decisionAt,
  unpackDecisions,
  type Decision,
  type DecisionTape,
} from '../../bundles/decision_tape.ts';
import { type Seed } from '../../core/prng.ts';
import { DOMAIN, Decisions, type DomainName } from '../decide.ts';
import { DecisionTable } from '../decision_table.ts';
import { type PinnedDecision, type Plan } from '../plan.ts';

/** Why a decision does not match: asked in one run only, or decided otherwise. */
export type Mismatch = 'only now' | 'only then' | 'otherwise';

export interface Drift {
  /** Decisions of the recorded run. */
  readonly recorded: number;
  /** Of those: asked again, and decided alike. */
  readonly matched: number;
  /** Asked again, decided otherwise. */
  readonly otherwise: number;
  /** Never asked in this run. */
  readonly onlyThen: number;
  /** Asked in this run, not in the recorded one. */
  readonly onlyNow: number;
  /** By event, of the run that asked it; null: all match. */
  readonly first: { readonly why: Mismatch; readonly decision: Decision } | null;
}

/** `seed`: the plan's; both tapes are of runs of one plan. */
export function driftOf(then: DecisionTape, now: DecisionTape, seed: Seed): Drift {
  const identities = new Decisions(seed, []);
  const before = unpackDecisions(then);
  const known = new DecisionTable(then.count);
  for (let i = 0; i < then.count; i++) {
    const decision = decisionAt(before, then.names, i);
    known.set(domainOf(decision), identities.keyOf(decision.identity), i);
  }
  const asked = new Uint8Array(then.count);
  // Of a run too long for its tape the rest is unknown, and nothing can be missed there.
  const lastEvent = then.total > then.count ? (before.events.at(-1) ?? 0) : Number.POSITIVE_INFINITY;
  const counts = { matched: 0, otherwise: 0, onlyNow: 0 };
  let first: Drift['first'] = null;
  const after = unpackDecisions(now);
  for (let i = 0; i < now.count; i++) {
    const decision = decisionAt(after, now.names, i);
    const place = known.find(domainOf(decision), identities.keyOf(decision.identity));
    const index = place < 0 ? -1 : known.valueAt(place);
    if (index >= 0 && asked[index] === 1) continue;
    if (index >= 0) asked[index] = 1;
    if (index >= 0 && before.values[index] === decision.value) {
      counts.matched++;
      continue;
    }
    if (index < 0 && decision.event > lastEvent) continue;
    counts[index < 0 ? 'onlyNow' : 'otherwise']++;
    first ??= { why: index < 0 ? 'only now' : 'otherwise', decision };
  }
  for (let i = 0; i < then.count; i++) {
    if (asked[i] === 1) continue;
    const decision = decisionAt(before, then.names, i);
    if (known.valueAt(known.find(domainOf(decision), identities.keyOf(decision.identity))) !== i) continue;
    if (first === null || decision.event < first.decision.event) first = { why: 'only then', decision };
    break;
  }
  const onlyThen = known.count - counts.matched - counts.otherwise;
  return { recorded: known.count, ...counts, onlyThen, first };
}

/**
 * The plan with each decision of the tape pinned: what was decided about an identity stays decided,
 * whatever the code now makes of its hash. What the plan pins itself stays as it is.
 */
export function planByIdentity(plan: Plan, tape: DecisionTape): Plan {
  const identities = new Decisions(plan.seedWords, []);
  const columns = unpackDecisions(tape);
  const values = new DecisionTable(tape.count);
  const own = new DecisionTable(plan.decisions.length);
  for (const { domain, key } of plan.decisions) own.set(DOMAIN[domain as DomainName], key, 0);
  const pins: PinnedDecision[] = [];
  const shared = new Set<string>();
  for (let i = 0; i < tape.count; i++) {
    const decision = decisionAt(columns, tape.names, i);
    const domain = domainOf(decision);
    if (domain === UNKNOWN) continue;
    const key = identities.keyOf(decision.identity) >>> 0;
    if (own.find(domain, key) >= 0) continue;
    const place = values.find(domain, key);
    if (place < 0) {
      values.set(domain, key, decision.value);
      pins.push({ domain: decision.domain, key, value: decision.value });
    } else if (values.valueAt(place) !== decision.value) {
      shared.add(`${decision.domain} ${key}`);
    }
  }
  // Two identities with one key, decided differently: no pin can hold both, the hash does.
  const alone = shared.size === 0 ? pins : pins.filter((pin) => !shared.has(`${pin.domain} ${pin.key}`));
  return { ...plan, decisions: [...plan.decisions, ...alone] };
}

/** Domains begin at 1 and end far below: a name that this code does not know. */
const UNKNOWN = 255;

function domainOf({ domain }: Decision): number {
  return Object.hasOwn(DOMAIN, domain) ? DOMAIN[domain as DomainName] : UNKNOWN;
}
