/**
 * One line on stderr that says how far something has come: on a terminal redrawn in place, anywhere
 * else a plain line now and then. Nothing for what is over at once.
 */
import { type ProgressStream } from './progress.ts';

const REDRAW_SECONDS = 0.1;
const PLAIN_LINE_SECONDS = 10;

export class ProgressLine {
  readonly #stream: ProgressStream;
  readonly #now: () => number;
  #drawnAt: number;
  #shown = false;

  /** `now` in seconds, of any epoch. */
  constructor(stream: ProgressStream, now: () => number) {
    this.#stream = stream;
    this.#now = now;
    this.#drawnAt = now();
  }

  /** `text` is asked for when a line is due. */
  update(text: () => string): void {
    const now = this.#now();
    const onTerminal = this.#stream.isTTY === true;
    if (now - this.#drawnAt < (onTerminal ? REDRAW_SECONDS : PLAIN_LINE_SECONDS)) return;
    this.#drawnAt = now;
    if (!onTerminal) {
      this.#stream.write(`${text()}\n`);
      return;
    }
    // One cell short of the edge: a full line would wrap and could not be redrawn.
    this.#stream.write(`\r\u001b[K${text().slice(0, (this.#stream.columns ?? 80) - 1)}`);
    this.#shown = true;
  }

  /** Takes the line away. */
  clear(): void {
    if (this.#shown) this.#stream.write('\r\u001b[K');
    this.#shown = false;
  }
}
