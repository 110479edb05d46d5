/**
 * The same plan with other numbers: fewer replicas or clients, operations counted from the first,
 * given to other clients, under another seed. Whatever is about a node, a client or an operation
 * goes with it, pinned decisions too, and goes away with it.
 */
import { type Identity } from '../../../bundles/decision_tape.ts';
import { type FaultEvent } from '../../faults/schedule.ts';
import { FAMILY } from '../../identity.ts';
import { deepFreeze, seedWords, type ClockPlan, type Plan } from '../../plan.ts';
import { onlyOperations } from '../../testing/plan_of.ts';
import { type Best } from './facts.ts';
import { renamedPins } from './pins.ts';
import { operationList, type OperationRef } from './plan_edits.ts';

export interface Renumbering {
  /** The first so many stay. */
  readonly replicas?: number;
  /** The clients that stay, by their old numbers; their places in the list are the new ones. */
  readonly clients?: readonly number[];
  /** Of an operation of an old client, by its index: the new ones. Null: it is left out. */
  readonly operation?: (operation: OperationRef) => OperationRef | null;
  readonly seed?: string;
}

const GONE = -1;

export function renumbered({ plan, facts }: Best, change: Renumbering): Plan {
  const before = plan.replicaCount;
  const { absent: wereAbsent = [], ...workload } = plan.workload;
  const replicas = change.replicas ?? before;
  const clients = change.clients ?? Array.from({ length: workload.clients }, (_, client) => client);
  const seed = change.seed ?? plan.seed;
  const words = change.seed === undefined ? plan.seedWords : seedWords(seed);
  const operation = change.operation ?? sameIndex(clients);

  const node = (old: number): number => {
    if (old < before) return old < replicas ? old : GONE;
    const client = clients.indexOf(old - before);
    return client < 0 ? GONE : replicas + client;
  };
  const kept: number[][] = clients.map(() => []);
  for (const old of operationList(plan)) {
    const moved = operation(old);
    if (moved !== null) kept[moved.client]?.push(moved.index);
  }
  const absent: number[] = [];
  clients.forEach((old, client) => {
    if (wereAbsent.includes(old)) absent.push(client);
  });
  const nodes = replicas + clients.length;
  const clocks: ClockPlan[] = plan.clocks.slice(0, replicas);
  for (const client of clients) clocks.push(plan.clocks[before + client] as ClockPlan);
  return deepFreeze({
    ...plan,
    seed,
    seedWords: words,
    replicaCount: replicas,
    clocks,
    workload: {
      ...workload,
      clients: clients.length,
      ...onlyOperations(kept),
      ...(absent.length === 0 ? {} : { absent }),
    },
    faults: movedFaults(plan.faults, node, replicas),
    decisions: renamedPins(plan, facts, words, (identity) =>
      renamed(identity, node, nodes, (client, index) => {
        if (node(before + client) === GONE) return null;
        return operation({ client, index });
      })),
  });
}

function sameIndex(clients: readonly number[]): (operation: OperationRef) => OperationRef | null {
  return ({ client, index }) => {
    const moved = clients.indexOf(client);
    return moved < 0 ? null : { client: moved, index };
  };
}

type Move = (node: number) => number;

/** Null: what it is about is gone. */
function renamed(
  identity: Identity,
  node: Move,
  nodes: number,
  operation: (client: number, index: number) => OperationRef | null,
): Identity | null {
  const [a = 0, b = 0, , d = 0] = identity.words;
  const words = [...identity.words];
  switch (identity.family) {
    case FAMILY.message: {
      const [from, to] = [node(a >>> 16), node((a >>> 8) & 0xff)];
      if (from === GONE || to === GONE) return null;
      words[0] = (from << 16) | (to << 8) | (a & 0xff);
      break;
    }
    case FAMILY.link: {
      const [from, to] = [node(Math.floor(a / b)), node(a % b)];
      if (from === GONE || to === GONE) return null;
      words[0] = from * nodes + to;
      words[1] = nodes;
      break;
    }
    case FAMILY.storage:
    case FAMILY.process:
      words[0] = node(a);
      if (words[0] === GONE) return null;
      break;
    case FAMILY.operation:
    case FAMILY.choice: {
      // Of a client's setup: as many clients have one as there are clients.
      if (identity.family === FAMILY.operation && d === 1) break;
      const moved = operation(a, b);
      if (moved === null) return null;
      words[0] = moved.client;
      words[1] = moved.index;
      break;
    }
    default:
  }
  return { ...identity, words };
}

function movedFaults(faults: readonly FaultEvent[], node: Move, replicas: number): FaultEvent[] {
  const moved: FaultEvent[] = [];
  for (const fault of faults) {
    const one = movedFault(fault, node, replicas);
    if (one !== null) moved.push(one);
  }
  return moved;
}

/** Null: nothing is left of it. */
function movedFault(fault: FaultEvent, move: Move, replicas: number): FaultEvent | null {
  if (fault.kind === 'partition') {
    const links: number[] = [];
    for (let i = 0; i < fault.links.length; i += 2) {
      const [from, to] = [move(fault.links[i] as number), move(fault.links[i + 1] as number)];
      if (from !== GONE && to !== GONE) links.push(from, to);
    }
    return links.length === 0 ? null : { ...fault, links };
  }
  if (fault.kind === 'restart_all') return { ...fault, down: fault.down.slice(0, replicas) };
  if (fault.node < 0) return fault; // Symbolic: falls on whom it falls.
  const node = move(fault.node);
  if (node === GONE) return null;
  if (fault.kind !== 'clog') return { ...fault, node };
  const peer = move(fault.peer);
  return peer === GONE ? null : { ...fault, node, peer };
}
