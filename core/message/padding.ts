/**
 * Sector padding: what follows a message's `size` in its last sector on disk is zero, written so
 * and checked so. A flipped bit there is corruption like any other. Source: reference "vsr" 3.1.
 */
import { SECTOR_SIZE } from '../constants.ts';
import { sizeOf } from './header.ts';
import { type Region } from './region.ts';

/**
 * Zeroes the bytes between `size` and the end of its last sector. By words: in shared memory, bytes
 * take 2 us a sector, words 0.15 (Node 24).
 */
export function zeroPadding(message: Region): void {
  const { bytes, words } = message;
  const size = sizeOf(message);
  let at = size;
  for (; (at & 3) !== 0; at++) bytes[at] = 0;
  words.fill(0, at >> 2, paddedSize(size) >> 2);
}

/** Requires `size` within the region. */
export function paddingIsZero(message: Region): boolean {
  const size = sizeOf(message);
  const end = paddedSize(size);
  let at = size;
  while ((at & 3) !== 0) {
    if (message.bytes[at] !== 0) return false;
    at++;
  }
  const words = message.words;
  for (let i = at >> 2; i < end >> 2; i++) {
    if (words[i] !== 0) return false;
  }
  return true;
}

/** `size` rounded up to whole sectors. */
export function paddedSize(size: number): number {
  return Math.ceil(size / SECTOR_SIZE) * SECTOR_SIZE;
}
