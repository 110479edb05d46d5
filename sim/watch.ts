/**
 * Where a world tells its observer what happens. The ports, the processes and the injector hold one
 * `Watch` and say, at the places where facts come about,
 *
 *     if (this.watch.observer !== null) this.watch.crashed(node, ...);
 *
 * so that without an observer a fact costs one test. The words and numbers of an entry are made
 * here, once. Nothing that a run depends on is read from a `Watch`: it is a bystander of snapshots.
 */
import { CONFIG_SMALL, HEADER_SIZE, type ClusterConfig } from '../core/constants.ts';
import { AT, operationOf, requestOf, viewOf } from '../core/message/header.ts';
import { type Message } from '../core/message/pool.ts';
import { regionOf, type Region } from '../core/message/region.ts';
import { SECTOR_SIZE } from '../core/ports.ts';
import { type Replica } from '../core/vsr/replica.ts';
import { Counters } from './counters.ts';
import { plainText } from './own_words.ts';
import { type VirtualTime } from './ports/sim_clock.ts';
import { type Entry, type EntryKind, type WorldObserver } from './recorder.ts';
import { RESTORED, type Bystander } from './snapshot.ts';
import { PLAIN_WORDS, type Words } from './words.ts';

const NONE = -1;
const WORLD = -1;

export interface WatchOptions {
  readonly time: VirtualTime;
  readonly counters: Counters;
  readonly config: ClusterConfig;
  readonly replicaCount: number;
  readonly words: Words;
}

/** What an entry says beside when, kind, detail, lane and words; absent: none. */
interface About {
  readonly peer?: number;
  readonly view?: number;
  readonly op?: number;
  readonly cause?: string;
  readonly packet?: number;
}

export const OPERATION_WORDS = ['read', 'write', 'flush'] as const;

export class Watch implements Bystander {
  observer: WorldObserver | null = null;
  private readonly time: VirtualTime;
  private readonly counters: Counters;
  private readonly config: ClusterConfig;
  private readonly words: Words;
  private readonly replicaCount: number;
  /** Event during which a checker spoke: what compared something there did not pass. */
  private failedAt = NONE;

  constructor(options: WatchOptions) {
    this.time = options.time;
    this.counters = options.counters;
    this.config = options.config;
    this.words = options.words;
    this.replicaCount = options.replicaCount;
  }

  [RESTORED](): void {
    this.failedAt = NONE;
    this.observer?.rewound?.(this.counters.events);
  }

  /** `R0`, `C1`, or `world`. */
  name(node: number): string {
    if (node < 0) return 'world';
    return node < this.replicaCount ? `R${node}` : `C${node - this.replicaCount}`;
  }

  private tell(kind: EntryKind, what: string, node: number, text: string, about: About): void {
    const entry: Entry = {
      event: this.counters.events,
      virtualMicros: this.time.now,
      kind,
      what,
      node,
      peer: about.peer ?? NONE,
      view: about.view ?? NONE,
      op: about.op ?? NONE,
      cause: about.cause ?? '',
      packet: about.packet ?? NONE,
      text,
    };
    this.observer?.entry(entry);
  }

  /** Of a message or a header. */
  private about(message: Region): About {
    return { op: this.words.messageOp(message, 0), view: viewOf(message) };
  }

  // --- Messages. `from` and `to` are nodes ---

  /** `what`: send, or duplicate for a copy that the network made. `packet` -1: lost at once. */
  departed(what: 'send' | 'duplicate', from: number, to: number, message: Region, packet: number): void {
    const text = `${this.words.message(message, 0)} to ${this.name(to)}`;
    const cause = what === 'duplicate' ? 'duplication' : '';
    this.tell('message', what, from, text, { ...this.about(message), peer: to, packet, cause });
  }

  /** What became of it, told on the lane of who was to get it. */
  fate(
    what: 'deliver' | 'drop' | 'hold',
    from: number,
    to: number,
    message: Region,
    packet: number,
    cause: string,
  ): void {
    const why = cause === '' ? '' : ` (${cause})`;
    const text = `${this.words.message(message, 0)} from ${this.name(from)}${why}`;
    this.tell('message', what, to, text, { ...this.about(message), peer: from, packet, cause });
  }

  ignored(replica: Replica, command: number, reason: string): void {
    const { replicaIndex: node, view } = replica;
    const name = this.words.commands[command] ?? '';
    const text = `${name === '' ? `command_${command}` : name} ignored: ${reason}`;
    this.tell('message', 'ignore', node, text, { view, cause: reason });
  }

  // --- Disks ---

  /** `kind`: read 0, write 1, flush 2. */
  operationStarted(node: number, kind: number, sector: number, buffer: Uint8Array): void {
    const word = OPERATION_WORDS[kind] as string;
    this.tell('storage', `${word}_start`, node, ...this.operation(kind, sector, buffer, ''));
  }

  operationEnded(node: number, kind: number, sector: number, buffer: Uint8Array, cause: string): void {
    const word = OPERATION_WORDS[kind] as string;
    const done = word === 'write' ? 'write_done' : word;
    const what = cause === '' ? done : `${word}_failed`;
    this.tell('storage', what, node, ...this.operation(kind, sector, buffer, cause));
  }

  /** Words, and the op that a prepare's buffer holds: a read's only once it has ended well. */
  private operation(
    kind: number,
    sector: number,
    buffer: Uint8Array,
    cause: string,
  ): [text: string, about: About] {
    const word = OPERATION_WORDS[kind] as string;
    const why = cause === '' ? '' : ` (${cause})`;
    if (kind === 2) return [`${word}${why}`, { cause }];
    const place = this.words.place(this.config, sector);
    const sectors = buffer.byteLength / SECTOR_SIZE;
    const size = sectors === 1 ? '' : `, ${sectors} sectors`;
    if (kind === 0 || !this.words.holdsMessage(this.config, sector)) {
      return [`${word} ${place}${size}${why}`, { cause }];
    }
    const header = regionOf(buffer.subarray(0, HEADER_SIZE));
    const text = `${word} ${place}: ${this.words.message(header, 0)}${why}`;
    return [text, { ...this.about(header), cause }];
  }

  /** What a crash did to a sector that was not durable, or a fault that lies over one. */
  sectorHit(node: number, what: string, sector: number): void {
    const text = `${what.replace('_', ' ')}: ${this.words.place(this.config, sector)}`;
    this.tell('storage', what, node, text, { cause: what });
  }

  slowDisk(node: number, factor: number): void {
    if (factor === 1) this.tell('storage', 'slow_disk_end', node, 'the disk is as fast as before', {});
    else this.tell('storage', 'slow_disk', node, `the disk is slower by a factor of ${factor}`, {});
  }

  // --- Replicas ---

  statusChanged(replica: Replica): void {
    const { replicaIndex: node, status, view, logView, op } = replica;
    const leads = status === 'normal' && view % this.replicaCount === node ? ' as primary' : '';
    const log = logView === view ? '' : `, log view ${logView}`;
    this.tell('view_change', status, node, `${status}${leads} in view ${view}${log}, head ${op}`, { view });
  }

  timedOut(node: number, timer: number, view: number): void {
    const why = this.words.timeout(timer);
    if (why !== null) this.tell('view_change', 'timeout', node, why, { view, cause: 'timeout' });
  }

  committed(replica: Replica, op: number, prepare: Message): void {
    const request = requestOf(prepare);
    const client = (prepare.words[AT.client >> 2] as number) - 1;
    const whose = client < 0 ? '' : ` of C${client}, request ${request}`;
    const text = `commit op ${op}: ${this.words.operation(operationOf(prepare))}${whose}`;
    this.tell('commit', 'commit', replica.replicaIndex, text, { op, view: viewOf(prepare) });
  }

  checkpointed(replica: Replica, op: number): void {
    const { replicaIndex: node, view } = replica;
    this.tell('commit', 'checkpoint', node, `checkpoint at op ${op} is durable`, { op, view });
  }

  synced(replica: Replica, fromOp: number, toOp: number): void {
    const { replicaIndex: node, view } = replica;
    const text = `state sync: ops ${fromOp} to ${toOp} are taken from the others' checkpoint`;
    this.tell('commit', 'sync', node, text, { op: toOp, view });
  }

  /** In a system of one's own: what became of the node, in its own words. */
  reported(node: number, what: string, value: unknown): void {
    this.tell('view_change', what, node, `${what} ${plainText(value)}`, {});
  }

  // --- Processes ---

  crashed(node: number, cause: string, downMicros: number): void {
    const text = `crash (${cause}), down for ${seconds(downMicros)}`;
    this.tell('crash', 'crash', node, text, { cause });
  }

  panicked(node: number, text: string, injected: boolean): void {
    this.tell('crash', 'panic', node, text, { cause: injected ? 'io_error' : 'panic' });
  }

  paused(node: number): void {
    this.tell('crash', 'pause', node, 'the process stands still', { cause: 'pause' });
  }

  clockJumped(node: number, byMicros: number): void {
    const text = `the wall clock jumps by ${seconds(byMicros)}`;
    this.tell('crash', 'clock_jump', node, text, { cause: 'clock_jump' });
  }

  started(node: number, start: number): void {
    if (start === 0) this.tell('restart', 'start', node, 'starts on its new disk', {});
    else this.tell('restart', 'restart', node, `restart ${start}, on the disk as it was left`, {});
  }

  resumed(node: number): void {
    this.tell('restart', 'resume', node, 'the process goes on', {});
  }

  // --- Links ---

  /** `kind`: partition, isolate or clog. `links`: pairs (from, to). */
  linksHit(kind: string, node: number, links: readonly number[], ends: boolean): void {
    const clog = kind === 'clog';
    const does = ends ? 'ends' : clog ? 'holds what is sent' : 'cuts';
    const text = `${kind} ${does}: ${this.linksText(links)}`;
    this.tell(ends ? 'heal' : 'partition', kind, node, text, { cause: kind });
  }

  /** Both directions as `R0-R1`, one as `R0>R1`. */
  private linksText(links: readonly number[]): string {
    const pairs = new Set<string>();
    for (let i = 0; i < links.length; i += 2) {
      pairs.add(`${this.name(links[i] as number)}>${this.name(links[i + 1] as number)}`);
    }
    const words: string[] = [];
    for (const pair of pairs) {
      const [from, to] = pair.split('>') as [string, string];
      if (!pairs.has(`${to}>${from}`)) words.push(pair);
      else if (from < to) words.push(`${from}-${to}`);
    }
    return words.join(' ');
  }

  healed(): void {
    this.tell('heal', 'phase', WORLD, 'faults end; everything is healed', {});
  }

  // --- Clients. `node` is that of the client ---

  called(node: number, operation: number, body: Uint8Array): void {
    this.tell('client', 'request', node, `${this.words.operation(operation)}, ${body.byteLength} bytes`, {});
  }

  returned(node: number, reply: Region): void {
    const what = this.words.operation(operationOf(reply));
    const refusal = this.words.refusal(reply);
    const about = this.about(reply);
    if (refusal === null) this.tell('client', 'success', node, `${what}: ok`, about);
    else this.tell('client', 'failure', node, `${what}: ${refusal}`, { ...about, cause: 'refused' });
  }

  invoked(node: number, operation: unknown): void {
    this.tell('client', 'request', node, plainText(operation), {});
  }

  answered(node: number, answer: unknown): void {
    this.tell('client', 'success', node, `answered ${plainText(answer)}`, {});
  }

  abandoned(node: number): void {
    const text = 'given up: what became of its operation is not known';
    this.tell('client', 'failure', node, text, { cause: 'abandoned' });
  }

  // --- Checkers ---

  /** `compared`: ids of checkers that compared something at this commit. */
  checked(node: number, op: number, compared: readonly string[]): void {
    if (this.failedAt === this.counters.events) return;
    this.tell('check', 'passed', node, compared.join(', '), { op });
  }

  violated(invariant: string, message: string, replicas: readonly number[]): void {
    this.failedAt = this.counters.events;
    const found = /\bop (\d+)\b/.exec(message);
    const op = found === null ? NONE : Number(found[1]);
    const about = { op, cause: invariant };
    for (const node of replicas) {
      if (node < this.replicaCount) this.tell('check', 'failed', node, `${invariant}: ${message}`, about);
    }
    this.tell('violation', invariant, WORLD, message, about);
  }
}

/** Of a message or a header. */

function seconds(micros: number): string {
  return `${(micros / 1_000_000).toFixed(3)} s`;
}

/** For ports that stand in no world: it has no observer, and never gets one. */
export const UNWATCHED = new Watch({
  time: { now: 0 },
  counters: new Counters(),
  config: CONFIG_SMALL,
  replicaCount: 0,
  words: PLAIN_WORDS,
});
