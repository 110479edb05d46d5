/**
 * Where the events of a stream are: for each log block that has any of them, one entry (first
 * offset, ordinal of the block, position of the first run there). Entries of a stream only grow, so
 * its index is the right edge of a tree: the last entries of each level are in memory; when a
 * level is full its entries become a node, a run in the log itself, and one entry of the level
 * above names that node.
 *
 * Memory is bounded by streams x levels x fanout x 16 bytes, however long the streams are. Within
 * a block the runs of a stream are found by walking.
 */
import { assert } from '../assert.ts';
import { copyWords, readU64, regionOf, writeU64, type Region } from '../message/region.ts';

/** Byte offsets in an entry. */
export const INDEX_ENTRY = { offset: 0, ordinal: 8, position: 12, size: 16 } as const;

/** Levels of one stream: fanout 8 reaches 8^8 blocks. */
export const INDEX_LEVELS_MAX = 8;

/** The last entries of one level. */
interface Level {
  readonly entries: Region;
  count: number;
}

/** Where to look for an offset. */
export interface IndexHit {
  /** 0: a run of events. Above: a node whose entries are of `level - 1`. */
  level: number;
  ordinal: number;
  /** Byte offset of the run in the block message. */
  position: number;
}

export class StreamIndex {
  readonly fanout: number;
  /** By stream slot, then level. */
  private readonly streams: Level[][] = [];

  constructor(fanout: number) {
    assert(fanout >= 2, 'stream index: fanout', fanout);
    this.fanout = fanout;
  }

  /** Ordinal of the block of the stream's last entry; -1 without any. */
  lastOrdinal(slot: number): number {
    const level = this.streams[slot]?.[0];
    if (level === undefined || level.count === 0) return -1;
    const at = (level.count - 1) * INDEX_ENTRY.size;
    return level.entries.fields.getUint32(at + INDEX_ENTRY.ordinal, true);
  }

  /** True when `push` has no room before `flush`. */
  isFull(slot: number, level: number): boolean {
    const tail = this.streams[slot]?.[level];
    return tail !== undefined && tail.count === this.fanout;
  }

  push(slot: number, level: number, offset: number, ordinal: number, position: number): void {
    const tail = this.levelOf(slot, level);
    assert(tail.count < this.fanout, 'stream index: push into a full level', slot, level);
    const at = tail.count * INDEX_ENTRY.size;
    writeU64(tail.entries, at + INDEX_ENTRY.offset, offset);
    tail.entries.fields.setUint32(at + INDEX_ENTRY.ordinal, ordinal, true);
    tail.entries.fields.setUint32(at + INDEX_ENTRY.position, position, true);
    tail.count++;
  }

  /** Offset of the first entry of a level. */
  firstOffset(slot: number, level: number): number {
    return readU64(this.levelOf(slot, level).entries, INDEX_ENTRY.offset);
  }

  /** Moves the entries of a full level to `target`: a node. The next `push` is its first entry. */
  flush(slot: number, level: number, target: Region, at: number): void {
    const tail = this.levelOf(slot, level);
    assert(tail.count === this.fanout, 'stream index: flush of a level with room', slot, level);
    copyWords(tail.entries, 0, target, at, tail.count * INDEX_ENTRY.size);
    tail.count = 0;
  }

  /** Looks in memory: the lowest level that reaches back to `offset`. False: no event has it. */
  find(slot: number, offset: number, hit: IndexHit): boolean {
    const levels = this.streams[slot];
    if (levels === undefined) return false;
    for (let n = 0; n < levels.length; n++) {
      const { entries, count } = levels[n] as Level;
      if (count > 0 && readU64(entries, INDEX_ENTRY.offset) <= offset) {
        findInEntries(entries, 0, count, offset, hit);
        hit.level = n;
        return true;
      }
    }
    return false;
  }

  // --- Encoding: for each stream, for each level, its count and entries ---

  encodedSize(): number {
    let size = 4;
    for (const levels of this.streams) {
      size += 4;
      for (const level of levels) size += 4 + level.count * INDEX_ENTRY.size;
    }
    return size;
  }

  /** Upper bound of `encodedSize`. */
  static encodedSizeMax(streamsMax: number, fanout: number, blocksMax: number): number {
    let levels = 1;
    for (let reach = fanout; reach < blocksMax; reach *= fanout) levels++;
    return 4 + streamsMax * (4 + (levels + 1) * (4 + fanout * INDEX_ENTRY.size));
  }

  /** Returns the end. */
  encode(target: Region, at: number): number {
    const { fields } = target;
    fields.setUint32(at, this.streams.length, true);
    let next = at + 4;
    for (const levels of this.streams) {
      fields.setUint32(next, levels.length, true);
      next += 4;
      for (const level of levels) {
        const size = level.count * INDEX_ENTRY.size;
        fields.setUint32(next, level.count, true);
        copyWords(level.entries, 0, target, next + 4, size);
        next += 4 + size;
      }
    }
    return next;
  }

  /** Returns the first broken rule, or null. */
  decode(source: Region, at: number, length: number): string | null {
    this.reset();
    const { fields } = source;
    const end = at + length;
    if (length < 4) return 'stream index: cut short';
    const streamCount = fields.getUint32(at, true);
    let next = at + 4;
    for (let slot = 0; slot < streamCount; slot++) {
      if (next + 4 > end) return 'stream index: cut short';
      const levelCount = fields.getUint32(next, true);
      if (levelCount > INDEX_LEVELS_MAX) return 'stream index: too many levels';
      next += 4;
      const levels: Level[] = [];
      this.streams.push(levels);
      for (let n = 0; n < levelCount; n++) {
        if (next + 4 > end) return 'stream index: cut short';
        const count = fields.getUint32(next, true);
        const size = count * INDEX_ENTRY.size;
        if (count > this.fanout || next + 4 + size > end) return 'stream index: entry count';
        const level = this.newLevel();
        copyWords(source, next + 4, level.entries, 0, size);
        level.count = count;
        levels.push(level);
        next += 4 + size;
      }
    }
    return next === end ? null : 'stream index: bytes after the last stream';
  }

  reset(): void {
    this.streams.length = 0;
  }

  private levelOf(slot: number, level: number): Level {
    while (this.streams.length <= slot) this.streams.push([]);
    const levels = this.streams[slot] as Level[];
    assert(level < INDEX_LEVELS_MAX, 'stream index: level', level);
    while (levels.length <= level) levels.push(this.newLevel());
    return levels[level] as Level;
  }

  private newLevel(): Level {
    return { entries: regionOf(new Uint8Array(this.fanout * INDEX_ENTRY.size)), count: 0 };
  }
}

/** Sets ordinal and position of the last of `count` entries at `at` whose offset is not above. */
export function findInEntries(
  region: Region,
  at: number,
  count: number,
  offset: number,
  hit: IndexHit,
): void {
  let low = 0; // The first entry is not above: that is how the caller chose these.
  let high = count - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (readU64(region, at + middle * INDEX_ENTRY.size + INDEX_ENTRY.offset) <= offset) low = middle;
    else high = middle - 1;
  }
  const entry = at + low * INDEX_ENTRY.size;
  hit.ordinal = region.fields.getUint32(entry + INDEX_ENTRY.ordinal, true);
  hit.position = region.fields.getUint32(entry + INDEX_ENTRY.position, true);
}
