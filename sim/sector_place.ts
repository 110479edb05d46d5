/** Sectors of a simulated disk in the words of the data file: which zone, which slot or block. */
import { SECTOR_SIZE, type ClusterConfig } from '../core/constants.ts';
import { type Zones } from '../core/storage/data_file.ts';

export type ZoneName = 'superblock' | 'journal headers' | 'prepare' | 'reply' | 'grid block';

export interface SectorPlace {
  readonly zone: ZoneName;
  /** Copy, sector of the headers, journal slot, reply slot, or block address (from 1). */
  readonly index: number;
  /** Sector within it. */
  readonly sector: number;
}

export function sectorPlace(zones: Zones, config: ClusterConfig, sector: number): SectorPlace {
  const offset = sector * SECTOR_SIZE;
  if (offset >= zones.grid) return placeIn('grid block', offset - zones.grid, config.blockSize, 1);
  if (offset >= zones.replies) return placeIn('reply', offset - zones.replies, SECTOR_SIZE, 0);
  if (offset >= zones.journalPrepares) {
    return placeIn('prepare', offset - zones.journalPrepares, config.messageSizeMax, 0);
  }
  if (offset >= zones.journalHeaders) {
    return placeIn('journal headers', offset - zones.journalHeaders, SECTOR_SIZE, 0);
  }
  return placeIn('superblock', offset, zones.superblockCopySize, 0);
}

function placeIn(zone: ZoneName, offset: number, size: number, first: number): SectorPlace {
  const index = Math.floor(offset / size);
  return { zone, index: first + index, sector: (offset - index * size) / SECTOR_SIZE };
}

const WORDS: Readonly<Record<ZoneName, string>> = {
  superblock: 'superblock copy',
  'journal headers': 'journal headers sector',
  prepare: 'journal slot',
  reply: 'reply slot',
  'grid block': 'grid block',
};

/** `journal slot 5`, or with the sector of something larger than one: `grid block 3 sector 1`. */
export function placeText({ zone, index, sector }: SectorPlace): string {
  return `${WORDS[zone]} ${index}${sector === 0 ? '' : ` sector ${sector}`}`;
}
