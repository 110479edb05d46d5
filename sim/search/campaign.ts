/**
 * A campaign is many seeds of one scenario. This is the pure part: which seeds, and how their
 * results become one. Threads are the program's business.
 *
 * Results arrive in any order and are taken in order of position, so that the outcome (also of a
 * campaign that stops at its first violation) does not depend on the number of jobs. Memory is
 * flat: what waits is bounded by the window that the dispatcher keeps, and a passed seed leaves
 * nothing but sums.
 */
import { hash } from 'node:crypto';
import seedrandom from 'seedrandom';
import { assert } from '../../core/assert.ts';
import { type SeedResult, type SeedViolation, type ShareGate } from './seed_result.ts';

/** Seeds `first + (offset + i * stride)` for i in 0..count-1. */
export interface SeedRange {
  readonly first: number;
  readonly stride: number;
  readonly count: number;
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

export function seedAt(range: SeedRange, position: number): number {
  return range.first + position * range.stride;
}

/** A textual seed becomes 48 bits, which leaves room for more seeds to follow it. */
export function seedOfName(name: string): number {
  const generator = seedrandom(name);
  const low = generator.int32() >>> 0;
  return (generator.int32() & 0xffff) * 4_294_967_296 + low;
}

export interface CampaignViolation extends SeedViolation {
  readonly seed: number;
}

export interface CampaignSummary {
  readonly scenario: string;
  readonly first: number;
  /** Seeds whose results are in. */
  readonly count: number;
  readonly passed: number;
  readonly violations: readonly CampaignViolation[];
  /** Seeds in which the scenario did not happen. */
  readonly vacuous: readonly number[];
  /** What was missing in them: how many seeds, by reason. */
  readonly unmet: Readonly<Record<string, number>>;
  readonly events: number;
  readonly messages: number;
  readonly storageOps: number;
  readonly commits: number;
  readonly viewChanges: number;
  readonly crashes: number;
  readonly virtualMicros: number;
  readonly checks: Readonly<Record<string, number>>;
  readonly gates: Readonly<Record<string, number>>;
  readonly faults: Readonly<Record<string, number>>;
  readonly canaryReached: number;
  /** See `CampaignDigest`. */
  readonly digest: string;
}

/** A share is judged when at least this many seeds have run: fewer say little about it. */
export const SHARE_SEEDS_MIN = 20;

/** One gate that asks for a share of the seeds. */
interface ShareCount {
  readonly gate: string;
  readonly sharePpm: number;
  met: number;
  readonly missed: number[];
}

export interface CampaignOptions {
  readonly scenario: string;
  readonly seeds: SeedRange;
  /** False: the campaign ends with its first violation, in order of seeds. */
  readonly keepGoing: boolean;
}

export class Campaign {
  readonly scenario: string;
  readonly seeds: SeedRange;
  private readonly keepGoing: boolean;
  /** Results beyond a gap, by position. */
  private readonly waiting = new Map<number, SeedResult>();
  private readonly violations: CampaignViolation[] = [];
  private readonly vacuous: number[] = [];
  private readonly digest = new CampaignDigest();
  private readonly shares: ShareCount[] = [];
  private readonly unmet: Record<string, number> = {};
  private readonly checks: Record<string, number> = {};
  private readonly gates: Record<string, number> = {};
  private readonly faults: Record<string, number> = {};
  private position = 0;
  private stopped = false;
  private events = 0;
  private messages = 0;
  private storageOps = 0;
  private commits = 0;
  private viewChanges = 0;
  private crashes = 0;
  private virtualMicros = 0;
  private canaryReached = 0;

  constructor(options: CampaignOptions) {
    this.scenario = options.scenario;
    this.seeds = options.seeds;
    this.keepGoing = options.keepGoing;
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
    this.events += result.events;
    this.messages += result.messages;
    this.storageOps += result.storageOps;
    this.commits += result.commits;
    this.viewChanges += result.viewChanges;
    this.crashes += result.crashes;
    this.virtualMicros += result.virtualMicros;
    this.canaryReached += result.canaryReached;
    addCounts(this.checks, result.checks);
    addCounts(this.gates, result.gates);
    addCounts(this.faults, result.faults);
    this.digest.add(this.scenario, result.seed, result.digest);
    if (result.violation !== null) {
      this.violations.push({ seed: result.seed, ...result.violation });
      if (!this.keepGoing) this.stopped = true;
    } else if (result.unmet.length > 0) {
      this.vacuous.push(result.seed);
      for (const text of result.unmet) {
        const reason = text.replace(/: \d+$/, ''); // Without the value, which differs by seed.
        this.unmet[reason] = (this.unmet[reason] ?? 0) + 1;
      }
    } else {
      // Seeds that count against a share are those that passed: others are reported already.
      for (const share of result.shares) this.countShare(share, result.seed);
    }
  }

  private countShare({ gate, sharePpm, met }: ShareGate, seed: number): void {
    let share = this.shares.find((known) => known.gate === gate);
    if (share === undefined) {
      share = { gate, sharePpm, met: 0, missed: [] };
      this.shares.push(share);
    }
    if (met) share.met++;
    else share.missed.push(seed);
  }

  /** Gates over the batch that too few seeds met. Those that missed them are vacuous then. */
  private unmetShares(): ShareCount[] {
    return this.shares.filter((share) => {
      const count = share.met + share.missed.length;
      return count >= SHARE_SEEDS_MIN && share.met * 1_000_000 < share.sharePpm * count;
    });
  }

  summary(): CampaignSummary {
    const vacuous = new Set(this.vacuous);
    const unmet = { ...this.unmet };
    for (const share of this.unmetShares()) {
      for (const seed of share.missed) vacuous.add(seed);
      unmet[`${share.gate} in ${share.sharePpm / 10_000} % of the seeds`] = share.missed.length;
    }
    return {
      scenario: this.scenario,
      first: this.seeds.first,
      count: this.position,
      passed: this.position - this.violations.length - vacuous.size,
      violations: this.violations,
      vacuous: [...vacuous].sort((a, b) => a - b),
      unmet,
      events: this.events,
      messages: this.messages,
      storageOps: this.storageOps,
      commits: this.commits,
      viewChanges: this.viewChanges,
      crashes: this.crashes,
      virtualMicros: this.virtualMicros,
      checks: this.checks,
      gates: this.gates,
      faults: this.faults,
      canaryReached: this.canaryReached,
      digest: this.digest.text(),
    };
  }
}

function addCounts(sums: Record<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const key of Object.keys(counts)) sums[key] = (sums[key] ?? 0) + (counts[key] as number);
}

/**
 * One digest over the final digests of many seeds: the sum modulo 2^128 of a hash of each
 * (scenario, seed, digest). A sum, so that it depends neither on order nor on how the seeds were
 * divided: the digests of all shards of a campaign add up to that of the whole.
 */
export class CampaignDigest {
  private readonly words = new Uint32Array(4);

  add(scenario: string, seed: number, digest: string): void {
    const text = hash('sha256', `kimberlite/campaign/v1 ${scenario} ${seed} ${digest}`, 'hex');
    let carry = 0;
    for (let i = 3; i >= 0; i--) {
      const term = Number.parseInt(text.slice(i * 8, i * 8 + 8), 16);
      const sum = (this.words[i] as number) + term + carry;
      this.words[i] = sum % 4_294_967_296;
      carry = sum >= 4_294_967_296 ? 1 : 0;
    }
  }

  text(): string {
    return Array.from(this.words, (word) => word.toString(16).padStart(8, '0')).join('');
  }
}
