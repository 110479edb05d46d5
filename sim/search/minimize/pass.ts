/**
 * The three ways to look for a smaller plan. A pass proposes plans made from the best so far, and
 * hears which of them was the first that fails alike; that one is the best when it is asked next.
 * It runs nothing and keeps nothing but its place.
 */
import { assert } from '../../../core/assert.ts';
import { type Plan } from '../../plan.ts';
import { Ddmin } from './ddmin.ts';
import { type Best } from './facts.ts';

export interface Pass {
  /** Plans to try, the one wanted most first; none: the pass is over. */
  propose(best: Best): readonly Plan[];
  /** Index of the first plan of the last proposal that fails alike, and is the best now; -1: none. */
  take(held: number): void;
}

/** Null: there is nothing to change. */
export type Edit = (best: Best) => Plan | null;

/** As many plans of `Edits` are made at once. */
const EDITS_PROPOSED = 8;

/** One of several plans, in order. */
export class OneOf implements Pass {
  private readonly edits: readonly Edit[];
  private proposed = false;

  constructor(edits: readonly Edit[]) {
    this.edits = edits;
  }

  propose(best: Best): readonly Plan[] {
    if (this.proposed) return [];
    this.proposed = true;
    const plans: Plan[] = [];
    for (const edit of this.edits) {
      const plan = edit(best);
      if (plan !== null) plans.push(plan);
    }
    return plans;
  }

  take(_held: number): void {}
}

/** Changes that have nothing to do with each other, each in several degrees, the boldest first. */
export class Edits implements Pass {
  private readonly ladders: readonly (readonly Edit[])[];
  /** Next to try: a ladder, and a degree on it. */
  private ladder = 0;
  private degree = 0;
  /** Place of each plan of the last proposal, and where it ended. */
  private places: readonly { readonly ladder: number; readonly degree: number }[] = [];

  constructor(ladders: readonly (readonly Edit[])[]) {
    this.ladders = ladders;
  }

  propose(best: Best): readonly Plan[] {
    const plans: Plan[] = [];
    const places: { ladder: number; degree: number }[] = [];
    let { ladder, degree } = this;
    while (ladder < this.ladders.length && plans.length < EDITS_PROPOSED) {
      const edit = (this.ladders[ladder] as readonly Edit[])[degree];
      if (edit === undefined) {
        ladder++;
        degree = 0;
        continue;
      }
      const plan = edit(best);
      if (plan !== null) {
        plans.push(plan);
        places.push({ ladder, degree });
      }
      degree++;
    }
    this.places = places;
    this.ladder = ladder;
    this.degree = degree;
    return plans;
  }

  take(held: number): void {
    if (held < 0) return;
    const place = this.places[held];
    assert(place !== undefined, 'minimize: no such proposal', held, this.places.length);
    // What followed was made from a plan that is not the best any more: it is made again.
    this.ladder = place.ladder + 1;
    this.degree = 0;
  }
}

/** A list of which as little as possible is kept. */
export class Subset<T> implements Pass {
  private readonly ddmin: Ddmin<T>;
  private readonly apply: (plan: Plan, kept: readonly T[]) => Plan;

  /** `apply(plan, items)` must be `plan` when nothing is left out. */
  constructor(items: readonly T[], apply: (plan: Plan, kept: readonly T[]) => Plan) {
    this.ddmin = new Ddmin(items);
    this.apply = apply;
  }

  propose(best: Best): readonly Plan[] {
    return this.ddmin.propose().map((kept) => this.apply(best.plan, kept));
  }

  take(held: number): void {
    this.ddmin.take(held);
  }
}
