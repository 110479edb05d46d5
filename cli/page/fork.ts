/**
 * What if? A fork is the plan of a run with some changes, executed from the beginning. Decisions
 * are made by identity, not by position, so everything that a change does not touch stays as it was
 * until its consequences reach it.
 */
import { type PinnedDecision, type Plan } from '../../sim/plan.ts';
import { signatureOf } from '../../sim/search/signature.ts';
import { type Player } from './player.ts';

export type Change =
  /** Overrules one decision: 0 vetoes it, 1 forces it. */
  | { readonly kind: 'pin'; readonly pin: PinnedDecision; readonly text: string }
  /** Leaves a scheduled fault out, by its index in the plan that is changed. */
  | { readonly kind: 'fault'; readonly index: number; readonly text: string }
  /** Runs without the planted bug. */
  | { readonly kind: 'canary'; readonly text: string };

/** `plan` with the changes; of two pins for one decision the later counts. */
export function changedPlan(plan: Plan, changes: readonly Change[]): Plan {
  const pins: PinnedDecision[] = [];
  const left = new Set<number>();
  for (const change of changes) {
    if (change.kind === 'pin') pins.unshift(change.pin);
    else if (change.kind === 'fault') left.add(change.index);
  }
  const all = [...pins, ...plan.decisions];
  const decisions = all.filter((pin, i) => all.findIndex((other) => isAbout(pin, other)) === i);
  const faults = left.size === 0 ? plan.faults : plan.faults.filter((_, index) => !left.has(index));
  return Object.freeze({ ...plan, decisions, faults });
}

function isAbout(a: PinnedDecision, b: PinnedDecision): boolean {
  return a.domain === b.domain && a.key === b.key;
}

/** First event at which two runs are not the same, among those that both have executed; null: none. */
export function partingEvent(a: Player, b: Player): number | null {
  const common = Math.min(a.known, b.known);
  for (let event = 1; event <= common; event++) {
    if (a.digestWordAt(event) !== b.digestWordAt(event)) return event;
  }
  if (a.known === b.known) return null;
  // One goes on where the other is known to have ended.
  return a.end === common || b.end === common ? common + 1 : null;
}

export type Outcome = 'same failure' | 'another failure' | 'no violation';

/** Of a fork that has been run to its end, beside the run it was made from. */
export function outcomeOf(original: Player, fork: Player): Outcome {
  const { violation } = fork;
  if (violation === null) return 'no violation';
  const before = original.violation;
  const same = before !== null && signatureOf(before) === signatureOf(violation);
  return same ? 'same failure' : 'another failure';
}
