import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { OperatingError } from '../../adapters/errors.ts';
import { FileStorage } from '../../adapters/file_storage.ts';
import { SECTOR_SIZE, STORAGE_RESULT } from '../../core/ports.ts';
import {
  STORAGE_FILE_SIZE,
  storageConformance,
  type StorageCompletion,
  type StorageSubject,
} from '../conformance/storage.ts';

const directory = mkdtempSync(join(tmpdir(), 'kmb-storage-'));
after(() => rmSync(directory, { recursive: true, force: true }));
let files = 0;

function zeroFile(size: number): string {
  const path = join(directory, `${files++}.db`);
  writeFileSync(path, new Uint8Array(size));
  return path;
}

function subjectOn(path: string): StorageSubject {
  const storage = new FileStorage({ path, sizeMin: STORAGE_FILE_SIZE, threads: 2 });
  const completions: StorageCompletion[] = [];
  let submitted = 0;
  let completed = 0;
  let settled: (() => void) | null = null;
  const counted = <A extends unknown[]>(call: (...args: A) => void) => (...args: A): void => {
    call.apply(storage, args);
    submitted++;
  };
  storage.read = counted(storage.read);
  storage.write = counted(storage.write);
  storage.sync = counted(storage.sync);
  storage.attach({
    onStorage(token, result) {
      completions.push({ token, result });
      completed++;
      if (completed === submitted) settled?.();
    },
  });
  return {
    storage,
    completions,
    async settle() {
      if (completed < submitted) await new Promise<void>((done) => (settled = done));
      settled = null;
    },
    async crash() {
      await storage.close();
      return subjectOn(path);
    },
    close: () => storage.close(),
  };
}

storageConformance('file', () => subjectOn(zeroFile(STORAGE_FILE_SIZE)));

test('a missing or truncated file is refused with advice', () => {
  const missing = join(directory, 'missing.db');
  assert.throws(() => new FileStorage({ path: missing }), (error) => {
    assert.ok(error instanceof OperatingError);
    assert.equal(error.code, 'data-file-missing');
    assert.equal(error.exitStatus, 2);
    assert.match(error.message, /missing\.db.*kmb format/);
    return true;
  });
  const short = zeroFile(SECTOR_SIZE);
  assert.throws(() => new FileStorage({ path: short, sizeMin: 2 * SECTOR_SIZE }), (error) => {
    assert.ok(error instanceof OperatingError);
    assert.equal(error.code, 'data-file-truncated');
    assert.match(error.message, /has 4096 bytes, expected 8192/);
    return true;
  });
});

test('I/O that fails is a value, and its cause goes to the log', async () => {
  const path = zeroFile(4 * SECTOR_SIZE);
  const lines: string[] = [];
  const storage = new FileStorage({ path, threads: 1, log: (line) => lines.push(line) });
  truncateSync(path, SECTOR_SIZE); // Under the feet of the process.
  const buffer = storage.allocate(2 * SECTOR_SIZE);
  const result = await new Promise((done) => {
    storage.attach({ onStorage: (_, value) => done(value) });
    storage.read(0, buffer, 1);
  });
  assert.equal(result, STORAGE_RESULT.ioError);
  await storage.close();
  assert.ok(
    lines.some((line) => /read of 8192 bytes at 0 failed: .*end of the file/.test(line)),
    lines.join(),
  );
});

test('the process cache is used where direct I/O is refused', async () => {

  const path = zeroFile(4 * SECTOR_SIZE);
  const lines: string[] = [];
  const storage = new FileStorage({ path, threads: 1, direct: false, log: (line) => lines.push(line) });
  assert.equal(storage.direct, false);
  const buffer = storage.allocate(SECTOR_SIZE).fill(9);
  const results: number[] = [];
  await new Promise<void>((done) => {
    storage.attach({
      onStorage(token, result) {
        results.push(result);
        if (token === 1) storage.sync(2);
        else if (token === 2) storage.read(0, buffer.fill(0), 3);
        else done();
      },
    });
    storage.write(0, buffer, 1);
  });
  assert.deepEqual(results, [0, 0, 0]);
  assert.ok(buffer.every((byte) => byte === 9));
  await storage.close();
  assert.match(lines.join(), /page cache/);
});
