/**
 * C0 was answered 1000: the register held 1000 from 92619 to 606689 us, but it held 4001 at
 * some time from 188761 to 590761 us
 *
 * Minimised from rough_sea, seed 5, canary answered-unstored: 448 events and 469 decisions
 * became 63 and 18.
 * It fails on the bug: VOPR_CANARY=answered-unstored node --test THIS_FILE.
 */
import { test } from 'node:test';
import { planOf, simTest } from '../../cli/testing.ts';
import { system } from './system.ts';

test(
  'linearizable holds: rough_sea, seed 5, canary answered-unstored, minimised',
  simTest({
    system,
    plan: planOf({
      system,
      scenario: 'rough_sea',
      seed: 5,
      replicas: 3,
      clients: 4,
      operations: [[0, 1, 4], [], [], [1]],
      absent: [1, 2],
      workload: { thinkMicros: [0, 100_000] },
      faults: [{ kind: 'crash', at: 100_000, node: 1, down: 400_000 }],
      decisions: [
        'loss of C3 -> R1 ask of operation 1',
        'loss of R0 -> C3 tell of operation 1',
        'loss of R0 -> C0 tell of operation 1',
        'loss of C3 -> R2 store of operation 1',
        'loss of C0 -> R0 ask of operation 1, copy 1',
        'loss of C3 -> R2 store of operation 1, copy 1',
        'loss of R0 -> C0 tell of operation 4',
      ],
      invariants: ['linearizable'],
    }),
  }),
);
