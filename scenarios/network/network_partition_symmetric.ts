/**
 * The cluster falls into two sides, in every split, and the primary alone often enough. Clients
 * still reach both sides, so an isolated primary is asked to commit, and to read, what it may not.
 */
import { CORE_CHECKERS, NETWORK, STORAGE, WORKLOAD } from '../profiles.ts';
import { SECOND, percent, type Scenario } from '../scenario.ts';

export const networkPartitionSymmetric: Scenario = {
  name: 'network_partition_symmetric',
  category: 'network',
  summary: 'Two sides that do not hear each other: the minority neither commits nor serves reads',
  replicas: [3, 5],
  clients: [3, 6],
  operationsPerClient: [40, 60],
  faultMicros: [18 * SECOND, 25 * SECOND],
  repliesMin: 80,
  network: NETWORK,
  storage: STORAGE,
  faults: {
    partitions: {
      count: [4, 6],
      lastsMicros: [1 * SECOND, 10 * SECOND],
      shapes: ['isolate_primary', 'isolate_primary', 'uniform_size', 'isolate_any', 'ring'],
      symmetry: 'symmetric',
    },
  },
  workload: { ...WORKLOAD, weights: { ...WORKLOAD.weights, read: 40 } },
  gates: [
    { counter: 'fault.partition.applied', min: 2 },
    { counter: 'fault.partition.observed', min: 1 },
    { counter: 'replica.view_changes', min: 1, sharePpm: percent(50) },
    { counter: 'replica.commits', min: 30 },
  ],
  invariants: CORE_CHECKERS,
};
