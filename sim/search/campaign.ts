/**
 * A campaign is many seeds of one scenario. This is the pure part: which seeds, and how their
 * results become one. Threads are the program's business.
 *
 * Results arrive in any order and are taken in order of position, so that the outcome (also of a
 * campaign that stops at its first violation) does not depend on the number of jobs. Memory is
 * flat: what waits is bounded by the window that the dispatcher keeps, and a passed seed leaves
 * nothing but sums.
 */
import seedrandom from 'seedrandom';
import { assert } from '../../core/assert.ts';
import { CampaignTotals, type CampaignSummary } from './campaign_summary.ts';
import { type SeedResult } from './seed_result.ts';

/** Seeds `first + i * stride` for i in 0..count-1, in that order but for the early ones. */
export interface SeedRange {
  readonly first: number;
  readonly stride: number;
  readonly count: number;
  /** Seeds of the range that come before all others: those that failed before. */
  readonly early?: readonly number[];
}

/**
 * Shard `index` of `shards` (from 1) of `count` consecutive seeds: every `shards`-th one, so that
 * shards take about as long as each other.
 */
export function shardOf(first: number, count: number, index: number, shards: number): SeedRange {
  assert(index >= 1 && index <= shards, 'shard: index', index, shards);
  return {
    first: first + index - 1,
    stride: shards,
    count: Math.max(0, Math.ceil((count - (index - 1)) / shards)),
  };
}

/** In the order in which they run. */
export function seedAt(range: SeedRange, position: number): number {
  const { first, stride, early = [] } = range;
  if (position < early.length) return early[position] as number;
  // The index that this position has among all: early ones before it stand elsewhere.
  let index = position - early.length;
  for (const taken of early.map((seed) => (seed - first) / stride).sort((a, b) => a - b)) {
    if (taken <= index) index++;
  }
  return first + index * stride;
}

/** When it runs; null: it is not of the range. */
export function positionOf({ first, stride, count, early = [] }: SeedRange, seed: number): number | null {
  const index = (seed - first) / stride;
  if (!Number.isInteger(index) || index < 0 || index >= count) return null;
  const at = early.indexOf(seed);
  if (at >= 0) return at;
  return index + early.filter((other) => other > seed).length;
}

/** The same seeds, those of `early` that are among them first. */
export function withEarly(range: SeedRange, early: readonly number[]): SeedRange {
  return { ...range, early: [...new Set(early)].filter((seed) => positionOf(range, seed) !== null) };
}

/** A textual seed becomes 48 bits, which leaves room for more seeds to follow it. */
export function seedOfName(name: string): number {
  const generator = seedrandom(name);
  const low = generator.int32() >>> 0;
  return (generator.int32() & 0xffff) * 4_294_967_296 + low;
}

export interface CampaignOptions {
  readonly scenario: string;
  readonly seeds: SeedRange;
  /** False: the campaign ends with its first violation, in the order in which seeds run. */
  readonly keepGoing: boolean;
  /** Names of all probes that the code declares: none of them may be missing from the summary. */
  readonly probes?: readonly string[];
}

export class Campaign {
  readonly scenario: string;
  readonly seeds: SeedRange;
  private readonly keepGoing: boolean;
  /** Results beyond a gap, by position. */
  private readonly waiting = new Map<number, SeedResult>();
  private readonly totals: CampaignTotals;
  private position = 0;
  private stopped = false;

  constructor(options: CampaignOptions) {
    this.scenario = options.scenario;
    this.seeds = options.seeds;
    this.keepGoing = options.keepGoing;
    this.totals = new CampaignTotals(options.probes);
  }

  /** Seeds taken so far, all before this position. */
  get taken(): number {
    return this.position;
  }

  get done(): boolean {
    return this.stopped || this.position === this.seeds.count;
  }

  /** Calls `onTaken` for each result that this one sets free, in order. */
  add(position: number, result: SeedResult, onTaken: (result: SeedResult) => void): void {
    assert(position >= this.position || this.stopped, 'campaign: position taken twice', position);
    assert(result.seed === seedAt(this.seeds, position), 'campaign: seed', result.seed, position);
    this.waiting.set(position, result);
    while (!this.done) {
      const next = this.waiting.get(this.position);
      if (next === undefined) return;
      this.waiting.delete(this.position);
      this.take(next);
      onTaken(next);
    }
    this.waiting.clear();
  }

  private take(result: SeedResult): void {
    this.position++;
    this.totals.add(this.scenario, result);
    if (result.violation !== null && !this.keepGoing) this.stopped = true;
  }

  /** Of the seeds taken so far. */
  summary(): CampaignSummary {
    return this.totals.summary(this.scenario, this.seeds.first);
  }
}
