/**
 * Bits rot at rest in journals, grid blocks, replies and superblock copies, within what the fault
 * atlas keeps recoverable. Restarts make replicas read what has rotted; reads of old events reach
 * rotten blocks. Everything is found by its checksum and mended from peers.
 */
import { CRASH_CHECKERS, NETWORK, STORAGE_CRASH, WORKLOAD } from '../profiles.ts';
import { MILLISECOND, SECOND, percent, type Scenario } from '../scenario.ts';

export const corruptionBitFlip: Scenario = {
  name: 'corruption_bit_flip',
  category: 'corruption',
  summary: 'Bits flip at rest in every zone of the disks; each is found and repaired from peers',
  replicas: [3, 5],
  clients: [3, 6],
  operationsPerClient: [50, 80],
  faultMicros: [18 * SECOND, 25 * SECOND],
  repliesMin: 100,
  network: NETWORK,
  storage: STORAGE_CRASH,
  faults: {
    bitRot: { count: [60, 100], targets: ['any'], sectors: [1, 4] },
    crashes: {
      count: [5, 8],
      targets: ['any'],
      downMicros: [50 * MILLISECOND, 2 * SECOND],
      downMax: 1,
    },
  },
  workload: { ...WORKLOAD, weights: { ...WORKLOAD.weights, read: 60 } },
  gates: [
    { counter: 'fault.bit_rot.applied', min: 5 },
    { counter: 'fault.bit_rot.observed', min: 1 },
    { counter: 'probe.grid: block read corrupt', min: 1, sharePpm: percent(40) },
    { counter: 'probe.journal: recovery case C', min: 1, sharePpm: percent(50) },
    { counter: 'probe.superblock: repaired a copy at open', min: 1, sharePpm: percent(50) },
    { counter: 'fault.crash.applied', min: 1 },
    { counter: 'replica.commits', min: 40 },
  ],
  invariants: CRASH_CHECKERS,
};
