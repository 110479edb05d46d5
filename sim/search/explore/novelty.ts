/**
 * The directed order: each state belongs to a class (who is in which status, view and log), and the
 * next state comes from a class that was asked least often, the youngest such class first. New
 * situations are followed up at once, the thousandth permutation of a known one last. Knows nothing
 * of any bug.
 */
interface StateClass {
  /** Entries that wait, oldest first, from `from` on. */
  readonly entries: number[];
  from: number;
  /** Entries given out. */
  asked: number;
}

export class Novelty {
  private readonly classes: StateClass[] = [];
  /** By how often they were asked: classes with entries, the youngest last. */
  private readonly levels: number[][] = [];
  private lowest = 0;

  push(kind: number, entry: number): void {
    while (this.classes.length <= kind) this.classes.push({ entries: [], from: 0, asked: 0 });
    const own = this.classes[kind] as StateClass;
    own.entries.push(entry);
    if (own.entries.length === own.from + 1) this.offer(kind, own.asked);
  }

  /** The next entry for which `waits` is true; there must be one. */
  pop(waits: (entry: number) => boolean): number {
    for (;;) {
      while ((this.levels[this.lowest] ?? []).length === 0) this.lowest++;
      const kind = (this.levels[this.lowest] as number[]).pop() as number;
      const own = this.classes[kind] as StateClass;
      let entry = -1;
      while (own.from < own.entries.length) {
        const next = own.entries[own.from++] as number;
        if (!waits(next)) continue;
        entry = next;
        break;
      }
      if (own.from === own.entries.length) {
        own.entries.length = 0;
        own.from = 0;
      }
      if (entry === -1) continue;
      own.asked++;
      if (own.entries.length > own.from) this.offer(kind, own.asked);
      return entry;
    }
  }

  private offer(kind: number, asked: number): void {
    while (this.levels.length <= asked) this.levels.push([]);
    (this.levels[asked] as number[]).push(kind);
    if (asked < this.lowest) this.lowest = asked;
  }
}
