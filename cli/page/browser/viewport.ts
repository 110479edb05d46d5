/**
 * Which part of the run the lanes show, and where on the canvas it lies. The axis is virtual time,
 * or the number of the event, where idle seconds take no room.
 */
import { type Timeline } from '../timeline.ts';

export type Axis = 'time' | 'events';

/** Micros or events that a whole canvas can show at the least. */
const SPAN_MIN: Readonly<Record<Axis, number>> = { time: 20, events: 8 };

export class Viewport {
  axis: Axis = 'time';
  from = 0;
  to = 1;
  /** Pixels: left edge and width of the plot. */
  left = 0;
  width = 1;
  /** Last micros and last event that are known. */
  private ends: Readonly<Record<Axis, number>> = { time: 1, events: 1 };
  /** Shows all, also as the run grows. */
  private fitted = true;

  /** The run has grown, or another is shown. */
  extend(micros: number, events: number): void {
    this.ends = { time: Math.max(1, micros), events: Math.max(1, events) };
    if (this.fitted) this.fit();
    else this.show(this.from, this.to);
  }

  get end(): number {
    return this.ends[this.axis];
  }

  column(timeline: Timeline): Float64Array {
    return this.axis === 'time' ? timeline.micros : timeline.events;
  }

  x(value: number): number {
    return this.left + ((value - this.from) / (this.to - this.from)) * this.width;
  }

  valueAt(x: number): number {
    return this.from + ((x - this.left) / this.width) * (this.to - this.from);
  }

  fit(): void {
    const margin = this.end * 0.01;
    this.from = -margin;
    this.to = this.end + margin;
    this.fitted = true;
  }

  /** `factor` above 1 shows less; what lies at `x` stays there. */
  zoom(factor: number, x: number): void {
    const at = this.valueAt(x);
    const span = Math.max(SPAN_MIN[this.axis], (this.to - this.from) / factor);
    const share = (x - this.left) / this.width;
    this.show(at - span * share, at + span * (1 - share));
  }

  pan(pixels: number): void {
    const by = (pixels / this.width) * (this.to - this.from);
    this.show(this.from + by, this.to + by);
  }

  /** Shows from..to, moved and cut so that it lies within the run. */
  show(from: number, to: number): void {
    const margin = this.end * 0.01;
    const span = Math.min(to - from, this.end + 2 * margin);
    this.fitted = span >= this.end;
    this.from = Math.min(Math.max(from, -margin), this.end + margin - span);
    this.to = this.from + span;
  }

  /** Moves as little as it takes to have `value` well inside. */
  reveal(value: number): void {
    const span = this.to - this.from;
    const edge = span * 0.08;
    if (value < this.from + edge) this.show(value - span * 0.3, value + span * 0.7);
    else if (value > this.to - edge && this.to < this.end) this.show(value - span * 0.7, value + span * 0.3);
  }

  /** Shows the same events on the other axis. */
  turn(timeline: Timeline): void {
    const first = this.axis === 'time' ? timeline.firstAtTime(this.from) : timeline.firstOfEvent(this.from);
    const last = (this.axis === 'time' ? timeline.firstAtTime(this.to) : timeline.firstOfEvent(this.to)) - 1;
    const all = this.fitted;
    this.axis = this.axis === 'time' ? 'events' : 'time';
    if (all || last < first) return this.fit();
    const column = this.column(timeline);
    const from = column[first] as number;
    const to = column[last] as number;
    const span = Math.max(SPAN_MIN[this.axis], to - from);
    this.show(from - span * 0.02, from + span * 1.02);
  }
}

/** Distances between marks of an axis: 1, 2 or 5 times a power of ten. */
export function axisStep(span: number, marksMax: number): number {
  let step = 1;
  for (let i = 0; step * marksMax < span; i++) step *= i % 3 === 1 ? 2.5 : 2;
  return step;
}
