/**
 * Directed links are clogged one by one and released in another order, the primary's above all:
 * messages arrive late and in bursts of the past. Held long enough, a clog costs the primary its
 * view.
 */
import { CORE_CHECKERS, NETWORK, STORAGE, WORKLOAD } from '../profiles.ts';
import { MILLISECOND, SECOND, percent, type Scenario } from '../scenario.ts';

export const swizzleClogging: Scenario = {
  name: 'swizzle_clogging',
  category: 'core',
  summary: 'Links clog one by one and are released in another order; late bursts of old messages',
  replicas: [3, 5],
  clients: [3, 6],
  operationsPerClient: [30, 60],
  faultMicros: [15 * SECOND, 25 * SECOND],
  repliesMin: 100,
  network: {
    ...NETWORK,
    delayMinMicros: 1 * MILLISECOND,
    delayMeanMicros: [1 * MILLISECOND, 9 * MILLISECOND],
    lossPpm: percent(5),
    duplicationPpm: percent(2),
  },
  storage: STORAGE,
  faults: {
    clogs: {
      count: [4, 10],
      lastsMicros: [200 * MILLISECOND, 8 * SECOND],
      targets: ['primary', 'primary', 'any'],
    },
    swizzles: {
      count: [1, 3],
      links: [2, 5],
      stepMicros: [100 * MILLISECOND, 500 * MILLISECOND],
      holdMicros: [500 * MILLISECOND, 6 * SECOND],
    },
  },
  workload: WORKLOAD,
  gates: [
    { counter: 'fault.clog.applied', min: 3 },
    { counter: 'fault.loss.applied', min: 1 },
    { counter: 'replica.view_changes', min: 1, sharePpm: percent(20) },
    { counter: 'replica.commits', min: 30 },
  ],
  invariants: CORE_CHECKERS,
};
