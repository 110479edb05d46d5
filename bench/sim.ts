/**
 * How fast the simulator is: events a second of `combined` on one core with every checker and with
 * none, against the toy loop; idle virtual time; a thousand seeds on all cores; memory over many.
 *
 * Speeds of one core are by CPU time, after a warm-up: a compiler needs some hundred seeds.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { findScenario } from '../cli/vopr/catalogue.ts';
import { CANARY } from '../core/canary.ts';
import { CHECKSUM_ALGORITHM } from '../core/constants.ts';
import { CHECKERS } from '../invariants/registry.ts';
import { type CheckerEntry } from '../invariants/invariant.ts';
import { makePlan, type ScenarioOptions } from '../sim/plan.ts';
import { WorldPlaces } from '../sim/search/run_seed.ts';
import { NO_LIMITS } from '../sim/search/seed_result.ts';
import { median, type Measurement } from './measurements.ts';
import { toyLoop } from './toy_loop.ts';

const PART = 'sim';
const REPETITIONS = 3;
const WARMUP_SEEDS = 150;
const MEASURED_SEEDS = 120;

export interface SimOptions {
  /** Also the memory of a long campaign: about a quarter of an hour. */
  readonly long: boolean;
}

export async function benchSim(options: SimOptions): Promise<Measurement[]> {
  const places = new WorldPlaces();
  const combined = atThree('combined');
  eventsPerSecond(places, combined, CHECKERS, WARMUP_SEEDS);
  toyLoop(1_000_000);
  const toy: number[] = [];
  const checked: number[] = [];
  const bare: number[] = [];
  for (let i = 0; i < REPETITIONS; i++) {
    toy.push(toyLoop(2_000_000));
    checked.push(eventsPerSecond(places, combined, CHECKERS, MEASURED_SEEDS));
    bare.push(eventsPerSecond(places, combined, [], MEASURED_SEEDS));
  }
  const three = 'three replicas, one core';
  const measurements: Measurement[] = [
    { part: PART, name: 'toy loop over a message pool', value: median(toy), unit: 'messages/s' },
    {
      part: PART,
      name: 'combined, every checker on',
      value: median(checked),
      unit: 'events/s',
      goal: { atLeast: 300_000 },
      note: three,
    },
    {
      part: PART,
      name: 'combined, no checker on',
      value: median(bare),
      unit: 'events/s',
      goal: { atLeast: 1_000_000 },
      note: `${three}; combined requires all of them, so off means none`,
    },
    {
      part: PART,
      name: 'checked events / toy messages',
      value: median(checked) / median(toy),
      unit: '',
      note: 'ratio in one process',
    },
    {
      part: PART,
      name: 'idle cluster, one request a second',
      value: idleRatio(places),
      unit: 'x real time',
      goal: { atLeast: 5_000 },
      note: 'three replicas, warm',
    },
    await thousandSeeds(),
  ];
  if (options.long) measurements.push(...(await memoryOfManySeeds()));
  return measurements;
}

/** The scenario with three replicas and the fast checksum. */
function atThree(name: string): ScenarioOptions {
  const scenario = findScenario(name);
  return {
    ...scenario,
    replicas: [3],
    config: { ...scenario.config, checksumAlgorithm: CHECKSUM_ALGORITHM.fast128 },
  };
}

function eventsPerSecond(
  places: WorldPlaces,
  scenario: ScenarioOptions,
  checkers: readonly CheckerEntry[],
  seeds: number,
): number {
  let events = 0;
  const began = process.cpuUsage().user;
  for (let seed = 1; seed <= seeds; seed++) {
    const plan = { ...makePlan(scenario, seed), invariants: [] };
    const world = places.start({ plan, canary: CANARY.none, limits: NO_LIMITS, checkers });
    while (world.step());
    events += world.events;
  }
  return (events / (process.cpuUsage().user - began)) * 1_000_000;
}

/** Virtual seconds in one CPU second. */
function idleRatio(places: WorldPlaces): number {
  const baseline = atThree('baseline');
  const idle: ScenarioOptions = {
    ...baseline,
    clients: [1, 1],
    operationsPerClient: [100_000, 100_000],
    faultMicros: [900_000_000, 900_000_000],
    workload: { ...baseline.workload, thinkMicros: [1_000_000, 1_000_000] },
    gates: [],
    invariants: [],
  };
  const ratios: number[] = [];
  for (let i = 0; i <= REPETITIONS; i++) {
    const world = places.start({
      plan: makePlan(idle, i + 1),
      canary: CANARY.none,
      limits: NO_LIMITS,
      checkers: CHECKERS,
    });
    const began = process.cpuUsage().user;
    while (world.step());
    const cpuMicros = process.cpuUsage().user - began;
    if (i > 0) ratios.push(world.result().virtualMicros / cpuMicros);
  }
  return median(ratios);
}

async function thousandSeeds(): Promise<Measurement> {
  const jobs = availableParallelism();
  const began = performance.now();
  const { status } = await vopr(['run', 'combined', '--seeds', '1000', '--jobs', String(jobs)]);
  if (status !== 0) return { part: PART, reason: `1,000 seeds of combined ended with status ${status}` };
  return {
    part: PART,
    name: '1,000 seeds of combined',
    value: (performance.now() - began) / 1000,
    unit: 's',
    goal: { atMost: 60 },
    note: `${jobs} cores, wall clock, start-up included`,
  };
}

/** Resident memory of one campaign after a tenth of its seeds and at its end. */
async function memoryOfManySeeds(): Promise<Measurement[]> {
  const seeds = 100_000;
  const samples: number[] = [];
  const run = await vopr(['run', 'baseline', '--seeds', String(seeds), '--jobs', '1'], samples);
  if (run.status !== 0) return [{ part: PART, reason: `${seeds} seeds ended with status ${run.status}` }];
  const early = samples[Math.floor(samples.length / 10)] ?? 0;
  const late = median(samples.slice(-Math.ceil(samples.length / 10)));
  return [
    {
      part: PART,
      name: `memory after ${seeds} seeds / after a tenth of them`,
      value: late / early,
      unit: '',
      goal: { atMost: 1.1 },
      note: `${Math.round(late / 1024)} MiB resident, one job`,
    },
  ];
}

function vopr(args: readonly string[], residentKiB?: number[]): Promise<{ status: number | null }> {
  const program = fileURLToPath(new URL('../cli/vopr.ts', import.meta.url));
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args, '-q'], { stdio: 'ignore' });
    const sampler = setInterval(() => {
      const status = readStatus(child.pid);
      if (status !== null) residentKiB?.push(status);
    }, 2_000);
    child.on('error', reject);
    child.on('close', (status) => {
      clearInterval(sampler);
      resolve({ status });
    });
  });
}

/** KiB resident, where the system tells. */
function readStatus(pid: number | undefined): number | null {
  try {
    const text = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+) kB/.exec(text)?.[1] ?? Number.NaN);
  } catch {
    return null;
  }
}
