/** Fewer replicas, clients, operations and faults: what a plan is made of. */
import { type FaultEvent } from '../../faults/schedule.ts';
import { type Plan } from '../../plan.ts';
import { decisionsOf } from './decisions_of.ts';
import { type Best } from './facts.ts';
import { OneOf, Subset, type Edit, type Pass } from './pass.ts';
import {
  operationList,
  presentClients,
  withFaults,
  withOperations,
  withPresent,
  withWorkload,
  type OperationRef,
} from './plan_edits.ts';
import { renumbered } from './renumber.ts';

/** The smallest cluster that the scenario allows. */
export function fewerReplicas({ plan }: Best, allowed: readonly number[]): Pass {
  const fewer = [...new Set(allowed)].filter((count) => count < plan.replicaCount);
  fewer.sort((a, b) => a - b);
  return new OneOf(fewer.map((replicas) => (best) => renumbered(best, { replicas })));
}

/** The first clients only. */
export function fewerClients({ plan }: Best): Pass {
  const edits: Edit[] = [];
  for (let count = 1; count < plan.workload.clients; count++) {
    const clients = Array.from({ length: count }, (_, client) => client);
    edits.push((best) => renumbered(best, { clients }));
  }
  return new OneOf(edits);
}

/** Single clients that stay away. */
export function absentClients({ plan }: Best): Pass | null {
  const present = presentClients(plan);
  return present.length < 2 ? null : new Subset(present, withPresent);
}

/** Those who are there get the first numbers. */
export function presentClientsOnly({ plan }: Best): Pass | null {
  const clients = presentClients(plan);
  if (clients.length === plan.workload.clients) return null;
  return new OneOf([(best) => renumbered(best, { clients })]);
}

/**
 * The operations of all clients given to fewer: as many as there were, or so many that the log gets
 * as long as it was, for a client's registration and setup are ops as well.
 */
export function sharedOperations({ plan, facts }: Best): Pass | null {
  const present = presentClients(plan);
  const total = operationList(plan).length;
  const setups = facts.calls.reduce((sum, count) => sum + count, 0) - total;
  const log = total + Math.max(0, setups) + present.length;
  const edits: Edit[] = [];
  for (let count = 1; count < present.length; count++) {
    const clients = present.slice(0, count);
    edits.push((best) => renumbered(best, { clients, operation: dealt(best.plan, count) }));
    const setup = Math.max(0, setups) / present.length;
    const each = Math.ceil((log - count * (1 + setup)) / count);
    if (each * count <= total) continue;
    edits.push((best) => withEach(renumbered(best, { clients, operation: dealt(best.plan, count) }), each));
  }
  return edits.length === 0 ? null : new OneOf(edits);
}

/** Giving clients' work to others must not make more of it. */
export function noMoreDecisions(before: Best, after: Best): boolean {
  return decisionsOf(after).total <= decisionsOf(before).total;
}

function dealt(plan: Plan, clients: number): (operation: OperationRef) => OperationRef {
  const places = new Map(
    operationList(plan).map(({ client, index }, place) => [`${client} ${index}`, place]),
  );
  return ({ client, index }) => {
    const place = places.get(`${client} ${index}`) ?? 0;
    return { client: place % clients, index: Math.floor(place / clients) };
  };
}

function withEach(plan: Plan, count: number): Plan {
  const list: OperationRef[] = [];
  for (let client = 0; client < plan.workload.clients; client++) {
    for (let index = 0; index < count; index++) list.push({ client, index });
  }
  return withOperations(plan, list);
}

/** The first one, two, four... operations. */
export function fewerOperations({ plan }: Best): Pass {
  const { length } = operationList(plan);
  const edits: Edit[] = [];
  for (let count = 1; count < length; count *= 2) {
    edits.push(({ plan: now }) => withOperations(now, operationList(now).slice(0, count)));
  }
  return new OneOf(edits);
}

export function neededOperations({ plan }: Best): Pass | null {
  const list = operationList(plan);
  return list.length === 0 ? null : new Subset<OperationRef>(list, withOperations);
}

const LARGE_EVENTS = [8, 8] as const;
const LARGE_PAYLOAD = [128, 128] as const;

/** A few large appends instead of many small ones, where what matters is how much was written. */
export function largerOperations({ plan }: Best): Pass | null {
  const { length } = operationList(plan);
  const edits: Edit[] = [];
  for (const divisor of [8, 4, 2]) {
    const count = Math.ceil(length / divisor);
    if (count === length) continue;
    for (const payload of [{}, { payloadBytes: LARGE_PAYLOAD }]) {
      edits.push(({ plan: now }) =>
        withWorkload(withOperations(now, operationList(now).slice(0, count)), {
          eventsPerAppend: LARGE_EVENTS,
          ...payload,
        }));
    }
  }
  return edits.length === 0 ? null : new OneOf(edits);
}

/** Larger numbers must be made up for. */
export function fewerDecisions(before: Best, after: Best): boolean {
  return decisionsOf(after).total < decisionsOf(before).total;
}

/** Each client does as many operations as it did, but its first ones. */
export function firstOperations({ plan }: Best): Pass {
  const places = new Map<string, number>();
  const next: number[] = [];
  for (const { client, index } of operationList(plan)) {
    places.set(`${client} ${index}`, next[client] ?? 0);
    next[client] = (next[client] ?? 0) + 1;
  }
  return new OneOf([
    (best) =>
      renumbered(best, {
        operation: ({ client, index }) => ({ client, index: places.get(`${client} ${index}`) ?? 0 }),
      }),
  ]);
}

export function neededKinds({ plan }: Best): Pass | null {
  const kinds = [...new Set(plan.faults.map(({ kind }) => kind))];
  if (kinds.length < 2) return null;
  return new Subset<FaultEvent['kind']>(kinds, (now, kept) =>
    withFaults(now, now.faults.filter(({ kind }) => kept.includes(kind))));
}

export function neededFaults({ plan }: Best): Pass | null {
  return plan.faults.length === 0 ? null : new Subset(plan.faults, withFaults);
}
