/**
 * The rolling digest of a run: 128 bits over every event's time, kind, node and identity. Two runs
 * are the same run exactly when their digests agree after each event; the first event after which
 * they do not is where they part.
 *
 * Not secure, and need not be: it tells accidents apart, not forgeries.
 */
import { EVENT, EVENT_NAMES } from './events.ts';
import { type Words } from './words.ts';

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0');
}

export class Trace {
  private h0 = 0x243f6a88;
  private h1 = 0x85a308d3 | 0;
  private h2 = 0x13198a2e;
  private h3 = 0x03707344;
  // The last event, for `describe`.
  private time = 0;
  private kind = 0;
  private node = 0;
  private a = 0;
  private b = 0;
  private c = 0;
  private d = 0;

  /** `c` and `d`: identity words of what the event carried (checksum of a message, sector, result). */
  add(time: number, kind: number, node: number, a: number, b: number, c: number, d: number): void {
    this.time = time;
    this.kind = kind;
    this.node = node;
    this.a = a;
    this.b = b;
    this.c = c;
    this.d = d;
    const high = (time / 4_294_967_296) | 0;
    let x = Math.imul((time | 0) ^ this.h0, 0x9e3779b1);
    x ^= x >>> 15;
    let y = Math.imul((kind | (node << 8) | (high << 16)) ^ this.h1, 0x85ebca77);
    y ^= y >>> 13;
    let z = Math.imul(a ^ this.h2 ^ (c << 7) ^ (c >>> 25), 0xc2b2ae3d);
    z ^= z >>> 16;
    let w = Math.imul(b ^ this.h3 ^ (d << 11) ^ (d >>> 21), 0x27d4eb2f);
    w ^= w >>> 14;
    this.h0 = (x + w) | 0;
    this.h1 = (y + this.h0) | 0;
    this.h2 = (z + Math.imul(this.h1, 5)) | 0;
    this.h3 = (w + Math.imul(this.h2, 9)) | 0;
  }

  /** Low 32 bits of the digest, unsigned: changes with every event. */
  get word(): number {
    return this.h3 >>> 0;
  }

  /** 32 hexadecimal digits. */
  digest(): string {
    return hex(this.h0) + hex(this.h1) + hex(this.h2) + hex(this.h3);
  }

  /** The last event in words: virtual time, kind, who. */
  describe(replicaCount: number, words: Words): string {
    const who = (node: number): string =>
      node < replicaCount ? `R${node}` : `C${node - replicaCount}`;
    const seconds = (this.time / 1_000_000).toFixed(6);
    const name = EVENT_NAMES[this.kind] as string;
    const head = `${seconds}s ${name}`;
    switch (this.kind) {
      case EVENT.deliver: {
        const command = words.commands[this.b & 0xff] || `command ${this.b & 0xff}`;
        const flags = this.b >>> 8;
        const remark = (flags & 1 ? ' (duplicate)' : '') + (flags & 2 ? ' (corrupted)' : '');
        return `${head} ${who(this.a)} -> ${who(this.node)} ${command} ${hex(this.c)}${remark}`;
      }
      case EVENT.timer:
        return `${head} ${who(this.node)} timer ${this.a}`;
      case EVENT.storage:
        return (
          `${head} ${who(this.node)} ${['read', 'write', 'sync'][this.a] as string} ` +
          `sector ${this.c} result ${this.b} ${hex(this.d)}`
        );
      case EVENT.fault:
      case EVENT.faultEnd:
        return `${head} ${this.a}`;
      case EVENT.heal:
      case EVENT.settle:
        return head;
      default:
        return `${head} ${who(this.node)} ${this.a}`;
    }
  }
}
