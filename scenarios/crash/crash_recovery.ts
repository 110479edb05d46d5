/**
 * Any replica crashes at any time, most often while a write is in flight, and comes back from its
 * disk: at once, in the middle of the view change its death caused, or so late that the others
 * have lapped its journal.
 */
import { CRASH_CHECKERS, NETWORK, STORAGE_CRASH, WORKLOAD } from '../profiles.ts';
import { MILLISECOND, SECOND, percent, type Scenario } from '../scenario.ts';

export const crashRecovery: Scenario = {
  name: 'crash_recovery',
  category: 'crash',
  summary: 'Replicas crash in the middle of writes and restart from what their disks kept',
  replicas: [3, 5],
  clients: [3, 6],
  operationsPerClient: [50, 80],
  faultMicros: [18 * SECOND, 25 * SECOND],
  repliesMin: 100,
  network: { ...NETWORK, lossPpm: [0, percent(5)] },
  storage: STORAGE_CRASH,
  faults: {
    crashes: {
      count: [7, 12],
      targets: ['primary', 'primary', 'backup', 'any'],
      downMicros: [50 * MILLISECOND, 5 * SECOND],
      duringWritePpm: percent(70),
    },
  },
  workload: WORKLOAD,
  gates: [
    { counter: 'fault.crash.applied', min: 3 },
    { counter: 'fault.lost_write.applied', min: 1, sharePpm: percent(50) },
    { counter: 'replica.view_changes', min: 1, sharePpm: percent(60) },
    { counter: 'replica.commits', min: 40 },
  ],
  invariants: CRASH_CHECKERS,
};
