/**
 * BLAKE3-256 for internal digests: state digests, content addressing. Never for evidence: the
 * compliance chain is SHA-256 (core/crypto/sha256.ts), and the two purposes do not mix.
 */
import { blake3 as nobleBlake3 } from '@noble/hashes/blake3.js';
import { assert } from '../assert.ts';
import { type Region } from '../message/region.ts';

export const BLAKE3_SIZE = 32;

/** Incremental digest over several stretches of bytes. One digest a hasher. */
export class Blake3 {
  private readonly state = nobleBlake3.create({});

  update(region: Region, at: number, length: number): this {
    this.state.update(region.bytes.subarray(at, at + length));
    return this;
  }

  finish(target: Region, targetAt: number): void {
    const out = this.state.digest();
    assert(out.some((byte) => byte !== 0), 'blake3: all zero');
    target.bytes.set(out, targetAt);
  }
}

/** Any bytes, a new array. */
export function blake3(bytes: Uint8Array): Uint8Array {
  return nobleBlake3(bytes);
}
