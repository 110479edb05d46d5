/**
 * replica_convergence: replicas at the same checkpoint are equal, byte for byte.
 *
 * At each checkpoint the CheckpointState in the true superblock, and every block reachable from it
 * on the true disk, must equal what the first replica had at that checkpoint. At the end the whole
 * tree of each core replica is walked again, which also proves that nothing reachable was ever
 * overwritten. A replica in the middle of a state sync still lacks blocks: its state is compared at
 * once, its blocks at the end. Source: reference "vopr" 2.3, `storage_equality`.
 */
import { CHECKPOINT_STATE_SIZE } from '../core/constants.ts';
import { AT } from '../core/message/header.ts';
import { equalWords, readU64, regionOf, type Region } from '../core/message/region.ts';
import { CHECKPOINT, checkpointOpAt } from '../core/storage/checkpoint_state.ts';
import { SUPERBLOCK_AT } from '../core/storage/superblock_layout.ts';
import { CheckpointTree, type TreeVisitor } from './checkpoint_tree.ts';
import { DiskSuperblock } from './disk_superblock.ts';
import { Fingerprint } from './fingerprint.ts';
import { type CheckContext, type Checker, type Observed } from './invariant.ts';
import { Numbers } from './numbers.ts';

/** Copies of a superblock that open it. */
const OPEN_COPIES = 2;
const STATE_AT = SUPERBLOCK_AT.checkpoint;

export class ReplicaConvergence implements Checker, TreeVisitor {
  readonly id = 'replica_convergence';
  comparisons = 0;
  private readonly context: CheckContext;
  private readonly observed: Observed;
  private readonly superblock: DiskSuperblock;
  private readonly tree: CheckpointTree;
  private readonly fingerprint = new Fingerprint();
  /** Checkpoint op -> CheckpointState of the first replica that had it. */
  private readonly states = new Map<number, Region>();
  private readonly stateOf = new Map<number, number>();
  /** Block checksum (53 bits of it) -> index into the fingerprints. */
  private readonly blocks = new Map<number, number>();
  private readonly low = new Numbers();
  private readonly high = new Numbers();
  /** By node: at each address the checksum key of the block that was compared there. */
  private readonly compared: Float64Array[] = [];
  /** By node: 1 when its disk, read since the process began and last synced, named no sync. */
  private readonly whole: Uint8Array;
  /** What the walk in progress is about. */
  private node = 0;
  private op = 0;
  private everything = false;
  private quiet = false;
  private complete = true;

  constructor(context: CheckContext, observed: Observed) {
    this.context = context;
    this.observed = observed;
    this.superblock = new DiskSuperblock(context.config, context.zones);
    this.tree = new CheckpointTree(context.config, context.zones);
    this.whole = new Uint8Array(context.replicaCount);
    for (let i = 0; i < context.replicaCount; i++) {
      this.compared.push(new Float64Array(context.config.gridBlocks + 1).fill(-1));
    }
  }

  onStarted(node: number): void {
    this.whole[node] = 0;
  }

  onSynced(node: number): void {
    this.whole[node] = 0;
  }

  onCheckpointed(node: number, op: number): void {
    const disk = this.context.disk(node);
    if (!this.superblock.read(disk, OPEN_COPIES, true)) {
      this.context.fail(this.id, `R${node} has checkpoint ${op}, but its disk has no superblock`);
      return;
    }
    if (this.superblock.checkpointOp !== op) {
      this.context.fail(
        this.id,
        `R${node} has checkpoint ${op}, but its superblock names op ${this.superblock.checkpointOp}`,
      );
      return;
    }
    if (!this.compareState(node, op)) return;
    if (this.superblock.syncOpMax !== 0) return;
    this.walk(node, false, false);
  }

  /** False while a core replica that was synced still fetches blocks. */
  settled(): boolean {
    for (let node = 0; node < this.context.replicaCount; node++) {
      if (!this.inCore(node) || this.whole[node] === 1) continue;
      if (!this.superblock.read(this.context.disk(node), OPEN_COPIES, false)) return false;
      if (this.superblock.syncOpMax !== 0) {
        if (!this.walk(node, false, true)) return false;
      } else {
        this.whole[node] = 1;
      }
    }
    return true;
  }

  atEnd(): void {
    for (let node = 0; node < this.context.replicaCount; node++) {
      if (!this.inCore(node)) continue;
      if (!this.superblock.read(this.context.disk(node), OPEN_COPIES, false)) {
        this.context.fail(this.id, `the disk of R${node} has no superblock`);
        return;
      }
      if (this.superblock.checkpointOp === 0) continue;
      if (!this.compareState(node, this.superblock.checkpointOp)) return;
      this.walk(node, true, false);
    }
  }

  private inCore(node: number): boolean {
    const { nodes } = this.observed;
    return nodes.running[node] === 1 && (nodes.core & (1 << node)) !== 0;
  }

  /** The state in `superblock` against the first one of its op. */
  private compareState(node: number, op: number): boolean {
    const { image } = this.superblock;
    const { history } = this.observed;
    const first = this.states.get(op);
    if (first === undefined) {
      const copy = regionOf(new Uint8Array(CHECKPOINT_STATE_SIZE));
      copy.bytes.set(image.bytes.subarray(STATE_AT, STATE_AT + CHECKPOINT_STATE_SIZE));
      this.states.set(op, copy);
      this.stateOf.set(op, node);
    } else {
      this.comparisons++;
      if (!equalWords(image, STATE_AT, first, 0, CHECKPOINT_STATE_SIZE)) {
        this.context.fail(
          this.id,
          `R${node} and R${this.stateOf.get(op)} have different states at checkpoint ${op}: ` +
            `they first differ in ${partOf(firstDifference(image, first))}`,
        );
        return false;
      }
    }
    if (op > history.opMax) return true;
    this.comparisons++;
    const headerAt = STATE_AT + CHECKPOINT.header + AT.checksum;
    if (!equalWords(image, headerAt, history.headers, history.headerAt(op), 32)) {
      this.context.fail(this.id, `checkpoint ${op} of R${node} names another prepare than committed`);
      return false;
    }
    return true;
  }

  private walk(node: number, everything: boolean, quiet: boolean): boolean {
    this.node = node;
    this.op = checkpointOpAt(this.superblock.image, STATE_AT);
    this.everything = everything;
    this.quiet = quiet;
    this.complete = true;
    this.tree.walk(this.context.disk(node), this.superblock.image, STATE_AT, this);
    return this.complete;
  }

  // --- TreeVisitor ---

  wants(address: number, checksum: Region, checksumAt: number): boolean {
    if (this.everything) return true;
    const compared = this.compared[this.node] as Float64Array;
    return compared[address] !== keyOf(checksum, checksumAt);
  }

  block(_type: number, address: number, block: Region, size: number): void {
    if (readU64(block, AT.blockAddress) !== address) {
      this.context.fail(this.id, `block ${address} on the disk of R${this.node} claims another address`);
      return;
    }
    const key = keyOf(block, AT.checksum);
    (this.compared[this.node] as Float64Array)[address] = key;
    this.fingerprint.of(block, 0, size);
    const { low, high } = this.fingerprint;
    const known = this.blocks.get(key);
    if (known === undefined) {
      this.blocks.set(key, this.low.length);
      this.low.push(low);
      this.high.push(high);
      return;
    }
    this.comparisons++;
    if (this.low.get(known) !== low || this.high.get(known) !== high) {
      this.context.fail(
        this.id,
        `block ${address} on the disk of R${this.node} has the agreed checksum and other bytes`,
      );
    }
  }

  missing(what: string, address: number): void {
    this.complete = false;
    if (this.quiet) return;
    this.context.fail(
      this.id,
      `the disk of R${this.node} does not hold ${what} (address ${address}) of its checkpoint ${this.op}`,
    );
  }
}

/** 53 bits of a checksum: enough to tell the blocks of one run apart. */
function keyOf(checksum: Region, at: number): number {
  const w = at >> 2;
  return (checksum.words[w] as number) * 2_097_152 + ((checksum.words[w + 1] as number) >>> 11);
}

/** Byte offset in the CheckpointState. */
function firstDifference(image: Region, first: Region): number {
  for (let i = 0; i < CHECKPOINT_STATE_SIZE; i++) {
    if (image.bytes[STATE_AT + i] !== first.bytes[i]) return i;
  }
  return CHECKPOINT_STATE_SIZE;
}

const TRAILER_NAMES = [
  'the free set (acquired)',
  'the free set (released)',
  'the client sessions',
  'the kernel state',
  'the log manifest',
  'the idempotency ids',
];

function partOf(offset: number): string {
  if (offset < CHECKPOINT.parentId) return 'the header of the checkpoint op';
  if (offset < CHECKPOINT.trailers) return 'the ids of earlier checkpoints';
  if (offset < CHECKPOINT.logChainHash) {
    return TRAILER_NAMES[Math.floor((offset - CHECKPOINT.trailers) / 80)] as string;
  }
  return `byte ${offset} of the state`;
}
