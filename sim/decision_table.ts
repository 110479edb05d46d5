/**
 * Decisions by identity: a number for each pair of domain and key. Open addressing over typed
 * arrays, so that a look-up costs the same with ten entries as with a hundred thousand, and the
 * whole is plain state that a snapshot covers.
 */
import { assert } from '../core/assert.ts';
import { mix32 } from '../core/prng.ts';

const CAPACITY_MIN = 16;

export class DecisionTable {
  /** 0 marks a free place: domains begin at 1. */
  private domains: Uint8Array;
  private keys: Int32Array;
  private values: Float64Array;
  private mask: number;
  /** Pairs held. */
  count = 0;

  /** Grows as needed; `expected` pairs fit without. */
  constructor(expected = 0) {
    let capacity = CAPACITY_MIN;
    while (capacity < expected * 2) capacity *= 2;
    this.domains = new Uint8Array(capacity);
    this.keys = new Int32Array(capacity);
    this.values = new Float64Array(capacity);
    this.mask = capacity - 1;
  }

  /** Where the pair stands; -1 when it is not held. Of a key its low 32 bits count. */
  find(domain: number, key: number): number {
    const place = this.placeOf(domain, key | 0);
    return this.domains[place] === 0 ? -1 : place;
  }

  /** Of a place that `find` returned. */
  valueAt(place: number): number {
    return this.values[place] as number;
  }

  /** Holds `value` for the pair, in the place of any earlier one. `domain` is 1..255. */
  set(domain: number, key: number, value: number): void {
    assert(domain >= 1 && domain <= 255, 'decision table: domain', domain);
    // At most half full: a look-up that misses ends after about two steps.
    if (this.count * 2 >= this.mask) this.grow();
    const place = this.placeOf(domain, key | 0);
    if (this.domains[place] === 0) this.count++;
    this.domains[place] = domain;
    this.keys[place] = key;
    this.values[place] = value;
  }

  /** The place of the pair, or the free one where it belongs. */
  private placeOf(domain: number, key: number): number {
    const { domains, keys, mask } = this;
    let place = mix32(key + Math.imul(domain, 0x9e3779b1)) & mask;
    while (domains[place] !== 0 && (keys[place] !== key || domains[place] !== domain)) {
      place = (place + 1) & mask;
    }
    return place;
  }

  private grow(): void {
    const { domains, keys, values } = this;
    const capacity = domains.length * 2;
    this.domains = new Uint8Array(capacity);
    this.keys = new Int32Array(capacity);
    this.values = new Float64Array(capacity);
    this.mask = capacity - 1;
    for (let i = 0; i < domains.length; i++) {
      const domain = domains[i] as number;
      if (domain === 0) continue;
      const place = this.placeOf(domain, keys[i] as number);
      this.domains[place] = domain;
      this.keys[place] = keys[i] as number;
      this.values[place] = values[i] as number;
    }
  }
}
