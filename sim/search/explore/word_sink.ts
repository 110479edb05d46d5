/**
 * Collects a canonical form as 32-bit words, and digests it. Every item begins with a word that
 * says what it is and how long, so that no two sequences of items have one form.
 */
import { checksumInto } from '../../../core/checksum.ts';
import { CHECKSUM_ALGORITHM } from '../../../core/constants.ts';
import { regionOf, type Region } from '../../../core/message/region.ts';

const TAG = {
  integer: 1,
  float: 2,
  text: 3,
  bytes: 4,
  none: 5,
  yes: 6,
  no: 7,
  mark: 8,
  reference: 9,
} as const;
const TAG_BITS = 4;
const WORDS_INITIAL = 1 << 14;

export class WordSink {
  length = 0;
  /** The last digest: words 0..3. */
  readonly result: Uint32Array = new Uint32Array(8);
  private region: Region = regionOf(new Uint8Array(WORDS_INITIAL * 4));
  private readonly out: Region = regionOf(new Uint8Array(32));
  private readonly float: Float64Array = new Float64Array(1);
  private readonly floatWords: Uint32Array = new Uint32Array(this.float.buffer);

  clear(): void {
    this.length = 0;
  }

  number(value: number): void {
    this.reserve(3);
    const { words } = this.region;
    if ((value | 0) === value && !Object.is(value, -0)) {
      words[this.length] = TAG.integer;
      words[this.length + 1] = value;
      this.length += 2;
      return;
    }
    this.float[0] = value;
    words[this.length] = TAG.float;
    words[this.length + 1] = this.floatWords[0] as number;
    words[this.length + 2] = this.floatWords[1] as number;
    this.length += 3;
  }

  text(value: string): void {
    this.reserve(1 + value.length);
    const { words } = this.region;
    words[this.length++] = TAG.text | (value.length << TAG_BITS);
    for (let i = 0; i < value.length; i++) words[this.length++] = value.charCodeAt(i);
  }

  flag(value: boolean): void {
    this.word(value ? TAG.yes : TAG.no);
  }

  none(): void {
    this.word(TAG.none);
  }

  /** A separator or a count: what follows belongs together. */
  mark(value: number): void {
    this.word(TAG.mark | (value << TAG_BITS));
  }

  /** The object that came as number `value` again. */
  reference(value: number): void {
    this.word(TAG.reference | (value << TAG_BITS));
  }

  /** `length` bytes of a region from `at`, a multiple of 4. */
  part(from: Region, at: number, length: number): void {
    this.view(from.bytes, at, length);
  }

  /** `length` bytes of `bytes` from `at`. */
  view(bytes: Uint8Array, at: number, length: number): void {
    const wordCount = (length + 3) >> 2;
    this.reserve(1 + wordCount);
    this.region.words[this.length] = TAG.bytes | (length << TAG_BITS);
    if (wordCount > 0) this.region.words[this.length + wordCount] = 0; // The last word may be filled in part.
    this.region.bytes.set(bytes.subarray(at, at + length), (this.length + 1) * 4);
    this.length += 1 + wordCount;
  }

  /** Digests what was collected since `clear` into `result`. */
  digest(): Uint32Array {
    checksumInto(CHECKSUM_ALGORITHM.fast128, this.region, 0, this.length * 4, this.out, 0);
    for (let i = 0; i < 4; i++) this.result[i] = this.out.words[i] as number;
    return this.result;
  }

  private word(value: number): void {
    this.reserve(1);
    this.region.words[this.length++] = value;
  }

  private reserve(count: number): void {
    if (this.length + count <= this.region.words.length) return;
    let size = this.region.words.length * 2;
    while (size < this.length + count) size *= 2;
    const region = regionOf(new Uint8Array(size * 4));
    region.bytes.set(this.region.bytes);
    this.region = region;
  }
}
