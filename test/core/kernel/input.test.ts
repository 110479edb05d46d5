/** What clients may send: each rule by name, and nothing they send throws or reads past its end. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { CONFIG_PRODUCTION, CONFIG_SMALL } from '../../../core/constants.ts';
import {
  addEvent,
  ANY_OFFSET,
  beginAppend,
  BODY,
  encodeAppend,
  encodeCreateStream,
  encodeCreateTenant,
  encodeDeleteStream,
  encodeListStreams,
  encodeReadEvents,
  encodeStateDigest,
  encodeStreamInfo,
  eventEnd,
  writeReadEvents,
} from '../../../core/kernel/commands.ts';
import { InputRules } from '../../../core/kernel/input.ts';
import { KERNEL, kernelLimits, streamId, TENANT_ID_MAX } from '../../../core/kernel/operations.ts';
import { regionOf, type Region } from '../../../core/message/region.ts';

const rules = new InputRules(CONFIG_SMALL);
const limits = kernelLimits(CONFIG_SMALL);
const id = streamId(1, 1);
const event = (size: number): Uint8Array => new Uint8Array(size).fill(0xff);

/** The body with 0xff after it, so that a read past the end is noticed. */
function placed(body: Uint8Array): Region {
  const region = regionOf(new Uint8Array(((body.length + 3) & ~3) + 64).fill(0xff));
  region.bytes.set(body, 8);
  return region;
}

function problem(operation: number, body: Uint8Array): string | null {
  return rules.problem(operation, placed(body), 8, body.length);
}

function changed(body: Uint8Array, at: number, value: number): Uint8Array {
  const copy = body.slice();
  copy[at] = value;
  return copy;
}

const append = encodeAppend(1, id, [event(5), event(0), event(8)]);

test('each rule refuses what breaks it', () => {
  const stream = encodeCreateStream(1, 'abc', 7);
  const tenant = encodeCreateTenant(1, 'abcde');
  const rows: readonly [string | null, number, Uint8Array][] = [
    [null, KERNEL.createTenant, tenant],
    [null, KERNEL.createTenant, encodeCreateTenant(TENANT_ID_MAX, 'a'.repeat(256))],
    ['tenant: not in 1..2097151', KERNEL.createTenant, encodeCreateTenant(0, 'a')],
    ['tenant: not in 1..2097151', KERNEL.createTenant, encodeCreateTenant(TENANT_ID_MAX + 1, 'a')],
    ['tenant: not in 1..2097151', KERNEL.createTenant, changed(tenant, 7, 255)],
    ['name: empty', KERNEL.createTenant, encodeCreateTenant(1, '')],
    ['name: more than 256 characters', KERNEL.createTenant, encodeCreateTenant(1, 'a'.repeat(257))],
    ['name: only letters, digits and underscore', KERNEL.createTenant, encodeCreateTenant(1, 'ä')],
    ['body: a reserved field is not zero', KERNEL.createTenant, changed(tenant, 26, 1)],
    ['body: a reserved field is not zero', KERNEL.createTenant, changed(tenant, 33, 1)],
    ['body: wrong size for its operation', KERNEL.createTenant, tenant.subarray(0, 32)],
    ['body: wrong size for its operation', KERNEL.createTenant, tenant.subarray(0, 20)],
    [null, KERNEL.createStream, stream],
    ['create_stream: unknown data class', KERNEL.createStream, encodeCreateStream(1, 'a', 8)],
    ['body: a reserved field is not zero', KERNEL.createStream, changed(stream, 29, 1)],
    ['name: only letters, digits and underscore', KERNEL.createStream, encodeCreateStream(1, 'a b', 0)],
    [null, KERNEL.append, append],
    [null, KERNEL.append, encodeAppend(1, id, [event(limits.payloadSizeMax)])],
    ['append: no events', KERNEL.append, encodeAppend(1, id, [])],
    [
      `append: an event is larger than ${limits.payloadSizeMax} bytes`,
      KERNEL.append,
      encodeAppend(1, id, [event(limits.payloadSizeMax + 1)]),
    ],
    [
      `append: more than ${limits.batchEventsMax} events`,
      KERNEL.append,
      encodeAppend(1, id, Array.from({ length: limits.batchEventsMax + 1 }, () => event(0))),
    ],
    [
      `body: larger than ${limits.bodySizeMax} bytes`,
      KERNEL.append,
      encodeAppend(1, id, [event(3000), event(3000), event(3000)]),
    ],
    ['append: cut short', KERNEL.append, append.subarray(0, append.length - 4)],
    ['append: cut short', KERNEL.append, changed(append, BODY.count, 4)],
    ['append: cut short', KERNEL.append, changed(append, BODY.events, 200)],
    ['append: bytes after the last event', KERNEL.append, changed(append, BODY.count, 2)],
    ['body: a reserved field is not zero', KERNEL.append, changed(append, 44, 1)],
    ['body: a reserved field is not zero', KERNEL.append, changed(append, 59, 1)],
    ['append: expected offset above 2^53 - 1', KERNEL.append, changed(append, 32, 0)],
    ['stream: its tenant is not in 1..2097151', KERNEL.append, changed(append, 31, 1)],
    [null, KERNEL.deleteStream, encodeDeleteStream(1, id)],
    ['body: wrong size for its operation', KERNEL.deleteStream, append],
    [null, KERNEL.readEvents, encodeReadEvents(1, id, 2 ** 53 - 1, 1)],
    ['read_events: offset above 2^53 - 1', KERNEL.readEvents, changed(encodeReadEvents(1, id, 0, 1), 23, 1)],
    [null, KERNEL.streamInfo, encodeStreamInfo(1, id)],
    [null, KERNEL.streamInfo, encodeStreamInfo(1, 'abc')],
    ['body: wrong size for its operation', KERNEL.streamInfo, encodeStreamInfo(1, 'abc').subarray(0, 16)],
    [null, KERNEL.listStreams, encodeListStreams(1)],
    [null, KERNEL.stateDigest, encodeStateDigest()],
    ['body: wrong size for its operation', KERNEL.stateDigest, new Uint8Array(4)],
    ['operation: unknown', 132, append],
    ['operation: unknown', 4, new Uint8Array(0)],
  ];
  rows.forEach(([expected, operation, body], i) => {
    assert.equal(problem(operation, body), expected, `row ${i}`);
  });
});

test('random bodies and damaged ones never throw', () => {
  const operations = fc.constantFrom(...Object.values(KERNEL));
  const good = fc.constantFrom(append, encodeCreateStream(1, 'abc', 1), encodeStreamInfo(1, 'x'));
  const damaged = fc
    .tuple(good, fc.array(fc.tuple(fc.nat(100), fc.nat(255)), { maxLength: 4 }), fc.nat(100))
    .map(([body, changes, length]) => {
      const copy = body.slice(0, Math.min(body.length, length));
      for (const [at, value] of changes) if (at < copy.length) copy[at] = value;
      return copy;
    });
  fc.assert(
    fc.property(operations, fc.oneof(fc.uint8Array({ maxLength: 300 }), damaged), (operation, body) => {
      problem(operation, body);
    }),
    { seed: 20260706, numRuns: 2000 },
  );
});

test('encoding in place equals encoding to a new array', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 50 }), { minLength: 1, maxLength: 9 }),
      fc.option(fc.nat(1000), { nil: undefined }),
      (events, expectedOffset) => {
        const options = expectedOffset === undefined ? {} : { expectedOffset };
        const expected = encodeAppend(3, streamId(3, 4), events, options);
        const region = regionOf(new Uint8Array(1024).fill(0xee));
        let end = beginAppend(region, 8, 3, streamId(3, 4), expectedOffset ?? ANY_OFFSET);
        for (const payload of events) {
          region.bytes.set(payload, addEvent(region, 8, end, payload.length));
          end = eventEnd(end, payload.length);
        }
        assert.deepEqual(region.bytes.slice(8, end), expected);
        assert.equal(rules.eventCount(KERNEL.append, region, 8), events.length);
      },
    ),
    { seed: 20260707, numRuns: 200 },
  );
  const region = regionOf(new Uint8Array(64));
  assert.equal(writeReadEvents(region, 4, 1, id, 5, 6, 7), 36);
  assert.deepEqual(region.bytes.slice(4, 36), encodeReadEvents(1, id, 5, 6, 7));
});

test('limits follow from the configuration', () => {
  for (const config of [CONFIG_SMALL, CONFIG_PRODUCTION]) {
    const l = kernelLimits(config);
    assert.ok(l.payloadSizeMax <= l.bodySizeMax - BODY.events - 4);
    assert.ok(l.payloadSizeMax + 108 + 48 <= config.blockSize - 256);
    assert.ok(l.blocksPerOpMax <= 16);
  }
});
