/**
 * Environment of the protocol's transcripts: real replicas and clients on hand-driven ports.
 *
 *     cluster replicas=3          format and start
 *     append client=0 hello       a request goes out (the client registers first)
 *     append client=0 events=2 size=2400
 *     fill to=40                  one append after the other until op 40, in quiet
 *     settle                      let everything happen that needs no timer; print messages
 *     advance ms=4000             let time pass, timer by timer, settling in between
 *     partition R0 C0 | R1 R2     what is sent from one group to another is lost
 *     lose reply                  messages of this command are lost
 *     heal                        nothing is lost any more
 *     hold R2 | release R2        writes of its disk stay in flight
 *     crash R1 | crash R1 torn    power loss; torn: of a write in flight one sector arrives
 *     start R1
 *     rot R1 op=3                 a bit of the prepare flips on disk
 *     state                       a line a replica: status, view, commit/head, journal
 *
 * The journal is a character an op, up to the head: `c` clean, `d` dirty, `f` faulty, `.` nothing.
 * `quiet` after `settle` or `advance` prints only commits, changes of status and replies;
 * `only=start_view,do_view_change` of the messages only these. A message that is sent again during
 * one command is printed once. Pings of clients, and heartbeats that tell their receiver nothing
 * new, are never printed.
 */
import assert from 'node:assert/strict';
import { ReplicaFatal } from '../../core/assert.ts';
import { CONFIG_SMALL, HEADER_SIZE, type ClusterConfig } from '../../core/constants.ts';
import { KERNEL, RESULT_NAMES } from '../../core/kernel/operations.ts';
import { encodeAppend, encodeCreateStream, encodeCreateTenant } from '../../core/kernel/commands.ts';
import {
  AT,
  COMMAND,
  COMMAND_NAMES,
  commandOf,
  commitOf,
  opOf,
  operationOf,
  requestOf,
  sizeOf,
  viewOf,
} from '../../core/message/header.ts';
import { allocateAligned, MessagePool, type Message } from '../../core/message/pool.ts';
import { readU64, regionOf, type Region } from '../../core/message/region.ts';
import { TO_CLIENT } from '../../core/ports.ts';
import { Prng, seedOfText } from '../../core/prng.ts';
import { prepareOffset, zonesOf } from '../../core/storage/data_file.ts';
import { format } from '../../core/storage/format.ts';
import { Client } from '../../core/vsr/client.ts';
import { NO_OBSERVER, type ReplicaObserver } from '../../core/vsr/observer.ts';
import { Replica } from '../../core/vsr/replica.ts';
import { type Command, type Environment } from '../transcript.ts';
import { LabClock, LabNetwork, LabStorage, LabTime, type Parcel } from './lab_ports.ts';

const CONFIG: ClusterConfig = { ...CONFIG_SMALL, gridBlocks: 128 };
/** Said often and of no interest here. */
const UNSAID = new Set<number>([COMMAND.pingClient, COMMAND.pongClient]);
const TENANT = 1;

interface Node {
  readonly name: string;
  readonly index: number;
  readonly storage: LabStorage;
  clock: LabClock;
  replica: Replica | null;
}

interface Visitor {
  readonly name: string;
  readonly clock: LabClock;
  readonly client: Client;
  stream: number;
  /** Replies and other news since last asked. */
  readonly news: string[];
}

export class Lab implements Environment {
  private readonly time = new LabTime();
  private readonly rng = new Prng(seedOfText('lab'));
  private readonly cluster: Region = regionOf(new Uint8Array(16).fill(7));
  private readonly queue: Parcel[] = [];
  private readonly nodes: Node[] = [];
  private readonly visitors: Visitor[] = [];
  private readonly cuts = new Set<string>();
  private readonly lost = new Set<number>();
  private lines: string[] = [];
  private quiet = false;
  /** Names of commands to print; empty: all. */
  private only: readonly string[] = [];
  private readonly said = new Set<string>();
  private readonly pool = new MessagePool({
    smallCount: 1024,
    smallSize: 4096,
    largeCount: 512,
    largeSize: CONFIG.messageSizeMax,
    allocate: allocateAligned,
  });

  run(command: Command): string {
    this.lines = [];
    this.quiet = command.words.includes('quiet');
    this.only = command.has('only') ? command.string('only').split(',') : [];
    this.said.clear();
    switch (command.name) {
      case 'cluster': this.createCluster(command.number('replicas')); break;
      case 'append': this.append(command); break;
      case 'settle': this.settle(); break;
      case 'advance': this.advance(command.number('ms') * 1000); break;
      case 'fill': this.fill(command.number('to')); break;
      case 'partition': this.partition(command.words); break;
      case 'lose': this.lost.add(COMMAND_NAMES.indexOf(command.words[0] as string)); break;
      case 'heal': this.cuts.clear(); this.lost.clear(); break;
      case 'hold': this.node(command).storage.held = true; break;
      case 'release': this.node(command).storage.held = false; break;
      case 'crash': this.crash(this.node(command), command.words.includes('torn')); break;
      case 'start': this.start(this.node(command)); break;
      case 'rot': this.rot(this.node(command), command.number('op')); break;
      case 'state': for (const node of this.nodes) this.lines.push(stateOf(node)); break;
      default: command.unknown();
    }
    return this.lines.join('\n');
  }

  // --- Commands ---

  private createCluster(replicas: number): void {
    for (let index = 0; index < replicas; index++) {
      const storage = new LabStorage(zonesOf(CONFIG).end);
      format({
        config: CONFIG,
        cluster: this.cluster,
        replicaIndex: index,
        replicaCount: replicas,
        write: (offset, bytes) => storage.put(offset, bytes),
      });
      this.nodes.push({ name: `R${index}`, index, storage, clock: new LabClock(this.time), replica: null });
    }
    for (const node of this.nodes) this.start(node);
    this.quietly(() => this.settle());
  }

  private start(node: Node): void {
    assert.equal(node.replica, null, `${node.name} runs`);
    node.clock = new LabClock(this.time);
    node.replica = new Replica({
      config: CONFIG,
      cluster: this.cluster,
      replicaIndex: node.index,
      replicaCount: this.nodes.length,
      clock: node.clock,
      network: new LabNetwork(node.name, this.queue),
      storage: node.storage,
      rng: this.rng.fork(`${node.name} ${this.time.now}`),
      pool: this.pool,
      observer: this.observerOf(node),
    });
    node.replica.start();
  }

  private crash(node: Node, torn: boolean): void {
    node.replica = null;
    node.storage.losePower(torn);
  }

  private rot(node: Node, op: number): void {
    const at = prepareOffset(zonesOf(CONFIG), CONFIG, op % CONFIG.journalSlots);
    node.storage.flipBit(at + HEADER_SIZE + 1);
  }

  private partition(words: readonly string[]): void {
    const groups: string[][] = [[]];
    for (const word of words) {
      if (word === '|') groups.push([]);
      else groups.at(-1)?.push(word);
    }
    for (const from of groups) {
      for (const to of groups) {
        if (from === to) continue;
        for (const a of from) for (const b of to) this.cuts.add(`${a} ${b}`);
      }
    }
  }

  private append(command: Command): void {
    const visitor = this.visitor(command.number('client', 0));
    assert.ok(visitor.client.idle, `${visitor.name} waits for a reply`);
    const text = command.words.filter((word) => word !== 'quiet').join(' ');
    const event = new TextEncoder().encode(text.padEnd(command.number('size', 0), '.'));
    const events = Array.from({ length: command.number('events', 1) }, () => event);
    visitor.client.request(KERNEL.append, encodeAppend(TENANT, visitor.stream, events));
  }

  /** Whole rounds of a request and a heartbeat, so that every backup executes as well. */
  private fill(op: number): void {
    const visitor = this.visitor(0);
    this.quietly(() => {
      while (this.nodes.every(({ replica }) => replica === null || replica.op < op)) {
        assert.ok(visitor.client.idle, `${visitor.name} waits for a reply`);
        const event = new TextEncoder().encode('filler');
        visitor.client.request(KERNEL.append, encodeAppend(TENANT, visitor.stream, [event]));
        this.settle();
      }
      this.advance(500_000);
    });
    for (const each of this.visitors) each.news.length = 0;
  }

  // --- Clients: a stream each, made in quiet ---

  private visitor(index: number): Visitor {
    const known = this.visitors[index];
    if (known !== undefined) return known;
    assert.equal(index, this.visitors.length, 'clients are numbered from 0');
    const name = `C${index}`;
    const clock = new LabClock(this.time);
    const news: string[] = [];
    let last: { operation: number; value: number } | null = null;
    const client = new Client({
      config: CONFIG,
      cluster: this.cluster,
      clientId: regionOf(new Uint8Array(16).fill(index + 1)),
      replicaCount: this.nodes.length,
      clock,
      network: new LabNetwork(name, this.queue),
      rng: this.rng.fork(name),
      pool: this.pool,
      listener: {
        clientRegistered: () => {},
        clientReply: (_client, message) => {
          last = { operation: operationOf(message), value: readU64(message, HEADER_SIZE + 8) };
          news.push(replyText(message));
        },
        clientEvicted: (_client, reason) => news.push(`evicted, reason ${reason}`),
      },
    });
    const visitor: Visitor = { name, clock, client, stream: 0, news };
    this.visitors.push(visitor);
    this.quietly(() => {
      client.start();
      this.settle();
      const commands: [number, Uint8Array][] = [[KERNEL.createStream, encodeCreateStream(TENANT, name, 7)]];
      if (index === 0) commands.unshift([KERNEL.createTenant, encodeCreateTenant(TENANT, 'lab')]);
      for (const [operation, body] of commands) {
        client.request(operation, body);
        this.settle();
      }
      assert.ok(last !== null, 'the stream was not created');
      visitor.stream = last.value;
    });
    return visitor;
  }

  // --- What happens ---

  /** One message, then all I/O, until nothing is left that needs no time. */
  private settle(): void {
    for (let steps = 0; ; steps++) {
      assert.ok(steps < 100_000, 'settle: no end');
      this.completeStorage();
      const parcel = this.queue.shift();
      if (parcel === undefined) break;
      this.deliver(parcel);
      parcel.message.unref();
      this.tellNews();
    }
  }

  private completeStorage(): void {
    for (let busy = true; busy; ) {
      busy = false;
      for (const node of this.nodes) {
        const done = node.replica === null ? null : node.storage.completeNext();
        if (done === null) continue;
        busy = true;
        this.guard(node, (replica) => replica.onStorage(done.token, done.result));
      }
    }
  }

  private deliver({ from, to, message }: Parcel): void {
    const target = to === TO_CLIENT ? this.visitors.find((v) => isFor(v, message)) : this.nodes[to];
    if (target === undefined) return;
    const lost = this.cuts.has(`${from} ${target.name}`) || this.lost.has(commandOf(message));
    const dead = 'replica' in target && target.replica === null;
    const fate = lost ? '  (lost)' : dead ? '  (down)' : '';
    const line = `${from} > ${target.name}  ${messageText(message)}${fate}`;
    if (this.prints(message, target) && !this.said.has(line)) this.lines.push(line);
    this.said.add(line);
    if (lost || dead) return;
    if ('client' in target) target.client.onMessage(message);
    else this.guard(target, (replica) => replica.onMessage(message));
  }

  private prints(message: Message, target: Node | Visitor): boolean {
    if (this.quiet || !isNews(message, target)) return false;
    return this.only.length === 0 || this.only.includes(COMMAND_NAMES[commandOf(message)] as string);
  }

  private advance(duration: number): void {
    const end = this.time.now + duration;
    this.settle();
    for (;;) {
      let due: { at: number; timer: number; fire: (timer: number) => void } | null = null;
      for (const party of [...this.nodes, ...this.visitors]) {
        if ('replica' in party && party.replica === null) continue;
        const next = party.clock.next();
        if (next === null || next.at > end || (due !== null && next.at >= due.at)) continue;
        due = { ...next, fire: (timer) => this.fire(party, timer) };
      }
      if (due === null) break;
      this.time.now = Math.max(this.time.now, due.at);
      due.fire(due.timer);
      this.settle();
    }
    this.time.now = end;
  }

  private fire(party: Node | Visitor, timer: number): void {
    party.clock.disarm(timer);
    if ('client' in party) party.client.onTimer(timer);
    else this.guard(party, (replica) => replica.onTimer(timer));
  }

  private guard(node: Node, act: (replica: Replica) => void): void {
    const { replica } = node;
    assert.ok(replica !== null);
    try {
      act(replica);
    } catch (error) {
      if (!(error instanceof ReplicaFatal)) throw error;
      this.lines.push(`${node.name} stops: ${error.code}`);
      this.crash(node, false);
    }
  }

  private observerOf(node: Node): ReplicaObserver {
    const say = (line: string): void => {
      if (node.replica !== null) this.lines.push(`  ${node.name} ${line}`);
    };
    return {
      ...NO_OBSERVER,
      committed: (_replica, op) => {
        // A run of commits is one line.
        const run = /^  (R\d) commits (\d+)(?:\.\.(\d+))?$/.exec(this.lines.at(-1) ?? '');
        if (run === null || run[1] !== node.name || Number(run[3] ?? run[2]) + 1 !== op) {
          say(`commits ${op}`);
        } else {
          this.lines[this.lines.length - 1] = `  ${node.name} commits ${run[2]}..${op}`;
        }
      },
      checkpointed: (_replica, op) => say(`checkpoint ${op}`),
      statusChanged: (replica) => say(`${replica.status}, view ${replica.view}`),
      discarded: (_replica, op) => say(`discards ${op}`),
      synced: (_replica, fromOp, toOp) => say(`syncs from ${fromOp} to ${toOp}`),
    };
  }

  private tellNews(): void {
    for (const visitor of this.visitors) {
      for (const text of visitor.news) this.lines.push(`  ${visitor.name} ${text}`);
      visitor.news.length = 0;
    }
  }

  /** Prints nothing at all. */
  private quietly(act: () => void): void {
    const { lines } = this;
    this.lines = [];
    act();
    this.lines = lines;
  }

  private node(command: Command): Node {
    const found = this.nodes.find((node) => node.name === command.words[0]);
    assert.ok(found !== undefined, `no node "${command.words[0]}"`);
    return found;
  }
}

function isNews(message: Message, target: Node | Visitor): boolean {
  const command = commandOf(message);
  if (command !== COMMAND.commit || !('replica' in target)) return !UNSAID.has(command);
  return target.replica !== null && commitOf(message) > target.replica.commitMax;
}

function isFor(visitor: Visitor, message: Message): boolean {
  return visitor.client.clientId.words[0] === message.words[AT.client >> 2];
}

function replyText(reply: Message): string {
  const result = RESULT_NAMES[reply.fields.getUint16(HEADER_SIZE, true)] ?? 'unknown result';
  if (operationOf(reply) !== KERNEL.append) return `is told: ${result}`;
  return `is told: ${result}, offset ${readU64(reply, HEADER_SIZE + 8)}, by op ${opOf(reply)}`;
}

/** Command, view, and the numbers that matter in it. */
function messageText(message: Message): string {
  const command = commandOf(message);
  const name = COMMAND_NAMES[command] ?? `command ${command}`;
  const view = `v${viewOf(message)}`;
  const { fields } = message;
  switch (command) {
    case COMMAND.request:
      return `${name} ${requestOf(message)}`;
    case COMMAND.prepare:
      return `${name} ${view} op=${opOf(message)} commit=${commitOf(message)}`;
    case COMMAND.prepareOk:
    case COMMAND.requestPrepare:
    case COMMAND.nack:
      return `${name} ${view} op=${opOf(message)}`;
    case COMMAND.reply:
      return `${name} op=${opOf(message)}`;
    case COMMAND.commit:
      return `${name} ${view} commit=${commitOf(message)}`;
    case COMMAND.doViewChange: {
      const count = fields.getUint16(AT.dvcHeaderCount, true);
      let entries = '';
      for (let i = count - 1; i >= 0; i--) {
        const present = bitAt(message, AT.dvcPresent, i) ? 'p' : '-';
        entries += ` ${opOf(message) - i}:${present}${bitAt(message, AT.dvcNack, i) ? 'n' : '-'}`;
      }
      return `${name} ${view} log_view=${fields.getUint32(AT.dvcLogView, true)}${entries}`;
    }
    case COMMAND.startView:
      return `${name} ${view} op=${opOf(message)} commit=${readU64(message, AT.svCommitMax)}`;
    case COMMAND.requestHeaders:
      return `${name} ${readU64(message, AT.opMin)}..${readU64(message, AT.opMax)}`;
    case COMMAND.headers: {
      const count = (sizeOf(message) - HEADER_SIZE) / HEADER_SIZE;
      return `${name} ${opOf(message, HEADER_SIZE * count)}..${opOf(message, HEADER_SIZE)}`;
    }
    default:
      return `${name} ${view}`;
  }
}

function bitAt(message: Message, at: number, i: number): boolean {
  return ((message.bytes[at + (i >> 3)] as number) & (1 << (i & 7))) !== 0;
}

/** `R1 normal       view 4  commit 8/8  head 8  journal 0: ccccccccc` */
function stateOf(node: Node): string {
  const { replica, name } = node;
  if (replica === null) return `${name} down`;
  const { journal, status } = replica;
  const first = Math.max(0, replica.op - 11);
  let slots = '';
  for (let op = first; op <= replica.op; op++) {
    if (journal.isFaulty(op)) slots += 'f';
    else if (journal.headerAt(op) === -1) slots += '.';
    else slots += journal.isDirty(op) ? 'd' : 'c';
  }
  const { view, commitMin, commitMax, op } = replica;
  const position = `view ${view}  commit ${commitMin}/${commitMax}  head ${op}`;
  return `${name} ${status.padEnd(15)} ${position}  journal ${first}: ${slots}`;
}
