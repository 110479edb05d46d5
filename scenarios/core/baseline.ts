/** Nothing goes wrong: the ordinary path, checkpoints and wrapping of the journal included. */
import { CORE_CHECKERS, NETWORK, STORAGE, WORKLOAD } from '../profiles.ts';
import { MILLISECOND, SECOND, type Scenario } from '../scenario.ts';

export const baseline: Scenario = {
  name: 'baseline',
  category: 'core',
  summary: 'No faults: all checkers run, the journal wraps, the view never changes',
  replicas: [3],
  clients: [2, 4],
  operationsPerClient: [50, 80],
  faultMicros: 10 * SECOND,
  network: { ...NETWORK, delayMinMicros: 1 * MILLISECOND, delayMeanMicros: [1, 4 * MILLISECOND] },
  storage: STORAGE,
  workload: WORKLOAD,
  gates: [
    { counter: 'client.replies', min: 50 },
    { counter: 'replica.commits', min: 50 },
    { counter: 'replica.checkpoints', min: 3 },
    { counter: 'replica.view_changes', max: 0 },
  ],
  invariants: CORE_CHECKERS,
};
