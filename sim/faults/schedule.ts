/**
 * The fault events of a plan: when, what, on whom, for how long. Generated from a scenario's
 * schedule before the run; targets that only the run can know (the primary) stay symbolic and are
 * resolved when the event fires.
 */
import { type Prng } from '../../core/prng.ts';
import { type FaultClass } from '../plan.ts';
import { draw, type Range } from '../range.ts';

/** Who is hit. `any` draws a replica when the plan is made; the others are resolved in the run. */
export type Target = 'any' | 'primary' | 'next_primary' | 'backup';

/** Symbolic nodes in a plan. */
export const NODE = { primary: -1, nextPrimary: -2, backup: -3 } as const;

export type PartitionShape =
  /** Two sides, their sizes uniform. */
  | 'uniform_size'
  /** Each replica on a side by a coin. */
  | 'uniform_partition'
  | 'isolate_any'
  | 'isolate_primary'
  | 'isolate_next_primary'
  /** Two sides that hear each other only through one replica of both. */
  | 'bridge'
  /** Each replica hears only its neighbours. */
  | 'ring';

/** `count` events at uniform times in the fault phase, each lasting `lastsMicros`. */
interface Generator {
  readonly count: Range;
  /** No event before this time. Default 0. */
  readonly afterMicros?: number;
}

export interface FaultSchedule {
  readonly partitions?: Generator & {
    readonly lastsMicros: Range;
    readonly shapes: readonly PartitionShape[];
    /** `coin` draws one of the two for each partition. */
    readonly symmetry: 'symmetric' | 'asymmetric' | 'coin';
    /** Clients are cut off with the side they fall on. Default: clients reach everyone. */
    readonly clientsToo?: boolean;
  };
  /** Single directed links, held and released: packets are late, not lost. */
  readonly clogs?: Generator & {
    readonly lastsMicros: Range;
    /** One end of the link. */
    readonly targets: readonly Target[];
  };
  /** A random subset of links clogged one by one and released in another order. */
  readonly swizzles?: Generator & {
    readonly links: Range;
    readonly stepMicros: Range;
    readonly holdMicros: Range;
  };
  readonly crashes?: Generator & {
    readonly targets: readonly Target[];
    readonly downMicros: Range;
    /** Share of crashes that wait for the target's next write and hit while it is in flight. */
    readonly duringWritePpm?: Range;
    /** Skipped when already this many replicas are down. Default: no limit. */
    readonly downMax?: number;
  };
  /** Power loss of the whole cluster; each replica comes back after its own delay. */
  readonly restartsAll?: Generator & { readonly downMicros: Range };
  readonly pauses?: Generator & { readonly targets: readonly Target[]; readonly lastsMicros: Range };
  /** Each event rots 1 to 8 bits in `sectors` sectors of one chunk that the atlas allows. */
  readonly bitRot?: Generator & { readonly targets: readonly Target[]; readonly sectors: Range };
  readonly latentSectors?: Generator & {
    readonly targets: readonly Target[];
    readonly sectors: Range;
  };
  /** The target's next read, write or sync fails; the replica must stop, and restarts. */
  readonly ioErrors?: Generator & { readonly targets: readonly Target[] };
  readonly slowDisks?: Generator & {
    readonly targets: readonly Target[];
    readonly lastsMicros: Range;
    readonly factor: Range;
  };
  readonly clockJumps?: Generator & {
    readonly targets: readonly Target[];
    readonly byMicros: Range;
  };
}

/**
 * One fault, as data. `at` and durations in microseconds of true time. `node` is a replica or a
 * `NODE`; `pick` is the key for what is left to choose when it fires (which chunk, which backup).
 */
export type FaultEvent =
  | { readonly kind: 'partition'; readonly at: number; readonly lasts: number;
      /** Directed links cut: pairs (from, to) in sequence. */
      readonly links: readonly number[] }
  | { readonly kind: 'isolate'; readonly at: number; readonly lasts: number; readonly node: number;
      readonly direction: 'both' | 'in' | 'out' }
  | { readonly kind: 'clog'; readonly at: number; readonly lasts: number; readonly node: number;
      readonly peer: number; readonly direction: 'in' | 'out' }
  | { readonly kind: 'crash'; readonly at: number; readonly down: number; readonly node: number;
      readonly duringWrite: boolean; readonly downMax: number }
  | { readonly kind: 'restart_all'; readonly at: number; readonly down: readonly number[] }
  | { readonly kind: 'pause'; readonly at: number; readonly lasts: number; readonly node: number }
  | { readonly kind: 'bit_rot'; readonly at: number; readonly node: number; readonly pick: number;
      readonly sectors: number }
  | { readonly kind: 'latent_sector'; readonly at: number; readonly node: number;
      readonly pick: number; readonly sectors: number }
  | { readonly kind: 'io_error'; readonly at: number; readonly node: number;
      readonly operation: 'read' | 'write' | 'sync'; readonly down: number }
  | { readonly kind: 'slow_disk'; readonly at: number; readonly lasts: number; readonly node: number;
      readonly factor: number }
  | { readonly kind: 'clock_jump'; readonly at: number; readonly node: number; readonly by: number };

interface Context {
  readonly rng: Prng;
  readonly schedule: FaultSchedule;
  readonly enabled: readonly FaultClass[];
  readonly replicaCount: number;
  readonly clientCount: number;
  readonly faultMicros: number;
}

/** All events of a run, sorted by time (ties by generation, which is stable). */
export function scheduleFaults(c: Context): FaultEvent[] {
  const events: FaultEvent[] = [];
  const s = c.schedule;
  const generate = (
    name: FaultClass,
    label: string,
    generator: Generator | undefined,
    make: (rng: Prng, at: number) => void,
  ): void => {
    if (generator === undefined || !c.enabled.includes(name)) return;
    const rng = c.rng.fork(label);
    const count = draw(rng, generator.count);
    const after = Math.min(generator.afterMicros ?? 0, c.faultMicros);
    for (let i = 0; i < count; i++) {
      // A stream of its own for each event: changing one leaves the others as they were.
      const own = rng.fork(String(i));
      make(own, draw(own, [after, c.faultMicros]));
    }
  };

  generate('partition', 'partitions', s.partitions, (rng, at) => {
    const p = s.partitions as NonNullable<typeof s.partitions>;
    const lasts = draw(rng, p.lastsMicros);
    const shape = p.shapes[rng.below(p.shapes.length)] as PartitionShape;
    const coin = rng.below(2) === 1;
    const symmetric = p.symmetry === 'symmetric' || (p.symmetry === 'coin' && coin);
    events.push(partition(rng, c, { at, lasts, shape, symmetric, clientsToo: p.clientsToo === true }));
  });
  generate('clog', 'clogs', s.clogs, (rng, at) => {
    const p = s.clogs as NonNullable<typeof s.clogs>;
    const node = target(rng, c, p.targets);
    const peer = rng.below(c.replicaCount);
    const direction = rng.below(2) === 0 ? 'in' : 'out';
    events.push({ kind: 'clog', at, lasts: draw(rng, p.lastsMicros), node, peer, direction });
  });
  generate('clog', 'swizzles', s.swizzles, (rng, at) => {
    const p = s.swizzles as NonNullable<typeof s.swizzles>;
    swizzle(rng, c, at, draw(rng, p.links), draw(rng, p.stepMicros), draw(rng, p.holdMicros), events);
  });
  generate('crash', 'crashes', s.crashes, (rng, at) => {
    const p = s.crashes as NonNullable<typeof s.crashes>;
    const node = target(rng, c, p.targets);
    const duringWrite = rng.below(1_000_000) < draw(rng, p.duringWritePpm ?? 0);
    const downMax = p.downMax ?? c.replicaCount;
    events.push({ kind: 'crash', at, down: draw(rng, p.downMicros), node, duringWrite, downMax });
  });
  generate('restart_all', 'restartsAll', s.restartsAll, (rng, at) => {
    const p = s.restartsAll as NonNullable<typeof s.restartsAll>;
    const down: number[] = [];
    for (let i = 0; i < c.replicaCount; i++) down.push(draw(rng, p.downMicros));
    events.push({ kind: 'restart_all', at, down });
  });
  generate('pause', 'pauses', s.pauses, (rng, at) => {
    const p = s.pauses as NonNullable<typeof s.pauses>;
    events.push({ kind: 'pause', at, lasts: draw(rng, p.lastsMicros), node: target(rng, c, p.targets) });
  });
  generate('bit_rot', 'bitRot', s.bitRot, (rng, at) => {
    const p = s.bitRot as NonNullable<typeof s.bitRot>;
    const node = target(rng, c, p.targets);
    events.push({ kind: 'bit_rot', at, node, pick: rng.u32(), sectors: draw(rng, p.sectors) });
  });
  generate('latent_sector', 'latentSectors', s.latentSectors, (rng, at) => {
    const p = s.latentSectors as NonNullable<typeof s.latentSectors>;
    const node = target(rng, c, p.targets);
    events.push({ kind: 'latent_sector', at, node, pick: rng.u32(), sectors: draw(rng, p.sectors) });
  });
  generate('io_error', 'ioErrors', s.ioErrors, (rng, at) => {
    const p = s.ioErrors as NonNullable<typeof s.ioErrors>;
    const operation = (['read', 'write', 'sync'] as const)[rng.below(3)] as 'read';
    const node = target(rng, c, p.targets);
    events.push({ kind: 'io_error', at, node, operation, down: draw(rng, [10_000, 2_000_000]) });
  });
  generate('slow_disk', 'slowDisks', s.slowDisks, (rng, at) => {
    const p = s.slowDisks as NonNullable<typeof s.slowDisks>;
    const node = target(rng, c, p.targets);
    const factor = draw(rng, p.factor);
    events.push({ kind: 'slow_disk', at, lasts: draw(rng, p.lastsMicros), node, factor });
  });
  generate('clock_jump', 'clockJumps', s.clockJumps, (rng, at) => {
    const p = s.clockJumps as NonNullable<typeof s.clockJumps>;
    const node = target(rng, c, p.targets);
    const by = draw(rng, p.byMicros) * (rng.below(2) === 0 ? 1 : -1);
    events.push({ kind: 'clock_jump', at, node, by });
  });
  return events.sort((a, b) => a.at - b.at);
}

function target(rng: Prng, c: Context, targets: readonly Target[]): number {
  const name = targets[rng.below(targets.length)] as Target;
  const replica = rng.below(c.replicaCount);
  if (name === 'primary') return NODE.primary;
  if (name === 'next_primary') return NODE.nextPrimary;
  return name === 'backup' ? NODE.backup : replica;
}

interface PartitionDraw {
  readonly at: number;
  readonly lasts: number;
  readonly shape: PartitionShape;
  readonly symmetric: boolean;
  readonly clientsToo: boolean;
}

function partition(rng: Prng, c: Context, p: PartitionDraw): FaultEvent {
  const { at, lasts } = p;
  const oneWay = rng.below(2) === 0 ? ('in' as const) : ('out' as const);
  const direction = p.symmetric ? ('both' as const) : oneWay;
  if (p.shape === 'isolate_primary') {
    return { kind: 'isolate', at, lasts, node: NODE.primary, direction };
  }
  if (p.shape === 'isolate_next_primary') {
    return { kind: 'isolate', at, lasts, node: NODE.nextPrimary, direction };
  }
  if (p.shape === 'isolate_any') {
    return { kind: 'isolate', at, lasts, node: rng.below(c.replicaCount), direction };
  }
  const cut = p.shape === 'ring' ? ringCut(c.replicaCount) : sidesCut(rng, c, p);
  const links: number[] = [];
  for (let from = 0; from < c.replicaCount; from++) {
    for (let to = 0; to < c.replicaCount; to++) {
      if (from !== to && cut(from, to)) links.push(from, to);
    }
  }
  if (links.length === 0) {
    // Everybody on one side, or a bridge over nothing: still a partition, of one replica.
    return { kind: 'isolate', at, lasts, node: rng.below(c.replicaCount), direction };
  }
  if (p.clientsToo) clientLinks(rng, c, cut, links);
  return { kind: 'partition', at, lasts, links };
}

type Cut = (from: number, to: number) => boolean;

function ringCut(count: number): Cut {
  return (from, to) => (from + 1) % count !== to && (to + 1) % count !== from;
}

/** Two sides; with `bridge` one replica belongs to both. Asymmetric: side 1 does not hear side 0. */
function sidesCut(rng: Prng, c: Context, p: PartitionDraw): Cut {
  const side = new Uint8Array(c.replicaCount);
  if (p.shape === 'uniform_partition') {
    for (let i = 0; i < c.replicaCount; i++) side[i] = rng.below(2);
  } else {
    const order = shuffled(rng, c.replicaCount);
    const size = c.replicaCount < 2 ? 0 : 1 + rng.below(c.replicaCount - 1);
    for (let i = 0; i < size; i++) side[order[i] as number] = 1;
  }
  const bridge = p.shape === 'bridge' ? rng.below(c.replicaCount) : -1;
  return (from, to) => {
    if (from === bridge || to === bridge) return false;
    if (p.symmetric) return side[from] !== side[to];
    return side[from] === 0 && side[to] === 1;
  };
}

/** Each client stands beside one replica and is cut off from whom that replica is cut off. */
function clientLinks(rng: Prng, c: Context, cut: Cut, links: number[]): void {
  for (let client = 0; client < c.clientCount; client++) {
    const beside = rng.below(c.replicaCount);
    const node = c.replicaCount + client;
    for (let replica = 0; replica < c.replicaCount; replica++) {
      if (replica === beside) continue;
      if (cut(beside, replica)) links.push(node, replica);
      if (cut(replica, beside)) links.push(replica, node);
    }
  }
}

/** FoundationDB's form: clogs come one by one and go one by one, in another order. */
function swizzle(
  rng: Prng,
  c: Context,
  at: number,
  linkCount: number,
  step: number,
  hold: number,
  events: FaultEvent[],
): void {
  const n = c.replicaCount;
  const all: number[] = [];
  for (let from = 0; from < n; from++) {
    for (let to = 0; to < n; to++) if (from !== to) all.push(from * n + to);
  }
  const chosen = shuffled(rng, all.length).slice(0, linkCount).map((i) => all[i] as number);
  const releases = shuffled(rng, chosen.length);
  chosen.forEach((link, i) => {
    const begins = at + i * step;
    const ends = at + chosen.length * step + hold + (releases[i] as number) * step;
    const node = Math.floor(link / n);
    events.push({ kind: 'clog', at: begins, lasts: ends - begins, node, peer: link % n, direction: 'out' });
  });
}

/** 0..count-1 in random order. */
function shuffled(rng: Prng, count: number): number[] {
  const order: number[] = [];
  for (let i = 0; i < count; i++) order.push(i);
  for (let i = count - 1; i > 0; i--) {
    const j = rng.below(i + 1);
    const swap = order[i] as number;
    order[i] = order[j] as number;
    order[j] = swap;
  }
  return order;
}
