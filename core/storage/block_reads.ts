/**
 * Those who wait for a block: (address, checksum, token), in order of arrival. Waiting for the
 * disk first, then, if the copy there is not the block meant, for a peer.
 */
import { assert } from '../assert.ts';
import { copyWords, equalWords, regionOf, type Region } from '../message/region.ts';

/** Reads that may wait at one time, over all callers. */
export const GRID_READS_MAX = 64;

export const READ = { none: 0, disk: 1, missing: 2, delivering: 3, lost: 4 } as const;
type ReadState = (typeof READ)[keyof typeof READ];

export class BlockReads {
  count = 0;
  missingCount = 0;
  readonly addresses = new Uint32Array(GRID_READS_MAX);
  /** 32 bytes each. */
  readonly checksums = regionOf(new Uint8Array(GRID_READS_MAX * 32));
  readonly tokens = new Float64Array(GRID_READS_MAX);
  /** Op of the valid but different block found on disk; -1 none. */
  readonly diskSnapshots = new Float64Array(GRID_READS_MAX);
  private readonly states = new Uint8Array(GRID_READS_MAX);
  private readonly numbers = new Float64Array(GRID_READS_MAX);
  private lastNumber = 0;
  private missingCursor = 0;

  add(address: number, checksum: Region, checksumAt: number, token: number): void {
    const i = this.states.indexOf(READ.none);
    assert(i !== -1, 'grid: read without asking readsAvailable', this.count);
    this.addresses[i] = address;
    copyWords(checksum, checksumAt, this.checksums, i * 32, 32);
    this.tokens[i] = token;
    this.diskSnapshots[i] = -1;
    this.numbers[i] = ++this.lastNumber;
    this.states[i] = READ.disk;
    this.count++;
  }

  state(i: number): ReadState {
    return this.states[i] as ReadState;
  }

  set(i: number, state: ReadState): void {
    const before = this.states[i] as number;
    if (before === READ.missing) this.missingCount--;
    if (before !== READ.none && state === READ.none) this.count--;
    if (state === READ.missing) this.missingCount++;
    this.states[i] = state;
  }

  /** Is read i waiting, in this state, for this very block? */
  is(i: number, state: ReadState, address: number, checksum: Region, checksumAt: number): boolean {
    if (this.states[i] !== state || this.addresses[i] !== address) return false;
    return equalWords(this.checksums, i * 32, checksum, checksumAt, 32);
  }

  /** The oldest read that waits for the disk, younger than `after`; -1 when there is none. */
  nextDisk(after: number): number {
    let found = -1;
    for (let i = 0; i < GRID_READS_MAX; i++) {
      if (this.states[i] !== READ.disk || (this.numbers[i] as number) <= after) continue;
      if (found === -1 || (this.numbers[i] as number) < (this.numbers[found] as number)) found = i;
    }
    return found;
  }

  numberOf(i: number): number {
    return this.numbers[i] as number;
  }

  /** The next missing read, round robin; -1 when there is none. */
  nextMissing(): number {
    if (this.missingCount === 0) return -1;
    do this.missingCursor = (this.missingCursor + 1) % GRID_READS_MAX;
    while (this.states[this.missingCursor] !== READ.missing);
    return this.missingCursor;
  }

  clear(): void {
    this.states.fill(READ.none);
    this.count = 0;
    this.missingCount = 0;
  }
}
