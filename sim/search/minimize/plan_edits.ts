/**
 * Smaller plans from a plan: some parts of one kind left out, all others as they were. Whether what
 * is left still fails is not judged here. Where other parts get other numbers by it: renumber.ts.
 */
import { type FaultEvent } from '../../faults/schedule.ts';
import { deepFreeze, type PinnedDecision, type Plan, type WorkloadPlan } from '../../plan.ts';
import { onlyOperations, operationsOf } from '../../testing/plan_of.ts';

/** A plan has a fault with its end, and a crash with its restart, as one event. */
export function withFaults(plan: Plan, faults: readonly FaultEvent[]): Plan {
  return deepFreeze({ ...plan, faults: [...faults].sort((a, b) => a.at - b.at) });
}

/** Only these clients start; the others keep their numbers, and do nothing. */
export function withPresent(plan: Plan, clients: readonly number[]): Plan {
  const { absent: _, ...workload } = plan.workload;
  const absent: number[] = [];
  for (let client = 0; client < workload.clients; client++) {
    if (!clients.includes(client)) absent.push(client);
  }
  if (absent.length === 0) return deepFreeze({ ...plan, workload });
  return deepFreeze({ ...plan, workload: { ...workload, absent } });
}

export function presentClients({ workload }: Plan): number[] {
  const present: number[] = [];
  for (let client = 0; client < workload.clients; client++) {
    if (workload.absent?.includes(client) !== true) present.push(client);
  }
  return present;
}

/** One operation of one client, by index. */
export interface OperationRef {
  readonly client: number;
  readonly index: number;
}

/** About in the order in which clients come to them; none of absent clients. */
export function operationList(plan: Plan): OperationRef[] {
  const list: OperationRef[] = [];
  operationsOf(plan).forEach((indices, client) => {
    for (const index of indices) list.push({ client, index });
  });
  return list.sort((a, b) => a.index - b.index || a.client - b.client);
}

export function withOperations(plan: Plan, list: readonly OperationRef[]): Plan {
  const kept: number[][] = Array.from({ length: plan.workload.clients }, () => []);
  for (const { client, index } of list) (kept[client] as number[]).push(index);
  return withWorkload(plan, onlyOperations(kept));
}

export function withWorkload(plan: Plan, workload: Partial<WorkloadPlan>): Plan {
  return deepFreeze({ ...plan, workload: { ...plan.workload, ...workload } });
}

export function withDecisions(plan: Plan, decisions: readonly PinnedDecision[]): Plan {
  return deepFreeze({ ...plan, decisions });
}
