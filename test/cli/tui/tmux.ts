/** A terminal of a test's own: a tmux server with one window, its keys and what is to be seen in it. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Why there can be no terminal here, or null. */
export function tmuxMissing(): string | null {
  const { error, status } = spawnSync('tmux', ['-V']);
  return error === undefined && status === 0 ? null : 'tmux is not installed (Debian: apt install tmux)';
}

export class Terminal {
  readonly #socket: string;

  /** A shell without start-up files in `directory`. */
  constructor(directory: string, columns: number, rows: number) {
    this.#socket = `vopr-test-${process.pid}-${Terminal.#count++}`;
    this.#tmux(
      'new-session', '-d', '-x', String(columns), '-y', String(rows), '-c', directory, 'env -u ENV sh',
    );
    this.#tmux('set-option', '-g', 'escape-time', '0');
  }

  static #count = 0;

  /** Keys as tmux calls them: `Enter`, `Tab`, `PageUp`, `C-c`; other text as it is. */
  press(...keys: string[]): void {
    this.#tmux('send-keys', ...keys);
  }

  run(command: string): void {
    this.#tmux('send-keys', '-l', command);
    this.press('Enter');
  }

  resize(columns: number, rows: number): void {
    this.#tmux('resize-window', '-x', String(columns), '-y', String(rows));
  }

  /** What is on the screen, a line a row. */
  screen(): string {
    return this.#tmux('capture-pane', '-p');
  }

  /** Waits until it is to be seen; throws with the screen when it is not. */
  async sees(what: RegExp, seconds = 30): Promise<string> {
    const until = performance.now() + seconds * 1000;
    for (;;) {
      const screen = this.screen();
      if (what.test(screen)) return screen;
      if (performance.now() > until) throw new Error(`not to be seen: ${what}; but\n${screen}`);
      await sleep(50);
    }
  }

  /** `#{alternate_on}`, `#{cursor_flag}` and so on: what tmux knows of the terminal. */
  state(format: string): string {
    return this.#tmux('display-message', '-p', format).trim();
  }

  /** Process id of what the shell runs. */
  child(): number {
    const shell = this.state('#{pane_pid}');
    return Number(readFileSync(`/proc/${shell}/task/${shell}/children`, 'utf8').trim().split(' ')[0]);
  }

  close(): void {
    spawnSync('tmux', ['-L', this.#socket, 'kill-server']);
  }

  #tmux(...args: string[]): string {
    return execFileSync('tmux', ['-L', this.#socket, '-f', '/dev/null', ...args], { encoding: 'utf8' });
  }
}
