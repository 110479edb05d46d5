/**
 * Numbers for things known by a 128-bit digest: dense from 0, in order of first sight. Open
 * addressing over typed arrays, so that ten million entries cost 24 bytes each and no garbage.
 *
 * Two different things with one digest would be taken for one and part of the search space left
 * out: with ten million entries that has a probability of about 2^-82 (the digest is not made
 * against malice, and nobody here is malicious).
 */
import { assert } from '../../../core/assert.ts';

const WORDS = 4;

export class DigestTable {
  count = 0;
  /** By number: four words. */
  private keys: Uint32Array<ArrayBuffer>;
  /** Number + 1; 0 is free. The length is a power of two, at least twice `count`. */
  private slots: Int32Array<ArrayBuffer>;

  constructor(capacity = 1024) {
    assert(capacity >= 2 && (capacity & (capacity - 1)) === 0, 'digest table: capacity', capacity);
    this.keys = new Uint32Array(capacity * WORDS);
    this.slots = new Int32Array(capacity * 2);
  }

  /** The number of the digest in `words[0..3]`; -1 when it is not here. */
  find(words: Uint32Array): number {
    return (this.slots[this.slotOf(words)] as number) - 1;
  }

  /** As `find`, but a digest that is not here gets the next number: the `count` before the call. */
  add(words: Uint32Array): number {
    const slot = this.slotOf(words);
    const found = this.slots[slot] as number;
    if (found !== 0) return found - 1;
    const number = this.count++;
    for (let i = 0; i < WORDS; i++) this.keys[number * WORDS + i] = words[i] as number;
    this.slots[slot] = number + 1;
    if (this.count * 2 === this.slots.length) this.grow();
    return number;
  }

  /** Word `i` of entry `number`. */
  word(number: number, i: number): number {
    return this.keys[number * WORDS + i] as number;
  }

  private slotOf(words: Uint32Array): number {
    const { keys, slots } = this;
    const mask = slots.length - 1;
    for (let slot = (words[0] as number) & mask; ; slot = (slot + 1) & mask) {
      const entry = slots[slot] as number;
      if (entry === 0) return slot;
      const at = (entry - 1) * WORDS;
      if (
        keys[at] === words[0] &&
        keys[at + 1] === words[1] &&
        keys[at + 2] === words[2] &&
        keys[at + 3] === words[3]
      ) {
        return slot;
      }
    }
  }

  private grow(): void {
    const keys = new Uint32Array(this.keys.length * 2);
    keys.set(this.keys);
    this.keys = keys;
    const slots = new Int32Array(this.slots.length * 2);
    const mask = slots.length - 1;
    for (let number = 0; number < this.count; number++) {
      let slot = (keys[number * WORDS] as number) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = number + 1;
    }
    this.slots = slots;
  }
}
