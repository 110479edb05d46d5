/**
 * A run that is executed again to be looked at: from a bundle, or from a scenario and a seed. What
 * is shown is what happens now, on this code; where a bundle tells of another failure, that is said.
 */
import { existsSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { type Command } from 'commander';
import { type Bundle } from '../../bundles/format.ts';
import { type Entry } from '../../sim/recorder.ts';
import { NO_LIMITS, type SeedViolation } from '../../sim/search/seed_result.ts';
import { type World } from '../../sim/world.ts';
import { grouped } from '../numbers.ts';
import { printable } from '../render/styled_text.ts';
import { UsageError } from '../usage_error.ts';
import { readBundle } from './bundle_file.ts';
import { parseSeed } from './campaign_options.ts';
import {
  findCanary,
  findScenario,
  scenarioNames,
  worldOfBundle,
  worldOfSeed,
  type SeedRequest,
} from './catalogue.ts';
import { type LaneState, type ReplicaStatus } from './timeline_log.ts';

export interface RunSourceOptions {
  readonly seed?: number;
  readonly canary?: string;
}

/** The argument and the options that name a run. */
export function addRunSource(command: Command): Command {
  return command
    .argument('<bundle.kmb>', 'a file that `vopr run` wrote, - for standard input; or a scenario')
    .option('--seed <seed>', 'of a scenario: a whole number, or any text', parseSeed)
    .option('--canary <name>', 'of a scenario: plant this bug');
}

export interface ObservedRun {
  readonly world: World;
  /** The same run from its beginning; it ends this one, in whose place it stands. */
  readonly again: () => ObservedRun;
  /** Null: from a scenario and a seed. */
  readonly bundle: Bundle | null;
  readonly scenario: string;
  readonly seed: number;
  readonly canary: string | null;
}

/** The run at its beginning. Throws UsageError with what to do. */
export function openRun(argument: string, { seed, canary }: RunSourceOptions): ObservedRun {
  if (seed !== undefined) {
    const scenario = findScenario(argument);
    const planted = canary === undefined ? null : findCanary(canary);
    return runOfSeed({ scenario, seed, canary: planted, limits: NO_LIMITS });
  }
  requireBundlePath(argument, canary);
  return runOfBundle(readBundle(argument));
}

/** Throws UsageError when what stands without --seed is no path of a bundle, but something else. */
export function requireBundlePath(argument: string, canary: string | undefined): void {
  if (scenarioNames().includes(argument) && !existsSync(argument)) {
    throw new UsageError(`"${argument}" is a scenario: give the run's --seed as well, or name a bundle`);
  }
  if (canary !== undefined) {
    throw new UsageError('--canary goes with a scenario and --seed: a bundle says itself what was planted');
  }
}

function runOfSeed(request: SeedRequest): ObservedRun {
  const { scenario, seed, canary } = request;
  const again = (): ObservedRun => runOfSeed(request);
  const world = worldOfSeed(request);
  return { world, again, bundle: null, scenario: scenario.name, seed, canary: canary?.name ?? null };
}

function runOfBundle(bundle: Bundle): ObservedRun {
  const { scenario, seed, canary } = bundle;
  const again = (): ObservedRun => runOfBundle(bundle);
  return { world: worldOfBundle(bundle), again, bundle, scenario, seed, canary };
}

/** Between two looks at the keyboard and at the reader of what is written. */
const EVENTS_AT_A_TIME = 2_000;
const PROGRESS_SECONDS = 1;
const REDRAW_SECONDS = 0.1;

/**
 * Runs to the end, or as far as event `end`; `pause` now and then. Ctrl-C throws UsageError. On a
 * terminal a run that takes longer says how far it is.
 */
export async function runOn(
  world: World,
  end = Number.POSITIVE_INFINITY,
  pause: () => Promise<void> = async () => {},
): Promise<void> {
  let interrupted = false;
  const onInterrupt = (): void => {
    interrupted = true;
  };
  const shows = process.stderr.isTTY === true;
  let drawnAt = performance.now() + PROGRESS_SECONDS * 1000;
  let drawn = false;
  process.once('SIGINT', onInterrupt);
  try {
    for (;;) {
      for (let i = 0; i < EVENTS_AT_A_TIME; i++) if (world.events >= end || !world.step()) return;
      await pause();
      await setImmediate();
      if (interrupted) throw new UsageError(`interrupted at event ${grouped(world.events)}`);
      if (!shows || performance.now() < drawnAt) continue;
      drawnAt = performance.now() + REDRAW_SECONDS * 1000;
      process.stderr.write(`\r\u001b[Kevent ${grouped(world.events)}`);
      drawn = true;
    }
  } finally {
    process.removeListener('SIGINT', onInterrupt);
    if (drawn) process.stderr.write('\r\u001b[K');
  }
}

// --- At any moment of it ---

export function laneStates(world: World): LaneState[] {
  return world.processes.replicas.map((replica, node) => {
    if (replica === null) return 'down';
    return world.processes.isPaused(node) ? 'paused' : 'up';
  });
}

/** Null: a client, the world, a node that is down, or one of a system that has no such facts. */
export function statusOf(world: World, node: number): ReplicaStatus | null {
  const replica: unknown = world.processes.replicas[node];
  if (typeof replica !== 'object' || replica === null) return null;
  const facts = replica as Partial<Record<keyof ReplicaStatus, unknown>>;
  const { status, view, commitMin, commitMax, op } = facts;
  if (typeof status !== 'string' || typeof view !== 'number') return null;
  return {
    role: view % world.replicaCount === node ? 'primary' : 'backup',
    status,
    view,
    commitMin: numberOr0(commitMin),
    commitMax: numberOr0(commitMax),
    op: numberOr0(op),
  };
}

function numberOr0(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}

/** What befalls nodes and links: without it no lane can be drawn. */
export function isCircumstance({ kind }: Entry): boolean {
  return kind === 'crash' || kind === 'restart' || kind === 'partition' || kind === 'heal';
}

// --- In words ---

export function failureText({ invariant, event, virtualMicros, message }: SeedViolation): string {
  const seconds = (virtualMicros / 1e6).toFixed(6);
  return printable(`violation of ${invariant} at event ${grouped(event)}, ${seconds} s: ${message}`);
}

/** What ran, how it ended here, and whether that is what the bundle tells of. */
export function runText(run: ObservedRun): string {
  const planted = run.canary === null ? '' : `, canary ${run.canary}`;
  const violation = run.world.violationFound;
  const ended = `${grouped(run.world.events)} events, ${(run.world.time.now / 1e6).toFixed(6)} s virtual`;
  const outcome = violation === null ? `no violation in ${ended}` : failureText(violation);
  const lines = [`${run.scenario}, seed ${run.seed}${planted}: ${outcome}`];
  const recorded = run.bundle?.failure;
  if (recorded !== undefined && !isAsRecorded(recorded, violation)) {
    lines.push(`not as recorded: the bundle tells of a ${failureText(recorded)}`);
  }
  return `${lines.join('\n')}\n`;
}

/** Field names are a promise. */
export function violationJson(violation: SeedViolation): Record<string, unknown> {
  const { invariant, message, event, virtualMicros, replicas } = violation;
  return { invariant, message, event, virtual_micros: virtualMicros, replicas };
}

/** The same checker spoke at the same event. */
export function isAsRecorded(recorded: SeedViolation, now: SeedViolation | null): boolean {
  return now?.invariant === recorded.invariant && now.event === recorded.event;
}
