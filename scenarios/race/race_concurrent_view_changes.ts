/**
 * Several replicas leave for different views at once: short one-way isolations of the primary and
 * of its successor, pauses and crashes in the middle of view changes, and loss that keeps votes
 * apart. Two or more view numbers are alive most of the time.
 */
import { CORE_CHECKERS, NETWORK, STORAGE_CRASH, WORKLOAD } from '../profiles.ts';
import { MILLISECOND, SECOND, percent, type Scenario } from '../scenario.ts';

export const raceConcurrentViewChanges: Scenario = {
  name: 'race_concurrent_view_changes',
  category: 'race',
  summary: 'Replicas start different views at the same time; one primary per view, one log',
  replicas: [3, 5],
  clients: [6, 10],
  operationsPerClient: [25, 40],
  faultMicros: [20 * SECOND, 30 * SECOND],
  repliesMin: 100,
  network: {
    ...NETWORK,
    delayMinMicros: 1 * MILLISECOND,
    delayMeanMicros: [1 * MILLISECOND, 14 * MILLISECOND],
    lossPpm: [percent(5), percent(15)],
  },
  storage: STORAGE_CRASH,
  faults: {
    partitions: {
      count: [8, 12],
      lastsMicros: [3 * SECOND, 7 * SECOND],
      shapes: ['isolate_primary', 'isolate_primary', 'isolate_next_primary', 'uniform_size'],
      symmetry: 'coin',
    },
    pauses: {
      count: [2, 5],
      targets: ['primary', 'next_primary'],
      lastsMicros: [500 * MILLISECOND, 7 * SECOND],
    },
    crashes: {
      count: [1, 4],
      targets: ['primary', 'next_primary'],
      downMicros: [100 * MILLISECOND, 4 * SECOND],
      duringWritePpm: percent(50),
      downMax: 1,
    },
  },
  // Slow clients: what an isolated primary has prepared may be more than its successor commits.
  workload: { ...WORKLOAD, thinkMicros: [100 * MILLISECOND, 3 * SECOND] },
  gates: [
    { counter: 'fault.partition.applied', min: 3 },
    { counter: 'replica.view_changes', min: 1, sharePpm: percent(90) },
    { counter: 'replica.views_live_max', min: 2, sharePpm: percent(80) },
    { counter: 'replica.commits', min: 20 },
  ],
  invariants: CORE_CHECKERS,
};
