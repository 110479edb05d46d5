/**
 * The entries of one run, kept in columns: about 50 bytes and a text each, so that a run of half a
 * million entries fits a browser tab and is drawn without touching an object an entry.
 *
 * Pairs what belongs together: a message's send and its fate (by link and packet number).
 */
import { ENTRY_KINDS, type Entry, type EntryKind } from '../../sim/recorder.ts';

const FIRST_CAPACITY = 1024;
export const NONE = -1;

export const KIND = Object.freeze(
  Object.fromEntries(ENTRY_KINDS.map((kind, i) => [kind, i])),
) as Readonly<Record<EntryKind, number>>;

/** Words that are used again and again, by number. */
class Words {
  readonly list: string[] = [];
  private readonly numbers = new Map<string, number>();

  numberOf(word: string): number {
    let number = this.numbers.get(word);
    if (number === undefined) {
      number = this.list.push(word) - 1;
      this.numbers.set(word, number);
    }
    return number;
  }
}

export class Timeline {
  count = 0;
  /** Columns, by index of the entry. Valid for indices below `count`; replaced when they grow. */
  events = new Float64Array(FIRST_CAPACITY);
  micros = new Float64Array(FIRST_CAPACITY);
  kinds = new Uint8Array(FIRST_CAPACITY);
  nodes = new Int16Array(FIRST_CAPACITY);
  peers = new Int16Array(FIRST_CAPACITY);
  views = new Float64Array(FIRST_CAPACITY);
  ops = new Float64Array(FIRST_CAPACITY);
  /** Index of the other end: of a send its first fate, of a fate its send; -1: none known. */
  partners = new Int32Array(FIRST_CAPACITY);
  private packets = new Float64Array(FIRST_CAPACITY);
  private whats = new Uint16Array(FIRST_CAPACITY);
  private causes = new Uint16Array(FIRST_CAPACITY);
  private readonly texts: string[] = [];
  private readonly words = new Words();
  /** Sends whose fate is open: packet number and link, to the entry. */
  private readonly underway = new Map<string, number>();

  append(entry: Entry): void {
    const index = this.count;
    if (index === this.events.length) this.grow();
    this.count++;
    this.events[index] = entry.event;
    this.micros[index] = entry.virtualMicros;
    this.kinds[index] = KIND[entry.kind];
    this.nodes[index] = entry.node;
    this.peers[index] = entry.peer;
    this.views[index] = entry.view;
    this.ops[index] = entry.op;
    this.packets[index] = entry.packet;
    this.whats[index] = this.words.numberOf(entry.what);
    this.causes[index] = this.words.numberOf(entry.cause);
    this.partners[index] = NONE;
    this.texts.push(entry.text);
    if (entry.kind === 'message' && entry.what !== 'ignore') this.pair(entry, index);
  }

  /** A held packet stays under way: its fate is the delivery that comes later. */
  private pair(entry: Entry, index: number): void {
    if (entry.packet === NONE) {
      // Lost at once: send and drop stand one behind the other.
      if (entry.what !== 'drop' || index === 0 || this.what(index - 1) !== 'send') return;
      this.partners[index] = index - 1;
      this.partners[index - 1] = index;
      return;
    }
    if (entry.what === 'send' || entry.what === 'duplicate') {
      this.underway.set(`${entry.node} ${entry.peer} ${entry.packet}`, index);
      return;
    }
    const key = `${entry.peer} ${entry.node} ${entry.packet}`;
    const send = this.underway.get(key);
    if (send === undefined) return;
    this.partners[index] = send;
    if (entry.what === 'hold') return;
    this.partners[send] = index;
    this.underway.delete(key);
  }

  what(index: number): string {
    return this.words.list[this.whats[index] as number] as string;
  }

  cause(index: number): string {
    return this.words.list[this.causes[index] as number] as string;
  }

  text(index: number): string {
    return this.texts[index] as string;
  }

  kind(index: number): EntryKind {
    return ENTRY_KINDS[this.kinds[index] as number] as EntryKind;
  }

  entry(index: number): Entry {
    return {
      event: this.events[index] as number,
      virtualMicros: this.micros[index] as number,
      kind: this.kind(index),
      what: this.what(index),
      node: this.nodes[index] as number,
      peer: this.peers[index] as number,
      view: this.views[index] as number,
      op: this.ops[index] as number,
      cause: this.cause(index),
      packet: this.packets[index] as number,
      text: this.text(index),
    };
  }

  /** First entry whose event is `event` or later; `count` when there is none. */
  firstOfEvent(event: number): number {
    return firstAtLeast(this.events, this.count, event);
  }

  /** First entry at `micros` or later; `count` when there is none. */
  firstAtTime(micros: number): number {
    return firstAtLeast(this.micros, this.count, micros);
  }

  private grow(): void {
    const capacity = this.events.length * 2;
    this.events = grownFloats(this.events, capacity);
    this.micros = grownFloats(this.micros, capacity);
    this.views = grownFloats(this.views, capacity);
    this.ops = grownFloats(this.ops, capacity);
    this.packets = grownFloats(this.packets, capacity);
    const { kinds, nodes, peers, partners, whats, causes } = this;
    (this.kinds = new Uint8Array(capacity)).set(kinds);
    (this.nodes = new Int16Array(capacity)).set(nodes);
    (this.peers = new Int16Array(capacity)).set(peers);
    (this.partners = new Int32Array(capacity)).set(partners);
    (this.whats = new Uint16Array(capacity)).set(whats);
    (this.causes = new Uint16Array(capacity)).set(causes);
  }
}

function grownFloats(from: Float64Array, capacity: number): Float64Array<ArrayBuffer> {
  const grown = new Float64Array(capacity);
  grown.set(from);
  return grown;
}

/** In a sorted column: the first index below `count` with a value of at least `wanted`. */
function firstAtLeast(column: Float64Array, count: number, wanted: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((column[middle] as number) < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}
