/** The record of an event: its bytes, its hash, and what a damaged one is refused for. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { crc32 as zlibCrc32 } from 'node:zlib';
import * as fc from 'fast-check';
import {
  readEventRecord,
  recordChainInto,
  recordProblem,
  recordSpan,
  RECORD,
  writeRecord,
} from '../../../core/kernel/events.ts';
import { regionOf, type Region } from '../../../core/message/region.ts';

const sha256 = (...parts: Uint8Array[]): Buffer => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};

function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** Section 2.2 and 3 of the reference, word by word. */
function naiveRecord(
  offset: number,
  nanos: bigint,
  previous: Uint8Array,
  payload: Uint8Array,
): { bytes: Buffer; hash: Buffer } {
  const header = Buffer.concat([
    u32(0xbadc0ffe),
    Buffer.from([1, 0, 0, 0]),
    u64(BigInt(offset)),
    u64(nanos),
    previous,
    sha256(payload),
    u32(payload.length),
    u32(payload.length),
  ]);
  const body = Buffer.concat([header, u32(zlibCrc32(header)), payload]);
  const bytes = Buffer.concat([body, u32(zlibCrc32(body)), u32(0xc0ffee42)]);
  const hash = sha256(
    Buffer.from('kimberlite/record/v1'),
    previous,
    u64(BigInt(offset)),
    u64(nanos),
    Buffer.from([0]),
    sha256(payload),
  );
  return { bytes, hash };
}

const MICROS = 1_750_000_000_123_456;

function written(payload: Uint8Array, chain: Region, offset: number, nanosBefore: number): Region {
  const source = regionOf(new Uint8Array((payload.length + 11) & ~3));
  source.bytes.set(payload, 4);
  const target = regionOf(new Uint8Array(recordSpan(payload.length) + 16).fill(0xee));
  writeRecord(target, 8, offset, MICROS, nanosBefore, source, 4, payload.length, chain, 0);
  return target;
}

test('a chain of records equals the reference byte for byte', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 1200 }), { minLength: 1, maxLength: 8 }),
      fc.nat(Number.MAX_SAFE_INTEGER - 100),
      (payloads, first) => {
        const chain = regionOf(new Uint8Array(32));
        let previous: Uint8Array = new Uint8Array(32);
        payloads.forEach((payload, i) => {
          const nanosBefore = payloads.length - 1 - i;
          const nanos = BigInt(MICROS) * 1000n - BigInt(nanosBefore);
          const expected = naiveRecord(first + i, nanos, previous, payload);
          const target = written(payload, chain, first + i, nanosBefore);
          const size = expected.bytes.length;
          assert.deepEqual(Buffer.from(target.bytes.subarray(8, 8 + size)), expected.bytes);
          const span = recordSpan(payload.length);
          assert.ok(target.bytes.subarray(8 + size, 8 + span).every((byte) => byte === 0), 'padding');
          assert.ok(target.bytes.subarray(0, 8).every((byte) => byte === 0xee), 'before');
          assert.ok(target.bytes.subarray(8 + span).every((byte) => byte === 0xee), 'after');
          assert.deepEqual(Buffer.from(chain.bytes), expected.hash);
          previous = expected.hash;
          const again = regionOf(new Uint8Array(32));
          recordChainInto(target, 8, again, 0);
          assert.deepEqual(Buffer.from(again.bytes), expected.hash);
          assert.equal(recordProblem(target, 8, 8 + size), null);
          const record = readEventRecord(target, 8, expected.hash);
          assert.equal(record.offset, first + i);
          assert.deepEqual(Buffer.from(record.payload), Buffer.from(payload));
          const read = BigInt(record.timestampMicros) * 1000n + BigInt(record.timestampNanosRest);
          assert.equal(read, nanos);
        });
      },
    ),
    { seed: 20260704, numRuns: 60 },
  );
});

test('every flipped bit and every cut of a record is found', () => {
  for (const length of [0, 1, 3, 4, 61, 300]) {
    const payload = new Uint8Array(length).map((_, i) => i * 3);
    const good = written(payload, regionOf(new Uint8Array(32).fill(5)), 3, 0);
    const size = 108 + length;
    assert.equal(recordProblem(good, 8, 8 + size), null);
    for (let at = 0; at < size; at++) {
      const bad = regionOf(good.bytes.slice());
      bad.bytes[8 + at] = (bad.bytes[8 + at] as number) ^ (1 << (at & 7));
      assert.notEqual(recordProblem(bad, 8, 8 + size), null, `byte ${at} of ${size}`);
    }
    for (let cut = 0; cut < size; cut++) {
      assert.equal(recordProblem(good, 8, 8 + cut), 'record: cut short');
    }
  }
});

test('the rule that a damaged record breaks is named', () => {
  const rows: readonly [string, (record: Region) => void][] = [
    ['record: no start sentinel', (r) => (r.bytes[8] = 0)],
    ['record: unknown version', (r) => (r.bytes[8 + RECORD.version] = 2)],
    ['record: header CRC', (r) => (r.bytes[8 + RECORD.offset] = 99)],
    ['record: header CRC', (r) => (r.bytes[8 + RECORD.storedLength] = 99)],
    ['record: CRC', (r) => (r.bytes[8 + RECORD.payload] = 99)],
    ['record: no end sentinel', (r) => (r.bytes[8 + RECORD.payload + 14] = 99)],
  ];
  for (const [problem, damage] of rows) {
    const record = written(new Uint8Array(10), regionOf(new Uint8Array(32)), 0, 0);
    damage(record);
    assert.equal(recordProblem(record, 8, 8 + 118), problem);
  }
});
