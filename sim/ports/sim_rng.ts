/**
 * A process's own randomness: jitter, nonces. Derived from the run's seed, the node and how often
 * it has started, so that a restarted replica does not repeat its earlier draws, and no other
 * node's draws move.
 */
import { Prng, type Seed } from '../../core/prng.ts';

export function processRng(seed: Seed, node: number, incarnation: number): Prng {
  return new Prng(seed).fork(`node ${node} start ${incarnation}`);
}
