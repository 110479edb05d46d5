/**
 * Sector padding: what follows a message's `size` in its last sector on disk is zero, written so
 * and checked so. A flipped bit there is corruption like any other. Source: reference "vsr" 3.1.
 */
import { SECTOR_SIZE } from '../constants.ts';
import { sizeOf } from './header.ts';
import { type Region } from './region.ts';

/** Zeroes the bytes between `size` and the end of its last sector, where they are not zero yet. */
export function zeroPadding(message: Region): void {
  if (!paddingIsZero(message)) {
    const size = sizeOf(message);
    message.bytes.fill(0, size, paddedSize(size));
  }
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
