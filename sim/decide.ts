/**
 * Semantic randomness. Whether this message is lost or that sector torn is not drawn from a running
 * stream: it is a keyed 32-bit hash of the run's seed and the identity of the thing decided. So
 * removing one fault or one client operation leaves every other decision as it was, and a failing
 * run can be shrunk piece by piece.
 *
 * An identity is hashed once into a key (`messageKey`, `storageKey`, ...); each decision about it
 * is a further hash of (key, domain). Integers only: no engine's `Math.log` is involved.
 */
import { assert } from '../core/assert.ts';
import { mix32, type Seed } from '../core/prng.ts';
import { DecisionTable } from './decision_table.ts';
import { type PinnedDecision } from './plan.ts';

/** What is decided about an identity. The number enters the hash: never reuse one. */
export const DOMAIN = {
  loss: 1,
  delay: 2,
  duplicate: 3,
  duplicateDelay: 4,
  corrupt: 5,
  corruptBits: 6,
  unclogDelay: 7,
  storageDelay: 8,
  sectorLost: 9,
  writeTorn: 10,
  sectorGarbage: 11,
  rotBits: 12,
  chunk: 13,
  backup: 14,
  crashDelay: 15,
  linkFactor: 16,
  atlas: 17,
  operation: 18,
  stream: 19,
  eventCount: 20,
  payload: 21,
  expected: 22,
  idempotent: 23,
  reissue: 24,
  think: 25,
  idle: 26,
  range: 27,
  name: 28,
} as const;
export type DomainName = keyof typeof DOMAIN;
const DOMAIN_NAMES = new Map(Object.entries(DOMAIN).map(([name, domain]) => [domain as number, name]));

/** `ppm * THRESHOLD` compares with a u32. */
const THRESHOLD = 4294.967296;

export class Decisions {
  private readonly k0: number;
  private readonly k1: number;
  /** Overruled decisions; nearly always none. */
  private readonly pins: DecisionTable | null;
  /** When set: (domain, key) of every chance that came true, in order. What a minimiser works on. */
  log: number[] | null = null;

  constructor(seed: Seed, pins: readonly PinnedDecision[]) {
    this.k0 = mix32(seed[0] ^ mix32(seed[1] ^ 0x2545f491));
    this.k1 = mix32(seed[2] ^ mix32(seed[3] ^ 0x6c8e9cf5));
    this.pins = pins.length === 0 ? null : tableOf(pins);
  }

  /** The identity of up to six numbers; their low 32 bits count. `kind` keeps families apart. */
  key(kind: number, a: number, b: number, c: number, d: number, e: number, f: number): number {
    let h = this.k0 ^ kind;
    h = round(h, a);
    h = round(h, b);
    h = round(h, c);
    h = round(h, d);
    h = round(h, e);
    h = round(h, f);
    return mix32(h ^ this.k1);
  }

  /** 32 fresh bits about this identity, unsigned. */
  bits(key: number, domain: number): number {
    return mix32(key + Math.imul(domain, 0x9e3779b1)) >>> 0;
  }

  /** True with a probability of `ppm` in a million. */
  chance(key: number, domain: number, ppm: number): boolean {
    if (this.pins !== null) {
      const pin = this.pins.find(domain, key);
      if (pin >= 0) return this.pins.valueAt(pin) !== 0;
    }
    if (ppm <= 0 || this.bits(key, domain) >= ppm * THRESHOLD) return false;
    if (this.log !== null) this.log.push(domain, key >>> 0);
    return true;
  }

  /** Uniform in 0..bound-1. */
  below(key: number, domain: number, bound: number): number {
    if (this.pins !== null) {
      const pin = this.pins.find(domain, key);
      if (pin >= 0) return Math.min(this.pins.valueAt(pin), bound - 1);
    }
    return Math.floor((this.bits(key, domain) / 4_294_967_296) * bound);
  }

  /** Uniform in min..max, both included. */
  between(key: number, domain: number, min: number, max: number): number {
    return min + this.below(key, domain, max - min + 1);
  }

  /** Exponential with this mean, in whole units, at most about 7.6 times the mean. */
  exponential(key: number, domain: number, mean: number): number {
    if (this.pins !== null) {
      const pin = this.pins.find(domain, key);
      if (pin >= 0) return this.pins.valueAt(pin);
    }
    const quantile = EXPONENTIAL[this.bits(key, domain) >>> 22] as number;
    return Math.floor((mean * quantile) / EXPONENTIAL_UNIT);
  }

  /** The log as decisions that force the same again; give one the value 0 to veto it. */
  taken(): PinnedDecision[] {
    const log = this.log ?? [];
    const taken: PinnedDecision[] = [];
    for (let i = 0; i < log.length; i += 2) {
      const domain = DOMAIN_NAMES.get(log[i] as number) as string;
      taken.push({ domain, key: log[i + 1] as number, value: 1 });
    }
    return taken;
  }
}

/** Of two pins for one decision the first counts. */
function tableOf(pins: readonly PinnedDecision[]): DecisionTable {
  const table = new DecisionTable(pins.length);
  for (let i = pins.length - 1; i >= 0; i--) {
    const { domain, key, value } = pins[i] as PinnedDecision;
    const number = DOMAIN[domain as DomainName];
    assert(number !== undefined, 'decide: unknown domain in a pinned decision');
    table.set(number, key, value);
  }
  return table;
}

/** A weighted choice among `weights` with sum `total`; `value` is uniform in 0..total-1. */
export function choose(weights: Uint32Array, value: number): number {
  let rest = value;
  for (let i = 0; i < weights.length; i++) {
    const weight = weights[i] as number;
    if (rest < weight) return i;
    rest -= weight;
  }
  assert(false, 'decide: weights', value);
}

function round(h: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = (k << 15) | (k >>> 17);
  const x = h ^ Math.imul(k, 0x1b873593);
  return (Math.imul((x << 13) | (x >>> 19), 5) + 0xe6546b64) | 0;
}

/** Quantiles of the exponential distribution with mean `EXPONENTIAL_UNIT`, at (i + 1/2) / 1024. */
const EXPONENTIAL_UNIT = 4096;
const EXPONENTIAL = exponentialTable();

/** By the four basic operations alone, whose results every engine rounds alike. */
function exponentialTable(): Uint16Array {
  const table = new Uint16Array(1024);
  const ln2 = naturalLog(2);
  for (let i = 0; i < table.length; i++) {
    let x = 1 - (i + 0.5) / table.length;
    let halvings = 0;
    while (x < 0.5) {
      x *= 2;
      halvings++;
    }
    table[i] = Math.floor((halvings * ln2 - naturalLog(x)) * EXPONENTIAL_UNIT + 0.5);
  }
  return table;
}

/** ln x = 2 artanh((x - 1) / (x + 1)), for x in 0.5..2. */
function naturalLog(x: number): number {
  const z = (x - 1) / (x + 1);
  let term = z;
  let sum = 0;
  for (let n = 1; n < 60; n += 2) {
    sum += term / n;
    term *= z * z;
  }
  return 2 * sum;
}
