/**
 * Ranges in scenarios, and the one way to draw from them. Integers only.
 */
import { type Prng } from '../core/prng.ts';

/** A constant, or both ends of an inclusive range from which one integer is drawn per run. */
export type Range = number | readonly [min: number, max: number];

/** Parts per million: 0..1_000_000. */
export type Ppm = number;

/** One draw whatever the range, so that narrowing one range moves no other value. */
export function draw(rng: Prng, range: Range): number {
  const [min, max] = ends(range);
  return min + Math.floor((rng.u32() * (max - min + 1)) / 4_294_967_296);
}

export function ends(range: Range): readonly [number, number] {
  return typeof range === 'number' ? [range, range] : range;
}
