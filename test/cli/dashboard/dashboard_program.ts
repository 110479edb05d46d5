/** `vopr dashboard` in a process of its own, on a port that is free. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { programPath } from '../run_program.ts';

export class DashboardProgram {
  stdout = '';
  stderr = '';
  /** When the process is over: its status, null when a signal ended it. */
  readonly ended: Promise<number | null>;
  readonly #child: ChildProcessWithoutNullStreams;

  constructor(directory: string, ...args: string[]) {
    const words = [programPath('vopr'), 'dashboard', ...args];
    this.#child = spawn(process.execPath, words, { cwd: directory });
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.ended = once(this.#child, 'close').then(([status]) => status as number | null);
  }

  /** The first address that it tells of. */
  async url(): Promise<string> {
    return (await this.tells(/http:\/\/127\.0\.0\.1:\d+\//))[0];
  }

  /** Waits until it has said so on standard output. */
  async tells(words: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = words.exec(this.stdout);
      if (match !== null) return match;
      const ended = this.ended.then((status) => {
        throw new Error(`ended with ${status} without ${words}: ${this.stdout}${this.stderr}`);
      });
      await Promise.race([once(this.#child.stdout, 'data'), ended]);
    }
  }

  /** Ctrl-C. Returns the exit status. */
  interrupt(): Promise<number | null> {
    this.#child.kill('SIGINT');
    return this.ended;
  }
}
