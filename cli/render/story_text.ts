/**
 * A failing run told in words: what the cluster was, what was done to it, what happened, in order,
 * and what contradicts in the end. Of a recorder's entries only those that carry the story: what
 * clients asked, what befell nodes, links and disks, views, commits.
 */
import { type Entry } from '../../sim/recorder.ts';
import { type PlanOptions } from '../../sim/testing/plan_of.ts';
import { counted, listed } from '../numbers.ts';

export interface StoryFacts {
  readonly title: string;
  readonly invariant: string;
  readonly message: string;
  readonly event: number;
  readonly virtualMicros: number;
  readonly replicas: number;
  /** Clients that start. */
  readonly clients: number;
  readonly options: PlanOptions;
  readonly entries: readonly Entry[];
}

export function storyText(facts: StoryFacts): string {
  const { replicas, clients, invariant, message, event, virtualMicros } = facts;
  const lines = [
    facts.title,
    '',
    `${counted(replicas, 'replica')}, R0${replicas > 1 ? ` to R${replicas - 1}` : ''}, ` +
      `and ${counted(clients, 'client')}.`,
    ...circumstances(facts.options),
    '',
    ...toldEntries(facts.entries, replicas),
    '',
    `${seconds(virtualMicros)}  event ${event}: ${invariant} does not hold.`,
    `  ${message}`,
  ];
  return `${lines.join('\n')}\n`;
}

/** What the plan says beyond a plain one, as far as no entry tells it. */
function circumstances({ network, storage, clocks, workload, config }: PlanOptions): string[] {
  const said: string[] = [];
  for (const [about, fields] of Object.entries({ network, storage, workload, config })) {
    if (fields === undefined) continue;
    const values = Object.entries(fields).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
    said.push(`Not plain of the ${about}: ${listed(values)}.`);
  }
  for (const [node, clock] of Object.entries(clocks ?? {})) {
    const values = Object.entries(clock as object).map(([name, value]) => `${name} ${String(value)}`);
    said.push(`The clock of node ${node}: ${listed(values)}.`);
  }
  return said;
}

const STORAGE_FAULTS = new Set([
  'lost_write', 'torn_write', 'garbage_write', 'bit_rot', 'latent_sector', 'slow_disk', 'slow_disk_end',
  'read_failed', 'write_failed', 'flush_failed',
]);

function isTold({ kind, what, cause }: Entry): boolean {
  switch (kind) {
    case 'client':
    case 'view_change':
    case 'commit':
    case 'crash':
    case 'restart':
    case 'partition':
    case 'heal':
      return true;
    case 'storage':
      return STORAGE_FAULTS.has(what);
    case 'message':
      // What a partition keeps back is told by the partition.
      return what === 'duplicate' || (what === 'drop' && (cause === 'loss' || cause === 'overflow'));
    default:
      return false;
  }
}

function toldEntries(entries: readonly Entry[], replicas: number): string[] {
  const lane = (node: number): string => (node < replicas ? `R${node}` : `C${node - replicas}`);
  const lines: string[] = [];
  let time = '';
  for (const group of grouped(entries.filter(isTold))) {
    const [first] = group;
    const nodes = [...new Set(group.map(({ node }) => node))].filter((node) => node >= 0);
    const who = nodes.length === 0 ? '' : `${listed(nodes.map(lane))}: `;
    const now = seconds(first.virtualMicros);
    lines.push(`${now === time ? ' '.repeat(now.length) : now}  ${who}${first.text}`);
    time = now;
  }
  return lines;
}

type Group = [Entry, ...Entry[]];

/** Entries that follow each other and say the same of different nodes become one line. */
function grouped(entries: readonly Entry[]): Group[] {
  const groups: Group[] = [];
  for (const entry of entries) {
    const last = groups.at(-1);
    const [first] = last ?? [];
    const alike = first?.kind === entry.kind && first.text === entry.text && entry.node >= 0;
    if (last !== undefined && alike) last.push(entry);
    else groups.push([entry]);
  }
  return groups;
}

function seconds(micros: number): string {
  return `${(micros / 1e6).toFixed(6).padStart(12)} s`;
}
