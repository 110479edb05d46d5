import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONFIG_SMALL, type ClusterConfig } from '../../../core/constants.ts';
import { allocateAligned, MessagePool, type Message } from '../../../core/message/pool.ts';
import { isZeroWords, readU64, regionOf, writeU64, type Region } from '../../../core/message/region.ts';
import { Prng } from '../../../core/prng.ts';
import { TRAILER, TRAILER_REF, TRAILER_REF_SIZE } from '../../../core/storage/checkpoint_state.ts';
import { zonesOf } from '../../../core/storage/data_file.ts';
import { Grid, gridMessagesMax, type GridListener } from '../../../core/storage/grid.ts';
import { Trailer } from '../../../core/storage/trailer.ts';
import { MemoryStorage } from '../../support/memory_storage.ts';

const CONFIG: ClusterConfig = Object.freeze({ ...CONFIG_SMALL, gridBlocks: 300 });
const ZONES = zonesOf(CONFIG);
const BODY = CONFIG.blockSize - 256;
const SIZE_MAX = 70 * BODY;

class Harness implements GridListener {
  readonly storage: MemoryStorage;
  readonly grid: Grid;
  readonly trailer: Trailer;
  done = false;
  /** Called on a freed write slot. */
  writing = false;
  wantsDone = false;
  flushed = false;

  constructor(storage = new MemoryStorage(ZONES.end), kind: number = TRAILER.kernel) {
    this.storage = storage;
    const pool = new MessagePool({
      smallCount: gridMessagesMax(CONFIG) + 2,
      smallSize: 4096,
      largeCount: 0,
      largeSize: 8192,
      allocate: allocateAligned,
    });
    const checksumAlgorithm = CONFIG.checksumAlgorithm;
    const cluster = regionOf(new Uint8Array(16).fill(3));
    this.grid = new Grid({
      config: CONFIG, zones: ZONES, storage, pool, cluster, checksumAlgorithm, listener: this,
    });
    this.grid.freeSet.openEmpty();
    this.trailer = this.newTrailer(kind);
    storage.deliver = (token, result) => this.grid.onStorage(token, result);
  }

  newTrailer(kind: number, sizeMax = SIZE_MAX): Trailer {
    const { checksumAlgorithm } = CONFIG;
    return new Trailer({
      config: CONFIG, grid: this.grid, checksumAlgorithm, kind, sizeMax, readToken: 77,
    });
  }

  /** One checkpoint: allocate, cut, write, flush. */
  checkpoint(content: Region, size: number, op: number): Region {
    this.trailer.allocate(size);
    this.grid.checkpointCut();
    this.writing = !this.trailer.write(content, op);
    this.storage.run();
    assert.equal(this.writing, false);
    this.grid.flush();
    this.storage.run();
    assert.equal(this.flushed, true);
    const ref = regionOf(new Uint8Array(TRAILER_REF_SIZE));
    this.trailer.fillRef(ref, 0);
    return ref;
  }

  /** The same file, cold memory, before its free set is known. */
  reopen(kind: number = TRAILER.kernel): Harness {
    const other = new Harness(this.storage, kind);
    other.grid.freeSet.reset();
    return other;
  }

  open(ref: Region, target: Region): boolean {
    this.done = this.trailer.open(ref, 0, target);
    this.storage.run();
    return this.done;
  }

  gridRead(token: number, block: Message): void {
    assert.equal(token, 77);
    assert.equal(this.done, false);
    this.done = this.trailer.onGridRead(block);
  }
  gridWriteDone(): void {
    if (this.writing) this.writing = !this.trailer.writeMore();
  }
  gridFlushed(): void {
    this.flushed = true;
  }
  gridWantsDone(): void {
    this.wantsDone = true;
  }
  gridReadLost(): void {}
  gridRepairWanted(): void {}
  gridBlockServed(): void {}
}

function contentOf(size: number, salt: number): Region {
  const region = regionOf(new Uint8Array(Math.ceil(size / 4) * 4));
  const rng = new Prng([salt, 1, 2, 3]);
  for (let i = 0; i < size; i++) region.bytes[i] = rng.below(256);
  return region;
}

const empty = (): Region => regionOf(new Uint8Array(SIZE_MAX));

test('trailer: what was written is read back, at every size around a block', () => {
  for (const size of [0, 1, BODY - 1, BODY, BODY + 1, 2 * BODY, 5 * BODY + 17, SIZE_MAX]) {
    const h = new Harness();
    const content = contentOf(size, size);
    const ref = h.checkpoint(content, size, 15);
    assert.equal(readU64(ref, TRAILER_REF.size), size);
    assert.equal(isZeroWords(ref, 0, TRAILER_REF_SIZE), size === 0);
    assert.equal(h.grid.freeSet.acquiredCount, Math.ceil(size / BODY));
    const cold = h.reopen();
    const target = empty();
    assert.equal(cold.open(ref, target), true);
    assert.equal(cold.trailer.size, size);
    assert.deepEqual(target.bytes.slice(0, size), content.bytes.slice(0, size));
    if (size === SIZE_MAX) continue; // More than the cache holds.
    assert.equal(cold.trailer.open(ref, 0, empty()), true, 'from memory: within the call');
    const again = regionOf(new Uint8Array(TRAILER_REF_SIZE));
    cold.trailer.fillRef(again, 0);
    assert.deepEqual(again.bytes, ref.bytes);
  }
});

test('trailer: addresses and reference do not depend on the order of I/O', () => {
  const size = 40 * BODY;
  const refs = [1, 2].map((salt) => {
    const h = new Harness();
    h.trailer.allocate(size);
    const other = h.grid.acquire();
    assert.equal(other, 41, 'all addresses were taken at once');
    h.writing = !h.trailer.write(contentOf(size, 9), 15);
    assert.equal(h.writing, true, 'more blocks than the write queue takes');
    h.storage.runShuffled(new Prng([salt, 0, 0, 1]));
    assert.equal(h.writing, false);
    const ref = regionOf(new Uint8Array(TRAILER_REF_SIZE));
    h.trailer.fillRef(ref, 0);
    return ref.bytes;
  });
  assert.deepEqual(refs[0], refs[1]);
});

test('trailer: the next checkpoint frees the blocks of the last, also after a restart', () => {
  const h = new Harness();
  const first = h.checkpoint(contentOf(3 * BODY, 1), 3 * BODY, 15); // Blocks 1..3.
  h.grid.markCheckpointDurable();
  const copy = new MemoryStorage(ZONES.end);
  copy.poke(0, h.storage.written);
  const cold = new Harness(copy);
  cold.grid.freeSet.reset();
  assert.equal(cold.open(first, empty()), true);
  cold.grid.freeSet.openEmpty();
  for (let i = 0; i < 3; i++) cold.grid.freeSet.acquire();
  for (const side of [h, cold]) {
    const ref = side.checkpoint(contentOf(BODY, 2), BODY, 31); // Block 4.
    assert.equal(readU64(ref, TRAILER_REF.lastBlockAddress), 4);
    assert.equal(side.grid.freeSet.releasedCutCount, 3);
    side.grid.markCheckpointDurable();
    assert.equal(side.grid.freeSet.acquiredCount, 1);
    assert.equal(side.grid.acquire(), 1);
  }
});

test('trailer: the free set holds its own blocks', () => {
  const h = new Harness();
  const { freeSet } = h.grid;
  const acquired = h.newTrailer(TRAILER.freeSetAcquired, freeSet.encodedSize);
  const released = h.newTrailer(TRAILER.freeSetReleased, freeSet.encodedSize);
  const reopened = (): void => {
    const bytes = [empty(), empty()] as const;
    const refs = regionOf(new Uint8Array(2 * TRAILER_REF_SIZE));
    acquired.fillRef(refs, 0);
    released.fillRef(refs, TRAILER_REF_SIZE);
    const cold = h.reopen();
    h.storage.deliver = (token, result) => cold.grid.onStorage(token, result);
    [acquired, released].forEach((trailer, i) => {
      const reader = cold.newTrailer(trailer.kind);
      cold.gridRead = (_token, block) => void reader.onGridRead(block);
      reader.open(refs, i * TRAILER_REF_SIZE, bytes[i] as Region);
      h.storage.run();
    });
    h.storage.deliver = (token, result) => h.grid.onStorage(token, result);
    const before = [freeSet.acquiredCount, freeSet.releasedCutCount];
    assert.equal(cold.grid.freeSet.decode(bytes[0], 0, bytes[1], 0), null);
    const after = [cold.grid.freeSet.acquiredCount, cold.grid.freeSet.releasedCutCount];
    assert.deepEqual(after, before);
    assert.equal(cold.grid.freeSet.acquire(), freeSet.acquire());
  };
  for (let checkpoint = 1; checkpoint <= 4; checkpoint++) {
    freeSet.acquire(); // A log block of the interval.
    acquired.allocate(freeSet.encodedSize);
    released.allocate(freeSet.encodedSize);
    h.grid.checkpointCut();
    const target = empty();
    freeSet.encodeAcquired(target, 0);
    assert.equal(acquired.write(target, checkpoint), true);
    freeSet.encodeReleased(target, 0);
    assert.equal(released.write(target, checkpoint), true);
    h.storage.run();
    reopened();
    h.grid.markCheckpointDurable();
  }
  assert.ok(freeSet.highestAcquired() <= 12, 'blocks are reused');
});

test('trailer: state sync wants every block of it', () => {
  const h = new Harness();
  const size = 10 * BODY;
  const ref = h.checkpoint(contentOf(size, 1), size, 15);
  const cold = h.reopen();
  assert.equal(cold.open(ref, empty()), true);
  cold.trailer.wantAll();
  assert.ok(cold.grid.wantCount >= 10);
  cold.storage.run();
  assert.equal(cold.wantsDone, true);
});

test('trailer: a reference that means something else is refused, however sound its blocks', () => {
  const h = new Harness();
  const size = 2 * BODY + 5;
  const ref = h.checkpoint(contentOf(size, 1), size, 15);
  const refuse = (problem: RegExp, change: (ref: Region) => void, kind?: number): void => {
    const bad = regionOf(ref.bytes.slice());
    change(bad);
    const cold = h.reopen(kind);
    const check = { name: 'ReplicaFatal', code: 'checkpoint-malformed', message: problem };
    assert.throws(() => cold.open(bad, empty()), check);
    h.storage.pending.length = 0;
  };
  refuse(/limit/, (r) => writeU64(r, TRAILER_REF.size, SIZE_MAX + 1));
  refuse(/limit/, (r) => r.bytes.fill(0xff, TRAILER_REF.size, TRAILER_REF.size + 8));
  refuse(/outside the grid/, (r) => writeU64(r, TRAILER_REF.lastBlockAddress, 0));
  refuse(/outside the grid/, (r) => writeU64(r, TRAILER_REF.lastBlockAddress, 301));
  refuse(/size of a block/, (r) => writeU64(r, TRAILER_REF.size, size + 1));
  refuse(/out of order/, (r) => writeU64(r, TRAILER_REF.size, size + BODY));
  refuse(/another kind/, () => {}, TRAILER.manifest);
  refuse(/content checksum/, (r) => (r.bytes[TRAILER_REF.contentChecksum] = 0xaa));
});

test('trailer: reset stops a read and another one begins', () => {
  const h = new Harness();
  const size = 3 * BODY;
  const content = contentOf(size, 1);
  const ref = h.checkpoint(content, size, 15);
  const cold = h.reopen();
  assert.equal(cold.trailer.open(ref, 0, empty()), false);
  assert.throws(() => cold.trailer.open(ref, 0, empty()), /busy/);
  cold.grid.reset();
  cold.trailer.reset();
  const target = empty();
  assert.equal(cold.open(ref, target), true);
  assert.deepEqual(target.bytes.slice(0, size), content.bytes.slice(0, size));
});
