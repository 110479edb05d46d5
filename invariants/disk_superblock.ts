/**
 * The superblock of one replica as its disk truly holds it: the newest content of which enough
 * copies are whole. Independent of the replica's own opening.
 */
import { checksumMatches } from '../core/checksum.ts';
import { SUPERBLOCK_COPIES, type ClusterConfig } from '../core/constants.ts';
import { equalWords, readU64, regionOf, type Region } from '../core/message/region.ts';
import { CHECKPOINT } from '../core/storage/checkpoint_state.ts';
import { type Zones } from '../core/storage/data_file.ts';
import { SUPERBLOCK_AT } from '../core/storage/superblock_layout.ts';
import { AT } from '../core/message/header.ts';
import { type TrueDisk } from './invariant.ts';

export class DiskSuperblock {
  /** The chosen copy. */
  readonly image: Region;
  sequence = 0;
  view = 0;
  logView = 0;
  syncOpMax = 0;
  checkpointOp = 0;
  private readonly config: ClusterConfig;
  private readonly zones: Zones;
  private readonly copies: Region[] = [];
  private readonly valid = new Uint8Array(SUPERBLOCK_COPIES);

  constructor(config: ClusterConfig, zones: Zones) {
    this.config = config;
    this.zones = zones;
    for (let i = 0; i < SUPERBLOCK_COPIES; i++) {
      this.copies.push(regionOf(new Uint8Array(zones.superblockCopySize)));
    }
    this.image = regionOf(new Uint8Array(zones.superblockCopySize));
  }

  /**
   * Reads all copies and takes the newest content that at least `quorum` copies hold whole. False
   * when there is none; the fields then keep their values. `durable`: only what power loss leaves.
   */
  read(disk: TrueDisk, quorum: number, durable: boolean): boolean {
    this.load(disk, durable);
    const { copies, valid } = this;
    let best = -1;
    let bestSequence = -1;
    for (let i = 0; i < SUPERBLOCK_COPIES; i++) {
      if (valid[i] === 0) continue;
      const copy = copies[i] as Region;
      let alike = 0;
      for (let j = 0; j < SUPERBLOCK_COPIES; j++) {
        if (valid[j] === 1 && equalWords(copy, 0, copies[j] as Region, 0, 32)) alike++;
      }
      const sequence = readU64(copy, SUPERBLOCK_AT.sequence);
      if (alike < quorum || sequence <= bestSequence) continue;
      best = i;
      bestSequence = sequence;
    }
    if (best < 0) return false;
    const chosen = copies[best] as Region;
    this.image.bytes.set(chosen.bytes);
    this.sequence = bestSequence;
    this.view = chosen.fields.getUint32(SUPERBLOCK_AT.view, true);
    this.logView = chosen.fields.getUint32(SUPERBLOCK_AT.logView, true);
    this.syncOpMax = readU64(chosen, SUPERBLOCK_AT.syncOpMax);
    this.checkpointOp = readU64(chosen, SUPERBLOCK_AT.checkpoint + CHECKPOINT.header + AT.op);
    return true;
  }

  /**
   * Durable copies whose view and log view are not below these. While a newer superblock replaces
   * an older one copy by copy, both kinds count: neither may have enough copies of its own.
   */
  durableCopiesAtLeast(disk: TrueDisk, view: number, logView: number): number {
    this.load(disk, true);
    let count = 0;
    for (let i = 0; i < SUPERBLOCK_COPIES; i++) {
      if (this.valid[i] === 0) continue;
      const fields = (this.copies[i] as Region).fields;
      const enough =
        fields.getUint32(SUPERBLOCK_AT.view, true) >= view &&
        fields.getUint32(SUPERBLOCK_AT.logView, true) >= logView;
      if (enough) count++;
    }
    return count;
  }

  private load(disk: TrueDisk, durable: boolean): void {
    const { copies, valid } = this;
    const size = this.zones.superblockCopySize;
    // A copy is whole when its checksum holds, or when it equals one whose checksum does.
    let proven: Region | null = null;
    for (let i = 0; i < SUPERBLOCK_COPIES; i++) {
      const copy = copies[i] as Region;
      const offset = this.zones.superblock + i * size;
      if (durable) disk.readDurable(offset, copy.bytes);
      else disk.readTrue(offset, copy.bytes);
      const whole = (proven !== null && sameContent(copy, proven)) || this.isWhole(copy);
      valid[i] = whole ? 1 : 0;
      if (whole) proven = copy;
    }
  }

  private isWhole(copy: Region): boolean {
    const length = copy.bytes.byteLength - SUPERBLOCK_AT.version;
    const { checksumAlgorithm } = this.config;
    const expected = SUPERBLOCK_AT.checksum;
    return checksumMatches(checksumAlgorithm, copy, SUPERBLOCK_AT.version, length, copy, expected);
  }
}

/** All but the index, which the checksum does not cover. */
function sameContent(a: Region, b: Region): boolean {
  const { checksum, version } = SUPERBLOCK_AT;
  const rest = a.bytes.byteLength - version;
  return equalWords(a, checksum, b, checksum, 32) && equalWords(a, version, b, version, rest);
}
