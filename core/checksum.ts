/**
 * Checksums of messages, journal slots and blocks: 32 bytes, by the algorithm chosen at format.
 *
 * 1 BLAKE3-256, 2 SHA-256: identity also against malice. 3 fast 128-bit, zero-extended: for
 * simulation and crash-fault-only use; the identity then proves nothing against malice.
 *
 * Algorithm 3 is MurmurHash3_x86_128 (public domain, by its author), not XXH: it needs only 32-bit
 * multiplies, which a JavaScript engine has (`Math.imul`), and no call into WASM.
 */
import { blake3 } from '@noble/hashes/blake3.js';
import { assert } from './assert.ts';
import { CHECKSUM_ALGORITHM, HEADER_SIZE, type ChecksumAlgorithm } from './constants.ts';
import { sha256NativeInto } from './crypto/sha256.ts';
import { AT, sizeOf } from './message/header.ts';
import { copyWords, regionOf, type Region } from './message/region.ts';

export const CHECKSUM_SIZE = 32;

/** Scratch for one result; words of the last `digest`. Single-threaded, never held across calls. */
const out = regionOf(new Uint8Array(CHECKSUM_SIZE));

/** Every other message is a header alone. */
const EMPTY_SHA256 = regionOf(new Uint8Array(CHECKSUM_SIZE));
sha256NativeInto(EMPTY_SHA256, 0, 0, EMPTY_SHA256, 0);

/** Hashes `length` bytes at `at` into `out`. `at` is a multiple of 4. */
function digest(algorithm: ChecksumAlgorithm, region: Region, at: number, length: number): void {
  if (algorithm === CHECKSUM_ALGORITHM.fast128) {
    murmur3x86x128(region, at, length);
  } else if (algorithm === CHECKSUM_ALGORITHM.sha256) {
    if (length === 0) copyWords(EMPTY_SHA256, 0, out, 0, CHECKSUM_SIZE);
    else sha256NativeInto(region, at, length, out, 0);
  } else {
    out.bytes.set(blake3(region.bytes.subarray(at, at + length)));
  }
}

/** Writes both checksums of a complete message whose `size` is set. */
export function seal(algorithm: ChecksumAlgorithm, message: Region): void {
  const size = sizeOf(message);
  assert(size >= HEADER_SIZE && size <= message.bytes.byteLength, 'seal: size', size);
  digest(algorithm, message, HEADER_SIZE, size - HEADER_SIZE);
  store(message, AT.checksumBody);
  sealHeader(algorithm, message, 0);
}

/** Writes the header's checksum only; `checksum_body` is final already. */
export function sealHeader(algorithm: ChecksumAlgorithm, region: Region, at: number): void {
  digest(algorithm, region, at + 32, HEADER_SIZE - 32);
  store(region, at + AT.checksum);
}

export function headerValid(algorithm: ChecksumAlgorithm, region: Region, at = 0): boolean {
  digest(algorithm, region, at + 32, HEADER_SIZE - 32);
  return matches(region, at + AT.checksum);
}

/** Requires a valid header, so that `size` is trusted up to the message's capacity. */
export function bodyValid(algorithm: ChecksumAlgorithm, message: Region): boolean {
  const size = sizeOf(message);
  if (size < HEADER_SIZE || size > message.bytes.byteLength) return false;
  digest(algorithm, message, HEADER_SIZE, size - HEADER_SIZE);
  return matches(message, AT.checksumBody);
}

/** Hash of any bytes (`at` a multiple of 4) into `target` at `targetAt`. */
export function checksumInto(
  algorithm: ChecksumAlgorithm,
  region: Region,
  at: number,
  length: number,
  target: Region,
  targetAt: number,
): void {
  digest(algorithm, region, at, length);
  store(target, targetAt);
}

export function checksumMatches(
  algorithm: ChecksumAlgorithm,
  region: Region,
  at: number,
  length: number,
  expected: Region,
  expectedAt: number,
): boolean {
  digest(algorithm, region, at, length);
  return matches(expected, expectedAt);
}

function store(target: Region, at: number): void {
  const words = target.words;
  const first = at >> 2;
  for (let i = 0; i < 8; i++) words[first + i] = out.words[i] as number;
}

function matches(region: Region, at: number): boolean {
  const words = region.words;
  const first = at >> 2;
  let difference = 0; // All eight words, whatever differs: no early exit to time.
  for (let i = 0; i < 8; i++) difference |= (words[first + i] as number) ^ (out.words[i] as number);
  return difference === 0;
}

function rotl(x: number, r: number): number {
  return (x << r) | (x >>> (32 - r));
}

function fmix(value: number): number {
  let h = value ^ (value >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}

const C1 = 0x239b961b;
const C2 = 0xab0e9789;
const C3 = 0x38b34ae5;
const C4 = 0xa1e38b93 | 0;

/** MurmurHash3_x86_128 with seed 0; assumes a little-endian machine (checked below). */
function murmur3x86x128(region: Region, at: number, length: number): void {
  const words = region.words;
  let h1 = 0;
  let h2 = 0;
  let h3 = 0;
  let h4 = 0;
  let w = at >> 2;
  const blocksEnd = w + ((length >> 4) << 2);
  for (; w < blocksEnd; w += 4) {
    h1 ^= Math.imul(rotl(Math.imul(words[w] as number, C1), 15), C2);
    h1 = (Math.imul((rotl(h1, 19) + h2) | 0, 5) + 0x561ccd1b) | 0;
    h2 ^= Math.imul(rotl(Math.imul(words[w + 1] as number, C2), 16), C3);
    h2 = (Math.imul((rotl(h2, 17) + h3) | 0, 5) + 0x0bcaa747) | 0;
    h3 ^= Math.imul(rotl(Math.imul(words[w + 2] as number, C3), 17), C4);
    h3 = (Math.imul((rotl(h3, 15) + h4) | 0, 5) + 0x96cd1c35) | 0;
    h4 ^= Math.imul(rotl(Math.imul(words[w + 3] as number, C4), 18), C1);
    h4 = (Math.imul((rotl(h4, 13) + h1) | 0, 5) + 0x32ac3b17) | 0;
  }
  const tailLength = length & 15;
  if (tailLength !== 0) {
    const bytes = region.bytes;
    const tail = w << 2;
    const word = (n: number): number => {
      let value = 0;
      for (let i = Math.min(tailLength - n * 4, 4) - 1; i >= 0; i--) {
        value = (value << 8) | (bytes[tail + n * 4 + i] as number);
      }
      return value;
    };
    if (tailLength > 12) h4 ^= Math.imul(rotl(Math.imul(word(3), C4), 18), C1);
    if (tailLength > 8) h3 ^= Math.imul(rotl(Math.imul(word(2), C3), 17), C4);
    if (tailLength > 4) h2 ^= Math.imul(rotl(Math.imul(word(1), C2), 16), C3);
    h1 ^= Math.imul(rotl(Math.imul(word(0), C1), 15), C2);
  }
  h1 ^= length;
  h2 ^= length;
  h3 ^= length;
  h4 ^= length;
  h1 = (h1 + h2 + h3 + h4) | 0;
  h2 = (h2 + h1) | 0;
  h3 = (h3 + h1) | 0;
  h4 = (h4 + h1) | 0;
  h1 = fmix(h1);
  h2 = fmix(h2);
  h3 = fmix(h3);
  h4 = fmix(h4);
  h1 = (h1 + h2 + h3 + h4) | 0;
  const result = out.words;
  result[0] = h1;
  result[1] = h2 + h1;
  result[2] = h3 + h1;
  result[3] = h4 + h1;
  result[4] = 0;
  result[5] = 0;
  result[6] = 0;
  result[7] = 0;
}

assert(new Uint8Array(new Uint32Array([1]).buffer)[0] === 1, 'checksum: needs a little-endian machine');
