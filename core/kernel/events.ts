/**
 * The record of one event, the same in log blocks, read replies and exports, and the SHA-256 chain
 * through the records of a stream. Source: reference "storage-and-crypto" 2.2 and 3.
 *
 *     0  sentinel 0xBADC0FFE    4     8  offset          8     88  plain length     4
 *     4  format version 1       1    16  timestamp ns    8     92  stored length    4
 *     5  kind                   1    24  previous hash  32     96  CRC of 0..95     4
 *     6  compression            1    56  payload digest 32    100  payload          n
 *     7  flags                  1                           100+n  CRC of 0..99+n   4
 *                                                           104+n  sentinel 0xC0FFEE42  4
 *
 * Records lie at multiples of 4, with zeros up to the next one. The hash of a record, which the
 * next one of the stream names, covers offset, time, kind and digest, so the chain can be checked
 * after a payload is gone.
 */
import { canaryIs, CANARY } from '../canary.ts';
import { crc32 } from '../crypto/crc32.ts';
import { sha256BytesInto, sha256Into } from '../crypto/sha256.ts';
import { copyWords, readU64, regionOf, writeNanos, type Region } from '../message/region.ts';
import { RECORD_OVERHEAD } from './operations.ts';

export const RECORD = {
  sentinel: 0,
  version: 4,
  kind: 5,
  compression: 6,
  flags: 7,
  offset: 8,
  timestamp: 16,
  prevHash: 24,
  digest: 56,
  plainLength: 88,
  storedLength: 92,
  headerCrc: 96,
  payload: 100,
} as const;

export const RECORD_START = 0xbadc_0ffe;
export const RECORD_END = 0xc0ff_ee42;
export const RECORD_VERSION = 1;
export const RECORD_KIND = { data: 0, checkpoint: 1, tombstone: 2 } as const;

/** Bytes from the start of a record with `length` bytes of payload to the next. */
export function recordSpan(length: number): number {
  return (RECORD_OVERHEAD + length + 3) & ~3;
}

/**
 * Writes the record of one event at `at` of `target`. The previous hash is taken from `chain` at
 * `chainAt` (32 bytes), which then holds the hash of this record. The event's time is
 * `micros * 1000 - nanosBefore` nanoseconds. All positions are multiples of 4.
 */
export function writeRecord(
  target: Region,
  at: number,
  offset: number,
  micros: number,
  nanosBefore: number,
  payload: Region,
  payloadAt: number,
  length: number,
  chain: Region,
  chainAt: number,
): void {
  const words = target.words;
  const w = at >> 2;
  words[w] = RECORD_START;
  words[w + 1] = RECORD_VERSION; // Kind data, not compressed, no flags.
  words[w + 2] = offset >>> 0;
  words[w + 3] = Math.floor(offset / 4_294_967_296);
  writeNanos(target, at + RECORD.timestamp, micros, nanosBefore);
  copyWords(chain, chainAt, target, at + RECORD.prevHash, 32);
  if (offset % 5 === 4 && canaryIs(CANARY.chainLinkSkipped)) {
    words.fill(0, (at + RECORD.prevHash) >> 2, (at + RECORD.digest) >> 2);
  }
  sha256Into(payload, payloadAt, length, target, at + RECORD.digest);
  words[w + 22] = length;
  words[w + 23] = length;
  const headerCrc = crc32(target, at, RECORD.headerCrc);
  words[w + 24] = headerCrc;
  const payloadTo = at + RECORD.payload;
  if (length <= COPY_WORDS_MAX) {
    copyWords(payload, payloadAt, target, payloadTo, (length + 3) & ~3);
  } else {
    target.bytes.set(payload.bytes.subarray(payloadAt, payloadAt + length), payloadTo);
  }
  const crc = crc32(target, at + RECORD.headerCrc, 4 + length, headerCrc);
  const end = payloadTo + length;
  if ((length & 3) === 0) {
    words[end >> 2] = crc;
    words[(end >> 2) + 1] = RECORD_END;
  } else {
    words[(end + 8) >> 2] = 0; // The zeros up to the next record share a word with the sentinel.
    target.fields.setUint32(end, crc, true);
    target.fields.setUint32(end + 4, RECORD_END, true);
  }
  recordChainInto(target, at, chain, chainAt);
}

/** Above this a `set` beats a loop over words, the view it needs included. */
const COPY_WORDS_MAX = 512;

/** What the hash covers: tag 20 | previous hash 32 | offset 8 | timestamp 8 | kind 1 | digest 32. */
const CHAIN_INPUT_SIZE = 101;
const chainInput = regionOf(new Uint8Array(104));
const chainBytes = chainInput.bytes.subarray(0, CHAIN_INPUT_SIZE);
const TAG = 'kimberlite/record/v1';
for (let i = 0; i < TAG.length; i++) chainBytes[i] = TAG.charCodeAt(i);

/** The hash of the record at `at` into `target`. */
export function recordChainInto(region: Region, at: number, target: Region, targetAt: number): void {
  const from = region.words;
  const to = chainInput.words;
  const r = at >> 2;
  for (let i = 0; i < 8; i++) to[5 + i] = from[r + 6 + i] as number;
  for (let i = 0; i < 4; i++) to[13 + i] = from[r + 2 + i] as number;
  // One byte of kind, so the digest's words lie across ours.
  let below = region.bytes[at + RECORD.kind] as number;
  for (let i = 0; i < 8; i++) {
    const word = from[r + 14 + i] as number;
    to[17 + i] = below | (word << 8);
    below = word >>> 24;
  }
  to[25] = below;
  sha256BytesInto(chainBytes, target, targetAt);
}

const digestScratch = regionOf(new Uint8Array(32));

/**
 * What is wrong with the record at `at`, of which bytes before `end` may be read; or null. Lengths
 * are trusted only after the header's CRC.
 */
export function recordProblem(region: Region, at: number, end: number): string | null {
  if (at + RECORD_OVERHEAD > end) return 'record: cut short';
  const { fields, words } = region;
  const w = at >> 2;
  if (words[w] !== RECORD_START) return 'record: no start sentinel';
  if (fields.getUint8(at + RECORD.version) !== RECORD_VERSION) return 'record: unknown version';
  if (words[w + 24] !== crc32(region, at, RECORD.headerCrc)) return 'record: header CRC';
  if (fields.getUint8(at + RECORD.kind) > RECORD_KIND.tombstone) return 'record: unknown kind';
  if (fields.getUint8(at + RECORD.compression) !== 0) return 'record: unknown compression';
  if (fields.getUint8(at + RECORD.flags) !== 0) return 'record: unknown flags';
  const length = words[w + 23] as number;
  if (words[w + 22] !== length) return 'record: lengths differ';
  if (at + RECORD_OVERHEAD + length > end) return 'record: cut short';
  const payloadEnd = at + RECORD.payload + length;
  const crc = crc32(region, at + RECORD.headerCrc, 4 + length, words[w + 24] as number);
  if (fields.getUint32(payloadEnd, true) !== crc) return 'record: CRC';
  if (fields.getUint32(payloadEnd + 4, true) !== RECORD_END) return 'record: no end sentinel';
  sha256Into(region, at + RECORD.payload, length, digestScratch, 0);
  for (let i = 0; i < 8; i++) {
    if (digestScratch.words[i] !== words[w + 14 + i]) return 'record: payload digest';
  }
  return null;
}

/** A record as values, for clients and tools. */
export interface EventRecord {
  /** Without the padding to the next record. */
  readonly size: number;
  readonly offset: number;
  readonly kind: number;
  /** u64 ns, as microseconds rounded down, and the rest. */
  readonly timestampMicros: number;
  readonly timestampNanosRest: number;
  /** A view. */
  readonly payload: Uint8Array;
  /** Of this record: what the next one names. */
  readonly hash: Uint8Array;
}

/** Requires: `recordProblem` said null. `hash` as from `recordChainInto`. */
export function readEventRecord(region: Region, at: number, hash: Uint8Array): EventRecord {
  const length = region.words[(at + RECORD.storedLength) >> 2] as number;
  const low = region.words[(at + RECORD.timestamp) >> 2] as number;
  const high = region.words[(at + RECORD.timestamp + 4) >> 2] as number;
  const highQuotient = Math.floor(high / 1000);
  const rest = (high - highQuotient * 1000) * 4_294_967_296 + low;
  return {
    size: RECORD_OVERHEAD + length,
    offset: readU64(region, at + RECORD.offset),
    kind: region.fields.getUint8(at + RECORD.kind),
    timestampMicros: highQuotient * 4_294_967_296 + Math.floor(rest / 1000),
    timestampNanosRest: rest % 1000,
    payload: region.bytes.subarray(at + RECORD.payload, at + RECORD.payload + length),
    hash,
  };
}
