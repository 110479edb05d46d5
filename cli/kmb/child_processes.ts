/**
 * The replica processes of `kmb dev`: started, watched, told apart by a prefix, and ended. Only
 * what was started here is ever signalled, by its own process id.
 *
 * Each child holds an IPC channel to us and stops when it closes, so that none outlives a parent
 * that was killed.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

/** A replica that ended by itself is started again after this, unless it never got anywhere. */
const RESTART_MILLIS = 500;
/** A child that ends sooner than this after its start, twice in a row, is not started again. */
const SETTLED_MILLIS = 3_000;
const STOP_MILLIS = 10_000;

export interface ChildSpec {
  readonly label: string;
  /** Arguments after the interpreter. */
  readonly args: readonly string[];
}

export interface ChildEvents {
  /** A line of a child's output, or of ours about it. */
  readonly line: (label: string, text: string) => void;
  /** A child could not be kept running. */
  readonly gaveUp: (label: string, reason: string) => void;
}

interface Child {
  readonly spec: ChildSpec;
  process: ChildProcess | null;
  startedAt: number;
  failures: number;
  restart: NodeJS.Timeout | null;
}

export class ChildProcesses {
  readonly #children: Child[];
  readonly #events: ChildEvents;
  #stopping = false;

  constructor(specs: readonly ChildSpec[], events: ChildEvents) {
    this.#events = events;
    this.#children = specs.map((spec) => ({
      spec,
      process: null,
      startedAt: 0,
      failures: 0,
      restart: null,
    }));
  }

  start(): void {
    for (const child of this.#children) this.#spawn(child);
  }

  /** Process ids of those that run, by label. */
  pids(): ReadonlyMap<string, number> {
    const pids = new Map<string, number>();
    for (const { spec, process: running } of this.#children) {
      if (running?.pid !== undefined) pids.set(spec.label, running.pid);
    }
    return pids;
  }

  /** Asks all to stop; those that have not after ten seconds are killed. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#children.map((child) => this.#end(child)));
  }

  #spawn(child: Child): void {
    const { label, args } = child.spec;
    const running = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    child.process = running;
    child.restart = null;
    child.startedAt = performance.now();
    let lastLine = '';
    for (const stream of [running.stdout, running.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on('line', (text) => {
        lastLine = text;
        this.#events.line(label, text);
      });
    }
    running.on('error', (error) => this.#events.gaveUp(label, error.message));
    running.on('close', (code, signal) => {
      child.process = null;
      if (!this.#stopping) this.#ended(child, code, signal, lastLine);
    });
  }

  #ended(child: Child, code: number | null, signal: string | null, lastLine: string): void {
    const { label } = child.spec;
    const how = signal === null ? `ended with status ${code}` : `was ended by ${signal}`;
    const settled = performance.now() - child.startedAt >= SETTLED_MILLIS;
    child.failures = settled ? 0 : child.failures + 1;
    // Status 2: it said itself that this cannot work as it was asked.
    if (code === 2 || child.failures >= 2) {
      this.#events.gaveUp(label, code === 2 && lastLine !== '' ? lastLine : how);
      return;
    }
    this.#events.line(label, `${how}; starting it again`);
    child.restart = setTimeout(() => this.#spawn(child), RESTART_MILLIS);
  }

  #end(child: Child): Promise<void> {
    if (child.restart !== null) clearTimeout(child.restart);
    const running = child.process;
    if (running === null) return Promise.resolve();
    return new Promise((resolve) => {
      const impatience = setTimeout(() => {
        this.#events.line(child.spec.label, `did not stop in ${STOP_MILLIS / 1000} s: killed`);
        running.kill('SIGKILL');
      }, STOP_MILLIS);
      running.once('close', () => {
        clearTimeout(impatience);
        resolve();
      });
      running.kill('SIGTERM');
    });
  }
}
