/**
 * Exponential delays with a long mean over a small minimum: neighbours overtake each other all the
 * time, duplicates arrive long after, and a closed loop of clients keeps the pipeline full.
 */
import { CORE_CHECKERS, NETWORK, STORAGE, WORKLOAD } from '../profiles.ts';
import { MILLISECOND, SECOND, percent, type Scenario } from '../scenario.ts';

export const messageReorder: Scenario = {
  name: 'message_reorder',
  category: 'network',
  summary: 'Long random delays: prepares, acks and commits overtake each other',
  replicas: [3, 5],
  clients: [4, 8],
  operationsPerClient: [30, 60],
  faultMicros: [10 * SECOND, 20 * SECOND],
  network: {
    ...NETWORK,
    delayMinMicros: [0, 1 * MILLISECOND],
    delayMeanMicros: [20 * MILLISECOND, 100 * MILLISECOND],
    linkSpreadPercent: [0, 90],
    duplicationPpm: [percent(1), percent(10)],
  },
  storage: STORAGE,
  workload: { ...WORKLOAD, thinkMicros: [0, 10 * MILLISECOND] },
  gates: [
    { counter: 'fault.duplication.applied', min: 10 },
    { counter: 'network.overtaken', min: 50 },
    { counter: 'replica.commits', min: 30 },
  ],
  invariants: CORE_CHECKERS,
};
