/** Plain requests and a follower of events, with headers that fetch would not let one set. */
import { request } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Asking {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export function ask(url: string, path: string, asking: Asking = {}): Promise<Answer> {
  const { method = 'GET', headers = {} } = asking;
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const asked = request({ hostname, port, path, method, headers, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.on('end', () => {
        const { statusCode: status = 0, headers } = response;
        resolve({ status, headers: headers as Record<string, string>, body });
      });
      response.on('error', reject);
    });
    asked.on('error', reject);
    asked.end();
  });
}

export interface ServerEvent {
  readonly event: string;
  readonly data: unknown;
  /** Milliseconds, of performance.now(). */
  readonly at: number;
}

/** Follows a stream of server-sent events. */
export class Follower {
  readonly events: ServerEvent[] = [];
  status = 0;
  ended = false;
  #text = '';
  #waiting: (() => void)[] = [];
  readonly #asked: ReturnType<typeof request>;

  constructor(url: string, path = '/vopr/updates') {
    const { hostname, port } = new URL(url);
    this.#asked = request({ hostname, port, path, agent: false }, (response) => {
      this.status = response.statusCode ?? 0;
      response.setEncoding('utf8').on('data', (text: string) => this.#take(text));
      response.on('close', () => this.#end());
      response.on('error', () => {});
      this.#wake();
    });
    this.#asked.on('error', () => this.#end());
    this.#asked.end();
  }

  close(): void {
    this.#asked.destroy();
  }

  /** The first event that fits, also one that has come already. */
  async next(fits: (event: ServerEvent) => boolean, milliseconds = 10_000): Promise<ServerEvent> {
    const until = performance.now() + milliseconds;
    for (;;) {
      const found = this.events.find(fits);
      if (found !== undefined) return found;
      if (performance.now() > until || this.ended) throw new Error('no such event came');
      await this.changed(until - performance.now());
    }
  }

  changed(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(1, milliseconds));
      this.#waiting.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #take(text: string): void {
    this.#text += text;
    for (;;) {
      const end = this.#text.indexOf('\n\n');
      if (end < 0) break;
      const block = this.#text.slice(0, end);
      this.#text = this.#text.slice(end + 2);
      const match = /^event: (.+)\ndata: (.+)$/.exec(block);
      if (match === null) continue;
      const data: unknown = JSON.parse(match[2] as string);
      this.events.push({ event: match[1] as string, data, at: performance.now() });
    }
    this.#wake();
  }

  #end(): void {
    this.ended = true;
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
