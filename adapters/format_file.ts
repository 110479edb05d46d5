/**
 * `kmb format`: makes a data file. All of it is written, zeros included, so that no append ever
 * meets a full disk; the superblocks come last, after everything else is durable, so that a format
 * that was cut short leaves a file that says it was never formatted.
 */
import { closeSync, constants, fdatasyncSync, fsyncSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { assertConfig, REPLICAS_MAX, type ClusterConfig } from '../core/constants.ts';
import { type Region } from '../core/message/region.ts';
import { zonesOf } from '../core/storage/data_file.ts';
import { format } from '../core/storage/format.ts';
import { OperatingError, dataFileError, errnoOf } from './errors.ts';
import { createSharedMemory, SHARED_PAGE } from './shared_memory.ts';

export interface FormatFileOptions {
  readonly path: string;
  readonly config: ClusterConfig;
  /** 16 bytes; the same for all replicas of the cluster. */
  readonly cluster: Region;
  readonly replicaIndex: number;
  readonly replicaCount: number;
  /** Bytes written so far, of how many; called every few MiB. */
  readonly progress?: (done: number, size: number) => void;
}

const CHUNK_SIZE = 8 << 20;

/** Returns the size of the file in bytes. Throws OperatingError; a partial file is removed. */
export function formatFile(options: FormatFileOptions): number {
  const { path, config, replicaCount, replicaIndex } = options;
  assertConfig(config);
  if (!Number.isInteger(replicaCount) || replicaCount < 1 || replicaCount > REPLICAS_MAX) {
    throw new OperatingError('usage', path, `Cannot format "${path}": a cluster of ${replicaCount} replicas`,
      `choose 1 to ${REPLICAS_MAX} replicas`);
  }
  if (!Number.isInteger(replicaIndex) || replicaIndex < 0 || replicaIndex >= replicaCount) {
    throw new OperatingError('usage', path,
      `Cannot format "${path}": replica ${replicaIndex} of a cluster of ${replicaCount}`,
      `replicas are numbered 0 to ${replicaCount - 1}`);
  }
  const fd = create(path);
  try {
    const size = fill(fd, options);
    closeSync(fd);
    syncDirectory(path);
    return size;
  } catch (error) {
    closeQuietly(fd);
    unlinkSync(path);
    throw error instanceof OperatingError ? error : dataFileError('format', path, error);
  }
}

function fill(fd: number, options: FormatFileOptions): number {
  const zones = zonesOf(options.config);
  writeZeros(fd, zones.end, options.progress);
  // I/O memory is page aligned, as O_DIRECT wants; `format` hands out ordinary arrays.
  const staging = alignedMemory(zones.superblockCopySize);
  const superblocks: { offset: number; bytes: Uint8Array }[] = [];
  const put = (offset: number, bytes: Uint8Array): void => {
    const target = staging.subarray(0, bytes.byteLength);
    target.set(bytes);
    writeAll(fd, target, offset);
  };
  format({
    ...options,
    write(offset, bytes) {
      if (offset < zones.journalHeaders) superblocks.push({ offset, bytes: bytes.slice() });
      else put(offset, bytes);
    },
  });
  fdatasyncSync(fd);
  for (const { offset, bytes } of superblocks) put(offset, bytes);
  fsyncSync(fd);
  return zones.end;
}

function writeZeros(fd: number, size: number, progress?: (done: number, size: number) => void): void {
  const zeros = alignedMemory(CHUNK_SIZE);
  for (let done = 0; done < size; ) {
    const count = Math.min(CHUNK_SIZE, size - done);
    writeAll(fd, zeros.subarray(0, count), done);
    done += count;
    progress?.(done, size);
  }
}

function writeAll(fd: number, bytes: Uint8Array, offset: number): void {
  for (let done = 0; done < bytes.byteLength; ) {
    done += writeSync(fd, bytes, done, bytes.byteLength - done, offset + done);
  }
}

function alignedMemory(size: number): Uint8Array {
  const memory = createSharedMemory(size + SHARED_PAGE);
  memory.grow(Math.ceil(size / SHARED_PAGE));
  return new Uint8Array(memory.buffer, 0, size);
}

/** Exclusive: an existing file is never touched. Direct where the filesystem takes it. */
function create(path: string): number {
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL;
  try {
    return openSync(path, flags | (constants.O_DIRECT ?? 0), 0o644);
  } catch (error) {
    if (errnoOf(error) !== 'EINVAL') throw dataFileError('create', path, error);
  }
  try {
    // A refused O_DIRECT may leave the file behind, made by this very call and empty.
    unlinkSync(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw dataFileError('create', path, error);
  }
  try {
    return openSync(path, flags, 0o644);
  } catch (error) {
    throw dataFileError('create', path, error);
  }
}

/** The file's name is durable only when its directory is. */
function syncDirectory(path: string): void {
  const fd = openSync(dirname(path), 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function closeQuietly(fd: number): void {
  try {
    closeSync(fd);
  } catch {
    // Closed already: the error being handled came later.
  }
}
