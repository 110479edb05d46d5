import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bodyValid, headerValid, seal } from '../../../core/checksum.ts';
import { CONFIG_SMALL, HEADER_SIZE, PROTOCOL_VERSION } from '../../../core/constants.ts';
import {
  AT, COMMAND, OPERATION, commandOf, operationOf, requestOf, sessionOf, setOp, setRequest, setSize,
  setView, sizeOf, viewOf,
} from '../../../core/message/header.ts';
import { MessagePool, allocateAligned, type Message } from '../../../core/message/pool.ts';
import { copyWords, equalWords, regionOf, zeroWords } from '../../../core/message/region.ts';
import { type Clock, type Network } from '../../../core/ports.ts';
import { Prng } from '../../../core/prng.ts';
import { type Micros } from '../../../core/units.ts';
import { CLIENT_TIMER, Client, type ClientListener } from '../../../core/vsr/client.ts';

const algorithm = CONFIG_SMALL.checksumAlgorithm;

/** A clock that is moved by hand. */
class HandClock implements Clock {
  now = 1_000_000;
  readonly deadlines = new Map<number, number>();
  monotonic(): Micros { return this.now as Micros; }
  wall(): Micros { return this.now as Micros; }
  arm(timer: number, delay: Micros): void { this.deadlines.set(timer, this.now + delay); }
  disarm(timer: number): void { this.deadlines.delete(timer); }
}

/** Records what is sent and holds a reference, as a real network does. */
class ScriptedNetwork implements Network {
  readonly sent: { to: number; message: Message }[] = [];
  send(to: number, message: Message): void { this.sent.push({ to, message: message.ref() }); }
  take(command: number): { to: number; message: Message }[] {
    const found = this.sent.filter((s) => commandOf(s.message) === command);
    for (const s of this.sent) s.message.unref();
    this.sent.length = 0;
    return found;
  }
}

class Recorder implements ClientListener {
  readonly events: string[] = [];
  clientRegistered(client: Client): void { this.events.push(`registered ${client.session}`); }
  clientReply(_: Client, m: Message): void { this.events.push(`reply ${requestOf(m)} size ${sizeOf(m)}`); }
  clientEvicted(_: Client, reason: number): void { this.events.push(`evicted ${reason}`); }
}

function rig(replicaCount = 3) {
  const pool = new MessagePool({
    smallCount: 32, smallSize: 8192, largeCount: 0, largeSize: 8192, allocate: allocateAligned,
  });
  const cluster = regionOf(new Uint8Array(16).fill(7));
  const clientId = regionOf(new Uint8Array(16).fill(9));
  const clock = new HandClock();
  const network = new ScriptedNetwork();
  const listener = new Recorder();
  const client = new Client({
    config: CONFIG_SMALL, cluster, clientId, replicaCount, clock, network,
    rng: new Prng([1, 2, 3, 4]), pool, listener,
  });
  const fire = (timer: number): void => {
    const at = clock.deadlines.get(timer);
    assert.ok(at !== undefined, `timer ${timer} is armed`);
    clock.now = at;
    clock.deadlines.delete(timer);
    client.onTimer(timer);
  };
  const message = (command: number, view: number, bodySize = 0): Message => {
    const m = pool.acquire(HEADER_SIZE + bodySize);
    zeroWords(m, 0, HEADER_SIZE);
    copyWords(cluster, 0, m, AT.cluster, 16);
    copyWords(clientId, 0, m, AT.client, 16);
    setSize(m, HEADER_SIZE + bodySize);
    setView(m, view);
    m.fields.setUint16(AT.protocol, PROTOCOL_VERSION, true);
    m.fields.setUint8(AT.command, command);
    m.bytes.fill(0x5a, HEADER_SIZE, HEADER_SIZE + bodySize);
    return m;
  };
  const deliver = (m: Message): void => {
    seal(algorithm, m);
    client.onMessage(m);
    m.unref();
  };
  const reply = (request: Message, op: number, view = 0, edit?: (m: Message) => void): void => {
    const m = message(COMMAND.reply, view, 8);
    copyWords(request, AT.checksum, m, AT.replyRequestChecksum, 32);
    m.bytes.fill(op, AT.replyContext, AT.replyContext + 32);
    setRequest(m, requestOf(request));
    setOp(m, op);
    edit?.(m);
    deliver(m);
  };
  const register = (): void => {
    client.start();
    const request = network.sent.find((s) => commandOf(s.message) === COMMAND.request)?.message;
    assert.ok(request !== undefined);
    reply(request.ref(), 5);
    request.unref();
    network.take(COMMAND.request);
  };
  return {
    pool, client, clock, network, listener, fire, message, deliver, reply, register, cluster, clientId,
  };
}

test('registers with the primary of view 0 and pings everyone', () => {
  const r = rig();
  r.client.start();
  const pings = r.network.sent.filter((s) => commandOf(s.message) === COMMAND.pingClient);
  assert.deepEqual(pings.map((s) => s.to), [0, 1, 2]);
  const [register] = r.network.take(COMMAND.request).map((s) => ({ to: s.to, message: s.message.ref() }));
  assert.ok(register !== undefined);
  assert.equal(register.to, 0);
  const m = register.message;
  assert.ok(headerValid(algorithm, m) && bodyValid(algorithm, m));
  assert.equal(operationOf(m), OPERATION.register);
  assert.equal(sessionOf(m), 0);
  assert.equal(requestOf(m), 0);
  assert.ok(!r.client.idle);
  r.reply(m, 5);
  assert.deepEqual(r.listener.events, ['registered 5']);
  assert.ok(r.client.idle);
  m.unref();
  assert.equal(r.pool.freeCount, 32);
});

test('a request carries session, number and the context of the reply before', () => {
  const r = rig();
  r.register();
  r.client.request(130, new Uint8Array([1, 2, 3]));
  const [first] = r.network.take(COMMAND.request);
  assert.ok(first !== undefined);
  assert.equal(sessionOf(first.message), 5);
  assert.equal(requestOf(first.message), 1);
  assert.equal(sizeOf(first.message), 259);
  assert.ok(first.message.bytes.subarray(AT.parent, AT.parent + 32).every((b) => b === 5));
  r.reply(first.message, 6);
  assert.equal(r.listener.events.at(-1), 'reply 1 size 264');
  r.client.request(130, new Uint8Array(0));
  const [second] = r.network.take(COMMAND.request);
  assert.ok(second !== undefined);
  assert.equal(requestOf(second.message), 2);
  assert.ok(second.message.bytes.subarray(AT.parent, AT.parent + 32).every((b) => b === 6));
});

test('timeouts resend identical bytes, to the primary and the others in turn, without limit', () => {
  const r = rig();
  r.register();
  r.client.request(130, new Uint8Array(10));
  const [first] = r.network.take(COMMAND.request);
  assert.ok(first !== undefined);
  const targets = new Set<number>();
  let longest = 0;
  for (let i = 0; i < 300; i++) {
    const before = r.clock.now;
    r.fire(CLIENT_TIMER.request);
    longest = Math.max(longest, r.clock.now - before);
    const again = r.network.take(COMMAND.request);
    assert.equal(again.length, 2);
    assert.equal(again[0]?.to, 0);
    for (const s of again) {
      targets.add(s.to);
      assert.equal(s.message, first.message);
    }
  }
  assert.deepEqual([...targets].sort(), [0, 1, 2]);
  assert.ok(longest > 1_000_000 && longest < 3_000_000, `longest wait ${longest}`);
  assert.deepEqual(r.listener.events, ['registered 5']); // Nothing is reported as failed.
});

test('a reply must match number, checksum and client, and be undamaged', () => {
  const r = rig();
  r.register();
  r.client.request(130, new Uint8Array(10));
  const [sent] = r.network.take(COMMAND.request);
  assert.ok(sent !== undefined);
  r.reply(sent.message, 6, 0, (m) => setRequest(m, 2));
  r.reply(sent.message, 6, 0, (m) => {
    m.bytes[AT.replyRequestChecksum + 3] = 1 ^ (m.bytes[AT.replyRequestChecksum + 3] as number);
  });
  r.reply(sent.message, 6, 0, (m) => { m.bytes[AT.client] = 1; });
  r.reply(sent.message, 6, 0, (m) => { m.bytes[AT.cluster] = 1; });
  r.reply(sent.message, 6, 0, (m) => { m.bytes[AT.reservedFrame] = 1; });
  r.reply(sent.message, 0);
  const damaged = r.message(COMMAND.reply, 0, 8);
  seal(algorithm, damaged);
  damaged.bytes[300 - 40] = 1;
  r.client.onMessage(damaged);
  damaged.unref();
  assert.deepEqual(r.listener.events, ['registered 5']);
  assert.equal(r.client.refusedCount, 5);
  r.reply(sent.message, 6);
  r.reply(sent.message, 6); // A duplicate is ignored.
  assert.deepEqual(r.listener.events, ['registered 5', 'reply 1 size 264']);
});

test('a newer view is adopted, and used when the timer fires', () => {
  const r = rig();
  r.register();
  r.client.request(130, new Uint8Array(10));
  r.network.take(COMMAND.request);
  r.deliver(r.message(COMMAND.pongClient, 4));
  assert.equal(r.client.view, 4);
  assert.equal(r.network.sent.length, 0);
  r.fire(CLIENT_TIMER.request);
  const again = r.network.take(COMMAND.request);
  assert.equal(again[0]?.to, 1);
  assert.equal(viewOf(again[0].message), 0); // The bytes stay as first sent.
  r.deliver(r.message(COMMAND.pongClient, 3));
  assert.equal(r.client.view, 4);
});

test('queries have their own numbers and leave the request chain alone', () => {
  const r = rig();
  r.register();
  r.client.query(192, new Uint8Array(4));
  const [sent] = r.network.take(COMMAND.query);
  assert.ok(sent !== undefined);
  assert.equal(requestOf(sent.message), 1);
  const stale = r.message(COMMAND.queryReply, 0, 16);
  setRequest(stale, 7);
  r.deliver(stale);
  assert.ok(!r.client.idle);
  const answer = r.message(COMMAND.queryReply, 2, 16);
  setRequest(answer, 1);
  r.deliver(answer);
  assert.equal(r.listener.events.at(-1), 'reply 1 size 272');
  assert.equal(r.client.view, 2);
  r.client.request(130, new Uint8Array(0));
  const [next] = r.network.take(COMMAND.request);
  assert.ok(next !== undefined);
  assert.equal(requestOf(next.message), 1);
  assert.ok(next.message.bytes.subarray(AT.parent, AT.parent + 32).every((b) => b === 5));
});

test('eviction ends the session, unless it comes from an older view', () => {
  const r = rig();
  r.register();
  r.client.request(130, new Uint8Array(10));
  r.deliver(r.message(COMMAND.pongClient, 3));
  const old = r.message(COMMAND.eviction, 2);
  old.fields.setUint8(AT.reason, 1);
  r.deliver(old);
  assert.ok(!r.client.idle);
  const now = r.message(COMMAND.eviction, 3);
  now.fields.setUint8(AT.reason, 7);
  r.deliver(now);
  assert.deepEqual(r.listener.events, ['registered 5', 'evicted 7']);
  assert.equal(r.clock.deadlines.size, 0);
  r.network.take(COMMAND.request);
  assert.equal(r.pool.freeCount, 32); // Nothing is held for a dead session.
});

test('after seven round trips the timeout follows their median', () => {
  const r = rig(1);
  r.register();
  for (let i = 0; i < 8; i++) {
    r.client.request(130, new Uint8Array(0));
    const [sent] = r.network.take(COMMAND.request);
    assert.ok(sent !== undefined);
    sent.message.ref();
    r.clock.now += i === 3 ? 500_000 : 20_000;
    r.reply(sent.message, 6 + i);
    sent.message.unref();
  }
  r.client.request(130, new Uint8Array(0));
  const deadline = r.clock.deadlines.get(CLIENT_TIMER.request) as number;
  assert.ok(deadline - r.clock.now >= 50_000 && deadline - r.clock.now <= 60_000);
  r.network.take(COMMAND.request);
  r.fire(CLIENT_TIMER.request);
  const again = r.network.take(COMMAND.request);
  assert.equal(again.length, 1); // A cluster of one has nobody else to ask.
  assert.ok(equalWords(again[0]?.message as Message, AT.client, r.clientId, 0, 16));
});
