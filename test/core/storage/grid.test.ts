import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { armCanary, CANARY, canaryReached } from '../../../core/canary.ts';
import { CONFIG_SMALL, HEADER_SIZE, type ClusterConfig } from '../../../core/constants.ts';
import { AT, BLOCK_TYPE, sizeOf } from '../../../core/message/header.ts';
import { allocateAligned, MessagePool, type Message } from '../../../core/message/pool.ts';
import { readU64, regionOf, type Region } from '../../../core/message/region.ts';
import { STORAGE_RESULT } from '../../../core/ports.ts';
import { Prng } from '../../../core/prng.ts';
import { allProbes, resetProbes } from '../../../core/probe.ts';
import { blockOffset, zonesOf } from '../../../core/storage/data_file.ts';
import {
  Grid,
  GRID_READS_MAX,
  GRID_WRITE_BURST_MAX,
  gridMessagesMax,
  REQUEST_BLOCK_SIZE,
  type GridListener,
} from '../../../core/storage/grid.ts';
import { MemoryStorage } from '../../support/memory_storage.ts';
import { fc } from '../../fixed_seed.ts';

/** Blocks of two sectors, so that padding, stale rests and torn blocks can be seen. */
const CONFIG: ClusterConfig = Object.freeze({ ...CONFIG_SMALL, blockSize: 8192, gridBlocks: 100 });
const ZONES = zonesOf(CONFIG);
const CLUSTER = regionOf(new Uint8Array(16).fill(7));

interface Reference {
  readonly address: number;
  readonly checksum: Region;
}

/** A grid over a file, and everything it said. `reopen` is the same file after a restart. */
class Harness implements GridListener {
  readonly storage: MemoryStorage;
  readonly pool: MessagePool;
  readonly grid: Grid;
  readonly events: string[] = [];
  /** Content of each block delivered, by token. */
  readonly delivered: [number, string][] = [];
  readonly lost: number[] = [];
  served: Message[] = [];
  onRead: (token: number) => void = () => {};

  constructor(storage = new MemoryStorage(ZONES.end)) {
    this.storage = storage;
    this.pool = new MessagePool({
      smallCount: 0,
      smallSize: 4096,
      largeCount: gridMessagesMax(CONFIG) + 4,
      largeSize: CONFIG.blockSize,
      allocate: allocateAligned,
    });
    this.grid = new Grid({
      config: CONFIG,
      zones: ZONES,
      storage,
      pool: this.pool,
      cluster: CLUSTER,
      checksumAlgorithm: CONFIG.checksumAlgorithm,
      listener: this,
    });
    this.grid.freeSet.openEmpty();
    storage.deliver = (token, result) => this.grid.onStorage(token, result);
  }

  gridRead(token: number, block: Message): void {
    this.events.push(`read ${token}`);
    this.delivered.push([token, contentOf(block)]);
    this.onRead(token);
  }
  gridReadLost(token: number): void {
    this.events.push(`lost ${token}`);
    this.lost.push(token);
  }
  gridWriteDone(): void {}
  gridFlushed(): void {
    this.events.push('flushed');
  }
  gridRepairWanted(): void {
    this.events.push('repair wanted');
  }
  gridWantsDone(): void {
    this.events.push('wants done');
  }
  gridBlockServed(token: number, block: Message | null): void {
    this.events.push(`served ${token} ${block === null ? 'nothing' : contentOf(block)}`);
    if (block !== null) this.served.push(block.ref());
  }

  /** Another process on the same file, with cold memory; it knows what is acquired. */
  reopen(): Harness {
    const other = new Harness(this.storage);
    for (let i = 0; i < this.grid.freeSet.highestAcquired(); i++) other.grid.freeSet.acquire();
    return other;
  }

  write(content: string, snapshotOp = 1, size = HEADER_SIZE + content.length): Reference {
    const block = this.grid.createBlock(BLOCK_TYPE.log, snapshotOp);
    return this.fill(block, content, size);
  }

  fill(block: Message, content: string, size = HEADER_SIZE + content.length): Reference {
    block.bytes.fill(0, HEADER_SIZE, size);
    block.bytes.set(Buffer.from(content), HEADER_SIZE);
    this.grid.writeBlock(block, size);
    const reference = referenceOf(block);
    block.unref();
    return reference;
  }

  read(reference: Reference, token: number): string | null {
    const block = this.grid.read(reference.address, reference.checksum, 0, token);
    return block === null ? null : contentOf(block);
  }

  want(reference: Reference): void {
    this.grid.want(reference.address, reference.checksum, 0);
  }

  /** A peer's answer to whatever is asked for, from `peer`'s file. Returns the addresses asked. */
  repairFrom(peer: Harness): number[] {
    const request = regionOf(new Uint8Array(CONFIG.blockSize));
    const count = this.grid.fillRequestBlocks(request);
    const asked: number[] = [];
    for (let i = 0; i < count; i++) {
      const at = HEADER_SIZE + i * REQUEST_BLOCK_SIZE;
      asked.push(readU64(request, at + 32));
      peer.grid.serveBlock(readU64(request, at + 32), request, at, i);
    }
    if (peer.storage !== this.storage) peer.storage.run();
    for (const block of peer.served) {
      this.grid.onBlock(block);
      block.unref();
    }
    peer.served = [];
    return asked;
  }

  flip(reference: Reference, at: number): void {
    const offset = blockOffset(ZONES, CONFIG, reference.address) + at;
    this.storage.poke(offset, new Uint8Array([(this.storage.written[offset] as number) ^ 1]));
  }

  /** Completes the oldest pending operation of this kind. */
  completeOne(kind: 'read' | 'write' | 'sync', result?: 0 | 1 | 2 | 3): void {
    const index = this.storage.pending.findIndex((operation) => operation.kind === kind);
    assert.notEqual(index, -1, `no ${kind} pending`);
    this.storage.complete(index, result);
  }

  pendingCount(kind: 'read' | 'write' | 'sync'): number {
    return this.storage.pending.filter((operation) => operation.kind === kind).length;
  }

  /** All references that the grid does not hold are back in the pool. */
  assertNoLeak(): void {
    assert.ok(this.storage.pending.length === 0);
    const used = this.pool.messages.filter((message) => message.references > 0);
    assert.ok(used.every((message) => message.references === 1), 'held by the cache alone');
    assert.ok(used.length <= 64, 'and it holds no more than it can');
  }
}

function referenceOf(block: Message): Reference {
  const checksum = regionOf(block.bytes.slice(AT.checksum, AT.checksum + 32));
  return { address: readU64(block, AT.blockAddress), checksum };
}

function keyOf(reference: Reference): string {
  return Buffer.from(reference.checksum.bytes).toString('hex');
}

function contentOf(block: Message): string {
  return Buffer.from(block.bytes.subarray(HEADER_SIZE, sizeOf(block))).toString();
}

function hits(name: string): number {
  const probe = allProbes().find((p) => p.name === name);
  assert.ok(probe !== undefined, `no probe "${name}"`);
  return probe.hits;
}

/** A writer with these blocks in its file, and a reader of a copy of the file, cold. */
function pair(...contents: string[]): {
  writer: Harness;
  reader: Harness;
  references: Reference[];
} {
  const writer = new Harness();
  const references = contents.map((content) => writer.write(content));
  writer.storage.run();
  const copy = new MemoryStorage(ZONES.end);
  copy.poke(0, writer.storage.written);
  const reader = new Harness(copy);
  for (let i = 0; i < contents.length; i++) reader.grid.freeSet.acquire();
  return { writer, reader, references };
}

afterEach(() => armCanary(CANARY.none));

// --- Writing ---

test('grid: addresses follow the order of creation, whatever the order of I/O', () => {
  const addresses = [0, 1].map((salt) => {
    const h = new Harness();
    const all: number[] = [];
    const rng = new Prng([salt, 2, 3, 4]);
    for (let i = 0; i < 60; i++) {
      all.push(h.write(`block ${i}`).address);
      while (!h.grid.canWrite() || rng.below(3) === 0) {
        if (h.storage.pending.length === 0) break;
        h.storage.complete(rng.below(h.storage.pending.length));
      }
    }
    h.storage.runShuffled(rng);
    h.assertNoLeak();
    return all;
  });
  assert.deepEqual(addresses[0], addresses[1]);
  assert.deepEqual(addresses[0], Array.from({ length: 60 }, (_, i) => i + 1));
});

test('grid: a flush ends with a sync that started after every write before it', () => {
  const h = new Harness();
  const before = h.write('before');
  h.grid.flush();
  const after = h.write('after');
  assert.equal(h.pendingCount('sync'), 0, 'the write is in flight');
  h.storage.complete(1); // The later write does not release the flush.
  assert.equal(h.pendingCount('sync'), 0);
  h.completeOne('write');
  assert.equal(h.pendingCount('sync'), 1);
  assert.deepEqual(h.events, []);
  const late = h.write('late'); // Does not hold the flush up either.
  h.completeOne('sync');
  assert.deepEqual(h.events, ['flushed']);
  h.storage.crash(new Prng([1, 2, 3, 4]), ['old']);
  const cold = h.reopen();
  assert.equal(cold.read(before, 1), null);
  cold.storage.run();
  assert.equal(cold.read(before, 1), 'before');
  assert.equal(cold.read(after, 2), null);
  assert.equal(cold.read(late, 3), null);
  cold.storage.run();
  assert.equal(cold.grid.missingCount, 1, 'the late one was never synced');
});

test('grid: a flush with nothing to write still answers through the storage', () => {
  const h = new Harness();
  h.grid.flush();
  assert.deepEqual(h.events, []);
  assert.throws(() => h.grid.flush(), /while flushing/);
  h.storage.run();
  assert.deepEqual(h.events, ['flushed']);
  h.grid.flush();
  h.storage.run();
  assert.deepEqual(h.events, ['flushed', 'flushed']);
});

test('grid: a write or a sync that fails is fatal', () => {
  for (const result of [STORAGE_RESULT.ioError, STORAGE_RESULT.noSpace] as const) {
    const h = new Harness();
    h.write('block');
    assert.throws(() => h.completeOne('write', result), { code: 'storage-write' });
  }
  const h = new Harness();
  h.write('block');
  h.grid.flush();
  h.completeOne('write');
  assert.throws(() => h.completeOne('sync', STORAGE_RESULT.ioError), { code: 'storage-sync' });
});

test('grid: back-pressure lets a burst through and no more', () => {
  const h = new Harness();
  let count = 0;
  for (; h.grid.canWrite(); count++) h.write(`block ${count}`);
  assert.equal(h.pendingCount('write'), 16, 'in flight');
  assert.ok(count > 16);
  for (let i = 0; i < GRID_WRITE_BURST_MAX - 1; i++) h.write('burst');
  assert.throws(() => h.write('one too many'), /canWrite/);
});

test('grid: a full grid is fatal, with a clear text', () => {
  const h = new Harness();
  for (let i = 0; i < CONFIG.gridBlocks; i++) h.grid.freeSet.acquire();
  assert.throws(() => h.grid.createBlock(BLOCK_TYPE.log, 1), {
    name: 'ReplicaFatal',
    code: 'grid-full',
    message: /all 100 blocks/,
  });
});

test('grid: only whole sectors of a block are written, zero padded', () => {
  const h = new Harness();
  const block = h.grid.createBlock(BLOCK_TYPE.log, 5);
  block.bytes.fill(0xff, HEADER_SIZE); // Left over from another message.
  h.fill(block, 'x');
  assert.equal(h.storage.pending[0]?.buffer.length, 4096);
  h.storage.run();
  const at = blockOffset(ZONES, CONFIG, 1);
  assert.ok(h.storage.written.subarray(at + 257, at + 8192).every((byte) => byte === 0));
});

// --- Reading ---

test('grid: memory answers at once, the disk later', () => {
  const { writer, reader, references } = pair('a');
  const [a] = references as [Reference];
  assert.equal(writer.read(a, 1), 'a');
  assert.equal(reader.read(a, 1), null);
  assert.deepEqual(reader.delivered, [], 'not in the stack of the caller');
  reader.storage.run();
  assert.deepEqual(reader.delivered, [[1, 'a']]);
  assert.equal(reader.read(a, 2), 'a', 'cached');
  reader.assertNoLeak();
});

test('grid: a block evicted from the cache is served from its write in flight', () => {
  const h = new Harness();
  resetProbes();
  const references: Reference[] = [];
  while (h.grid.canWrite()) references.push(h.write(`block ${references.length}`));
  for (let i = 1; i < GRID_WRITE_BURST_MAX; i++) references.push(h.write(`burst ${i}`));
  assert.equal(references.length, 64, 'as many as the cache holds');
  // Only the youngest in flight completes: the first write stays there while others go past.
  for (let i = 0; i < 16; i++) {
    h.storage.complete(h.storage.pending.length - 1);
    references.push(h.write(`more ${i}`));
  }
  assert.equal(h.read(references[0] as Reference, 1), 'block 0');
  assert.ok(hits('grid: block evicted from cache') > 0);
  assert.ok(hits('grid: read served from a write in flight') > 0);
  h.storage.run();
  h.assertNoLeak();
});

test('grid: several readers of one block share one read of the disk', () => {
  const { reader, references } = pair('a');
  const [a] = references as [Reference];
  for (let token = 1; token <= 3; token++) assert.equal(reader.read(a, token), null);
  assert.equal(reader.pendingCount('read'), 1);
  reader.storage.run();
  assert.deepEqual(reader.events, ['read 1', 'read 2', 'read 3']);
});

test('grid: more reads than slots wait their turn; canceled ones say nothing', () => {
  const contents = Array.from({ length: 20 }, (_, i) => `block ${i}`);
  const { reader, references } = pair(...contents);
  references.forEach((reference, i) => assert.equal(reader.read(reference, i), null));
  assert.equal(reader.pendingCount('read'), 8);
  assert.equal(reader.grid.readsAvailable(), GRID_READS_MAX - 20);
  reader.grid.cancelRead(0); // In flight.
  reader.grid.cancelRead(19); // Waiting.
  reader.storage.run();
  const tokens = reader.delivered.map(([token]) => token);
  assert.deepEqual(tokens, Array.from({ length: 18 }, (_, i) => i + 1));
  assert.equal(reader.grid.readsAvailable(), GRID_READS_MAX);
  reader.assertNoLeak();
});

test('grid: a callback may read, cancel and reset', () => {
  const { reader, references } = pair('a', 'b');
  const [a, b] = references as [Reference, Reference];
  for (const token of [1, 2, 3]) assert.equal(reader.read(a, token), null);
  reader.onRead = (token) => {
    if (token !== 1) return;
    reader.grid.cancelRead(2);
    assert.equal(reader.read(a, 9), 'a');
    assert.equal(reader.read(b, 4), null);
  };
  reader.storage.run();
  assert.deepEqual(reader.events, ['read 1', 'read 3', 'read 4']);
  const other = pair('a');
  for (const token of [1, 2]) assert.equal(other.reader.read(a, token), null);
  other.reader.onRead = () => other.reader.grid.reset();
  other.reader.storage.run();
  assert.deepEqual(other.reader.events, ['read 1']);
});

// --- Corruption and repair ---

test('grid: no flipped bit goes unnoticed, and a peer repairs the block in place', () => {
  const places = { checksum: 3, reserved: 70, address: AT.blockAddress, body: 257, padding: 4000 };
  for (const [place, at] of Object.entries(places)) {
    const { writer, reader, references } = pair('content of the block');
    const [a] = references as [Reference];
    reader.flip(a, at);
    assert.equal(reader.read(a, 1), null);
    reader.storage.run();
    assert.deepEqual(reader.events, ['repair wanted'], place);
    assert.equal(reader.grid.missingCount, 1);
    assert.deepEqual(reader.repairFrom(writer), [1]);
    assert.deepEqual(reader.delivered, [[1, 'content of the block']], 'at once, before it is written');
    assert.equal(reader.grid.missingCount, 0);
    reader.storage.run();
    reader.assertNoLeak();
    const cold = reader.reopen();
    assert.equal(cold.read(a, 2), null);
    cold.storage.run();
    assert.deepEqual(cold.delivered, [[2, 'content of the block']], place);
  }
});

test('grid: a bit outside the sectors of the block is nobody’s', () => {
  const { reader, references } = pair('small');
  const [a] = references as [Reference];
  reader.flip(a, 5000);
  reader.read(a, 1);
  reader.storage.run();
  assert.deepEqual(reader.delivered, [[1, 'small']]);
});

test('grid: a sector that cannot be read is a missing block', () => {
  for (const result of [STORAGE_RESULT.corruptRead, STORAGE_RESULT.ioError] as const) {
    const { writer, reader, references } = pair('a');
    reader.read((references as [Reference])[0], 1);
    reader.completeOne('read', result);
    assert.deepEqual(reader.events, ['repair wanted']);
    reader.repairFrom(writer);
    assert.deepEqual(reader.delivered, [[1, 'a']]);
  }
});

test('grid: a sound block in the wrong place, or of another version, is not the block', () => {
  const { writer, reader, references } = pair('a', 'b');
  const [a, b] = references as [Reference, Reference];
  const at = (reference: Reference): number => blockOffset(ZONES, CONFIG, reference.address);
  // A misdirected write: b lies where a should be.
  reader.storage.poke(at(a), reader.storage.written.slice(at(b), at(b) + CONFIG.blockSize));
  reader.read(a, 1);
  reader.storage.run();
  assert.equal(reader.grid.missingCount, 1);
  reader.repairFrom(writer);
  assert.deepEqual(reader.delivered, [[1, 'a']]);
  reader.storage.run();
  // A lost write: the parent means a version that never reached the disk.
  const checksum = regionOf(b.checksum.bytes.map((byte) => byte ^ 1));
  const newer = { address: b.address, checksum };
  resetProbes();
  assert.equal(reader.read(newer, 2), null);
  reader.storage.run();
  assert.equal(reader.grid.missingCount, 1);
  assert.equal(hits('grid: another version of the block on disk'), 1);
});

test('grid: a peer’s block is taken only if address and checksum are wanted', () => {
  const { writer, reader, references } = pair('a', 'b');
  const [a, b] = references as [Reference, Reference];
  reader.flip(a, 300);
  reader.read(a, 1);
  const blockOf = (reference: Reference): Message => {
    const block = writer.grid.read(reference.address, reference.checksum, 0, 0);
    assert.ok(block !== null);
    return block;
  };
  assert.equal(reader.grid.onBlock(blockOf(a)), false, 'not known to be missing yet');
  reader.storage.run();
  assert.equal(reader.grid.onBlock(blockOf(b)), false, 'another address');
  const copy = writer.pool.acquire(CONFIG.blockSize);
  const lie = (change: () => void): void => {
    copy.bytes.set(blockOf(a).bytes);
    change();
    assert.equal(reader.grid.onBlock(copy), false);
  };
  lie(() => (copy.bytes[AT.checksum] = (copy.bytes[AT.checksum] as number) ^ 1));
  lie(() => copy.fields.setUint32(AT.size, 100, true));
  lie(() => copy.fields.setUint32(AT.size, CONFIG.blockSize + 1, true));
  lie(() => copy.fields.setUint32(AT.release, 0xffff_ffff, true));
  lie(() => copy.bytes.fill(0xff, AT.blockAddress, AT.blockAddress + 8));
  lie(() => copy.bytes.fill(0, AT.blockAddress, AT.blockAddress + 8));
  assert.deepEqual(reader.delivered, []);
  assert.equal(reader.pendingCount('write'), 0);
  assert.equal(reader.grid.onBlock(blockOf(a)), true);
  assert.equal(reader.grid.onBlock(blockOf(a)), false, 'not wanted any more');
  assert.deepEqual(reader.delivered, [[1, 'a']]);
});

test('grid: canary repairWithoutChecksum takes and gives any version', () => {
  // The peer is behind: its copy of block 1 is an older one.
  const behind = pair('old version');
  const ahead = pair('new version');
  const [wanted] = ahead.references as [Reference];
  const { reader } = ahead;
  reader.flip(wanted, 300);
  reader.read(wanted, 1);
  reader.storage.run();
  reader.repairFrom(behind.reader);
  assert.deepEqual(reader.delivered, [], 'healthy code: the peer has nothing to give');
  armCanary(CANARY.repairWithoutChecksum);
  reader.repairFrom(behind.reader);
  assert.ok(canaryReached() >= 2);
  assert.deepEqual(reader.delivered, [[1, 'old version']]);
});

test('grid: an older block never replaces a newer one on disk', () => {
  const { writer, reader, references } = pair('old');
  const [old] = references as [Reference];
  // The reader has gone on: block 1 was freed and holds something else. A query asks for the old.
  reader.fill(reader.grid.createBlockAt(1, BLOCK_TYPE.log, 9), 'new');
  reader.storage.run();
  assert.equal(reader.read(old, 1), null);
  reader.storage.run();
  resetProbes();
  reader.repairFrom(writer);
  assert.equal(hits('grid: older block not written over a newer one'), 1);
  assert.deepEqual(reader.delivered, [[1, 'old']]);
  assert.equal(reader.storage.pending.length, 0);
});

test('grid: a request holds four blocks, rotates, and splits between reads and sync', () => {
  const { reader, references } = pair(...'abcdefghijkl');
  for (const reference of references) reader.flip(reference, 300);
  const record = regionOf(new Uint8Array(CONFIG.blockSize).fill(0xee));
  const ask = (): number[] => {
    const count = reader.grid.fillRequestBlocks(record);
    const asked: number[] = [];
    for (let i = 0; i < count; i++) {
      const at = HEADER_SIZE + i * REQUEST_BLOCK_SIZE;
      const address = readU64(record, at + 32);
      asked.push(address);
      assert.deepEqual(record.bytes.slice(at, at + 32), references[address - 1]?.checksum.bytes);
      assert.equal(readU64(record, at + 40), 0);
    }
    return asked;
  };
  assert.deepEqual(ask(), []);
  references.slice(0, 6).forEach((reference, i) => reader.read(reference, i));
  reader.read(references[0] as Reference, 99); // Two readers, one block.
  reader.storage.run();
  assert.equal(ask().length, 4);
  const seen = new Set([...ask(), ...ask()]);
  assert.deepEqual([...seen].sort(), [1, 2, 3, 4, 5, 6]);
  for (const reference of references.slice(6)) reader.want(reference);
  reader.storage.run();
  const both = ask();
  assert.equal(both.filter((address) => address <= 6).length, 2);
  assert.equal(both.filter((address) => address > 6).length, 2);
  const wanted = new Set([...ask(), ...ask()].filter((address) => address > 6));
  assert.equal(wanted.size, 4, 'the others in turn');
  for (let token = 0; token < 6; token++) reader.grid.cancelRead(token);
  reader.grid.cancelRead(99);
  assert.equal(reader.grid.missingCount, 6);
  assert.equal(ask().length, 4, 'all four for sync');
  assert.deepEqual(reader.events, ['repair wanted']);
});

test('grid: a write waits for a read of its address in flight', () => {
  const { reader, references } = pair('old');
  const [old] = references as [Reference];
  reader.read(old, 1);
  const fresh = reader.fill(reader.grid.createBlockAt(1, BLOCK_TYPE.log, 9), 'new');
  assert.equal(reader.pendingCount('write'), 0);
  reader.completeOne('read');
  assert.deepEqual(reader.delivered, [[1, 'old']]);
  assert.equal(reader.pendingCount('write'), 1);
  reader.storage.run();
  assert.equal(reader.read(fresh, 2), 'new', 'the old copy did not displace it in the cache');
  reader.assertNoLeak();
});

test('grid: a read of what is being overwritten waits for the write', () => {
  const { reader, references } = pair('old');
  const [old] = references as [Reference];
  reader.fill(reader.grid.createBlockAt(1, BLOCK_TYPE.log, 9), 'new');
  assert.equal(reader.read(old, 1), null);
  assert.equal(reader.pendingCount('read'), 0);
  reader.completeOne('write');
  assert.equal(reader.pendingCount('read'), 1);
  reader.storage.run();
  assert.deepEqual(reader.events, ['repair wanted'], 'gone from this disk');
});

// --- Serving ---

function serve(h: Harness, reference: Reference, token: number): string {
  h.grid.serveBlock(reference.address, reference.checksum, 0, token);
  h.storage.run();
  return h.events.at(-1) ?? '';
}

test('grid: serves intact copies of exactly the block asked for', () => {
  const { writer, reader, references } = pair('a', 'b');
  const [a, b] = references as [Reference, Reference];
  assert.equal(serve(writer, a, 1), 'served 1 a');
  assert.equal(serve(reader, a, 2), 'served 2 a');
  assert.equal(serve(reader, { ...a, checksum: b.checksum }, 3), 'served 3 nothing');
  assert.equal(serve(reader, { ...a, address: 0 }, 4), 'served 4 nothing');
  assert.equal(serve(reader, { ...a, address: Infinity }, 5), 'served 5 nothing');
  assert.equal(serve(reader, { ...a, address: 101 }, 6), 'served 6 nothing');
  reader.flip(b, 300);
  assert.equal(serve(reader, b, 7), 'served 7 nothing');
  assert.equal(reader.grid.missingCount, 0, 'what a peer asks for is not our want');
});

test('grid: peers cannot take the reads of a commit', () => {
  const contents = Array.from({ length: 12 }, (_, i) => `block ${i}`);
  const { reader, references } = pair(...contents);
  for (const { address, checksum } of references.slice(0, 10)) {
    reader.grid.serveBlock(address, checksum, 0, 0);
  }
  assert.equal(reader.events.filter((event) => event.endsWith('nothing')).length, 6, 'busy');
  reader.read(references[11] as Reference, 1);
  assert.equal(reader.pendingCount('read'), 5);
});

// --- State sync ---

test('grid: wants verify the disk, fetch what is not there, and are done once durable', () => {
  const { writer, reader, references } = pair('a', 'b', 'c');
  const [a, b, c] = references as [Reference, Reference, Reference];
  reader.flip(b, 300);
  reader.read(a, 1);
  reader.storage.run();
  reader.events.length = 0;
  for (const reference of references) reader.want(reference);
  assert.ok(reader.grid.wantCount > 0);
  assert.equal(reader.pendingCount('read'), 3, 'a is cached, but it is the disk that counts');
  reader.storage.run();
  assert.deepEqual(reader.events, ['repair wanted']);
  reader.repairFrom(writer);
  assert.equal(reader.grid.missingCount, 0);
  reader.completeOne('write');
  assert.ok(reader.grid.wantCount > 0, 'written, but not durable');
  assert.deepEqual(reader.events, ['repair wanted']);
  reader.completeOne('sync');
  assert.equal(reader.grid.wantCount, 0);
  assert.deepEqual(reader.events, ['repair wanted', 'wants done']);
  reader.storage.crash(new Prng([1, 2, 3, 4]), ['old']);
  const cold = reader.reopen();
  for (const reference of [a, b, c]) cold.want(reference);
  cold.storage.run();
  assert.deepEqual(cold.events, ['wants done']);
});

test('grid: a want is satisfied by what a reader fetched meanwhile', () => {
  const { writer, reader, references } = pair('a');
  const [a] = references as [Reference];
  reader.flip(a, 300);
  reader.read(a, 1);
  reader.storage.run();
  reader.want(a);
  reader.repairFrom(writer);
  assert.deepEqual(reader.delivered, [[1, 'a']]);
  assert.equal(reader.pendingCount('write'), 0, 'the want is reading this address');
  reader.completeOne('read');
  assert.equal(reader.grid.missingCount, 0);
  assert.equal(reader.pendingCount('write'), 1);
  assert.equal(reader.pendingCount('sync'), 0);
  reader.storage.run();
  assert.deepEqual(reader.events, ['repair wanted', 'read 1', 'wants done']);
});

test('grid: many wants, few reads at a time', () => {
  const contents = Array.from({ length: 60 }, (_, i) => `block ${i}`);
  const { writer, reader, references } = pair(...contents.slice(0, 32));
  references.forEach((reference, i) => {
    if (i % 3 === 0) reader.flip(reference, 300);
    reader.want(reference);
  });
  assert.equal(reader.pendingCount('read'), 4);
  reader.storage.run();
  let asked = 0;
  while (reader.grid.missingCount > 0) {
    asked += reader.repairFrom(writer).length;
    if (asked % 8 === 0) reader.storage.run();
  }
  reader.storage.run();
  assert.equal(asked, 11);
  assert.deepEqual(reader.events, ['repair wanted', 'wants done']);
  reader.assertNoLeak();
});

test('grid: a block freed by a checkpoint, or written again, is wanted no more', () => {
  const { reader, references } = pair('a', 'b', 'c');
  for (const reference of references) reader.flip(reference, 300);
  for (const reference of references) reader.want(reference);
  reader.storage.run();
  assert.equal(reader.grid.missingCount, 3);
  reader.grid.freeSet.release(1);
  assert.equal(reader.grid.missingCount, 3, 'the checkpoint we would resume from needs it still');
  reader.grid.checkpointCut();
  assert.equal(reader.grid.missingCount, 2);
  reader.fill(reader.grid.createBlockAt(2, BLOCK_TYPE.log, 5), 'other');
  assert.equal(reader.grid.missingCount, 1);
  reader.grid.freeSet.markDurable();
  reader.grid.freeSet.release(3);
  reader.grid.checkpointCut();
  assert.equal(reader.grid.missingCount, 0);
  assert.deepEqual(reader.events, ['repair wanted']);
  reader.storage.run();
  assert.deepEqual(reader.events, ['repair wanted', 'wants done']);
});

test('grid: a read whose block is freed under it ends', () => {
  const { writer, reader, references } = pair('a', 'b');
  const [a, b] = references as [Reference, Reference];
  reader.flip(a, 300);
  reader.flip(b, 300);
  reader.read(a, 1);
  reader.read(b, 2);
  reader.storage.run();
  reader.grid.freeSet.release(1);
  reader.grid.checkpointCut();
  assert.equal(reader.grid.missingCount, 2);
  reader.grid.markCheckpointDurable();
  assert.deepEqual(reader.events, ['repair wanted', 'lost 1']);
  assert.equal(reader.grid.missingCount, 1);
  assert.throws(() => reader.read(a, 3), /free block/);
  reader.repairFrom(writer);
  assert.deepEqual(reader.delivered, [[2, 'b']]);
});

test('grid: reset forgets readers and wants, but no write and no peer', () => {
  const { writer, reader, references } = pair('a', 'b', 'c');
  const [a, b, c] = references as [Reference, Reference, Reference];
  reader.flip(b, 300);
  reader.read(b, 1);
  reader.want(c);
  reader.storage.run();
  reader.events.length = 0;
  const own = reader.write('own');
  reader.grid.flush();
  reader.read(a, 2);
  reader.want(b);
  reader.grid.serveBlock(c.address, c.checksum, 0, 3);
  reader.grid.reset();
  assert.equal(reader.grid.missingCount, 0);
  assert.equal(reader.grid.wantCount, 0);
  assert.equal(reader.grid.readsAvailable(), GRID_READS_MAX);
  assert.equal(reader.read(c, 4), null, 'a new read while the old ones are in flight');
  reader.storage.run();
  assert.deepEqual(reader.events, ['served 3 c', 'read 4', 'flushed']);
  assert.equal(reader.read(own, 5), 'own');
  assert.equal(writer.read(a, 1), 'a');
  reader.assertNoLeak();
});

// --- All together ---

test('grid: any order of completion, any damage: readers get what was written', () => {
  const step = fc.record({
    kind: fc.constantFrom('write', 'read', 'read', 'complete', 'complete', 'complete', 'complete',
      'damage', 'repair', 'want', 'flush', 'cut'),
    n: fc.nat(),
  });
  const run = fc.property(fc.array(step, { minLength: 50, maxLength: 300, size: 'max' }), (steps) => {
    const h = new Harness();
    const peer = new Harness(); // Holds every block, intact: what the quorum would.
    const live: Reference[] = [];
    const expected = new Map<number, string>();
    const contents = new Map<string, string>();
    let token = 0;
    let op = 0;
    let flushing = false;
    let cut = false;
    for (const { kind, n } of steps) {
      op++;
      const target = live.length === 0 ? null : (live[n % live.length] as Reference);
      if (kind === 'write') {
        if (!h.grid.canWrite() || h.grid.freeSet.freeCount === 0) continue;
        const size = HEADER_SIZE + 1 + (n % (CONFIG.blockSize - HEADER_SIZE));
        const content = `op ${op}`.padEnd(size - HEADER_SIZE, '.').slice(0, size - HEADER_SIZE);
        const reference = h.write(content, op);
        peer.write(content, op);
        peer.storage.run();
        live.push(reference);
        contents.set(keyOf(reference), content);
      } else if (kind === 'read' && target !== null && h.grid.readsAvailable() > 0) {
        const block = h.read(target, ++token);
        const content = contents.get(keyOf(target)) as string;
        if (block === null) expected.set(token, content);
        else assert.equal(block, content);
      } else if (kind === 'complete' && h.storage.pending.length > 0) {
        h.storage.complete(n % h.storage.pending.length);
      } else if (kind === 'damage' && target !== null) {
        h.flip(target, n % 4096);
      } else if (kind === 'repair') {
        h.repairFrom(peer);
      } else if (kind === 'want' && target !== null) {
        h.want(target);
      } else if (kind === 'flush' && !flushing) {
        h.grid.flush();
        flushing = true;
      } else if (kind === 'cut' && !cut && live.length > 3) {
        const gone = live.splice(n % live.length, 1)[0] as Reference;
        h.grid.freeSet.release(gone.address);
        peer.grid.freeSet.release(gone.address);
        h.grid.checkpointCut();
        peer.grid.checkpointCut();
        cut = true;
      } else if (kind === 'cut' && cut) {
        h.grid.markCheckpointDurable();
        peer.grid.markCheckpointDurable();
        cut = false;
      }
      if (h.events.includes('flushed')) {
        flushing = false;
        h.events.length = 0;
      }
    }
    for (let round = 0; round < 100; round++) {
      h.storage.run();
      if (h.grid.missingCount === 0) break;
      h.repairFrom(peer);
    }
    assert.equal(h.grid.readsAvailable(), GRID_READS_MAX);
    assert.equal(h.grid.wantCount, 0);
    assert.equal(h.delivered.length + h.lost.length, expected.size, 'each read ends, once');
    for (const [read, content] of h.delivered) {
      assert.equal(content, expected.get(read));
      expected.delete(read);
    }
    assert.deepEqual([...expected.keys()].sort(), h.lost.sort());
    h.assertNoLeak();
  });
  fc.assert(run, { numRuns: 60 });
});
