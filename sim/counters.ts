/**
 * What happened in a run, counted. Gates are judged on these names:
 *
 *   run.events run.virtual_micros
 *   network.sent network.delivered network.overtaken
 *   storage.operations
 *   replica.commits replica.checkpoints replica.view_changes replica.views_live_max replica.syncs
 *   replica.crashes replica.restarts replica.recovering_head
 *   client.replies client.queries client.reissues client.evictions
 *   fault.<class>.attempted | .applied | .observed     (classes: FAULT_CLASSES in plan.ts)
 *   fault.classes_applied
 *   probe.<name>                                       (hits of a probe in core/ during this run)
 *
 * attempted: the plan or a decision called for the fault. applied: it changed something.
 * observed: a replica or client met what it left behind.
 */
import { allProbes } from '../core/probe.ts';
import { FAULT_CLASSES, type FaultClass } from './plan.ts';

/** Index of each class in the counting arrays. */
export const FAULT = Object.freeze(
  Object.fromEntries(FAULT_CLASSES.map((name, i) => [name, i])),
) as Readonly<Record<FaultClass, number>>;

export class Counters {
  readonly attempted = new Float64Array(FAULT_CLASSES.length);
  readonly applied = new Float64Array(FAULT_CLASSES.length);
  readonly observed = new Float64Array(FAULT_CLASSES.length);
  events = 0;
  sent = 0;
  delivered = 0;
  /** Deliveries after that of a packet sent later on the same link. */
  overtaken = 0;
  storageOps = 0;
  /** Ops of the canonical history. */
  commits = 0;
  checkpoints = 0;
  /** Views above 0 whose log a new primary has fixed. */
  viewChanges = 0;
  /** Most different views that running replicas were in at once. */
  viewsLiveMax = 0;
  /** Checkpoints installed by state sync. */
  syncs = 0;
  /** Processes that began on a used disk. */
  restarts = 0;
  crashes = 0;
  recoveringHead = 0;
  /** Requests and queries answered. */
  replies = 0;
  queries = 0;
  /** Appends issued again under a used idempotency id. */
  reissues = 0;
  evictions = 0;

  /** A fault that was called for, changed something, and needs no meeting to be noticed. */
  hit(fault: number): void {
    this.attempted[fault] = (this.attempted[fault] as number) + 1;
    this.applied[fault] = (this.applied[fault] as number) + 1;
  }

  attempt(fault: number): void {
    this.attempted[fault] = (this.attempted[fault] as number) + 1;
  }

  apply(fault: number): void {
    this.applied[fault] = (this.applied[fault] as number) + 1;
  }

  observe(fault: number): void {
    this.observed[fault] = (this.observed[fault] as number) + 1;
  }
}

const PLAIN: Readonly<Record<string, (c: Counters) => number>> = {
  'run.events': (c) => c.events,
  'network.sent': (c) => c.sent,
  'network.delivered': (c) => c.delivered,
  'network.overtaken': (c) => c.overtaken,
  'storage.operations': (c) => c.storageOps,
  'replica.commits': (c) => c.commits,
  'replica.checkpoints': (c) => c.checkpoints,
  'replica.view_changes': (c) => c.viewChanges,
  'replica.views_live_max': (c) => c.viewsLiveMax,
  'replica.syncs': (c) => c.syncs,
  'replica.crashes': (c) => c.crashes,
  'replica.restarts': (c) => c.restarts,
  'replica.recovering_head': (c) => c.recoveringHead,
  'client.replies': (c) => c.replies,
  'client.queries': (c) => c.queries,
  'client.reissues': (c) => c.reissues,
  'client.evictions': (c) => c.evictions,
  'fault.classes_applied': (c) => c.applied.reduce((sum, n) => sum + (n > 0 ? 1 : 0), 0),
};

/** Value of a counter by its gate name; `probes` are the hits of this run. */
export function counterValue(
  counters: Counters,
  name: string,
  virtualMicros: number,
  probes: Readonly<Record<string, number>>,
): number {
  const plain = PLAIN[name];
  if (plain !== undefined) return plain(counters);
  if (name === 'run.virtual_micros') return virtualMicros;
  if (name.startsWith('probe.')) {
    const probe = allProbes().find((candidate) => candidate.name === name.slice(6));
    if (probe !== undefined) return probes[probe.name] ?? 0;
  }
  const [family, fault, stage] = name.split('.');
  const index = FAULT[fault as FaultClass];
  if (family === 'fault' && index !== undefined) {
    if (stage === 'attempted') return counters.attempted[index] as number;
    if (stage === 'applied') return counters.applied[index] as number;
    if (stage === 'observed') return counters.observed[index] as number;
  }
  throw new Error(`no counter "${name}"`);
}

/** All three counts of every class that was called for, flat: `loss.applied` and so on. */
export function faultCounts(counters: Counters): Record<string, number> {
  const counts: Record<string, number> = {};
  FAULT_CLASSES.forEach((name, i) => {
    if (counters.attempted[i] === 0 && counters.applied[i] === 0) return;
    counts[`${name}.attempted`] = counters.attempted[i] as number;
    counts[`${name}.applied`] = counters.applied[i] as number;
    counts[`${name}.observed`] = counters.observed[i] as number;
  });
  return counts;
}
