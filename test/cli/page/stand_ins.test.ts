import assert from 'node:assert/strict';
import { hash as nodeHash } from 'node:crypto';
import { suite, test } from 'node:test';
import { crc32 as nodeCrc32 } from 'node:zlib';
import { hash } from '../../../cli/page/stand_ins/node_crypto.ts';
import { crc32 } from '../../../cli/page/stand_ins/node_zlib.ts';
import { bundlePage } from '../../../cli/page/page_script.ts';
import { fc } from '../../fixed_seed.ts';

suite('what stands in for Node in the page', () => {
  const bytes = fc.uint8Array({ maxLength: 700 });

  test('sha256: the same text, in both forms', () => {
    fc.assert(
      fc.property(bytes, (data) => {
        assert.equal(hash('sha256', data, 'binary'), nodeHash('sha256', data, 'binary'));
        assert.equal(hash('sha256', data, 'hex'), nodeHash('sha256', data, 'hex'));
      }),
    );
  });

  test('crc32: the same number, from any beginning', () => {
    fc.assert(
      fc.property(bytes, fc.nat(0xffff_ffff), (data, previous) => {
        assert.equal(crc32(data), nodeCrc32(data));
        assert.equal(crc32(data, previous), nodeCrc32(data, previous));
      }),
    );
  });

  test('a hash that nobody provides is refused, not guessed', () => {
    assert.throws(() => hash('sha512' as 'sha256', new Uint8Array(), 'hex'), /no stand-in for "sha512"/);
  });

  test('the page is bundled, small, and reaches for nothing of Node', async () => {
    const { script, style } = await bundlePage();
    assert.ok(script.length < 1_000_000, `${script.length} bytes`);
    assert.ok(style.length < 60_000, `${style.length} bytes`);
    assert.equal(/\brequire\(|["'`]node:/.exec(script)?.[0], undefined);
  });
});
