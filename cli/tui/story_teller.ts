/** Has failures run again on a thread, one at a time; a new one takes the place of the one before. */
import { Worker } from 'node:worker_threads';
import { type Failure } from '../live/campaign_model.ts';
import { type StoryAnswer, type StoryRequest, type StoryWorkerData } from '../live/failure_story.ts';
import { ownSystemUrl } from '../vopr/own_system.ts';
import { newStory, type Story } from './views/story.ts';

export class StoryTeller {
  #worker: Worker | null = null;

  /** The story is filled in when the run is over. */
  tell(failure: Failure): Story {
    const story = newStory(failure);
    void this.close(); // A run that nobody waits for any more.
    const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
    const workerData: StoryWorkerData = { system: ownSystemUrl() };
    const worker = new Worker(new URL(`../live/story_worker${extension}`, import.meta.url), { workerData });
    this.#worker = worker;
    const settle = (answer: StoryAnswer): void => {
      if ('story' in answer) {
        story.told = answer.story;
      } else {
        story.problem = answer.problem;
      }
      story.version++;
    };
    worker.once('message', (answer: StoryAnswer) => {
      settle(answer);
      void worker.terminate();
    });
    worker.once('error', (error) => settle({ problem: error.message }));
    const { scenario, seed, canary } = failure;
    const { bundle } = failure.replay;
    worker.postMessage({ bundle, scenario, seed, canary } satisfies StoryRequest);
    return story;
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    this.#worker = null;
    await worker?.terminate();
  }
}
