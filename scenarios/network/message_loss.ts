/**
 * Messages are lost, doubled and damaged on every link, clients' included: requests and replies
 * come twice or never, and every retry must be answered with the same reply.
 */
import { CORE_CHECKERS, NETWORK, STORAGE, WORKLOAD } from '../profiles.ts';
import { SECOND, percent, type Scenario } from '../scenario.ts';

export const messageLoss: Scenario = {
  name: 'message_loss',
  category: 'network',
  summary: 'Up to 30 % of all messages are lost, others are duplicated or damaged',
  replicas: [3, 5],
  clients: [3, 6],
  operationsPerClient: [30, 60],
  faultMicros: [15 * SECOND, 20 * SECOND],
  repliesMin: 100,
  network: {
    ...NETWORK,
    lossPpm: [percent(3), percent(30)],
    duplicationPpm: [percent(1), percent(20)],
    corruptionPpm: [0, percent(2)],
  },
  storage: STORAGE,
  workload: WORKLOAD,
  gates: [
    { counter: 'fault.loss.applied', min: 20 },
    { counter: 'fault.duplication.applied', min: 5 },
    { counter: 'fault.corruption.observed', min: 1, sharePpm: percent(50) },
    { counter: 'probe.client: request resent', min: 1 },
    { counter: 'replica.commits', min: 30 },
  ],
  invariants: CORE_CHECKERS,
};
