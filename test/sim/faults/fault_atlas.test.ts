/**
 * The atlas: wherever rot may strike, enough replicas can never be struck.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONFIG_SMALL, quorumsOf } from '../../../core/constants.ts';
import { SECTOR_SIZE } from '../../../core/ports.ts';
import { FaultAtlas, ZONE } from '../../../sim/faults/fault_atlas.ts';
import { DiskMemory, OVERLAY, SimDisk } from '../../../sim/ports/sim_storage.ts';
import { Bench, KIND_STORAGE, ZONES } from '../ports/lab.ts';

const ZONES_WITH_COPIES = [ZONE.journalHeaders, ZONE.prepares, ZONE.replies, ZONE.grid];

function atlasOf(replicaCount: number, seed = 1): FaultAtlas {
  return new FaultAtlas(new Bench(seed).decisions, CONFIG_SMALL, ZONES, replicaCount);
}

function diskOf(bench: Bench, node: number, replicaCount: number): SimDisk {
  return new SimDisk({
    plan: KIND_STORAGE,
    time: bench.time,
    queue: bench.queue,
    decisions: bench.decisions,
    counters: bench.counters,
    node,
    replicaCount,
    superblockSize: ZONES.journalHeaders,
    memory: new DiskMemory(ZONES.end),
  });
}

test('atlas: of each chunk at most a quorum less one may be faulty, and not always the same', () => {
  for (let n = 1; n <= 6; n++) {
    const atlas = atlasOf(n);
    const allowedOf = new Uint32Array(n);
    for (const zone of ZONES_WITH_COPIES) {
      for (let index = 0; index < atlas.chunksIn(zone); index++) {
        let allowed = 0;
        for (let replica = 0; replica < n; replica++) {
          if (!atlas.allows(replica, zone, index)) continue;
          allowed++;
          allowedOf[replica] = (allowedOf[replica] as number) + 1;
        }
        const none = n === 1 || (zone === ZONE.grid && n === 2);
        assert.equal(allowed, none ? 0 : quorumsOf(n).replication - 1, `${n} replicas, zone ${zone}`);
      }
    }
    if (n > 1) for (const count of allowedOf) assert.ok(count > 0, 'every replica may be hit somewhere');
  }
});

test('atlas: another seed allows other replicas', () => {
  const a = atlasOf(3, 1);
  const b = atlasOf(3, 2);
  let differs = 0;
  for (let i = 0; i < 64; i++) if (a.allows(0, ZONE.grid, i) !== b.allows(0, ZONE.grid, i)) differs++;
  assert.ok(differs > 10);
});

test('atlas: plants only in written, allowed chunks, and in one superblock copy at the most', () => {
  const bench = new Bench(1);
  const n = 3;
  const atlas = atlasOf(n);
  const disks = [0, 1, 2].map((node) => diskOf(bench, node, n));
  for (const disk of disks) {
    // In use: superblock, headers, prepares, replies, and the first 40 blocks.
    disk.preset(0, new Uint8Array(ZONES.grid + 40 * CONFIG_SMALL.blockSize));
  }
  let planted = 0;
  for (let pick = 0; pick < 300; pick++) {
    const node = pick % n;
    planted += atlas.plant(disks[node] as SimDisk, node, pick * 7919, 2, OVERLAY.rot);
  }
  assert.ok(planted > 50, `${planted} planted`);
  const faultyOf = new Map<number, number>();
  for (const disk of disks) {
    const { overlay } = disk.memory;
    let copies = 0;
    for (let copy = 0; copy < 4; copy++) {
      const first = (copy * ZONES.superblockCopySize) / SECTOR_SIZE;
      const end = first + ZONES.superblockCopySize / SECTOR_SIZE;
      if (overlay.subarray(first, end).some((kind) => kind !== 0)) copies++;
    }
    assert.ok(copies <= 1, `${copies} superblock copies rotten`);
    const end = (ZONES.grid + 40 * CONFIG_SMALL.blockSize) / SECTOR_SIZE;
    assert.ok(overlay.subarray(end).every((kind) => kind === 0), 'beyond what is in use');
    for (let sector = ZONES.journalHeaders / SECTOR_SIZE; sector < end; sector++) {
      if (overlay[sector] === 0) continue;
      faultyOf.set(sector, (faultyOf.get(sector) ?? 0) + 1);
    }
  }
  for (const [sector, count] of faultyOf) assert.ok(count <= 1, `sector ${sector}: ${count} of 3`);
});

test('atlas: a superblock that is being written is left alone', () => {
  const bench = new Bench(1);
  const disk = diskOf(bench, 0, 1);
  disk.preset(0, new Uint8Array(ZONES.journalHeaders));
  disk.write(0, disk.allocate(ZONES.superblockCopySize), 1);
  const atlas = atlasOf(1);
  for (let pick = 0; pick < 50; pick++) assert.equal(atlas.plant(disk, 0, pick, 1, OVERLAY.rot), 0);
});
