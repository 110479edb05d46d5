/**
 * How many decisions a failing plan is made of: what somebody has to take in who reads it, and what
 * a minimised one has fewer of.
 *
 * - nodes: replicas, and clients that start;
 * - operations: those that clients called up to the failure, their setup included;
 * - faults: events that the plan schedules;
 * - chances: what came true by chance up to the failure: losses, torn sectors, stale offsets...;
 * - delays: latencies of messages and disks up to the failure that were longer than the least;
 * - numbers: all others that are not as in plain_plan.ts.
 */
import { type Best } from './facts.ts';
import { presentClients } from './plan_edits.ts';
import { numbersOf } from './plan_numbers.ts';

export interface DecisionCount {
  readonly nodes: number;
  readonly operations: number;
  readonly faults: number;
  readonly chances: number;
  readonly delays: number;
  readonly numbers: number;
  readonly total: number;
}

export function decisionsOf({ plan, facts }: Best): DecisionCount {
  const { chances, delays } = facts;
  const nodes = plan.replicaCount + presentClients(plan).length;
  const operations = facts.calls.reduce((sum, count) => sum + count, 0);
  const faults = plan.faults.length;
  const numbers = numbersOf(plan).length;
  const total = nodes + operations + faults + chances + delays + numbers;
  return { nodes, operations, faults, chances, delays, numbers, total };
}
