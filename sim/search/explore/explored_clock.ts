/**
 * The Clock port of an explored node: a set of armed timers, any of which may fire next.
 *
 * How long a timer was set for is forgotten: nodes are as slow and as fast as one likes, so any
 * armed timer may be the first to fire. Who looks at the clock when its timer has fired finds that an
 * hour has passed, longer than every timeout; otherwise time stands still, so that states do not
 * differ by the hour alone. The wall clock never moves: it may do anything, this too.
 */
import { assert } from '../../../core/assert.ts';
import { type Clock } from '../../../core/ports.ts';
import { type Micros } from '../../../core/units.ts';

const HOUR_MICROS = 3_600_000_000;
const WALL_MICROS = 1_767_225_600_000_000;

export class ExploredClock implements Clock {
  /** Hours that passed since the process began. */
  hours = 0;
  private fired = false;
  /** Bit per timer. */
  armed = 0;

  monotonic(): Micros {
    if (this.fired) this.hours++;
    this.fired = false;
    return ((1 + this.hours) * HOUR_MICROS) as Micros;
  }

  wall(): Micros {
    return WALL_MICROS as Micros;
  }

  arm(timer: number, _delay: Micros): void {
    assert(timer >= 0 && timer < 31, 'clock: timer', timer);
    this.armed |= 1 << timer;
  }

  disarm(timer: number): void {
    this.armed &= ~(1 << timer);
  }

  // --- For the explorer ---

  /** The timer fires: should anybody look at the clock before `settle`, an hour has passed. */
  fire(timer: number): void {
    assert((this.armed & (1 << timer)) !== 0, 'clock: fired, not armed', timer);
    this.disarm(timer);
    this.fired = true;
  }

  settle(): void {
    this.fired = false;
  }

  /** A new process. */
  reset(): void {
    this.hours = 0;
    this.fired = false;
    this.armed = 0;
  }
}
