/**
 * The state of a world as a tree that a person can read and a program can compare: replicas, what
 * their disks have in flight and what is wrong with them, clients, packets under way, links, clocks.
 * Plain JSON-able data, made anew at each call; making it changes nothing. Times are microseconds of
 * virtual time. What a node's own state looks like is told by its system's words.
 */
import { viewOf } from '../core/message/header.ts';
import { type Message } from '../core/message/pool.ts';
import { EVENT } from './events.ts';
import { plainTree } from './plain_tree.ts';
import { type SimClock } from './ports/sim_clock.ts';
import { PACKET } from './ports/sim_network.ts';
import { CRASHED_WORDS, OVERLAY_WORDS, type SimDisk } from './ports/sim_storage.ts';
import { type StateNode, type StateValue } from './state_node.ts';
import { OPERATION_WORDS } from './watch.ts';
import { PLAIN_WORDS, type Words } from './words.ts';
import { type World } from './world.ts';

export interface StateTree extends StateNode {
  /** Events run. */
  readonly event: number;
  readonly virtualMicros: number;
  /** `faults`, `heal` or `ended`. */
  readonly phase: string;
  /** The two facts that contradict, or null. */
  readonly violation: string | null;
  /** By name, `R0` ... */
  readonly replicas: StateNode;
  /** `C0` ... */
  readonly clients: StateNode;
  /** `links`: what is under way, by `R0>R1`; `cut` and `clogged`: such links. */
  readonly network: StateNode;
}

type Open = Record<string, StateValue>;

export function stateTree(world: World): StateTree {
  const words = world.arena.system.words ?? PLAIN_WORDS;
  const replicas: Open = {};
  for (let node = 0; node < world.replicaCount; node++) {
    replicas[`R${node}`] = replicaTree(world, node, words);
  }
  const clients: Open = {};
  world.clients.forEach((client, i) => {
    const clock = world.clocks[world.replicaCount + i] as SimClock;
    clients[`C${i}`] = {
      stopped: client.stopped,
      finished: client.finished,
      settled: client.settled,
      ...(words.client(client) ?? plainTree(client)),
      clock: clockTree(clock),
      timers: timersTree(clock, words.clientTimer),
    };
  });
  return {
    event: world.events,
    virtualMicros: world.time.now,
    phase: world.phase,
    violation: world.violationFound?.message ?? null,
    replicas,
    clients,
    network: networkTree(world, words),
  };
}

function replicaTree(world: World, node: number, words: Words): StateNode {
  const process = world.processes.replicas[node] ?? null;
  const clock = world.clocks[node] as SimClock;
  const tree: Open = {
    process: process === null ? 'down' : world.processes.isPaused(node) ? 'paused' : 'running',
    starts: world.processes.starts[node] as number,
  };
  if (process !== null) {
    Object.assign(tree, words.node(process) ?? plainTree(process));
    tree['timers'] = timersTree(clock, words.timer);
  }
  tree['clock'] = clockTree(clock);
  tree['disk'] = diskTree(world, world.disks[node] as SimDisk, words);
  return tree;
}

function clockTree(clock: SimClock): StateNode {
  return { offsetMicros: clock.offsetMicros, driftPpm: clock.driftPpm };
}

/** When each armed timer fires. */
function timersTree(clock: SimClock, nameOf: (timer: number) => string): StateNode {
  const timers: Open = {};
  for (const { timer, due } of clock.armed()) timers[nameOf(timer)] = due;
  return timers;
}

function diskTree({ config }: World, disk: SimDisk, words: Words): StateNode {
  const { memory } = disk;
  const operations: Open = {};
  for (const { kind, sector, count, due } of disk.operations()) {
    const where = kind === 2 ? '' : ` ${words.place(config, sector)}`;
    const operation = `${OPERATION_WORDS[kind] as string}${where}`;
    let name = operation;
    for (let twin = 2; Object.hasOwn(operations, name); twin++) name = `${operation} (${twin})`;
    operations[name] = { sectors: count, due };
  }
  const undurable: Open = {};
  const faults: Open = {};
  for (let sector = 0; sector < memory.sectorCount; sector++) {
    const overlay = OVERLAY_WORDS[memory.overlay[sector] as number];
    const crashed = CRASHED_WORDS[memory.crashed[sector] as number];
    const writes = memory.undurable[sector] as number;
    if (writes === 0 && overlay === undefined && crashed === undefined) continue;
    const place = words.place(config, sector);
    if (writes > 0) undurable[place] = writes;
    if (overlay !== undefined) faults[place] = overlay;
    else if (crashed !== undefined) faults[place] = crashed;
  }
  return { operations, undurable, faults, slowFactor: disk.slowFactor };
}

function networkTree(world: World, words: Words): StateNode {
  const links: Record<string, Open> = {};
  const { queue, pool } = world.arena;
  const add = (slot: number, due: number | null, held: string | null): void => {
    if (queue.kind[slot] !== EVENT.deliver) return;
    const flags = queue.c[slot] as number;
    const message = pool.messages[queue.a[slot] as number] as Message;
    const marks = [
      (flags & PACKET.duplicate) !== 0 ? ' (duplicate)' : '',
      (flags & PACKET.corrupted) !== 0 ? ' (corrupted)' : '',
    ];
    const link = linkName(world, queue.b[slot] as number, queue.node[slot] as number);
    (links[link] ??= {})[`${flags >> 2}`] = {
      message: `${words.message(message, 0)}${marks.join('')}`,
      view: viewOf(message),
      ...(held === null ? { due } : { held }),
    };
  };
  for (let at = 0; at < queue.size; at++) {
    const slot = queue.slotAt(at);
    add(slot, queue.timeOf(slot), null);
  }
  const cut: Open = {};
  const clogged: Open = {};
  const nodes = world.replicaCount + world.clientCount;
  for (let from = 0; from < nodes; from++) {
    for (let to = 0; to < nodes; to++) {
      const link = linkName(world, from, to);
      if (world.network.isCut(from, to)) cut[link] = true;
      if (world.network.isClogged(from, to)) clogged[link] = true;
      for (const slot of world.network.heldOn(from, to)) add(slot, null, 'clogged link');
    }
  }
  for (let node = 0; node < world.replicaCount; node++) {
    for (const slot of world.processes.heldFor(node)) add(slot, null, 'paused receiver');
  }
  return { links: sorted(links), cut, clogged };
}

/** By name, so that equal states give equal trees: the queue's order means nothing. */
function sorted(links: Record<string, Open>): StateNode {
  const tree: Open = {};
  for (const name of Object.keys(links).sort()) tree[name] = links[name] as Open;
  return tree;
}

function linkName(world: World, from: number, to: number): string {
  const name = (node: number): string =>
    node < world.replicaCount ? `R${node}` : `C${node - world.replicaCount}`;
  return `${name(from)}>${name(to)}`;
}
