/**
 * The threads of a minimisation. The plans of an attempt are run side by side, each thread taking
 * the next one; they are judged in their order, so that the outcome does not depend on how many
 * threads there are. What runs after the first plan that holds is interrupted.
 */
import { Worker } from 'node:worker_threads';
import { type CanaryId } from '../../core/canary.ts';
import { type Verdict } from '../../sim/search/minimize/facts.ts';
import { type Attempt } from '../../sim/search/minimize/minimizer.ts';
import {
  MOOT,
  type JudgeAnswer,
  type JudgeRequest,
  type JudgeThreadData,
} from './judge_task.ts';
import { ownSystemUrl } from './own_system.ts';

const PLACE_MAX = 0x7fff_ffff;

/** Whether the outcome of the plan in this place ends the attempt. */
export type Holds = (place: number, verdict: Verdict) => boolean;

export class JudgeThreads {
  readonly #idle: Worker[] = [];
  readonly #all: Worker[] = [];
  readonly #moot = new Int32Array(new SharedArrayBuffer(8));
  #feed: Feed | null = null;
  #attempts = 0;
  #closing = false;

  constructor(jobs: number, canary: CanaryId, signature: string) {
    const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
    const module = new URL(`./judge_worker${extension}`, import.meta.url);
    const system = ownSystemUrl();
    const workerData: JudgeThreadData = { canary, signature, system, moot: this.#moot.buffer };
    for (let i = 0; i < jobs; i++) {
      const worker = new Worker(module, { workerData });
      worker.on('message', (answer: JudgeAnswer) => this.#answered(worker, answer));
      worker.on('error', (error) => this.#feed?.failed(error));
      worker.on('exit', (code) => {
        if (!this.#closing) this.#feed?.failed(new Error(`a thread ended with status ${code}`));
      });
      this.#all.push(worker);
      this.#idle.push(worker);
    }
  }

  /** Outcomes from the first plan on, up to one that holds; null when `stop` came before. */
  judge(attempt: Attempt, holds: Holds): Promise<readonly Verdict[] | null> {
    const number = ++this.#attempts;
    Atomics.store(this.#moot, MOOT.lastPlace, PLACE_MAX);
    Atomics.store(this.#moot, MOOT.attempt, number);
    this.#feed = new Feed(attempt, number, holds);
    this.#send();
    return this.#feed.done;
  }

  /** Gives the present attempt up. */
  stop(): void {
    Atomics.store(this.#moot, MOOT.attempt, 0);
    this.#feed?.stopped();
  }

  async close(): Promise<void> {
    this.#closing = true;
    await Promise.all(this.#all.map((worker) => worker.terminate()));
  }

  #send(): void {
    while (this.#idle.length > 0) {
      const request = this.#feed?.next() ?? null;
      if (request === null) return;
      this.#idle.pop()?.postMessage(request);
    }
  }

  #answered(worker: Worker, answer: JudgeAnswer): void {
    this.#idle.push(worker);
    const last = this.#feed?.take(answer) ?? null;
    if (last !== null) Atomics.store(this.#moot, MOOT.lastPlace, last);
    this.#send();
  }
}

/** One attempt on its way through the threads. */
class Feed {
  readonly done: Promise<readonly Verdict[] | null>;
  readonly failed: (error: Error) => void;
  readonly #resolve: (verdicts: readonly Verdict[] | null) => void;
  readonly #attempt: Attempt;
  readonly #number: number;
  readonly #holds: Holds;
  readonly #verdicts: (Verdict | undefined)[] = [];
  #next = 0;
  /** Place of the first plan known to hold; none after it is needed. */
  #last: number;

  constructor(attempt: Attempt, number: number, holds: Holds) {
    const { promise, resolve, reject } = Promise.withResolvers<readonly Verdict[] | null>();
    this.done = promise;
    this.#resolve = resolve;
    this.failed = reject;
    this.#attempt = attempt;
    this.#number = number;
    this.#holds = holds;
    this.#last = attempt.plans.length - 1;
  }

  next(): JudgeRequest | null {
    if (this.#next > this.#last) return null;
    const place = this.#next++;
    const plan = this.#attempt.plans[place];
    if (plan === undefined) return null;
    return { attempt: this.#number, place, plan, eventsMax: this.#attempt.eventsMax };
  }

  /** Returns the place after which nothing is of interest, when that has changed. */
  take({ attempt, place, verdict }: JudgeAnswer): number | null {
    if (attempt !== this.#number || place > this.#last) return null;
    this.#verdicts[place] = verdict;
    const held = this.#holds(place, verdict);
    if (held) this.#last = place;
    let known = 0;
    while (known <= this.#last && this.#verdicts[known] !== undefined) known++;
    if (known > this.#last) this.#resolve(this.#verdicts.slice(0, known) as Verdict[]);
    return held ? this.#last : null;
  }

  stopped(): void {
    this.#resolve(null);
  }
}
