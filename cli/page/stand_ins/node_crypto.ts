/**
 * `node:crypto` in the browser, as far as the simulator uses it: the same bytes from @noble/hashes.
 * A name that is missing here fails the build of the page, not a run in it.
 */
import { sha256 } from '@noble/hashes/sha2.js';

/** SHA-256 of bytes, as a character a byte or as hexadecimal digits. */
export function hash(algorithm: 'sha256', data: Uint8Array, encoding: 'binary' | 'hex'): string {
  if (algorithm !== 'sha256') throw new TypeError(`hash: no stand-in for "${String(algorithm)}"`);
  const digest = sha256(data);
  let text = '';
  if (encoding === 'binary') {
    for (const byte of digest) text += String.fromCharCode(byte);
  } else if (encoding === 'hex') {
    for (const byte of digest) text += byte.toString(16).padStart(2, '0');
  } else {
    throw new TypeError(`hash: no stand-in for the encoding "${String(encoding)}"`);
  }
  return text;
}
