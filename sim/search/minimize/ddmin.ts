/**
 * Delta debugging over a list: which items can be left out while a test still holds. Zeller and
 * Hildebrandt, "Simplifying and isolating failure-inducing input" (2002), by complements alone.
 *
 * It runs nothing: `propose` names lists to try, best first, `take` hears which of them held. So it
 * can be stopped after any answer, its tests can run side by side, and its outcome does not depend
 * on how many do: of one proposal the first that holds counts.
 */
import { assert } from '../../../core/assert.ts';

/** As many lists as are built at once: enough for a machine's cores, few enough to be cheap. */
const PROPOSED_MAX = 8;

export class Ddmin<T> {
  /** What is kept: the test holds for it. */
  private kept: readonly T[];
  /** `kept` falls into so many chunks of nearly equal size; 1: everything is to be left out at once. */
  private chunks = 1;
  /** The chunk to be left out next. */
  private next = 0;
  /** Chunks of this size that cannot be left out, in a row: all of them, and the chunks are halved. */
  private needed = 0;
  private proposed: readonly (readonly T[])[] = [];

  /** Requires that the test holds for all items. */
  constructor(items: readonly T[]) {
    this.kept = items;
  }

  get items(): readonly T[] {
    return this.kept;
  }

  /** No single item can be left out. */
  get done(): boolean {
    return this.kept.length === 0 || this.needed === this.kept.length;
  }

  /** Lists to try, of which the first is wanted most; none when it is done. */
  propose(): readonly (readonly T[])[] {
    const lists: (readonly T[])[] = [];
    const count = Math.min(PROPOSED_MAX, this.chunks - this.needed);
    for (let i = 0; i < count && !this.done; i++) {
      lists.push(this.without((this.next + i) % this.chunks));
    }
    this.proposed = lists;
    return lists;
  }

  /** `held`: index of the first list of the last proposal for which the test held; -1: none. */
  take(held: number): void {
    const { proposed } = this;
    assert(held < proposed.length, 'ddmin: no such proposal', held, proposed.length);
    this.proposed = [];
    if (proposed.length === 0) return;
    if (held < 0) {
      this.next = (this.next + proposed.length) % this.chunks;
      this.needed += proposed.length;
      if (this.needed === this.chunks) this.refine();
      return;
    }
    this.kept = proposed[held] as readonly T[];
    // The chunks that were needed may not be any more: count anew, from where we stand.
    this.needed = 0;
    this.chunks = Math.max(1, Math.min(this.chunks - 1, this.kept.length));
    this.next = (this.next + held) % this.chunks;
  }

  private refine(): void {
    if (this.chunks >= this.kept.length) return; // Chunks of one item, each needed.
    this.chunks = Math.min(this.chunks * 2, this.kept.length);
    this.next = 0;
    this.needed = 0;
  }

  private without(chunk: number): readonly T[] {
    const { kept, chunks } = this;
    const from = Math.floor((chunk * kept.length) / chunks);
    const end = Math.floor(((chunk + 1) * kept.length) / chunks);
    return [...kept.slice(0, from), ...kept.slice(end)];
  }
}
