/** The log against a naive one, its index, and what the walker says of damaged blocks. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { CONFIG_SMALL, HEADER_SIZE, type ClusterConfig } from '../../../core/constants.ts';
import { RecordingSink, type EffectSink } from '../../../core/kernel/effects.ts';
import { recordSpan, writeRecord } from '../../../core/kernel/events.ts';
import { kernelLimits } from '../../../core/kernel/operations.ts';
import { AT, sizeOf } from '../../../core/message/header.ts';
import { allocateAligned, MessagePool, type Message } from '../../../core/message/pool.ts';
import { regionOf, type Region } from '../../../core/message/region.ts';
import { Prng, seedOfText } from '../../../core/prng.ts';
import { zonesOf } from '../../../core/storage/data_file.ts';
import { EventLog } from '../../../core/storage/event_log.ts';
import { Grid, gridMessagesMax } from '../../../core/storage/grid.ts';
import { LogBlockCursor, readLogBlock, type LogBlockContent } from '../../../core/storage/log_block.ts';
import {
  findInEntries,
  INDEX_ENTRY,
  StreamIndex,
  type IndexHit,
} from '../../../core/storage/stream_index.ts';
import { MemoryStorage } from '../../support/memory_storage.ts';

class LogHarness {
  readonly grid: Grid;
  readonly log: EventLog;
  readonly storage: MemoryStorage;
  readonly naive = new RecordingSink();
  read: Message | null = null;
  private readonly chains = regionOf(new Uint8Array(64 * 32));

  constructor(config: ClusterConfig = CONFIG_SMALL) {
    const zones = zonesOf(config);
    this.storage = new MemoryStorage(zones.end);
    const pool = new MessagePool({
      smallCount: 0,
      smallSize: 4096,
      largeCount: gridMessagesMax(config) + 8,
      largeSize: config.messageSizeMax,
      allocate: allocateAligned,
    });
    const checksumAlgorithm = config.checksumAlgorithm;
    const cluster = regionOf(new Uint8Array(16));
    const { storage } = this;
    this.grid = new Grid({ config, zones, storage, pool, cluster, checksumAlgorithm, listener: this });
    this.grid.freeSet.openEmpty();
    this.log = new EventLog({ config, grid: this.grid, checksumAlgorithm, blocksReserved: 10 });
    storage.deliver = (token, result) => this.grid.onStorage(token, result);
  }

  gridRead(_token: number, block: Message): void {
    this.read = block.ref();
  }
  gridReadLost(): void {}
  gridWriteDone(): void {}
  gridFlushed(): void {}
  gridRepairWanted(): void {}
  gridWantsDone(): void {}
  gridBlockServed(): void {}

  append(slot: number, op: number, offset: number, length: number): void {
    if (!this.grid.canWrite()) this.storage.run();
    const payload = regionOf(new Uint8Array((length + 3) & ~3));
    payload.bytes.fill(op, 0, length);
    const saved = this.chains.bytes.slice(slot * 32, slot * 32 + 32);
    for (const sink of [this.naive, this.log] as EffectSink[]) {
      this.chains.bytes.set(saved, slot * 32);
      const at = sink.reserve(slot, 4096 + slot, op, offset, recordSpan(length));
      writeRecord(sink.target, at, offset, 1000 + op, 0, payload, 0, length, this.chains, slot * 32);
    }
  }

  block(ordinal: number): { region: Region; size: number } {
    if (this.log.isTail(ordinal)) return { region: this.log.tailBlock(), size: this.log.tailSize };
    const block = this.log.manifest.read(ordinal, 1);
    if (block !== null) return { region: block, size: sizeOf(block) };
    this.storage.run();
    assert(this.read !== null);
    const copy = regionOf(this.read.bytes.slice());
    const size = sizeOf(this.read);
    this.read.unref();
    this.read = null;
    return { region: copy, size };
  }

  contents(): (LogBlockContent & { region: Region })[] {
    const contents: (LogBlockContent & { region: Region })[] = [];
    const end = this.log.manifest.count + (this.log.isTail(this.log.manifest.count) ? 1 : 0);
    for (let ordinal = 0; ordinal < end; ordinal++) {
      const { region, size } = this.block(ordinal);
      // The bytes: a block in the cache may give way to the next one.
      contents.push({ ...readLogBlock(region, size), region: regionOf(region.bytes.slice()) });
    }
    return contents;
  }
}

test('all records, in commit order, byte for byte; blocks and manifest agree', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const rng = new Prng(seedOfText(`log ${seed}`));
      const harness = new LogHarness();
      const next = [0, 0, 0, 0];
      for (let op = 1; op <= 60; op++) {
        const slot = rng.below(4);
        const big = rng.below(5) === 0;
        for (let n = 1 + rng.below(5); n > 0; n--) {
          harness.append(slot, op, next[slot]!++, rng.below(big ? 3600 : 200));
        }
        if (op % 16 === 15) harness.log.sealAll(op);
      }
      const contents = harness.contents();
      const records = contents.flatMap(({ records, region }) =>
        records.map((record) => ({ ...record, region })),
      );
      const { naive } = harness;
      assert.equal(records.length, naive.records.length);
      naive.records.forEach((expected, i) => {
        const record = records[i]!;
        assert.deepEqual(
          [record.slot, record.streamId, record.op, record.offset],
          [expected.slot, expected.streamId, expected.op, expected.offset],
        );
        const bytes = naive.target.bytes.subarray(expected.at, expected.at + record.size);
        const logged = record.region.bytes.subarray(record.at, record.at + record.size);
        assert.ok(Buffer.from(logged).equals(bytes));
      });
      let opBefore = 0;
      contents.forEach((content, ordinal) => {
        assert.equal(content.problem, null);
        if (harness.log.isTail(ordinal)) return;
        assert.equal(content.ordinal, ordinal);
        assert.ok(content.opFirst >= opBefore && content.opLast >= content.opFirst);
        opBefore = content.opLast;
        assert.equal(harness.log.manifest.opLastOf(ordinal), content.opLast);
        const address = content.region.fields.getUint32(AT.blockAddress, true);
        assert.equal(address, harness.log.manifest.addressOf(ordinal));
      });
    }),
    { seed: 20260708, numRuns: 8 },
  );
});

test('the index leads to the block of every offset', () => {
  const harness = new LogHarness();
  const next = [0, 0, 0];
  const rng = new Prng(seedOfText('index'));
  for (let op = 1; op <= 300; op++) {
    const slot = op % 50 === 0 ? 2 : op & 1;
    harness.append(slot, op, next[slot]!++, 1000 + rng.below(2000));
    if (op % 16 === 15) harness.log.sealAll(op);
  }
  let nodesRead = 0;
  for (const slot of [0, 1, 2]) {
    for (let offset = 0; offset < next[slot]!; offset++) {
      const hit: IndexHit = { level: -1, ordinal: 0, position: 0 };
      assert.ok(harness.log.index.find(slot, offset, hit));
      while (hit.level > 0) {
        const { region, size } = harness.block(hit.ordinal);
        const cursor = new LogBlockCursor().wrap(region, size, hit.position);
        assert.ok(cursor.nextRun());
        assert.equal(cursor.level, --hit.level);
        findInEntries(region, cursor.runAt + 48, cursor.count, offset, hit);
        nodesRead++;
      }
      const { region, size } = harness.block(hit.ordinal);
      const cursor = new LogBlockCursor().wrap(region, size, hit.position);
      let found = false;
      while (!found && cursor.nextRun()) {
        while (cursor.slot === slot && cursor.nextRecord()) found ||= cursor.recordOffset === offset;
      }
      assert.ok(found, `stream ${slot}, offset ${offset}`);
    }
  }
  assert.ok(nodesRead > 200, `${nodesRead}`);
  const none: IndexHit = { level: -1, ordinal: 0, position: 0 };
  assert.equal(harness.log.index.find(9, 0, none), false);
});

test('stream index: encode and decode, and cuts are refused', () => {
  const index = new StreamIndex(4);
  const scratch = regionOf(new Uint8Array(4 * INDEX_ENTRY.size));
  for (let slot = 0; slot < 5; slot++) {
    for (let n = 0; n < slot * 3; n++) {
      if (index.isFull(slot, 0)) {
        index.flush(slot, 0, scratch, 0);
        index.push(slot, 1, n - 4, n, 256);
      }
      index.push(slot, 0, n, n, 300 + n);
    }
  }
  const bytes = regionOf(new Uint8Array(index.encodedSize()));
  assert.equal(index.encode(bytes, 0), bytes.bytes.length);
  assert.ok(bytes.bytes.length <= StreamIndex.encodedSizeMax(5, 4, 64));
  const copy = new StreamIndex(4);
  assert.equal(copy.decode(bytes, 0, bytes.bytes.length), null);
  const again = regionOf(new Uint8Array(copy.encodedSize()));
  copy.encode(again, 0);
  assert.deepEqual(again.bytes, bytes.bytes);
  for (let length = 0; length < bytes.bytes.length; length += 4) {
    assert.notEqual(new StreamIndex(4).decode(bytes, 0, length), null);
  }
});

test('manifest: nodes are written once, and the tail stays short', () => {
  const harness = new LogHarness();
  const { manifest } = harness.log;
  let nodesBefore = 0;
  for (let op = 1; op <= 3 * manifest.entriesPerNode; op++) {
    harness.append(0, op, op - 1, 10);
    harness.log.sealAll(op);
    assert.ok(manifest.nodeCount >= nodesBefore);
    assert.equal(manifest.nodeCount, Math.floor(manifest.count / manifest.entriesPerNode));
    assert.ok(manifest.encodedSize() < 16 + 4 * 48 + manifest.entriesPerNode * 48);
    nodesBefore = manifest.nodeCount;
  }
  assert.equal(manifest.nodeCount, 3);
  harness.storage.run();
  const bytes = regionOf(new Uint8Array(manifest.encodedSize()));
  manifest.encode(bytes, 0);
  const addresses = Array.from({ length: manifest.count }, (_, i) => manifest.addressOf(i));
  assert.equal(manifest.decode(bytes, 0, bytes.bytes.length - 4), 'manifest: size');
  assert.equal(manifest.decode(bytes, 0, bytes.bytes.length), null);
  let complete = manifest.load(7);
  while (!complete) {
    harness.storage.run();
    assert(harness.read !== null);
    const block = harness.read;
    harness.read = null;
    complete = manifest.onGridRead(block);
    block.unref();
  }
  assert.deepEqual(Array.from({ length: manifest.count }, (_, i) => manifest.addressOf(i)), addresses);
});

test('the walker reads any bytes without throwing, and misses no damage to a record', () => {
  const harness = new LogHarness();
  for (let op = 1; op <= 12; op++) harness.append(op % 3, op, Math.floor((op - 1) / 3), op * 9);
  const size = harness.log.tailSize;
  const good = harness.log.tailBlock().bytes.slice();
  const clean = readLogBlock(regionOf(good), size);
  assert.equal(clean.problem, null);
  assert.equal(clean.records.length, 12);
  let unnoticed = 0;
  for (let at = HEADER_SIZE; at < size; at++) {
    const bad = good.slice();
    bad[at] = (bad[at] as number) ^ 0x41;
    const read = readLogBlock(regionOf(bad), size);
    const inRecord = clean.records.some((record) => at >= record.at && at < record.at + record.size);
    if (read.problem === null) {
      unnoticed++;
      const padding = inRecord && bad.slice(at & ~3, at).every((byte) => byte !== 0x41);
      assert.ok(!inRecord || padding, `byte ${at}`);
    }
  }
  // Stream, op and slot of a run's header, and padding: only the block's checksum covers these.
  assert.ok(unnoticed < 12 * 40, `${unnoticed}`);
  for (let cut = HEADER_SIZE; cut < size; cut += 4) readLogBlock(regionOf(good), cut);
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 256, maxLength: 2000 }), (bytes) => {
      const region = regionOf(new Uint8Array((bytes.length + 3) & ~3));
      region.bytes.set(bytes);
      readLogBlock(region, region.bytes.length);
      readLogBlock(region, region.bytes.length + 4096);
    }),
    { seed: 20260709, numRuns: 200 },
  );
});

test('an op fills at most the blocks that its limits say', () => {
  const limits = kernelLimits(CONFIG_SMALL);
  const harness = new LogHarness();
  // Records that leave nearly half of each block empty.
  const half = Math.ceil((CONFIG_SMALL.blockSize - HEADER_SIZE) / 2) - 150;
  let offset = 0;
  for (let op = 1; op <= 30; op++) {
    const before = harness.log.manifest.count;
    for (let bytes = 52; bytes + half + 4 < limits.bodySizeMax; bytes += half + 4) {
      harness.append(0, op, offset++, half);
    }
    assert.ok(harness.log.manifest.count - before <= limits.blocksPerOpMax);
  }
});
