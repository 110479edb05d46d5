/** The first lines of a minimisation's thread: see seed_worker.ts for the cache. */
import module from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';
import { type JudgeThreadData } from './judge_task.ts';

module.enableCompileCache();
const data = workerData as JudgeThreadData;
if (data.system !== null) {
  const { loadOwnSystem } = await import('./own_system.ts');
  await loadOwnSystem(data.system);
}
const { serveJudgements } = await import('./judge_task.ts');
if (parentPort !== null) serveJudgements(parentPort, data);
