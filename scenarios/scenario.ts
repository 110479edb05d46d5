/**
 * What a scenario is: data. Which cluster, which faults, what clients do, which checkers must have
 * compared something, and what must have happened for the run to count (the gates). A run that
 * meets no violation but misses a gate is vacuous, and that fails.
 */
import { type ScenarioOptions } from '../sim/plan.ts';

/** The folder the scenario's file lies in; `own`: of a system of one's own. */
export type Category = 'core' | 'network' | 'crash' | 'corruption' | 'race' | 'own';

export interface Scenario extends ScenarioOptions {
  readonly category: Category;
  /** Checkers that must have compared something in every run. */
  readonly invariants: readonly string[];
}

export const MILLISECOND = 1_000;
export const SECOND = 1_000_000;

/** Probabilities are parts per million; this reads better. */
export function percent(value: number): number {
  return value * 10_000;
}
