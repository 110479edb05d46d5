/** The production Rng: the same stream as in simulation, seeded from the system's entropy. */
import { randomBytes } from 'node:crypto';
import { regionOf, type Region } from '../core/message/region.ts';
import { Prng } from '../core/prng.ts';

export function seedFromEntropy(): Prng {
  const bytes = randomBytes(16);
  return new Prng([
    bytes.readUInt32LE(0),
    bytes.readUInt32LE(4),
    bytes.readUInt32LE(8),
    bytes.readUInt32LE(12),
  ]);
}

/** A 128-bit id that nobody can guess or has used: client ids, cluster ids. Never zero. */
export function randomId128(): Region {
  const region = regionOf(new Uint8Array(16));
  do region.bytes.set(randomBytes(16));
  while (region.words.every((word) => word === 0));
  return region;
}
