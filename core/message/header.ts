/**
 * The 256-byte header, the same on the wire, in the journal and in the grid.
 *
 *     0  checksum        32  hash of bytes 32..255: the identity of the message
 *    32  checksum_body   32  hash of the body (256..size), covered by `checksum`
 *    64  nonce_reserved  16  zero (room for authenticated encryption)
 *    80  cluster         16
 *    96  size             4  header and body
 *   100  epoch            4
 *   104  view             4
 *   108  release          4
 *   112  protocol         2
 *   114  command          1
 *   115  replica          1  the author's member slot
 *   116  reserved_frame  12  zero
 *   128  command area   128  per command, below; unused bytes zero
 *
 * All fields are little-endian and read in place: accessors take (region, at), where `at` is the
 * byte offset of the header in the region (0 in a message). Source: reference "vsr" 3.1-3.4.
 */
import { HEADER_SIZE } from '../constants.ts';
import { readU64, writeU64, type Region } from './region.ts';

export const COMMAND = {
  reserved: 0,
  ping: 1,
  pong: 2,
  pingClient: 3,
  pongClient: 4,
  request: 5,
  prepare: 6,
  prepareOk: 7,
  reply: 8,
  commit: 9,
  startViewChange: 10,
  doViewChange: 11,
  startView: 12,
  requestStartView: 13,
  requestHeaders: 14,
  headers: 15,
  requestPrepare: 16,
  nack: 17,
  eviction: 18,
  requestBlocks: 19,
  block: 20,
  requestReply: 21,
  gapRequest: 22,
  gapResponse: 23,
  /** A read that is not an op of the log; answered after a confirmed read index (15.3). */
  query: 24,
  queryReply: 25,
} as const;
export type Command = (typeof COMMAND)[keyof typeof COMMAND];
export const COMMAND_COUNT = 26;
/** From here to 255: messages of components of one's own (plain_network.ts). Never a replica's. */
export const OWN_COMMAND_MIN = 128;

/** In order of code: names used in traces, transcripts and specs. */
export const COMMAND_NAMES: readonly string[] = [
  'reserved', 'ping', 'pong', 'ping_client', 'pong_client', 'request', 'prepare', 'prepare_ok',
  'reply', 'commit', 'start_view_change', 'do_view_change', 'start_view', 'request_start_view',
  'request_headers', 'headers', 'request_prepare', 'nack', 'eviction', 'request_blocks', 'block',
  'request_reply', 'gap_request', 'gap_response', 'query', 'query_reply',
];

/** Below 128: the protocol's own. 128..191: replicated kernel commands. 192..255: queries. */
export const OPERATION = {
  reserved: 0,
  root: 1,
  register: 2,
  reconfigure: 3,
  pulse: 4,
  upgrade: 5,
  noop: 6,
  recoveryRecord: 7,
} as const;

export const AT = {
  // The frame.
  checksum: 0,
  checksumBody: 32,
  nonceReserved: 64,
  cluster: 80,
  size: 96,
  epoch: 100,
  view: 104,
  release: 108,
  protocol: 112,
  command: 114,
  replica: 115,
  reservedFrame: 116,
  area: 128,
  // request, prepare, prepare_ok, reply, commit share places, so that a request becomes its
  // prepare in the same buffer and one accessor serves them all.
  /** request: context of the client's last reply; prepare, prepare_ok: checksum of the op before. */
  parent: 128,
  /** prepare: checksum of the request. */
  requestChecksum: 160,
  /** prepare_ok: checksum of the prepare; request_prepare, nack: the prepare meant. */
  prepareChecksum: 160,
  /** prepare, prepare_ok, commit: first half of a checkpoint id. */
  checkpointId: 192,
  /** 16 bytes; in every message to or from a client at this place. */
  client: 208,
  /** u64: prepare, prepare_ok, reply, do_view_change, start_view, block address... */
  op: 224,
  /** u64; request, ping_client: the session number lies here. */
  session: 224,
  /** u64: prepare, reply, commit: commit; prepare_ok: the sender's commit_min. */
  commit: 232,
  /** u64 nanoseconds in prepare and reply; microseconds monotonic in commit, ping, ping_client. */
  timestamp: 240,
  /** u32: the client's request number. */
  request: 248,
  operation: 252,
  // reply
  replyRequestChecksum: 128,
  replyContext: 160,
  // commit
  commitChecksum: 128,
  commitCheckpointOp: 224,
  commitEpochFinal: 252,
  // do_view_change
  dvcPresent: 128,
  dvcNack: 144,
  dvcCheckpointOp: 160,
  dvcGeneration: 168,
  dvcLogView: 176,
  dvcLogEpoch: 180,
  dvcHeaderCount: 184,
  dvcCommitMin: 232,
  dvcCommit: 240,
  // start_view, request_start_view, request_prepare, nack, ping, pong: a nonce
  nonce: 128,
  svCommitMax: 232,
  svCheckpointOp: 240,
  svHeaderCount: 248,
  // request_headers, headers, request_blocks
  opMin: 224,
  opMax: 232,
  count: 248,
  // nack, eviction
  nackHighestOp: 232,
  reason: 252,
  // block
  blockMetadata: 128,
  blockAddress: 224,
  blockSnapshot: 232,
  blockType: 252,
  // ping, pong
  pingCheckpointId: 160,
  pingCheckpointOp: 224,
  pongWall: 232,
} as const;

export const NACK_REASON = { notSeen: 1, seenButCorrupt: 2, recovering: 3, busy: 4 } as const;

export const EVICTION_REASON = {
  noSession: 1,
  clientReleaseTooLow: 2,
  clientReleaseTooHigh: 3,
  invalidOperation: 4,
  invalidBody: 5,
  invalidBodySize: 6,
  sessionTooLow: 7,
  sessionReleaseMismatch: 8,
} as const;

/** Grid blocks; the value is on disk. */
export const BLOCK_TYPE = {
  /** Records of all streams in commit order. */
  log: 1,
  /** A link of a trailer: a byte string cut into blocks, each naming its predecessor. */
  trailer: 2,
  /** A node of the table that names the log blocks. */
  manifest: 3,
} as const;

// --- Frame ---
export const sizeOf = (r: Region, at = 0): number => r.fields.getUint32(at + AT.size, true);
export const epochOf = (r: Region, at = 0): number => r.fields.getUint32(at + AT.epoch, true);
export const viewOf = (r: Region, at = 0): number => r.fields.getUint32(at + AT.view, true);
export const releaseOf = (r: Region, at = 0): number => r.fields.getUint32(at + AT.release, true);
export const commandOf = (r: Region, at = 0): number => r.fields.getUint8(at + AT.command);
export const replicaOf = (r: Region, at = 0): number => r.fields.getUint8(at + AT.replica);
// --- Shared command area (each command's own rules say which are meaningful) ---
export const opOf = (r: Region, at = 0): number => readU64(r, at + AT.op);
export const commitOf = (r: Region, at = 0): number => readU64(r, at + AT.commit);
export const requestOf = (r: Region, at = 0): number => r.fields.getUint32(at + AT.request, true);
export const operationOf = (r: Region, at = 0): number => r.fields.getUint8(at + AT.operation);
export const sessionOf = (r: Region, at = 0): number => readU64(r, at + AT.session);

export const setSize = (r: Region, v: number, at = 0): void => r.fields.setUint32(at + AT.size, v, true);
export const setView = (r: Region, v: number, at = 0): void => r.fields.setUint32(at + AT.view, v, true);
export const setOp = (r: Region, v: number, at = 0): void => writeU64(r, at + AT.op, v);
export const setCommit = (r: Region, v: number, at = 0): void => writeU64(r, at + AT.commit, v);
export const setRequest = (r: Region, v: number, at = 0): void =>
  r.fields.setUint32(at + AT.request, v, true);
export const setOperation = (r: Region, v: number, at = 0): void =>
  r.fields.setUint8(at + AT.operation, v);

/** Body of a message as a subarray (no copy; allocates a view: not for the hot path). */
export function bodyOf(r: Region): Uint8Array {
  return r.bytes.subarray(HEADER_SIZE, sizeOf(r));
}
