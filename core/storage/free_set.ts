/**
 * Which blocks of the grid are in use, as bitsets over addresses 1..blockCount.
 *
 * Allocation is a pure function of the set (always the lowest free address), so replicas that
 * execute the same ops use the same addresses, whatever the timing of their I/O.
 *
 * A released block stays acquired until a checkpoint that no longer refers to it is durable on a
 * quorum (vsr 9.5): another replica may still have to fetch it, and a crash may bring us back to
 * the checkpoint that needs it.
 *
 *     free ─acquire─► acquired ─release─► releasedNow ─checkpointCut─► releasedCut ─markDurable─► free
 */
import { assert } from '../assert.ts';
import { type Region } from '../message/region.ts';

export class FreeSet {
  readonly blockCount: number;
  /** Bytes of one encoded bitset: fixed, so a trailer can be allocated before it is encoded. */
  readonly encodedSize: number;
  /** Blocks in use, those released but not yet reusable included. */
  acquiredCount = 0;
  /** Released after the last cut: needed by the checkpoint that was cut last. */
  releasedNowCount = 0;
  /** Released before the last cut: free once that checkpoint is durable. */
  releasedCutCount = 0;
  /** False until `decode` or `openEmpty`; and again after `reset`. */
  opened = false;
  /** A checkpoint was cut (or opened) and is not marked durable yet. */
  cutPending = false;
  private readonly acquired: Uint32Array;
  private readonly releasedNow: Uint32Array;
  private readonly releasedCut: Uint32Array;
  /** No free bit in words below this one. */
  private firstFreeWord = 0;

  constructor(blockCount: number) {
    assert(blockCount >= 1 && blockCount <= 0x7fff_ffff, 'free set: block count', blockCount);
    const words = Math.ceil(blockCount / 32);
    this.blockCount = blockCount;
    this.encodedSize = words * 4;
    this.acquired = new Uint32Array(words);
    this.releasedNow = new Uint32Array(words);
    this.releasedCut = new Uint32Array(words);
  }

  /** Blocks that `acquire` can still give. The same on all replicas at the same op. */
  get freeCount(): number {
    return this.blockCount - this.acquiredCount;
  }

  /** A fresh cluster: nothing acquired. */
  openEmpty(): void {
    this.reset();
    this.opened = true;
  }

  /** The lowest free address, now acquired; 0 when the grid is full. */
  acquire(): number {
    assert(this.opened, 'free set: acquire before open');
    const words = this.acquired;
    for (let w = this.firstFreeWord; w < words.length; w++) {
      const free = ~(words[w] as number);
      if (free === 0) continue;
      const bit = 31 - Math.clz32(free & -free);
      const address = w * 32 + bit + 1;
      this.firstFreeWord = w;
      if (address > this.blockCount) return 0;
      words[w] = (words[w] as number) | (1 << bit);
      this.acquiredCount++;
      return address;
    }
    this.firstFreeWord = words.length;
    return 0;
  }

  /** The block is not part of the state from here on. It becomes reusable later: see above. */
  release(address: number): void {
    assert(this.isAcquired(address), 'free set: release of a free block', address);
    assert(!this.isReleased(address), 'free set: block released twice', address);
    setBit(this.releasedNow, address);
    this.releasedNowCount++;
  }

  isAcquired(address: number): boolean {
    assert(address >= 1 && address <= this.blockCount, 'free set: address', address);
    return hasBit(this.acquired, address);
  }

  /** Released, but not reusable yet. */
  isReleased(address: number): boolean {
    assert(address >= 1 && address <= this.blockCount, 'free set: address', address);
    return hasBit(this.releasedNow, address) || hasBit(this.releasedCut, address);
  }

  /** Freed by the next `markDurable`. */
  isReleasedCut(address: number): boolean {
    assert(address >= 1 && address <= this.blockCount, 'free set: address', address);
    return hasBit(this.releasedCut, address);
  }

  /**
   * The checkpoint being written refers to none of the blocks released so far. Called once a
   * checkpoint, after the last acquire and release of it (those of the free set's own trailers
   * included) and before encoding. The one before must be marked durable: I > P guarantees it.
   */
  checkpointCut(): void {
    assert(this.opened, 'free set: cut before open');
    assert(!this.cutPending, 'free set: last checkpoint not durable at the next cut');
    assert(this.releasedCutCount === 0, 'free set: released blocks left', this.releasedCutCount);
    this.releasedCut.set(this.releasedNow);
    this.releasedNow.fill(0);
    this.releasedCutCount = this.releasedNowCount;
    this.releasedNowCount = 0;
    this.cutPending = true;
  }

  /**
   * The checkpoint cut last is durable on a quorum: what was released before its cut is free. All
   * replicas call this on executing op trigger(C)+P+1, not when they happen to learn of it.
   * Without a cut (a fresh cluster's checkpoint 0) it does nothing.
   */
  markDurable(): void {
    this.cutPending = false;
    if (this.releasedCutCount === 0) return;
    const { acquired, releasedCut } = this;
    for (let w = 0; w < acquired.length; w++) {
      const freed = releasedCut[w] as number;
      if (freed === 0) continue;
      acquired[w] = (acquired[w] as number) & ~freed;
      releasedCut[w] = 0;
      if (w < this.firstFreeWord) this.firstFreeWord = w;
    }
    this.acquiredCount -= this.releasedCutCount;
    this.releasedCutCount = 0;
  }

  /** Highest address in use, 0 when none: how far into the grid the data file reaches. */
  highestAcquired(): number {
    for (let w = this.acquired.length - 1; w >= 0; w--) {
      const word = this.acquired[w] as number;
      if (word !== 0) return w * 32 + 32 - Math.clz32(word);
    }
    return 0;
  }

  /** Writes `encodedSize` bytes: bit (address - 1), little-endian. Between cut and `markDurable`. */
  encodeAcquired(target: Region, at: number): void {
    assert(this.cutPending && this.releasedNowCount === 0, 'free set: encode outside a cut');
    target.words.set(this.acquired, at >> 2);
  }

  /** As `encodeAcquired`: the blocks that this checkpoint, once durable, sets free. */
  encodeReleased(target: Region, at: number): void {
    assert(this.cutPending && this.releasedNowCount === 0, 'free set: encode outside a cut');
    target.words.set(this.releasedCut, at >> 2);
  }

  /**
   * Becomes the set of an opened checkpoint, which is not yet marked durable. Returns the first
   * broken rule, and then stays closed; or null.
   */
  decode(
    acquired: Region,
    acquiredAt: number,
    released: Region,
    releasedAt: number,
  ): string | null {
    this.reset();
    const words = this.acquired.length;
    const a = acquired.words.subarray(acquiredAt >> 2, (acquiredAt >> 2) + words);
    const r = released.words.subarray(releasedAt >> 2, (releasedAt >> 2) + words);
    if (a.length !== words || r.length !== words) return 'free set: too short';
    const tailBits = this.blockCount % 32;
    const tail = tailBits === 0 ? 0 : (a[words - 1] as number) >>> tailBits;
    if (tail !== 0) return 'free set: past the grid';
    let acquiredCount = 0;
    let releasedCount = 0;
    for (let w = 0; w < words; w++) {
      const stray = (r[w] as number) & ~(a[w] as number);
      if (stray !== 0) return 'free set: a free block is released';
      acquiredCount += popcount(a[w] as number);
      releasedCount += popcount(r[w] as number);
    }
    this.acquired.set(a);
    this.releasedCut.set(r);
    this.acquiredCount = acquiredCount;
    this.releasedCutCount = releasedCount;
    this.cutPending = true;
    this.opened = true;
    return null;
  }

  /** Closed and empty, before another checkpoint is opened. */
  reset(): void {
    this.acquired.fill(0);
    this.releasedNow.fill(0);
    this.releasedCut.fill(0);
    this.acquiredCount = 0;
    this.releasedNowCount = 0;
    this.releasedCutCount = 0;
    this.firstFreeWord = 0;
    this.cutPending = false;
    this.opened = false;
  }
}

function hasBit(words: Uint32Array, address: number): boolean {
  return (((words[(address - 1) >> 5] as number) >>> ((address - 1) & 31)) & 1) !== 0;
}

function setBit(words: Uint32Array, address: number): void {
  const w = (address - 1) >> 5;
  words[w] = (words[w] as number) | (1 << ((address - 1) & 31));
}

function popcount(word: number): number {
  let n = word - ((word >>> 1) & 0x5555_5555);
  n = (n & 0x3333_3333) + ((n >>> 2) & 0x3333_3333);
  return Math.imul((n + (n >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}
