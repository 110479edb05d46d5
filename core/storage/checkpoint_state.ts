/**
 * CheckpointState: 1,024 bytes, identical on all replicas for the same checkpoint op. Its hash is
 * the checkpoint id: through block references it is the Merkle root of the whole state, so no
 * replica-local value may enter it. Source: reference "vsr" 9.2.
 */
import { AT } from '../message/header.ts';
import { type Region } from '../message/region.ts';

/** Byte offsets. */
export const CHECKPOINT = {
  /** The prepare header of the checkpoint op. */
  header: 0,
  parentId: 256,
  grandparentId: 288,
  /** Trailer references, 80 bytes each; see `TRAILER` and `TRAILER_REF`. */
  trailers: 320,
  /** SHA-256 over the log's own chain of records and its length (u64). Reserved: zero for now. */
  logChainHash: 800,
  logChainLength: 832,
  reconfigHash: 840,
  /** u64: bytes of the data file in use. */
  storageSize: 872,
  /** u64 nanoseconds. */
  commitTimestamp: 880,
  release: 888,
  epoch: 892,
  upgradeTarget: 896,
} as const;

/** Order of the trailer references. */
export const TRAILER = {
  freeSetAcquired: 0,
  freeSetReleased: 1,
  clientSessions: 2,
  kernel: 3,
  manifest: 4,
  idempotency: 5,
} as const;
export const TRAILER_COUNT = 6;
export const TRAILER_REF_SIZE = 80;

/** Offsets inside one trailer reference. All zero: an empty trailer. */
export const TRAILER_REF = {
  lastBlockChecksum: 0,
  lastBlockAddress: 32,
  /** u64: bytes of content over all blocks. */
  size: 40,
  /** Checksum of the content as one byte string. */
  contentChecksum: 48,
} as const;

export function trailerRefAt(index: number): number {
  return CHECKPOINT.trailers + index * TRAILER_REF_SIZE;
}

/** The op of a checkpoint: that of its header; 0 for a fresh cluster, whose header is the root's. */
export function checkpointOpAt(region: Region, at: number): number {
  const low = region.fields.getUint32(at + CHECKPOINT.header + AT.op, true);
  const high = region.fields.getUint32(at + CHECKPOINT.header + AT.op + 4, true);
  return high * 4_294_967_296 + low;
}
