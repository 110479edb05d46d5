/**
 * Which connection leads to which client: learnt from what clients send, used for what is sent to
 * them. One connection may carry many sessions; a session that moves to another connection takes
 * its route along. Keyed by the 128-bit client id without building a key.
 */
import { AT } from '../core/message/header.ts';
import { type Region } from '../core/message/region.ts';
import { type FramedConnection } from './framing.ts';

/** Sessions remembered a connection; beyond it the one learnt first is forgotten. */
const ROUTES_A_CONNECTION = 4096;
const CLIENT = AT.client >> 2;

interface Route {
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;
  connection: FramedConnection;
  /** Another client whose id begins with the same word. */
  next: Route | null;
}

export class ClientRoutes {
  private readonly byFirstWord = new Map<number, Route>();
  private readonly ofConnection = new Map<FramedConnection, Route[]>();

  get count(): number {
    let count = 0;
    for (const routes of this.ofConnection.values()) count += routes.length;
    return count;
  }

  /** `message` came from its client over `connection`. */
  learn(message: Region, connection: FramedConnection): void {
    const words = message.words;
    const known = this.find(words);
    if (known !== null) {
      if (known.connection !== connection) this.move(known, connection);
      return;
    }
    const w0 = words[CLIENT] as number;
    const route: Route = {
      w0,
      w1: words[CLIENT + 1] as number,
      w2: words[CLIENT + 2] as number,
      w3: words[CLIENT + 3] as number,
      connection,
      next: this.byFirstWord.get(w0) ?? null,
    };
    this.byFirstWord.set(w0, route);
    this.listOf(connection).push(route);
  }

  /** The connection to the client named in `message`, or null. */
  lookup(message: Region): FramedConnection | null {
    return this.find(message.words)?.connection ?? null;
  }

  forget(connection: FramedConnection): void {
    const routes = this.ofConnection.get(connection);
    if (routes === undefined) return;
    this.ofConnection.delete(connection);
    for (const route of routes) this.remove(route);
  }

  private find(words: Uint32Array): Route | null {
    let route = this.byFirstWord.get(words[CLIENT] as number) ?? null;
    while (route !== null) {
      if (
        route.w1 === words[CLIENT + 1] &&
        route.w2 === words[CLIENT + 2] &&
        route.w3 === words[CLIENT + 3]
      ) {
        return route;
      }
      route = route.next;
    }
    return null;
  }

  private move(route: Route, connection: FramedConnection): void {
    const before = this.ofConnection.get(route.connection);
    if (before !== undefined) before.splice(before.indexOf(route), 1);
    route.connection = connection;
    this.listOf(connection).push(route);
  }

  private listOf(connection: FramedConnection): Route[] {
    let routes = this.ofConnection.get(connection);
    if (routes === undefined) {
      routes = [];
      this.ofConnection.set(connection, routes);
    }
    if (routes.length === ROUTES_A_CONNECTION) this.remove(routes.shift() as Route);
    return routes;
  }

  private remove(route: Route): void {
    const first = this.byFirstWord.get(route.w0);
    if (first === route) {
      if (route.next === null) this.byFirstWord.delete(route.w0);
      else this.byFirstWord.set(route.w0, route.next);
      return;
    }
    let at = first;
    while (at !== undefined && at.next !== route) at = at.next ?? undefined;
    if (at !== undefined) at.next = route.next;
  }
}
