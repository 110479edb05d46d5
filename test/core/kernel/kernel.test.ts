/** The kernel as a pure function: results, refusals that change nothing, idempotency, encoding. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { blake3 } from '../../../core/crypto/blake3.ts';
import { CONFIG_SMALL, type ClusterConfig } from '../../../core/constants.ts';
import {
  decodeResult,
  encodeAppend,
  encodeCreateStream,
  encodeCreateTenant,
  encodeDeleteStream,
  nameProblem,
  REPLY,
  type CommandResult,
} from '../../../core/kernel/commands.ts';
import { RecordingSink } from '../../../core/kernel/effects.ts';
import { recordChainInto, recordProblem } from '../../../core/kernel/events.ts';
import { IDEMPOTENCY } from '../../../core/kernel/idempotency.ts';
import { InputRules } from '../../../core/kernel/input.ts';
import { apply, type Command } from '../../../core/kernel/kernel.ts';
import {
  IDEMPOTENCY_RETENTION_MICROS,
  isKernelCommand,
  isKernelQuery,
  KERNEL,
  kernelOperationName,
  RESULT,
  RESULT_NAMES,
  resultName,
  resultRetryable,
  streamId,
} from '../../../core/kernel/operations.ts';
import { KernelState } from '../../../core/kernel/state.ts';
import { regionOf } from '../../../core/message/region.ts';

class Kernel {
  readonly config: ClusterConfig;
  readonly state: KernelState;
  readonly rules: InputRules;
  readonly sink = new RecordingSink();
  op = 0;
  micros = 1_000_000;

  constructor(config: ClusterConfig = CONFIG_SMALL) {
    this.config = config;
    this.state = new KernelState(config);
    this.rules = new InputRules(config);
  }

  raw(operation: number, body: Uint8Array): Uint8Array {
    const region = regionOf(new Uint8Array((body.length + 3) & ~3));
    region.bytes.set(body);
    const hash = regionOf(blake3(body).slice());
    this.op++;
    this.micros += 10;
    const command: Command = {
      operation, region, at: 0, length: body.length, op: this.op, timestampMicros: this.micros,
      hash, hashAt: 0,
    };
    const reply = regionOf(new Uint8Array(64).fill(0xdd));
    const length = apply(this.state, this.rules, command, this.sink, reply, 4);
    assert.equal(length, REPLY.size);
    assert.ok(reply.bytes.subarray(4 + length).every((byte) => byte === 0xdd));
    return reply.bytes.slice(4, 4 + length);
  }

  run(operation: number, body: Uint8Array): CommandResult {
    const result = decodeResult(regionOf(this.raw(operation, body)), 0, REPLY.size);
    assert(result !== null);
    return result;
  }

  /** All state but the op and time of the last command. */
  bytes(): string {
    const region = regionOf(new Uint8Array(this.state.encodedSize()));
    assert.equal(this.state.encode(region, 0, 0), region.bytes.length);
    const ids = regionOf(new Uint8Array(this.state.idempotency.encodedSize));
    this.state.idempotency.encode(ids, 0);
    region.bytes.fill(0, 16, 32);
    return Buffer.concat([region.bytes, ids.bytes]).toString('hex');
  }
}

const one = [new Uint8Array([1])];
const ID = (n: number): Uint8Array => Buffer.alloc(16, n);

function withStreams(config?: ClusterConfig): Kernel {
  const kernel = new Kernel(config);
  kernel.run(KERNEL.createTenant, encodeCreateTenant(1, 'acme'));
  kernel.run(KERNEL.createTenant, encodeCreateTenant(2, 'other'));
  kernel.run(KERNEL.createStream, encodeCreateStream(1, 'orders', 0));
  kernel.run(KERNEL.createStream, encodeCreateStream(1, 'gone', 7));
  kernel.run(KERNEL.append, encodeAppend(1, streamId(1, 2), one));
  kernel.run(KERNEL.deleteStream, encodeDeleteStream(1, streamId(1, 2)));
  return kernel;
}

test('commands and what they answer', () => {
  const kernel = new Kernel();
  const expecting = (expectedOffset: number): Uint8Array =>
    encodeAppend(7, streamId(7, 1), one, { expectedOffset });
  const rows: readonly [number, Uint8Array, string, number, number][] = [
    // operation, body, result, value, count
    [KERNEL.createTenant, encodeCreateTenant(7, 'acme'), 'ok', 7, 0],
    [KERNEL.createTenant, encodeCreateTenant(7, 'again'), 'tenant_exists', 0, 0],
    [KERNEL.createStream, encodeCreateStream(7, 'a', 3), 'ok', streamId(7, 1), 0],
    [KERNEL.createStream, encodeCreateStream(7, 'b', 3), 'ok', streamId(7, 2), 0],
    [KERNEL.createStream, encodeCreateStream(7, 'a', 3), 'stream_exists', streamId(7, 1), 0],
    [KERNEL.createStream, encodeCreateStream(7, 'c', 3, { local: 2 }), 'stream_exists', streamId(7, 2), 0],
    [KERNEL.createStream, encodeCreateStream(7, 'c', 3, { local: 9 }), 'ok', streamId(7, 9), 0],
    [KERNEL.createStream, encodeCreateStream(7, 'd', 3), 'ok', streamId(7, 10), 0],
    [KERNEL.createStream, encodeCreateStream(8, 'd', 3), 'tenant_not_found', 0, 0],
    [KERNEL.append, encodeAppend(7, streamId(7, 1), [...one, ...one]), 'ok', 0, 2],
    [KERNEL.append, encodeAppend(7, streamId(7, 1), one), 'ok', 2, 1],
    [KERNEL.append, expecting(3), 'ok', 3, 1],
    [KERNEL.append, expecting(3), 'unexpected_stream_offset', 4, 0],
    [KERNEL.append, expecting(9), 'unexpected_stream_offset', 4, 0],
    [KERNEL.append, encodeAppend(7, streamId(7, 3), one), 'stream_not_found', 0, 0],
    [KERNEL.append, encodeAppend(7, streamId(6, 1), one), 'tenant_mismatch', 0, 0],
    [KERNEL.append, encodeAppend(6, streamId(6, 1), one), 'tenant_not_found', 0, 0],
    [KERNEL.deleteStream, encodeDeleteStream(7, streamId(6, 1)), 'tenant_mismatch', 0, 0],
    [KERNEL.deleteStream, encodeDeleteStream(7, streamId(7, 3)), 'stream_not_found', 0, 0],
    [KERNEL.deleteStream, encodeDeleteStream(7, streamId(7, 1)), 'ok', 4, 0],
    [KERNEL.deleteStream, encodeDeleteStream(7, streamId(7, 1)), 'stream_deleted', 0, 0],
    [KERNEL.append, encodeAppend(7, streamId(7, 1), one), 'stream_deleted', 0, 0],
    [KERNEL.createStream, encodeCreateStream(7, 'a', 3), 'stream_exists', streamId(7, 1), 0],
    [KERNEL.createTenant, encodeCreateTenant(9, ''), 'invalid_command', 0, 0],
    [KERNEL.append, new Uint8Array(3), 'invalid_command', 0, 0],
  ];
  rows.forEach(([operation, body, name, value, count], i) => {
    const result = kernel.run(operation, body);
    assert.equal(result.name, name, `row ${i}`);
    assert.equal(result.value, value, `row ${i}`);
    assert.equal(result.count, count, `row ${i}`);
    assert.equal(result.op, kernel.op);
    assert.equal(result.timestampMicros, kernel.micros);
  });
});

test('limits: tenants, streams, room in the log', () => {
  const kernel = new Kernel({ ...CONFIG_SMALL, tenantsMax: 2, streamsMax: 3 });
  for (let i = 1; i <= 2; i++) kernel.run(KERNEL.createTenant, encodeCreateTenant(i, 't'));
  const tenant = kernel.run(KERNEL.createTenant, encodeCreateTenant(3, 't'));
  assert.deepEqual([tenant.name, tenant.value], ['limit_reached', 2]);
  for (let i = 0; i < 3; i++) kernel.run(KERNEL.createStream, encodeCreateStream(1 + (i % 2), `s${i}`, 0));
  const stream = kernel.run(KERNEL.createStream, encodeCreateStream(1, 'more', 0));
  assert.deepEqual([stream.name, stream.value], ['limit_reached', 3]);
  kernel.sink.sizeMax = 300;
  assert.equal(kernel.run(KERNEL.append, encodeAppend(1, streamId(1, 1), one)).name, 'ok');
  const before = kernel.bytes();
  const full = kernel.run(KERNEL.append, encodeAppend(1, streamId(1, 1), [...one, ...one]));
  assert.equal(full.name, 'storage_full');
  assert.equal(kernel.bytes(), before);
});

test('a refused command changes nothing', () => {
  const kernel = withStreams();
  const idempotencyId = ID(4);
  kernel.run(KERNEL.append, encodeAppend(1, streamId(1, 1), one, { idempotencyId }));
  const before = kernel.bytes();
  const records = kernel.sink.records.length;
  const refused: readonly [number, Uint8Array][] = [
    [KERNEL.createTenant, encodeCreateTenant(1, 'acme')],
    [KERNEL.createStream, encodeCreateStream(1, 'orders', 0, { idempotencyId: ID(9) })],
    [KERNEL.createStream, encodeCreateStream(5, 'orders', 0)],
    [KERNEL.append, encodeAppend(1, streamId(1, 1), one, { expectedOffset: 5, idempotencyId: ID(9) })],
    [KERNEL.append, encodeAppend(1, streamId(1, 2), one)],
    [KERNEL.append, encodeAppend(1, streamId(2, 1), one)],
    [KERNEL.append, encodeAppend(1, streamId(1, 5), one)],
    [KERNEL.append, encodeAppend(1, streamId(1, 1), [...one, ...one], { idempotencyId })],
    [KERNEL.deleteStream, encodeDeleteStream(1, streamId(1, 2))],
    [KERNEL.append, new Uint8Array(100).fill(255)],
  ];
  for (const [operation, body] of refused) {
    assert.notEqual(kernel.run(operation, body).name, 'ok');
    assert.equal(kernel.bytes(), before);
    assert.equal(kernel.sink.records.length, records);
  }
});

test('events of a batch: consecutive offsets, own nanoseconds, one chain a stream', () => {
  const kernel = withStreams();
  const id = streamId(1, 1);
  kernel.run(KERNEL.createStream, encodeCreateStream(1, 'second', 0));
  for (let i = 0; i < 4; i++) {
    const events = Array.from({ length: 3 }, (_, n) => new Uint8Array(n + i * 7).fill(n));
    kernel.run(KERNEL.append, encodeAppend(1, i === 2 ? streamId(1, 3) : id, events));
  }
  const { sink } = kernel;
  const chain = regionOf(new Uint8Array(32));
  let last = 0n;
  let offset = 0;
  for (const record of sink.records.filter(({ streamId }) => streamId === id)) {
    assert.equal(recordProblem(sink.target, record.at, sink.size), null);
    assert.equal(record.offset, offset++);
    const previous = sink.target.bytes.slice(record.at + 24, record.at + 56);
    assert.deepEqual(Buffer.from(previous), Buffer.from(chain.bytes));
    recordChainInto(sink.target, record.at, chain, 0);
    const nanos = sink.target.fields.getBigUint64(record.at + 16, true);
    assert.ok(nanos > last);
    last = nanos;
  }
  assert.equal(offset, 9);
  assert.equal(last, BigInt(kernel.micros) * 1000n);
  assert.deepEqual(Buffer.from(kernel.state.chains.bytes.subarray(0, 32)), Buffer.from(chain.bytes));
  assert.deepEqual(Buffer.from(sink.payload(2)), Buffer.from([1]));
});

test('idempotency: the first result again to the byte, a conflict for another command', () => {
  const kernel = withStreams();
  const id = streamId(1, 1);
  const body = encodeAppend(1, id, one, { idempotencyId: ID(1), expectedOffset: 0 });
  const first = kernel.raw(KERNEL.append, body);
  kernel.run(KERNEL.append, encodeAppend(1, id, one));
  assert.deepEqual(kernel.raw(KERNEL.append, body), first);
  assert.equal(kernel.sink.records.length, 3);

  const firstOp = decodeResult(regionOf(first), 0, REPLY.size)?.op;
  const other = kernel.run(KERNEL.append, encodeAppend(1, id, [...one, ...one], { idempotencyId: ID(1) }));
  assert.deepEqual([other.name, other.value], ['idempotency_conflict', firstOp]);
  const made = encodeCreateStream(1, 'x', 0, { idempotencyId: ID(1) });
  assert.equal(kernel.run(KERNEL.createStream, made).name, 'idempotency_conflict');

  // Tenants do not see each other's ids.
  assert.equal(
    kernel.run(KERNEL.createStream, encodeCreateStream(2, 'x', 0, { idempotencyId: ID(1) })).name,
    'ok',
  );
  // The answer outlives the stream.
  kernel.run(KERNEL.deleteStream, encodeDeleteStream(1, id));
  assert.deepEqual(kernel.raw(KERNEL.append, body), first);

  // Other commands carry ids too.
  const create = encodeCreateStream(1, 'y', 0, { idempotencyId: ID(2) });
  const created = kernel.raw(KERNEL.createStream, create);
  assert.deepEqual(kernel.raw(KERNEL.createStream, create), created);
});

test('idempotency: full is a refusal; room comes only with age, in order of insertion', () => {
  const kernel = withStreams({ ...CONFIG_SMALL, idempotencyMax: 3 });
  const id = streamId(1, 1);
  const append = (n: number): string =>
    kernel.run(KERNEL.append, encodeAppend(1, id, one, { idempotencyId: ID(n) })).name;
  const hour = IDEMPOTENCY_RETENTION_MICROS / 24;
  assert.equal(append(1), 'ok');
  kernel.micros += hour;
  assert.equal(append(2), 'ok');
  kernel.micros += hour;
  assert.equal(append(3), 'ok');
  assert.equal(append(4), 'idempotency_full');
  assert.ok(resultRetryable(RESULT.idempotency_full));
  assert.equal(append(1), 'ok', 'a known id is still answered');
  assert.equal(kernel.run(KERNEL.append, encodeAppend(1, id, one)).name, 'ok', 'and none is needed');
  kernel.micros += 22 * hour - 200;
  assert.equal(append(4), 'idempotency_full');
  kernel.micros += 200;
  assert.equal(append(4), 'ok', 'the first is a day old');
  const length = kernel.state.streams[0]?.nextOffset;
  assert.equal(append(2), 'ok');
  assert.equal(kernel.state.streams[0]?.nextOffset, length, 'the second is not');
  assert.equal(append(1), 'idempotency_full', 'the first is forgotten');
  assert.equal(kernel.state.idempotency.count, 3);
});

test('idempotency table against a map, over growth, expiry and restarts', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(200), fc.nat(5)), { minLength: 100, maxLength: 500 }),
      fc.constantFrom(1, 5, 64, 100, 300),
      (steps, idempotencyMax) => {
        let state = new KernelState({ ...CONFIG_SMALL, idempotencyMax });
        const model = new Map<number, { op: number; since: number }>();
        let now = 1;
        const key = regionOf(new Uint8Array(16));
        const hash = regionOf(new Uint8Array(32));
        steps.forEach(([n, pace], op) => {
          now += (pace * IDEMPOTENCY_RETENTION_MICROS) / 100;
          key.bytes.fill(0);
          key.words[n % 4] = n + 1;
          const table = state.idempotency;
          const entry = table.find(1 + (n % 2), key, 0);
          const known = model.get(n);
          if (entry !== -1) {
            assert.equal(table.entries.fields.getUint32(entry + IDEMPOTENCY.op, true), known?.op);
            return;
          }
          assert.ok(known === undefined || now - known.since >= IDEMPOTENCY_RETENTION_MICROS);
          if (!table.hasRoom(now)) {
            let young = 0;
            for (const { since } of model.values()) {
              if (now - since < IDEMPOTENCY_RETENTION_MICROS) young++;
            }
            assert.ok(young >= idempotencyMax);
            return;
          }
          table.insert(1 + (n % 2), key, 0, hash, 0, 130, op, 0, 0, now);
          model.delete(n);
          model.set(n, { op, since: now });
          if (op % 50 === 49) {
            const bytes = regionOf(new Uint8Array(table.encodedSize));
            table.encode(bytes, 0);
            state = new KernelState({ ...CONFIG_SMALL, idempotencyMax });
            assert.equal(state.idempotency.decode(bytes, 0, bytes.bytes.length), null);
            const again = regionOf(new Uint8Array(bytes.bytes.length));
            state.idempotency.encode(again, 0);
            assert.deepEqual(again.bytes, bytes.bytes);
          }
        });
      },
    ),
    { seed: 20260705, numRuns: 60 },
  );
});

test('state: decode of an encoding encodes to the same bytes; every cut is refused', () => {
  const kernel = withStreams();
  kernel.run(KERNEL.createStream, encodeCreateStream(2, 'x'.repeat(256), 5, { local: 0xffff_ffff }));
  assert.equal(
    kernel.run(KERNEL.createStream, encodeCreateStream(2, 'past_the_last', 5)).name,
    'limit_reached',
  );
  const bytes = regionOf(new Uint8Array(kernel.state.encodedSize()));
  kernel.state.encode(bytes, 0, 0);
  const copy = new KernelState(CONFIG_SMALL);
  assert.equal(copy.decode(bytes, 0, bytes.bytes.length), null);
  const again = regionOf(new Uint8Array(copy.encodedSize()));
  copy.encode(again, 0, 0);
  assert.deepEqual(again.bytes, bytes.bytes);
  for (let length = 0; length < bytes.bytes.length; length += 4) {
    assert.notEqual(new KernelState(CONFIG_SMALL).decode(bytes, 0, length), null);
  }
});

test('names of operations and results', () => {
  assert.equal(kernelOperationName(KERNEL.append), 'append');
  assert.equal(kernelOperationName(77), 'operation_77');
  assert.equal(RESULT_NAMES.length, Object.keys(RESULT).length);
  RESULT_NAMES.forEach((name, code) => assert.equal(RESULT[name], code));
  assert.equal(resultName(999), 'unknown_result');
  assert.ok(isKernelCommand(KERNEL.deleteStream) && !isKernelCommand(KERNEL.readEvents));
  assert.ok(isKernelQuery(KERNEL.stateDigest) && !isKernelQuery(KERNEL.append));
  assert.equal(nameProblem('Orders_2'), null);
  assert.equal(nameProblem(''), 'name: empty');
  assert.equal(nameProblem('a-b'), 'name: only letters, digits and underscore');
  assert.equal(nameProblem('a'.repeat(257)), 'name: more than 256 characters');
});
