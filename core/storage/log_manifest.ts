/**
 * The log blocks in order: ordinal -> (address, checksum, op of the last record). Append-only.
 *
 * Full stretches of entries are sealed into node blocks, each written once; a checkpoint holds the
 * references of the nodes and the open tail of entries, so its size does not grow with the log.
 * In memory 48 bytes a log block, at most 48 x gridBlocks (1/10,000 of the log with 512 KiB blocks).
 */
import { assert, ReplicaFatal } from '../assert.ts';
import { HEADER_SIZE, type ClusterConfig } from '../constants.ts';
import { AT, BLOCK_TYPE, sizeOf } from '../message/header.ts';
import { type Message } from '../message/pool.ts';
import { copyWords, readU64, regionOf, writeU64, type Region } from '../message/region.ts';
import { type Grid } from './grid.ts';

/** Byte offsets in an entry. */
export const MANIFEST_ENTRY = { checksum: 0, address: 32, opLast: 40, size: 48 } as const;
/** A node's reference has the same form: checksum, address, and the op of its last entry. */
const NODE_REF = MANIFEST_ENTRY;

/** Of the encoded tail. */
const TAIL = { version: 0, nodeCount: 4, entryCount: 8, content: 16 } as const;
const TAIL_VERSION = 1;

export class LogManifest {
  readonly entriesPerNode: number;
  private readonly entriesMax: number;
  private readonly grid: Grid;
  private entries: Region = regionOf(new Uint8Array(64 * MANIFEST_ENTRY.size));
  private nodes: Region = regionOf(new Uint8Array(4 * NODE_REF.size));
  nodeCount = 0;
  /** Log blocks: the ordinal that the next one gets. */
  count = 0;
  /** While opening: the node being read. */
  private loading = 0;
  private loadToken = 0;

  constructor(config: ClusterConfig, grid: Grid) {
    this.entriesPerNode = entriesPerNode(config);
    this.entriesMax = config.gridBlocks;
    this.grid = grid;
  }

  addressOf(ordinal: number): number {
    return readU64(this.entries, this.entryAt(ordinal) + MANIFEST_ENTRY.address);
  }

  opLastOf(ordinal: number): number {
    return readU64(this.entries, this.entryAt(ordinal) + MANIFEST_ENTRY.opLast);
  }

  /** Starts a read of the log block, as `Grid.read`. */
  read(ordinal: number, token: number): Message | null {
    return this.grid.read(
      this.addressOf(ordinal),
      this.entries,
      this.entryAt(ordinal) + MANIFEST_ENTRY.checksum,
      token,
    );
  }

  /** The block is sealed: its checksum is final. */
  add(block: Message, opLast: number): void {
    assert(this.count < this.entriesMax, 'manifest: more blocks than the grid has', this.count);
    this.entries = grown(this.entries, (this.count + 1) * MANIFEST_ENTRY.size);
    const at = this.count * MANIFEST_ENTRY.size;
    copyWords(block, AT.checksum, this.entries, at + MANIFEST_ENTRY.checksum, 32);
    writeU64(this.entries, at + MANIFEST_ENTRY.address, readU64(block, AT.blockAddress));
    writeU64(this.entries, at + MANIFEST_ENTRY.opLast, opLast);
    this.count++;
  }

  /** Writes a node for every full stretch of entries that has none. At a checkpoint. */
  sealNodes(snapshotOp: number): void {
    while (this.count - this.nodeCount * this.entriesPerNode >= this.entriesPerNode) {
      const first = this.nodeCount * this.entriesPerNode;
      const size = this.entriesPerNode * MANIFEST_ENTRY.size;
      const block = this.grid.createBlock(BLOCK_TYPE.manifest, snapshotOp);
      const start = first * MANIFEST_ENTRY.size;
      block.bytes.set(this.entries.bytes.subarray(start, start + size), HEADER_SIZE);
      writeU64(block, AT.blockMetadata, this.nodeCount);
      this.grid.writeBlock(block, HEADER_SIZE + size);
      this.nodes = grown(this.nodes, (this.nodeCount + 1) * NODE_REF.size);
      const at = this.nodeCount * NODE_REF.size;
      copyWords(block, AT.checksum, this.nodes, at + NODE_REF.checksum, 32);
      writeU64(this.nodes, at + NODE_REF.address, readU64(block, AT.blockAddress));
      writeU64(this.nodes, at + NODE_REF.opLast, snapshotOp);
      this.nodeCount++;
      block.unref();
    }
  }

  // --- Encoding: references of the nodes, then the entries after them ---

  encodedSize(): number {
    const tail = this.count - this.nodeCount * this.entriesPerNode;
    return TAIL.content + this.nodeCount * NODE_REF.size + tail * MANIFEST_ENTRY.size;
  }

  /** Returns the end. */
  encode(target: Region, at: number): number {
    target.fields.setUint32(at + TAIL.version, TAIL_VERSION, true);
    target.fields.setUint32(at + TAIL.nodeCount, this.nodeCount, true);
    writeU64(target, at + TAIL.entryCount, this.count);
    const nodesEnd = at + TAIL.content + this.nodeCount * NODE_REF.size;
    target.bytes.set(
      this.nodes.bytes.subarray(0, this.nodeCount * NODE_REF.size),
      at + TAIL.content,
    );
    const first = this.nodeCount * this.entriesPerNode * MANIFEST_ENTRY.size;
    const last = this.count * MANIFEST_ENTRY.size;
    target.bytes.set(this.entries.bytes.subarray(first, last), nodesEnd);
    return nodesEnd + last - first;
  }

  /** Returns the first broken rule, or null; then `load` reads the nodes. */
  decode(source: Region, at: number, length: number): string | null {
    this.reset();
    if (length < TAIL.content) return 'manifest: cut short';
    if (source.fields.getUint32(at + TAIL.version, true) !== TAIL_VERSION) {
      return 'manifest: unknown version';
    }
    const nodeCount = source.fields.getUint32(at + TAIL.nodeCount, true);
    const count = readU64(source, at + TAIL.entryCount);
    const sealed = nodeCount * this.entriesPerNode;
    if (count > this.entriesMax || sealed > count) return 'manifest: entry count';
    const nodesSize = nodeCount * NODE_REF.size;
    const tailSize = (count - sealed) * MANIFEST_ENTRY.size;
    if (length !== TAIL.content + nodesSize + tailSize) return 'manifest: size';
    this.nodes = grown(this.nodes, nodesSize);
    this.entries = grown(this.entries, count * MANIFEST_ENTRY.size);
    const nodesAt = at + TAIL.content;
    this.nodes.bytes.set(source.bytes.subarray(nodesAt, nodesAt + nodesSize));
    const tailAt = nodesAt + nodesSize;
    this.entries.bytes.set(
      source.bytes.subarray(tailAt, tailAt + tailSize),
      sealed * MANIFEST_ENTRY.size,
    );
    this.nodeCount = nodeCount;
    this.count = count;
    return null;
  }

  /** Reads the nodes. True: all are here. False: complete when an `onGridRead` says true. */
  load(token: number): boolean {
    this.loading = 0;
    this.loadToken = token;
    return this.loadMore();
  }

  /** A block for the token of `load`. */
  onGridRead(block: Message): boolean {
    this.install(block);
    return this.loadMore();
  }

  private loadMore(): boolean {
    while (this.loading < this.nodeCount) {
      const at = this.loading * NODE_REF.size;
      const address = readU64(this.nodes, at + NODE_REF.address);
      const block = this.grid.read(address, this.nodes, at + NODE_REF.checksum, this.loadToken);
      if (block === null) return false;
      this.install(block);
    }
    return true;
  }

  private install(block: Message): void {
    const size = this.entriesPerNode * MANIFEST_ENTRY.size;
    if (sizeOf(block) !== HEADER_SIZE + size) {
      throw new ReplicaFatal('checkpoint-malformed', 'A node of the log manifest has a wrong size');
    }
    this.entries.bytes.set(block.bytes.subarray(HEADER_SIZE, HEADER_SIZE + size), this.loading * size);
    this.loading++;
  }

  /** `grid.want` for what was created by ops `opMin..opMax`: nodes, and log blocks. */
  want(opMin: number, opMax: number): void {
    for (let i = 0; i < this.nodeCount; i++) {
      const at = i * NODE_REF.size;
      const op = readU64(this.nodes, at + NODE_REF.opLast);
      if (op >= opMin && op <= opMax) {
        this.grid.want(readU64(this.nodes, at + NODE_REF.address), this.nodes, at);
      }
    }
    // Blocks are sealed at checkpoints, so one whose last op is in the range began in it too.
    for (let ordinal = 0; ordinal < this.count; ordinal++) {
      const op = this.opLastOf(ordinal);
      if (op >= opMin && op <= opMax) {
        this.grid.want(this.addressOf(ordinal), this.entries, this.entryAt(ordinal));
      }
    }
  }

  reset(): void {
    this.nodeCount = 0;
    this.count = 0;
    this.loading = 0;
  }

  private entryAt(ordinal: number): number {
    assert(ordinal >= 0 && ordinal < this.count, 'manifest: ordinal', ordinal, this.count);
    return ordinal * MANIFEST_ENTRY.size;
  }
}

/** Upper bound of `encodedSize` at a checkpoint. */
export function manifestSizeMax(config: ClusterConfig): number {
  const perNode = entriesPerNode(config);
  const nodes = Math.ceil(config.gridBlocks / perNode);
  return TAIL.content + nodes * NODE_REF.size + perNode * MANIFEST_ENTRY.size;
}

function entriesPerNode(config: ClusterConfig): number {
  return Math.floor((config.blockSize - HEADER_SIZE) / MANIFEST_ENTRY.size);
}

/** `region`, or a larger one with its bytes, that holds `size` bytes. */
function grown(region: Region, size: number): Region {
  if (size <= region.bytes.length) return region;
  let length = region.bytes.length;
  while (length < size) length *= 2;
  const larger = regionOf(new Uint8Array(length));
  larger.bytes.set(region.bytes);
  return larger;
}
