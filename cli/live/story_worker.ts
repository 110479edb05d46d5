/** The thread on which failures are run again, so that the screen goes on meanwhile. */
import module from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';
import { type StoryAnswer, type StoryRequest, type StoryWorkerData } from './failure_story.ts';

module.enableCompileCache();
const { loadOwnSystem } = await import('../vopr/own_system.ts');
const { system } = workerData as StoryWorkerData;
if (system !== null) await loadOwnSystem(system);
const { tellFailure } = await import('./failure_story.ts');
parentPort?.on('message', (request: StoryRequest) => {
  let answer: StoryAnswer;
  try {
    answer = { story: tellFailure(request) };
  } catch (error) {
    answer = { problem: (error as Error).message };
  }
  parentPort?.postMessage(answer);
});
