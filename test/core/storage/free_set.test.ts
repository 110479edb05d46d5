import assert from 'node:assert/strict';
import { test } from 'node:test';
import { regionOf, type Region } from '../../../core/message/region.ts';
import { FreeSet } from '../../../core/storage/free_set.ts';
import { fc } from '../../fixed_seed.ts';

const opened = (blocks: number): FreeSet => {
  const set = new FreeSet(blocks);
  set.openEmpty();
  return set;
};
const buffer = (set: FreeSet): Region => regionOf(new Uint8Array(set.encodedSize));

test('free set: lowest address first, 0 when full', () => {
  const set = opened(33);
  for (let address = 1; address <= 33; address++) assert.equal(set.acquire(), address);
  assert.equal(set.freeCount, 0);
  assert.equal(set.acquire(), 0);
  assert.equal(set.acquire(), 0);
  assert.equal(set.highestAcquired(), 33);
});

test('free set: a released block is reused only after the checkpoint that dropped it is durable', () => {
  const set = opened(8);
  for (let i = 0; i < 4; i++) set.acquire();
  set.release(2);
  assert.equal(set.acquire(), 5, 'released, but the last checkpoint may need it');
  set.checkpointCut();
  assert.equal(set.acquire(), 6, 'cut, but not durable');
  set.release(3); // After the cut: the checkpoint cut now refers to it.
  set.markDurable();
  assert.equal(set.acquire(), 2);
  assert.equal(set.acquire(), 7, '3 waits for the next checkpoint');
  set.checkpointCut();
  set.markDurable();
  assert.equal(set.acquire(), 3);
  assert.equal(set.acquire(), 8);
  assert.equal(set.acquire(), 0);
});

test('free set: misuse is caught', () => {
  const set = opened(8);
  assert.throws(() => set.release(1), /free block/);
  set.acquire();
  set.release(1);
  assert.throws(() => set.release(1), /twice/);
  assert.throws(() => set.encodeAcquired(buffer(set), 0), /outside a cut/);
  set.checkpointCut();
  assert.throws(() => set.release(1), /twice/);
  assert.throws(() => set.checkpointCut(), /not durable/);
  assert.throws(() => new FreeSet(8).acquire(), /before open/);
  assert.throws(() => set.isAcquired(9), /address/);
  set.markDurable();
  set.markDurable(); // Again, and on a fresh cluster, it does nothing.
  assert.equal(set.acquiredCount, 0);
});

test('free set: decode refuses what encode never writes', () => {
  const set = opened(40);
  const acquired = buffer(set);
  const released = buffer(set);
  const attempt = (): string | null => set.decode(acquired, 0, released, 0);
  assert.equal(attempt(), null);
  released.words[0] = 1;
  assert.match(attempt() ?? '', /free block is released/);
  assert.equal(set.opened, false);
  acquired.words[0] = 1;
  assert.equal(attempt(), null);
  acquired.words[1] = 1 << 8; // Address 41.
  assert.match(attempt() ?? '', /past the grid/);
  assert.match(set.decode(acquired, 4, released, 0) ?? '', /too short/);
});

/** The rules of the free set, said with plain sets. */
class Model {
  readonly acquired = new Set<number>();
  now = new Set<number>();
  cut = new Set<number>();
  pending = false;
  readonly blocks: number;
  constructor(blocks: number) {
    this.blocks = blocks;
  }
  acquire(): number {
    for (let address = 1; address <= this.blocks; address++) {
      if (this.acquired.has(address)) continue;
      this.acquired.add(address);
      return address;
    }
    return 0;
  }
  inUse(): number[] {
    return [...this.acquired].filter((a) => !this.now.has(a) && !this.cut.has(a));
  }
  durable(): void {
    for (const address of this.cut) this.acquired.delete(address);
    this.cut = new Set();
    this.pending = false;
  }
}

test('free set: agrees with a naive model', () => {
  const command = fc.oneof(
    { weight: 6, arbitrary: fc.constant({ kind: 'acquire' as const, n: 0 }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('release' as const), n: fc.nat() }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'cut' as const, n: 0 }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'durable' as const, n: 0 }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'reopen' as const, n: 0 }) },
  );
  const size = fc.integer({ min: 1, max: 100 });
  const list = fc.array(command, { maxLength: 300, size: 'max' });
  const runs = fc.property(size, list, (blocks, commands) => {
    let set = opened(blocks);
    const model = new Model(blocks);
    for (const { kind, n } of commands) {
      if (kind === 'acquire') {
        assert.equal(set.acquire(), model.acquire());
      } else if (kind === 'release') {
        const candidates = model.inUse();
        if (candidates.length === 0) continue;
        const address = candidates[n % candidates.length] as number;
        set.release(address);
        model.now.add(address);
      } else if (kind === 'cut') {
        if (model.pending) continue;
        set.checkpointCut();
        model.cut = model.now;
        model.now = new Set();
        model.pending = true;
      } else if (kind === 'durable') {
        set.markDurable();
        model.durable();
      } else if (model.pending && model.now.size === 0) {
        // A checkpoint reopened: the same set, byte for byte.
        const bytes = [buffer(set), buffer(set), buffer(set), buffer(set)] as const;
        set.encodeAcquired(bytes[0], 0);
        set.encodeReleased(bytes[1], 0);
        set = new FreeSet(blocks);
        assert.equal(set.decode(bytes[0], 0, bytes[1], 0), null);
        set.encodeAcquired(bytes[2], 0);
        set.encodeReleased(bytes[3], 0);
        assert.deepEqual(bytes[2].bytes, bytes[0].bytes);
        assert.deepEqual(bytes[3].bytes, bytes[1].bytes);
      }
      assert.equal(set.acquiredCount, model.acquired.size);
      assert.equal(set.freeCount, blocks - model.acquired.size);
      assert.equal(set.releasedCutCount, model.cut.size);
      assert.equal(set.releasedNowCount, model.now.size);
      assert.equal(set.highestAcquired(), Math.max(0, ...model.acquired));
    }
    for (let address = 1; address <= blocks; address++) {
      assert.equal(set.isAcquired(address), model.acquired.has(address));
      assert.equal(set.isReleased(address), model.now.has(address) || model.cut.has(address));
    }
  });
  fc.assert(runs, { numRuns: 200 });
});
