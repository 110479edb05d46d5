/**
 * From a scenario and a seed to a plan: plain JSON-able data in which every option and every fault
 * event is resolved before anything runs. A run is a pure function of (code, plan).
 *
 * Probabilities are integers in parts per million, times integer microseconds. What a plan does
 * not hold (is this very message lost?) is a keyed hash of `seed` and the identity of the thing
 * decided, see decide.ts, and can be overruled one by one in `decisions`.
 */
import seedrandom from 'seedrandom';
import { type PlainData } from '../bundles/format.ts';
import {
  CHECKSUM_ALGORITHM,
  CONFIG_SMALL,
  assertConfig,
  type ChecksumAlgorithm,
  type ClusterConfig,
} from '../core/constants.ts';
import { Prng, seedOfText, type Seed } from '../core/prng.ts';
import { scheduleFaults, type FaultEvent, type FaultSchedule } from './faults/schedule.ts';
import { draw, ends, type Ppm, type Range } from './range.ts';

/** Everything the simulator can do to a cluster; each is counted: attempted, applied, observed. */
export const FAULT_CLASSES = [
  // Network, decided per message.
  'loss',
  'duplication',
  'corruption',
  'overflow',
  // Network, scheduled.
  'partition',
  'clog',
  // Process, scheduled.
  'crash',
  'restart_all',
  'pause',
  // Storage, decided at a crash, per sector that was not durable.
  'lost_write',
  'torn_write',
  'garbage_write',
  // Storage, scheduled.
  'bit_rot',
  'latent_sector',
  'io_error',
  'slow_disk',
  // Clock.
  'clock_skew',
  'clock_jump',
] as const;
export type FaultClass = (typeof FAULT_CLASSES)[number];

export interface NetworkProfile {
  /** One-way delay: a minimum per run, plus an exponential part of this mean. Reorders by itself. */
  readonly delayMinMicros: Range;
  readonly delayMeanMicros: Range;
  /** Each directed link's delays are scaled by a factor of its own within ± this percentage. */
  readonly linkSpreadPercent?: Range;
  readonly lossPpm?: Range;
  readonly duplicationPpm?: Range;
  /** Flips 1 to 8 bits anywhere in the message. */
  readonly corruptionPpm?: Range;
  /** Packets in flight per directed link, those of a clogged link included. Default 1000. */
  readonly linkCapacity?: Range;
}

export interface StorageProfile {
  readonly readMinMicros: Range;
  readonly readMeanMicros: Range;
  readonly writeMinMicros: Range;
  readonly writeMeanMicros: Range;
  readonly syncMinMicros: Range;
  readonly syncMeanMicros: Range;
  /** At a crash: share of the sectors not yet durable that are lost (the rest is kept). */
  readonly lostPpm?: Range;
  /** Share of the unfinished writes of several sectors whose sectors are decided one by one. */
  readonly tornPpm?: Range;
  /** Share of the sectors in unfinished writes that end as garbage. */
  readonly garbagePpm?: Range;
}

export interface ClockProfile {
  /** Wall clock's distance from true time, either way. */
  readonly offsetMicros: Range;
  /** Rate error of a node's clocks, either way. */
  readonly driftPpm: Range;
}

/** A weight, or choices of which one is drawn per run. */
export type Weight = number | readonly number[];

export interface WorkloadProfile {
  readonly tenants: Range;
  /** Streams per tenant that exist from the beginning. */
  readonly streams: Range;
  readonly weights: {
    readonly append: Weight;
    readonly read: Weight;
    readonly streamInfo?: Weight;
    readonly listStreams?: Weight;
    readonly createTenant?: Weight;
    readonly createStream?: Weight;
    readonly deleteStream?: Weight;
  };
  readonly eventsPerAppend: Range;
  readonly payloadBytes: Range;
  /** Share of appends with the client's best knowledge of the offset, and with an outdated one. */
  readonly expectedExactPpm?: Range;
  readonly expectedStalePpm?: Range;
  /** Share of appends that carry an idempotency id. */
  readonly idempotentPpm?: Range;
  /** Share of those that the client issues again as a new request with the same id. */
  readonly reissuePpm?: Range;
  /**
   * Between a reply and the next operation: 0 for a closed loop without rest; `spread`: such that
   * the operations last about as long as the fault phase.
   */
  readonly thinkMicros: Range | 'spread';
  /** Share of operations after which the client rests for `idleMicros`. */
  readonly idlePpm?: Range;
  readonly idleMicros?: Range;
}

/** What a run must have done, or it is vacuous. Names: see counters.ts. */
export interface Gate {
  readonly counter: string;
  readonly min?: number;
  readonly max?: number;
  /** With it, the gate is judged over a batch: this share of the seeds must meet it. */
  readonly sharePpm?: Ppm;
}

export interface ScenarioOptions {
  /** The system that it is about. Left out: Kimberlite. */
  readonly system?: string;
  /** Data for the nodes and clients of a system of one's own; Kimberlite takes none. */
  readonly settings?: PlainData;
  readonly name: string;
  /** One sentence for `vopr scenarios`. */
  readonly summary: string;
  /** One of these is drawn. */
  readonly replicas: readonly number[];
  readonly clients: Range;
  readonly operationsPerClient: Range;
  /** Length of the fault phase in virtual time. */
  readonly faultMicros: Range;
  /** Limit of the heal phase. Default 60 s. */
  readonly healMicros?: number;
  /** Clients go on in the heal phase until they have had this many answers in all. Default 0. */
  readonly repliesMin?: number;
  /** The run stops (and is vacuous) beyond this many events. Default 5 million. */
  readonly eventsMax?: number;
  /** Over `CONFIG_SMALL`. */
  readonly config?: Partial<ClusterConfig>;
  /** Classes of which each is on with probability 1/2 in a run; those not listed are always on. */
  readonly swarm?: readonly FaultClass[];
  readonly network: NetworkProfile;
  readonly storage: StorageProfile;
  readonly clock?: ClockProfile;
  readonly faults?: FaultSchedule;
  readonly workload: WorkloadProfile;
  readonly gates: readonly Gate[];
  /** Ids of the checkers that must have compared something. Default: all in the registry. */
  readonly invariants?: readonly string[];
}

// --- The plan ---

/** Every value resolved; names and units as in the profiles. */
export interface NetworkPlan {
  readonly delayMinMicros: number;
  readonly delayMeanMicros: number;
  readonly linkSpreadPercent: number;
  readonly lossPpm: Ppm;
  readonly duplicationPpm: Ppm;
  readonly corruptionPpm: Ppm;
  readonly linkCapacity: number;
}

export interface StoragePlan {
  readonly readMinMicros: number;
  readonly readMeanMicros: number;
  readonly writeMinMicros: number;
  readonly writeMeanMicros: number;
  readonly syncMinMicros: number;
  readonly syncMeanMicros: number;
  readonly lostPpm: Ppm;
  readonly tornPpm: Ppm;
  readonly garbagePpm: Ppm;
}

/** One node's clocks; replicas first, then clients. */
export interface ClockPlan {
  readonly offsetMicros: number;
  readonly driftPpm: number;
}

export interface WorkloadPlan {
  readonly clients: number;
  readonly operationsPerClient: number;
  readonly tenants: number;
  readonly streams: number;
  readonly appendWeight: number;
  readonly readWeight: number;
  readonly streamInfoWeight: number;
  readonly listStreamsWeight: number;
  readonly createTenantWeight: number;
  readonly createStreamWeight: number;
  readonly deleteStreamWeight: number;
  readonly eventsPerAppend: readonly [number, number];
  readonly payloadBytes: readonly [number, number];
  readonly expectedExactPpm: Ppm;
  readonly expectedStalePpm: Ppm;
  readonly idempotentPpm: Ppm;
  readonly reissuePpm: Ppm;
  readonly thinkMicros: readonly [number, number];
  readonly idlePpm: Ppm;
  readonly idleMicros: readonly [number, number];
  /** `client * 2^20 + index` of operations that are left out (the minimiser's list). */
  readonly omitted: readonly number[];
  /** Clients that never start, so that the others keep their numbers. Default: none. */
  readonly absent?: readonly number[];
}

/**
 * Overrules one decision made by hash. `key` is the decision's identity as `World.decisionsTaken`
 * lists it; `value` is what that domain of decide.ts shall yield: of a chance, 0 vetoes, 1 forces.
 */
export interface PinnedDecision {
  readonly domain: string;
  readonly key: number;
  readonly value: number;
}

export interface Plan {
  readonly version: 1;
  /** Left out: Kimberlite. */
  readonly system?: string;
  /** What the system's own code is told: see `ScenarioOptions`. */
  readonly settings?: PlainData;
  readonly scenario: string;
  /** As given by the user. */
  readonly seed: string;
  readonly seedWords: Seed;
  readonly replicaCount: number;
  readonly config: ClusterConfig;
  readonly network: NetworkPlan;
  readonly storage: StoragePlan;
  readonly clocks: readonly ClockPlan[];
  readonly workload: WorkloadPlan;
  /** Sorted by time. */
  readonly faults: readonly FaultEvent[];
  readonly decisions: readonly PinnedDecision[];
  readonly faultMicros: number;
  /**
   * The heal phase begins right after this event, if no later than at `faultMicros`; 0: before the
   * first. Left out: at `faultMicros`. How `vopr bisect` says that a prefix is enough.
   */
  readonly healAfterEvent?: number;
  readonly healMicros: number;
  readonly repliesMin: number;
  readonly eventsMax: number;
  /** Fault classes that the swarm draw left on. */
  readonly enabled: readonly FaultClass[];
  readonly gates: readonly Gate[];
  /** Empty: all. */
  readonly invariants: readonly string[];
}

const HEAL_MICROS = 60_000_000;
const EVENTS_MAX = 5_000_000;
const LINK_CAPACITY = 1000;

/** Four words of a number or of any text. Digits alone mean the number. */
export function seedWords(seed: string): Seed {
  if (/^[0-9]{1,15}$/.test(seed)) return seedOfText(String(Number(seed)));
  const stream = seedrandom(seed);
  return [stream.int32() >>> 0, stream.int32() >>> 0, stream.int32() >>> 0, stream.int32() >>> 0];
}

/** A fixed share of the seeds runs with production checksums; BLAKE3 makes a run six times as slow. */
function drawChecksum(rng: Prng): ChecksumAlgorithm {
  const ticket = rng.below(256);
  if (ticket === 0) return CHECKSUM_ALGORITHM.blake3;
  return ticket < 16 ? CHECKSUM_ALGORITHM.sha256 : CHECKSUM_ALGORITHM.fast128;
}

/** Pure. Each part draws from a stream of its own, so a new option moves no other's values. */
export function makePlan(scenario: ScenarioOptions, seed: number | string): Plan {
  const text = String(seed);
  const words = seedWords(text);
  const root = new Prng(words).fork('plan');
  const checksumAlgorithm = drawChecksum(root.fork('checksum'));
  const config = Object.freeze({ ...CONFIG_SMALL, checksumAlgorithm, ...scenario.config });
  assertConfig(config);

  const enabled = drawSwarm(root.fork('swarm'), scenario);
  const on = (name: FaultClass): boolean => enabled.includes(name);

  const shape = root.fork('shape');
  const replicaCount = scenario.replicas[shape.below(scenario.replicas.length)] as number;
  const clients = draw(shape, scenario.clients);
  const operationsPerClient = draw(shape, scenario.operationsPerClient);
  const faultMicros = draw(shape, scenario.faultMicros);

  return deepFreeze({
    version: 1,
    ...(scenario.system === undefined ? {} : { system: scenario.system }),
    ...(scenario.settings === undefined ? {} : { settings: scenario.settings }),
    scenario: scenario.name,
    seed: text,
    seedWords: words,
    replicaCount,
    config,
    network: planNetwork(root.fork('network'), scenario.network, on),
    storage: planStorage(root.fork('storage'), scenario.storage, on),
    clocks: planClocks(
      root.fork('clock'),
      on('clock_skew') ? scenario.clock : undefined,
      replicaCount + clients,
    ),
    workload: planWorkload(
      root.fork('workload'),
      scenario.workload,
      config,
      clients,
      operationsPerClient,
      faultMicros,
    ),
    faults: scheduleFaults({
      rng: root.fork('faults'),
      schedule: scenario.faults ?? {},
      enabled,
      replicaCount,
      clientCount: clients,
      faultMicros,
    }),
    decisions: [],
    faultMicros,
    healMicros: scenario.healMicros ?? HEAL_MICROS,
    repliesMin: scenario.repliesMin ?? 0,
    eventsMax: scenario.eventsMax ?? EVENTS_MAX,
    enabled,
    gates: scenario.gates,
    invariants: scenario.invariants ?? [],
  });
}

/** A class is enabled when it is not up for the draw or wins it. One draw a class, listed or not. */
function drawSwarm(rng: Prng, scenario: ScenarioOptions): FaultClass[] {
  const enabled: FaultClass[] = [];
  for (const name of FAULT_CLASSES) {
    const wins = rng.below(2) === 1;
    if (scenario.swarm?.includes(name) !== true || wins) enabled.push(name);
  }
  return enabled;
}

type On = (name: FaultClass) => boolean;

function planNetwork(rng: Prng, p: NetworkProfile, on: On): NetworkPlan {
  return {
    delayMinMicros: draw(rng, p.delayMinMicros),
    delayMeanMicros: draw(rng, p.delayMeanMicros),
    linkSpreadPercent: draw(rng, p.linkSpreadPercent ?? 0),
    lossPpm: drawIf(rng, p.lossPpm, on('loss')),
    duplicationPpm: drawIf(rng, p.duplicationPpm, on('duplication')),
    corruptionPpm: drawIf(rng, p.corruptionPpm, on('corruption')),
    linkCapacity: on('overflow') ? draw(rng, p.linkCapacity ?? LINK_CAPACITY) : LINK_CAPACITY,
  };
}

function planStorage(rng: Prng, p: StorageProfile, on: On): StoragePlan {
  return {
    readMinMicros: draw(rng, p.readMinMicros),
    readMeanMicros: draw(rng, p.readMeanMicros),
    writeMinMicros: draw(rng, p.writeMinMicros),
    writeMeanMicros: draw(rng, p.writeMeanMicros),
    syncMinMicros: draw(rng, p.syncMinMicros),
    syncMeanMicros: draw(rng, p.syncMeanMicros),
    lostPpm: drawIf(rng, p.lostPpm, on('lost_write')),
    tornPpm: drawIf(rng, p.tornPpm, on('torn_write')),
    garbagePpm: drawIf(rng, p.garbagePpm, on('garbage_write')),
  };
}

function planClocks(rng: Prng, p: ClockProfile | undefined, nodes: number): ClockPlan[] {
  const clocks: ClockPlan[] = [];
  for (let i = 0; i < nodes; i++) {
    if (p === undefined) {
      clocks.push({ offsetMicros: 0, driftPpm: 0 });
      continue;
    }
    const signs = rng.below(4);
    clocks.push({
      offsetMicros: draw(rng, p.offsetMicros) * ((signs & 1) === 0 ? 1 : -1),
      driftPpm: draw(rng, p.driftPpm) * ((signs & 2) === 0 ? 1 : -1),
    });
  }
  return clocks;
}

function planWorkload(
  rng: Prng,
  p: WorkloadProfile,
  config: ClusterConfig,
  clients: number,
  operationsPerClient: number,
  faultMicros: number,
): WorkloadPlan {
  const tenants = Math.min(draw(rng, p.tenants), config.tenantsMax);
  const streams = Math.min(draw(rng, p.streams), Math.floor(config.streamsMax / tenants));
  // Twice the mean rest; the answers take their time, too.
  const spreadMax = Math.floor((faultMicros * 1.7) / Math.max(1, operationsPerClient));
  return {
    clients: Math.min(clients, config.clientsMax),
    operationsPerClient,
    tenants,
    streams,
    appendWeight: drawWeight(rng, p.weights.append),
    readWeight: drawWeight(rng, p.weights.read),
    streamInfoWeight: drawWeight(rng, p.weights.streamInfo),
    listStreamsWeight: drawWeight(rng, p.weights.listStreams),
    createTenantWeight: drawWeight(rng, p.weights.createTenant),
    createStreamWeight: drawWeight(rng, p.weights.createStream),
    deleteStreamWeight: drawWeight(rng, p.weights.deleteStream),
    eventsPerAppend: ends(p.eventsPerAppend),
    payloadBytes: ends(p.payloadBytes),
    expectedExactPpm: draw(rng, p.expectedExactPpm ?? 300_000),
    expectedStalePpm: draw(rng, p.expectedStalePpm ?? 50_000),
    idempotentPpm: draw(rng, p.idempotentPpm ?? 300_000),
    reissuePpm: draw(rng, p.reissuePpm ?? 100_000),
    thinkMicros: p.thinkMicros === 'spread' ? [0, spreadMax] : ends(p.thinkMicros),
    idlePpm: draw(rng, p.idlePpm ?? 0),
    idleMicros: ends(p.idleMicros ?? 0),
    omitted: [],
  };
}

/** Draws always; yields 0 when the class is off. */
function drawIf(rng: Prng, range: Range | undefined, enabled: boolean): number {
  const value = draw(rng, range ?? 0);
  return enabled ? value : 0;
}

function drawWeight(rng: Prng, weight: Weight | undefined): number {
  const bits = rng.u32();
  if (weight === undefined) return 0;
  if (typeof weight === 'number') return weight;
  return weight[bits % weight.length] as number;
}

/** Constants all the way down: nobody changes a plan, and snapshots need not look inside. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const part of Object.values(value)) deepFreeze(part);
  return Object.freeze(value);
}
