/**
 * The dashboard's web server: for this machine alone, read only. It listens on the loopback address
 * and answers only requests that name it as their host, so that no web page elsewhere can reach it
 * by a name of its own (DNS rebinding). What a request asks for is looked up in tables; no part of a
 * request is ever a path of a file.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { UsageError } from '../usage_error.ts';
import { type DashboardState, type FailureRow } from './dashboard_state.ts';
import { PAGE_POLICY, pageOf, panelsOf, titleOf, type Panels } from './page.ts';
import { failureItem } from './panels.ts';

const LOOPBACK = '127.0.0.1';
export const CLIENTS_MAX = 16;
const CONNECTIONS_MAX = 64;
/** At most this often something is sent to those who follow; failures go out at once. */
export const UPDATE_MILLISECONDS = 2000;
/** A comment, so that a client that went away is noticed. */
const HEARTBEAT_MILLISECONDS = 15_000;
/** A client that does not read is let go when this much waits for it. */
const UNREAD_BYTES_MAX = 4 << 20;

export interface DashboardSource {
  state(): DashboardState;
  /** Calls back when a seed has failed, after `state` has it. */
  onFailure(listener: (failure: FailureRow) => void): void;
  /** The time-travel page of a failure that has a link to one. */
  timeTravel(number: number): Promise<TimeTravelPage>;
}

export type TimeTravelPage = { readonly page: string } | { readonly problem: string };

export interface Dashboard {
  readonly url: string;
  /** Ends all connections. */
  close(): Promise<void>;
}

/** Throws UsageError when the port is taken. Port 0 takes one that is free. */
export async function serveDashboard(source: DashboardSource, port: number): Promise<Dashboard> {
  const followers = new Followers(source);
  const server = createServer((request, response) => {
    answer(request, response, source, followers, portOf(server));
  });
  server.maxConnections = CONNECTIONS_MAX;
  server.requestTimeout = 10_000;
  await listening(server, port);
  followers.start();
  const close = async (): Promise<void> => {
    followers.end();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  };
  return { url: `http://${LOOPBACK}:${portOf(server)}/`, close };
}

function listening(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(cannotListen(error, port)));
    server.listen(port, LOOPBACK, resolve);
  });
}

function cannotListen(error: NodeJS.ErrnoException, port: number): UsageError {
  const advice: Readonly<Record<string, string>> = {
    EADDRINUSE: 'something else listens there; end it, or choose another --port (0: any that is free)',
    EACCES: 'this user may not; choose a --port from 1024 on',
  };
  const reason = advice[error.code ?? ''] ?? `${error.message}; choose another --port`;
  return new UsageError(`Cannot listen on ${LOOPBACK}:${port}: ${reason}`, { cause: error });
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

// --- Answers ---

const HEADERS = {
  'cache-control': 'no-store',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
} as const;

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  source: DashboardSource,
  followers: Followers,
  port: number,
): void {
  if (!hostIsOurs(request.headers.host, port)) {
    return text(response, 421, `This server answers only as ${LOOPBACK}:${port} and localhost:${port}.\n`);
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD');
    return text(response, 405, 'Only GET: nothing can be changed here.\n');
  }
  const path = (request.url ?? '/').replace(/[?#].*$/s, '');
  if (path === '/vopr/updates') {
    if (request.method === 'HEAD') return send(response, 200, 'text/event-stream', '');
    return followers.add(request, response);
  }
  const failure = /^\/failures\/([1-9]\d{0,8})\/time-travel$/.exec(path);
  if (failure !== null) {
    void timeTravel(response, source, Number(failure[1]));
    return;
  }
  const state = source.state();
  if (path === '/') {
    response.setHeader('content-security-policy', PAGE_POLICY);
    return send(response, 200, 'text/html; charset=utf-8', pageOf(state));
  }
  if (!Object.hasOwn(JSON_ROUTES, path)) {
    return text(response, 404, `Not here. There is: / ${Object.keys(JSON_ROUTES).join(' ')} /vopr/updates\n`);
  }
  const json = (JSON_ROUTES[path] as (state: DashboardState) => unknown)(state);
  send(response, 200, 'application/json', `${JSON.stringify(json, null, 2)}\n`);
}

export const JSON_ROUTES: Readonly<Record<string, (state: DashboardState) => unknown>> = {
  '/scenarios': ({ scenarios }) => scenarios,
  '/failures': ({ failures, failureCount, distinctFailures }) => {
    return { count: failureCount, distinct: distinctFailures, failures };
  },
  '/coverage': ({ coverage, topSeeds, totals }) => ({ totals, ...coverage, topSeeds }),
  '/invariants': ({ coverage, failures }) =>
    coverage.checkers.map(({ id, claim, checks }) => {
      const failed = failures.filter(({ invariant }) => invariant === id).map(({ number }) => number);
      return { id, claim, comparisons: checks, failures: failed };
    }),
};

function hostIsOurs(host: string | undefined, port: number): boolean {
  const ours = [LOOPBACK, 'localhost'].flatMap((name) => [`${name}:${port}`, ...(port === 80 ? [name] : [])]);
  return host !== undefined && ours.includes(host.toLowerCase());
}

/** The page runs a program over a bundle: an origin of its own, and its own policy (page_html.ts). */
const TIME_TRAVEL_POLICY = "sandbox allow-scripts allow-downloads; frame-ancestors 'none'";

async function timeTravel(response: ServerResponse, source: DashboardSource, number: number): Promise<void> {
  try {
    const made = await source.timeTravel(number);
    if ('problem' in made) return text(response, 404, `${made.problem}\n`);
    response.setHeader('content-security-policy', TIME_TRAVEL_POLICY);
    send(response, 200, 'text/html; charset=utf-8', made.page);
  } catch (error) {
    text(response, 500, `The page could not be made: ${(error as Error).message}\n`);
  }
}

function text(response: ServerResponse, status: number, body: string): void {
  send(response, status, 'text/plain; charset=utf-8', body);
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { ...HEADERS, 'content-type': type });
  response.end(body);
}

// --- Events ---

/** Those who follow by server-sent events: a bounded number, each let go when it does not read. */
class Followers {
  readonly #source: DashboardSource;
  readonly #responses = new Set<ServerResponse>();
  readonly #timers: NodeJS.Timeout[] = [];
  /** What all followers have, or something newer. */
  #version = -1;
  #panels: Panels = {};

  constructor(source: DashboardSource) {
    this.#source = source;
  }

  start(): void {
    this.#timers.push(setInterval(() => this.#update(), UPDATE_MILLISECONDS));
    this.#timers.push(setInterval(() => this.#broadcast(': still here\n\n'), HEARTBEAT_MILLISECONDS));
    this.#source.onFailure((failure) => {
      if (this.#responses.size === 0) return;
      this.#broadcast(eventText('failure', { ...failure, item: failureItem(failure).text }));
    });
  }

  add(request: IncomingMessage, response: ServerResponse): void {
    if (this.#responses.size >= CLIENTS_MAX) {
      response.setHeader('retry-after', '10');
      return text(response, 503, `${CLIENTS_MAX} clients follow already; close one of them.\n`);
    }
    response.writeHead(200, { ...HEADERS, 'content-type': 'text/event-stream' });
    response.write('retry: 2000\n\n');
    const state = this.#source.state();
    response.write(updateText(state, panelsOf(state)));
    this.#responses.add(response);
    request.on('close', () => this.#responses.delete(response));
  }

  end(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#broadcast(eventText('bye', {}));
    for (const response of this.#responses) response.end();
    this.#responses.clear();
  }

  #update(): void {
    if (this.#responses.size === 0) return;
    const state = this.#source.state();
    if (state.version === this.#version) return;
    this.#version = state.version;
    const panels = panelsOf(state);
    const changed = Object.entries(panels).filter(([id, inside]) => inside !== this.#panels[id]);
    this.#panels = panels;
    this.#broadcast(updateText(state, Object.fromEntries(changed)));
  }

  #broadcast(message: string): void {
    for (const response of this.#responses) {
      if (response.writableLength > UNREAD_BYTES_MAX) {
        this.#responses.delete(response);
        response.destroy();
      } else {
        response.write(message);
      }
    }
  }
}

/** The numbers for programs, the panels for the page. */
function updateText(state: DashboardState, panels: Panels): string {
  const { status, totals, coverage, failureCount } = state;
  const { dimensions } = coverage;
  return eventText('coverage-update', {
    title: titleOf(state), status, totals, dimensions, failures: failureCount, panels,
  });
}

/** JSON has no line break of its own: one `data:` line. */
function eventText(event: string, data: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
