/**
 * Crashes hit writes of several sectors, and each sector is decided on its own: old, new, or
 * garbage. Appends are large, so that most prepares and blocks span sectors. A torn tail is
 * discarded, a torn prepare that others hold is repaired, and no torn byte is ever believed.
 */
import { CRASH_CHECKERS, NETWORK, STORAGE_CRASH, WORKLOAD } from '../profiles.ts';
import { MILLISECOND, SECOND, percent, type Scenario } from '../scenario.ts';

export const corruptionTornWrite: Scenario = {
  name: 'corruption_torn_write',
  category: 'corruption',
  summary: 'Crashes tear writes of several sectors; no torn prepare or block is ever believed',
  replicas: [3, 5],
  clients: [4, 8],
  operationsPerClient: [40, 60],
  faultMicros: [15 * SECOND, 22 * SECOND],
  repliesMin: 100,
  network: NETWORK,
  storage: {
    ...STORAGE_CRASH,
    writeMeanMicros: [1 * MILLISECOND, 6 * MILLISECOND],
    syncMeanMicros: [1 * MILLISECOND, 8 * MILLISECOND],
    lostPpm: [percent(30), percent(70)],
    tornPpm: percent(100),
    garbagePpm: [0, percent(30)],
  },
  faults: {
    crashes: {
      count: [9, 15],
      targets: ['primary', 'backup', 'any'],
      downMicros: [20 * MILLISECOND, 3 * SECOND],
      duringWritePpm: percent(100),
    },
  },
  workload: {
    ...WORKLOAD,
    weights: { ...WORKLOAD.weights, append: 90, read: 20 },
    eventsPerAppend: [8, 20],
    payloadBytes: [200, 500],
    thinkMicros: [0, 150 * MILLISECOND],
  },
  gates: [
    { counter: 'fault.crash.applied', min: 3 },
    { counter: 'fault.torn_write.applied', min: 1, sharePpm: percent(60) },
    { counter: 'replica.commits', min: 40 },
  ],
  invariants: CRASH_CHECKERS,
};
