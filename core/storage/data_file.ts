/**
 * The zones of a data file, in order, allocated before use so that an append never meets a full
 * disk:
 *
 *     superblock       4 copies
 *     journal headers  S x 256
 *     journal prepares S x messageSizeMax
 *     client replies   clientsMax x 4 KiB
 *     grid             gridBlocks x blockSize    (block addresses are 1-based; 0 means none)
 *
 * Every zone begins on a sector; the grid on a multiple of the block size.
 */
import { assert } from '../assert.ts';
import {
  HEADER_SIZE,
  REPLY_SLOT_SIZE,
  SECTOR_SIZE,
  SUPERBLOCK_COPIES,
  viewHeadersMax,
  type ClusterConfig,
} from '../constants.ts';

export interface Zones {
  /** Bytes of one superblock copy: one sector of fixed fields, then the view headers. */
  readonly superblockCopySize: number;
  readonly superblock: number;
  readonly journalHeaders: number;
  readonly journalHeadersSize: number;
  readonly journalPrepares: number;
  readonly replies: number;
  readonly grid: number;
  /** Size of the whole file in bytes. */
  readonly end: number;
}

export function zonesOf(c: ClusterConfig): Zones {
  const superblockCopySize = SECTOR_SIZE + roundUp(viewHeadersMax(c) * HEADER_SIZE, SECTOR_SIZE);
  const journalHeaders = SUPERBLOCK_COPIES * superblockCopySize;
  const journalHeadersSize = roundUp(c.journalSlots * HEADER_SIZE, SECTOR_SIZE);
  const journalPrepares = journalHeaders + journalHeadersSize;
  const replies = journalPrepares + c.journalSlots * c.messageSizeMax;
  const grid = roundUp(replies + c.clientsMax * REPLY_SLOT_SIZE, c.blockSize);
  const end = grid + c.gridBlocks * c.blockSize;
  assert(Number.isSafeInteger(end), 'data file: size', end);
  return {
    superblockCopySize,
    superblock: 0,
    journalHeaders,
    journalHeadersSize,
    journalPrepares,
    replies,
    grid,
    end,
  };
}

export function prepareOffset(zones: Zones, c: ClusterConfig, slot: number): number {
  return zones.journalPrepares + slot * c.messageSizeMax;
}

export function replyOffset(zones: Zones, slot: number): number {
  return zones.replies + slot * REPLY_SLOT_SIZE;
}

export function blockOffset(zones: Zones, c: ClusterConfig, address: number): number {
  assert(address >= 1 && address <= c.gridBlocks, 'data file: block address', address);
  return zones.grid + (address - 1) * c.blockSize;
}

export function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}
