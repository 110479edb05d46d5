/**
 * The threads of a campaign: one a job, started once and used for every scenario of the command.
 * Batches are streamed so that no thread waits for the main one, and sized by the seeds' own
 * speed; how far the fastest may run ahead of the slowest is bounded, and so is memory.
 */
import { Worker } from 'node:worker_threads';
import { type Campaign, seedAt } from '../../sim/search/campaign.ts';
import { type SeedResult } from '../../sim/search/seed_result.ts';
import { UsageError } from '../usage_error.ts';
import { type SeedAnswer, type SeedBatch, type SeedTask, type SeedWorkerData } from './seed_worker.ts';

const BATCH_SECONDS = 0.1;
const BATCH_SEEDS_MAX = 256;
const BATCHES_QUEUED = 2;
/** Results that may wait for an earlier seed. */
const WINDOW_SEEDS = 4096;
const POSITION_MAX = 0x7fff_ffff;

interface Thread {
  readonly worker: Worker;
  /** Sent and not finished, oldest first; `next` is the position whose answer comes next. */
  readonly queue: { batch: SeedBatch; next: number }[];
}

export type OnTaken = (result: SeedResult, bundle: Uint8Array | null) => void;

export class SeedWorkers {
  readonly #threads: Thread[] = [];
  readonly #positionMax = new Int32Array(new SharedArrayBuffer(4));
  #closing = false;
  #onFailure: (error: Error) => void = () => {};
  #onAnswer: (thread: Thread, answer: SeedAnswer | { last: boolean }) => void = () => {};

  constructor(jobs: number) {
    // The same module whether run from source or from dist/.
    const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
    const module = new URL(`./seed_worker${extension}`, import.meta.url);
    const workerData: SeedWorkerData = { positionMax: this.#positionMax.buffer };
    for (let i = 0; i < jobs; i++) {
      const thread: Thread = { worker: new Worker(module, { workerData }), queue: [] };
      thread.worker.on('message', (answer: SeedAnswer) => this.#onAnswer(thread, answer));
      thread.worker.on('error', (error) => this.#onFailure(this.#died(thread, error)));
      thread.worker.on('exit', (code) => {
        if (this.#closing) return;
        this.#onFailure(this.#died(thread, new Error(`thread ended with status ${code}`)));
      });
      this.#threads.push(thread);
    }
  }

  /** Feeds `campaign` until it is done or `stop` (see the return value) has been called. */
  run(task: SeedTask, campaign: Campaign, onTaken: OnTaken): { done: Promise<void>; stop: () => void } {
    const { count } = campaign.seeds;
    const bundles = new Map<number, Uint8Array>();
    let next = 0;
    let stopped = false;
    let seedsPerSecond = 0;
    let answers = 0;
    const startedAt = performance.now();
    Atomics.store(this.#positionMax, 0, POSITION_MAX);

    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#onFailure = reject;
    const batchSize = (): number => {
      const fair = Math.ceil((count - next) / (this.#threads.length * BATCHES_QUEUED));
      const timed = Math.max(1, Math.floor((seedsPerSecond / this.#threads.length) * BATCH_SECONDS));
      return Math.min(BATCH_SEEDS_MAX, timed, fair);
    };
    const feed = (): void => {
      for (let depth = 0; depth < BATCHES_QUEUED; depth++) {
        for (const thread of this.#threads) {
          if (stopped || next >= count || next - campaign.taken >= WINDOW_SEEDS) break;
          if (thread.queue.length > depth) continue;
          const batch: SeedBatch = { task, from: next, count: batchSize() };
          next += batch.count;
          thread.queue.push({ batch, next: batch.from });
          thread.worker.postMessage(batch);
        }
      }
      if (this.#threads.every((thread) => thread.queue.length === 0)) resolve();
    };
    /** What has been begun is finished up to `position`; the rest is given up. */
    const stopAfter = (position: number): void => {
      stopped = true;
      if (position < Atomics.load(this.#positionMax, 0)) Atomics.store(this.#positionMax, 0, position);
    };

    this.#onAnswer = (thread, answer) => {
      const running = thread.queue[0];
      if (running === undefined) return;
      if ('position' in answer) {
        running.next = answer.position + 1;
        answers++;
        seedsPerSecond = answers / Math.max((performance.now() - startedAt) / 1000, 1e-3);
        if (answer.bundle !== null) bundles.set(answer.position, answer.bundle);
        const before = campaign.taken;
        let taken = before;
        if (!campaign.done) {
          campaign.add(answer.position, answer.result, (result) => {
            const bundle = bundles.get(taken) ?? null;
            bundles.delete(taken);
            taken++;
            onTaken(result, bundle);
          });
          if (campaign.done) stopAfter(campaign.taken - 1);
        }
      }
      if (answer.last) thread.queue.shift();
      feed();
    };
    feed();
    return { done: promise, stop: () => stopAfter(-1) };
  }

  async close(): Promise<void> {
    this.#closing = true;
    await Promise.all(this.#threads.map((thread) => thread.worker.terminate()));
  }

  #died(thread: Thread, error: Error): Error {
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
}
