/**
 * Walks the log blocks of one replica's disk at the end of a run and shows every record, in commit
 * order, to those who look at stored data. Runs and records are delimited here anew; what is in
 * them is the checkers' business.
 */
import { HEADER_SIZE, type ClusterConfig } from '../core/constants.ts';
import { BLOCK_TYPE } from '../core/message/header.ts';
import { readU64, type Region } from '../core/message/region.ts';
import { type Zones } from '../core/storage/data_file.ts';
import { RUN, RUN_KIND, RUN_MAGIC } from '../core/storage/log_block.ts';
import { RUN_HEADER_SIZE } from '../core/kernel/operations.ts';
import { SUPERBLOCK_AT } from '../core/storage/superblock_layout.ts';
import { CheckpointTree, type TreeVisitor } from './checkpoint_tree.ts';
import { DiskSuperblock } from './disk_superblock.ts';
import { type TrueDisk } from './invariant.ts';
import { recordSpanAt } from './records.ts';
import { type StreamSweep } from './stream_sweep.ts';

const OPEN_COPIES = 2;

export interface RecordListener {
  onStreamRecord(sweep: StreamSweep): void;
}

export class StoredRecords implements TreeVisitor, StreamSweep {
  node = 0;
  stream = 0;
  offset = 0;
  op = 0;
  at = 0;
  span = 0;
  region: Region;
  /** Checkpoint of the last sweep. */
  checkpointOp = 0;
  private readonly superblock: DiskSuperblock;
  private readonly tree: CheckpointTree;
  private readonly listener: RecordListener;

  constructor(config: ClusterConfig, zones: Zones, listener: RecordListener) {
    this.superblock = new DiskSuperblock(config, zones);
    this.tree = new CheckpointTree(config, zones);
    this.listener = listener;
    this.region = this.superblock.image;
  }

  /** False when the disk cannot be read as far as its checkpoint says; replica_convergence tells why. */
  sweep(node: number, disk: TrueDisk): boolean {
    this.node = node;
    if (!this.superblock.read(disk, OPEN_COPIES, false)) return false;
    this.checkpointOp = this.superblock.checkpointOp;
    if (this.checkpointOp === 0) return true;
    return this.tree.walk(disk, this.superblock.image, SUPERBLOCK_AT.checkpoint, this);
  }

  wants(): boolean {
    return true;
  }

  block(type: number, _address: number, block: Region, size: number): void {
    if (type !== BLOCK_TYPE.log) return;
    this.region = block;
    const { fields } = block;
    let run = HEADER_SIZE;
    while (run + RUN_HEADER_SIZE <= size) {
      const runSize = fields.getUint32(run + RUN.size, true);
      if (fields.getUint32(run + RUN.magic, true) !== RUN_MAGIC || runSize < RUN_HEADER_SIZE) return;
      if (fields.getUint8(run + RUN.kind) === RUN_KIND.events) this.runOf(run, run + runSize);
      run += runSize;
    }
  }

  missing(): void {}

  private runOf(run: number, end: number): void {
    const { region } = this;
    this.stream = readU64(region, run + RUN.stream);
    this.op = readU64(region, run + RUN.op);
    const first = readU64(region, run + RUN.firstOffset);
    const count = region.fields.getUint32(run + RUN.count, true);
    this.at = run + RUN_HEADER_SIZE;
    for (let i = 0; i < count; i++) {
      this.span = recordSpanAt(region, this.at, end);
      if (this.span === 0) return;
      this.offset = first + i;
      this.listener.onStreamRecord(this);
      this.at += this.span;
    }
  }
}
