/**
 * What the minimiser knows of a run: whether it fails as the first one did, and of one that does,
 * what it made use of. Plain data, so that it crosses a thread boundary.
 */
import { type DecisionTape } from '../../../bundles/decision_tape.ts';
import { type Plan } from '../../plan.ts';
import { type SeedViolation } from '../seed_result.ts';

export interface Facts {
  /** Events up to the failure, the failing one included. */
  readonly events: number;
  readonly violation: SeedViolation;
  /** When the faults were over; null: it failed before. */
  readonly healedMicros: number | null;
  /** Of each client, the operations that it called, those of its setup included. */
  readonly calls: readonly number[];
  /** Of each scheduled fault the node that it was aimed at; -1: it was never due. */
  readonly faultNodes: readonly number[];
  /** What came true by chance, and latencies longer than the least. */
  readonly chances: number;
  readonly delays: number;
  /** All that was decided. */
  readonly tape: DecisionTape;
}

/** The smallest plan so far, and what was seen when it ran. */
export interface Best {
  readonly plan: Plan;
  readonly facts: Facts;
}

export type Verdict =
  | { readonly kind: 'same'; readonly facts: Facts }
  /** No failure, or another one. */
  | { readonly kind: 'miss'; readonly events: number }
  /** Not failed within so many events; nobody knows about later ones. */
  | { readonly kind: 'cut'; readonly events: number };
