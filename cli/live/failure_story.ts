/**
 * The run of a failure, executed again with an observer: what a timeline of it is drawn from. Plain
 * data, because it is made on a thread (story_worker.ts).
 */
import { type Entry } from '../../sim/recorder.ts';
import {
  isCircumstance,
  laneStates,
  openRun,
  runText,
  statusOf,
} from '../vopr/observed_run.ts';
import { type LogRow } from '../vopr/timeline_log.ts';

/** The newest entries are kept: what led to the violation. About 10 MB. */
export const STORY_ROWS_MAX = 20_000;

/** Which run: of a bundle, or when there is none of a scenario and a seed. */
export interface StoryRequest {
  readonly bundle: string | null;
  readonly scenario: string;
  readonly seed: number;
  readonly canary: string | null;
}

export interface FailureStory {
  /** How the run ended, and whether that is what the bundle tells of. */
  readonly outcome: string;
  readonly rows: readonly LogRow[];
  /** Rows before the first one, which were not kept. */
  readonly leftOut: number;
  /** Everything since the beginning that befell nodes and links. */
  readonly circumstances: readonly Entry[];
  readonly replicaCount: number;
  readonly clientCount: number;
}

/** Throws UsageError when the bundle cannot be opened. */
export function tellFailure(request: StoryRequest, rowsMax = STORY_ROWS_MAX): FailureStory {
  const { bundle, scenario, seed, canary } = request;
  const source = canary === null ? { seed } : { seed, canary };
  const run = bundle === null ? openRun(scenario, source) : openRun(bundle, {});
  const { world } = run;
  let rows: LogRow[] = [];
  let leftOut = 0;
  const keepNewest = (): void => {
    const excess = rows.length - rowsMax;
    if (excess <= 0) return;
    rows = rows.slice(excess);
    leftOut += excess;
  };
  const circumstances: Entry[] = [];
  world.observer = {
    entry(entry) {
      if (isCircumstance(entry)) circumstances.push(entry);
      rows.push({ entry, status: statusOf(world, entry.node), lanes: laneStates(world) });
      if (rows.length >= rowsMax * 2) keepNewest();
    },
  };
  while (world.step());
  world.observer = null;
  keepNewest();
  const { replicaCount, clientCount } = world;
  return { outcome: runText(run).trimEnd(), rows, leftOut, circumstances, replicaCount, clientCount };
}

// --- Between the threads: see story_worker.ts ---

/** Where the system of one's own is to be loaded from; null: Kimberlite. */
export interface StoryWorkerData {
  readonly system: string | null;
}

export type StoryAnswer = { readonly story: FailureStory } | { readonly problem: string };
