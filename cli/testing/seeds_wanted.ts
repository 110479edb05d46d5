/**
 * Which seeds a test runs: what it says, unless the environment says otherwise.
 *
 *   VOPR_SEEDS=10000   so many instead, from the test's own first seed
 *   VOPR_SEED=1182     this one alone (a number, or any text); with VOPR_SEEDS, so many from it on
 */
import { seedOfName, type SeedRange } from '../../sim/search/campaign.ts';
import { UsageError } from '../usage_error.ts';

const SEEDS_DEFAULT = 20;
const FIRST_DEFAULT = 1;
const SEEDS_MAX = 1e9;
const SEED_MAX = 2 ** 52;

export interface SeedsAsked {
  readonly seeds?: number | undefined;
  readonly from?: number | string | undefined;
}

/** Throws UsageError that names the option or variable which is no seed or count. */
export function seedsWanted(
  asked: SeedsAsked,
  environment: Readonly<Record<string, string | undefined>>,
): SeedRange {
  const { VOPR_SEED: seed, VOPR_SEEDS: seeds } = environment;
  const pinned = seed !== undefined && seed !== '';
  const first = pinned ? seedOf(seed, 'VOPR_SEED') : seedOf(asked.from ?? FIRST_DEFAULT, 'from');
  const widened = seeds !== undefined && seeds !== '';
  const count = widened
    ? countOf(/^[0-9]+$/.test(seeds) ? Number(seeds) : seeds, 'VOPR_SEEDS')
    : pinned ? 1 : countOf(asked.seeds ?? SEEDS_DEFAULT, 'seeds');
  return { first, stride: 1, count };
}

function seedOf(value: number | string, name: string): number {
  if (typeof value === 'string' && !/^[0-9]{1,15}$/.test(value)) return seedOfName(value);
  const seed = Number(value);
  if (Number.isInteger(seed) && seed >= 0 && seed <= SEED_MAX) return seed;
  throw new UsageError(`${name}: "${value}" is no seed; give a whole number from 0 to 2^52, or a text`);
}

function countOf(value: number | string, name: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= SEEDS_MAX) return value;
  throw new UsageError(`${name}: "${value}" is no count; give a whole number from 1 to ${SEEDS_MAX}`);
}
