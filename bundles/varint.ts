/** Columns of whole numbers as LEB128: seven bits a byte, the lowest first; small ones are short. */

/** Bytes of the longest, 2^53 - 1. */
const VARINT_SIZE_MAX = 8;

export class VarintWriter {
  private memory = new Uint8Array(1024);
  private length = 0;

  /** A whole number from 0 to 2^53 - 1. */
  add(value: number): void {
    if (this.length + VARINT_SIZE_MAX > this.memory.byteLength) {
      const larger = new Uint8Array(this.memory.byteLength * 2);
      larger.set(this.memory);
      this.memory = larger;
    }
    let rest = value;
    while (rest >= 0x80) {
      this.memory[this.length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.memory[this.length++] = rest;
  }

  /** A signed 32-bit number; those near zero are short, on both sides. */
  addSigned(value: number): void {
    this.add(((value << 1) ^ (value >> 31)) >>> 0);
  }

  bytes(): Uint8Array {
    return this.memory.slice(0, this.length);
  }
}

/** Reads what a stranger may have written: anything malformed yields -1, for good. */
export class VarintReader {
  private readonly memory: Uint8Array;
  private at = 0;

  constructor(bytes: Uint8Array) {
    this.memory = bytes;
  }

  /** -1: the bytes end inside a number, or it is larger than 2^53 - 1. */
  next(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < VARINT_SIZE_MAX && this.at < this.memory.byteLength; i++) {
      const byte = this.memory[this.at++] as number;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return Number.isSafeInteger(value) ? value : this.spoil();
      scale *= 0x80;
    }
    return this.spoil();
  }

  /** What `addSigned` added; NaN where `next` says -1. */
  nextSigned(): number {
    const value = this.next();
    if (value < 0 || value > 0xffff_ffff) return Number.NaN;
    return (value >>> 1) ^ -(value & 1);
  }

  /** All bytes were read, and were numbers. */
  get ended(): boolean {
    return this.at === this.memory.byteLength;
  }

  private spoil(): number {
    this.at = this.memory.byteLength + 1;
    return -1;
  }
}
