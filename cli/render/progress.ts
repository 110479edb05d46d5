/**
 * Progress on stderr: on a terminal a bar that is redrawn in place, with rate and time left;
 * anywhere else a plain line now and then. Nothing at all for a campaign that is over at once.
 */
import { duration, grouped, short } from '../numbers.ts';

const BAR_WIDTH_MIN = 8;
const BAR_WIDTH_MAX = 24;
const REDRAW_SECONDS = 0.1;
const PLAIN_LINE_SECONDS = 10;

export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export class Progress {
  readonly #stream: ProgressStream;
  readonly #now: () => number;
  #label = '';
  #total = 0;
  #startedAt = 0;
  #drawnAt = 0;
  #shown = false;

  /** `now` in seconds, of any epoch. */
  constructor(stream: ProgressStream, now: () => number) {
    this.#stream = stream;
    this.#now = now;
  }

  start(label: string, total: number): void {
    this.#label = label;
    this.#total = total;
    this.#startedAt = this.#now();
    this.#drawnAt = this.#startedAt;
  }

  update(done: number, events: number): void {
    const now = this.#now();
    const onTerminal = this.#stream.isTTY === true;
    if (now - this.#drawnAt < (onTerminal ? REDRAW_SECONDS : PLAIN_LINE_SECONDS)) return;
    this.#drawnAt = now;
    const elapsed = Math.max(now - this.#startedAt, 1e-3);
    const rate = done / elapsed;
    const left = done === 0 ? '' : `, ${duration((this.#total - done) / rate)} left`;
    const facts =
      `${grouped(done)}/${grouped(this.#total)} seeds, ` +
      `${short(rate)}/s, ${short(events / elapsed)} events/s${left}`;
    if (!onTerminal) {
      this.#stream.write(`${this.#label}: ${facts}\n`);
      return;
    }
    // One cell short of the edge: a full line would wrap and could not be redrawn.
    const cells = (this.#stream.columns ?? 80) - 1;
    const room = cells - this.#label.length - facts.length - 2;
    const width = Math.min(BAR_WIDTH_MAX, Math.max(BAR_WIDTH_MIN, room));
    const filled = Math.round((done / this.#total) * width);
    const bar = '█'.repeat(filled) + '░'.repeat(width - filled);
    this.#stream.write(`\r\u001b[K${`${this.#label} ${bar} ${facts}`.slice(0, cells)}`);
    this.#shown = true;
  }

  /** Takes the bar away, so that a line can be printed where it stood. */
  clear(): void {
    if (this.#shown) this.#stream.write('\r\u001b[K');
    this.#shown = false;
  }
}
