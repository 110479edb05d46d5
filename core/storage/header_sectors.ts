/**
 * Writes the sectors of the journal's redundant headers: 16 headers a sector, one write a sector
 * at a time, and never all sectors at once, so that one crash cannot tear every redundant header.
 * A sector counts as busy until a sync has covered its write. Source: reference "vsr" 7.2.
 *
 * The bytes are copied from the redundant headers when a write starts; never from the headers
 * wanted in memory, whose prepares may not be on disk. A slot that lost its prepare is written as
 * zeros, which no checksum matches: the next recovery must not take it for an empty slot.
 */
import { assert } from '../assert.ts';
import { HEADERS_PER_SECTOR, HEADER_SIZE, SECTOR_SIZE } from '../constants.ts';
import { copyWords, regionOf, zeroWords, type Region } from '../message/region.ts';
import { type Storage } from '../ports.ts';
import { isEntry } from './formatted_headers.ts';

const SECTOR = { idle: 0, writing: 1, written: 2, syncing: 3 } as const;

export class HeaderSectors {
  readonly count: number;
  /** Most sectors that may be busy at once. */
  readonly busyMax: number;
  busy = 0;
  /** Of the busy ones, those whose write has not completed. */
  writing = 0;
  /** The I/O buffer: the whole zone, a place a sector. Recovery reads into it. */
  readonly buffer: Region;
  private readonly views: Uint8Array[] = [];
  private readonly state: Uint8Array;
  private readonly wanted: Uint8Array;
  private wantedCount = 0;
  /** Sectors written and not yet covered by a sync that has started. */
  private writtenCount = 0;
  /** Where the search for the next sector begins: all get their turn. */
  private next = 0;
  private readonly storage: Storage;
  private readonly offset: number;
  private readonly token: number;
  private readonly redundant: Region;
  private readonly faulty: Uint8Array;

  /** `token + sector` is the storage token of a sector's I/O. */
  constructor(options: {
    readonly storage: Storage;
    readonly offset: number;
    readonly token: number;
    readonly redundant: Region;
    readonly faulty: Uint8Array;
  }) {
    this.storage = options.storage;
    this.offset = options.offset;
    this.token = options.token;
    this.redundant = options.redundant;
    this.faulty = options.faulty;
    const size = options.redundant.bytes.byteLength;
    assert(size % SECTOR_SIZE === 0, 'header sectors: zone', size);
    this.count = size / SECTOR_SIZE;
    this.busyMax = Math.max(1, this.count - 1);
    this.buffer = regionOf(options.storage.allocate(size));
    for (let sector = 0; sector < this.count; sector++) {
      const at = sector * SECTOR_SIZE;
      this.views.push(this.buffer.bytes.subarray(at, at + SECTOR_SIZE));
    }
    this.state = new Uint8Array(this.count);
    this.wanted = new Uint8Array(this.count);
  }

  /** Nothing is wanted, being written or waiting for a sync. */
  get idle(): boolean {
    return this.busy === 0 && this.wantedCount === 0;
  }

  /** A completed write waits for a sync to start. */
  get needsSync(): boolean {
    return this.writtenCount !== 0;
  }

  read(sector: number): void {
    const at = this.offset + sector * SECTOR_SIZE;
    this.storage.read(at, this.views[sector] as Uint8Array, this.token + sector);
  }

  /** The sector's content changed: it is to be written, by a write that starts after this call. */
  want(sector: number): void {
    if (this.wanted[sector] === 1) return;
    this.wanted[sector] = 1;
    this.wantedCount++;
  }

  /** Starts one wanted write that may start, and returns its sector; -1 when none may. */
  startNext(): number {
    if (this.wantedCount === 0 || this.busy === this.busyMax) return -1;
    for (let i = 0; i < this.count; i++) {
      const sector = (this.next + i) % this.count;
      if (this.wanted[sector] === 0 || this.state[sector] !== SECTOR.idle) continue;
      this.next = (sector + 1) % this.count;
      this.start(sector);
      return sector;
    }
    return -1;
  }

  writeCompleted(sector: number): void {
    assert(this.state[sector] === SECTOR.writing, 'header sectors: completion', sector);
    this.state[sector] = SECTOR.written;
    this.writing--;
    this.writtenCount++;
  }

  /** The sync that starts now covers every completed write. */
  syncStarted(): void {
    if (this.writtenCount === 0) return;
    this.writtenCount = 0;
    for (let sector = 0; sector < this.count; sector++) {
      if (this.state[sector] === SECTOR.written) this.state[sector] = SECTOR.syncing;
    }
  }

  /** True while the sync in flight covers the sector's last write. */
  isSyncing(sector: number): boolean {
    return this.state[sector] === SECTOR.syncing;
  }

  syncCompleted(): void {
    if (this.busy === 0) return;
    for (let sector = 0; sector < this.count; sector++) {
      if (this.state[sector] !== SECTOR.syncing) continue;
      this.state[sector] = SECTOR.idle;
      this.busy--;
    }
  }

  private start(sector: number): void {
    const at = sector * SECTOR_SIZE;
    copyWords(this.redundant, at, this.buffer, at, SECTOR_SIZE);
    const first = sector * HEADERS_PER_SECTOR;
    for (let slot = first; slot < first + HEADERS_PER_SECTOR; slot++) {
      // A faulty slot with an entry has its lost prepare back on disk; only its bit is still set.
      const lost = this.faulty[slot] !== 0 && !isEntry(this.redundant, slot * HEADER_SIZE);
      if (lost) zeroWords(this.buffer, slot * HEADER_SIZE, HEADER_SIZE);
    }
    this.wanted[sector] = 0;
    this.wantedCount--;
    this.state[sector] = SECTOR.writing;
    this.writing++;
    this.busy++;
    const view = this.views[sector] as Uint8Array;
    this.storage.write(this.offset + at, view, this.token + sector);
  }
}

export function sectorOf(slot: number): number {
  return Math.floor(slot / HEADERS_PER_SECTOR);
}
