/**
 * Writes of blocks that are queued or in flight, at most one in flight an address, in order of
 * submission. Numbered, so that a flush or a sync can say how far it reaches.
 */
import { assert } from '../assert.ts';
import { type Message } from '../message/pool.ts';

/** Writes by the state machine that may be outstanding. */
export const OWN_WRITES_MAX = 64;
/** Blocks of peers being written in place: few, for the network is slower than the disk. */
export const REPAIR_WRITES_MAX = 8;
export const WRITES_MAX = OWN_WRITES_MAX + REPAIR_WRITES_MAX;

const FREE = 0;
const QUEUED = 1;
const IN_FLIGHT = 2;

export class BlockWrites {
  readonly messages: (Message | null)[] = [];
  readonly addresses = new Uint32Array(WRITES_MAX);
  readonly repairs = new Uint8Array(WRITES_MAX);
  ownCount = 0;
  repairCount = 0;
  inFlight = 0;
  /** Number of the newest write. */
  lastNumber = 0;
  private readonly numbers = new Float64Array(WRITES_MAX);
  private readonly states = new Uint8Array(WRITES_MAX);

  constructor() {
    for (let i = 0; i < WRITES_MAX; i++) this.messages.push(null);
  }

  get count(): number {
    return this.ownCount + this.repairCount;
  }

  /** Takes over the caller's reference. */
  add(address: number, message: Message, repair: boolean): void {
    const i = this.states.indexOf(FREE);
    assert(i !== -1, 'grid: too many writes', this.count);
    if (repair) this.repairCount++;
    else this.ownCount++;
    assert(this.ownCount <= OWN_WRITES_MAX, 'grid: write without asking canWrite', this.ownCount);
    assert(this.repairCount <= REPAIR_WRITES_MAX, 'grid: too many repairs', this.repairCount);
    this.messages[i] = message;
    this.addresses[i] = address;
    this.repairs[i] = repair ? 1 : 0;
    this.numbers[i] = ++this.lastNumber;
    this.states[i] = QUEUED;
  }

  /** The content that the address will have: its newest outstanding write, or null. */
  newest(address: number): Message | null {
    if (this.count === 0) return null;
    let found = -1;
    for (let i = 0; i < WRITES_MAX; i++) {
      if (this.states[i] === FREE || this.addresses[i] !== address) continue;
      if (found === -1 || (this.numbers[i] as number) > (this.numbers[found] as number)) found = i;
    }
    return found === -1 ? null : (this.messages[found] as Message);
  }

  isInFlight(address: number): boolean {
    for (let i = 0; i < WRITES_MAX; i++) {
      if (this.states[i] === IN_FLIGHT && this.addresses[i] === address) return true;
    }
    return false;
  }

  /** The oldest queued write with a number above `after`, or -1. */
  nextQueued(after: number): number {
    let found = -1;
    for (let i = 0; i < WRITES_MAX; i++) {
      if (this.states[i] !== QUEUED || (this.numbers[i] as number) <= after) continue;
      if (found === -1 || (this.numbers[i] as number) < (this.numbers[found] as number)) found = i;
    }
    return found;
  }

  numberOf(i: number): number {
    return this.numbers[i] as number;
  }

  start(i: number): void {
    assert(this.states[i] === QUEUED, 'grid: start of a write', i);
    this.states[i] = IN_FLIGHT;
    this.inFlight++;
  }

  /** Gives the reference back to the caller. */
  complete(i: number): Message {
    assert(this.states[i] === IN_FLIGHT, 'grid: completion of a write', i);
    const message = this.messages[i] as Message;
    this.messages[i] = null;
    this.states[i] = FREE;
    this.inFlight--;
    if (this.repairs[i] === 1) this.repairCount--;
    else this.ownCount--;
    return message;
  }

  /** All writes up to this number are complete. */
  completeUpTo(): number {
    let floor = this.lastNumber;
    if (this.count === 0) return floor;
    for (let i = 0; i < WRITES_MAX; i++) {
      if (this.states[i] !== FREE) floor = Math.min(floor, (this.numbers[i] as number) - 1);
    }
    return floor;
  }
}
