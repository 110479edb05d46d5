import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { AssertionFailure } from '../../../core/assert.ts';
import {
  CONFIG_PRODUCTION,
  CONFIG_SMALL,
  HEADER_SIZE,
  SECTOR_SIZE,
  SUPERBLOCK_COPIES,
  viewHeadersMax,
} from '../../../core/constants.ts';
import {
  blockOffset,
  prepareOffset,
  replyOffset,
  roundUp,
  zonesOf,
} from '../../../core/storage/data_file.ts';

suite('zones of the data file', () => {
  test('the small configuration, byte for byte', () => {
    assert.deepEqual(zonesOf(CONFIG_SMALL), {
      superblockCopySize: 8192,
      superblock: 0,
      journalHeaders: 32_768,
      journalHeadersSize: 8192,
      journalPrepares: 40_960,
      replies: 303_104,
      grid: 368_640,
      end: 4_562_944,
    });
  });

  for (const [name, config] of [['production', CONFIG_PRODUCTION], ['small', CONFIG_SMALL]] as const) {
    test(`${name}: zones follow each other without overlap, on sectors`, () => {
      const z = zonesOf(config);
      assert.ok(z.superblockCopySize >= SECTOR_SIZE + viewHeadersMax(config) * HEADER_SIZE);
      assert.equal(z.journalHeaders, z.superblock + SUPERBLOCK_COPIES * z.superblockCopySize);
      assert.ok(z.journalHeadersSize >= config.journalSlots * HEADER_SIZE);
      assert.equal(z.journalPrepares, z.journalHeaders + z.journalHeadersSize);
      assert.equal(z.replies, prepareOffset(z, config, config.journalSlots));
      assert.ok(z.grid >= replyOffset(z, config.clientsMax));
      assert.equal(z.grid % config.blockSize, 0);
      assert.equal(blockOffset(z, config, 1), z.grid);
      assert.equal(blockOffset(z, config, config.gridBlocks) + config.blockSize, z.end);
      for (const at of Object.values(z)) assert.equal((at as number) % SECTOR_SIZE, 0);
    });
  }

  test('address 0 means none; past the last is a bug', () => {
    const z = zonesOf(CONFIG_SMALL);
    assert.throws(() => blockOffset(z, CONFIG_SMALL, 0), AssertionFailure);
    assert.throws(() => blockOffset(z, CONFIG_SMALL, CONFIG_SMALL.gridBlocks + 1), AssertionFailure);
  });

  test('rounding up', () => {
    assert.deepEqual([0, 1, 4095, 4096, 4097].map((n) => roundUp(n, 4096)), [0, 4096, 4096, 4096, 8192]);
  });
});
