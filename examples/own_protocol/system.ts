/** The register as a system that the simulator runs: `vopr run --system examples/own_protocol/system.ts`. */
import {
  MILLISECOND,
  NETWORK,
  SECOND,
  STORAGE,
  defineSystem,
  percent,
} from '../../cli/system.ts'; // Published: from 'kimberlite/system'.
import { Linearizable } from './linearizable.ts';
import {
  ANSWERED_UNSTORED,
  CONFIRMED_UNSYNCED,
  KINDS,
  RegisterCaller,
  RegisterNode,
  type Answer,
  type Operation,
} from './register.ts';

export const system = defineSystem<Operation, Answer>({
  name: 'register',
  module: import.meta.url,
  messages: KINDS,
  createNode: (ports) => new RegisterNode(ports),
  createCaller: (ports) => new RegisterCaller(ports),
  // A value says who wrote it, so all of them differ.
  operation: (draw) =>
    draw.chance(percent(50))
      ? { kind: 'read' }
      : { kind: 'write', value: (draw.client + 1) * 1000 + draw.index },
  checkers: [
    {
      id: 'linearizable',
      claim: 'What callers of the register saw is linearizable',
      create: (context) => new Linearizable(context),
    },
  ],
  scenarios: [
    {
      name: 'rough_sea',
      summary: 'Messages are lost, repeated and damaged, nodes cut off, stopped and crashed',
      replicas: [3, 5],
      clients: [2, 4],
      operationsPerClient: [40, 80],
      thinkMicros: [0, 100 * MILLISECOND],
      faultMicros: 3 * SECOND,
      repliesMin: 40,
      network: {
        ...NETWORK,
        lossPpm: [percent(5), percent(30)],
        duplicationPpm: percent(2),
        corruptionPpm: percent(1),
      },
      storage: { ...STORAGE, lostPpm: percent(100) },
      faults: {
        partitions: {
          count: [2, 5],
          lastsMicros: [100 * MILLISECOND, 1 * SECOND],
          shapes: ['uniform_size'],
          symmetry: 'coin',
          clientsToo: true,
        },
        crashes: { count: [1, 3], targets: ['any'], downMicros: [10 * MILLISECOND, 1 * SECOND] },
        pauses: { count: [0, 2], targets: ['any'], lastsMicros: [100 * MILLISECOND, 1 * SECOND] },
      },
      gates: [
        { counter: 'client.replies', min: 40 },
        { counter: 'fault.crash.applied', min: 1 },
        { counter: 'fault.partition.observed', min: 1 },
      ],
    },
    {
      name: 'power_cuts',
      summary: 'All nodes lose power at once, now and then; what was not synced is gone',
      replicas: [3],
      clients: [2, 4],
      operationsPerClient: [20, 60],
      thinkMicros: [0, 100 * MILLISECOND],
      faultMicros: 5 * SECOND,
      network: NETWORK,
      storage: { ...STORAGE, syncMeanMicros: 10 * MILLISECOND, lostPpm: percent(100) },
      faults: { restartsAll: { count: [2, 8], downMicros: [1 * MILLISECOND, 500 * MILLISECOND] } },
      gates: [{ counter: 'fault.restart_all.applied', min: 1 }],
    },
  ],
  canaries: [
    {
      name: 'answered-unstored',
      id: ANSWERED_UNSTORED,
      bug: 'A read is answered without storing what it found on a majority',
      caughtBy: 'linearizable',
      scenario: 'rough_sea',
      seeds: 100,
    },
    {
      name: 'confirmed-unsynced',
      id: CONFIRMED_UNSYNCED,
      bug: 'A node confirms what it has written and not yet synced',
      caughtBy: 'linearizable',
      scenario: 'power_cuts',
      seeds: 100,
    },
  ],
});
