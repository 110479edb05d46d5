/**
 * A hears B, and B does not hear A: a primary that speaks into the void, a primary that hears
 * nobody, and a bridge that hears both sides of a split.
 */
import { CORE_CHECKERS, NETWORK, STORAGE, WORKLOAD } from '../profiles.ts';
import { SECOND, percent, type Scenario } from '../scenario.ts';

export const networkPartitionAsymmetric: Scenario = {
  name: 'network_partition_asymmetric',
  category: 'network',
  summary: 'One-way partitions: the primary is heard but deaf, or hears and is not heard',
  replicas: [3, 5],
  clients: [3, 6],
  operationsPerClient: [40, 60],
  faultMicros: [18 * SECOND, 25 * SECOND],
  repliesMin: 80,
  network: NETWORK,
  storage: STORAGE,
  faults: {
    partitions: {
      count: [6, 9],
      lastsMicros: [2 * SECOND, 10 * SECOND],
      shapes: ['isolate_primary', 'isolate_next_primary', 'uniform_size', 'isolate_any', 'bridge'],
      symmetry: 'asymmetric',
    },
  },
  // Busy to the end: a cut that nothing meets is no fault.
  workload: { ...WORKLOAD, thinkMicros: 'spread' },
  gates: [
    { counter: 'fault.partition.applied', min: 2 },
    { counter: 'fault.partition.observed', min: 1 },
    { counter: 'replica.view_changes', min: 1, sharePpm: percent(40) },
    { counter: 'replica.commits', min: 30 },
  ],
  invariants: CORE_CHECKERS,
};
