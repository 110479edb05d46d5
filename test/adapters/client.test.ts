import assert from 'node:assert/strict';
import { createServer, type AddressInfo } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type Connection } from '../../adapters/client.ts';
import { AddressError, IndeterminateError, OperatingError, RequestError } from '../../adapters/errors.ts';
import { LocalCluster } from '../support/local_cluster.ts';
import { freeAddresses } from '../support/free_addresses.ts';

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

function rejectsWith(
  call: Promise<unknown>,
  code: string,
  indeterminate: boolean,
  message = /./,
): Promise<void> {
  return assert.rejects(call, (error) => {
    assert.ok(error instanceof RequestError, String(error));
    assert.equal(error.code, code, error.message);
    assert.equal(error.indeterminate, indeterminate);
    assert.equal(error instanceof IndeterminateError, indeterminate);
    assert.match(error.message, message);
    return true;
  });
}

async function withCluster(
  replicas: number,
  run: (db: Connection, local: LocalCluster) => Promise<void>,
  sessions = 1,
): Promise<void> {
  const local = await LocalCluster.format(replicas);
  try {
    await local.startAll();
    const db = await connect({ addresses: local.addresses, cluster: '7', sessions });
    try {
      await run(db, local);
    } finally {
      await db.close();
    }
  } finally {
    await local.close();
  }
}

test('commands and reads, and what the cluster refuses', async () => {
  await withCluster(1, async (db) => {
    assert.equal(db.cluster, '7');
    await db.createTenant(1, 'acme');
    const orders = await db.createStream(1, 'orders', { dataClass: 'PII' });
    const first = await db.append(1, orders, ['one', new Uint8Array([2])], { expectedOffset: 0 });
    assert.equal(first.offset, 0);
    assert.equal(first.count, 2);
    const second = await db.append(1, orders, ['three']);
    assert.equal(second.offset, 2);
    assert.ok(second.op > first.op && second.timestampMicros >= first.timestampMicros);

    const all = await db.read(1, orders);
    assert.deepEqual(all.events.map((event) => event.offset), [0, 1, 2]);
    assert.deepEqual(all.events.map((event) => text(event.payload)), ['one', '\u0002', 'three']);
    assert.equal(all.nextOffset, 3);
    const some = await db.read(1, orders, { offset: 1, limit: 1 });
    assert.deepEqual(some.events.map((event) => event.offset), [1]);
    assert.deepEqual((await db.read(1, orders, { offset: 3 })).events, []);

    const info = await db.streamInfo(1, 'orders');
    assert.equal(info.id, orders);
    assert.equal(info.dataClass, 'PII');
    assert.deepEqual(await db.streamInfo(1, orders), info);
    assert.deepEqual((await db.listStreams(1)).map((stream) => stream.name), ['orders']);

    await rejectsWith(db.createTenant(1, 'acme2'), 'request-refused', false, /tenant_exists/);
    await rejectsWith(db.streamInfo(1, 'missing'), 'request-refused', false, /stream_not_found/);
    await rejectsWith(db.append(1, 999, ['x']), 'request-refused', false, /tenant_mismatch|stream_not_found/);
    await assert.rejects(db.append(1, orders, ['x'], { expectedOffset: 2 }), (error) => {
      assert.ok(error instanceof RequestError);
      assert.equal(error.result, 'unexpected_stream_offset');
      assert.equal(error.detail, 3);
      return true;
    });
    await db.deleteStream(1, orders);
    await rejectsWith(db.append(1, orders, ['x']), 'request-refused', false, /stream_deleted/);
  });
});

test('bad requests are refused before they are sent, and the session lives on', async () => {
  await withCluster(1, async (db) => {
    await db.createTenant(1, 'acme');
    const s = await db.createStream(1, 'orders');
    await rejectsWith(db.append(1, s, ['x'.repeat(9000)]), 'request-invalid', false, /larger than \d+ bytes/);
    await rejectsWith(db.append(1, s, []), 'request-invalid', false);
    await rejectsWith(db.append(-1, s, ['x']), 'request-invalid', false, /-1 as tenant/);
    await rejectsWith(db.append(1, s, ['x'], { expectedOffset: 0.5 }), 'request-invalid', false);
    await rejectsWith(db.createStream(1, 'no spaces'), 'request-invalid', false, /letters, digits/);
    await rejectsWith(
      db.append(1, s, ['x'], { idempotencyId: new Uint8Array(3) }),
      'request-invalid',
      false,
      /16 bytes/,
    );
    assert.equal((await db.append(1, s, ['fits'])).offset, 0);
  });
});

test('the same idempotency id takes effect once', async () => {
  await withCluster(1, async (db) => {
    await db.createTenant(1, 'acme');
    const s = await db.createStream(1, 'orders');
    const idempotencyId = new Uint8Array(16).fill(5);
    const first = await db.append(1, s, ['once'], { idempotencyId });
    const again = await db.append(1, s, ['once'], { idempotencyId });
    assert.deepEqual(again, first);
    await rejectsWith(
      db.append(1, s, ['other'], { idempotencyId }),
      'request-refused',
      false,
      /idempotency_conflict/,
    );
    assert.equal((await db.read(1, s)).nextOffset, 1);
  });
});

test('several sessions work at once; one keeps the order of the calls', async () => {
  await withCluster(3, async (db) => {
    await db.createTenant(1, 'acme');
    const s = await db.createStream(1, 'orders');
    const results = await Promise.all(Array.from({ length: 200 }, (_, i) => db.append(1, s, [`event ${i}`])));
    assert.deepEqual(results.map((r) => r.offset).sort((a, b) => a - b), results.map((_, i) => i));
    const { events } = await db.read(1, s);
    for (const [i, { offset }] of results.entries()) {
      const event = events.find((e) => e.offset === offset);
      if (event !== undefined) assert.equal(text(event.payload), `event ${i}`);
    }
  }, 8);
  await withCluster(1, async (db) => {
    await db.createTenant(1, 'acme');
    const s = await db.createStream(1, 'orders');
    const results = await Promise.all(Array.from({ length: 50 }, (_, i) => db.append(1, s, [`event ${i}`])));
    assert.deepEqual(results.map((r) => r.offset), results.map((_, i) => i));
  });
});

test('without a majority: sent writes are indeterminate, unsent ones and reads are not', async () => {
  await withCluster(3, async (db, local) => {
    await db.createTenant(1, 'acme');
    const s = await db.createStream(1, 'orders');
    await db.append(1, s, ['before']);
    await local.stop(1);
    await local.stop(2);

    const abort = new AbortController();
    const sent = db.append(1, s, ['sent'], { timeoutMillis: 400 });
    const queued = db.append(1, s, ['queued'], { timeoutMillis: 300 });
    const aborted = db.append(1, s, ['aborted'], { signal: abort.signal });
    setTimeout(() => abort.abort(new Error('changed my mind')), 100);
    await Promise.all([
      rejectsWith(sent, 'request-timeout', true, /outcome of append is unknown: no answer/),
      rejectsWith(queued, 'request-timeout', false, /append was not sent/),
      rejectsWith(aborted, 'request-aborted', false),
      rejectsWith(db.read(1, s, { timeoutMillis: 350 }), 'request-timeout', false),
    ]);
    await rejectsWith(
      db.append(1, s, ['x'], { signal: abort.signal }),
      'request-aborted',
      false,
      /nothing was sent/,
    );

    // The session is still at it: with the majority back, what was sent is executed, once.
    await local.start(1);
    await local.start(2);
    const after = await db.append(1, s, ['after']);
    assert.equal(after.offset, 2);
    const { events } = await db.read(1, s);
    assert.deepEqual(events.map((event) => text(event.payload)), ['before', 'sent', 'after']);

    // Aborting what is in flight leaves the outcome open.
    await local.stop(1);
    await local.stop(2);
    const late = new AbortController();
    const inFlight = db.append(1, s, ['in flight'], { signal: late.signal });
    await sleep(100);
    late.abort();
    await rejectsWith(inFlight, 'request-aborted', true, /outcome of append is unknown: it was aborted/);
    const closing = db.append(1, s, ['closing']);
    await sleep(10);
    await Promise.all([rejectsWith(closing, 'client-closed', false), db.close()]);
    await rejectsWith(db.append(1, s, ['closed']), 'client-closed', false, /connect again/);
  });
});

test('a client finds the new primary by itself', async () => {
  await withCluster(3, async (db, local) => {
    await db.createTenant(1, 'acme');
    const s = await db.createStream(1, 'orders');
    await db.append(1, s, ['one']);
    await local.stop(0); // The primary of view 0.
    assert.equal((await db.append(1, s, ['two'])).offset, 1);
    assert.equal((await db.read(1, s)).events.length, 2);
  });
});

test('connecting: silence, refusal, strangers, nonsense and aborts are operating errors', async () => {
  const started = (call: Promise<unknown>, code: string, message: RegExp): Promise<void> =>
    assert.rejects(call, (error) => {
      assert.ok(error instanceof OperatingError, String(error));
      assert.equal(error.code, code, error.message);
      assert.match(error.message, message);
      return true;
    });
  const [nobody] = await freeAddresses(1);
  assert.ok(nobody !== undefined);
  await started(
    connect({ addresses: [nobody], connectTimeoutMillis: 200 }),
    'connect-failed',
    /Cannot reach any replica.*ECONNREFUSED/,
  );
  await started(connect({ addresses: 'nonsense' }), 'address-invalid', /not host:port/);
  await started(connect({ addresses: [nobody], cluster: 'zz' }), 'usage', /cluster id "zz"/);
  await started(connect({ addresses: [nobody], sessions: 0 }), 'usage', /0 sessions/);
  await started(
    connect({ addresses: [nobody], signal: AbortSignal.timeout(50) }),
    'request-aborted',
    /aborted/,
  );

  const stranger = createServer((socket) => {
    socket.on('error', () => {});
    socket.end('SSH-2.0-OpenSSH_9.2\r\n'.repeat(20));
  });
  await new Promise<void>((listening) => stranger.listen(0, '127.0.0.1', listening));
  const { port } = stranger.address() as AddressInfo;
  await started(
    connect({ addresses: String(port), connectTimeoutMillis: 300 }),
    'connect-failed',
    /garbage|something else/,
  );
  stranger.close();

  await withCluster(3, async (_db, local) => {
    await assert.rejects(connect({ addresses: local.addresses, cluster: '8' }), (error) => {
      assert.ok(error instanceof AddressError);
      assert.equal(error.code, 'cluster-mismatch');
      assert.match(error.message, /refused: cluster 8, this is 7/);
      return true;
    });
    await local.stop(0);
    await local.stop(1);
    await started(
      connect({ addresses: local.addresses, connectTimeoutMillis: 500 }),
      'connect-failed',
      /replicas connected: 1, none leads/,
    );
  });
});
