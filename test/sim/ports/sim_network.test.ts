/**
 * The simulated network: the port's contract (conformance suite), faults, and decisions that stay
 * put when something else goes away.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { CONFIG_SMALL } from '../../../core/constants.ts';
import { AT, COMMAND, setOp, setSize, setView, sizeOf } from '../../../core/message/header.ts';
import { type Message, type MessagePool } from '../../../core/message/pool.ts';
import { regionOf, zeroWords } from '../../../core/message/region.ts';
import { FAULT } from '../../../sim/counters.ts';
import { type NetworkPlan } from '../../../sim/plan.ts';
import { NetworkMemory, NetworkPort, SimNetwork } from '../../../sim/ports/sim_network.ts';
import { networkConformance, type NetworkEndpoint, type NetworkSubject } from '../../conformance/network.ts';
import { Bench, KIND_NETWORK, smallPool } from './lab.ts';

const REPLICAS = 3;
const NODES = 5;

class Rig {
  readonly bench: Bench;
  readonly pool: MessagePool = smallPool();
  readonly network: SimNetwork;
  readonly down = new Set<number>();
  /** `op` and time of each arrival, by link "from-to". */
  readonly arrivals: { from: number; to: number; op: number; at: number; bytes: Uint8Array }[] = [];
  onArrival: (to: number, message: Message) => void = () => {};

  constructor(plan: Partial<NetworkPlan> = {}, seed = 1) {
    this.bench = new Bench(seed);
    const { down } = this;
    this.pool.trackHolders(NODES + 2);
    this.network = new SimNetwork({
      plan: { ...KIND_NETWORK, ...plan },
      host: { isUp: (node) => !down.has(node), sent: () => {} },
      time: this.bench.time,
      queue: this.bench.queue,
      pool: this.pool,
      decisions: this.bench.decisions,
      counters: this.bench.counters,
      replicaCount: REPLICAS,
      nodeCount: NODES,
      holder: NODES,
      memory: new NetworkMemory(),
    });
  }

  send(from: number, to: number, op: number, command: number = COMMAND.prepare): void {
    this.pool.holder = from;
    const message = this.pool.acquire(300);
    zeroWords(message, 0, 300);
    setSize(message, 300);
    message.fields.setUint8(AT.command, command);
    setView(message, 1);
    setOp(message, op);
    this.network.send(from, to, message);
    message.unref();
  }

  step(): void {
    const { bench, network, pool } = this;
    bench.time.now = bench.queue.time;
    const slot = bench.queue.pop();
    const to = bench.queue.node[slot] as number;
    const from = bench.queue.b[slot] as number;
    const message = network.arrive(slot);
    if (message === null) return;
    bench.queue.release(slot);
    pool.holder = to;
    this.arrivals.push({
      from,
      to,
      op: message.fields.getUint32(AT.op, true),
      at: bench.time.now,
      bytes: message.bytes.slice(0, Math.min(sizeOf(message), message.capacity)),
    });
    this.onArrival(to, message);
    network.done(message);
  }

  settle(): void {
    while (this.bench.queue.size > 0) this.step();
  }

  /** Ops that arrived on a link, in order. */
  ops(from: number, to: number): number[] {
    return this.arrivals.filter((a) => a.from === from && a.to === to).map((a) => a.op);
  }
}

function subject(): NetworkSubject {
  const rig = new Rig();
  const endpoints = Array.from({ length: NODES }, (_, node) => {
    const port = new NetworkPort(rig.network, node);
    const endpoint: NetworkEndpoint = { network: port, pool: rig.pool, inbox: [], keep: null };
    return endpoint;
  });
  rig.onArrival = (to, message) => {
    const endpoint = endpoints[to] as NetworkEndpoint;
    endpoint.inbox.push(message.bytes.slice(0, sizeOf(message)));
    endpoint.keep?.push(message.ref());
  };
  // One account for everybody: this suite is about bytes, not about who holds what.
  rig.pool.held = null;
  const cluster = regionOf(new Uint8Array(16).fill(0x4b));
  const clients = [1, 2].map((number) => {
    const clientId = regionOf(new Uint8Array(16));
    clientId.words[0] = number;
    return Object.assign(endpoints[REPLICAS + number - 1] as NetworkEndpoint, { clientId });
  });
  return {
    config: CONFIG_SMALL,
    cluster,
    replicas: endpoints.slice(0, REPLICAS),
    clients,
    settle: () => rig.settle(),
    isolate: (replica) => {
      for (let node = 0; node < NODES; node++) {
        rig.network.cut(node, replica);
        rig.network.cut(replica, node);
      }
    },
    close: () => {},
  };
}

networkConformance('simulated', subject);

suite('simulated network', () => {
  test('loses, duplicates and corrupts at the rates it was given', () => {
    const rig = new Rig({
      lossPpm: 100_000,
      duplicationPpm: 200_000,
      corruptionPpm: 50_000,
      delayMeanMicros: 1000,
    });
    for (let op = 0; op < 2000; op++) {
      rig.send(0, 1, op);
      rig.settle();
    }
    const { applied, observed } = rig.bench.counters;
    const lost = applied[FAULT.loss] as number;
    const twice = applied[FAULT.duplication] as number;
    const corrupt = applied[FAULT.corruption] as number;
    assert.ok(Math.abs(lost - 200) < 50, `${lost} lost`);
    assert.ok(Math.abs(twice - 360) < 70, `${twice} duplicated`);
    assert.ok(Math.abs(corrupt - 90) < 40, `${corrupt} corrupted`);
    assert.equal(rig.arrivals.length, 2000 - lost + twice);
    assert.equal(observed[FAULT.duplication], twice);
    assert.equal(observed[FAULT.corruption], corrupt);
    const sound = new Map(rig.arrivals.map((a) => [a.op, a.bytes]));
    assert.ok(sound.size > 1000);
    assert.equal(rig.pool.freeCount, rig.pool.messages.length, 'every reference was given back');
  });

  test('a corrupted copy differs in 1 to 8 bits, the original in none', () => {
    const rig = new Rig({ corruptionPpm: 1_000_000, duplicationPpm: 1_000_000 });
    rig.send(0, 1, 7);
    rig.settle();
    assert.equal(rig.arrivals.length, 2);
    const expected = new Uint8Array(300);
    const fields = new DataView(expected.buffer);
    fields.setUint32(AT.size, 300, true);
    fields.setUint8(AT.command, COMMAND.prepare);
    fields.setUint32(AT.view, 1, true);
    fields.setUint32(AT.op, 7, true);
    const differences = rig.arrivals.map(({ bytes }) => {
      let bits = 0;
      for (let i = 0; i < Math.min(300, bytes.length); i++) {
        for (let x = (bytes[i] as number) ^ (expected[i] as number); x !== 0; x &= x - 1) bits++;
      }
      return bits;
    });
    differences.sort((x, y) => x - y);
    assert.equal(differences[0], 0, 'the duplicate is the message itself');
    assert.ok((differences[1] as number) >= 1 && (differences[1] as number) <= 8);
  });

  test('decisions belong to messages: leaving one out changes no other', () => {
    const run = (leaveOut: number): Map<number, number> => {
      const rig = new Rig({ lossPpm: 300_000, delayMeanMicros: 5000 });
      for (let op = 0; op < 200; op++) if (op !== leaveOut) rig.send(0, 1, op);
      rig.settle();
      return new Map(rig.arrivals.map((a) => [a.op, a.at]));
    };
    const whole = run(-1);
    const partial = run(50);
    whole.delete(50);
    assert.deepEqual(partial, whole);
  });

  test('the same message sent again is decided anew', () => {
    const rig = new Rig({ lossPpm: 500_000 });
    for (let i = 0; i < 40; i++) rig.send(0, 1, 1);
    rig.settle();
    assert.ok(rig.arrivals.length > 8 && rig.arrivals.length < 32, `${rig.arrivals.length} of 40`);
  });

  test('a clogged link holds packets and releases them in order; others pass', () => {
    const rig = new Rig();
    rig.send(0, 1, 1); // On its way when the clog begins.
    rig.network.clog(0, 1);
    rig.network.clog(0, 1); // Two clogs overlap.
    for (let op = 2; op < 6; op++) rig.send(0, 1, op);
    rig.send(1, 0, 9);
    rig.settle();
    assert.deepEqual(rig.ops(0, 1), []);
    assert.deepEqual(rig.ops(1, 0), [9]);
    rig.network.unclog(0, 1);
    rig.settle();
    assert.deepEqual(rig.ops(0, 1), []);
    rig.network.unclog(0, 1);
    rig.settle();
    assert.deepEqual(rig.ops(0, 1), [1, 2, 3, 4, 5]);
  });

  test('a cut link loses packets, also those on their way; one direction at a time', () => {
    const rig = new Rig();
    rig.send(0, 1, 1);
    rig.network.cut(0, 1);
    rig.send(0, 1, 2);
    rig.send(1, 0, 3);
    rig.settle();
    rig.network.join(0, 1);
    rig.send(0, 1, 4);
    rig.settle();
    assert.deepEqual(rig.ops(0, 1), [4]);
    assert.deepEqual(rig.ops(1, 0), [3]);
  });

  test('a full link drops; a process that is down receives nothing', () => {
    const rig = new Rig({ linkCapacity: 4 });
    for (let op = 0; op < 10; op++) rig.send(0, 1, op);
    rig.down.add(2);
    rig.send(0, 2, 1);
    rig.settle();
    assert.equal(rig.arrivals.length, 4);
    assert.equal(rig.bench.counters.applied[FAULT.overflow], 6);
    rig.send(0, 1, 11); // There is room again.
    rig.settle();
    assert.equal(rig.arrivals.length, 5);
    assert.equal(rig.pool.freeCount, rig.pool.messages.length);
  });

  test('healing joins, releases and stops every fault', () => {
    const rig = new Rig({ lossPpm: 1_000_000 });
    rig.network.cut(0, 1);
    rig.network.heal();
    rig.network.clog(1, 2);
    rig.send(1, 2, 1);
    rig.settle();
    rig.network.heal();
    rig.send(0, 1, 2);
    rig.settle();
    assert.deepEqual([rig.ops(1, 2), rig.ops(0, 1)], [[1], [2]]);
  });
});
