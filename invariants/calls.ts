/**
 * What each client is waiting for: one call in flight a client, with a copy of its body and the
 * true time at which it began. Kept once, so that no checker copies request bodies for itself.
 */
import { regionOf, type Region } from '../core/message/region.ts';

const BODY_INITIAL = 1024;

export class OpenCalls {
  /** 1 while the client has a call in flight. */
  readonly open: Uint8Array;
  readonly operation: Uint8Array;
  /** True virtual time in microseconds. */
  readonly calledAt: Float64Array;
  readonly bodies: Region[] = [];
  readonly bodyLength: Uint32Array;
  openCount = 0;

  constructor(clientCount: number) {
    this.open = new Uint8Array(clientCount);
    this.operation = new Uint8Array(clientCount);
    this.calledAt = new Float64Array(clientCount);
    this.bodyLength = new Uint32Array(clientCount);
    for (let i = 0; i < clientCount; i++) {
      this.bodies.push(regionOf(new Uint8Array(BODY_INITIAL)));
    };
  }

  called(client: number, operation: number, body: Uint8Array, now: number): void {
    if (this.open[client] === 0) this.openCount++;
    this.open[client] = 1;
    this.operation[client] = operation;
    this.calledAt[client] = now;
    let copy = this.bodies[client] as Region;
    if (copy.bytes.length < body.length) {
      copy = regionOf(new Uint8Array(body.length * 4)); // A multiple of 4, whatever the length.
      this.bodies[client] = copy;
    }
    copy.bytes.set(body);
    this.bodyLength[client] = body.length;
  }

  /** The call is over: answered or given up. */
  closed(client: number): void {
    if (this.open[client] === 1) this.openCount--;
    this.open[client] = 0;
  }
}
