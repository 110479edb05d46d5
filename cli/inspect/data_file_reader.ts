/**
 * A data file, read only: while its server runs, or after it is gone. Nothing is locked and
 * nothing is written. What is being written at this moment may look damaged; a second look tells.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { regionOf, type Region } from '../../core/message/region.ts';
import { UsageError } from '../usage_error.ts';

export class DataFileReader {
  readonly path: string;
  readonly size: number;
  readonly #file: number;

  constructor(path: string) {
    this.path = path;
    try {
      this.#file = openSync(path, 'r');
    } catch (error) {
      throw new UsageError(`Cannot inspect "${path}": ${(error as Error).message}; check the path`, {
        cause: error,
      });
    }
    const stat = fstatSync(this.#file);
    if (!stat.isFile()) {
      closeSync(this.#file);
      throw new UsageError(`Cannot inspect "${path}": it is no regular file; give a replica's data file`);
    }
    this.size = stat.size;
  }

  /** `length` bytes, a multiple of 4; zeros beyond the end of the file. */
  read(offset: number, length: number): Region {
    const bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const got = readSync(this.#file, bytes, done, length - done, offset + done);
      if (got === 0) break;
      done += got;
    }
    return regionOf(bytes);
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** Something in the file that is not as it should be. */
export interface Finding {
  /** `superblock copy 2`, `journal slot 7`, `block 12`. */
  readonly where: string;
  readonly problem: string;
}

/** First eight bytes, which is enough to tell two checksums apart at a glance. */
export function shortHash(region: Region, at: number): string {
  return hex(region.bytes.subarray(at, at + 8));
}

export function hex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}

/** Microseconds since the epoch as ISO 8601 with six decimals. */
export function timeText(micros: number): string {
  if (micros === 0) return '-';
  const date = new Date(Math.floor(micros / 1000));
  if (Number.isNaN(date.getTime())) return `${micros} us`;
  const rest = String(micros % 1000).padStart(3, '0');
  return date.toISOString().replace('Z', `${rest}Z`);
}
