/**
 * Random choices about one operation of one client: a keyed hash of who, the how manieth operation
 * and the how manieth choice. So leaving an operation out changes no other.
 */
import { DOMAIN, type Decisions } from '../decide.ts';
import { FAMILY } from '../identity.ts';
import { type Ppm } from '../range.ts';


export class Draw {
  /** From 0. */
  readonly client: number;
  /** Of this operation among the client's, from 0. */
  readonly index: number;
  private readonly decisions: Decisions;
  private choices = 0;

  constructor(decisions: Decisions, client: number, index: number) {
    this.decisions = decisions;
    this.client = client;
    this.index = index;
  }

  /** Uniform in 0..bound-1. */
  below(bound: number): number {
    return this.decisions.below(this.nextKey(), DOMAIN.operation, bound);
  }

  /** Uniform in min..max, both included. */
  between(min: number, max: number): number {
    return min + this.below(max - min + 1);
  }

  /** True with a probability of `ppm` in a million. */
  chance(ppm: Ppm): boolean {
    return this.below(1_000_000) < ppm;
  }

  /** One of these, each as likely as the others. */
  oneOf<T>(values: readonly T[]): T {
    return values[this.below(values.length)] as T;
  }

  private nextKey(): number {
    return this.decisions.key(FAMILY.choice, this.client, this.index, this.choices++, 0, 0, 0);
  }
}
