/**
 * Raw records as they lie in read replies and in log blocks, looked at without `core/`'s decoder:
 * its offsets are shared (they are the format), its judgement is not. Hashes come
 * straight from OpenSSL: core/'s own SHA-256, and what it hands to whom, have no part in them.
 * Format: core/kernel/events.ts; reference "storage-and-crypto" 2.2 and 3.
 */
import { hash } from 'node:crypto';
import { RECORD, RECORD_END, RECORD_START, RECORD_VERSION } from '../core/kernel/events.ts';
import { RECORD_OVERHEAD } from '../core/kernel/operations.ts';
import { readU64, type Region } from '../core/message/region.ts';

const TAG = 'kimberlite/record/v1';
/** tag 20 | previous hash 32 | offset 8 | timestamp 8 | kind 1 | payload digest 32 */
const LINK_SIZE = 101;

/** Bytes up to the next record, or 0 when no whole record begins at `at` (`end`: of the memory). */
export function recordSpanAt(region: Region, at: number, end: number): number {
  if (at + RECORD_OVERHEAD > end) return 0;
  const length = region.words[(at + RECORD.storedLength) >> 2] as number;
  if (length > end - at - RECORD_OVERHEAD) return 0;
  return (RECORD_OVERHEAD + length + 3) & ~3;
}

export function recordOffset(region: Region, at: number): number {
  return readU64(region, at + RECORD.offset);
}

/** The event id at the head of the payload, as client * 2^32 + serial; -1 when the payload is shorter. */
export function recordEventId(region: Region, at: number): number {
  if ((region.words[(at + RECORD.storedLength) >> 2] as number) < 8) return -1;
  return eventIdAt(region, at + RECORD.payload);
}

/** The event id that begins at `at`, a multiple of 4. */
export function eventIdAt(region: Region, at: number): number {
  const client = region.words[at >> 2] as number;
  return client * 4_294_967_296 + (region.words[(at + 4) >> 2] as number);
}

/** First thing wrong with the frame of a record whose span is known, or null. */
export function frameProblem(region: Region, at: number): string | null {
  const { fields } = region;
  const length = fields.getUint32(at + RECORD.storedLength, true);
  if (fields.getUint32(at + RECORD.sentinel, true) !== RECORD_START) return 'no start sentinel';
  if (fields.getUint8(at + RECORD.version) !== RECORD_VERSION) return 'another format version';
  if (fields.getUint32(at + RECORD.plainLength, true) !== length) return 'two lengths';
  const endSentinel = fields.getUint32(at + RECORD.payload + length + 4, true);
  return endSentinel === RECORD_END ? null : 'no end sentinel';
}

/** True when the stored digest is the payload's SHA-256. */
export function digestHolds(region: Region, at: number): boolean {
  const length = region.words[(at + RECORD.storedLength) >> 2] as number;
  const from = at + RECORD.payload;
  const digest = sha256(region.bytes.subarray(from, from + length));
  for (let i = 0; i < 32; i++) {
    if (digest.charCodeAt(i) !== region.bytes[at + RECORD.digest + i]) return false;
  }
  return true;
}

/** A character a byte: no Buffer to allocate. An eighth of what portable code takes (Node 24). */
function sha256(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'binary');
}

/** Computes the hash that the next record of the stream must name. */
export class RecordLink {
  private readonly input = new Uint8Array(LINK_SIZE);

  constructor() {
    for (let i = 0; i < TAG.length; i++) this.input[i] = TAG.charCodeAt(i);
  }

  /** Puts 32 bytes at `targetAt`. */
  into(region: Region, at: number, target: Uint8Array, targetAt: number): void {
    const { bytes } = region;
    const { input } = this;
    for (let i = 0; i < 32; i++) input[20 + i] = bytes[at + RECORD.prevHash + i] as number;
    for (let i = 0; i < 16; i++) input[52 + i] = bytes[at + RECORD.offset + i] as number;
    input[68] = bytes[at + RECORD.kind] as number;
    for (let i = 0; i < 32; i++) input[69 + i] = bytes[at + RECORD.digest + i] as number;
    const link = sha256(input);
    for (let i = 0; i < 32; i++) target[targetAt + i] = link.charCodeAt(i);
  }
}
