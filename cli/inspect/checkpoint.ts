/** The checkpoint that the superblock names: its id, its header, its trailers. */
import { checksumInto } from '../../core/checksum.ts';
import { CHECKPOINT_STATE_SIZE } from '../../core/constants.ts';
import { AT, viewOf } from '../../core/message/header.ts';
import { readNanosAsMicros, readU64, regionOf } from '../../core/message/region.ts';
import {
  CHECKPOINT,
  TRAILER,
  TRAILER_REF,
  checkpointOpAt,
  trailerRefAt,
} from '../../core/storage/checkpoint_state.ts';
import { hex, shortHash, timeText } from './data_file_reader.ts';
import { type OpenedFile } from './superblock_zone.ts';

export interface TrailerView {
  readonly name: string;
  readonly size: number;
  readonly last_block: number;
  readonly last_block_checksum: string;
  readonly content_checksum: string;
}

export interface CheckpointView {
  readonly op: number;
  readonly view: number;
  readonly id: string;
  readonly parent_id: string;
  readonly grandparent_id: string;
  readonly commit_timestamp: string;
  readonly storage_size: number;
  readonly header_checksum: string;
  readonly trailers: readonly TrailerView[];
}

export function inspectCheckpoint({ state, config }: OpenedFile): CheckpointView | null {
  if (state === null) return null;
  const { checkpoint } = state;
  const id = regionOf(new Uint8Array(32));
  checksumInto(config.checksumAlgorithm, checkpoint, 0, CHECKPOINT_STATE_SIZE, id, 0);
  return {
    op: checkpointOpAt(checkpoint, 0),
    view: viewOf(checkpoint, CHECKPOINT.header),
    id: hex(id.bytes),
    parent_id: hex(checkpoint.bytes.subarray(CHECKPOINT.parentId, CHECKPOINT.parentId + 32)),
    grandparent_id: hex(
      checkpoint.bytes.subarray(CHECKPOINT.grandparentId, CHECKPOINT.grandparentId + 32),
    ),
    commit_timestamp: timeText(readNanosAsMicros(checkpoint, CHECKPOINT.commitTimestamp)),
    storage_size: readU64(checkpoint, CHECKPOINT.storageSize),
    header_checksum: shortHash(checkpoint, CHECKPOINT.header + AT.checksum),
    trailers: Object.entries(TRAILER).map(([name, index]): TrailerView => {
      const at = trailerRefAt(index);
      return {
        name,
        size: readU64(checkpoint, at + TRAILER_REF.size),
        last_block: readU64(checkpoint, at + TRAILER_REF.lastBlockAddress),
        last_block_checksum: shortHash(checkpoint, at + TRAILER_REF.lastBlockChecksum),
        content_checksum: shortHash(checkpoint, at + TRAILER_REF.contentChecksum),
      };
    }),
  };
}
