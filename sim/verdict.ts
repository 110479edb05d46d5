/**
 * The outcome of a run as plain data: what happened, whether the scenario happened at all (gates,
 * required checkers), and the violation, if there was one.
 */
import { canaryReached } from '../core/canary.ts';
import { counterValue, faultCounts, type Counters } from './counters.ts';
import { gateInWords, gateIsMet } from './gate.ts';
import { type Plan } from './plan.ts';
import { type SeedResult, type SeedViolation, type ShareGate } from './search/seed_result.ts';

export interface RunFacts {
  readonly plan: Plan;
  readonly digest: string;
  readonly counters: Counters;
  readonly virtualMicros: number;
  readonly violation: SeedViolation | null;
  /** Why the run stopped before its end; empty when it did not. */
  readonly cut: string;
  /** Comparisons by checker id. */
  readonly checks: Readonly<Record<string, number>>;
  /** Hits of this run by name, those hit alone. */
  readonly probes: Readonly<Record<string, number>>;
}

export function verdictOf(facts: RunFacts): SeedResult {
  const { plan, counters, checks, probes, virtualMicros } = facts;
  const gates: Record<string, number> = {};
  const shares: ShareGate[] = [];
  const unmet: string[] = facts.cut === '' ? [] : [facts.cut];
  for (const gate of plan.gates) {
    const value = counterValue(counters, gate.counter, virtualMicros, probes);
    gates[gate.counter] = value;
    const met = gateIsMet(gate, value);
    if (gate.sharePpm !== undefined) {
      shares.push({ gate: gateInWords(gate), sharePpm: gate.sharePpm, met });
    } else if (!met) {
      unmet.push(`${gateInWords(gate)}: ${value}`);
    }
  }
  for (const id of plan.invariants) {
    if (checks[id] === 0) unmet.push(`${id} compared nothing`);
  }
  return {
    seed: Number(plan.seed),
    digest: facts.digest,
    events: counters.events,
    messages: counters.delivered,
    storageOps: counters.storageOps,
    commits: counters.commits,
    viewChanges: counters.viewChanges,
    crashes: counters.crashes,
    virtualMicros,
    violation: facts.violation,
    unmet,
    shares,
    checks,
    gates,
    faults: faultCounts(counters),
    probes,
    canaryReached: canaryReached(),
  };
}

/** Indices in "R0 ... R2", each once, in order. */
export function replicasIn(message: string): number[] {
  const found = new Set<number>();
  for (const match of message.matchAll(/\bR([0-9])\b/g)) found.add(Number(match[1]));
  return [...found].sort((a, b) => a - b);
}
