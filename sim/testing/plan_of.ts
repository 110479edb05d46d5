/**
 * Plans written by hand, or by the minimiser: what is not said is as in plain_plan.ts. `planOf`
 * makes the plan, `optionsOf` says how one could have been written.
 *
 *   planOf({ seed: 7, clients: 2, operations: 3,
 *     faults: [{ kind: 'crash', at: 40_000, node: 1, down: 500_000 }],
 *     decisions: ['loss of C0 -> R0 request, view 0, session 3, request 1'] })
 *
 * Times are microseconds of virtual time, probabilities parts per million.
 */
import { parseDecision } from '../../bundles/decision_parse.ts';
import { type PlainData } from '../../bundles/format.ts';
import { REPLICAS_MAX, type ClusterConfig } from '../../core/constants.ts';
import { DOMAIN, Decisions } from '../decide.ts';
import { type FaultEvent } from '../faults/schedule.ts';
import { decisionNames } from '../identity.ts';
import {
  deepFreeze,
  seedWords,
  type ClockPlan,
  type NetworkPlan,
  type PinnedDecision,
  type Plan,
  type StoragePlan,
  type WorkloadPlan,
} from '../plan.ts';
import { planProblem } from '../plan_check.ts';
import { type System } from '../system.ts';
import { systemOf } from '../system_registry.ts';
import { PLAIN_WORDS } from '../words.ts';
import { OMITTED_STRIDE } from '../workload/operations.ts';
import {
  PLAIN_CLOCK,
  PLAIN_CONFIG,
  PLAIN_EVENTS_MAX,
  PLAIN_FAULT_MICROS,
  PLAIN_HEAL_MICROS,
  PLAIN_NETWORK,
  PLAIN_REPLICAS,
  PLAIN_STORAGE,
  PLAIN_WORKLOAD,
} from './plain_plan.ts';

/** Of each kind of fault the fields that may be left out, and what they are then. */
const PLAIN_FAULTS = {
  partition: { lasts: 1_000_000 },
  isolate: { lasts: 1_000_000, direction: 'both' },
  clog: { lasts: 1_000_000, direction: 'out' },
  crash: { down: 100_000, duringWrite: false, downMax: REPLICAS_MAX },
  restart_all: {},
  pause: { lasts: 1_000_000 },
  bit_rot: { pick: 0, sectors: 1 },
  latent_sector: { pick: 0, sectors: 1 },
  io_error: { operation: 'write', down: 100_000 },
  slow_disk: { lasts: 1_000_000, factor: 10 },
  clock_jump: {},
} as const satisfies { readonly [K in FaultEvent['kind']]: Partial<FaultOf<K>> };

type FaultOf<K extends FaultEvent['kind']> = Extract<FaultEvent, { kind: K }>;
type Optional<T, K> = Omit<T, K & keyof T> & Partial<Pick<T, K & keyof T>>;

/** A fault event of which some fields may be left out. */
export type FaultOptions = {
  [K in FaultEvent['kind']]: Optional<FaultOf<K>, keyof (typeof PLAIN_FAULTS)[K]>;
}[FaultEvent['kind']];

/** In the words of `decisionText`, or by key; `value` is 1 when left out: it happens. */
export type PinOptions = string | Optional<PinnedDecision, 'value'>;

export interface PlanOptions {
  /** One's own, or its name; left out: Kimberlite. With what its scenario gave as `settings`. */
  readonly system?: Pick<System, 'name' | 'words'> | string;
  readonly settings?: PlainData;
  /** For people: the scenario that it was found in. */
  readonly scenario?: string;
  readonly seed?: number | string;
  readonly replicas?: number;
  readonly clients?: number;
  /** So many for each client; or of each client, which ones, by index. */
  readonly operations?: number | readonly (readonly number[])[];
  /** Numbers of clients that never start. */
  readonly absent?: readonly number[];
  readonly config?: Partial<ClusterConfig>;
  readonly network?: Partial<NetworkPlan>;
  readonly storage?: Partial<StoragePlan>;
  /** By node, replicas first. */
  readonly clocks?: Readonly<Record<number, Partial<ClockPlan>>>;
  readonly workload?: Partial<Omit<WorkloadPlan, 'clients' | 'operationsPerClient' | 'omitted' | 'absent'>>;
  readonly faults?: readonly FaultOptions[];
  readonly decisions?: readonly PinOptions[];
  readonly faultMicros?: number;
  readonly healAfterEvent?: number;
  readonly healMicros?: number;
  /** Clients go on in the heal phase until they have had this many answers in all. */
  readonly repliesMin?: number;
  readonly eventsMax?: number;
  /** Checkers that must have compared something. */
  readonly invariants?: readonly string[];
}

/** Throws when what is asked for is no plan, and says why. */
export function planOf(options: PlanOptions): Plan {
  const { system } = options;
  const seed = String(options.seed ?? 1);
  const replicaCount = options.replicas ?? PLAIN_REPLICAS;
  const listed = typeof options.operations === 'object' ? options.operations : null;
  const clients = options.clients ?? listed?.length ?? PLAIN_WORKLOAD.clients;
  const plan: Plan = {
    version: 1,
    ...(system === undefined ? {} : { system: typeof system === 'string' ? system : system.name }),
    ...(options.settings === undefined ? {} : { settings: options.settings }),
    scenario: options.scenario ?? 'plain',
    seed,
    seedWords: seedWords(seed),
    replicaCount,
    config: { ...PLAIN_CONFIG, ...options.config },
    network: { ...PLAIN_NETWORK, ...options.network },
    storage: { ...PLAIN_STORAGE, ...options.storage },
    clocks: Array.from({ length: replicaCount + clients }, (_, node) => ({
      ...PLAIN_CLOCK,
      ...options.clocks?.[node],
    })),
    workload: {
      ...PLAIN_WORKLOAD,
      ...options.workload,
      clients,
      ...(listed === null
        ? { operationsPerClient: (options.operations ?? PLAIN_WORKLOAD.operationsPerClient) as number }
        : onlyOperations(listed)),
      ...(options.absent === undefined ? {} : { absent: options.absent }),
    },
    faults: (options.faults ?? []).map(faultOf).sort((a, b) => a.at - b.at),
    decisions: (options.decisions ?? []).map((pin) => pinOf(pin, system, seed, replicaCount)),
    faultMicros: options.faultMicros ?? PLAIN_FAULT_MICROS,
    ...(options.healAfterEvent === undefined ? {} : { healAfterEvent: options.healAfterEvent }),
    healMicros: options.healMicros ?? PLAIN_HEAL_MICROS,
    repliesMin: options.repliesMin ?? 0,
    eventsMax: options.eventsMax ?? PLAIN_EVENTS_MAX,
    enabled: [],
    gates: [],
    invariants: options.invariants ?? [],
  };
  const problem = planProblem(plan);
  if (problem !== null) throw new Error(`no plan: ${problem}`);
  return deepFreeze(plan);
}

function pinOf(
  pin: PinOptions,
  system: PlanOptions['system'],
  seed: string,
  replicaCount: number,
): PinnedDecision {
  if (typeof pin !== 'string') return { value: 1, ...pin };
  const named = typeof system === 'string' ? { system } : {};
  const { words = PLAIN_WORDS } = typeof system === 'object' ? system : systemOf(named);
  const { domain, value, identity } = parseDecision(pin, decisionNames(DOMAIN, words.commands, replicaCount));
  return { domain, key: new Decisions(seedWords(seed), []).keyOf(identity) >>> 0, value };
}

/** With what is plain of its kind. */
export function faultOf(fault: FaultOptions): FaultEvent {
  return { ...PLAIN_FAULTS[fault.kind], ...fault } as FaultEvent;
}

/** The operations of each client that are kept, as a plan says it: a length and what is left out. */
export function onlyOperations(
  kept: readonly (readonly number[])[],
): Pick<WorkloadPlan, 'operationsPerClient' | 'omitted'> {
  const operationsPerClient = Math.max(0, ...kept.flat().map((index) => index + 1));
  const omitted: number[] = [];
  kept.forEach((indices, client) => {
    const keeps = new Set(indices);
    for (let index = 0; index < operationsPerClient; index++) {
      if (!keeps.has(index)) omitted.push(client * OMITTED_STRIDE + index);
    }
  });
  return { operationsPerClient, omitted };
}

/** Of each client, the indices of the operations that a plan does not leave out; none of the absent. */
export function operationsOf({ workload }: Plan): number[][] {
  const omitted = new Set(workload.omitted);
  return Array.from({ length: workload.clients }, (_, client) => {
    const indices: number[] = [];
    if (workload.absent?.includes(client) === true) return indices;
    for (let index = 0; index < workload.operationsPerClient; index++) {
      if (!omitted.has(client * OMITTED_STRIDE + index)) indices.push(index);
    }
    return indices;
  });
}

/**
 * What has to be said to get this plan from `planOf`, and no more. What a plan says about its
 * scenario alone (gates, classes of the swarm) is left behind.
 */
export function optionsOf(plan: Plan): PlanOptions {
  const { clients, operationsPerClient, omitted, absent, ...workload } = plan.workload;
  const operations = operationsOf(plan);
  const counted = omitted.length === 0 || operations.every((indices, client) =>
    absent?.includes(client) === true || indices.length === operationsPerClient);
  const options: { -readonly [K in keyof PlanOptions]: PlanOptions[K] } = {
    scenario: plan.scenario,
    seed: /^(0|[1-9]\d{0,14})$/.test(plan.seed) ? Number(plan.seed) : plan.seed,
    replicas: plan.replicaCount,
    clients,
    operations: counted ? operationsPerClient : operations,
  };
  if (plan.system !== undefined) options.system = plan.system;
  if (plan.settings !== undefined) options.settings = plan.settings;
  if (absent !== undefined && absent.length > 0) options.absent = absent;
  const config = beyond(plan.config, PLAIN_CONFIG);
  if (config !== null) options.config = config;
  const network = beyond(plan.network, PLAIN_NETWORK);
  if (network !== null) options.network = network;
  const storage = beyond(plan.storage, PLAIN_STORAGE);
  if (storage !== null) options.storage = storage;
  const clocks: Record<number, Partial<ClockPlan>> = {};
  plan.clocks.forEach((clock, node) => {
    const beside = beyond(clock, PLAIN_CLOCK);
    if (beside !== null) clocks[node] = beside;
  });
  if (Object.keys(clocks).length > 0) options.clocks = clocks;
  const work = beyond(workload, PLAIN_WORKLOAD as typeof workload);
  if (work !== null) options.workload = work;
  if (plan.faults.length > 0) options.faults = plan.faults.map(faultOptionsOf);
  if (plan.decisions.length > 0) options.decisions = plan.decisions.map(pinOptionsOf);
  if (plan.faultMicros !== PLAIN_FAULT_MICROS) options.faultMicros = plan.faultMicros;
  if (plan.healAfterEvent !== undefined) options.healAfterEvent = plan.healAfterEvent;
  if (plan.healMicros !== PLAIN_HEAL_MICROS) options.healMicros = plan.healMicros;
  if (plan.repliesMin !== 0) options.repliesMin = plan.repliesMin;
  if (plan.eventsMax !== PLAIN_EVENTS_MAX) options.eventsMax = plan.eventsMax;
  if (plan.invariants.length > 0) options.invariants = plan.invariants;
  return options;
}

function faultOptionsOf(fault: FaultEvent): FaultOptions {
  const plain: Readonly<Record<string, unknown>> = PLAIN_FAULTS[fault.kind];
  const said = Object.entries(fault).filter(([name, value]) => plain[name] !== value);
  return Object.fromEntries(said) as unknown as FaultOptions;
}

function pinOptionsOf({ domain, key, value }: PinnedDecision): PinOptions {
  return value === 1 ? { domain, key } : { domain, key, value };
}

/** The fields of `values` that are not as in `plain`; null when all are. */
function beyond<T extends object>(values: T, plain: T): Partial<T> | null {
  const said = Object.entries(values).filter(([name, value]) => !same(value, plain[name as keyof T]));
  return said.length === 0 ? null : (Object.fromEntries(said) as Partial<T>);
}

function same(a: unknown, b: unknown): boolean {
  if (!Array.isArray(a) || !Array.isArray(b)) return a === b;
  return a.length === b.length && a.every((value, i) => value === b[i]);
}
