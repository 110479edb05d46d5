/**
 * Plainer fault events: with round times, aimed at one node instead of a role, and instead of a
 * large event a smaller one that does part of the same.
 */
import { type FaultEvent } from '../../faults/schedule.ts';
import { type Plan } from '../../plan.ts';
import { faultOf, type FaultOptions } from '../../testing/plan_of.ts';
import { rounded } from './plan_numbers.ts';
import { withFaults } from './plan_edits.ts';
import { type Best } from './facts.ts';
import { type Edit } from './pass.ts';

/** Faults that were due, each aimed at the node that it fell on: the same run, said plainly. */
export function aimedFaults({ plan, facts }: Best): FaultEvent[] {
  const aimed: FaultEvent[] = [];
  plan.faults.forEach((fault, i) => {
    const node = facts.faultNodes[i] ?? -1;
    if (node < 0) return;
    aimed.push('node' in fault && fault.node < 0 ? { ...fault, node } : fault);
  });
  return aimed;
}

/** Of each fault the ladders on which it becomes plainer: its kind first, then field by field. */
export function faultLadders({ plan }: Best): Edit[][] {
  const ladders: Edit[][] = [];
  plan.faults.forEach((fault, i) => {
    ladders.push(simplerKinds(fault, plan).map((simpler) => replacing(i, () => simpler)));
    if (fault.kind === 'partition') {
      for (let link = fault.links.length - 2; link >= 0; link -= 2) {
        ladders.push([replacing(i, (now) => withoutLink(now, link))]);
      }
    }
    for (const [name, values] of plainerFields(fault)) {
      ladders.push(values.map((value) => replacing(i, (now) => withField(now, fault, name, value))));
    }
  });
  return ladders;
}

/** Times of faults on coarser and coarser grids. */
export function timeLadders({ plan }: Best): Edit[][] {
  return plan.faults.map((fault, i) =>
    [1_000_000, 100_000, 10_000, 1_000]
      .map((unit) => Math.round(fault.at / unit) * unit)
      .filter((at, k, all) => at !== fault.at && all.indexOf(at) === k)
      .map((at) => replacing(i, (now) => withField(now, fault, 'at', at))),
  );
}

type Change = (now: FaultEvent) => FaultEvent | null;

/** Changes fault `index`. Requires that no edit of the same pass moves or removes one. */
function replacing(index: number, change: Change): Edit {
  return ({ plan }) => {
    const now = plan.faults[index];
    const changed = now === undefined ? null : change(now);
    if (changed === null) return null;
    return { ...plan, faults: plan.faults.map((fault, i) => (i === index ? changed : fault)) };
  };
}

/** Null when an edit before this one made it another kind of fault. */
function withField(now: FaultEvent, was: FaultEvent, name: string, value: unknown): FaultEvent | null {
  return now.kind === was.kind ? ({ ...now, [name]: value } as FaultEvent) : null;
}

function withoutLink(now: FaultEvent, link: number): FaultEvent | null {
  if (now.kind !== 'partition' || now.links.length <= 2) return null;
  const links = now.links.filter((_, i) => i !== link && i !== link + 1);
  return links.length < now.links.length ? { ...now, links } : null;
}

function simplerKinds(fault: FaultEvent, { replicaCount }: Plan): FaultEvent[] {
  const simpler: FaultOptions[] = [];
  if (fault.kind === 'restart_all') {
    fault.down.forEach((down, node) => simpler.push({ kind: 'crash', at: fault.at, node, down }));
  } else if (fault.kind === 'partition') {
    for (let node = 0; node < replicaCount; node++) {
      simpler.push({ kind: 'isolate', at: fault.at, lasts: fault.lasts, node });
    }
  }
  return simpler.map(faultOf);
}

type Fields = readonly (readonly [name: string, values: readonly unknown[]])[];

/** Fields beside time and node, each with the values to try. */
function plainerFields(fault: FaultEvent): Fields {
  const plain = faultOf({ kind: fault.kind, at: fault.at } as FaultOptions) as unknown as Readonly<
    Record<string, unknown>
  >;
  const fields: [string, unknown[]][] = [];
  for (const [name, value] of Object.entries(fault) as [string, unknown][]) {
    if (['kind', 'at', 'node', 'peer', 'links'].includes(name)) continue;
    const values: unknown[] = [];
    if (plain[name] !== undefined) values.push(plain[name]);
    if (typeof value === 'number') values.push(...rounded(value));
    if (Array.isArray(value)) {
      const longest = Math.max(...(value as number[]));
      for (const down of [100_000, ...rounded(longest), longest]) values.push(value.map(() => down));
    }
    fields.push([name, values.filter((it) => JSON.stringify(it) !== JSON.stringify(value))]);
  }
  return fields;
}

/** In order of time again, once times have been changed. */
export function inOrder(plan: Plan): Plan {
  return withFaults(plan, plan.faults);
}
