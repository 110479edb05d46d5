/**
 * Power loss of the whole cluster under load: every sector that nobody synced may be gone on all
 * replicas at once, and what was acknowledged must still be there.
 */
import { CRASH_CHECKERS, NETWORK, STORAGE_CRASH, WORKLOAD } from '../profiles.ts';
import { MILLISECOND, SECOND, percent, type Scenario } from '../scenario.ts';

export const restartAllAtOnce: Scenario = {
  name: 'restart_all_at_once',
  category: 'crash',
  summary: 'The whole cluster loses power under load; nothing acknowledged is lost',
  replicas: [3, 5, 1],
  clients: [4, 8],
  operationsPerClient: [60, 90],
  faultMicros: [6 * SECOND, 10 * SECOND],
  repliesMin: 100,
  network: NETWORK,
  storage: {
    ...STORAGE_CRASH,
    writeMeanMicros: [500, 4 * MILLISECOND],
    syncMeanMicros: [2 * MILLISECOND, 8 * MILLISECOND],
    lostPpm: [percent(70), percent(100)],
  },
  faults: {
    restartsAll: {
      count: [2, 4],
      downMicros: [10 * MILLISECOND, 2 * SECOND],
      afterMicros: 200 * MILLISECOND,
    },
  },
  workload: {
    ...WORKLOAD,
    weights: { ...WORKLOAD.weights, append: 90, read: 15 },
    thinkMicros: [0, 60 * MILLISECOND],
  },
  gates: [
    { counter: 'fault.restart_all.applied', min: 1 },
    { counter: 'fault.lost_write.applied', min: 1, sharePpm: percent(50) },
    { counter: 'replica.commits', min: 40 },
  ],
  invariants: CRASH_CHECKERS.filter((id) => id !== 'agreement' && id !== 'replica_convergence'),
};
