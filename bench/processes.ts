/**
 * Programs that a benchmark starts: each is known by its process id and is stopped by it, also when
 * the benchmark fails or is interrupted. Nothing else is ever signalled.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { delimiter, join } from 'node:path';

const STOP_MILLIS = 10_000;
const LINES_KEPT = 20;

export interface ProgramOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Numbers, of a system user to run as. */
  readonly uid?: number;
  readonly gid?: number;
  readonly input?: string;
  /** The output is returned whatever the exit status. */
  readonly failureIsFine?: boolean;
}

/** Those that run now. */
const running = new Set<Program>();

/** A program in the background. Its last lines are kept, to be shown when it fails. */
export class Program {
  readonly name: string;
  private readonly process: ChildProcess;
  private readonly lines: string[] = [];
  private readonly ended: Promise<string>;
  private waiting: { pattern: RegExp; found: (line: string) => void }[] = [];

  constructor(name: string, command: string, args: readonly string[], options: ProgramOptions = {}) {
    this.name = name;
    const { cwd, uid, gid } = options;
    this.process = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...options.env },
      ...(cwd === undefined ? {} : { cwd }),
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
    });
    running.add(this);
    for (const stream of [this.process.stdout, this.process.stderr]) {
      let rest = '';
      stream?.setEncoding('utf8').on('data', (text: string) => {
        const parts = (rest + text).split('\n');
        rest = parts.pop() as string;
        for (const line of parts) this.heard(line);
      });
    }
    this.ended = new Promise((resolve) => {
      this.process.once('error', (error) => resolve(error.message));
      this.process.once('exit', (code, signal) => resolve(signal ?? `status ${code}`));
    });
    void this.ended.then(() => running.delete(this));
  }

  get pid(): number {
    return this.process.pid ?? -1;
  }

  /** The first line from now on that matches. Rejects when the program ends before. */
  async line(pattern: RegExp, timeoutMillis = 60_000): Promise<string> {
    let timer: NodeJS.Timeout | undefined;
    const found = new Promise<string>((resolve, reject) => {
      this.waiting.push({ pattern, found: resolve });
      timer = setTimeout(() => reject(this.failure('says nothing')), timeoutMillis);
      void this.ended.then((how) => reject(this.failure(`ended with ${how}`)));
    });
    try {
      return await found;
    } finally {
      clearTimeout(timer);
    }
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (!running.has(this)) return;
    const impatience = setTimeout(() => this.process.kill('SIGKILL'), STOP_MILLIS);
    this.process.kill(signal);
    await this.ended;
    clearTimeout(impatience);
  }

  /** At once, without waiting: for the end of this process. */
  kill(): void {
    this.process.kill('SIGKILL');
  }

  private heard(line: string): void {
    this.lines.push(line);
    if (this.lines.length > LINES_KEPT) this.lines.shift();
    const waiting = this.waiting;
    this.waiting = waiting.filter(({ pattern, found }) => {
      if (!pattern.test(line)) return true;
      found(line);
      return false;
    });
  }

  private failure(what: string): Error {
    return new Error(`${this.name} ${what}:\n${this.lines.join('\n')}`);
  }
}

/** However this process ends, what it started ends with it. */
export function stopProgramsAtExit(): void {
  process.once('exit', () => {
    for (const program of running) program.kill();
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => process.exit(signal === 'SIGINT' ? 130 : 143));
  }
}

/** Runs a program to its end and returns its output. Throws when it fails. */
export async function output(
  command: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<string> {
  const { cwd, uid, gid } = options;
  const child = spawn(command, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...options.env },
    ...(cwd === undefined ? {} : { cwd }),
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
  });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  child.stdin.end(options.input ?? '');
  let text = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
  child.stderr.setEncoding('utf8').on('data', (part: string) => (errors += part));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  process.removeListener('exit', kill);
  if (code !== 0 && options.failureIsFine !== true) {
    throw new Error(`${command} ended with status ${code}:\n${errors}${text}`);
  }
  return code === 0 ? text : text + errors;
}

/** Path of a program on PATH or in one of the directories, or null. */
export function findProgram(name: string, directories: readonly string[] = []): string | null {
  for (const directory of [...directories, ...(process.env['PATH'] ?? '').split(delimiter)]) {
    const path = join(directory, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not here.
    }
  }
  return null;
}

/** Numbers of a system user, or null when there is none. */
export function userIds(name: string): { uid: number; gid: number } | null {
  const ids = ['-u', '-g'].map((option) => spawnSync('id', [option, name], { encoding: 'utf8' }));
  if (ids.some(({ status }) => status !== 0)) return null;
  const [uid, gid] = ids.map(({ stdout }) => Number(stdout.trim()));
  return { uid: uid as number, gid: gid as number };
}

/** Ports on loopback that nothing listens on at this moment. */
export async function freePorts(count: number): Promise<number[]> {
  // All are held open together, so that the system gives each once.
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((closed) => server.close(closed))));
  return ports;
}
