import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { DataFileError } from '../../adapters/errors.ts';
import { lockDataFile } from '../../adapters/file_lock.ts';

const directory = mkdtempSync(join(tmpdir(), 'kmb-lock-'));
after(() => rmSync(directory, { recursive: true, force: true }));
let files = 0;

function dataFile(): string {
  const path = join(directory, `${files++}.kmb`);
  writeFileSync(path, 'data');
  return path;
}

/** Another process that takes the lock and keeps it. */
async function holder(path: string): Promise<ChildProcess> {
  const module = JSON.stringify(new URL('../../adapters/file_lock.ts', import.meta.url).href);
  const code = `
    const { lockDataFile } = await import(${module});
    await lockDataFile(${JSON.stringify(path)});
    console.log('locked');
    setInterval(() => {}, 1000);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return child;
}

const lockedBy = (pid: number) => (error: unknown): boolean => {
  assert.ok(error instanceof DataFileError);
  assert.equal(error.code, 'data-file-locked');
  assert.equal(error.exitStatus, 2);
  assert.match(error.message, new RegExp(`in use by process ${pid}; .*kill ${pid}`));
  return true;
};

test('one lock a file: refused while held, also by another name, free after release', async () => {
  const path = dataFile();
  const lock = await lockDataFile(path);
  await assert.rejects(lockDataFile(path), lockedBy(process.pid));
  const alias = join(directory, 'alias.kmb');
  symlinkSync(path, alias);
  await assert.rejects(lockDataFile(alias), lockedBy(process.pid));
  const other = await lockDataFile(dataFile()); // Another file is another lock.
  other.release();
  lock.release();
  lock.release();
  assert.equal(existsSync(`${path}.lock`), false);
  const again = await lockDataFile(path);
  again.release();
});

test('another process is named, and its death frees the file however it comes', async () => {
  const path = dataFile();
  const child = await holder(path);
  assert.ok(child.pid !== undefined);
  await assert.rejects(lockDataFile(path), lockedBy(child.pid));
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.equal(existsSync(`${path}.lock`), true); // Left behind, and stale.
  const lock = await lockDataFile(path);
  const { pid } = JSON.parse(readFileSync(`${path}.lock`, 'utf8')) as { pid: number };
  assert.equal(pid, process.pid);
  lock.release();
});

test('a lock file is judged by process, start time and boot', async () => {
  const path = dataFile();
  const lock = await lockDataFile(path);
  const self = JSON.parse(readFileSync(`${path}.lock`, 'utf8')) as Record<string, unknown>;
  lock.release();
  const init = { pid: 1, started: 0, boot: self['boot'] };
  const rows: [string, string, boolean][] = [
    ['a dead process', JSON.stringify({ ...self, pid: 2 ** 22 - 1 }), true],
    ['a living process', JSON.stringify(init), false],
    ['its number, another start', JSON.stringify({ ...self, pid: process.ppid, started: 1 }), true],
    ['another boot', JSON.stringify({ ...init, boot: 'another' }), true],
    ['torn by a crash', '{"pid": 12', true],
    ['empty', '', true],
    ['something else', '[1, 2]', true],
  ];
  for (const [what, content, taken] of rows) {
    writeFileSync(`${path}.lock`, content);
    const attempt = lockDataFile(path);
    if (taken) (await attempt).release();
    else await assert.rejects(attempt, lockedBy(1), what);
  }
});

test('of many takers of a stale lock one wins', async () => {
  const path = dataFile();
  writeFileSync(`${path}.lock`, '');
  const results = await Promise.allSettled(Array.from({ length: 8 }, () => lockDataFile(path)));
  const locks = results.filter((result) => result.status === 'fulfilled');
  assert.equal(locks.length, 1);
  for (const lock of locks) lock.value.release();
});

test('a missing data file is told as such', async () => {
  await assert.rejects(lockDataFile(join(directory, 'missing.kmb')), (error) => {
    assert.ok(error instanceof DataFileError);
    assert.equal(error.code, 'data-file-missing');
    return true;
  });
});
