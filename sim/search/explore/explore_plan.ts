/**
 * An explored run as data: the cluster, and what happens to it step by step. Messages and timers are
 * named by what they are, not by numbers of one search, so that the run can be made again on another
 * machine, and on changed code as far as its steps still fit. What bundles of `vopr explore` hold as
 * their plan; it comes from strangers, so it is checked before anything is built from it.
 */
import { BOUNDS_MAX, DISK_MODELS, type DiskModel, type ExploreBounds } from './explore_bounds.ts';

export const EXPLORE_KIND = 'explore';
export const EXPLORE_VERSION = 1;
/** `scenario` of bundles that hold such a plan. */
export const EXPLORE_SCENARIO = 'explore';
const ACTIONS_MAX = 20_000;
const CHOICES_MAX = 64;
const TEXT_MAX = 200;

export const DEEDS = ['start', 'deliver', 'timer', 'crash', 'io', 'call'] as const;
export type Deed = (typeof DEEDS)[number];

export interface ExploreAction {
  /** Replicas first, then clients. */
  readonly node: number;
  readonly deed: Deed;
  /** Draws of the code, where it chose among replicas. */
  readonly choices?: readonly number[];
  /** deliver: who sent it, what it is, its view and the first word of its checksum. */
  readonly from?: number;
  readonly text?: string;
  readonly view?: number;
  readonly word?: number;
  /** deliver: a copy stays in flight. */
  readonly keeps?: boolean;
  /** timer: its name. */
  readonly timer?: string;
  /** crash: what was written and never synced is still there afterwards. */
  readonly kept?: boolean;
}

export interface ExplorePlan {
  readonly kind: typeof EXPLORE_KIND;
  readonly version: typeof EXPLORE_VERSION;
  readonly replicas: number;
  readonly clients: number;
  readonly operations: number;
  readonly disk: DiskModel;
  /** From before the first process starts. */
  readonly actions: readonly ExploreAction[];
}

export function explorePlan(bounds: ExploreBounds, actions: readonly ExploreAction[]): ExplorePlan {
  const { replicas, clients, operations, disk } = bounds;
  return { kind: EXPLORE_KIND, version: EXPLORE_VERSION, replicas, clients, operations, disk, actions };
}

/** True when a bundle's plan means to be one of these; `explorePlanProblem` says whether it is. */
export function isExplorePlan(plan: unknown): boolean {
  return isMap(plan) && plan['kind'] === EXPLORE_KIND;
}

/** The first thing wrong with `value`, or null: then it is an `ExplorePlan`. */
export function explorePlanProblem(value: unknown): string | null {
  if (!isMap(value)) return 'plan: not a map';
  if (value['kind'] !== EXPLORE_KIND) return 'plan: not of vopr explore';
  if (value['version'] !== EXPLORE_VERSION) return `plan: version ${String(value['version'])}, not 1`;
  for (const [field, min, max] of SIZES) {
    if (!isCount(value[field], min, max)) return `plan: "${field}" must be from ${min} to ${max}`;
  }
  if (!DISK_MODELS.includes(value['disk'] as DiskModel)) return 'plan: "disk" must be atomic or steps';
  const { actions } = value;
  if (!Array.isArray(actions)) return 'plan: "actions" must be a list';
  if (actions.length > ACTIONS_MAX) return `plan: ${actions.length} actions; at most ${ACTIONS_MAX}`;
  const nodes = (value['replicas'] as number) + (value['clients'] as number);
  for (const [i, action] of actions.entries()) {
    const problem = actionProblem(action, nodes);
    if (problem !== null) return `plan: actions[${i}]: ${problem}`;
  }
  return null;
}

const SIZES = [
  ['replicas', 1, BOUNDS_MAX.replicas],
  ['clients', 1, BOUNDS_MAX.clients],
  ['operations', 0, BOUNDS_MAX.operations],
] as const;

function actionProblem(value: unknown, nodes: number): string | null {
  if (!isMap(value)) return 'not a map';
  if (!isCount(value['node'], 0, nodes - 1)) return `"node" must be from 0 to ${nodes - 1}`;
  if (!DEEDS.includes(value['deed'] as Deed)) return '"deed" is none that we know';
  const { choices } = value;
  if (choices !== undefined) {
    if (!Array.isArray(choices) || choices.length > CHOICES_MAX) return '"choices" must be a short list';
    if (!choices.every((choice) => isCount(choice, 0, BOUNDS_MAX.replicas))) return '"choices": out of range';
  }
  for (const flag of ['keeps', 'kept']) {
    const given = value[flag];
    if (given !== undefined && typeof given !== 'boolean') return `"${flag}" must be true or false`;
  }
  if (value['deed'] === 'timer' && !isText(value['timer'])) return '"timer" must be a name';
  if (value['deed'] !== 'deliver') return null;
  if (!isCount(value['from'], 0, nodes - 1)) return `"from" must be from 0 to ${nodes - 1}`;
  if (!isText(value['text'])) return '"text" must be short text';
  if (!isCount(value['view'], 0, 0xffff_ffff)) return '"view" must be a u32';
  return isCount(value['word'], 0, 0xffff_ffff) ? null : '"word" must be a u32';
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
}

function isCount(value: unknown, min: number, max: number): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max;
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value.length <= TEXT_MAX && /^[\x20-\x7e]*$/.test(value);
}
