/** The purpose modules: every implementation gives the same bytes, and the published ones. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { crc32 as zlibCrc32 } from 'node:zlib';
import * as fc from 'fast-check';
import { Blake3, blake3 } from '../../../core/crypto/blake3.ts';
import { crc32, crc32Portable } from '../../../core/crypto/crc32.ts';
import {
  sha256,
  sha256Into,
  sha256NativeInto,
  sha256WordsInto,
} from '../../../core/crypto/sha256.ts';
import { regionOf, type Region } from '../../../core/message/region.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** `bytes` at offset `at` of a region with other bytes around them. */
function placed(bytes: Uint8Array, at: number): Region {
  const region = regionOf(new Uint8Array((at + bytes.length + 11) & ~3).fill(0xa5));
  region.bytes.set(bytes, at);
  return region;
}

type Into = (r: Region, at: number, length: number, target: Region, targetAt: number) => void;
const IMPLEMENTATIONS: readonly [string, Into][] = [
  ['words', sha256WordsInto],
  ['native', sha256NativeInto],
  ['chosen', sha256Into],
];

function run(into: Into, bytes: Uint8Array, at: number): string {
  const target = regionOf(new Uint8Array(48));
  into(placed(bytes, at), at, bytes.length, target, 8);
  return hex(target.bytes.subarray(8, 40));
}

// FIPS 180-4 examples and the NIST CAVP short and long messages around the padding edges.
const SHA256_VECTORS: readonly [Uint8Array, string][] = [
  [new Uint8Array(0), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
  [Buffer.from('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
  [
    Buffer.from('abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq'),
    '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
  ],
  [
    Buffer.from(
      'abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn' +
        'hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu',
    ),
    'cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1',
  ],
  [Buffer.from('bd', 'hex'), '68325720aabd7c82f30f554b313d0570c95accbb7dc4b5aae11204c08ffe732b'],
  [
    Buffer.from('c98c8e55', 'hex'),
    '7abc22c0ae5af26ce93dbb94433a0e0b2e119d014f8e7f65bd56c61ccccd9504',
  ],
  [Buffer.alloc(55), '02779466cdec163811d078815c633f21901413081449002f24aa3e80f0b88ef7'],
  [Buffer.alloc(56), 'd4817aa5497628e7c77e6b606107042bbba3130888c5f47a375e6179be789fbb'],
  [Buffer.alloc(57), '65a16cb7861335d5ace3c60718b5052e44660726da4cd13bb745381b235a1785'],
  [Buffer.alloc(64), 'f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b'],
  [Buffer.alloc(1000), '541b3e9daa09b20bf85fa273e5cbd3e80185aa4ec298e765db87742b70138a53'],
  [
    Buffer.alloc(1000, 0x41),
    'c2e686823489ced2017f6059b8b239318b6364f6dcd835d0a519105a1eadd6e4',
  ],
  [
    Buffer.alloc(1_000_000, 'a'),
    'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0',
  ],
];

test('sha256: published vectors, by every implementation', () => {
  for (const [input, expected] of SHA256_VECTORS) {
    assert.equal(hex(sha256(input)), expected);
    for (const [name, into] of IMPLEMENTATIONS) {
      assert.equal(run(into, input, 4), expected, `${name}, ${input.length} bytes`);
    }
  }
});

test('sha256: every length up to five blocks equals the reference and OpenSSL', () => {
  const input = new Uint8Array(320);
  for (let i = 0; i < input.length; i++) input[i] = (i * 131 + 7) & 255;
  for (let length = 0; length <= input.length; length++) {
    const bytes = input.subarray(0, length);
    const expected = createHash('sha256').update(bytes).digest('hex');
    assert.equal(hex(sha256(bytes)), expected);
    for (const [name, into] of IMPLEMENTATIONS) assert.equal(run(into, bytes, 12), expected, name);
  }
});

test('sha256: random inputs, all implementations equal', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 1500 }), fc.integer({ min: 0, max: 8 }), (bytes, w) => {
      const expected = hex(sha256(bytes));
      for (const [name, into] of IMPLEMENTATIONS) {
        assert.equal(run(into, bytes, w * 4), expected, name);
      }
    }),
    { seed: 20260701, numRuns: 200 },
  );
});

test('crc32: the check value, and equal to zlib for any input, also continued', () => {
  const check = placed(Buffer.from('123456789'), 0);
  assert.equal(crc32(check, 0, 9), 0xcbf43926);
  assert.equal(crc32Portable(check, 0, 9), 0xcbf43926);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 1500 }), fc.nat(374), (bytes, cut) => {
      const region = placed(bytes, 8);
      const expected = zlibCrc32(bytes);
      assert.equal(crc32(region, 8, bytes.length), expected);
      assert.equal(crc32Portable(region, 8, bytes.length), expected);
      const first = Math.min(cut * 4, bytes.length & ~3);
      const head = crc32(region, 8, first);
      assert.equal(crc32(region, 8 + first, bytes.length - first, head), expected);
      assert.equal(crc32Portable(region, 8 + first, bytes.length - first, head), expected);
    }),
    { seed: 20260702, numRuns: 200 },
  );
});

test('blake3: published vectors, and pieces equal the whole', () => {
  // BLAKE3 test_vectors.json: input bytes are i mod 251.
  const input = new Uint8Array(1028);
  for (let i = 0; i < input.length; i++) input[i] = i % 251;
  const vectors: readonly [number, string][] = [
    [0, 'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262'],
    [1, '2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213'],
    [1024, '42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7'],
  ];
  for (const [length, expected] of vectors) {
    assert.equal(hex(blake3(input.subarray(0, length))), expected);
    const target = regionOf(new Uint8Array(32));
    const region = regionOf(input);
    const cut = length >> 1;
    new Blake3().update(region, 0, cut).update(region, cut, length - cut).finish(target, 0);
    assert.equal(hex(target.bytes), expected);
  }
});
