/**
 * Blocks that state sync wants to have: one per address at most, from "verify the copy on disk"
 * through "missing" to "being written". Fixed memory, however many blocks a sync touches.
 */
import { copyWords, equalWords, regionOf, type Region } from '../message/region.ts';

export const WANT = { none: 0, unverified: 1, verifying: 2, missing: 3, writing: 4 } as const;
type WantState = (typeof WANT)[keyof typeof WANT];

export class BlockWants {
  /** Wants in any state but `none`. */
  count = 0;
  unverifiedCount = 0;
  missingCount = 0;
  /** Wants satisfied so far. They are durable after a sync that started later. */
  finishedCount = 0;
  private readonly blockCount: number;
  /** Index: address. */
  private readonly states: Uint8Array;
  /** 32 bytes each. */
  readonly checksums: Region;
  private unverifiedCursor = 1;
  private missingCursor = 1;

  constructor(blockCount: number) {
    this.blockCount = blockCount;
    this.states = new Uint8Array(blockCount + 1);
    this.checksums = regionOf(new Uint8Array((blockCount + 1) * 32));
  }

  state(address: number): WantState {
    return this.states[address] as WantState;
  }

  is(address: number, state: WantState, checksum: Region, checksumAt: number): boolean {
    if (this.states[address] !== state) return false;
    return equalWords(this.checksums, address * 32, checksum, checksumAt, 32);
  }

  add(address: number, checksum: Region, checksumAt: number): void {
    copyWords(checksum, checksumAt, this.checksums, address * 32, 32);
    this.set(address, WANT.unverified);
  }

  set(address: number, state: WantState): void {
    const before = this.states[address] as number;
    if (before === WANT.unverified) this.unverifiedCount--;
    else if (before === WANT.missing) this.missingCount--;
    if (before !== WANT.none) this.count--;
    this.states[address] = state;
    if (state === WANT.unverified) this.unverifiedCount++;
    else if (state === WANT.missing) this.missingCount++;
    if (state !== WANT.none) this.count++;
  }

  /** Satisfied, or not wanted any more. */
  finish(address: number): void {
    this.set(address, WANT.none);
    this.finishedCount++;
  }

  /** The next address to verify, round robin; 0 when there is none. */
  nextUnverified(): number {
    if (this.unverifiedCount === 0) return 0;
    this.unverifiedCursor = this.next(WANT.unverified, this.unverifiedCursor);
    return this.unverifiedCursor;
  }

  /** The next missing address, round robin; 0 when there is none. */
  nextMissing(): number {
    if (this.missingCount === 0) return 0;
    this.missingCursor = this.next(WANT.missing, this.missingCursor);
    return this.missingCursor;
  }

  clear(): void {
    this.states.fill(WANT.none);
    this.count = 0;
    this.unverifiedCount = 0;
    this.missingCount = 0;
  }

  /** The address in `state` after `cursor`, wrapping. One exists. */
  private next(state: WantState, cursor: number): number {
    const after = this.states.indexOf(state, cursor + 1);
    return after !== -1 && after <= this.blockCount ? after : this.states.indexOf(state);
  }
}
