/**
 * Blocks in memory: set-associative, so that a lookup compares four addresses and nothing is
 * allocated; within a set the clock algorithm chooses whom to evict. An entry is only a copy:
 * whoever looks one up also says which checksum he expects.
 */
import { AT } from '../message/header.ts';
import { type Message } from '../message/pool.ts';
import { equalWords, readU64, type Region } from '../message/region.ts';
import { defineProbe } from '../probe.ts';

const WAYS = 4;
const BYTES_BUDGET = 8 << 20;

const evicted = defineProbe('grid: block evicted from cache');

/** Blocks that fit the budget, at least 16 and at most 64: a multiple of the ways. */
export function cacheBlocks(blockSize: number): number {
  const blocks = Math.floor(BYTES_BUDGET / blockSize);
  return Math.min(64, Math.max(16, blocks - (blocks % WAYS)));
}

export class BlockCache {
  private readonly sets: number;
  /** 0: no entry. */
  private readonly addresses: Uint32Array;
  private readonly blocks: (Message | null)[] = [];
  /** Used since the hand passed. */
  private readonly used: Uint8Array;
  private readonly hands: Uint8Array;

  constructor(blockCount: number) {
    this.sets = blockCount / WAYS;
    this.addresses = new Uint32Array(blockCount);
    this.used = new Uint8Array(blockCount);
    this.hands = new Uint8Array(this.sets);
    for (let i = 0; i < blockCount; i++) this.blocks.push(null);
  }

  /** Borrowed; null when the block is not here or is another version than expected. */
  get(address: number, checksum: Region, checksumAt: number): Message | null {
    const i = this.find(address);
    if (i === -1) return null;
    const block = this.blocks[i] as Message;
    if (!equalWords(block, AT.checksum, checksum, checksumAt, 32)) return null;
    this.used[i] = 1;
    return block;
  }

  /** Op at which the version that is here was made; -1 when there is none. */
  snapshotOf(address: number): number {
    const i = this.find(address);
    return i === -1 ? -1 : readU64(this.blocks[i] as Message, AT.blockSnapshot);
  }

  /** Takes a reference; replaces another version of the same address. */
  put(address: number, block: Message): void {
    let i = this.find(address);
    if (i === -1) i = this.victim(address % this.sets);
    block.ref();
    this.blocks[i]?.unref();
    this.blocks[i] = block;
    this.addresses[i] = address;
    this.used[i] = 1;
  }

  private find(address: number): number {
    const first = (address % this.sets) * WAYS;
    for (let i = first; i < first + WAYS; i++) if (this.addresses[i] === address) return i;
    return -1;
  }

  private victim(set: number): number {
    const first = set * WAYS;
    for (let i = first; i < first + WAYS; i++) if (this.addresses[i] === 0) return i;
    evicted.hits++;
    let way = this.hands[set] as number;
    while (this.used[first + way] !== 0) { // At most one round: it clears as it goes.
      this.used[first + way] = 0;
      way = (way + 1) % WAYS;
    }
    this.hands[set] = (way + 1) % WAYS;
    return first + way;
  }
}
