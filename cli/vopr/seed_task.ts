/**
 * What a thread of a campaign does: takes batches of seeds, answers a message a seed. It holds
 * nothing between seeds but memory. A violation is run again with the recorder on and goes back as
 * a bundle.
 */
import { type MessagePort } from 'node:worker_threads';
import { type BundleCode } from '../../bundles/format.ts';
import { makePlan } from '../../sim/plan.ts';
import { seedAt, type SeedRange } from '../../sim/search/campaign.ts';
import { type SeedLimits, type SeedResult } from '../../sim/search/seed_result.ts';
import { runInLockStep, runToEnd, type SeedRun } from '../../sim/search/seed_run.ts';
import { findCanary, findScenario, recordRun, startRun } from './catalogue.ts';

/** What to run; the same for all batches of a campaign. */
export interface SeedTask {
  readonly scenario: string;
  readonly seeds: SeedRange;
  readonly canary: string | null;
  readonly limits: SeedLimits;
  readonly checkDeterminism: boolean;
  /** False: violations are reported without a bundle. */
  readonly bundles: boolean;
  readonly code: BundleCode;
}

export interface SeedBatch {
  readonly task: SeedTask;
  /** Positions in `task.seeds`. */
  readonly from: number;
  readonly count: number;
}

export interface SeedAnswer {
  readonly position: number;
  readonly result: SeedResult;
  /** Encoded; null unless the seed failed. */
  readonly bundle: Uint8Array | null;
  /** The batch ends with this answer. */
  readonly last: boolean;
}

/** The end of a batch whose rest is of no interest any more. */
export interface SeedGivenUp {
  readonly last: true;
}

export interface SeedWorkerData {
  /** One i32: positions above it are of no interest any more. */
  readonly positionMax: SharedArrayBuffer;
  /** Module of a system of one's own; null: none. */
  readonly system: string | null;
}

export function runSeedOfTask(task: SeedTask, position: number): SeedAnswer {
  const seed = seedAt(task.seeds, position);
  const scenario = findScenario(task.scenario);
  const canary = task.canary === null ? null : findCanary(task.canary);
  const start = (place = 0): SeedRun =>
    startRun({ scenario, seed, canary, limits: task.limits }, place);
  const result = task.checkDeterminism ? runInLockStep(start(0), start(1)) : runToEnd(start());
  if (result.violation === null || !task.bundles) return { position, result, bundle: null, last: false };

  const { bytes } = recordRun({
    plan: makePlan(scenario, seed),
    canary: task.canary,
    limits: task.limits,
    code: task.code,
    failure: result.violation, // Of two runs in lock step, one alone shows no departure.
  });
  return { position, result, bundle: bytes, last: false };
}

/** Answers batches until the thread is ended. */
export function serveBatches(port: MessagePort, { positionMax }: SeedWorkerData): void {
  const max = new Int32Array(positionMax);
  port.on('message', ({ task, from, count }: SeedBatch) => {
    for (let position = from; position < from + count; position++) {
      if (position > Atomics.load(max, 0)) {
        port.postMessage({ last: true } satisfies SeedGivenUp);
        return;
      }
      const answer = runSeedOfTask(task, position);
      const last = position === from + count - 1;
      port.postMessage({ ...answer, last } satisfies SeedAnswer);
    }
  });
}
