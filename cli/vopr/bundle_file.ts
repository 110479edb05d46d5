/** Bundles as files: written whole or not at all, opened from a path or from standard input. */
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import {
  BUNDLE_FILE_SIZE_MAX,
  BundleError,
  decodeBundle,
  type Bundle,
} from '../../bundles/format.ts';
import { UsageError } from '../usage_error.ts';
import { requireSystemOf } from './own_system.ts';

/** `combined-1182-agreement.kmb`; the canary's name stands in for the checker's. */
export function bundleFileName(
  scenario: string,
  seed: number,
  canary: string | null,
  invariant: string,
): string {
  return `${scenario}-${seed}-${canary ?? invariant}.kmb`;
}

/** Creates `directory` when absent; an earlier bundle of the same name is replaced. `option` chose it. */
export function writeBundle(
  directory: string,
  name: string,
  bytes: Uint8Array,
  option = '--bundle-dir',
): string {
  const path = join(directory, name);
  const partial = `${path}.${process.pid}.partial`;
  try {
    mkdirSync(directory, { recursive: true });
    writeFileSync(partial, bytes);
    renameSync(partial, path);
  } catch (error) {
    removeIfAny(partial);
    throw new UsageError(
      `Cannot write the bundle "${path}": ${(error as Error).message}; choose another ${option}`,
      { cause: error },
    );
  }
  return path;
}

/** Where the directory itself is none, there is nothing to remove, and `force` does not say so. */
function removeIfAny(path: string): void {
  if (existsSync(path)) rmSync(path);
}

/**
 * `-` is standard input. A bundle of a system that is not in use is refused. Throws UsageError with the
 * path, the reason and what to do.
 */
export function readBundle(path: string): Bundle {
  return openBundle(path).bundle;
}

/** The same, with the bytes that it was read from. */
export function openBundle(path: string): { readonly bundle: Bundle; readonly bytes: Uint8Array } {
  const shown = path === '-' ? 'standard input' : `"${path}"`;
  let bytes: Uint8Array;
  try {
    bytes = readBounded(path);
  } catch (error) {
    throw new UsageError(`Cannot read the bundle from ${shown}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  let bundle: Bundle;
  try {
    bundle = decodeBundle(bytes);
  } catch (error) {
    if (!(error instanceof BundleError)) throw error;
    throw new UsageError(`Cannot open the bundle from ${shown}: ${error.message}; ${ADVICE[error.code]}`, {
      cause: error,
    });
  }
  requireSystemOf(bundle.plan, bundle.code.module ?? null, `The bundle from ${shown}`);
  return { bundle, bytes };
}

const ADVICE: Readonly<Record<BundleError['code'], string>> = {
  'not-a-bundle': 'pass a file that `vopr run` wrote',
  truncated: 'copy it again, in binary mode and whole',
  'too-large': 'no bundle that `vopr run` writes is that large',
  'newer-version': 'update kimberlite, or check out the commit that wrote it',
  checksum: 'copy it again from where it was written',
  malformed: 'it was not written by `vopr run`; make it again from its seed',
};

/** At most one byte more than a bundle may have, whatever the file is (a device, a pipe). */
function readBounded(path: string): Uint8Array {
  const file = path === '-' ? 0 : openSync(path, 'r');
  try {
    const stat = fstatSync(file);
    if (stat.isDirectory()) throw new Error('it is a directory');
    if (stat.isFile() && stat.size > BUNDLE_FILE_SIZE_MAX) {
      throw new Error(`it has ${stat.size} bytes, a bundle at most ${BUNDLE_FILE_SIZE_MAX}`);
    }
    const chunks: Uint8Array[] = [];
    let length = 0;
    for (;;) {
      const chunk = new Uint8Array(1 << 16);
      const got = readSome(file, chunk);
      if (got === 0) break;
      length += got;
      if (length > BUNDLE_FILE_SIZE_MAX) {
        throw new Error(`it goes on after ${BUNDLE_FILE_SIZE_MAX} bytes, the most a bundle has`);
      }
      chunks.push(chunk.subarray(0, got));
    }
    const bytes = new Uint8Array(length);
    let at = 0;
    for (const chunk of chunks) {
      bytes.set(chunk, at);
      at += chunk.byteLength;
    }
    return bytes;
  } finally {
    if (file !== 0) closeSync(file);
  }
}

/** A pipe on standard input may be non-blocking: then "not yet" is no error. */
function readSome(file: number, chunk: Uint8Array): number {
  for (;;) {
    try {
      return readSync(file, chunk);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EOF') return 0;
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}
