/**
 * The Rng port of an explored node: no randomness, but choices. Where the code draws one of a few
 * (which replica to ask), the explorer tries each; where it draws a delay, any will do, for time is
 * abstract; a nonce is a function of the node and of how often it has started.
 */
import { REPLICAS_MAX } from '../../../core/constants.ts';
import { type Rng } from '../../../core/ports.ts';

export class ChoiceRng implements Rng {
  /** What the next draws shall be; beyond the end they are 0. */
  private script: readonly number[] = [];
  /** Bounds of the draws made since `begin`, and what they were. */
  readonly bounds: number[] = [];
  readonly drawn: number[] = [];
  private nonce = 0;

  u32(): number {
    return this.nonce;
  }

  below(bound: number): number {
    if (bound > REPLICAS_MAX || bound === 1) return 0;
    const choice = Math.min(this.script[this.bounds.length] ?? 0, bound - 1);
    this.bounds.push(bound);
    this.drawn.push(choice);
    return choice;
  }

  /** Timeouts draw delays only. */
  fork(_label: string): Rng {
    return NO_DELAY;
  }

  // --- For the explorer ---

  /** A process begins its `start`-th life (from 1) on this node. */
  started(node: number, start: number): void {
    this.nonce = (start << 8) | (node << 1) | 1;
  }

  begin(script: readonly number[]): void {
    this.script = script;
    this.bounds.length = 0;
    this.drawn.length = 0;
  }

  /** The draws to try after those just made, in lexical order; null when all were tried. */
  next(): number[] | null {
    for (let last = this.drawn.length - 1; last >= 0; last--) {
      const choice = (this.drawn[last] as number) + 1;
      if (choice < (this.bounds[last] as number)) return [...this.drawn.slice(0, last), choice];
    }
    return null;
  }
}

const NO_DELAY: Rng = Object.freeze({
  u32: () => 0,
  below: () => 0,
  fork: () => NO_DELAY,
});
