/** How each sector of a simulated disk stands, as one byte, worst first wins; for looking at. */
import { OVERLAY, type SimDisk } from '../../sim/ports/sim_storage.ts';

export const SECTOR = {
  empty: 0,
  written: 1,
  reading: 2,
  /** Accepted, not yet covered by a sync. */
  undurable: 3,
  /** A write of it is in flight. */
  writing: 4,
  /** A crash took its last write back, as a whole or in parts; nobody has met that yet. */
  lost: 5,
  /** Rot, unreadable, or garbage of a write that a crash cut short. */
  faulty: 6,
} as const;

export interface DiskFace {
  /** `SECTOR` by sector. */
  readonly states: Uint8Array;
  /** How often each was written. */
  readonly writes: Uint32Array;
}

export function diskFace({ memory }: SimDisk): DiskFace {
  const { sectorCount, touched, overlay, crashed, undurable, reading, writing } = memory;
  const states = new Uint8Array(sectorCount);
  for (let sector = 0; sector < sectorCount; sector++) {
    let state: number = touched[sector] === 0 ? SECTOR.empty : SECTOR.written;
    if (reading[sector] !== 0) state = SECTOR.reading;
    if (undurable[sector] !== 0) state = SECTOR.undurable;
    if (writing[sector] !== 0) state = SECTOR.writing;
    if (crashed[sector] !== 0) state = SECTOR.lost;
    if (overlay[sector] !== OVERLAY.none) state = SECTOR.faulty;
    states[sector] = state;
  }
  return { states, writes: memory.writeCount.slice() };
}

/** Sectors in one run that hold the same kind of thing, `end` excluded. */
export interface DiskZone {
  readonly name: string;
  readonly first: number;
  readonly end: number;
}

/** By what a place is called before its first number: `journal slot`, `grid block`. */
export function diskZones(sectorCount: number, placeOf: (sector: number) => string): readonly DiskZone[] {
  const zones: DiskZone[] = [];
  let first = 0;
  let name = '';
  for (let sector = 0; sector <= sectorCount; sector++) {
    const next = sector === sectorCount ? '' : placeOf(sector).replace(/ ?\d.*$/, '');
    if (next === name && sector < sectorCount) continue;
    if (sector > first) zones.push({ name, first, end: sector });
    name = next;
    first = sector;
  }
  return zones;
}
