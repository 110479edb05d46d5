/**
 * Timers of a replica, armed on the Clock port only while they have a purpose, so that an idle
 * cluster costs nothing. Numbers are also the order in which timers due at one instant fire.
 * Source: reference "vsr" section 5.
 */
import { assert } from '../assert.ts';
import { type Clock, type Rng } from '../ports.ts';
import { micros } from '../units.ts';

export const TIMER = {
  /** Primary: resend the oldest prepare that lacks a quorum. */
  prepare: 0,
  /** Primary: nobody acknowledges; fall silent so that the backups elect another. */
  primaryAbdicate: 1,
  /** Primary: heartbeat and commit number. */
  commitMessage: 2,
  /** Backup: no sign of life of the primary. */
  normalHeartbeat: 3,
  /** Votes of others to leave the view expire. */
  svcWindow: 4,
  svcMessage: 5,
  /** A view change that does not end: vote for the next. */
  viewChangeStatus: 6,
  dvcMessage: 7,
  rsvMessage: 8,
  journalRepair: 9,
  /** Backup: no commit progress although there is something to commit: ask for a start_view. */
  repairSync: 10,
  blockRepair: 11,
  /** Primary: a read index round that was not confirmed. */
  readIndex: 12,
} as const;
export const TIMER_COUNT = 13;

const MS = 1_000;
/** Microseconds. */
export const TIMEOUT = {
  prepareMin: 250 * MS,
  prepareMax: 4_000 * MS,
  primaryAbdicate: 10_000 * MS,
  commitMessage: 500 * MS,
  /** Base and jitter: a backup votes after 2.5 to 3.5 s of silence. */
  normalHeartbeat: 2_500 * MS,
  normalHeartbeatJitter: 1_000 * MS,
  svcWindow: 5_000 * MS,
  svcMessage: 500 * MS,
  viewChangeStatus: 5_000 * MS,
  dvcMessage: 500 * MS,
  rsvMessage: 1_000 * MS,
  journalRepair: 100 * MS,
  repairSync: 2_000 * MS,
  blockRepair: 100 * MS,
  readIndex: 200 * MS,
  repairRequestExpiry: 500 * MS,
} as const;

export class Timeouts {
  private readonly clock: Clock;
  private readonly rng: Rng;
  private readonly armed = new Uint8Array(TIMER_COUNT);
  private prepareAttempts = 0;

  constructor(clock: Clock, rng: Rng) {
    this.clock = clock;
    this.rng = rng;
  }

  isArmed(timer: number): boolean {
    return this.armed[timer] === 1;
  }

  /** Arms or re-arms. */
  start(timer: number, delayMicros: number): void {
    this.armed[timer] = 1;
    this.clock.arm(timer, micros(delayMicros));
  }

  /** Arms only when not armed: keeps an earlier deadline. */
  ensure(timer: number, delayMicros: number): void {
    if (this.armed[timer] === 0) this.start(timer, delayMicros);
  }

  stop(timer: number): void {
    if (this.armed[timer] === 0) return;
    this.armed[timer] = 0;
    this.clock.disarm(timer);
  }

  stopAll(): void {
    for (let timer = 0; timer < TIMER_COUNT; timer++) this.stop(timer);
  }

  /** First thing when a timer fires: it is no longer armed. */
  fired(timer: number): void {
    assert(this.armed[timer] === 1, 'timeouts: a disarmed timer fired', timer);
    this.armed[timer] = 0;
  }

  /** Uniform in [0.5, 1.5] of `base`. */
  jittered(base: number): number {
    return (base >> 1) + this.rng.below(base);
  }

  heartbeatDelay(): number {
    return TIMEOUT.normalHeartbeat + this.rng.below(TIMEOUT.normalHeartbeatJitter);
  }

  /** The oldest waiting prepare changed: back to the first interval. */
  resetPrepare(): void {
    this.prepareAttempts = 0;
    this.start(TIMER.prepare, TIMEOUT.prepareMin);
  }

  backOffPrepare(): void {
    this.prepareAttempts = Math.min(this.prepareAttempts + 1, 4);
    const base = Math.min(TIMEOUT.prepareMin << this.prepareAttempts, TIMEOUT.prepareMax);
    this.start(TIMER.prepare, TIMEOUT.prepareMin + this.rng.below(base));
  }
}
