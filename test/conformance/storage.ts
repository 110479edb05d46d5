/**
 * What every Storage port must do, run on the real one and on the simulated one. The simulator may
 * be harsher than a disk (it tears, loses and delays), never kinder: what these tests promise holds
 * for both.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { AssertionFailure } from '../../core/assert.ts';
import { SECTOR_SIZE, STORAGE_RESULT, type Storage, type StorageResult } from '../../core/ports.ts';
import { Prng } from '../../core/prng.ts';

export interface StorageCompletion {
  readonly token: number;
  readonly result: StorageResult;
}

/** One implementation, faultless, over one file of `STORAGE_FILE_SIZE` zero bytes. */
export interface StorageSubject {
  readonly storage: Storage;
  /** Completions so far, in order of arrival; the subject's handler only appends to it. */
  readonly completions: StorageCompletion[];
  /** Runs until everything submitted has completed. */
  settle(): Promise<void> | void;
  /**
   * A crash: what is not durable may be lost. Returns the file as opened again; this subject is
   * not used any more. The real one can only lose a process, not the power.
   */
  crash(): Promise<StorageSubject> | StorageSubject;
  close(): Promise<void> | void;
}

export const STORAGE_FILE_SIZE = 4 << 20;

/** A sector range filled with bytes that name it. */
function pattern(buffer: Uint8Array, seed: number): Uint8Array {
  const rng = new Prng([seed, 1, 2, 3]);
  for (let i = 0; i < buffer.length; i++) buffer[i] = rng.u32() & 0xff;
  return buffer;
}

const take = (subject: StorageSubject): StorageCompletion[] => subject.completions.splice(0);
const ok = (token: number): StorageCompletion => ({ token, result: STORAGE_RESULT.ok });
const byToken = (a: StorageCompletion, b: StorageCompletion): number => a.token - b.token;

export function storageConformance(
  name: string,
  make: () => Promise<StorageSubject> | StorageSubject,
): void {
  const on = (what: string, run: (subject: StorageSubject) => Promise<StorageSubject | void>): void => {
    test(what, async () => {
      let subject = await make();
      try {
        subject = (await run(subject)) ?? subject;
      } finally {
        await subject.close();
      }
    });
  };

  suite(`storage conformance: ${name}`, () => {
    on('buffers are whole sectors, aligned, zero and disjoint', async ({ storage }) => {
      const a = storage.allocate(1);
      const b = storage.allocate(SECTOR_SIZE + 1);
      assert.equal(a.byteLength, SECTOR_SIZE);
      assert.equal(b.byteLength, 2 * SECTOR_SIZE);
      for (const buffer of [a, b]) {
        assert.equal(buffer.byteOffset % SECTOR_SIZE, 0);
        assert.ok(buffer.every((byte) => byte === 0));
      }
      a.fill(1);
      b.fill(2);
      assert.ok(a.every((byte) => byte === 1));
    });

    on('tells its size; a fresh file reads as zeros', async (subject) => {
      assert.equal(subject.storage.size(), STORAGE_FILE_SIZE);
      const buffer = subject.storage.allocate(2 * SECTOR_SIZE).fill(0xff);
      subject.storage.read(STORAGE_FILE_SIZE - 2 * SECTOR_SIZE, buffer, 7);
      await subject.settle();
      assert.deepEqual(take(subject), [ok(7)]);
      assert.ok(buffer.every((byte) => byte === 0));
    });

    on('nothing completes inside the call', async (subject) => {
      const buffer = subject.storage.allocate(SECTOR_SIZE);
      subject.storage.write(0, buffer, 1);
      subject.storage.sync(2);
      subject.storage.read(SECTOR_SIZE, subject.storage.allocate(SECTOR_SIZE), 3);
      assert.deepEqual(subject.completions, []);
      await subject.settle();
      assert.deepEqual(take(subject).sort(byToken), [ok(1), ok(2), ok(3)]);
    });

    on('what was written is read back, also in part and by a larger read', async (subject) => {
      const { storage } = subject;
      const written = pattern(storage.allocate(4 * SECTOR_SIZE), 1);
      storage.write(8 * SECTOR_SIZE, written, 1);
      await subject.settle();
      const part = storage.allocate(SECTOR_SIZE);
      const whole = storage.allocate(6 * SECTOR_SIZE);
      storage.read(10 * SECTOR_SIZE, part, 2);
      storage.read(7 * SECTOR_SIZE, whole, 3); // Overlapping reads may be in flight together.
      await subject.settle();
      assert.deepEqual(take(subject).sort(byToken), [ok(1), ok(2), ok(3)]);
      assert.deepEqual(part, written.subarray(2 * SECTOR_SIZE, 3 * SECTOR_SIZE));
      assert.deepEqual(whole.subarray(SECTOR_SIZE, 5 * SECTOR_SIZE), written);
      assert.ok(whole.subarray(0, SECTOR_SIZE).every((byte) => byte === 0));
    });

    on('reads and writes through a sector-aligned part of a buffer', async (subject) => {
      const { storage } = subject;
      const buffer = pattern(storage.allocate(4 * SECTOR_SIZE), 2);
      storage.write(0, buffer.subarray(SECTOR_SIZE, 2 * SECTOR_SIZE), 1);
      await subject.settle();
      storage.read(0, buffer.subarray(3 * SECTOR_SIZE), 2);
      await subject.settle();
      assert.deepEqual(buffer.subarray(3 * SECTOR_SIZE), buffer.subarray(SECTOR_SIZE, 2 * SECTOR_SIZE));
    });

    on('a burst completes once each, and tokens may repeat', async (subject) => {
      const { storage } = subject;
      const buffers: Uint8Array[] = [];
      for (let i = 0; i < 100; i++) buffers.push(pattern(storage.allocate(SECTOR_SIZE), i));
      for (const [i, buffer] of buffers.entries()) storage.write(i * SECTOR_SIZE, buffer, i >> 1);
      await subject.settle();
      const tokens = take(subject).sort(byToken);
      assert.deepEqual(tokens, buffers.map((_, i) => ok(i >> 1)));
      const all = storage.allocate(100 * SECTOR_SIZE);
      storage.read(0, all, 1);
      await subject.settle();
      for (const [i, buffer] of buffers.entries()) {
        assert.deepEqual(all.subarray(i * SECTOR_SIZE, (i + 1) * SECTOR_SIZE), buffer);
      }
    });

    on('a write before a completed sync survives a crash', async (subject) => {
      const written = pattern(subject.storage.allocate(3 * SECTOR_SIZE), 3);
      subject.storage.write(16 * SECTOR_SIZE, written, 1);
      await subject.settle();
      subject.storage.sync(2);
      await subject.settle();
      assert.deepEqual(take(subject), [ok(1), ok(2)]);
      const copy = written.slice();
      const again = await subject.crash();
      const read = again.storage.allocate(3 * SECTOR_SIZE);
      again.storage.read(16 * SECTOR_SIZE, read, 3);
      await again.settle();
      assert.deepEqual(take(again), [ok(3)]);
      assert.deepEqual(read, copy);
      return again;
    });

    on('programmer errors are assertions', async (subject) => {
      const { storage } = subject;
      const buffer = storage.allocate(2 * SECTOR_SIZE);
      const fails = (run: () => void): void => assert.throws(run, AssertionFailure);
      fails(() => storage.read(512, buffer, 1));
      fails(() => storage.read(0, buffer.subarray(0, 100), 1));
      fails(() => storage.write(0, buffer.subarray(512, 512 + SECTOR_SIZE), 1));
      fails(() => storage.write(STORAGE_FILE_SIZE - SECTOR_SIZE, buffer, 1));
      storage.write(0, buffer, 1);
      const other = storage.allocate(SECTOR_SIZE);
      fails(() => storage.write(SECTOR_SIZE, other, 2));
      fails(() => storage.read(SECTOR_SIZE, other, 2));
      await subject.settle();
      take(subject);
      storage.read(0, buffer, 1);
      fails(() => storage.write(0, other, 2));
      await subject.settle();
      assert.deepEqual(take(subject), [ok(1)]);
    });

    on('random operations agree with a model', async (subject) => {
      const { storage } = subject;
      const rng = new Prng([20, 26, 11, 22]);
      const sectors = 64;
      const model = new Uint8Array(sectors * SECTOR_SIZE);
      const buffers = Array.from({ length: 8 }, () => storage.allocate(8 * SECTOR_SIZE));
      for (let round = 0; round < 40; round++) {
        const expected: { buffer: Uint8Array; at: number; reads: boolean }[] = [];
        // Eight operations a round, each in its own eighth of the file: no overlap.
        for (const [i, buffer] of buffers.entries()) {
          const count = 1 + rng.below(8);
          const at = (i * 8 + rng.below(9 - count)) * SECTOR_SIZE;
          const part = buffer.subarray(0, count * SECTOR_SIZE);
          const reads = rng.below(2) === 0;
          if (reads) storage.read(at, part, i);
          else storage.write(at, pattern(part, round * 8 + i), i);
          expected.push({ buffer: part, at, reads });
        }
        if (rng.below(4) === 0) storage.sync(100);
        await subject.settle();
        for (const completion of take(subject)) assert.equal(completion.result, STORAGE_RESULT.ok);
        for (const { buffer, at, reads } of expected) {
          if (reads) assert.deepEqual(buffer, model.subarray(at, at + buffer.length));
          else model.set(buffer, at);
        }
      }
    });
  });
}
