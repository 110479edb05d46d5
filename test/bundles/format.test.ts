/** The `.kmb` format: round trip, and every way in which bytes can be refused. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import * as fc from 'fast-check';
import { Packr } from 'msgpackr';
import {
  BUNDLE_HEADER_SIZE,
  BundleError,
  decodeBundle,
  encodeBundle,
  type Bundle,
  type BundleErrorCode,
  type DecisionTape,
} from '../../bundles/format.ts';
import { packDecisions } from '../../bundles/decision_tape.ts';
import { msgpackProblem } from '../../bundles/msgpack_walk.ts';

/** Two decisions about one message, one about a sector. */
const DECISIONS: DecisionTape = packDecisions(
  {
    events: Uint32Array.of(0, 3, 4_000),
    domains: Uint8Array.of(1, 2, 1),
    values: Float64Array.of(1, 12_345, 1),
    identities: Uint32Array.of(0, 0, 1),
    families: Uint8Array.of(1, 3),
    words: [1, 2, 3, 4, 5, 6].map((word) => Uint32Array.of(word, 0xffff_ffff - word)),
    copies: Uint32Array.of(8, 0),
    parts: Uint32Array.of(0, 81),
  },
  3,
  {
    domains: ['', 'loss', 'delay'],
    families: ['plan', 'message', '', 'storage'],
    commands: ['reserved', 'ping'],
    replicaCount: 3,
  },
);

const BUNDLE: Bundle = {
  scenario: 'combined',
  seed: 2 ** 40 + 7,
  canary: 'commit_before_quorum',
  limits: { events: null, micros: 20_000_000 },
  plan: {
    replicaCount: 3,
    faults: [
      { kind: 'crash', at: 1_000_000, replica: 2 },
      { kind: 'partition', at: 5_000_000_000, sides: [[0], [1, 2]] },
    ],
    lossRatio: 0.25,
    payload: Uint8Array.of(1, 2, 3),
    label: 'naïve ☃',
    none: null,
    on: true,
  },
  code: { version: '0.1.0', commit: 'faccfb7-dirty', node: 'v24.21.0' },
  failure: {
    invariant: 'agreement',
    signature: 'agreement',
    message: 'op 7: replica 0 committed 12ab, replica 2 committed 98fe',
    event: 4_211,
    virtualMicros: 3_201_442,
    replicas: [0, 2],
  },
  events: 4_211,
  digests: { final: '00112233', tape: Uint8Array.of(1, 0, 2, 0, 255, 255) },
  decisions: DECISIONS,
};

function refused(bytes: Uint8Array, code: BundleErrorCode, words: RegExp): void {
  assert.throws(
    () => decodeBundle(bytes),
    (error: unknown) => {
      assert.ok(error instanceof BundleError, String(error));
      assert.equal(error.code, code, error.message);
      assert.match(error.message, words);
      return true;
    },
  );
}

/** An envelope that is right in itself, around any content. */
function envelope(content: Uint8Array, contentSize = content.byteLength, packedAs?: Uint8Array) {
  const packed = packedAs ?? zstdCompressSync(content);
  const bytes = new Uint8Array(BUNDLE_HEADER_SIZE + packed.byteLength);
  bytes.set(encodeBundle(BUNDLE).subarray(0, 12));
  const fields = new DataView(bytes.buffer);
  fields.setUint32(16, packed.byteLength, true);
  fields.setUint32(20, contentSize, true);
  bytes.set(packed, BUNDLE_HEADER_SIZE);
  return sealed(bytes);
}

function sealed(bytes: Uint8Array): Uint8Array {
  const hash = createHash('sha256').update(bytes.subarray(0, 32)).update(bytes.subarray(64));
  bytes.set(hash.digest(), 32);
  return bytes;
}

const packr = new Packr({ useRecords: false, variableMapSize: true });

test('bundle: what was encoded is decoded, byte for byte the same each time', () => {
  const bytes = encodeBundle(BUNDLE);
  assert.deepEqual(decodeBundle(bytes), BUNDLE);
  assert.deepEqual(encodeBundle(BUNDLE), bytes);
  assert.deepEqual(decodeBundle(encodeBundle({ ...BUNDLE, canary: null })).canary, null);
  assert.deepEqual(decodeBundle(encodeBundle({ ...BUNDLE, decisions: null })).decisions, null);
});

test('bundle: one of schema 1 opens, without a tape of decisions and without a signature', () => {
  const { decisions: _, ...old } = BUNDLE;
  const { signature: __, ...failure } = BUNDLE.failure;
  const bytes = envelope(packr.pack({ ...old, failure }));
  bytes[10] = 1;
  const opened = decodeBundle(sealed(bytes));
  assert.deepEqual(opened, {
    ...BUNDLE,
    failure: { ...BUNDLE.failure, signature: null },
    decisions: null,
  });
  refused(envelope(packr.pack({ ...old, failure })), 'malformed', /"failure.signature" must be text/);
});

test('bundle: cut anywhere, it is called truncated', () => {
  const bytes = encodeBundle(BUNDLE);
  for (let length = 0; length < bytes.byteLength; length++) {
    refused(bytes.slice(0, length), 'truncated', /truncated: \d+/);
  }
});

test('bundle: any flipped bit is noticed', () => {
  const bytes = encodeBundle(BUNDLE);
  for (let bit = 0; bit < bytes.byteLength * 8; bit++) {
    const copy = bytes.slice();
    copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7));
    assert.throws(() => decodeBundle(copy), BundleError, `bit ${bit}`);
  }
  const copy = bytes.slice();
  copy[100] = (copy[100] as number) ^ 1;
  refused(copy, 'checksum', /corrupt: the checksum/);
});

test('bundle: other files, newer versions and trailing bytes have their own reasons', () => {
  const bytes = encodeBundle(BUNDLE);
  refused(new TextEncoder().encode('# README'), 'not-a-bundle', /first bytes/);
  const layout = bytes.slice();
  layout[8] = 2;
  refused(layout, 'newer-version', /layout 2, schema 2; this version reads up to layout 1, schema 2/);
  const schema = bytes.slice();
  schema[11] = 3;
  refused(sealed(schema), 'newer-version', /schema 770/);
  const longer = new Uint8Array(bytes.byteLength + 5);
  longer.set(bytes);
  refused(longer, 'malformed', /5 bytes follow the end/);
  const reserved = bytes.slice();
  reserved[25] = 1;
  refused(sealed(reserved), 'malformed', /reserved bytes at 24/);
});

test('bundle: sizes that lie are refused before memory is taken for them', () => {
  refused(envelope(packr.pack({}), 0xffff_ffff), 'too-large', /claims 4294967295 bytes/);
  const zeros = new Uint8Array(64 << 20); // A bomb: 64 MiB in about 2 KiB.
  const before = process.memoryUsage().arrayBuffers;
  refused(envelope(zeros, 1000), 'malformed', /more than the 1000 bytes it claims/);
  assert.ok(process.memoryUsage().arrayBuffers - before < 16 << 20, 'decompression is bounded');
  refused(envelope(packr.pack({}), 500), 'malformed', /decompresses to 1 bytes, it claims 500/);
  refused(envelope(packr.pack({}), 1, Uint8Array.of(1, 2, 3)), 'malformed', /does not decompress/);
});

test('bundle: hostile msgpack is refused before it is decoded', () => {
  const cases: [Uint8Array, RegExp][] = [
    [Uint8Array.of(0xdd, 0xff, 0xff, 0xff, 0xff), /claims 4294967295 values, 0 bytes are left/],
    [Uint8Array.of(0xdf, 0x7f, 0xff, 0xff, 0xff), /claims 4294967294 values/],
    [Uint8Array.of(0xc6, 0xff, 0xff, 0xff, 0xff), /claims 4294967295 bytes, 0 are left/],
    [new Uint8Array(1 << 20).fill(0x91), /nested deeper than 32/],
    [Uint8Array.of(0xc7, 1, 0, 0), /extension or unused code 0xc7/],
    [Uint8Array.of(0xd4, 0x72, 0x40), /extension or unused code 0xd4/],
    [Uint8Array.of(0x81, 0x01, 0x01), /map key at byte 1 is not short text/],
    [Uint8Array.of(0xc1), /unused code 0xc1/],
    [Uint8Array.of(0xcb, 0, 0), /claims 8 bytes, 2 are left/],
    [Uint8Array.of(0x01, 0x01), /1 bytes follow the last value/],
    [new Uint8Array(0), /ends inside a value at byte 0/],
  ];
  for (const [content, words] of cases) refused(envelope(content), 'malformed', words);
});

test('bundle: the walk accepts exactly what the encoder writes, and no prefix of it', () => {
  const value = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.string(),
      fc.double({ noNaN: true }),
      fc.maxSafeInteger(),
      fc.boolean(),
      fc.constant(null),
      fc.uint8Array(),
      fc.array(tie('value'), { maxLength: 20 }),
      fc.dictionary(fc.string({ maxLength: 40 }), tie('value'), { maxKeys: 20 }),
    ),
  })).value;
  fc.assert(
    fc.property(value, (plan) => {
      const bytes = packr.pack(plan);
      assert.equal(msgpackProblem(bytes), null);
      assert.notEqual(msgpackProblem(bytes.subarray(0, bytes.byteLength - 1)), null);
    }),
    { numRuns: 300, seed: 1 },
  );
});

test('bundle: random bytes under a right envelope never do worse than a BundleError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (content) => {
      assert.throws(() => decodeBundle(envelope(content)), BundleError);
    }),
    { numRuns: 500, seed: 2 },
  );
});

test('bundle: every field is checked, and named when it is wrong', () => {
  const wrong: [object, RegExp][] = [
    [{ scenario: 7 }, /"scenario" must be text/],
    [{ scenario: 'a\u001b[2Jb' }, /"scenario" must be printable/],
    [{ seed: -1 }, /"seed" must be a whole number/],
    [{ seed: 1.5 }, /"seed"/],
    [{ limits: null }, /"limits" must be a map/],
    [{ code: [] }, /"code" must be a map/],
    [{ failure: { ...BUNDLE.failure, replicas: [0, 'x'] } }, /"failure.replicas\[1\]"/],
    [{ failure: { ...BUNDLE.failure, message: 'x'.repeat(70_000) } }, /"failure.message" has 70000/],
    [{ digests: { final: 'a', tape: Uint8Array.of(1) } }, /"digests.tape"/],
    [{ digests: { final: 'a', tape: 'text' } }, /"digests.tape"/],
    [{ failure: { ...BUNDLE.failure, signature: 7 } }, /"failure.signature" must be text/],
    [{ decisions: 7 }, /"decisions" must be a map/],
    [{ decisions: { ...DECISIONS, total: 2 } }, /less decisions in all than on the tape/],
    [{ decisions: { ...DECISIONS, count: 2 } }, /"domains" is not one byte a decision/],
    [{ decisions: { ...DECISIONS, count: 2 ** 30 } }, /claims 1073741824 decisions/],
    [{ decisions: { ...DECISIONS, identityCount: 3 } }, /"families" is not one byte an identity/],
    [{ decisions: { ...DECISIONS, domains: Uint8Array.of(1, 2, 3) } }, /domain 3 has no name/],
    [{ decisions: { ...DECISIONS, domains: Uint8Array.of(0, 2, 1) } }, /domain 0 has no name/],
    [{ decisions: { ...DECISIONS, events: Uint8Array.of(0, 3) } }, /"events" is not one number/],
    [{ decisions: { ...DECISIONS, events: Uint8Array.of(0, 3, 0x80) } }, /"events" is not one number/],
    [{ decisions: { ...DECISIONS, events: Uint8Array.of(0, 3, 3, 0) } }, /"events" is not one number/],
    [{ decisions: { ...DECISIONS, values: new Uint8Array(9).fill(0xff) } }, /"values" is not one/],
    [{ decisions: { ...DECISIONS, identities: Uint8Array.of(1, 1, 0) } }, /names one that is not there/],
    [{ decisions: { ...DECISIONS, identities: Uint8Array.of(0, 1, 1) } }, /names one that is not there/],
    [{ decisions: { ...DECISIONS, words: DECISIONS.words.slice(1) } }, /"words" must be 6 columns/],
    [{ decisions: { ...DECISIONS, words: [...DECISIONS.words.slice(1), 'x'] } }, /"decisions.words\[5\]"/],
    [{ decisions: { ...DECISIONS, copies: Uint8Array.of(8) } }, /"copies" or "parts"/],
    [{ events: 3_999 }, /a decision at event 4000 of 3999/],
    [
      { decisions: { ...DECISIONS, names: { ...DECISIONS.names, domains: ['', 'a\u001b', 'b'] } } },
      /"decisions.names.domains\[1\]" must be printable/,
    ],
  ];
  for (const [change, words] of wrong) {
    refused(envelope(packr.pack({ ...BUNDLE, ...change })), 'malformed', words);
  }
});
