/**
 * A list of numbers that grows by doubling: one memory, no boxing. For what checkers remember by
 * offset or by serial.
 */
export class Numbers {
  length = 0;
  values: Float64Array<ArrayBuffer>;
  private readonly absent: number;

  /** `absent` is what places hold that nobody has set. */
  constructor(absent = -1, capacity = 64) {
    this.absent = absent;
    this.values = new Float64Array(capacity).fill(absent);
  }

  get(index: number): number {
    return index < this.length ? (this.values[index] as number) : this.absent;
  }

  set(index: number, value: number): void {
    if (index >= this.values.length) this.grow(index + 1);
    if (index >= this.length) this.length = index + 1;
    this.values[index] = value;
  }

  push(value: number): void {
    this.set(this.length, value);
  }

  private grow(needed: number): void {
    let capacity = this.values.length * 2;
    while (capacity < needed) capacity *= 2;
    const values = new Float64Array(capacity).fill(this.absent);
    values.set(this.values);
    this.values = values;
  }
}
