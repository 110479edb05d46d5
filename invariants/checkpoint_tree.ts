/**
 * The blocks under a checkpoint, walked on a true disk: trailers by their links, the manifest's
 * nodes, the log blocks it names. Nothing is believed: a block counts only when its own bytes have
 * the checksum that its parent holds.
 *
 * A walk can leave out log blocks that were seen before on the same disk: what a checkpoint reaches
 * is never overwritten, and the full walk at the end of a run proves that too.
 */
import { bodyValid, headerValid } from '../core/checksum.ts';
import { HEADER_SIZE, type ClusterConfig } from '../core/constants.ts';
import { AT, BLOCK_TYPE, sizeOf } from '../core/message/header.ts';
import { copyWords, equalWords, readU64, regionOf, type Region } from '../core/message/region.ts';
import {
  TRAILER,
  TRAILER_COUNT,
  TRAILER_REF,
  trailerRefAt,
} from '../core/storage/checkpoint_state.ts';
import { blockOffset, type Zones } from '../core/storage/data_file.ts';
import { type TrueDisk } from './invariant.ts';

/** Metadata of a trailer block; see core/storage/trailer.ts. */
const PREVIOUS = { checksum: AT.blockMetadata, address: AT.blockMetadata + 32 } as const;
/** Encoded manifest; see core/storage/log_manifest.ts. */
const MANIFEST = { nodeCount: 4, entryCount: 8, content: 16 } as const;
const ENTRY = { checksum: 0, address: 32, size: 48 } as const;

/** Called for each block in order. `block` is refilled for the next one. */
export interface TreeVisitor {
  /** False: leave this block out (only asked for log blocks and nodes of the manifest). */
  wants(address: number, checksum: Region, checksumAt: number): boolean;
  /** A whole block of `size` bytes with the checksum its parent holds. */
  block(type: number, address: number, block: Region, size: number): void;
  /** The disk does not hold what a parent names. */
  missing(what: string, address: number): void;
}

export class CheckpointTree {
  private readonly config: ClusterConfig;
  private readonly zones: Zones;
  private readonly bodyMax: number;
  private readonly scratch: Region;
  private readonly expected = regionOf(new Uint8Array(32));
  /** Content of the manifest's trailer; grows. */
  private manifest: Region = regionOf(new Uint8Array(4096));
  /** Entries of one node of the manifest. */
  private readonly node: Region;
  /** Blocks named by the last walk. */
  blocks = 0;

  constructor(config: ClusterConfig, zones: Zones) {
    this.config = config;
    this.zones = zones;
    this.bodyMax = config.blockSize - HEADER_SIZE;
    this.scratch = regionOf(new Uint8Array(config.blockSize));
    this.node = regionOf(new Uint8Array(config.blockSize));
  }

  /** `state`: a CheckpointState at `stateAt`. False when some block is missing. */
  walk(disk: TrueDisk, state: Region, stateAt: number, visitor: TreeVisitor): boolean {
    this.blocks = 0;
    let whole = true;
    for (let kind = 0; kind < TRAILER_COUNT; kind++) {
      const ref = stateAt + trailerRefAt(kind);
      if (!this.walkTrailer(disk, state, ref, kind, visitor)) whole = false;
    }
    if (!whole) return false;
    const size = readU64(state, stateAt + trailerRefAt(TRAILER.manifest) + TRAILER_REF.size);
    return size === 0 || this.walkManifest(disk, visitor);
  }

  private walkTrailer(
    disk: TrueDisk,
    state: Region,
    ref: number,
    kind: number,
    visitor: TreeVisitor,
  ): boolean {
    const size = readU64(state, ref + TRAILER_REF.size);
    let address = readU64(state, ref + TRAILER_REF.lastBlockAddress);
    copyWords(state, ref + TRAILER_REF.lastBlockChecksum, this.expected, 0, 32);
    if (kind === TRAILER.manifest && size > this.manifest.bytes.length) {
      this.manifest = regionOf(new Uint8Array(Math.ceil(size / 4096) * 8192));
    }
    for (let i = Math.ceil(size / this.bodyMax) - 1; i >= 0; i--) {
      if (!this.read(disk, address, this.expected, 0)) {
        visitor.missing(`block ${i} of trailer ${kind}`, address);
        return false;
      }
      const block = this.scratch;
      const blockSize = sizeOf(block);
      visitor.block(BLOCK_TYPE.trailer, address, block, blockSize);
      if (kind === TRAILER.manifest) {
        const body = block.bytes.subarray(HEADER_SIZE, blockSize);
        this.manifest.bytes.set(body, i * this.bodyMax);
      }
      address = readU64(block, PREVIOUS.address);
      copyWords(block, PREVIOUS.checksum, this.expected, 0, 32);
    }
    return true;
  }

  private walkManifest(disk: TrueDisk, visitor: TreeVisitor): boolean {
    const { manifest } = this;
    const entriesPerNode = Math.floor(this.bodyMax / ENTRY.size);
    const nodeCount = manifest.fields.getUint32(MANIFEST.nodeCount, true);
    const entryCount = readU64(manifest, MANIFEST.entryCount);
    let whole = true;
    for (let n = 0; n < nodeCount; n++) {
      const at = MANIFEST.content + n * ENTRY.size;
      const address = readU64(manifest, at + ENTRY.address);
      if (!this.read(disk, address, manifest, at)) {
        visitor.missing(`node ${n} of the log manifest`, address);
        whole = false;
        continue;
      }
      visitor.block(BLOCK_TYPE.manifest, address, this.scratch, sizeOf(this.scratch));
      this.node.bytes.set(this.scratch.bytes);
      for (let i = 0; i < entriesPerNode; i++) {
        const entryAt = HEADER_SIZE + i * ENTRY.size;
        if (!this.logBlock(disk, this.node, entryAt, n * entriesPerNode + i, visitor)) whole = false;
      }
    }
    const tailAt = MANIFEST.content + nodeCount * ENTRY.size;
    for (let i = nodeCount * entriesPerNode; i < entryCount; i++) {
      const entryAt = tailAt + (i - nodeCount * entriesPerNode) * ENTRY.size;
      if (!this.logBlock(disk, manifest, entryAt, i, visitor)) whole = false;
    }
    return whole;
  }

  private logBlock(
    disk: TrueDisk,
    entries: Region,
    at: number,
    ordinal: number,
    visitor: TreeVisitor,
  ): boolean {
    const address = readU64(entries, at + ENTRY.address);
    this.blocks++;
    if (!visitor.wants(address, entries, at)) return true;
    if (!this.read(disk, address, entries, at)) {
      visitor.missing(`log block ${ordinal}`, address);
      return false;
    }
    visitor.block(BLOCK_TYPE.log, address, this.scratch, sizeOf(this.scratch));
    return true;
  }

  /** True when the disk holds, at `address`, a whole block with this checksum; it is in `scratch`. */
  private read(disk: TrueDisk, address: number, checksum: Region, checksumAt: number): boolean {
    this.blocks++;
    if (!(address >= 1 && address <= this.config.gridBlocks)) return false;
    const { scratch } = this;
    disk.readTrue(blockOffset(this.zones, this.config, address), scratch.bytes);
    const algorithm = this.config.checksumAlgorithm;
    return (
      equalWords(scratch, AT.checksum, checksum, checksumAt, 32) &&
      headerValid(algorithm, scratch) &&
      bodyValid(algorithm, scratch)
    );
  }
}
