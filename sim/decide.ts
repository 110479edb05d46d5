/**
 * Semantic randomness. Whether this message is lost or that sector torn is not drawn from a running
 * stream: it is a keyed 32-bit hash of the run's seed and the identity of the thing decided. So
 * removing one fault or one client operation leaves every other decision as it was, and a failing
 * run can be shrunk piece by piece.
 *
 * An identity (identity.ts) is hashed once into a key; each decision about it is a further hash of
 * (key, domain). Integers only: no engine's `Math.log` is involved.
 */
import { type Identity } from '../bundles/decision_tape.ts';
import { assert } from '../core/assert.ts';
import { mix32, type Seed } from '../core/prng.ts';
import { DecisionTable } from './decision_table.ts';
import { type DecisionRecorder } from './decision_recorder.ts';
import { FAMILY } from './identity.ts';
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
  // Draws about an identity of which a chance has the same number in the hash, as it always had.
  // They have names of their own, so that pinning one leaves the other alone.
  readOffset: 32 | 22,
  idleMicros: 32 | 26,
} as const;
export type DomainName = keyof typeof DOMAIN;
const DOMAIN_NAMES = new Map(Object.entries(DOMAIN).map(([name, domain]) => [domain as number, name]));
/** Bits of a domain that enter the hash. */
const HASHED = 31;
/** Domains of yes or no; all others draw a number. */
const CHANCES: ReadonlySet<number> = new Set([
  DOMAIN.loss,
  DOMAIN.duplicate,
  DOMAIN.corrupt,
  DOMAIN.sectorLost,
  DOMAIN.writeTorn,
  DOMAIN.sectorGarbage,
  DOMAIN.expected,
  DOMAIN.idempotent,
  DOMAIN.reissue,
  DOMAIN.idle,
]);

export function isChance(domain: string): boolean {
  return CHANCES.has(DOMAIN[domain as DomainName]);
}

/** As a probability: cannot happen, not even because a plan pins it. */
export const NEVER = -1;

/** `ppm * THRESHOLD` compares with a u32. */
const THRESHOLD = 4294.967296;

export class Decisions {
  private readonly k0: number;
  private readonly k1: number;
  /** Overruled decisions; nearly always none. */
  private readonly pins: DecisionTable | null;
  /** Set from the beginning of a run on, or never: writes down what is decided. */
  recorder: DecisionRecorder | null = null;

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
    const key = mix32(h ^ this.k1);
    if (this.recorder !== null) this.recorder.made(key, kind, a, b, c, d, e, f);
    return key;
  }

  /** Of the same kind of thing over and over (a message sent again) each copy is its own identity. */
  copy(key: number, number: number): number {
    const copy = this.bits(key + number, FAMILY.message);
    if (this.recorder !== null) this.recorder.copied(copy, key, number);
    return copy;
  }

  /** A numbered part of a thing: one sector of a write, one event of an append. 0 is the whole. */
  part(key: number, number: number): number {
    if (this.recorder !== null && number !== 0) this.recorder.parted(key + number, key, number);
    return key + number;
  }

  /** The key of an identity that a tape holds. */
  keyOf({ family, words, copy, part }: Identity): number {
    const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = words;
    if (family === FAMILY.plan) return a;
    const whole = this.key(family, a, b, c, d, e, f);
    return (copy === null ? whole : this.copy(whole, copy)) + part;
  }

  /** 32 fresh bits about this identity, unsigned. */
  bits(key: number, domain: number): number {
    return mix32(key + Math.imul(domain & HASHED, 0x9e3779b1)) >>> 0;
  }

  /** True with a probability of `ppm` in a million, or `NEVER`. */
  chance(key: number, domain: number, ppm: number): boolean {
    const pin = this.pins === null || ppm === NEVER ? -1 : this.pins.find(domain, key);
    if (pin >= 0 && this.pins !== null) {
      if (this.pins.valueAt(pin) === 0) return false;
    } else if (ppm <= 0 || this.bits(key, domain) >= ppm * THRESHOLD) {
      return false;
    }
    if (this.recorder !== null) this.recorder.decide(domain, key, 1);
    return true;
  }

  /** Uniform in 0..bound-1. */
  below(key: number, domain: number, bound: number): number {
    let value = this.pinned(key, domain);
    if (value >= 0) value = Math.min(value, bound - 1);
    else value = Math.floor((this.bits(key, domain) / 4_294_967_296) * bound);
    if (this.recorder !== null) this.recorder.decide(domain, key, value);
    return value;
  }

  /** Uniform in min..max, both included. */
  between(key: number, domain: number, min: number, max: number): number {
    return min + this.below(key, domain, max - min + 1);
  }

  /** Exponential with this mean, in whole units, at most about 7.6 times the mean. */
  exponential(key: number, domain: number, mean: number): number {
    let value = this.pinned(key, domain);
    if (value < 0) {
      const quantile = EXPONENTIAL[this.bits(key, domain) >>> 22] as number;
      value = Math.floor((mean * quantile) / EXPONENTIAL_UNIT);
    }
    if (this.recorder !== null) this.recorder.decide(domain, key, value);
    return value;
  }

  /** What the recorder saw come true, as decisions that force the same; the value 0 vetoes one. */
  taken(): PinnedDecision[] {
    const taken: PinnedDecision[] = [];
    this.recorder?.forEach((domain, key) => {
      if (!CHANCES.has(domain)) return;
      taken.push({ domain: DOMAIN_NAMES.get(domain) as string, key, value: 1 });
    });
    return taken;
  }

  /** The value that a pin gives to a draw; -1: none. */
  private pinned(key: number, domain: number): number {
    if (this.pins === null) return -1;
    const pin = this.pins.find(domain, key);
    return pin < 0 ? -1 : this.pins.valueAt(pin);
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
