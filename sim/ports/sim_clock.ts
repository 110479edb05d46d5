/**
 * One node's clocks. Both run at the node's own rate; the wall clock is also off by an offset and
 * may jump. A timer is an event in the queue: idle time costs nothing, disarming takes it out.
 *
 * All arithmetic is on integers below 2^53, so it is exact on every machine.
 */
import { type Clock } from '../../core/ports.ts';
import { type Micros } from '../../core/units.ts';
import { EVENT } from '../events.ts';
import { type EventQueue } from '../event_queue.ts';
import { type ClockPlan } from '../plan.ts';

/** Wall time at virtual time 0: 2026-01-01T00:00:00Z. */
const EPOCH_MICROS = 1_767_225_600_000_000;
/** A machine has been up for a while when a run begins. */
const UPTIME_MICROS = 3_600_000_000;
const MILLION = 1_000_000;
const TIMERS = 32;
const NOT_ARMED = -1;

/** True virtual time, set by the world alone. */
export interface VirtualTime {
  /** Microseconds since the run began. */
  now: number;
}

export class SimClock implements Clock {
  private readonly time: VirtualTime;
  private readonly queue: EventQueue;
  private readonly node: number;
  readonly driftPpm: number;
  private offset: number;
  /** Event slot by timer. */
  private slots = new Int32Array(TIMERS).fill(NOT_ARMED);

  constructor(time: VirtualTime, queue: EventQueue, node: number, plan: ClockPlan) {
    this.time = time;
    this.queue = queue;
    this.node = node;
    this.driftPpm = plan.driftPpm;
    this.offset = plan.offsetMicros;
  }

  monotonic(): Micros {
    const now = this.time.now;
    return (UPTIME_MICROS + now + Math.floor((now * this.driftPpm) / MILLION)) as Micros;
  }

  wall(): Micros {
    const now = this.time.now;
    const drift = Math.floor((now * this.driftPpm) / MILLION);
    return (EPOCH_MICROS + now + drift + this.offset) as Micros;
  }

  arm(timer: number, delay: Micros): void {
    if (timer >= this.slots.length) this.grow(timer);
    // One microsecond on top: never early by the node's own clock, whatever the rounding.
    const wait =
      this.driftPpm === 0 ? delay : Math.ceil((delay * MILLION) / (MILLION + this.driftPpm)) + 1;
    const at = this.time.now + wait;
    const slot = this.slots[timer] as number;
    if (slot !== NOT_ARMED && this.queue.isQueued(slot)) {
      this.queue.move(slot, at);
    } else {
      this.slots[timer] = this.queue.push(at, EVENT.timer, this.node, timer, 0, 0);
    }
  }

  disarm(timer: number): void {
    if (timer >= this.slots.length) return;
    const slot = this.slots[timer] as number;
    if (slot === NOT_ARMED) return;
    this.slots[timer] = NOT_ARMED;
    this.queue.cancel(slot);
  }

  /** The wall clock's distance from true time, its drift left out. */
  get offsetMicros(): number {
    return this.offset;
  }

  /** In order of timer; `due` is null for one that is held back with its paused process. */
  armed(): { readonly timer: number; readonly due: number | null }[] {
    const timers: { timer: number; due: number | null }[] = [];
    this.slots.forEach((slot, timer) => {
      if (slot === NOT_ARMED) return;
      timers.push({ timer, due: this.queue.isQueued(slot) ? this.queue.timeOf(slot) : null });
    });
    return timers;
  }

  // --- For the world ---

  /** The timer's event came up; it is no longer armed. */
  fired(timer: number): void {
    this.slots[timer] = NOT_ARMED;
  }

  /** The process died. Timers that a pause held back were dropped by their owner. */
  disarmAll(): void {
    for (let timer = 0; timer < this.slots.length; timer++) {
      const slot = this.slots[timer] as number;
      if (slot !== NOT_ARMED && this.queue.isQueued(slot)) this.queue.cancel(slot);
      this.slots[timer] = NOT_ARMED;
    }
  }

  /** The wall clock is set; monotonic time does not notice. */
  jump(byMicros: number): void {
    this.offset += byMicros;
  }

  private grow(timer: number): void {
    const slots = new Int32Array(Math.max(timer + 1, this.slots.length * 2)).fill(NOT_ARMED);
    slots.set(this.slots);
    this.slots = slots;
  }
}
