/**
 * A plan that comes from a file is data of a stranger: checked field by field before a world is
 * built from it, sizes above all. What passes here may still be nonsense, but nonsense that the
 * world survives: probabilities, times and counts within bounds, nodes that exist.
 */
import { AssertionFailure } from '../core/assert.ts';
import {
  CHECKSUM_ALGORITHM,
  CONFIG_SMALL,
  REPLICAS_MAX,
  assertConfig,
  type ClusterConfig,
} from '../core/constants.ts';
import { zonesOf } from '../core/storage/data_file.ts';
import { Counters, counterValue } from './counters.ts';
import { DOMAIN } from './decide.ts';
import { FAULT_CLASSES, type Plan } from './plan.ts';

const DISK_SIZE_MAX = 512 << 20;
const CLIENTS_MAX = 64;
const LIST_MAX = 1_000_000;
const MICROS_MAX = 1e13;
const EVENTS_MAX = 1_000_000_000;
const PPM = 1_000_000;
/** As `defineSystem` takes them; messages and file names repeat it. */
const SYSTEM_NAME = /^[a-z0-9][a-z0-9_-]{0,99}$/i;

/** The first thing wrong with `value` as a plan, or null: then it is one. */
export function planProblem(value: unknown): string | null {
  try {
    checkPlan(value);
    return null;
  } catch (error) {
    if (error instanceof PlanProblem) return error.message;
    throw error;
  }
}

/** `value` as a plan; requires that `planProblem` said null. */
export function planFrom(value: unknown): Plan {
  return value as Plan;
}

class PlanProblem extends Error {}

function checkPlan(value: unknown): void {
  const plan = map(value, 'plan');
  if (plan['version'] !== 1) throw new PlanProblem(`plan: version ${String(plan['version'])}, not 1`);
  if (plan['system'] !== undefined && !SYSTEM_NAME.test(text(plan, 'system', 'plan'))) {
    throw new PlanProblem('plan: "system" is no name of a system');
  }
  text(plan, 'scenario', 'plan');
  text(plan, 'seed', 'plan');
  const words = list(plan, 'seedWords', 'plan');
  if (words.length !== 4) throw new PlanProblem('plan: "seedWords" must be four numbers');
  words.forEach((word, i) => integer(word, 0, 0xffff_ffff, `plan: "seedWords[${i}]"`));
  const replicas = number(plan, 'replicaCount', 1, REPLICAS_MAX, 'plan');
  const config = checkConfig(map(plan['config'], 'config'));
  checkNumbers(map(plan['network'], 'network'), 'network', NETWORK);
  checkNumbers(map(plan['storage'], 'storage'), 'storage', STORAGE);
  const clients = checkWorkload(map(plan['workload'], 'workload'), config);
  const clocks = list(plan, 'clocks', 'plan');
  if (clocks.length !== replicas + clients) throw new PlanProblem('plan: "clocks" must be one a node');
  clocks.forEach((clock, i) => {
    const fields = map(clock, `clocks[${i}]`);
    number(fields, 'offsetMicros', -MICROS_MAX, MICROS_MAX, `clocks[${i}]`);
    number(fields, 'driftPpm', -PPM / 2, PPM / 2, `clocks[${i}]`);
  });
  list(plan, 'faults', 'plan').forEach((fault, i) => checkFault(fault, `faults[${i}]`, replicas, clients));
  list(plan, 'decisions', 'plan').forEach((decision, i) => {
    const fields = map(decision, `decisions[${i}]`);
    const domain = text(fields, 'domain', `decisions[${i}]`);
    if (!Object.hasOwn(DOMAIN, domain)) throw new PlanProblem(`decisions[${i}]: unknown domain`);
    number(fields, 'key', 0, 0xffff_ffff, `decisions[${i}]`);
    number(fields, 'value', 0, MICROS_MAX, `decisions[${i}]`);
  });
  number(plan, 'faultMicros', 0, MICROS_MAX, 'plan');
  if (plan['healAfterEvent'] !== undefined) number(plan, 'healAfterEvent', 0, EVENTS_MAX, 'plan');
  number(plan, 'healMicros', 0, MICROS_MAX, 'plan');
  number(plan, 'repliesMin', 0, Number.MAX_SAFE_INTEGER, 'plan');
  number(plan, 'eventsMax', 1, EVENTS_MAX, 'plan');
  for (const name of list(plan, 'enabled', 'plan')) {
    if (!(FAULT_CLASSES as readonly unknown[]).includes(name)) {
      throw new PlanProblem('plan: "enabled" names an unknown class of faults');
    }
  }
  list(plan, 'gates', 'plan').forEach((gate, i) => {
    const fields = map(gate, `gates[${i}]`);
    checkCounter(text(fields, 'counter', `gates[${i}]`), `gates[${i}]`);
    for (const bound of ['min', 'max', 'sharePpm']) {
      if (fields[bound] !== undefined) number(fields, bound, 0, Number.MAX_SAFE_INTEGER, `gates[${i}]`);
    }
  });
  for (const id of list(plan, 'invariants', 'plan')) {
    if (typeof id !== 'string') throw new PlanProblem('plan: "invariants" must be names');
  }
}

function checkCounter(name: string, where: string): void {
  let value: unknown = null;
  try {
    value = counterValue(new Counters(), name, 0, {});
  } catch {
    // It throws on names that it does not know, but those of every object.
  }
  if (typeof value !== 'number') throw new PlanProblem(`${where}: no such counter`);
}

function checkConfig(fields: Fields): ClusterConfig {
  const known: readonly unknown[] = Object.values(CHECKSUM_ALGORITHM);
  for (const name of Object.keys(CONFIG_SMALL)) number(fields, name, 1, 1 << 26, 'config');
  if (!known.includes(fields['checksumAlgorithm'])) throw new PlanProblem('config: unknown checksum');
  const config = fields as unknown as ClusterConfig;
  try {
    assertConfig(config);
  } catch (error) {
    if (error instanceof AssertionFailure) throw new PlanProblem(error.message);
    throw error;
  }
  const size = zonesOf(config).end;
  if (size > DISK_SIZE_MAX || config.messageSizeMax > 1 << 20) {
    throw new PlanProblem(`config: simulated disks of ${size} bytes are too large`);
  }
  return config;
}

type Bounds = Readonly<Record<string, number>>;

const NETWORK: Bounds = {
  delayMinMicros: MICROS_MAX,
  delayMeanMicros: MICROS_MAX,
  linkSpreadPercent: 100,
  lossPpm: PPM,
  duplicationPpm: PPM,
  corruptionPpm: PPM,
  linkCapacity: 100_000,
};

const STORAGE: Bounds = {
  readMinMicros: MICROS_MAX,
  readMeanMicros: MICROS_MAX,
  writeMinMicros: MICROS_MAX,
  writeMeanMicros: MICROS_MAX,
  syncMinMicros: MICROS_MAX,
  syncMeanMicros: MICROS_MAX,
  lostPpm: PPM,
  tornPpm: PPM,
  garbagePpm: PPM,
};

const WEIGHT_MAX = 1_000_000;
const WORKLOAD: Bounds = {
  operationsPerClient: 1 << 20,
  appendWeight: WEIGHT_MAX,
  readWeight: WEIGHT_MAX,
  streamInfoWeight: WEIGHT_MAX,
  listStreamsWeight: WEIGHT_MAX,
  createTenantWeight: WEIGHT_MAX,
  createStreamWeight: WEIGHT_MAX,
  deleteStreamWeight: WEIGHT_MAX,
  expectedExactPpm: PPM,
  expectedStalePpm: PPM,
  idempotentPpm: PPM,
  reissuePpm: PPM,
  idlePpm: PPM,
};

/** Returns the number of clients. */
function checkWorkload(fields: Fields, config: ClusterConfig): number {
  checkNumbers(fields, 'workload', WORKLOAD);
  const clients = number(fields, 'clients', 0, Math.min(CLIENTS_MAX, config.clientsMax), 'workload');
  number(fields, 'tenants', 1, config.tenantsMax, 'workload');
  number(fields, 'streams', 0, config.streamsMax, 'workload');
  pair(fields, 'eventsPerAppend', 1, 4096);
  pair(fields, 'payloadBytes', 0, config.messageSizeMax);
  pair(fields, 'thinkMicros', 0, MICROS_MAX);
  pair(fields, 'idleMicros', 0, MICROS_MAX);
  for (const omitted of list(fields, 'omitted', 'workload')) {
    integer(omitted, 0, Number.MAX_SAFE_INTEGER, 'workload: "omitted"');
  }
  for (const absent of fields['absent'] === undefined ? [] : list(fields, 'absent', 'workload')) {
    integer(absent, 0, clients - 1, 'workload: "absent"');
  }
  return clients;
}

/** Fields of each kind of fault beside `kind` and `at`. */
const FAULT_FIELDS: Readonly<Record<string, readonly string[]>> = {
  partition: ['lasts', 'links'],
  isolate: ['lasts', 'node', 'direction'],
  clog: ['lasts', 'node', 'peer', 'direction'],
  crash: ['down', 'node', 'duringWrite', 'downMax'],
  restart_all: ['down'],
  pause: ['lasts', 'node'],
  bit_rot: ['node', 'pick', 'sectors'],
  latent_sector: ['node', 'pick', 'sectors'],
  io_error: ['node', 'operation', 'down'],
  slow_disk: ['lasts', 'node', 'factor'],
  clock_jump: ['node', 'by'],
};
const FAULT_WORDS = ['both', 'in', 'out', 'read', 'write', 'sync'];

function checkFault(value: unknown, where: string, replicas: number, clients: number): void {
  const fault = map(value, where);
  const kind = text(fault, 'kind', where);
  if (!Object.hasOwn(FAULT_FIELDS, kind)) throw new PlanProblem(`${where}: unknown kind of fault`);
  number(fault, 'at', 0, MICROS_MAX, where);
  for (const name of FAULT_FIELDS[kind] ?? []) {
    if (name === 'links' || (name === 'down' && kind === 'restart_all')) {
      const max = name === 'links' ? replicas + clients - 1 : MICROS_MAX;
      for (const item of list(fault, name, where)) integer(item, 0, max, `${where}: "${name}"`);
    } else if (name === 'node' || name === 'peer') {
      number(fault, name, -3, replicas - 1, where);
    } else if (name === 'direction' || name === 'operation') {
      if (!FAULT_WORDS.includes(text(fault, name, where))) throw new PlanProblem(`${where}: "${name}"`);
    } else if (name === 'duringWrite') {
      if (typeof fault[name] !== 'boolean') throw new PlanProblem(`${where}: "${name}" is no boolean`);
    } else {
      number(fault, name, name === 'by' ? -MICROS_MAX : 0, MICROS_MAX, where);
    }
  }
}

// --- Fields ---

type Fields = Readonly<Record<string, unknown>>;

function map(value: unknown, where: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new PlanProblem(`plan: "${where}" must be a map`);
  }
  return value as Fields;
}

function list(fields: Fields, name: string, where: string): readonly unknown[] {
  const value = fields[name];
  if (!Array.isArray(value)) throw new PlanProblem(`${where}: "${name}" must be a list`);
  if (value.length > LIST_MAX) throw new PlanProblem(`${where}: "${name}" has ${value.length} entries`);
  return value as readonly unknown[];
}

function text(fields: Fields, name: string, where: string): string {
  const value = fields[name];
  if (typeof value !== 'string') throw new PlanProblem(`${where}: "${name}" must be text`);
  return value;
}

function number(fields: Fields, name: string, min: number, max: number, where: string): number {
  return integer(fields[name], min, max, `${where}: "${name}"`);
}

function integer(value: unknown, min: number, max: number, where: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    throw new PlanProblem(`${where} must be a whole number from ${min} to ${max}`);
  }
  return value;
}

function pair(fields: Fields, name: string, min: number, max: number): void {
  const ends = list(fields, name, 'workload');
  if (ends.length !== 2) throw new PlanProblem(`workload: "${name}" must be two numbers`);
  const low = integer(ends[0], min, max, `workload: "${name}"`);
  integer(ends[1], low, max, `workload: "${name}"`);
}

function checkNumbers(fields: Fields, where: string, bounds: Bounds): void {
  for (const [name, max] of Object.entries(bounds)) number(fields, name, 0, max, where);
}
