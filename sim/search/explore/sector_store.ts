/**
 * Contents of disk sectors and disks made of them, each kept once. A disk in the search is a list
 * of sector numbers, so a write costs one number, and equal disks are equal lists.
 *
 * Frozen, with growing tables inside: a snapshot takes it for a constant and keeps out of it.
 * Numbers are never given twice, so what a restored state refers to is still there.
 */
import { checksumInto } from '../../../core/checksum.ts';
import { CHECKSUM_ALGORITHM } from '../../../core/constants.ts';
import { regionOf, type Region } from '../../../core/message/region.ts';
import { SECTOR_SIZE } from '../../../core/ports.ts';
import { type TrueDisk } from '../../../invariants/invariant.ts';
import { DigestTable } from './digest_table.ts';

export class SectorStore {
  /** Number 0 is the sector of zeros. */
  private readonly table = new DigestTable();
  private readonly sectors: Uint8Array[] = [];
  private readonly out: Region = regionOf(new Uint8Array(32));

  constructor() {
    this.intern(new Uint8Array(SECTOR_SIZE));
    Object.freeze(this);
  }

  /** The number of this content; `sector` is 4096 bytes from a multiple of 4 in its buffer. */
  intern(sector: Uint8Array): number {
    checksumInto(CHECKSUM_ALGORITHM.fast128, regionOf(sector), 0, SECTOR_SIZE, this.out, 0);
    const known = this.table.count;
    const number = this.table.add(this.out.words);
    if (number === known) this.sectors.push(sector.slice());
    return number;
  }

  /** Not to be changed. */
  bytes(number: number): Uint8Array {
    return this.sectors[number] as Uint8Array;
  }

  /** Word `i` of the content's digest. */
  digestWord(number: number, i: number): number {
    return this.table.word(number, i);
  }
}

/** A disk as a list of sector numbers, lent to checkers; they ask for headers and for sectors. */
export class DiskImage implements TrueDisk {
  /** What the disk has accepted, and what power loss now would leave. */
  written: Int32Array = new Int32Array(0);
  durable: Int32Array = new Int32Array(0);
  /** Somebody looked since it was last set to false. */
  read = false;
  private readonly store: SectorStore;

  constructor(store: SectorStore) {
    this.store = store;
  }

  readTrue(offset: number, target: Uint8Array): void {
    this.copy(this.written, offset, target);
  }

  readDurable(offset: number, target: Uint8Array): void {
    this.copy(this.durable, offset, target);
  }

  private copy(image: Int32Array, offset: number, target: Uint8Array): void {
    this.read = true;
    for (let done = 0; done < target.byteLength; ) {
      const sector = Math.floor((offset + done) / SECTOR_SIZE);
      const from = offset + done - sector * SECTOR_SIZE;
      const length = Math.min(SECTOR_SIZE - from, target.byteLength - done);
      target.set(this.store.bytes(image[sector] as number).subarray(from, from + length), done);
      done += length;
    }
  }
}
