/**
 * What a new data file holds: four superblocks, and a journal whose every slot is reserved except
 * slot 0, which holds the root prepare. All other bytes of the file are zero. Pure: the adapter
 * and the simulator both call it and do the writing themselves. Source: reference "vsr" 7.1, 8.1.
 */
import { HEADERS_PER_SECTOR, HEADER_SIZE, SECTOR_SIZE, SUPERBLOCK_COPIES } from '../constants.ts';
import { copyWords, regionOf } from '../message/region.ts';
import { prepareOffset, zonesOf } from './data_file.ts';
import { writeReservedHeader, writeRootHeader } from './formatted_headers.ts';
import { formatSuperblock, setCopyIndex, type SuperblockFormat } from './superblock_layout.ts';

export interface FormatOptions extends SuperblockFormat {
  /**
   * Called for each write, in order of offset. `bytes` is whole sectors and is used again for the
   * next write: the callee is done with it, or has copied it, when it returns. The file is
   * `zonesOf(config).end` bytes, zero filled, and is to be synced after the last call.
   */
  readonly write: (offset: number, bytes: Uint8Array) => void;
}

export function format(options: FormatOptions): void {
  const { config, cluster, write } = options;
  const zones = zonesOf(config);
  const algorithm = config.checksumAlgorithm;

  const superblock = formatSuperblock(options, new Uint8Array(zones.superblockCopySize));
  for (let copy = 0; copy < SUPERBLOCK_COPIES; copy++) {
    setCopyIndex(superblock.image, copy);
    write(zones.superblock + copy * zones.superblockCopySize, superblock.image.bytes);
  }

  const headers = regionOf(new Uint8Array(zones.journalHeadersSize));
  writeRootHeader(algorithm, cluster, headers, 0);
  for (let slot = 1; slot < config.journalSlots; slot++) {
    writeReservedHeader(algorithm, cluster, slot, headers, slot * HEADER_SIZE);
  }
  for (let sector = 0; sector < config.journalSlots / HEADERS_PER_SECTOR; sector++) {
    const at = sector * SECTOR_SIZE;
    write(zones.journalHeaders + at, headers.bytes.subarray(at, at + SECTOR_SIZE));
  }

  // No body: a prepare's first sector is its header and zeros.
  const prepare = regionOf(new Uint8Array(SECTOR_SIZE));
  for (let slot = 0; slot < config.journalSlots; slot++) {
    copyWords(headers, slot * HEADER_SIZE, prepare, 0, HEADER_SIZE);
    write(prepareOffset(zones, config, slot), prepare.bytes);
  }
}
