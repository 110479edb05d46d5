/**
 * Throughput over the whole of a campaign in a bounded number of buckets: one second each at first;
 * when they are all used, neighbours are added up and each stands for twice as long.
 */
export const BUCKETS_MAX = 240;

export interface Bucket {
  seeds: number;
  events: number;
  failures: number;
}

export class Throughput {
  /** Seconds that one bucket stands for. */
  width = 1;
  private readonly buckets: Bucket[] = [];

  /** The buckets so far, oldest first; the last one is not over yet. */
  get all(): readonly Readonly<Bucket>[] {
    return this.buckets;
  }

  /** `second`: since the campaign began; never before an earlier one. */
  add(second: number, events: number, failed: boolean): void {
    const bucket = this.at(second);
    bucket.seeds++;
    bucket.events += events;
    if (failed) bucket.failures++;
  }

  /** Time went on without a seed. */
  advance(second: number): void {
    this.at(second);
  }

  private at(second: number): Bucket {
    while (Math.floor(second / this.width) >= BUCKETS_MAX) this.halve();
    const index = Math.max(0, Math.floor(second / this.width), this.buckets.length - 1);
    while (this.buckets.length <= index) this.buckets.push({ seeds: 0, events: 0, failures: 0 });
    return this.buckets[index] as Bucket;
  }

  private halve(): void {
    this.width *= 2;
    const halves: Bucket[] = [];
    for (let i = 0; i < this.buckets.length; i += 2) {
      const a = this.buckets[i] as Bucket;
      const b = this.buckets[i + 1] ?? { seeds: 0, events: 0, failures: 0 };
      halves.push({
        seeds: a.seeds + b.seeds,
        events: a.events + b.events,
        failures: a.failures + b.failures,
      });
    }
    this.buckets.splice(0, this.buckets.length, ...halves);
  }
}
