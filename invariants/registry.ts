/**
 * All checkers, in the order in which they run. Ids are those of specs/invariants.md.
 */
import { type CheckerEntry } from './invariant.ts';

export const CHECKERS: readonly CheckerEntry[] = [];

/** The entries with these ids, in registry order. Throws on an unknown id: a bug in a scenario. */
export function checkersOf(ids: readonly string[]): readonly CheckerEntry[] {
  for (const id of ids) {
    if (!CHECKERS.some((entry) => entry.id === id)) throw new Error(`no invariant "${id}"`);
  }
  return CHECKERS.filter((entry) => ids.includes(entry.id));
}
