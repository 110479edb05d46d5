/**
 * A region is one stretch of memory with its three views, made once: creating a `DataView` per
 * access costs about 100 ns, a read through an existing one 2-5 ns (Node 24). Headers, journal
 * rings, superblocks and message bodies are all read as (region, byte offset), in place.
 */
import { assert } from '../assert.ts';

export interface Region {
  readonly bytes: Uint8Array;
  readonly fields: DataView;
  /** 32-bit words over the same memory; index is byte offset >> 2. */
  readonly words: Uint32Array;
}

/** `bytes` must start at a multiple of 4 and have a length that is one. */
export function regionOf(bytes: Uint8Array): Region {
  assert(bytes.byteOffset % 4 === 0, 'region: unaligned', bytes.byteOffset);
  assert(bytes.byteLength % 4 === 0, 'region: odd length', bytes.byteLength);
  return {
    bytes,
    fields: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    words: new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2),
  };
}

/** Largest u64 that a number holds exactly. Readers of untrusted bytes check `u64Fits` first. */
const HIGH_MAX = 0x1f_ffff;

export function u64Fits(region: Region, at: number): boolean {
  return region.fields.getUint32(at + 4, true) <= HIGH_MAX;
}

/** Reads a u64 that is known to fit 2^53 - 1; a larger one reads as Infinity, which no bound admits. */
export function readU64(region: Region, at: number): number {
  const high = region.fields.getUint32(at + 4, true);
  if (high > HIGH_MAX) return Number.POSITIVE_INFINITY;
  return high * 4_294_967_296 + region.fields.getUint32(at, true);
}

export function writeU64(region: Region, at: number, value: number): void {
  assert(value >= 0 && value <= Number.MAX_SAFE_INTEGER, 'u64: out of range', value);
  region.fields.setUint32(at, value >>> 0, true);
  region.fields.setUint32(at + 4, Math.floor(value / 4_294_967_296), true);
}

/**
 * Writes `micros * 1000 - nanosBefore` as u64 nanoseconds. In memory a timestamp is integer
 * microseconds; on disk and on the wire it is nanoseconds.
 */
export function writeNanos(region: Region, at: number, micros: number, nanosBefore = 0): void {
  const high = Math.floor(micros / 4_294_967_296);
  const low = (micros >>> 0) * 1000; // Below 2^42: exact.
  let nanosLow = low % 4_294_967_296;
  let nanosHigh = high * 1000 + (low - nanosLow) / 4_294_967_296;
  nanosLow -= nanosBefore;
  if (nanosLow < 0) {
    nanosLow += 4_294_967_296;
    nanosHigh -= 1;
  }
  assert(nanosHigh >= 0 && nanosHigh <= 0xffff_ffff, 'nanos: out of range', micros, nanosBefore);
  region.fields.setUint32(at, nanosLow, true);
  region.fields.setUint32(at + 4, nanosHigh, true);
}

/** Reads u64 nanoseconds as whole microseconds, rounded up (the inverse of `writeNanos(…, 0)`). */
export function readNanosAsMicros(region: Region, at: number): number {
  const low = region.fields.getUint32(at, true);
  const high = region.fields.getUint32(at + 4, true);
  // (high * 2^32 + low) / 1000 without leaving the safe integers.
  const quotientHigh = Math.floor(high / 1000);
  const rest = (high - quotientHigh * 1000) * 4_294_967_296 + low; // Below 1000 * 2^32.
  return quotientHigh * 4_294_967_296 + Math.ceil(rest / 1000);
}

/** Compares `length` bytes (a multiple of 4, offsets too). */
export function equalWords(
  a: Region,
  aAt: number,
  b: Region,
  bAt: number,
  length: number,
): boolean {
  const aWords = a.words;
  const bWords = b.words;
  let i = aAt >> 2;
  let j = bAt >> 2;
  const end = i + (length >> 2);
  // Four at a time: 0.9 us instead of 3.7 for 8 KiB (Node 24).
  for (; i + 4 <= end; i += 4, j += 4) {
    const difference =
      ((aWords[i] as number) ^ (bWords[j] as number)) |
      ((aWords[i + 1] as number) ^ (bWords[j + 1] as number)) |
      ((aWords[i + 2] as number) ^ (bWords[j + 2] as number)) |
      ((aWords[i + 3] as number) ^ (bWords[j + 3] as number));
    if (difference !== 0) return false;
  }
  for (; i < end; i++, j++) if (aWords[i] !== bWords[j]) return false;
  return true;
}

/** From here on `set` beats a loop, the view it needs included: 85 ns, not 1.4 us, for 8 KiB (Node 24). */
const COPY_SET_MIN = 512;

/** Copies `length` bytes (a multiple of 4, offsets too). */
export function copyWords(
  from: Region,
  fromAt: number,
  to: Region,
  toAt: number,
  length: number,
): void {
  const source = from.words;
  const target = to.words;
  let i = fromAt >> 2;
  let j = toAt >> 2;
  const end = i + (length >> 2);
  if (length >= COPY_SET_MIN) target.set(source.subarray(i, end), j);
  else for (; i < end; i++, j++) target[j] = source[i] as number;
}

export function isZeroWords(region: Region, at: number, length: number): boolean {
  const words = region.words;
  for (let i = at >> 2, end = (at + length) >> 2; i < end; i++) {
    if (words[i] !== 0) return false;
  }
  return true;
}

export function zeroWords(region: Region, at: number, length: number): void {
  region.words.fill(0, at >> 2, (at + length) >> 2);
}
