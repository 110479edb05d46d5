/**
 * What decisions are about. An identity is a family and up to six words (who, what, the how
 * manieth); its 32-bit key comes from those and the run's seed (decide.ts). Keys are for looking
 * up, identities for people and for bundles: they mean the same after a change to the code.
 */
import { type DecisionNames } from '../bundles/decision_tape.ts';

/** The number enters the hash: never reuse one. */
export const FAMILY = {
  /** No key of ours: a number of the plan, such as `pick` of a fault. Words: that number. */
  plan: 0,
  /** from << 16 | to << 8 | command, view, what it is about, detail. Its copies are numbered. */
  message: 1,
  /** from * nodes + to, nodes. */
  link: 2,
  /** node, kind of operation, sector, how often it was written; of a sync: node, 2, number. */
  storage: 3,
  /** zone, chunk. */
  chunk: 4,
  /** client, index; of the setup: client, tenant, stream, 1. */
  operation: 5,
  /** Index in the plan's list of faults. */
  fault: 6,
  /** node; of a crash that waits for a write: node, starts, 1. */
  process: 7,
  /** client, index of the operation, number of the choice: in a system of one's own. */
  choice: 8,
  /** client, operations done: the rest after them. */
  rest: 9,
} as const;

/** Names as bundles carry them, so that they can be read without this code. */
export function decisionNames(
  domains: Readonly<Record<string, number>>,
  commands: readonly string[],
  replicaCount: number,
): DecisionNames {
  return {
    domains: byNumber(domains),
    families: byNumber(FAMILY),
    commands,
    replicaCount,
  };
}

/** Index = number; '' where there is none. */
function byNumber(numbers: Readonly<Record<string, number>>): string[] {
  const names = Array.from({ length: Math.max(...Object.values(numbers)) + 1 }, () => '');
  for (const [name, number] of Object.entries(numbers)) names[number] = name;
  return names;
}
