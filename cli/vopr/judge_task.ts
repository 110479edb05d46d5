/**
 * What a thread of a minimisation does: runs plans as they come and says how each ended. It holds
 * nothing between plans but memory.
 */
import { type MessagePort } from 'node:worker_threads';
import { type CanaryId } from '../../core/canary.ts';
import { type Plan } from '../../sim/plan.ts';
import { type Verdict } from '../../sim/search/minimize/facts.ts';
import { Judge } from '../../sim/search/minimize/judge.ts';

export interface JudgeThreadData {
  readonly canary: CanaryId;
  readonly signature: string;
  /** Module of the system that the plans are of, a `file:` URL; null: Kimberlite. */
  readonly system: string | null;
  /** Two i32: see `MOOT`. */
  readonly moot: SharedArrayBuffer;
}

/**
 * Which plans are of no interest any more: all of other attempts than this one, and of this one all
 * after that place.
 */
export const MOOT = { attempt: 0, lastPlace: 1 } as const;

export interface JudgeRequest {
  readonly attempt: number;
  readonly place: number;
  readonly plan: Plan;
  readonly eventsMax: number;
}

export interface JudgeAnswer {
  readonly attempt: number;
  readonly place: number;
  readonly verdict: Verdict;
}

/** Answers until the thread is ended. */
export function serveJudgements(port: MessagePort, { canary, signature, moot }: JudgeThreadData): void {
  const judge = new Judge({ canary, signature });
  const bounds = new Int32Array(moot);
  port.on('message', ({ attempt, place, plan, eventsMax }: JudgeRequest) => {
    const interrupt = (): boolean =>
      Atomics.load(bounds, MOOT.attempt) !== attempt || place > Atomics.load(bounds, MOOT.lastPlace);
    const verdict: Verdict = interrupt()
      ? { kind: 'cut', events: 0 }
      : judge.judge(plan, eventsMax, interrupt);
    port.postMessage({ attempt, place, verdict } satisfies JudgeAnswer);
  });
}
