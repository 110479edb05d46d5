/**
 * Where rot may strike, so that a recoverable copy of everything always remains.
 *
 * The data file is a set of chunks: journal header sectors, prepare slots, reply slots, grid
 * blocks. For each chunk a fixed set of (replication quorum - 1) replicas, chosen by hash, may ever
 * carry a fault there. Fixed, not "at most so many at once": a repaired copy can be lost again by a
 * crash before its sync. As whatever is committed lies on a replication quorum, at least one good
 * copy is outside the set. Source: reference "vopr" 4.6.
 *
 * Superblock: at most one of a replica's four copies, and none while it is being written.
 * Excluded: the journal when there is one replica, the grid when there are one or two.
 */
import { SUPERBLOCK_COPIES, quorumsOf, type ClusterConfig } from '../../core/constants.ts';
import { SECTOR_SIZE } from '../../core/ports.ts';
import { type Zones } from '../../core/storage/data_file.ts';
import { DOMAIN, type Decisions } from '../decide.ts';
import { FAMILY } from '../identity.ts';
import { type SimDisk } from '../ports/sim_storage.ts';
import { type Atlas } from '../system.ts';

export const ZONE = { superblock: 0, journalHeaders: 1, prepares: 2, replies: 3, grid: 4 } as const;
/** How often each zone is struck, in eighths: most where a restart or a reader will meet it. */
const STRUCK = [
  ZONE.superblock,
  ZONE.journalHeaders,
  ZONE.prepares,
  ZONE.prepares,
  ZONE.prepares,
  ZONE.replies,
  ZONE.grid,
  ZONE.grid,
] as const;
/** Where a fault may land when its first choice of zone holds nothing that can be hit. */
const ATTEMPTS = 8;

export interface Chunk {
  /** Byte offset of its first sector. */
  offset: number;
  sectors: number;
}

export class FaultAtlas implements Atlas {
  private readonly decisions: Decisions;
  private readonly config: ClusterConfig;
  private readonly zones: Zones;
  private readonly replicaCount: number;
  /** Replicas that may carry a fault in one chunk. */
  private readonly faultyMax: number;
  private readonly chunk: Chunk = { offset: 0, sectors: 0 };

  constructor(
    decisions: Decisions,
    config: ClusterConfig,
    zones: Zones,
    replicaCount: number,
  ) {
    this.decisions = decisions;
    this.config = config;
    this.zones = zones;
    this.replicaCount = replicaCount;
    this.faultyMax = quorumsOf(replicaCount).replication - 1;
  }

  /** True when this replica may carry a fault in this chunk. */
  allows(replica: number, zone: number, index: number): boolean {
    if (zone === ZONE.superblock) return true; // Judged by the disk's state, in `plant`.
    if (this.replicaCount === 1) return false;
    if (zone === ZONE.grid && this.replicaCount <= 2) return false;
    const key = this.decisions.key(FAMILY.chunk, zone, index, 0, 0, 0, 0);
    const first = this.decisions.bits(key, DOMAIN.atlas) % this.replicaCount;
    return (replica - first + this.replicaCount) % this.replicaCount < this.faultyMax;
  }

  chunksIn(zone: number): number {
    if (zone === ZONE.superblock) return SUPERBLOCK_COPIES;
    if (zone === ZONE.journalHeaders) return this.zones.journalHeadersSize / SECTOR_SIZE;
    if (zone === ZONE.prepares) return this.config.journalSlots;
    if (zone === ZONE.replies) return this.config.clientsMax;
    return this.config.gridBlocks;
  }

  /**
   * Lays `overlay` over up to `sectors` sectors of one chunk of this disk that holds something;
   * `pick` says which. Returns the number of sectors hit.
   */
  plant(disk: SimDisk, replica: number, pick: number, sectors: number, overlay: number): number {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const eighth = this.decisions.below(pick + attempt, DOMAIN.chunk, STRUCK.length);
      const zone = STRUCK[eighth] as number;
      const count = this.chunksIn(zone);
      const start = this.decisions.bits(pick + attempt, DOMAIN.atlas) % count;
      // The first chunk from here on that is in use: most of a young file is empty.
      for (let i = 0; i < count; i++) {
        const index = (start + i) % count;
        if (!this.allows(replica, zone, index)) continue;
        const hit = this.plantChunk(disk, zone, index, pick, sectors, overlay);
        if (hit > 0) return hit;
      }
    }
    return 0;
  }

  private plantChunk(
    disk: SimDisk,
    zone: number,
    index: number,
    pick: number,
    sectors: number,
    overlay: number,
  ): number {
    if (zone === ZONE.superblock && !this.superblockMayRot(disk)) return 0;
    const chunk = this.locate(zone, index);
    const first = chunk.offset / SECTOR_SIZE;
    const skip = this.decisions.bits(pick, DOMAIN.rotBits) % chunk.sectors;
    let hit = 0;
    for (let i = 0; i < chunk.sectors && hit < sectors; i++) {
      const sector = first + ((skip + i) % chunk.sectors);
      if (disk.plant(sector, overlay, this.decisions.bits(pick + i, DOMAIN.sectorGarbage))) hit++;
    }
    return hit;
  }

  /** All four copies are good and at rest: nothing unsynced, nothing in flight. */
  private superblockMayRot(disk: SimDisk): boolean {
    if (disk.superblockSpoiled()) return false;
    const { undurable, writing } = disk.memory;
    for (let sector = 0; sector * SECTOR_SIZE < this.zones.journalHeaders; sector++) {
      if (undurable[sector] !== 0 || writing[sector] !== 0) return false;
    }
    return true;
  }

  private locate(zone: number, index: number): Chunk {
    const { zones, config, chunk } = this;
    if (zone === ZONE.superblock) {
      chunk.offset = index * zones.superblockCopySize;
      chunk.sectors = zones.superblockCopySize / SECTOR_SIZE;
    } else if (zone === ZONE.journalHeaders) {
      chunk.offset = zones.journalHeaders + index * SECTOR_SIZE;
      chunk.sectors = 1;
    } else if (zone === ZONE.prepares) {
      chunk.offset = zones.journalPrepares + index * config.messageSizeMax;
      chunk.sectors = config.messageSizeMax / SECTOR_SIZE;
    } else if (zone === ZONE.replies) {
      chunk.offset = zones.replies + index * SECTOR_SIZE;
      chunk.sectors = 1;
    } else {
      chunk.offset = zones.grid + index * config.blockSize;
      chunk.sectors = config.blockSize / SECTOR_SIZE;
    }
    return chunk;
  }
}
