/**
 * Published vectors, an independent implementation where there is one, and every single bit of a
 * sealed message flipped.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { suite, test } from 'node:test';
import { fc } from '../fixed_seed.ts';
import { AssertionFailure } from '../../core/assert.ts';
import {
  bodyValid,
  checksumInto,
  checksumMatches,
  CHECKSUM_SIZE,
  headerValid,
  seal,
  sealHeader,
} from '../../core/checksum.ts';
import { CHECKSUM_ALGORITHM, HEADER_SIZE, type ChecksumAlgorithm } from '../../core/constants.ts';
import { AT, setSize } from '../../core/message/header.ts';
import { regionOf, type Region } from '../../core/message/region.ts';

const { blake3, sha256, fast128 } = CHECKSUM_ALGORITHM;
const ALGORITHMS = [
  ['blake3', blake3],
  ['sha256', sha256],
  ['fast128', fast128],
] as const;

/** Bytes at `at` of a region, with other bytes around them. */
function framed(bytes: Uint8Array, at = 0): Region {
  const size = Math.ceil((at + bytes.length + 8) / 4) * 4;
  const region = regionOf(new Uint8Array(size).fill(0xee));
  region.bytes.set(bytes, at);
  return region;
}

function digest(algorithm: ChecksumAlgorithm, bytes: Uint8Array, at = 0): Region {
  const target = regionOf(new Uint8Array(CHECKSUM_SIZE));
  checksumInto(algorithm, framed(bytes, at), at, bytes.length, target, 0);
  return target;
}

const text = (s: string): Uint8Array => new TextEncoder().encode(s);
const hex = (r: Region): string => Buffer.from(r.bytes).toString('hex');
/** As MurmurHash3 digests are published: four 32-bit words, each most significant digit first. */
const hexWords = (r: Region): string =>
  [...r.words.subarray(0, 4)].map((word) => word.toString(16).padStart(8, '0')).join('');

suite('checksum vectors', () => {
  /** Byte i is (7 i + 1) mod 256; from the reference implementation in C, seed 0. */
  const patterns: readonly [length: number, words: string][] = [
    [0, '00000000000000000000000000000000'],
    [1, 'da3dd3f084f1d1dd84f1d1dd84f1d1dd'],
    [2, '19d7266ab0979beeb0979beeb0979bee'],
    [3, '3975c45ffc76e077fc76e077fc76e077'],
    [4, '917da576f318d3a9f318d3a9f318d3a9'],
    [5, 'b50a134ad44edb7601ceae8101ceae81'],
    [7, '4bb606531258df50231545a9231545a9'],
    [8, '8742379b715857f56f9885f06f9885f0'],
    [9, 'ddc4aa61cb82146c64b4791f9b19420e'],
    [11, 'bef49f1625221f4a0706b8aa0c98852a'],
    [12, '9e7c064f8f9d1a70d4566df641c089a7'],
    [13, 'ed0d005438a24398712d73601c882e0b'],
    [15, 'feef6310c11adc2734a10079e53ce3c1'],
    [16, '5c2b0380f2fc8fcdf113fe10ce78be4e'],
    [17, '36a292311626e33b7e8c2e1010c70a4b'],
    [31, '4116c0b7ad41d2ce48271ee162754434'],
    [32, '9484de4b64f208db1af7b2d82a698bad'],
    [33, '2766384b6d1d7c429257ef686deea99b'],
    [64, 'ad8f22d107436a152364e40e29c025e3'],
    [224, 'a9648368cd5faa5c59798d572eeb90d7'],
    [255, '93978007b2c230657efe57a3fafc727d'],
  ];
  test('MurmurHash3_x86_128: lengths around its 16-byte blocks', () => {
    for (const [length, words] of patterns) {
      const bytes = Uint8Array.from({ length }, (_, i) => (i * 7 + 1) & 255);
      for (const at of [0, 4, 256]) {
        assert.equal(hexWords(digest(fast128, bytes, at)), words, `${length} at ${at}`);
      }
      assert.deepEqual([...digest(fast128, bytes).words.subarray(4)], [0, 0, 0, 0], 'zero extended');
    }
  });

  const published: readonly [algorithm: ChecksumAlgorithm, input: string, digest: string][] = [
    [fast128, 'The quick brown fox jumps over the lazy dog', '2f1583c3ecee2c675d7bf66ce5e91d2c'],
    [fast128, 'hello', '2b2444a0db91def79adb31b69adb31b6'],
    [sha256, '', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
    [sha256, 'abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
    [
      sha256,
      'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq',
      '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
    ],
    [blake3, '', 'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262'],
    [blake3, '\u0000', '2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213'],
  ];
  for (const [algorithm, input, expected] of published) {
    const name = ALGORITHMS.find(([, a]) => a === algorithm)?.[0];
    test(`${name} of ${JSON.stringify(input)}`, () => {
      const result = digest(algorithm, text(input));
      assert.equal(algorithm === fast128 ? hexWords(result) : hex(result), expected);
    });
  }

  test('blake3 of 1,024 bytes i mod 251: one whole chunk of its tree', () => {
    const bytes = Uint8Array.from({ length: 1024 }, (_, i) => i % 251);
    const expected = '42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7';
    assert.equal(hex(digest(blake3, bytes)), expected);
  });

  test('property: sha256 agrees with createHash', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        assert.equal(hex(digest(sha256, bytes)), createHash('sha256').update(bytes).digest('hex'));
      }),
    );
  });
});

/** A sealed message of `bodyLength`, in a buffer with 64 bytes to spare. */
function sealed(algorithm: ChecksumAlgorithm, bodyLength: number): Region {
  const size = HEADER_SIZE + bodyLength;
  const message = regionOf(new Uint8Array(Math.ceil(size / 4) * 4 + 64));
  for (let i = 0; i < size; i++) message.bytes[i] = (i * 31 + 7) & 255;
  setSize(message, size);
  seal(algorithm, message);
  return message;
}

suite('sealed messages', () => {
  for (const [name, algorithm] of ALGORITHMS) {
    test(`${name}: seals and verifies, with any length of body`, () => {
      for (const length of [0, 1, 3, 4, 15, 16, 17, 100, 255]) {
        const message = sealed(algorithm, length);
        assert.ok(headerValid(algorithm, message), `header ${length}`);
        assert.ok(bodyValid(algorithm, message), `body ${length}`);
      }
    });

    test(`${name}: one flipped bit anywhere is detected, and in the right part`, () => {
      const bodyLength = 21;
      const message = sealed(algorithm, bodyLength);
      for (let bit = 0; bit < (HEADER_SIZE + bodyLength) * 8; bit++) {
        const at = bit >> 3;
        message.bytes[at] = (message.bytes[at] as number) ^ (1 << (bit & 7));
        const inHeader = at < HEADER_SIZE;
        assert.equal(headerValid(algorithm, message), !inHeader, `header, bit ${bit}`);
        if (!inHeader) assert.equal(bodyValid(algorithm, message), false, `body, bit ${bit}`);
        message.bytes[at] = (message.bytes[at] as number) ^ (1 << (bit & 7));
      }
      assert.ok(headerValid(algorithm, message) && bodyValid(algorithm, message));
    });

    test(`${name}: what lies past the message's size is not part of it`, () => {
      const message = sealed(algorithm, 10);
      message.bytes[HEADER_SIZE + 10] = 0xff;
      assert.ok(headerValid(algorithm, message) && bodyValid(algorithm, message));
    });

    test(`${name}: a body of another length, or one byte longer, has another checksum`, () => {
      const zeros = Array.from({ length: 40 }, (_, length) => hex(digest(algorithm, new Uint8Array(length))));
      // MurmurHash3 of the empty string and seed 0 is all zero; no other length of zeros is.
      assert.equal(new Set(zeros).size, zeros.length);
    });

    test(`${name}: headers in a ring are sealed and verified in place`, () => {
      const ring = regionOf(new Uint8Array(4 * HEADER_SIZE).fill(3));
      sealHeader(algorithm, ring, 512);
      assert.ok(headerValid(algorithm, ring, 512));
      assert.equal(headerValid(algorithm, ring, 256), false);
      assert.ok(ring.bytes.subarray(0, 512).every((byte) => byte === 3), 'nothing else is touched');
      assert.ok(ring.bytes.subarray(768).every((byte) => byte === 3), 'nothing else is touched');
    });

    test(`${name}: matches is true for the digest alone`, () => {
      const region = framed(text('some bytes'), 4);
      const expected = regionOf(new Uint8Array(64));
      checksumInto(algorithm, region, 4, 10, expected, 32);
      assert.ok(checksumMatches(algorithm, region, 4, 10, expected, 32));
      assert.equal(checksumMatches(algorithm, region, 4, 9, expected, 32), false);
      assert.equal(checksumMatches(algorithm, region, 4, 10, expected, 0), false);
    });
  }

  test('a size that the buffer cannot hold: refused when read, a bug when sealed', () => {
    const message = sealed(fast128, 16);
    for (const size of [0, HEADER_SIZE - 1, message.bytes.byteLength + 1, 0xffff_ffff]) {
      setSize(message, size);
      assert.equal(bodyValid(fast128, message), false, String(size));
      assert.throws(() => seal(fast128, message), AssertionFailure, String(size));
    }
  });

  test('the algorithms disagree: a message of one cluster is noise to another', () => {
    for (const [, a] of ALGORITHMS) {
      for (const [, b] of ALGORITHMS) assert.equal(headerValid(b, sealed(a, 8)), a === b);
    }
  });

  test('the header covers the body through its checksum', () => {
    const message = sealed(blake3, 32);
    message.bytes[AT.checksumBody] = 1 ^ (message.bytes[AT.checksumBody] as number);
    assert.equal(headerValid(blake3, message), false);
    assert.equal(bodyValid(blake3, message), false);
  });
});
