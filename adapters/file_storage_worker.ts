/**
 * One I/O thread: takes submissions from the shared ring, does the synchronous positioned I/O on
 * the process's descriptor straight from and to the shared memory, and puts the result back.
 *
 * The event loop is told when the submissions have run out, or after a few completions: a burst
 * comes back as one event. Errors are values; their text goes along as a message for the log.
 */
import { fdatasyncSync, readSync, writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { SECTOR_SIZE, STORAGE_RESULT } from '../core/ports.ts';
import { errnoOf } from './errors.ts';
import {
  CONTROL,
  IO_OPERATION,
  putCompletion,
  takeSubmission,
  type IoNotice,
  type IoThreadData,
  type Submission,
} from './io_ring.ts';

const COMPLETIONS_UNTOLD_MAX = 32;
const SLOW_MILLIS = 0.2;

const { fd, ring, memory } = workerData as IoThreadData;
let bytes = new Uint8Array(memory.buffer);

run();

function run(): void {
  const submission: Submission = { operation: 0, slot: 0, length: 0, address: 0, offset: 0 };
  const { control } = ring;
  let untold = 0;
  for (;;) {
    const tail = Atomics.load(control, CONTROL.tail);
    if (!takeSubmission(ring, submission)) {
      if (untold > 0) tell();
      untold = 0;
      Atomics.wait(control, CONTROL.tail, tail); // Returns at once when `tail` has moved on.
      continue;
    }
    if (submission.operation === IO_OPERATION.exit) return;
    const began = performance.now();
    putCompletion(ring, submission, perform(submission));
    // A slow device is worth more threads at once; a fast one is not worth the switches.
    if (performance.now() - began > SLOW_MILLIS && Atomics.load(control, CONTROL.head) !== tail) {
      Atomics.notify(control, CONTROL.tail, 1);
    }
    if (++untold >= COMPLETIONS_UNTOLD_MAX) {
      tell();
      untold = 0;
    }
  }
}

function tell(): void {
  if (Atomics.exchange(ring.control, CONTROL.signalled, 1) === 0) parentPort?.postMessage(null);
}

function perform(s: Submission): number {
  try {
    if (s.operation === IO_OPERATION.sync) {
      fdatasyncSync(fd);
      return STORAGE_RESULT.ok;
    }
    if (s.address + s.length > bytes.byteLength) bytes = grownMemory();
    if (s.operation === IO_OPERATION.write) {
      writeAll(s.address, s.length, s.offset);
      return STORAGE_RESULT.ok;
    }
    readAll(s.address, s.length, s.offset);
    return STORAGE_RESULT.ok;
  } catch (error) {
    return failed(s, error);
  }
}

/** The memory grew after this thread began: growing by nothing refreshes this thread's view. */
function grownMemory(): Uint8Array<SharedArrayBuffer> {
  memory.grow(0);
  return new Uint8Array(memory.buffer);
}

/** A signal or a quota may cut a transfer short; what is left is submitted again. */
function writeAll(address: number, length: number, offset: number): void {
  for (let done = 0; done < length; ) {
    done += writeSync(fd, bytes, address + done, length - done, offset + done);
  }
}

function readAll(address: number, length: number, offset: number): void {
  for (let done = 0; done < length; ) {
    const count = readSync(fd, bytes, address + done, length - done, offset + done);
    if (count === 0) throw new Error('read past the end of the file');
    done += count;
  }
}

function failed(s: Submission, error: unknown): number {
  const errno = errnoOf(error);
  const notice: IoNotice = {
    operation:
      s.operation === IO_OPERATION.read ? 'read' : s.operation === IO_OPERATION.write ? 'write' : 'sync',
    offset: s.offset,
    length: s.length,
    error: error instanceof Error ? error.message : String(error),
  };
  parentPort?.postMessage(notice);
  if (s.operation === IO_OPERATION.read && errno === 'EIO') return salvage(s);
  if (errno === 'ENOSPC' || errno === 'EDQUOT') return STORAGE_RESULT.noSpace;
  return STORAGE_RESULT.ioError;
}

/**
 * A medium error takes a few sectors, not the whole read: each is read by itself, and the ones
 * that are lost read as zeros, which no checksum admits.
 */
function salvage(s: Submission): number {
  for (let at = 0; at < s.length; at += SECTOR_SIZE) {
    try {
      readAll(s.address + at, SECTOR_SIZE, s.offset + at);
    } catch {
      bytes.fill(0, s.address + at, s.address + at + SECTOR_SIZE);
    }
  }
  return STORAGE_RESULT.corruptRead;
}
