/**
 * The grid: blocks in use by the checkpoint (its free set says which), blocks written since, and
 * the trailers, each followed block by block from the checkpoint's reference.
 */
import { ReplicaFatal } from '../../core/assert.ts';
import { bodyValid, checksumMatches, headerValid } from '../../core/checksum.ts';
import { HEADER_SIZE, SECTOR_SIZE } from '../../core/constants.ts';
import { AT, BLOCK_TYPE, COMMAND, commandOf, sizeOf } from '../../core/message/header.ts';
import { equalWords, isZeroWords, readU64, regionOf, type Region } from '../../core/message/region.ts';
import {
  TRAILER,
  TRAILER_REF,
  checkpointOpAt,
  trailerRefAt,
} from '../../core/storage/checkpoint_state.ts';
import { blockOffset, roundUp } from '../../core/storage/data_file.ts';
import { FreeSet } from '../../core/storage/free_set.ts';
import { type Grid } from '../../core/storage/grid.ts';
import { LOG_BLOCK } from '../../core/storage/log_block.ts';
import { LogManifest } from '../../core/storage/log_manifest.ts';
import { type SuperblockState } from '../../core/storage/superblock_layout.ts';
import { hex, shortHash, type DataFileReader, type Finding } from './data_file_reader.ts';
import { type OpenedFile } from './superblock_zone.ts';

/** Metadata of a trailer's block: see core/storage/trailer.ts. */
const LINK = {
  previousChecksum: AT.blockMetadata,
  previousAddress: AT.blockMetadata + 32,
  index: AT.blockMetadata + 40,
  kind: AT.blockMetadata + 44,
} as const;

export interface BlockView {
  readonly address: number;
  /** `in use`, `released` (by this checkpoint), `since` (written after it). */
  readonly use: string;
  /** `whole`, or what is wrong. */
  readonly state: string;
  readonly type: string;
  readonly snapshot_op: number;
  readonly size: number;
  readonly checksum: string;
  /** Of a log block: its place, its ops and how much it holds. */
  readonly log: LogBlockSummary | null;
}

export interface LogBlockSummary {
  readonly ordinal: number;
  readonly op_first: number;
  readonly op_last: number;
  readonly runs: number;
  readonly records: number;
}

export interface GridView {
  readonly blocks: readonly BlockView[];
  /** Blocks of each trailer, newest first. */
  readonly trailers: Readonly<Record<string, readonly number[]>>;
  /** Null: the free set could not be read, so all that looks like a block is listed. */
  readonly in_use: number | null;
}

export interface ReadBlock {
  /** The whole block, header first; as much as its size says, whole sectors. */
  readonly region: Region;
  readonly problem: string | null;
}

/** Reads and verifies what stands at `address`. */
export function readBlock(reader: DataFileReader, file: OpenedFile, address: number): ReadBlock {
  const { config, zones, state } = file;
  const offset = blockOffset(zones, config, address);
  let region = reader.read(offset, SECTOR_SIZE);
  const fail = (problem: string): ReadBlock => ({ region, problem });
  if (isZeroWords(region, 0, HEADER_SIZE)) return fail('never written');
  if (!headerValid(config.checksumAlgorithm, region)) return fail('its header is not whole');
  if (commandOf(region) !== COMMAND.block) return fail('it is no block');
  if (state !== null && !equalWords(region, AT.cluster, state.cluster, 0, 16)) {
    return fail('it belongs to another cluster');
  }
  const size = sizeOf(region);
  if (size < HEADER_SIZE || size > config.blockSize) return fail(`its size is ${size}`);
  if (size > SECTOR_SIZE) region = reader.read(offset, roundUp(size, SECTOR_SIZE));
  if (!bodyValid(config.checksumAlgorithm, region)) return fail('its body is not whole');
  const claimed = readU64(region, AT.blockAddress);
  if (claimed !== address) return fail(`it is block ${claimed}, misplaced`);
  return { region, problem: null };
}

export function inspectGrid(reader: DataFileReader, file: OpenedFile, findings: Finding[]): GridView {
  const { config, state } = file;
  const trailers: Record<string, number[]> = {};
  const contents = new Map<number, Region>();
  if (state !== null) {
    for (const [name, kind] of Object.entries(TRAILER)) {
      const addresses: number[] = [];
      const content = readTrailer(reader, file, name, kind, addresses, findings);
      if (content !== null) contents.set(kind, content);
      trailers[name] = addresses;
    }
  }
  checkManifest(reader, file, contents.get(TRAILER.manifest), findings);
  const freeSet = freeSetOf(file, contents, findings);
  const checkpointOp = state === null ? 0 : checkpointOpAt(state.checkpoint, 0);

  const blocks: BlockView[] = [];
  for (let address = 1; address <= config.gridBlocks; address++) {
    const used = freeSet !== null && freeSet.isAcquired(address);
    const { region, problem } = readBlock(reader, file, address);
    if (!used) {
      // Free: what lies there means nothing, unless it was written since the checkpoint.
      const isNew = problem === null && readU64(region, AT.blockSnapshot) > checkpointOp;
      if (freeSet !== null && !isNew) continue;
      if (problem !== null) continue;
      blocks.push(blockView(address, freeSet === null ? 'unknown' : 'since', region, null));
      continue;
    }
    const released = freeSet.isReleased(address);
    blocks.push(blockView(address, released ? 'released' : 'in use', region, problem));
    if (problem !== null && !released) {
      findings.push({
        where: `block ${address}`,
        problem: `${problem}: the checkpoint needs it, a peer must supply it`,
      });
    }
  }
  return { blocks, trailers, in_use: freeSet?.acquiredCount ?? null };
}

/** Content of a trailer, null when it is empty or damaged; fills `addresses`, newest first. */
function readTrailer(
  reader: DataFileReader,
  file: OpenedFile,
  name: string,
  kind: number,
  addresses: number[],
  findings: Finding[],
): Region | null {
  const { config } = file;
  const checkpoint = file.state?.checkpoint;
  if (checkpoint === undefined) return null;
  const at = trailerRefAt(kind);
  const size = readU64(checkpoint, at + TRAILER_REF.size);
  if (size === 0) return null;
  const fail = (problem: string): null => {
    findings.push({ where: `trailer ${name}`, problem });
    return null;
  };
  const bodyMax = config.blockSize - HEADER_SIZE;
  const blockCount = Math.ceil(size / bodyMax);
  if (blockCount > config.gridBlocks) return fail(`its size is ${size}, more than the grid holds`);

  const content = regionOf(new Uint8Array(roundUp(size, 4)));
  let address = readU64(checkpoint, at + TRAILER_REF.lastBlockAddress);
  let expected: Region = checkpoint;
  let expectedAt = at + TRAILER_REF.lastBlockChecksum;
  for (let index = blockCount - 1; index >= 0; index--) {
    if (address < 1 || address > config.gridBlocks) return fail(`names block ${address}`);
    addresses.push(address);
    const { region, problem } = readBlock(reader, file, address);
    if (problem !== null) return fail(`block ${address} (part ${index} of ${blockCount}): ${problem}`);
    if (!equalWords(region, AT.checksum, expected, expectedAt, 32)) {
      return fail(`block ${address} (part ${index} of ${blockCount}) is not the one it names`);
    }
    const type = region.fields.getUint8(AT.blockType);
    const itsKind = region.fields.getUint32(LINK.kind, true);
    const itsIndex = region.fields.getUint32(LINK.index, true);
    if (type !== BLOCK_TYPE.trailer || itsKind !== kind || itsIndex !== index) {
      return fail(`block ${address} is part ${itsIndex} of another trailer`);
    }
    const length = sizeOf(region) - HEADER_SIZE;
    if (length !== Math.min(bodyMax, size - index * bodyMax))
      return fail(`block ${address} has another size`);
    content.bytes.set(region.bytes.subarray(HEADER_SIZE, HEADER_SIZE + length), index * bodyMax);
    address = readU64(region, LINK.previousAddress);
    expected = region;
    expectedAt = LINK.previousChecksum;
  }
  const contentAt = at + TRAILER_REF.contentChecksum;
  if (!checksumMatches(config.checksumAlgorithm, content, 0, size, checkpoint, contentAt)) {
    return fail('its parts are whole, the checksum over them all is wrong');
  }
  return content;
}

/**
 * Every log block must be the very one that the manifest names, not merely a whole block. The
 * manifest is walked by its own code, which is lent this file in place of a grid.
 */
function checkManifest(
  reader: DataFileReader,
  file: OpenedFile,
  content: Region | undefined,
  findings: Finding[],
): void {
  if (content === undefined) return;
  const read = (address: number, checksum: Region, checksumAt: number): Region | null => {
    if (address < 1 || address > file.config.gridBlocks) {
      findings.push({ where: 'manifest', problem: `names block ${address}` });
      return null;
    }
    const { region, problem } = readBlock(reader, file, address);
    if (problem !== null) return null; // Said of the block itself.
    if (equalWords(region, AT.checksum, checksum, checksumAt, 32)) return region;
    findings.push({ where: `block ${address}`, problem: 'it is not the one that the manifest names' });
    return null;
  };
  const manifest = new LogManifest(file.config, { read } as unknown as Grid);
  const { checkpoint } = file.state as SuperblockState; // Where `content` comes from.
  const size = readU64(checkpoint, trailerRefAt(TRAILER.manifest) + TRAILER_REF.size);
  const problem = manifest.decode(content, 0, size);
  if (problem !== null) {
    findings.push({ where: 'manifest', problem });
    return;
  }
  try {
    if (!manifest.load(0)) return; // A node is damaged, and that was said.
  } catch (error) {
    if (!(error instanceof ReplicaFatal)) throw error;
    findings.push({ where: 'manifest', problem: error.message });
    return;
  }
  for (let ordinal = 0; ordinal < manifest.count; ordinal++) manifest.read(ordinal, 0);
}

function freeSetOf(
  { config, state }: OpenedFile,
  contents: ReadonlyMap<number, Region>,
  findings: Finding[],
): FreeSet | null {
  if (state === null) return null;
  const freeSet = new FreeSet(config.gridBlocks);
  const acquired = contents.get(TRAILER.freeSetAcquired);
  if (acquired === undefined) {
    const size = readU64(state.checkpoint, trailerRefAt(TRAILER.freeSetAcquired) + TRAILER_REF.size);
    if (size !== 0) return null; // Said already: the trailer is damaged.
    freeSet.openEmpty();
    return freeSet;
  }
  const released = contents.get(TRAILER.freeSetReleased) ?? regionOf(new Uint8Array(freeSet.encodedSize));
  const problem = freeSet.decode(acquired, 0, released, 0);
  if (problem === null) return freeSet;
  findings.push({ where: 'free set', problem });
  return null;
}

function blockView(address: number, use: string, region: Region, problem: string | null): BlockView {
  if (problem !== null) {
    return {
      address,
      use,
      state: problem,
      type: '-',
      snapshot_op: 0,
      size: 0,
      checksum: shortHash(region, AT.checksum),
      log: null,
    };
  }
  const type = region.fields.getUint8(AT.blockType);
  return {
    address,
    use,
    state: 'whole',
    type: blockTypeName(type),
    snapshot_op: readU64(region, AT.blockSnapshot),
    size: sizeOf(region),
    checksum: shortHash(region, AT.checksum),
    log: type === BLOCK_TYPE.log ? logSummary(region) : null,
  };
}

export function logSummary(region: Region): LogBlockSummary {
  return {
    ordinal: readU64(region, LOG_BLOCK.ordinal),
    op_first: readU64(region, LOG_BLOCK.opFirst),
    op_last: readU64(region, LOG_BLOCK.opLast),
    runs: region.fields.getUint32(LOG_BLOCK.runCount, true),
    records: region.fields.getUint32(LOG_BLOCK.recordCount, true),
  };
}

export function blockTypeName(type: number): string {
  const found = Object.entries(BLOCK_TYPE).find(([, code]) => code === type);
  return found === undefined ? `type ${type}` : found[0];
}

/** The trailer that a block is a part of, in words. */
export function trailerPartText(region: Region): string {
  const kind = region.fields.getUint32(LINK.kind, true);
  const found = Object.entries(TRAILER).find(([, code]) => code === kind);
  const index = region.fields.getUint32(LINK.index, true);
  const previous = readU64(region, LINK.previousAddress);
  const before = previous === 0 ? 'the first' : `after block ${previous}`;
  return `part ${index} of ${found?.[0] ?? `trailer ${kind}`}, ${before}`;
}

export function fullHash(region: Region, at: number): string {
  return hex(region.bytes.subarray(at, at + 32));
}
