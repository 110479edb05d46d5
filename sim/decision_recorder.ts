/**
 * Writes down what a run decides: each decision once, when it is first asked, with the identity it
 * is about and the event that asked. Chances that did not come true are left out: they are most of
 * all decisions, and the hash decides them alike again.
 *
 * Plain state in typed arrays, so that a snapshot of a world covers its recorder.
 */
import { type DecisionColumns, DECISIONS_MAX } from '../bundles/decision_tape.ts';
import { type Counters } from './counters.ts';
import { DecisionTable } from './decision_table.ts';
import { FAMILY } from './identity.ts';

/** Words of an identity, and then its copy + 1 and its part. */
const WORDS = 6;
const COPY = 6;
const PART = 7;
const ROW = 8;
/** Keys stand in the table of identities under this one domain. */
const IDENTITY = 1;

export class DecisionRecorder {
  private readonly counters: Counters;
  /** (domain, key) to its place in the columns below. */
  private readonly decided = new DecisionTable();
  private events = new Uint32Array(256);
  private domains = new Uint8Array(256);
  private keys = new Int32Array(256);
  private rows = new Uint32Array(256);
  private values = new Float64Array(256);
  /** Decisions; the columns hold the first `DECISIONS_MAX`. Beyond, each time one is asked counts. */
  total = 0;
  private count = 0;

  /** Key to its row in the two columns below. */
  private readonly identities = new DecisionTable();
  private families = new Uint8Array(256);
  private identityWords = new Uint32Array(256 * ROW);
  private identityCount = 0;

  // The key that was made last. It is kept only once another one follows it or it is asked for:
  // of a message's identity only the copies are.
  private last = 0;
  private lastPending = false;
  private lastFamily = 0;
  private readonly lastWords = new Uint32Array(ROW);

  constructor(counters: Counters) {
    this.counters = counters;
  }

  /** `key` stands for this identity. */
  made(key: number, family: number, a: number, b: number, c: number, d: number, e: number, f: number): void {
    this.keepLast();
    const words = this.lastWords;
    words[0] = a;
    words[1] = b;
    words[2] = c;
    words[3] = d;
    words[4] = e;
    words[5] = f;
    words[COPY] = 0;
    words[PART] = 0;
    this.last = key | 0;
    this.lastFamily = family;
    this.lastPending = true;
  }

  /** `key` stands for the copy of this number, from 0, of what `original` stands for. */
  copied(key: number, original: number, copy: number): void {
    if (this.last !== (original | 0)) return;
    this.last = key | 0;
    this.lastWords[COPY] = copy + 1;
  }

  /** `key` stands for a part of what `whole` stands for. */
  parted(key: number, whole: number, part: number): void {
    const row = this.rowOf(whole | 0);
    const from = row * ROW;
    this.made(
      key,
      this.families[row] as number,
      this.identityWords[from] as number,
      this.identityWords[from + 1] as number,
      this.identityWords[from + 2] as number,
      this.identityWords[from + 3] as number,
      this.identityWords[from + 4] as number,
      this.identityWords[from + 5] as number,
    );
    this.lastWords[COPY] = this.identityWords[from + COPY] as number;
    this.lastWords[PART] = part;
  }

  /** Of a chance that came true `value` is 1. */
  decide(domain: number, key: number, value: number): void {
    const known = this.decided.find(domain, key);
    // Asked again, it is decided alike, unless two identities share a key.
    if (known >= 0 && this.values[this.decided.valueAt(known)] === value) return;
    this.total++;
    if (this.count === DECISIONS_MAX) return;
    const at = this.count++;
    if (at === this.domains.length) this.growDecisions();
    this.decided.set(domain, key, at);
    this.events[at] = this.counters.events;
    this.domains[at] = domain;
    this.keys[at] = key;
    this.rows[at] = this.rowOf(key | 0);
    this.values[at] = value;
  }

  /** What was recorded so far. The arrays are copies; identities are numbered by first use. */
  columns(): DecisionColumns {
    const { count } = this;
    const identities = new Uint32Array(count);
    const numbers = new Int32Array(this.identityCount).fill(-1);
    const rows: number[] = [];
    for (let i = 0; i < count; i++) {
      const row = this.rows[i] as number;
      if (numbers[row] === -1) numbers[row] = rows.push(row) - 1;
      identities[i] = numbers[row] as number;
    }
    const words: Uint32Array[] = [];
    for (let word = 0; word < ROW; word++) {
      words.push(Uint32Array.from(rows, (row) => this.identityWords[row * ROW + word] as number));
    }
    return {
      events: this.events.slice(0, count),
      domains: this.domains.slice(0, count),
      values: this.values.slice(0, count),
      identities,
      families: Uint8Array.from(rows, (row) => this.families[row] as number),
      words: words.slice(0, WORDS),
      copies: words[COPY] as Uint32Array,
      parts: words[PART] as Uint32Array,
    };
  }

  /** Each decision recorded so far: domain, key and value. */
  forEach(visit: (domain: number, key: number, value: number) => void): void {
    for (let i = 0; i < this.count; i++) {
      visit(this.domains[i] as number, (this.keys[i] as number) >>> 0, this.values[i] as number);
    }
  }

  private rowOf(key: number): number {
    if (this.lastPending && key === this.last) this.keepLast();
    const place = this.identities.find(IDENTITY, key);
    if (place >= 0) return this.identities.valueAt(place);
    // Nobody made this key: it is a number of the plan.
    this.made(key, FAMILY.plan, key, 0, 0, 0, 0, 0);
    this.keepLast();
    return this.identityCount - 1;
  }

  private keepLast(): void {
    if (!this.lastPending) return;
    this.lastPending = false;
    if (this.count === DECISIONS_MAX || this.identities.find(IDENTITY, this.last) >= 0) return;
    if (this.identityCount === this.families.length) this.growIdentities();
    const row = this.identityCount++;
    this.identities.set(IDENTITY, this.last, row);
    this.families[row] = this.lastFamily;
    this.identityWords.set(this.lastWords, row * ROW);
  }

  private growDecisions(): void {
    const length = this.domains.length * 2;
    this.events = enlarged(this.events, new Uint32Array(length));
    this.domains = enlarged(this.domains, new Uint8Array(length));
    this.keys = enlarged(this.keys, new Int32Array(length));
    this.rows = enlarged(this.rows, new Uint32Array(length));
    this.values = enlarged(this.values, new Float64Array(length));
  }

  private growIdentities(): void {
    const length = this.families.length * 2;
    this.families = enlarged(this.families, new Uint8Array(length));
    this.identityWords = enlarged(this.identityWords, new Uint32Array(length * ROW));
  }
}

function enlarged<T extends { set(values: T): void }>(from: T, to: T): T {
  to.set(from);
  return to;
}
