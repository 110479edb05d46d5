/**
 * What a campaign says in the end, as plain data: sums, lists and a digest. Summaries of shards add
 * up to that of the whole campaign (`mergeSummaries`), so what is judged over a batch is judged
 * again over the sum: a summary carries the counts from which it was judged.
 *
 * Counts are in order of name and lists in order of seeds: a summary is a function of the set of
 * seeds, not of the order in which they ran.
 */
import { hash } from 'node:crypto';
import { assert } from '../../core/assert.ts';
import { type SeedResult, type SeedViolation } from './seed_result.ts';

export interface CampaignViolation extends SeedViolation {
  readonly seed: number;
}

export type Counts = Readonly<Record<string, number>>;

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
  readonly unmet: Counts;
  /** Gates that ask for a share of the seeds, and how those that passed stand to them. */
  readonly shares: readonly ShareCount[];
  readonly events: number;
  readonly messages: number;
  readonly storageOps: number;
  readonly commits: number;
  readonly viewChanges: number;
  readonly crashes: number;
  readonly virtualMicros: number;
  readonly checks: Counts;
  readonly gates: Counts;
  readonly faults: Counts;
  /** Hits of every probe that the code declares, 0 for those that no seed came by. */
  readonly probes: Counts;
  readonly canaryReached: number;
  /** See `digestTerm`. */
  readonly digest: string;
}

export interface ShareCount {
  /** In words, with what was asked for. */
  readonly gate: string;
  readonly sharePpm: number;
  readonly met: number;
  /** Seeds that passed and did not meet it. */
  readonly missed: readonly number[];
}

/** A share is judged when at least this many seeds have run: fewer say little about it. */
export const SHARE_SEEDS_MIN = 20;

/** Sums that are only ever added to. */
const SUMS = [
  'count', 'events', 'messages', 'storageOps', 'commits', 'viewChanges', 'crashes', 'virtualMicros',
  'canaryReached',
] as const satisfies readonly (keyof CampaignSummary)[];
const COUNTS = [
  'unmet', 'checks', 'gates', 'faults', 'probes',
] as const satisfies readonly (keyof CampaignSummary)[];

interface MutableShare {
  readonly gate: string;
  readonly sharePpm: number;
  met: number;
  readonly missed: number[];
}

/** Adds up seeds, and summaries of other seeds of the same scenario. */
export class CampaignTotals {
  private readonly sums: Record<(typeof SUMS)[number], number>;
  private readonly counts: Record<(typeof COUNTS)[number], Record<string, number>>;
  private readonly violations: CampaignViolation[] = [];
  /** Of themselves, whatever the shares are. */
  private readonly vacuous: number[] = [];
  private readonly shares: MutableShare[] = [];
  private digest = DIGEST_ZERO;

  /** `probes`: the names of all that the code declares. */
  constructor(probes: readonly string[] = []) {
    this.sums = Object.fromEntries(SUMS.map((key) => [key, 0])) as typeof this.sums;
    this.counts = Object.fromEntries(COUNTS.map((key) => [key, {}])) as typeof this.counts;
    for (const name of probes) this.counts.probes[name] = 0;
  }

  add(scenario: string, result: SeedResult): void {
    this.sums.count++;
    for (const key of SUMS) {
      if (key !== 'count') this.sums[key] += result[key];
    }
    for (const key of COUNTS) {
      if (key !== 'unmet') addCounts(this.counts[key], result[key]);
    }
    this.digest = addDigests(this.digest, digestTerm(scenario, result.seed, result.digest));
    if (result.violation !== null) {
      this.violations.push({ seed: result.seed, ...result.violation });
    } else if (result.unmet.length > 0) {
      this.vacuous.push(result.seed);
      for (const text of result.unmet) {
        addCounts(this.counts.unmet, { [text.replace(/: \d+$/, '')]: 1 }); // The value differs by seed.
      }
    } else {
      // Seeds that count against a share are those that passed: others are reported already.
      for (const { gate, sharePpm, met } of result.shares) {
        this.addShare({ gate, sharePpm, met: met ? 1 : 0, missed: met ? [] : [result.seed] });
      }
    }
  }

  addSummary(summary: CampaignSummary): void {
    for (const key of SUMS) this.sums[key] += summary[key];
    for (const key of COUNTS) addCounts(this.counts[key], summary[key]);
    this.digest = addDigests(this.digest, summary.digest);
    this.violations.push(...summary.violations);
    // What was said of shares is taken back; it is judged anew over the sum.
    const missed = new Set<number>();
    for (const share of summary.shares.filter(isUnmet)) {
      delete this.counts.unmet[reasonOf(share)];
      for (const seed of share.missed) missed.add(seed);
    }
    for (const seed of summary.vacuous) if (!missed.has(seed)) this.vacuous.push(seed);
    for (const share of summary.shares) this.addShare(share);
  }

  private addShare({ gate, sharePpm, met, missed }: ShareCount): void {
    let share = this.shares.find((known) => known.gate === gate);
    if (share === undefined) {
      share = { gate, sharePpm, met: 0, missed: [] };
      this.shares.push(share);
    }
    share.met += met;
    for (const seed of missed) share.missed.push(seed);
  }

  summary(scenario: string, first: number): CampaignSummary {
    const vacuous = new Set(this.vacuous);
    const unmet: Record<string, number> = { ...this.counts.unmet };
    const shares = this.shares
      .map((share) => ({ ...share, missed: inOrder(share.missed) }))
      .sort((a, b) => (a.gate < b.gate ? -1 : 1));
    for (const share of shares.filter(isUnmet)) {
      for (const seed of share.missed) vacuous.add(seed);
      unmet[reasonOf(share)] = share.missed.length;
    }
    const { sums, counts } = this;
    return {
      scenario,
      first,
      count: sums.count,
      passed: sums.count - this.violations.length - vacuous.size,
      violations: [...this.violations].sort((a, b) => a.seed - b.seed),
      vacuous: inOrder([...vacuous]),
      unmet: byName(unmet),
      shares,
      events: sums.events,
      messages: sums.messages,
      storageOps: sums.storageOps,
      commits: sums.commits,
      viewChanges: sums.viewChanges,
      crashes: sums.crashes,
      virtualMicros: sums.virtualMicros,
      checks: byName(counts.checks),
      gates: byName(counts.gates),
      faults: byName(counts.faults),
      probes: byName(counts.probes),
      canaryReached: sums.canaryReached,
      digest: this.digest,
    };
  }
}

/** Of parts of one campaign that have no seed in common, at least one. */
export function mergeSummaries(parts: readonly CampaignSummary[]): CampaignSummary {
  const totals = new CampaignTotals();
  for (const part of parts) totals.addSummary(part);
  const { scenario } = parts[0] as CampaignSummary;
  assert(parts.every((part) => part.scenario === scenario), 'summaries: of one scenario');
  return totals.summary(scenario, Math.min(...parts.map(({ first }) => first)));
}

/** Names of probes that no seed came by, in order. */
export function probesNeverHit({ probes }: Pick<CampaignSummary, 'probes'>): string[] {
  return Object.keys(probes).filter((name) => probes[name] === 0);
}

function isUnmet({ met, missed, sharePpm }: ShareCount): boolean {
  const count = met + missed.length;
  return count >= SHARE_SEEDS_MIN && met * 1_000_000 < sharePpm * count;
}

function reasonOf({ gate, sharePpm }: ShareCount): string {
  return `${gate} in ${sharePpm / 10_000} % of the seeds`;
}

export function addCounts(sums: Record<string, number>, counts: Counts): void {
  for (const key of Object.keys(counts)) sums[key] = (sums[key] ?? 0) + (counts[key] as number);
}

function byName(counts: Counts): Record<string, number> {
  const sorted: Record<string, number> = {};
  for (const key of Object.keys(counts).sort()) sorted[key] = counts[key] as number;
  return sorted;
}

function inOrder(seeds: readonly number[]): number[] {
  return [...seeds].sort((a, b) => a - b);
}

// --- The digest of many seeds ---

export const DIGEST_ZERO = '0'.repeat(32);

/**
 * What one seed adds to the digest of a campaign: a hash of (scenario, seed, digest). The digest is
 * the sum modulo 2^128, so it depends neither on order nor on how the seeds were divided: the
 * digests of all shards add up to that of the whole.
 */
export function digestTerm(scenario: string, seed: number, digest: string): string {
  return hash('sha256', `kimberlite/campaign/v1 ${scenario} ${seed} ${digest}`, 'hex').slice(0, 32);
}

/** Both and the sum are 128 bits in hexadecimal. */
export function addDigests(a: string, b: string): string {
  let text = '';
  let carry = 0;
  for (let at = 24; at >= 0; at -= 8) {
    const sum = Number.parseInt(a.slice(at, at + 8), 16) + Number.parseInt(b.slice(at, at + 8), 16) + carry;
    carry = sum >= 4_294_967_296 ? 1 : 0;
    text = (sum % 4_294_967_296).toString(16).padStart(8, '0') + text;
  }
  return text;
}
