/**
 * When two failures are the same failure: what bisect, minimize and repro ask for after each
 * re-execution. Event numbers, times and values differ between a run and its shrunken copy, so only
 * what the checker claims counts, and of a panic also where the code stopped.
 */
import { type SeedViolation } from './seed_result.ts';

const PANIC = 'no_panic';

/** Equal for runs that show the same bug; readable, and fit for a ledger. */
export function signatureOf({ invariant, message }: Pick<SeedViolation, 'invariant' | 'message'>): string {
  if (invariant !== PANIC) return invariant;
  // `R1 stopped: AssertionError: journal: slot 12 ...`: who and how much are circumstances.
  const place = message.replace(/^[RC]\d+ /, '').replace(/\b(0x)?[0-9a-f]*\d[0-9a-f]*\b/g, '#');
  return `${invariant}: ${place.slice(0, 200)}`;
}
