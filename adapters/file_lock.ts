/**
 * One process a data file. Two guards together:
 *
 * On Linux an abstract socket named after the file's device and inode: the kernel gives the name to
 * one process of the machine and takes it back when that process ends, however it ends, so a stale
 * lock cannot exist and two takers cannot race. It holds across symbolic links and other names.
 *
 * Everywhere a file `<path>.lock`, made with O_EXCL, which names the holder: its process id, start
 * time and machine boot. One whose holder is gone (or whose id now belongs to another process) is
 * taken over. It guards where the socket cannot: another network namespace, another system.
 */
import { closeSync, openSync, readFileSync, realpathSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { createServer, type Server } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { DataFileError, dataFileError, errnoOf } from './errors.ts';

interface Holder {
  readonly pid: number;
  /** Clock ticks since boot at which the process began; 0 where the system does not tell. */
  readonly started: number;
  /** Id of the machine's boot, or its name. */
  readonly boot: string;
}

export interface FileLock {
  /** Idempotent. */
  release(): void;
}

/** Throws DataFileError `data-file-locked`, which names the holder. */
export async function lockDataFile(path: string): Promise<FileLock> {
  const lockPath = `${realPath(path)}.lock`;
  const socket = process.platform === 'linux' ? await claimName(path, lockPath) : null;
  try {
    claimFile(path, lockPath);
  } catch (error) {
    socket?.close();
    throw error;
  }
  let held = true;
  const release = (): void => {
    if (!held) return;
    held = false;
    process.removeListener('exit', release);
    unlinkIfThere(lockPath);
    socket?.close();
  };
  process.once('exit', release);
  return { release };
}

/** All names of the file lead to one lock file. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    throw dataFileError('open', path, error);
  }
}

async function claimName(path: string, lockPath: string): Promise<Server> {
  let name: string;
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    name = `\0kimberlite/${dev}/${ino}`;
  } catch (error) {
    throw dataFileError('open', path, error);
  }
  const server = createServer((socket) => socket.destroy());
  try {
    await new Promise<void>((claimed, failed) => {
      server.once('error', failed);
      server.listen({ path: name }, claimed);
    });
  } catch (error) {
    if (errnoOf(error) !== 'EADDRINUSE') throw dataFileError('lock', path, error);
    throw locked(path, await awaitHolder(lockPath));
  }
  server.unref();
  return server;
}

/** The name is taken a moment before its holder is written down. */
async function awaitHolder(lockPath: string): Promise<Holder | null> {
  for (let attempt = 0; attempt < 10; attempt++) {
    const holder = readHolder(lockPath);
    if (holder !== null) return holder;
    await setTimeout(20);
  }
  return null;
}

function claimFile(path: string, lockPath: string): void {
  const self: Holder = { pid: process.pid, started: startTime(process.pid), boot: bootId() };
  for (let attempt = 0; ; attempt++) {
    try {
      const fd = openSync(lockPath, 'wx', 0o644);
      writeSync(fd, `${JSON.stringify(self)}\n`);
      closeSync(fd);
      return;
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') throw dataFileError('lock', path, error);
    }
    const holder = readHolder(lockPath);
    // Three attempts: a lock file that comes back each time has a living owner, whoever that is.
    if (attempt === 3 || (holder !== null && alive(holder))) throw locked(path, holder);
    unlinkIfThere(lockPath);
  }
}

function locked(path: string, holder: Holder | null): DataFileError {
  const who = holder === null ? 'another process' : `process ${holder.pid}`;
  const advice = holder === null ? 'stop the other server first' : `stop it first (kill ${holder.pid})`;
  return new DataFileError('data-file-locked', path, `Cannot open "${path}": it is in use by ${who}`, advice);
}

/** Null when there is none, or it was torn by a crash while being written. */
function readHolder(lockPath: string): Holder | null {
  try {
    const value: unknown = JSON.parse(readFileSync(lockPath, 'utf8'));
    if (typeof value !== 'object' || value === null) return null;
    const { pid, started, boot } = value as Partial<Holder>;
    if (typeof pid !== 'number' || typeof started !== 'number' || typeof boot !== 'string') return null;
    return Number.isInteger(pid) && pid > 0 ? { pid, started, boot } : null;
  } catch {
    return null;
  }
}

function alive(holder: Holder): boolean {
  if (holder.boot !== bootId()) return false;
  if (holder.pid === process.pid) return holder.started === startTime(process.pid);
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if (errnoOf(error) === 'ESRCH') return false; // EPERM: alive, and not ours.
  }
  // Ids are used again: the same process also began at the same moment.
  const started = startTime(holder.pid);
  return started === 0 || holder.started === 0 || started === holder.started;
}

/** Field 22 of /proc/<pid>/stat, after the command, which may contain anything. */
function startTime(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  } catch {
    return 0;
  }
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return hostname();
  }
}

function unlinkIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}
