/**
 * The threads of a campaign: one a job, started once and used for every scenario of the command.
 * Batches are streamed so that no thread waits for the main one, and sized by the seeds' own
 * speed; how far the fastest may run ahead of the slowest is bounded, and so is memory.
 */
import { Worker } from 'node:worker_threads';
import { type Campaign, seedAt } from '../../sim/search/campaign.ts';
import { type SeedResult } from '../../sim/search/seed_result.ts';
import { UsageError } from '../usage_error.ts';
import { ownSystemUrl } from './own_system.ts';
import {
  type SeedAnswer,
  type SeedBatch,
  type SeedGivenUp,
  type SeedTask,
  type SeedWorkerData,
} from './seed_task.ts';

const BATCH_SECONDS = 0.1;
const BATCH_SEEDS_MAX = 256;
/** Batches that a thread has, the one it works on included. */
const BATCHES_QUEUED = 2;
/** Results that may wait for an earlier seed. */
const WINDOW_SEEDS = 4096;
const POSITION_MAX = 0x7fff_ffff;

interface Thread {
  readonly worker: Worker;
  /** Sent and not finished, oldest first; `next` is the position whose answer comes next. */
  readonly queue: { readonly batch: SeedBatch; next: number }[];
}

/** A campaign on its way: how to hold it up, and how to end it early. */
export interface RunningCampaign {
  /** Settles when the campaign is done or has been stopped, and no thread works for it any more. */
  readonly done: Promise<void>;
  /** No seed is begun any more; what has been begun is given up where it stands in a queue. */
  stop(): void;
  /** No further seed is sent to a thread; those that were sent come in. */
  pause(): void;
  resume(): void;
  /** Seeds sent to threads and not answered yet. After a pause it falls to 0 and stays there. */
  readonly inFlight: number;
  /** Time that it has stood still so far. */
  readonly pausedSeconds: number;
}

/** The results in order of seeds, each with its bundle if it has one. */
export type OnTaken = (result: SeedResult, bundle: Uint8Array | null) => void;

export class SeedWorkers {
  readonly #threads: Thread[] = [];
  /** Shared with the threads: positions above it are of no interest any more. */
  readonly #positionMax = new Int32Array(new SharedArrayBuffer(4));
  #feed: Feed | null = null;
  #closing = false;

  /** `system`: module of one's own, which the threads load; null: none. */
  constructor(jobs: number, system: string | null = ownSystemUrl()) {
    // The same module whether run from source or from dist/.
    const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
    const module = new URL(`./seed_worker${extension}`, import.meta.url);
    const workerData: SeedWorkerData = { positionMax: this.#positionMax.buffer, system };
    for (let i = 0; i < jobs; i++) {
      const thread: Thread = { worker: new Worker(module, { workerData }), queue: [] };
      thread.worker.on('message', (answer: SeedAnswer | SeedGivenUp) => {
        try {
          this.#feed?.onAnswer(thread, answer);
        } catch (error) {
          this.#feed?.failed(error as Error); // A full disk under bundles or ledger.
        }
      });
      thread.worker.on('error', (error) => this.#feed?.failed(died(thread, error)));
      thread.worker.on('exit', (code) => {
        if (this.#closing) return;
        this.#feed?.failed(died(thread, new Error(`the thread ended with status ${code}`)));
      });
      this.#threads.push(thread);
    }
  }

  /** Feeds `campaign` until it is done, or until `stop` has been called. One at a time. */
  run(task: SeedTask, campaign: Campaign, onTaken: OnTaken): RunningCampaign {
    const feed = new Feed(this.#threads, this.#positionMax, task, campaign, onTaken);
    this.#feed = feed;
    feed.sendBatches();
    return {
      done: feed.done,
      stop: () => feed.stop(),
      pause: () => feed.pause(),
      resume: () => feed.resume(),
      get inFlight() {
        return feed.inFlight;
      },
      get pausedSeconds() {
        return feed.pausedSeconds;
      },
    };
  }

  async close(): Promise<void> {
    this.#closing = true;
    await Promise.all(this.#threads.map((thread) => thread.worker.terminate()));
  }
}

/** One campaign on its way through the threads. */
class Feed {
  readonly done: Promise<void>;
  readonly failed: (error: Error) => void;
  readonly #finished: () => void;
  readonly #threads: readonly Thread[];
  readonly #positionMax: Int32Array;
  readonly #task: SeedTask;
  readonly #campaign: Campaign;
  readonly #onTaken: OnTaken;
  /** Of results that wait, by position. */
  readonly #bundles = new Map<number, Uint8Array>();
  readonly #startedAt = performance.now();
  #answers = 0;
  /** The first position not sent yet. */
  #next = 0;
  #stopped = false;
  #pausedAt: number | null = null;
  #pausedSeconds = 0;

  constructor(
    threads: readonly Thread[],
    positionMax: Int32Array,
    task: SeedTask,
    campaign: Campaign,
    onTaken: OnTaken,
  ) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.done = promise;
    this.failed = reject;
    this.#finished = resolve;
    this.#threads = threads;
    this.#positionMax = positionMax;
    this.#task = task;
    this.#campaign = campaign;
    this.#onTaken = onTaken;
    Atomics.store(positionMax, 0, POSITION_MAX);
  }

  /** Tops up every thread, the idle ones first. */
  sendBatches(): void {
    const { count } = this.#campaign.seeds;
    for (let depth = 0; depth < BATCHES_QUEUED; depth++) {
      for (const thread of this.#threads) {
        const ahead = this.#next - this.#campaign.taken;
        if (this.#stopped || this.#pausedAt !== null) break;
        if (this.#next >= count || ahead >= WINDOW_SEEDS) break;
        if (thread.queue.length > depth) continue;
        const batch: SeedBatch = { task: this.#task, from: this.#next, count: this.#batchSize() };
        this.#next += batch.count;
        thread.queue.push({ batch, next: batch.from });
        thread.worker.postMessage(batch);
      }
    }
    const waits = this.#pausedAt !== null && !this.#stopped && this.#next < count;
    if (!waits && this.#threads.every((thread) => thread.queue.length === 0)) this.#finished();
  }

  pause(): void {
    this.#pausedAt ??= performance.now();
  }

  resume(): void {
    if (this.#pausedAt === null) return;
    this.#pausedSeconds += (performance.now() - this.#pausedAt) / 1000;
    this.#pausedAt = null;
    this.sendBatches();
  }

  /** Also of a paused feed, in which no answer would come to notice it. */
  stop(): void {
    this.stopAfter(-1);
    this.sendBatches();
  }

  get pausedSeconds(): number {
    const now = this.#pausedAt === null ? 0 : (performance.now() - this.#pausedAt) / 1000;
    return this.#pausedSeconds + now;
  }

  get inFlight(): number {
    let seeds = 0;
    for (const { queue } of this.#threads) {
      for (const { batch, next } of queue) seeds += batch.from + batch.count - next;
    }
    return seeds;
  }

  /** As many seeds as a thread does in `BATCH_SECONDS`, and a fair share of what is left. */
  #batchSize(): number {
    const elapsed = (performance.now() - this.#startedAt) / 1000 - this.#pausedSeconds;
    const seconds = Math.max(elapsed, 1e-3);
    const perThread = this.#answers / seconds / this.#threads.length;
    const left = this.#campaign.seeds.count - this.#next;
    const fair = Math.ceil(left / (this.#threads.length * BATCHES_QUEUED));
    return Math.min(BATCH_SEEDS_MAX, Math.max(1, Math.floor(perThread * BATCH_SECONDS)), fair);
  }

  onAnswer(thread: Thread, answer: SeedAnswer | SeedGivenUp): void {
    const running = thread.queue[0];
    if (running === undefined) return;
    if ('result' in answer) {
      running.next = answer.position + 1;
      this.#answers++;
      this.#take(answer);
    }
    if (answer.last) thread.queue.shift();
    this.sendBatches();
  }

  #take({ position, result, bundle }: SeedAnswer): void {
    const campaign = this.#campaign;
    if (campaign.done) return;
    if (bundle !== null) this.#bundles.set(position, bundle);
    let taken = campaign.taken;
    campaign.add(position, result, (next) => {
      const itsBundle = this.#bundles.get(taken) ?? null;
      this.#bundles.delete(taken);
      taken++;
      this.#onTaken(next, itsBundle);
    });
    if (campaign.done) this.stopAfter(taken - 1);
  }

  /** What has been begun is finished up to `position`; the rest is given up. */
  stopAfter(position: number): void {
    this.#stopped = true;
    const max = Atomics.load(this.#positionMax, 0);
    if (position < max) Atomics.store(this.#positionMax, 0, position);
  }
}

function died(thread: Thread, error: Error): Error {
  const running = thread.queue[0];
  if (running === undefined) return error;
  const { task } = running.batch;
  const seed = seedAt(task.seeds, running.next);
  const canary = task.canary === null ? '' : ` --canary ${task.canary}`;
  return new UsageError(
    `the thread that simulated seed ${seed} of ${task.scenario} died: ${error.message}; ` +
      `run it alone with \`vopr run ${task.scenario} --seed ${seed}${canary}\``,
    { cause: error },
  );
}
