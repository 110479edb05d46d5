/**
 * What a benchmark says: named figures with units, the conditions under which they were measured,
 * and for comparisons the ratio. A figure is the median of its repetitions.
 */

export interface Figure {
  readonly part: string;
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** The aim, where there is one: `value` should be at least (or at most) this. */
  readonly goal?: { readonly atLeast: number } | { readonly atMost: number };
  /** How it was measured, in a few words. */
  readonly note?: string;
}

/** A part that could not run, and what would let it. */
export interface Skipped {
  readonly part: string;
  readonly reason: string;
}

export type Measurement = Figure | Skipped;

export function isSkipped(measurement: Measurement): measurement is Skipped {
  return 'reason' in measurement;
}

/** Of an odd number of repetitions the middle one; of an even number the lower of the two. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[(sorted.length - 1) >> 1] ?? Number.NaN;
}

/** The repetition whose `key` is the median: its other figures belong together with it. */
export function medianBy<T>(runs: readonly T[], key: (run: T) => number): T {
  const sorted = [...runs].sort((a, b) => key(a) - key(b));
  const middle = sorted[(sorted.length - 1) >> 1];
  if (middle === undefined) throw new Error('no repetitions');
  return middle;
}

/** Smallest sample that at least `share` of all samples do not exceed. `sorted` ascending. */
export function percentile(sorted: Float64Array, share: number): number {
  if (sorted.length === 0) return Number.NaN;
  const index = Math.ceil(sorted.length * share) - 1;
  return sorted[Math.min(Math.max(index, 0), sorted.length - 1)] as number;
}

export function figureLine(figure: Figure): string {
  const { part, name, unit, note } = figure;
  const value = `${grouped(figure.value)}${unit === '' ? '' : ` ${unit}`}`;
  const verdict = figure.goal === undefined ? '' : goalText(figure.value, figure.goal);
  const remark = note === undefined ? '' : `  (${note})`;
  return `${part.padEnd(9)} ${name.padEnd(48)} ${value.padStart(18)}${verdict}${remark}`;
}

function goalText(value: number, goal: NonNullable<Figure['goal']>): string {
  const [met, text] =
    'atLeast' in goal
      ? [value >= goal.atLeast, `at least ${grouped(goal.atLeast)}`]
      : [value <= goal.atMost, `at most ${grouped(goal.atMost)}`];
  return met ? `  goal ${text}: met` : `  goal ${text}: MISSED`;
}

/** Three significant digits below a thousand, whole above, thousands set apart. */
export function grouped(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const text = Math.abs(value) >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
  return text.replace(/\B(?=(\d{3})+$)/g, value >= 1000 ? ',' : '');
}
