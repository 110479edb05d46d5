/**
 * The Clock port on the system's clocks. All timers share one `setTimeout`, armed for the earliest
 * deadline; arming and disarming are stores into a table, since most timers of a busy process are
 * re-armed or disarmed long before they are due.
 *
 * Timers that are due together fire in the order of their numbers.
 */
import { assert } from '../core/assert.ts';
import { type Clock } from '../core/ports.ts';
import { type Micros } from '../core/units.ts';

export interface TimerHandler {
  onTimer(timer: number): void;
}

const NEVER = Number.POSITIVE_INFINITY;
/** `setTimeout` takes no more than 2^31 - 1 ms; a longer wait is taken in steps. */
const SLEEP_MILLIS_MAX = 0x7fff_ffff;

export class SystemClock implements Clock {
  private handler: TimerHandler | null = null;
  /** Deadline in monotonic micros, or NEVER, by timer. */
  private deadlines = new Float64Array(64).fill(NEVER);
  /** Timers in use are below this. */
  private timerCount = 0;
  private sleeper: NodeJS.Timeout | null = null;
  /** When the sleeper wakes; NEVER when there is none. */
  private wakesAt = NEVER;
  private last = 0;
  private readonly wake = (): void => this.onWake();

  /** Must be called before the first timer is due. */
  attach(handler: TimerHandler): void {
    this.handler = handler;
  }

  monotonic(): Micros {
    const now = Math.floor(performance.now() * 1000);
    if (now > this.last) this.last = now;
    return this.last as Micros;
  }

  wall(): Micros {
    return (Date.now() * 1000) as Micros;
  }

  arm(timer: number, delay: Micros): void {
    assert(Number.isInteger(timer) && timer >= 0, 'clock: timer', timer);
    assert(delay >= 0, 'clock: delay', delay);
    if (timer >= this.deadlines.length) this.grow(timer);
    if (timer >= this.timerCount) this.timerCount = timer + 1;
    const deadline = this.monotonic() + delay;
    this.deadlines[timer] = deadline;
    if (deadline < this.wakesAt) this.sleepUntil(deadline);
  }

  disarm(timer: number): void {
    // The sleeper stays: waking once for nothing is cheaper than two timer calls an operation.
    if (timer < this.timerCount) this.deadlines[timer] = NEVER;
  }

  /** A clock over timers `base..`, for one of many owners that share this one. */
  view(base: number): Clock {
    return new ClockView(this, base);
  }

  /** Disarms everything. */
  close(): void {
    this.deadlines.fill(NEVER);
    if (this.sleeper !== null) clearTimeout(this.sleeper);
    this.sleeper = null;
    this.wakesAt = NEVER;
  }

  private onWake(): void {
    this.sleeper = null;
    this.wakesAt = NEVER;
    const now = this.monotonic();
    assert(this.handler !== null, 'clock: no handler attached');
    // Handlers re-arm; what they arm for "now" waits for the next wake, so this loop ends.
    for (let timer = 0, count = this.timerCount; timer < count; timer++) {
      if ((this.deadlines[timer] as number) > now) continue;
      this.deadlines[timer] = NEVER;
      this.handler.onTimer(timer);
    }
    let earliest = NEVER;
    for (let timer = 0; timer < this.timerCount; timer++) {
      earliest = Math.min(earliest, this.deadlines[timer] as number);
    }
    if (earliest < this.wakesAt) this.sleepUntil(earliest);
  }

  private sleepUntil(deadline: number): void {
    if (this.sleeper !== null) clearTimeout(this.sleeper);
    const millis = Math.ceil((deadline - this.monotonic()) / 1000);
    this.wakesAt = deadline;
    this.sleeper = setTimeout(this.wake, Math.min(Math.max(millis, 0), SLEEP_MILLIS_MAX));
  }

  private grow(timer: number): void {
    const deadlines = new Float64Array(Math.max(timer + 1, this.deadlines.length * 2)).fill(NEVER);
    deadlines.set(this.deadlines);
    this.deadlines = deadlines;
  }
}

class ClockView implements Clock {
  private readonly clock: SystemClock;
  private readonly base: number;
  constructor(clock: SystemClock, base: number) {
    this.clock = clock;
    this.base = base;
  }
  monotonic(): Micros {
    return this.clock.monotonic();
  }
  wall(): Micros {
    return this.clock.wall();
  }
  arm(timer: number, delay: Micros): void {
    this.clock.arm(this.base + timer, delay);
  }
  disarm(timer: number): void {
    this.clock.disarm(this.base + timer);
  }
}
