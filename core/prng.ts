/**
 * Deterministic streams behind one door: pure-rand's xoroshiro128+, integers only.
 *
 * `fork(label)` derives an independent stream from the *seed* and the label, not from the stream's
 * position, so that one more draw in one component moves no other's. State is plain data.
 */
import { xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus';
import { assert } from './assert.ts';
import { type Rng } from './ports.ts';

/** Four u32. */
export type Seed = readonly [number, number, number, number];

export class Prng implements Rng {
  private readonly seed: Seed;
  private readonly generator: ReturnType<typeof xoroshiro128plusFromState>;

  constructor(seed: Seed) {
    this.seed = seed;
    // An all-zero state would stay zero for ever.
    const zero = (seed[0] | seed[1] | seed[2] | seed[3]) === 0;
    this.generator = xoroshiro128plusFromState(zero ? [1, 0, 0, 0] : seed.map((word) => word | 0));
  }

  u32(): number {
    return this.generator.next() >>> 0;
  }

  /** Multiply-shift: the bias is below 2^-32 * bound, and each call costs exactly one draw. */
  below(bound: number): number {
    assert(bound >= 1 && bound <= 4_294_967_296, 'prng: bound', bound);
    return Math.floor((this.u32() * bound) / 4_294_967_296);
  }

  fork(label: string): Prng {
    return new Prng(seedOfText(label, this.seed));
  }
}

/** Mixes UTF-16 code units of `text` into four words, starting from `base`. */
export function seedOfText(text: string, base: Seed = [0, 0, 0, 0]): Seed {
  let a = base[0] ^ 0x9e3779b9;
  let b = base[1] ^ 0x243f6a88;
  let c = base[2] ^ 0xb7e15162;
  let d = base[3] ^ text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    a = mix32(a ^ unit);
    b = mix32(b + a);
    c = mix32(c ^ b);
    d = mix32(d + c);
  }
  return [mix32(a ^ d) >>> 0, mix32(b ^ a) >>> 0, mix32(c ^ b) >>> 0, mix32(d ^ c) >>> 0];
}

/** Murmur3's 32-bit finaliser: a bijection with good avalanche. */
export function mix32(value: number): number {
  let h = value | 0;
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  h ^= h >>> 16;
  return h;
}
