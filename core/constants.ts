/**
 * Every limit of a cluster, fixed at format, and what follows from them. One frozen object; its
 * fingerprint is in the superblock, and a replica refuses a data file or a peer with another one.
 * Source: reference "vsr" section 0 (names, rules and derived functions).
 */
import { assert } from './assert.ts';
import { saturatingSub } from './units.ts';

export const HEADER_SIZE = 256;
export const SECTOR_SIZE = 4096;
export const HEADERS_PER_SECTOR = SECTOR_SIZE / HEADER_SIZE;
export const REPLICAS_MAX = 6;
export const MEMBERS_MAX = 12;
export const SUPERBLOCK_COPIES = 4;
export const CHECKPOINT_STATE_SIZE = 1024;
/** The membership block carried by DVC, SV and the superblock; filled by reconfiguration later. */
export const RECONFIG_SIZE = 256;
export const HEADERS_PER_REPLY_MAX = 64;
export const PROTOCOL_VERSION = 1;
/** major << 16 | minor << 8 | patch */
export const RELEASE = (0 << 16) | (1 << 8) | 0;
/** Replies of replicated operations fit one slot of the reply zone: header, then up to 3,840 bytes. */
export const REPLY_SLOT_SIZE = SECTOR_SIZE;
export const REPLY_BODY_MAX = REPLY_SLOT_SIZE - HEADER_SIZE;

export const CHECKSUM_ALGORITHM = { blake3: 1, sha256: 2, fast128: 3 } as const;
export type ChecksumAlgorithm = (typeof CHECKSUM_ALGORITHM)[keyof typeof CHECKSUM_ALGORITHM];

export interface ClusterConfig {
  /** Highest number of prepares in flight (P). 1..127. */
  readonly pipelineMax: number;
  /** Slots of the journal ring (S). A multiple of 16, at least 32. */
  readonly journalSlots: number;
  /** Ops between checkpoints (I). `I + 2P <= S`, `I > P`. */
  readonly checkpointInterval: number;
  /** Header and body. A multiple of 4096, at most 16 MiB. */
  readonly messageSizeMax: number;
  /** Grid block, header included. A multiple of 4096, at most `messageSizeMax`. */
  readonly blockSize: number;
  /** Blocks in the grid: the limit of the data file. */
  readonly gridBlocks: number;
  /** Client sessions. */
  readonly clientsMax: number;
  readonly tenantsMax: number;
  readonly streamsMax: number;
  /** Idempotency ids remembered. */
  readonly idempotencyMax: number;
  readonly checksumAlgorithm: ChecksumAlgorithm;
}

/** Defaults of `kmb format`. */
export const CONFIG_PRODUCTION: ClusterConfig = Object.freeze({
  pipelineMax: 100,
  journalSlots: 1024,
  checkpointInterval: 768,
  messageSizeMax: 1 << 20,
  blockSize: 512 << 10,
  gridBlocks: 32 << 10, // 16 GiB
  clientsMax: 1024,
  tenantsMax: 1024,
  streamsMax: 16 << 10,
  idempotencyMax: 64 << 10,
  // SHA-256 through OpenSSL: a portable BLAKE3 costs 25 ms per 512 KiB block (Node 24, one core).
  checksumAlgorithm: CHECKSUM_ALGORITHM.sha256,
});

/** Most simulated seeds: rings wrap and checkpoints come after tens of operations. */
export const CONFIG_SMALL: ClusterConfig = Object.freeze({
  pipelineMax: 8,
  journalSlots: 32,
  checkpointInterval: 16,
  messageSizeMax: 8192,
  blockSize: 4096,
  gridBlocks: 1024,
  clientsMax: 16,
  tenantsMax: 8,
  streamsMax: 64,
  idempotencyMax: 64,
  checksumAlgorithm: CHECKSUM_ALGORITHM.fast128,
});

export function assertConfig(c: ClusterConfig): void {
  assert(c.pipelineMax >= 1 && c.pipelineMax <= 127, 'config: pipelineMax', c.pipelineMax);
  assert(c.journalSlots >= 32 && c.journalSlots % 16 === 0, 'config: journalSlots', c.journalSlots);
  assert(c.checkpointInterval > c.pipelineMax, 'config: checkpointInterval', c.checkpointInterval);
  assert(
    c.checkpointInterval + 2 * c.pipelineMax <= c.journalSlots,
    'config: I + 2P must fit the journal',
    c.checkpointInterval,
    c.journalSlots,
  );
  assert(c.messageSizeMax % SECTOR_SIZE === 0, 'config: messageSizeMax', c.messageSizeMax);
  assert(c.messageSizeMax <= 16 << 20, 'config: messageSizeMax', c.messageSizeMax);
  assert(c.blockSize % SECTOR_SIZE === 0, 'config: blockSize', c.blockSize);
  assert(c.blockSize <= c.messageSizeMax, 'config: blockSize', c.blockSize);
  // A start_view must fit one message, and so must a do_view_change.
  const startViewSize =
    HEADER_SIZE + CHECKPOINT_STATE_SIZE + RECONFIG_SIZE + viewHeadersMax(c) * HEADER_SIZE;
  assert(startViewSize <= c.messageSizeMax, 'config: start_view too large', startViewSize);
  assert(c.gridBlocks >= 16, 'config: gridBlocks', c.gridBlocks);
  assert(c.clientsMax >= 1, 'config: clientsMax', c.clientsMax);
}

/** P + 1 suffix headers and up to two hook headers. */
export function viewHeadersMax(c: ClusterConfig): number {
  return c.pipelineMax + 3;
}

// --- Quorums (flexible; reference section 1.3) ---

export interface Quorums {
  /** Commit. */
  readonly replication: number;
  /** start_view_change and do_view_change. */
  readonly viewChange: number;
  /** Discard an op. Never derived from `viewChange`: they differ at two replicas. */
  readonly nack: number;
}

export function quorumsOf(replicaCount: number): Quorums {
  const n = replicaCount;
  assert(n >= 1 && n <= REPLICAS_MAX, 'quorums: replica count', n);
  const replication = n === 2 ? 2 : Math.min(3, Math.ceil(n / 2));
  const viewChange = n === 2 ? 2 : n - replication + 1;
  const nack = n - replication + 1;
  assert(replication + viewChange > n, 'quorums: replication and view change must meet', n);
  assert(replication + nack > n, 'quorums: replication and nack must meet', n);
  assert(viewChange * 2 > n, 'quorums: two view changes must meet', n);
  return { replication, viewChange, nack };
}

// --- Checkpoints (C is a checkpoint op, 0 for a fresh cluster) ---

/** The checkpoint after C. */
export function checkpointAfter(c: ClusterConfig, checkpoint: number): number {
  return checkpoint === 0 ? c.checkpointInterval - 1 : checkpoint + c.checkpointInterval;
}

/** The checkpoint before C (0 stays 0). */
export function checkpointBefore(c: ClusterConfig, checkpoint: number): number {
  return checkpoint < c.checkpointInterval ? 0 : checkpoint - c.checkpointInterval;
}

export function isCheckpointOp(c: ClusterConfig, op: number): boolean {
  return op === 0 || (op + 1) % c.checkpointInterval === 0;
}

/** Highest op that a replica at checkpoint C may write to its journal. */
export function prepareMax(c: ClusterConfig, checkpoint: number): number {
  return checkpointAfter(c, checkpoint) + 2 * c.pipelineMax;
}

/** Highest op that a replica at checkpoint C may acknowledge. */
export function prepareOkMax(c: ClusterConfig, checkpoint: number): number {
  return checkpointAfter(c, checkpoint) + c.pipelineMax;
}

/** True when `commit` proves that a replication quorum holds checkpoint C. */
export function checkpointDurable(c: ClusterConfig, checkpoint: number, commit: number): boolean {
  return checkpoint === 0 || commit > checkpoint + c.pipelineMax;
}

/** Lowest op that repair must still hold in the journal. `op` is the head. */
export function repairMin(
  c: ClusterConfig,
  checkpoint: number,
  commitMax: number,
  op: number,
): number {
  if (checkpointDurable(c, checkpoint, commitMax)) {
    if (checkpoint === 0) return 0;
    return op === checkpoint ? checkpoint : checkpoint + 1;
  }
  return saturatingSub(checkpoint + 1, c.checkpointInterval);
}
