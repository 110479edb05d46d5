/**
 * Numbers for short tuples of integers: dense from 0, in order of first sight, exact. What the
 * search has computed once is found again under (state, input) or (state, state, ...).
 */
export class TupleTable {
  count = 0;
  readonly width: number;
  private keys: Int32Array<ArrayBuffer>;
  /** Number + 1; 0 is free. */
  private slots: Int32Array<ArrayBuffer>;

  constructor(width: number, capacity = 1024) {
    this.width = width;
    this.keys = new Int32Array(capacity * width);
    this.slots = new Int32Array(capacity * 2);
  }

  /** The number of the tuple in `key[0..width-1]`; a new one gets the `count` before the call. */
  add(key: Int32Array): number {
    const { width } = this;
    const mask = this.slots.length - 1;
    let slot = hash(key, 0, width) & mask;
    for (; ; slot = (slot + 1) & mask) {
      const entry = this.slots[slot] as number;
      if (entry === 0) break;
      const at = (entry - 1) * width;
      let i = 0;
      while (i < width && this.keys[at + i] === key[i]) i++;
      if (i === width) return entry - 1;
    }
    const number = this.count++;
    for (let i = 0; i < width; i++) this.keys[number * width + i] = key[i] as number;
    this.slots[slot] = number + 1;
    if (this.count * 2 === this.slots.length) this.grow();
    return number;
  }

  /** Element `i` of tuple `number`. */
  element(number: number, i: number): number {
    return this.keys[number * this.width + i] as number;
  }

  private grow(): void {
    const keys = new Int32Array(this.keys.length * 2);
    keys.set(this.keys);
    this.keys = keys;
    const slots = new Int32Array(this.slots.length * 2);
    const mask = slots.length - 1;
    for (let number = 0; number < this.count; number++) {
      let slot = hash(keys, number * this.width, this.width) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = number + 1;
    }
    this.slots = slots;
  }
}

function hash(words: Int32Array, at: number, count: number): number {
  let h = 0x9e3779b1 | 0;
  for (let i = at; i < at + count; i++) {
    h = Math.imul(h ^ (words[i] as number), 0x85ebca6b);
    h ^= h >>> 13;
    h = Math.imul(h, 0xc2b2ae35);
    h ^= h >>> 16;
  }
  return h;
}
