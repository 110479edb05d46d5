/**
 * Reads of the disk in flight, by purpose, so that neither a peer that asks without end nor a sync
 * delays a read that a commit waits for: slots 0..7 waiting reads, 8..11 peers, 12..15 wants.
 */
import { type Message } from '../message/pool.ts';
import { copyWords, regionOf, type Region } from '../message/region.ts';

export const SLOTS_READ = 0;
export const SLOTS_SERVE = 8;
export const SLOTS_WANT = 12;
export const SLOTS_END = 16;

export class BlockSlots {
  /** Filled by the storage; null: the slot is free. */
  readonly messages: (Message | null)[] = [];
  readonly addresses = new Uint32Array(SLOTS_END);
  /** What the parent says of the block; 32 bytes each. */
  readonly checksums = regionOf(new Uint8Array(SLOTS_END * 32));
  /** Of blocks for peers. */
  readonly tokens = new Float64Array(SLOTS_END);
  /** 0: nobody waits for this read any more. */
  readonly live = new Uint8Array(SLOTS_END);

  constructor() {
    for (let i = 0; i < SLOTS_END; i++) this.messages.push(null);
  }

  /** Takes over the reference. */
  start(
    slot: number,
    message: Message,
    address: number,
    checksum: Region,
    checksumAt: number,
    token: number,
  ): void {
    this.messages[slot] = message;
    this.addresses[slot] = address;
    copyWords(checksum, checksumAt, this.checksums, slot * 32, 32);
    this.tokens[slot] = token;
    this.live[slot] = 1;
  }

  /** A free slot in from..to-1, or -1. */
  free(from: number, to: number): number {
    for (let slot = from; slot < to; slot++) if (this.messages[slot] === null) return slot;
    return -1;
  }

  /** Also a read that nobody waits for any more: the storage still fills its buffer. */
  isReading(address: number): boolean {
    for (let slot = 0; slot < SLOTS_END; slot++) {
      if (this.messages[slot] !== null && this.addresses[slot] === address) return true;
    }
    return false;
  }
}
