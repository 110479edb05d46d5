import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClientNetwork } from '../../adapters/client_network.ts';
import { AddressError } from '../../adapters/errors.ts';
import {
  HANDSHAKE_KIND,
  HANDSHAKE_ROLE,
  HANDSHAKE_SIZE,
  NOBODY,
  REFUSAL,
  decodeHandshake,
  encodeHandshake,
  type Handshake,
  type Identity,
} from '../../adapters/handshake.ts';
import { freeAddresses } from '../support/free_addresses.ts';
import { randomId128 } from '../../adapters/seed_entropy.ts';
import { createSharedMemory, type SharedMemory } from '../../adapters/shared_memory.ts';
import { TcpNetwork } from '../../adapters/tcp_network.ts';
import { seal } from '../../core/checksum.ts';
import { CONFIG_SMALL, HEADER_SIZE, PROTOCOL_VERSION, type ClusterConfig } from '../../core/constants.ts';
import { AT, COMMAND, setSize, sizeOf } from '../../core/message/header.ts';
import { MessagePool, type Message } from '../../core/message/pool.ts';
import { copyWords, regionOf, zeroWords, type Region } from '../../core/message/region.ts';
import { Prng } from '../../core/prng.ts';
import { fc } from '../fixed_seed.ts';
import { networkConformance, type NetworkEndpoint, type NetworkSubject } from '../conformance/network.ts';

/** Messages above COPY_MAX exist, so both ways of writing are used. */
const config: ClusterConfig = { ...CONFIG_SMALL, messageSizeMax: 256 << 10 };
const cluster = regionOf(new Uint8Array(16).fill(3));

/** As in a server: messages lie in memory shared with the I/O threads. */
function sharedPool(): MessagePool {
  const memory: SharedMemory = createSharedMemory(1 << 28);
  let used = 0;
  return new MessagePool({
    smallCount: 256, smallSize: 8192, largeCount: 128, largeSize: config.messageSizeMax,
    allocate(size) {
      memory.grow(Math.ceil((used + size - memory.buffer.byteLength) / 65_536));
      used += size;
      return new Uint8Array(memory.buffer, used - size, size);
    },
  });
}

function inbox(pool: MessagePool): NetworkEndpoint & { onMessage(m: Message): void } {
  return {
    network: null as never, pool, inbox: [], keep: null,
    onMessage(m) {
      this.inbox.push(m.bytes.slice(0, sizeOf(m)));
      if (this.keep !== null) this.keep.push(m.ref());
    },
  };
}

async function until(condition: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 1000; i++) {
    if (condition()) return;
    await sleep(5);
  }
  assert.fail(`waited in vain until ${what}`);
}

interface Node extends NetworkEndpoint {
  readonly network: TcpNetwork;
  readonly log: string[];
}

async function startNode(
  addresses: { host: string; port: number }[],
  index: number,
  over: Partial<{ cluster: Region; config: ClusterConfig }> = {},
): Promise<Node> {
  const endpoint = inbox(sharedPool());
  const log: string[] = [];
  const network = new TcpNetwork({
    replicaIndex: index,
    addresses,
    cluster,
    config,
    pool: endpoint.pool,
    rng: new Prng([index, 5, 5, 5]),
    log: (line) => log.push(line),
    ...over,
  });
  network.attach(endpoint);
  await network.listen(addresses[index] as { host: string; port: number });
  network.connect();
  return Object.assign(endpoint, { network, log });
}

async function startClient(
  addresses: { host: string; port: number }[],
): Promise<NetworkEndpoint & { clientId: Region; close(): void; connected(): number }> {
  const endpoint = inbox(sharedPool());
  const network = new ClientNetwork({
    addresses,
    cluster: null,
    rng: new Prng([9, 9, 9, 9]),
    handler: { clusterFound: () => endpoint.pool, onMessage: (m) => endpoint.onMessage(m), unreachable() {} },
  });
  network.connect();
  return Object.assign(endpoint, {
    network,
    clientId: randomId128(),
    close: () => network.close(),
    connected: () => network.connectedCount,
  });
}

async function tcpSubject(): Promise<NetworkSubject> {
  const addresses = await freeAddresses(3);
  const replicas: Node[] = [];
  for (const i of [0, 1, 2]) replicas.push(await startNode(addresses, i));
  const clients = [await startClient(addresses), await startClient(addresses)];
  await until(() => replicas.every((r) => r.network.peersConnected === 2), 'replicas are connected');
  await until(() => clients.every((c) => c.connected() === 3), 'clients are connected');
  const all = [...replicas, ...clients];
  return {
    config, cluster, replicas, clients,
    async settle() {
      // Quiet: three looks 10 ms apart at which nothing more has arrived.
      for (let quiet = 0, last = -1; quiet < 3; ) {
        await sleep(10);
        const now = all.reduce((sum, e) => sum + e.inbox.length, 0);
        quiet = now === last ? quiet + 1 : 0;
        last = now;
      }
    },
    isolate: (replica) => (replicas[replica] as Node).network.close(),
    async close() {
      for (const client of clients) client.close();
      await Promise.all(replicas.map((r) => r.network.close().catch(() => {})));
    },
  };
}

networkConformance('tcp', tcpSubject);

// --- Handshakes ---

const clientIdentity = (over: Partial<Identity> = {}): Identity => ({
  role: HANDSHAKE_ROLE.client,
  replica: NOBODY,
  replicaCount: 0,
  cluster: regionOf(new Uint8Array(16)),
  config: null,
  ...over,
});
const replicaIdentity = (over: Partial<Identity> = {}): Identity => ({
  role: HANDSHAKE_ROLE.replica, replica: 1, replicaCount: 3, cluster, config, ...over,
});

/** Connects, writes, and returns all that comes until the other side ends, or `idle` ms of silence. */
async function talk(
  port: number,
  bytes: Uint8Array,
  idle = 300,
): Promise<{ answer: Buffer; ended: boolean; socket: Socket }> {
  const socket = connect({ host: '127.0.0.1', port });
  const chunks: Buffer[] = [];
  let ended = false;
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('error', () => (ended = true));
  socket.on('close', () => (ended = true));
  socket.write(bytes);
  for (let waited = 0, seen = 0; waited < idle && !ended; waited += 10) {
    await sleep(10);
    if (chunks.length !== seen) waited = 0;
    seen = chunks.length;
  }
  return { answer: Buffer.concat(chunks), ended, socket };
}

function decoded(bytes: Buffer): Handshake {
  const region = regionOf(new Uint8Array(HANDSHAKE_SIZE));
  region.bytes.set(bytes.subarray(0, HANDSHAKE_SIZE));
  const handshake = decodeHandshake(region);
  assert.ok(handshake !== null);
  return handshake;
}

test('handshakes: the right are welcomed, the wrong told why', async () => {
  const addresses = await freeAddresses(3);
  const node = await startNode(addresses, 0);
  const port = addresses[0]?.port as number;
  try {
    const rows: [string, Uint8Array, number, RegExp][] = [
      ['client of any cluster', encodeHandshake(HANDSHAKE_KIND.hello, clientIdentity(), NOBODY), 0, /^$/],
      [
        'client of this cluster',
        encodeHandshake(HANDSHAKE_KIND.hello, clientIdentity({ cluster }), 0),
        0,
        /^$/,
      ],
      [
        'client of another cluster',
        encodeHandshake(
          HANDSHAKE_KIND.hello,
          clientIdentity({ cluster: regionOf(new Uint8Array(16).fill(4)) }),
          NOBODY,
        ),
        REFUSAL.cluster,
        /^cluster 0x4040.*this is 0x3030/,
      ],
      ['replica', encodeHandshake(HANDSHAKE_KIND.hello, replicaIdentity(), 0), 0, /^$/],
      [
        'replica of another config',
        encodeHandshake(HANDSHAKE_KIND.hello, replicaIdentity({ config: CONFIG_SMALL }), 0),
        REFUSAL.config,
        /another configuration/,
      ],
      [
        'replica with another count',
        encodeHandshake(HANDSHAKE_KIND.hello, replicaIdentity({ replicaCount: 5 }), 0),
        REFUSAL.config,
        /replica count/,
      ],
      [
        'replica looking for another',
        encodeHandshake(HANDSHAKE_KIND.hello, replicaIdentity({ replica: 2 }), 1),
        REFUSAL.addressee,
        /this is replica 0, not 1.*--addresses/,
      ],
      [
        'replica beyond the cluster',
        encodeHandshake(HANDSHAKE_KIND.hello, replicaIdentity({ replica: 7 }), 0),
        REFUSAL.addressee,
        /no reason/,
      ],
      [
        'a welcome for a hello',
        encodeHandshake(HANDSHAKE_KIND.welcome, replicaIdentity(), 0),
        REFUSAL.malformed,
        /hello/,
      ],
    ];
    for (const [what, hello, reason, text] of rows) {
      const { answer, ended, socket } = await talk(port, hello);
      const handshake = decoded(answer);
      assert.equal(handshake.reason, reason, what);
      assert.match(handshake.text, text, what);
      assert.equal(handshake.kind, reason === 0 ? HANDSHAKE_KIND.welcome : HANDSHAKE_KIND.refused, what);
      assert.equal(ended, reason !== 0, what);
      assert.deepEqual(handshake.config, config, what);
      socket.destroy();
    }
    const newer = encodeHandshake(HANDSHAKE_KIND.hello, clientIdentity(), NOBODY);
    newer[8] = 99; // The checksum no longer fits: damaged, not another version.
    assert.equal((await talk(port, newer)).answer.length, 0);
    assert.equal(node.network.counters.garbage, 1);
    assert.equal(node.network.counters.refused, 6);
  } finally {
    await node.network.close();
  }
});

test('a replica of another cluster is not let in, and both sides say so', async () => {
  const addresses = await freeAddresses(2);
  const a = await startNode(addresses, 0);
  const b = await startNode(addresses, 1, { cluster: regionOf(new Uint8Array(16).fill(8)) });
  try {
    await until(() => b.log.length > 0 && a.log.length > 0, 'both have logged');
    assert.match(a.log[0] as string, /refused replica 1 .*cluster 0x8080.*, this is 0x3030/);
    assert.match(b.log[0] as string, /replica 0 at .* out of reach: refused: cluster/);
    assert.equal(a.network.peersConnected + b.network.peersConnected, 0);
  } finally {
    await a.network.close();
    await b.network.close();
  }
});

test('a client refused everywhere learns the reason as an operating error', async () => {
  const [address] = await freeAddresses(1) as [{ host: string; port: number }];
  const node = await startNode([address], 0);
  const failed = (clusterWanted: Region | null, port: number): Promise<AddressError> =>
    new Promise((resolve) => {
      const network = new ClientNetwork({
        addresses: [{ host: '127.0.0.1', port }], cluster: clusterWanted, rng: new Prng([1, 2, 3, 4]),
        handler: {
          clusterFound: () => assert.fail('welcome'),
          onMessage() {},
          unreachable(error) { network.close(); resolve(error); },
        },
      });
      network.connect();
    });
  const mismatch = await failed(regionOf(new Uint8Array(16).fill(5)), address.port);
  assert.equal(mismatch.code, 'cluster-mismatch');
  assert.match(mismatch.message, /127\.0\.0\.1:\d+: refused: cluster 0x5050/);
  await node.network.close();
  const silence = await failed(null, address.port);
  assert.equal(silence.code, 'connect-failed');
  assert.match(silence.message, /ECONNREFUSED/);
});

test('a port in use is an operating error that names it', async () => {
  const addresses = await freeAddresses(1);
  const node = await startNode(addresses, 0);
  await assert.rejects(startNode(addresses, 0), (error) => {
    assert.ok(error instanceof AddressError);
    assert.equal(error.code, 'address-in-use');
    assert.equal(error.exitStatus, 2);
    assert.match(error.message, /Cannot listen on 127\.0\.0\.1:\d+: the port is in use; /);
    return true;
  });
  await node.network.close();
});

// --- Garbage ---

function request(edit: (m: Region) => void = () => {}, size = 300): Uint8Array {
  const m = regionOf(new Uint8Array(Math.ceil(size / 4) * 4));
  zeroWords(m, 0, HEADER_SIZE);
  copyWords(cluster, 0, m, AT.cluster, 16);
  setSize(m, size);
  m.fields.setUint16(AT.protocol, PROTOCOL_VERSION, true);
  m.fields.setUint8(AT.command, COMMAND.request);
  m.bytes.fill(1, AT.client, AT.client + 16);
  seal(config.checksumAlgorithm, m);
  edit(m);
  return m.bytes.subarray(0, size);
}

test('garbage closes its connection, is counted, and the server stays up', async () => {
  const [address] = await freeAddresses(1) as [{ host: string; port: number }];
  const node = await startNode([address], 0);
  const hello = encodeHandshake(HANDSHAKE_KIND.hello, clientIdentity(), NOBODY);
  const after = (bytes: Uint8Array): Uint8Array => Buffer.concat([hello, bytes]);
  const rows: [string, Uint8Array][] = [
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
    ['one byte', Buffer.from('X')],
    ['a damaged hello', hello.map((b, i) => (i === 100 ? b ^ 1 : b))],
    ['size 0', after(request((m) => setSize(m, 0)))],
    ['size 255', after(request((m) => setSize(m, 255)))],
    ['size beyond the limit', after(request((m) => setSize(m, config.messageSizeMax + 1)))],
    ['size 4 GiB', after(request((m) => setSize(m, 0xffff_ffff)))],
    ['another protocol', after(request((m) => m.fields.setUint16(AT.protocol, 7, true)))],
    ['another cluster', after(request((m) => m.bytes.fill(9, AT.cluster, AT.cluster + 16)))],
    ['reserved bytes', after(request((m) => m.bytes.fill(1, AT.reservedFrame, AT.reservedFrame + 1)))],
    ['what only replicas send', after(request((m) => m.fields.setUint8(AT.command, COMMAND.startView)))],
    ['a large message with a damaged header', after(request((m) => m.bytes.fill(5, 200, 204), 100_000))],
  ];
  const free = node.pool.freeCount;
  try {
    for (const [i, [what, bytes]] of rows.entries()) {
      const { ended, socket } = await talk(address.port, bytes, 1000);
      assert.ok(ended, `${what}: closed`);
      socket.destroy();
      assert.equal(node.network.counters.garbage, i + 1, `${what}: counted`);
    }
    assert.equal(node.inbox.length, 0);
    // A good message, a byte at a time, still gets through; what follows it is judged by itself.
    const slow = connect({ host: address.host, port: address.port, noDelay: true });
    slow.on('error', () => {});
    const bytes = after(request());
    for (let i = 0; i < bytes.length; i += 7) {
      slow.write(bytes.subarray(i, i + 7));
      if (i % 70 === 0) await sleep(1);
    }
    await until(() => node.inbox.length === 1, 'the good message arrived');
    assert.deepEqual(Buffer.from(node.inbox[0] as Uint8Array), Buffer.from(request()));
    slow.write('garbage after a message'.repeat(40));
    await until(() => node.network.counters.garbage === rows.length + 1, 'closed');
    slow.destroy();
    assert.equal(node.pool.freeCount, free);
  } finally {
    await node.network.close();
  }
});

test('fuzz: whatever bytes come, after a hello or not, the server serves the next client', async () => {
  const [address] = await freeAddresses(1) as [{ host: string; port: number }];
  const node = await startNode([address], 0);
  const hello = encodeHandshake(HANDSHAKE_KIND.hello, clientIdentity(), NOBODY);
  const good = request();
  const free = node.pool.freeCount;
  try {
    await fc.assert(
      fc.asyncProperty(
        fc.boolean(),
        fc.array(
          fc.oneof(
            fc.uint8Array({ maxLength: 600 }),
            fc
              .record({ at: fc.nat(299), value: fc.nat(255) })
              .map(({ at, value }) => good.map((b, i) => (i === at ? value : b))),
            fc.constant(good),
          ),
          { maxLength: 5 },
        ),
        async (greet, parts) => {
          const socket = connect({ host: address.host, port: address.port });
          socket.on('error', () => {});
          socket.on('data', () => {});
          socket.write(Buffer.concat(greet ? [hello, ...parts] : parts));
          await sleep(2);
          socket.destroy();
        },
      ),
      { numRuns: 60 },
    );
    const { answer, socket } = await talk(address.port, hello, 100);
    assert.equal(decoded(answer).kind, HANDSHAKE_KIND.welcome);
    socket.destroy();
    await until(() => node.pool.freeCount === free, 'every message was given back');
  } finally {
    await node.network.close();
  }
});

test('a peer that does not read is bounded: the newest are dropped, nothing is held for ever', async () => {
  const [address] = await freeAddresses(1) as [{ host: string; port: number }];
  const node = await startNode([address], 0);
  const client = clientIdentity();
  const socket = connect({ host: address.host, port: address.port });
  socket.pause();
  socket.write(Buffer.concat([encodeHandshake(HANDSHAKE_KIND.hello, client, NOBODY), request()]));
  await until(() => node.inbox.length === 1, 'the request arrived');
  const free = node.pool.freeCount;
  const reply = node.pool.acquire(config.messageSizeMax);
  reply.bytes.set(node.inbox[0] as Uint8Array);
  setSize(reply, config.messageSizeMax);
  for (let i = 0; i < 2000; i++) {
    node.network.send(255, reply);
    if (i % 50 === 0) await sleep(0);
  }
  assert.ok(node.network.counters.dropped > 1000, `dropped ${node.network.counters.dropped}`);
  assert.ok(reply.references <= 300, `held ${reply.references}`);
  socket.destroy();
  reply.unref();
  await until(() => node.pool.freeCount === free, 'every message was given back');
  await node.network.close();
});

test('reading stops while the pool is dry, and goes on when it is not', async () => {
  const [address] = await freeAddresses(1) as [{ host: string; port: number }];
  const node = await startNode([address], 0);
  const held: Message[] = [];
  while (node.pool.available(256) > 64) held.push(node.pool.acquire(256));
  const { socket } = await talk(
    address.port,
    Buffer.concat([
      encodeHandshake(HANDSHAKE_KIND.hello, clientIdentity(), NOBODY),
      ...Array.from({ length: 50 }, () => request()),
    ]),
    100,
  );
  assert.equal(node.inbox.length, 0);
  for (const m of held) m.unref();
  await until(() => node.inbox.length === 50, 'all arrived');
  socket.destroy();
  await node.network.close();
});
