/**
 * What every Network port must do, run on the real one and on the simulated one. A network may
 * lose, duplicate and reorder; the subject is set to its kindest, so that what arrives can be
 * counted, and tests that need a delivery send until it comes.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { seal } from '../../core/checksum.ts';
import { HEADER_SIZE, PROTOCOL_VERSION, type ClusterConfig } from '../../core/constants.ts';
import { AT, COMMAND, setSize, sizeOf } from '../../core/message/header.ts';
import { type Message, type MessagePool } from '../../core/message/pool.ts';
import { copyWords, zeroWords, type Region } from '../../core/message/region.ts';
import { TO_CLIENT, type Network } from '../../core/ports.ts';

export interface NetworkEndpoint {
  readonly network: Network;
  /** Where this endpoint's own messages come from. */
  readonly pool: MessagePool;
  /** Copies of the bytes delivered so far, 0..size, in order of arrival. */
  readonly inbox: Uint8Array[];
  /** The next messages delivered are also kept, with a reference, while this is set. */
  keep: Message[] | null;
}

export interface NetworkSubject {
  readonly config: ClusterConfig;
  readonly cluster: Region;
  /** Three replicas, by index. */
  readonly replicas: readonly NetworkEndpoint[];
  /** Two clients. */
  readonly clients: readonly (NetworkEndpoint & { readonly clientId: Region })[];
  /** Runs until nothing is on its way any more. */
  settle(): Promise<void> | void;
  /** Cuts a replica off for good: what is sent to it is lost. */
  isolate(replica: number): Promise<void> | void;
  close(): Promise<void> | void;
}

let serial = 0;

/** A sealed message whose body names it. */
function build(
  subject: NetworkSubject,
  pool: MessagePool,
  command: number,
  size: number,
  client?: Region,
): Message {
  const m = pool.acquire(size);
  zeroWords(m, 0, HEADER_SIZE);
  copyWords(subject.cluster, 0, m, AT.cluster, 16);
  setSize(m, size);
  m.fields.setUint16(AT.protocol, PROTOCOL_VERSION, true);
  m.fields.setUint8(AT.command, command);
  if (client !== undefined) copyWords(client, 0, m, AT.client, 16);
  serial++;
  m.fields.setUint32(AT.request, serial, true);
  for (let i = HEADER_SIZE; i < size; i++) m.bytes[i] = (serial * 31 + i * 7) & 0xff;
  seal(subject.config.checksumAlgorithm, m);
  return m;
}

const textOf = (m: Message): string => Buffer.from(m.bytes.subarray(0, sizeOf(m))).toString('hex');

/** Sends, gives up the sender's reference, returns the bytes. */
function send(from: NetworkEndpoint, to: number, m: Message): string {
  const text = textOf(m);
  from.network.send(to, m);
  m.unref();
  return text;
}

const takeAll = (to: NetworkEndpoint): string[] =>
  to.inbox.splice(0).map((b) => Buffer.from(b).toString('hex'));

export function networkConformance(
  name: string,
  make: () => Promise<NetworkSubject> | NetworkSubject,
): void {
  const on = (what: string, run: (subject: NetworkSubject) => Promise<void>): void => {
    test(what, async () => {
      const subject = await make();
      const free = [...subject.replicas, ...subject.clients].map((e) => [e.pool, e.pool.freeCount] as const);
      try {
        await run(subject);
        await subject.settle();
        for (const [pool, count] of free) assert.equal(pool.freeCount, count, 'every message was given back');
      } finally {
        await subject.close();
      }
    });
  };

  suite(`network conformance: ${name}`, () => {
    on('messages of every size arrive whole, at their addressee only', async (subject) => {
      const [a, b, c] = subject.replicas as [NetworkEndpoint, NetworkEndpoint, NetworkEndpoint];
      const max = subject.config.messageSizeMax;
      const sizes = [256, 257, 300, 511, 4096, 4097, Math.min(8192, max), max - 1, max];
      for (const size of sizes) {
        const toB = send(a, 1, build(subject, a.pool, COMMAND.prepare, size));
        const toC = send(b, 2, build(subject, b.pool, COMMAND.prepare, size));
        const toA = send(c, 0, build(subject, c.pool, COMMAND.prepare, size));
        await subject.settle();
        assert.deepEqual(takeAll(b), [toB]);
        assert.deepEqual(takeAll(c), [toC]);
        assert.deepEqual(takeAll(a), [toA]);
      }
      for (const client of subject.clients) assert.deepEqual(takeAll(client), []);
    });

    on('nothing arrives inside the call', async (subject) => {
      const [a, b] = subject.replicas as [NetworkEndpoint, NetworkEndpoint];
      send(a, 1, build(subject, a.pool, COMMAND.commit, 256));
      assert.equal(b.inbox.length, 0);
      await subject.settle();
      assert.equal(takeAll(b).length, 1);
    });

    on('one message to many, and the sender may let go at once', async (subject) => {
      const a = subject.replicas[0] as NetworkEndpoint;
      const m = build(subject, a.pool, COMMAND.prepare, 1000);
      const text = textOf(m);
      a.network.send(1, m);
      a.network.send(2, m);
      assert.ok(m.references > 1, 'the network holds references of its own');
      m.unref();
      await subject.settle();
      for (const replica of [1, 2])
        assert.deepEqual(takeAll(subject.replicas[replica] as NetworkEndpoint), [text]);
    });

    on('a receiver may keep what it got', async (subject) => {
      const [a, b] = subject.replicas as [NetworkEndpoint, NetworkEndpoint];
      b.keep = [];
      const text = send(a, 1, build(subject, a.pool, COMMAND.prepare, 5000));
      await subject.settle();
      const kept = b.keep;
      b.keep = null;
      for (let i = 0; i < 20; i++) send(a, 1, build(subject, a.pool, COMMAND.prepare, 5000));
      await subject.settle();
      assert.equal(kept.length, 1);
      const [message] = kept as [Message];
      assert.equal(textOf(message), text);
      assert.equal(message.references, 1);
      message.unref();
    });

    on('a burst arrives as sent, or is lost whole', async (subject) => {
      const [a, b] = subject.replicas as [NetworkEndpoint, NetworkEndpoint];
      const sent = new Set<string>();
      for (let i = 0; i < 40; i++) {
        sent.add(send(a, 1, build(subject, a.pool, COMMAND.prepare, 256 + ((i * 97) % 3000))));
      }
      await subject.settle();
      const arrived = takeAll(b);
      assert.ok(arrived.length > 0);
      for (const text of arrived) assert.ok(sent.delete(text), 'arrived twice or never sent');
    });

    on('requests reach replicas, replies find their client', async (subject) => {
      for (const client of subject.clients) {
        const request = send(client, 2, build(subject, client.pool, COMMAND.request, 700, client.clientId));
        await subject.settle();
        const replica = subject.replicas[2] as NetworkEndpoint;
        assert.deepEqual(takeAll(replica), [request]);
        const reply = send(
          replica,
          TO_CLIENT,
          build(subject, replica.pool, COMMAND.reply, 264, client.clientId),
        );
        await subject.settle();
        assert.deepEqual(takeAll(client), [reply]);
        for (const other of subject.clients) assert.deepEqual(takeAll(other), []);
      }
    });

    on('messages to nobody are lost without harm', async (subject) => {
      const [a, b] = subject.replicas as [NetworkEndpoint, NetworkEndpoint];
      const stranger: Region = { ...subject.cluster };
      send(a, TO_CLIENT, build(subject, a.pool, COMMAND.reply, 256, stranger));
      await subject.isolate(2);
      for (let i = 0; i < 20; i++) send(a, 2, build(subject, a.pool, COMMAND.prepare, 4096));
      const text = send(a, 1, build(subject, a.pool, COMMAND.prepare, 4096));
      await subject.settle();
      assert.deepEqual(takeAll(b), [text]);
    });
  });
}
