/**
 * Codes of the kernel: operations, results, data classes, and the limits that follow from a
 * cluster's configuration. Every value is on the wire or on disk: a code is never used again for
 * something else.
 */
import { HEADER_SIZE, type ClusterConfig } from '../constants.ts';
import { saturatingSub } from '../units.ts';

/** 128..191: replicated commands. 192..255: queries, which are not ops of the log. */
export const KERNEL = {
  createTenant: 128,
  createStream: 129,
  append: 130,
  deleteStream: 131,
  readEvents: 192,
  streamInfo: 193,
  listStreams: 194,
  stateDigest: 195,
} as const;
export type KernelOperation = (typeof KERNEL)[keyof typeof KERNEL];

const OPERATION_NAMES: Readonly<Record<number, string>> = Object.freeze({
  [KERNEL.createTenant]: 'create_tenant',
  [KERNEL.createStream]: 'create_stream',
  [KERNEL.append]: 'append',
  [KERNEL.deleteStream]: 'delete_stream',
  [KERNEL.readEvents]: 'read_events',
  [KERNEL.streamInfo]: 'stream_info',
  [KERNEL.listStreams]: 'list_streams',
  [KERNEL.stateDigest]: 'state_digest',
});

export function kernelOperationName(operation: number): string {
  return OPERATION_NAMES[operation] ?? `operation_${operation}`;
}

export function isKernelCommand(operation: number): boolean {
  return operation >= KERNEL.createTenant && operation <= KERNEL.deleteStream;
}

export function isKernelQuery(operation: number): boolean {
  return operation >= KERNEL.readEvents && operation <= KERNEL.stateDigest;
}

/** First field of every reply body. A command whose result is not `ok` changed nothing. */
export const RESULT = {
  ok: 0,
  /** The body breaks a rule of its layout. Admission refuses such a request before it is an op. */
  invalid_command: 1,
  tenant_not_found: 2,
  tenant_exists: 3,
  /** The stream's id names another tenant than the command. */
  tenant_mismatch: 4,
  stream_not_found: 5,
  /** The name (or the chosen id) is taken, also by a deleted stream. Detail: that stream's id. */
  stream_exists: 6,
  stream_deleted: 7,
  /** Detail: the offset that the next event will get. */
  unexpected_stream_offset: 8,
  /** The idempotency id was used with another command. Detail: the op of the first use. */
  idempotency_conflict: 9,
  /** No id is old enough to be forgotten. Retry later, or without an id. */
  idempotency_full: 10,
  /** A limit of the cluster's configuration. Detail: the limit. */
  limit_reached: 11,
  /** The grid has no room for the batch. */
  storage_full: 12,
  /** Query: too many at once. Retry later. */
  busy: 13,
} as const;
export type ResultName = keyof typeof RESULT;
export type ResultCode = (typeof RESULT)[ResultName];

/** In order of code. */
export const RESULT_NAMES: readonly ResultName[] = Object.freeze(
  Object.keys(RESULT) as ResultName[],
);

export function resultName(code: number): ResultName | 'unknown_result' {
  return RESULT_NAMES[code] ?? 'unknown_result';
}

/** True when the same request may succeed later without any change to it. */
export function resultRetryable(code: number): boolean {
  return code === RESULT.idempotency_full || code === RESULT.storage_full || code === RESULT.busy;
}

/** In order of code. */
export const DATA_CLASSES = Object.freeze([
  'PHI', 'Deidentified', 'PII', 'Sensitive', 'PCI', 'Financial', 'Confidential', 'Public',
] as const);

/** Letters, digits and underscore. */
export const NAME_LENGTH_MAX = 256;

/**
 * A stream id is tenant << 32 | local. Tenants of up to 21 bits keep every stream id exact in a
 * JavaScript number, so no 64-bit arithmetic is needed anywhere.
 */
export const TENANT_ID_MAX = 0x1f_ffff;

export function streamId(tenant: number, local: number): number {
  return tenant * 4_294_967_296 + local;
}

export function tenantOfStream(id: number): number {
  return Math.floor(id / 4_294_967_296);
}

export function localOfStream(id: number): number {
  return id >>> 0;
}

/** Bytes that a record adds to its payload; see core/kernel/events.ts. */
export const RECORD_OVERHEAD = 108;
/** Bytes before the first record of a run; see core/storage/log_block.ts. */
export const RUN_HEADER_SIZE = 48;

/** Ids of committed commands are remembered at least this long, in commit timestamps. */
export const IDEMPOTENCY_RETENTION_MICROS = 24 * 3600 * 1_000_000;

export interface KernelLimits {
  /** Bytes of a request body. */
  readonly bodySizeMax: number;
  /** Bytes of one event: its record fits a log block. */
  readonly payloadSizeMax: number;
  /** Events of one append: bounds the blocks that one op can fill. */
  readonly batchEventsMax: number;
  /** Log blocks that one op can complete, whatever its events are. */
  readonly blocksPerOpMax: number;
  /** Children of a node of a stream's index. */
  readonly indexFanout: number;
}

export function kernelLimits(config: ClusterConfig): KernelLimits {
  const bodySizeMax = config.messageSizeMax - HEADER_SIZE;
  const blockBody = config.blockSize - HEADER_SIZE;
  const payloadSizeMax = blockBody - RUN_HEADER_SIZE - RECORD_OVERHEAD;
  const batchEventsMax = Math.min(8192, Math.floor(config.messageSizeMax / 128));
  // A block is left for the next one only when a record does not fit, so two neighbours together
  // hold more than one body; and a run may be preceded by index nodes, at most a body of them.
  const runBytes = bodySizeMax + batchEventsMax * (RECORD_OVERHEAD + RUN_HEADER_SIZE);
  const blocksPerOpMax = 2 * Math.ceil(runBytes / blockBody) + 3;
  const indexFanout = Math.min(64, Math.max(8, Math.floor(config.blockSize / 512)));
  return {
    bodySizeMax,
    payloadSizeMax: Math.min(payloadSizeMax, saturatingSub(bodySizeMax, 52)),
    batchEventsMax,
    blocksPerOpMax,
    indexFanout,
  };
}
