/** What formatting writes: whole sectors, inside their zones, and a journal that recovers clean. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { headerValid } from '../../../core/checksum.ts';
import { CONFIG_SMALL, HEADER_SIZE, SECTOR_SIZE } from '../../../core/constants.ts';
import { opOf, OPERATION, operationOf } from '../../../core/message/header.ts';
import { regionOf } from '../../../core/message/region.ts';
import { zonesOf } from '../../../core/storage/data_file.ts';
import { format } from '../../../core/storage/format.ts';

const CONFIG = CONFIG_SMALL;
const ZONES = zonesOf(CONFIG);

function image(replicaIndex: number): Uint8Array {
  const bytes = new Uint8Array(ZONES.replies);
  let end = 0;
  format({
    config: CONFIG,
    cluster: regionOf(new Uint8Array(16).fill(3)),
    replicaIndex,
    replicaCount: 3,
    write: (offset, part) => {
      assert.equal(offset % SECTOR_SIZE, 0);
      assert.equal(part.byteLength % SECTOR_SIZE, 0);
      assert.ok(offset >= end, 'in order, none over another');
      end = offset + part.byteLength;
      bytes.set(part, offset);
    },
  });
  return bytes;
}

test('format: every slot is reserved in both zones, slot 0 holds the root', () => {
  const region = regionOf(image(0));
  for (let slot = 0; slot < CONFIG.journalSlots; slot++) {
    for (const at of [
      ZONES.journalHeaders + slot * HEADER_SIZE,
      ZONES.journalPrepares + slot * CONFIG.messageSizeMax,
    ]) {
      assert.ok(headerValid(CONFIG.checksumAlgorithm, region, at), `slot ${slot}`);
      assert.equal(opOf(region, at), slot);
      assert.equal(operationOf(region, at), slot === 0 ? OPERATION.root : OPERATION.reserved);
    }
  }
});

test('format: replicas differ in their superblock only', () => {
  const a = image(0);
  const b = image(1);
  assert.deepEqual(a.subarray(ZONES.journalHeaders), b.subarray(ZONES.journalHeaders));
  assert.notDeepEqual(a.subarray(0, ZONES.journalHeaders), b.subarray(0, ZONES.journalHeaders));
  assert.deepEqual(image(0), a);
});
