/**
 * States that wait to be expanded, as vectors of integers in chunks of memory, and the order in
 * which they come out:
 *
 * - bfs: first in, first out. Shortest counterexamples.
 * - dfs: last in, first out. Deep runs, little memory.
 * - directed: see `Novelty`. What it finds is found soon, not shortest.
 */
import { assert } from '../../../core/assert.ts';
import { type SearchOrder } from './explore_bounds.ts';
import { Novelty } from './novelty.ts';

const CHUNK_WORDS = 1 << 20;
const TAKEN = -1;

export class Frontier {
  /** States that wait. */
  count = 0;
  private readonly order: SearchOrder;
  private readonly chunks: (Int32Array<ArrayBuffer> | null)[] = [];
  /** Entries that lie in each chunk, and where the next one goes. */
  private readonly live: number[] = [];
  private end = CHUNK_WORDS;
  private readonly spare: Int32Array<ArrayBuffer>[] = [];

  /** Where entry number `first + i` lies; `TAKEN` when it is out. */
  private positions = new Float64Array(1024);
  private first = 0;
  private last = 0;
  /** Directed order: views of the same states by classes coarse and fine, asked in turn. */
  private readonly views: readonly Novelty[] = [new Novelty(), new Novelty()];
  private turn = 0;

  constructor(order: SearchOrder) {
    this.order = order;
  }

  /** Adds a state; `kinds` are its classes (directed order only), from 0. */
  push(vector: Int32Array, length: number, kinds: readonly number[]): void {
    this.count++;
    if (this.last === this.positions.length) this.makeRoom();
    const entry = this.last++;
    this.positions[entry] = this.store(vector, length);
    if (this.order !== 'directed') return;
    this.views.forEach((view, i) => view.push(kinds[i] as number, entry));
  }

  /** Takes the next state out into `vector` (large enough) and returns its length. */
  pop(vector: Int32Array): number {
    assert(this.count > 0, 'frontier: empty');
    this.count--;
    const entry = this.next();
    const position = this.positions[entry] as number;
    this.positions[entry] = TAKEN;
    return this.take(position, vector);
  }

  private next(): number {
    if (this.order === 'bfs') return this.first++;
    if (this.order === 'dfs') return --this.last;
    this.turn = (this.turn + 1) % this.views.length;
    const view = this.views[this.turn] as Novelty;
    return view.pop((entry) => this.positions[entry] !== TAKEN);
  }

  private makeRoom(): void {
    const { positions, first, last } = this;
    const waiting = last - first;
    const target = waiting * 2 > positions.length ? new Float64Array(positions.length * 2) : positions;
    target.set(positions.subarray(first, last));
    this.positions = target;
    this.first = 0;
    this.last = waiting;
  }

  // --- Memory ---

  private store(vector: Int32Array, length: number): number {
    if (this.end + length + 1 > CHUNK_WORDS) {
      this.chunks.push(this.spare.pop() ?? new Int32Array(CHUNK_WORDS));
      this.live.push(0);
      this.end = 0;
    }
    const chunk = this.chunks.length - 1;
    const words = this.chunks[chunk] as Int32Array;
    const at = this.end;
    words[at] = length;
    for (let i = 0; i < length; i++) words[at + 1 + i] = vector[i] as number;
    this.end += length + 1;
    this.live[chunk] = (this.live[chunk] as number) + 1;
    return chunk * CHUNK_WORDS + at;
  }

  private take(position: number, vector: Int32Array): number {
    const chunk = Math.floor(position / CHUNK_WORDS);
    const at = position - chunk * CHUNK_WORDS;
    const words = this.chunks[chunk] as Int32Array<ArrayBuffer>;
    const length = words[at] as number;
    for (let i = 0; i < length; i++) vector[i] = words[at + 1 + i] as number;
    const left = (this.live[chunk] as number) - 1;
    this.live[chunk] = left;
    if (left > 0) return length;
    if (chunk === this.chunks.length - 1) {
      this.end = 0;
    } else {
      this.chunks[chunk] = null;
      this.spare.push(words);
    }
    return length;
  }
}
