/** The last so many of a sequence, oldest first; the earlier ones are counted and gone. */
export class Ring<T> {
  readonly max: number;
  /** Items ever pushed. */
  pushed = 0;
  private readonly slots: T[] = [];

  constructor(max: number) {
    this.max = max;
  }

  push(item: T): void {
    this.slots[this.pushed % this.max] = item;
    this.pushed++;
  }

  get length(): number {
    return this.slots.length;
  }

  /** Items `from` to `to - 1` of those kept, oldest first. */
  slice(from: number, to = this.length): T[] {
    const oldest = this.pushed - this.length;
    const items: T[] = [];
    for (let i = Math.max(0, from); i < Math.min(to, this.length); i++) {
      items.push(this.slots[(oldest + i) % this.max] as T);
    }
    return items;
  }

  /** Newest first, at most `count`. */
  newest(count: number): T[] {
    return this.slice(this.length - count).reverse();
  }
}
