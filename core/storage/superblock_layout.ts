/**
 * One superblock copy: a sector of fixed fields, then the view headers (top op first, rest zero).
 *
 *        0  checksum         32  over everything from `version` to the end of the copy
 *       32  copy              2  0..3; outside the checksum, so that all copies share one
 *       34  zero              2
 *       36  version           2  of this layout
 *       40  magic             8  "KMBRLITE"
 *       48  sequence          8  56  release that formatted  4    60  view headers, count  4
 *       64  cluster          16  80  parent: checksum of sequence - 1  32
 *      112  fingerprint      32  hash of the config
 *      144  config          112  every limit of the cluster, u32 each, rest zero
 *      256  checkpoint    1,024  CheckpointState
 *    1,280  reconfig        256  membership; zero until reconfiguration exists
 *    1,536  replica id       16  zero until members have identities
 *    1,552  commit_max, sync_op_min, sync_op_max, generation   8 each
 *    1,584  log_view, log_epoch, view, epoch                   4 each
 *    1,600  replica index, replica count                       1 each
 *
 * The config is inside, so a program that knows nothing of a file can open it: copy 0 is at
 * offset 0, and the others are found by magic. Source: reference "vsr" 8.1.
 */
import { assert, AssertionFailure } from '../assert.ts';
import { checksumInto, checksumMatches } from '../checksum.ts';
import {
  assertConfig,
  CHECKPOINT_STATE_SIZE,
  CHECKSUM_ALGORITHM,
  HEADER_SIZE,
  RECONFIG_SIZE,
  RELEASE,
  SECTOR_SIZE,
  SUPERBLOCK_COPIES,
  viewHeadersMax,
  type ChecksumAlgorithm,
  type ClusterConfig,
} from '../constants.ts';
import {
  copyWords,
  equalWords,
  readU64,
  regionOf,
  writeU64,
  type Region,
} from '../message/region.ts';
import { CHECKPOINT } from './checkpoint_state.ts';
import { zonesOf } from './data_file.ts';
import { writeRootHeader } from './formatted_headers.ts';

export const SUPERBLOCK_VERSION = 1;
/** "KMBRLITE", as two little-endian words. */
const MAGIC_LOW = 0x52424d4b;
const MAGIC_HIGH = 0x4554494c;

export const SUPERBLOCK_AT = {
  checksum: 0,
  copy: 32,
  copyPadding: 34,
  version: 36,
  magic: 40,
  sequence: 48,
  release: 56,
  viewHeadersCount: 60,
  cluster: 64,
  parent: 80,
  fingerprint: 112,
  config: 144,
  checkpoint: 256,
  reconfig: 1280,
  replicaId: 1536,
  commitMax: 1552,
  syncOpMin: 1560,
  syncOpMax: 1568,
  generation: 1576,
  logView: 1584,
  logEpoch: 1588,
  view: 1592,
  epoch: 1596,
  replicaIndex: 1600,
  replicaCount: 1601,
  viewHeaders: SECTOR_SIZE,
} as const;

export const CONFIG_SIZE = 112;
/** Order of the fields in the config area. Append only: the fingerprint covers them all. */
const CONFIG_FIELDS = [
  'pipelineMax',
  'journalSlots',
  'checkpointInterval',
  'messageSizeMax',
  'blockSize',
  'gridBlocks',
  'clientsMax',
  'tenantsMax',
  'streamsMax',
  'idempotencyMax',
  'checksumAlgorithm',
] as const satisfies readonly (keyof ClusterConfig)[];

/** A decoded copy. The image is the truth; the numbers are read from it by `decode`. */
export class SuperblockState {
  /** One whole copy. */
  readonly image: Region;
  readonly checksum: Region;
  readonly parent: Region;
  readonly cluster: Region;
  readonly checkpoint: Region;
  readonly reconfig: Region;
  /** Room for the maximum; the first `viewHeadersCount` headers are in use. */
  readonly viewHeaders: Region;
  sequence = 0;
  viewHeadersCount = 0;
  commitMax = 0;
  syncOpMin = 0;
  syncOpMax = 0;
  generation = 0;
  view = 0;
  logView = 0;
  epoch = 0;
  logEpoch = 0;
  replicaIndex = 0;
  replicaCount = 0;

  /** `bytes` holds one copy; from the storage port when I/O is done on it. */
  constructor(bytes: Uint8Array) {
    const part = (at: number, size: number): Region => regionOf(bytes.subarray(at, at + size));
    this.image = regionOf(bytes);
    this.checksum = part(SUPERBLOCK_AT.checksum, 32);
    this.parent = part(SUPERBLOCK_AT.parent, 32);
    this.cluster = part(SUPERBLOCK_AT.cluster, 16);
    this.checkpoint = part(SUPERBLOCK_AT.checkpoint, CHECKPOINT_STATE_SIZE);
    this.reconfig = part(SUPERBLOCK_AT.reconfig, RECONFIG_SIZE);
    this.viewHeaders = part(SECTOR_SIZE, bytes.byteLength - SECTOR_SIZE);
  }

  /** Becomes a copy of `image`. */
  install(image: Region): void {
    copyWords(image, 0, this.image, 0, this.image.bytes.byteLength);
    this.decode();
  }

  /** Writes the numbers into the image and seals it. The copy index is the writer's to set. */
  encode(algorithm: ChecksumAlgorithm): void {
    const image = this.image;
    const { fields } = image;
    writeU64(image, SUPERBLOCK_AT.sequence, this.sequence);
    fields.setUint32(SUPERBLOCK_AT.viewHeadersCount, this.viewHeadersCount, true);
    writeU64(image, SUPERBLOCK_AT.commitMax, this.commitMax);
    writeU64(image, SUPERBLOCK_AT.syncOpMin, this.syncOpMin);
    writeU64(image, SUPERBLOCK_AT.syncOpMax, this.syncOpMax);
    writeU64(image, SUPERBLOCK_AT.generation, this.generation);
    fields.setUint32(SUPERBLOCK_AT.logView, this.logView, true);
    fields.setUint32(SUPERBLOCK_AT.logEpoch, this.logEpoch, true);
    fields.setUint32(SUPERBLOCK_AT.view, this.view, true);
    fields.setUint32(SUPERBLOCK_AT.epoch, this.epoch, true);
    fields.setUint8(SUPERBLOCK_AT.replicaIndex, this.replicaIndex);
    fields.setUint8(SUPERBLOCK_AT.replicaCount, this.replicaCount);
    const length = image.bytes.byteLength - SUPERBLOCK_AT.version;
    checksumInto(algorithm, image, SUPERBLOCK_AT.version, length, image, SUPERBLOCK_AT.checksum);
  }

  decode(): void {
    const image = this.image;
    const { fields } = image;
    this.sequence = readU64(image, SUPERBLOCK_AT.sequence);
    this.viewHeadersCount = fields.getUint32(SUPERBLOCK_AT.viewHeadersCount, true);
    this.commitMax = readU64(image, SUPERBLOCK_AT.commitMax);
    this.syncOpMin = readU64(image, SUPERBLOCK_AT.syncOpMin);
    this.syncOpMax = readU64(image, SUPERBLOCK_AT.syncOpMax);
    this.generation = readU64(image, SUPERBLOCK_AT.generation);
    this.logView = fields.getUint32(SUPERBLOCK_AT.logView, true);
    this.logEpoch = fields.getUint32(SUPERBLOCK_AT.logEpoch, true);
    this.view = fields.getUint32(SUPERBLOCK_AT.view, true);
    this.epoch = fields.getUint32(SUPERBLOCK_AT.epoch, true);
    this.replicaIndex = fields.getUint8(SUPERBLOCK_AT.replicaIndex);
    this.replicaCount = fields.getUint8(SUPERBLOCK_AT.replicaCount);
  }
}

export type SuperblockCopyProblem = 'no-magic' | 'newer-version' | 'checksum';

/** What is wrong with one whole copy, or null. */
export function superblockCopyProblem(
  algorithm: ChecksumAlgorithm,
  image: Region,
): SuperblockCopyProblem | null {
  if (!hasMagic(image, 0)) return 'no-magic';
  if (versionAt(image, 0) > SUPERBLOCK_VERSION) return 'newer-version';
  const length = image.bytes.byteLength - SUPERBLOCK_AT.version;
  const valid = checksumMatches(
    algorithm,
    image,
    SUPERBLOCK_AT.version,
    length,
    image,
    SUPERBLOCK_AT.checksum,
  );
  return valid ? null : 'checksum';
}

/** The copy index as stored; 0xffff when the bytes beside it are damaged. */
export function copyIndexAt(image: Region): number {
  if (image.fields.getUint16(SUPERBLOCK_AT.copyPadding, true) !== 0) return 0xffff;
  return image.fields.getUint16(SUPERBLOCK_AT.copy, true);
}

export function setCopyIndex(image: Region, copy: number): void {
  assert(copy >= 0 && copy < SUPERBLOCK_COPIES, 'superblock: copy index', copy);
  image.fields.setUint16(SUPERBLOCK_AT.copy, copy, true);
  image.fields.setUint16(SUPERBLOCK_AT.copyPadding, 0, true);
}

/**
 * Hash of the config by the cluster's own algorithm: 32 bytes at `at`. Peers exchange it, and a
 * mismatch is a refused connection.
 */
export function configFingerprint(config: ClusterConfig, target: Region, at: number): void {
  const area = regionOf(new Uint8Array(CONFIG_SIZE));
  encodeConfig(config, area, 0);
  checksumInto(config.checksumAlgorithm, area, 0, CONFIG_SIZE, target, at);
}

/** Writes the config area, `CONFIG_SIZE` zeroed bytes at `at`. Also sent in handshakes. */
export function encodeConfig(config: ClusterConfig, target: Region, at: number): void {
  CONFIG_FIELDS.forEach((field, i) => {
    target.fields.setUint32(at + i * 4, config[field], true);
  });
}

/**
 * The config in the area at `area`; null unless the fingerprint at `fingerprintAt` is its own and
 * it obeys our rules.
 */
export function decodeConfig(image: Region, area: number, fingerprintAt: number): ClusterConfig | null {
  const value = (field: (typeof CONFIG_FIELDS)[number]): number =>
    image.fields.getUint32(area + CONFIG_FIELDS.indexOf(field) * 4, true);
  const algorithm = Object.values(CHECKSUM_ALGORITHM).find((a) => a === value('checksumAlgorithm'));
  if (algorithm === undefined) return null;
  if (!checksumMatches(algorithm, image, area, CONFIG_SIZE, image, fingerprintAt)) return null;
  const config: ClusterConfig = Object.freeze({
    pipelineMax: value('pipelineMax'),
    journalSlots: value('journalSlots'),
    checkpointInterval: value('checkpointInterval'),
    messageSizeMax: value('messageSizeMax'),
    blockSize: value('blockSize'),
    gridBlocks: value('gridBlocks'),
    clientsMax: value('clientsMax'),
    tenantsMax: value('tenantsMax'),
    streamsMax: value('streamsMax'),
    idempotencyMax: value('idempotencyMax'),
    checksumAlgorithm: algorithm,
  });
  try {
    assertConfig(config);
  } catch (error) {
    if (error instanceof AssertionFailure) return null; // The file's claim, not our belief.
    throw error;
  }
  return config;
}

function hasMagic(region: Region, at: number): boolean {
  const word = (at + SUPERBLOCK_AT.magic) >> 2;
  return region.words[word] === MAGIC_LOW && region.words[word + 1] === MAGIC_HIGH;
}

function versionAt(region: Region, at: number): number {
  return region.fields.getUint16(at + SUPERBLOCK_AT.version, true);
}

/** How many bytes from the start of a file are enough for `readSuperblockConfig` to see every copy. */
export const SUPERBLOCK_SCAN_SIZE = 64 * SECTOR_SIZE;

export interface SuperblockIdentity {
  readonly config: ClusterConfig;
  /** 16 bytes, a copy. */
  readonly cluster: Uint8Array;
  readonly replicaIndex: number;
  readonly replicaCount: number;
  readonly sequence: number;
  readonly release: number;
  /**
   * True when a whole copy was at hand and its checksum is right. False: only the config's
   * fingerprint vouches for the config, and nothing for the other fields.
   */
  readonly verified: boolean;
}

export type SuperblockConfigResult =
  | { readonly kind: 'config'; readonly identity: SuperblockIdentity }
  /** No sector looks like a superblock: not a data file, or not formatted. */
  | { readonly kind: 'not-formatted' }
  /** Written by a newer program. */
  | { readonly kind: 'newer-version'; readonly version: number }
  /** Superblocks are there, and none of them is whole. */
  | { readonly kind: 'damaged'; readonly copies: number }
  /** Two copies carry different configs. */
  | { readonly kind: 'conflict' };

/**
 * Reads config and identity from the first bytes of a data file about which nothing is known.
 * `bytes`: up to `SUPERBLOCK_SCAN_SIZE`, whole sectors, start at a multiple of 4. Of the verified
 * copies the newest speaks. Opening by quorum remains `Superblock.open`'s business.
 */
export function readSuperblockConfig(bytes: Uint8Array): SuperblockConfigResult {
  const region = regionOf(bytes.subarray(0, bytes.byteLength - (bytes.byteLength % SECTOR_SIZE)));
  let best: SuperblockIdentity | null = null;
  let bestAt = 0;
  let newer = 0;
  let damaged = 0;
  for (let at = 0; at < region.bytes.byteLength && at < SUPERBLOCK_SCAN_SIZE; at += SECTOR_SIZE) {
    if (!hasMagic(region, at)) continue;
    const version = versionAt(region, at);
    if (version > SUPERBLOCK_VERSION) {
      newer = version;
      continue;
    }
    const config = decodeConfig(region, at + SUPERBLOCK_AT.config, at + SUPERBLOCK_AT.fingerprint);
    if (config === null) {
      damaged++;
      continue;
    }
    const { superblockCopySize } = zonesOf(config);
    let verified = false;
    if (at + superblockCopySize <= region.bytes.byteLength) {
      const copy = regionOf(region.bytes.subarray(at, at + superblockCopySize));
      verified = superblockCopyProblem(config.checksumAlgorithm, copy) === null;
      if (!verified) {
        damaged++;
        continue;
      }
    }
    const identity = identityAt(region, at, config, verified);
    if (best !== null) {
      const area = SUPERBLOCK_AT.fingerprint;
      if (!equalWords(region, bestAt + area, region, at + area, 32)) return { kind: 'conflict' };
      if (best.verified && !verified) continue;
      if (best.verified === verified && best.sequence >= identity.sequence) continue;
    }
    best = identity;
    bestAt = at;
  }
  if (best !== null) return { kind: 'config', identity: best };
  if (newer !== 0) return { kind: 'newer-version', version: newer };
  if (damaged !== 0) return { kind: 'damaged', copies: damaged };
  return { kind: 'not-formatted' };
}

function identityAt(
  region: Region,
  at: number,
  config: ClusterConfig,
  verified: boolean,
): SuperblockIdentity {
  const cluster = at + SUPERBLOCK_AT.cluster;
  return {
    config,
    cluster: region.bytes.slice(cluster, cluster + 16),
    replicaIndex: region.fields.getUint8(at + SUPERBLOCK_AT.replicaIndex),
    replicaCount: region.fields.getUint8(at + SUPERBLOCK_AT.replicaCount),
    sequence: readU64(region, at + SUPERBLOCK_AT.sequence),
    release: region.fields.getUint32(at + SUPERBLOCK_AT.release, true),
    verified,
  };
}

export interface SuperblockFormat {
  readonly config: ClusterConfig;
  /** 16 bytes. */
  readonly cluster: Region;
  readonly replicaIndex: number;
  readonly replicaCount: number;
  /** For the replacement of a lost data file (reference "vsr" 13.3); 0 for a new cluster. */
  readonly view?: number;
  readonly generation?: number;
}

/**
 * The first superblock: sequence 1, the root header as checkpoint and as only view header. `bytes`
 * is one zeroed copy. The caller sets the copy index of each of the four it writes.
 */
export function formatSuperblock(options: SuperblockFormat, bytes: Uint8Array): SuperblockState {
  const { config } = options;
  assertConfig(config);
  assert(options.replicaIndex < options.replicaCount, 'superblock: index', options.replicaIndex);
  const { superblockCopySize } = zonesOf(config);
  assert(bytes.byteLength === superblockCopySize, 'superblock: size', bytes.byteLength);
  assert(viewHeadersMax(config) * HEADER_SIZE <= bytes.byteLength - SECTOR_SIZE, 'superblock: area');
  const state = new SuperblockState(bytes);
  const { image } = state;
  image.fields.setUint16(SUPERBLOCK_AT.version, SUPERBLOCK_VERSION, true);
  image.fields.setUint32(SUPERBLOCK_AT.magic, MAGIC_LOW, true);
  image.fields.setUint32(SUPERBLOCK_AT.magic + 4, MAGIC_HIGH, true);
  image.fields.setUint32(SUPERBLOCK_AT.release, RELEASE, true);
  copyWords(options.cluster, 0, image, SUPERBLOCK_AT.cluster, 16);
  encodeConfig(config, image, SUPERBLOCK_AT.config);
  configFingerprint(config, image, SUPERBLOCK_AT.fingerprint);
  const rootAt = SUPERBLOCK_AT.checkpoint + CHECKPOINT.header;
  writeRootHeader(config.checksumAlgorithm, options.cluster, image, rootAt);
  image.fields.setUint32(SUPERBLOCK_AT.checkpoint + CHECKPOINT.release, RELEASE, true);
  copyWords(image, rootAt, image, SUPERBLOCK_AT.viewHeaders, HEADER_SIZE);
  state.sequence = 1;
  state.viewHeadersCount = 1;
  state.view = options.view ?? 0;
  state.generation = options.generation ?? 0;
  state.replicaIndex = options.replicaIndex;
  state.replicaCount = options.replicaCount;
  state.encode(config.checksumAlgorithm);
  return state;
}
