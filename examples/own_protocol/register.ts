/**
 * A register on several nodes that outlives the loss of a minority of them. Callers do the work: to
 * write, ask a majority for its newest version, then store a newer one on a majority; to read, ask
 * the same way, then store what was found on a majority before answering, so that no later read
 * finds less. Source: Attiya, Bar-Noy, Dolev, "Sharing memory robustly in message-passing systems",
 * 1995. Assumes disks that write a sector whole or not at all.
 */
import {
  PlainNetwork,
  ReplicaFatal,
  SECTOR_SIZE,
  STORAGE_RESULT,
  canaryIs,
  defineCanary,
  micros,
  type Caller,
  type CallerPorts,
  type Message,
  type NodePorts,
  type NodeProcess,
  type StorageResult,
} from '../../core/component.ts'; // Published: from 'kimberlite/component'.

/** Bugs for the simulator to plant. */
export const ANSWERED_UNSTORED = defineCanary();
export const CONFIRMED_UNSYNCED = defineCanary();

/** Ordered by stamp, then by writer. */
type Version = readonly [stamp: number, writer: number, value: number];
const NOTHING: Version = [0, 0, 0];
const newer = (a: Version, b: Version): boolean => a[0] > b[0] || (a[0] === b[0] && a[1] > b[1]);

/** `round` numbers the caller's rounds: answers to earlier ones are stale. */
type Wire =
  | { readonly kind: 'ask'; readonly round: number }
  | { readonly kind: 'tell'; readonly round: number; readonly version: Version }
  | { readonly kind: 'store'; readonly round: number; readonly version: Version }
  | { readonly kind: 'stored'; readonly round: number };
export const KINDS = ['ask', 'tell', 'store', 'stored'] as const;

const TOKEN = { read: 0, write: 1, sync: 2 } as const;

export class RegisterNode implements NodeProcess {
  private readonly ports: NodePorts;
  private readonly network: PlainNetwork<Wire>;
  private readonly sector: Uint8Array;
  /** Durable here; null until the disk was read. */
  private version: Version | null = null;
  /** On its way to the disk. */
  private writing: Version | null = null;
  /** Not confirmed yet. */
  private wanted: { readonly from: number; readonly round: number; readonly version: Version }[] = [];

  constructor(ports: NodePorts) {
    this.ports = ports;
    this.network = new PlainNetwork(ports, ports.replicaIndex, KINDS);
    this.sector = ports.storage.allocate(SECTOR_SIZE);
  }

  start(): void {
    this.ports.storage.read(0, this.sector, TOKEN.read);
  }

  onMessage(message: Message): void {
    const letter = this.network.open(message);
    if (letter === null || this.version === null) return; // Damaged, or too early: callers ask again.
    const { from, message: wire } = letter;
    if (wire.kind === 'ask') {
      this.network.send(from, { kind: 'tell', round: wire.round, version: this.version });
    } else if (wire.kind === 'store') {
      this.wanted.push({ from, round: wire.round, version: wire.version });
      this.confirm(this.version);
    }
  }

  onStorage(token: number, result: StorageResult): void {
    const { storage } = this.ports;
    if (result !== STORAGE_RESULT.ok) throw new ReplicaFatal('storage', `result ${result}`);
    const words = new Uint32Array(this.sector.buffer, this.sector.byteOffset, 3);
    if (token === TOKEN.read) this.version = [words[0] ?? 0, words[1] ?? 0, words[2] ?? 0];
    if (token === TOKEN.write) storage.sync(TOKEN.sync);
    if (token === TOKEN.sync || (token === TOKEN.write && canaryIs(CONFIRMED_UNSYNCED))) {
      this.version = this.writing as Version;
    }
    if (token === TOKEN.sync) this.writing = null;
    this.confirm(this.version as Version);
  }

  onTimer(): void {}

  /** Confirms what is no newer than `durable`; writes the newest of the rest. */
  private confirm(durable: Version): void {
    for (const { from, round, version } of this.wanted) {
      if (!newer(version, durable)) this.network.send(from, { kind: 'stored', round });
    }
    this.wanted = this.wanted.filter(({ version }) => newer(version, durable));
    if (this.writing !== null || this.wanted.length === 0) return;
    this.writing = this.wanted.map(({ version }) => version).reduce((a, b) => (newer(a, b) ? a : b));
    new Uint32Array(this.sector.buffer, this.sector.byteOffset, 3).set(this.writing);
    this.ports.storage.write(0, this.sector, TOKEN.write);
  }
}

export type Operation = { readonly kind: 'read' } | { readonly kind: 'write'; readonly value: number };
/** The value read, or written. */
export type Answer = number;

const RESEND_MICROS = micros(200_000);

export class RegisterCaller implements Caller<Operation> {
  private readonly ports: CallerPorts<Answer>;
  private readonly network: PlainNetwork<Wire>;
  private operation: Operation = { kind: 'read' };
  private phase: 'none' | 'ask' | 'store' = 'none';
  private round = 0;
  private newest: Version = NOTHING;
  /** Nodes that have answered in this round. */
  private heard: number[] = [];

  constructor(ports: CallerPorts<Answer>) {
    this.ports = ports;
    this.network = new PlainNetwork(ports, ports.node, KINDS);
  }

  call(operation: Operation): void {
    this.operation = operation;
    this.newest = NOTHING;
    this.begin('ask');
  }

  onMessage(message: Message): void {
    const letter = this.network.open(message);
    if (letter === null || letter.message.round !== this.round || this.heard.includes(letter.from)) return;
    this.heard.push(letter.from);
    if (letter.message.kind === 'tell' && newer(letter.message.version, this.newest)) {
      this.newest = letter.message.version;
    }
    if (this.heard.length * 2 <= this.ports.replicaCount) return;
    if (this.phase === 'ask' && this.operation.kind === 'write') {
      this.newest = [this.newest[0] + 1, this.ports.client, this.operation.value];
    }
    const unstored = this.operation.kind === 'read' && this.phase === 'ask' && canaryIs(ANSWERED_UNSTORED);
    if (this.phase === 'store' || unstored) this.end();
    else this.begin('store');
  }

  onTimer(): void {
    const message = { round: this.round, version: this.newest };
    for (let node = 0; node < this.ports.replicaCount; node++) {
      if (this.heard.includes(node)) continue;
      if (this.phase === 'ask') this.network.send(node, { kind: 'ask', round: this.round });
      else this.network.send(node, { kind: 'store', ...message });
    }
    this.ports.clock.arm(0, RESEND_MICROS);
  }

  private begin(phase: 'ask' | 'store'): void {
    this.phase = phase;
    this.round++;
    this.heard = [];
    this.onTimer();
  }

  private end(): void {
    this.phase = 'none';
    this.round++;
    this.ports.clock.disarm(0);
    this.ports.answer(this.newest[2]);
  }
}
