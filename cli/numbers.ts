/** Numbers as options and as text. */
import { InvalidArgumentError } from 'commander';

/** A parser for commander: a whole number in min..max, decimal digits (`_` and `,` may group). */
export function wholeNumber(min: number, max = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = /^\d[\d_,]*$/.test(text) ? Number(text.replaceAll(/[_,]/g, '')) : Number.NaN;
    if (!Number.isSafeInteger(value) || value < min || value > max) {
      const range = max === Number.MAX_SAFE_INTEGER ? `at least ${min}` : `from ${min} to ${max}`;
      throw new InvalidArgumentError(`It must be a whole number, ${range}.`);
    }
    return value;
  };
}

/** Both ends included. */
export type NumberRange = readonly [from: number, to: number];

/** A parser for `A..B`, `A..` and `..B` of whole numbers. */
export function parseRange(text: string): NumberRange {
  return rangeOf(text, 'whole numbers, such as 100..200, 100.. or ..200', /^\d[\d_,]*$/, (end) =>
    Number(end.replaceAll(/[_,]/g, '')),
  );
}

/** The same of seconds, fractions allowed, to whole microseconds. */
export function parseTimeRange(text: string): NumberRange {
  return rangeOf(text, 'seconds, such as 1.5..2, 1.5.. or ..2', /^\d+(\.\d+)?$/, (end) =>
    Math.round(Number(end) * 1e6),
  );
}

function rangeOf(
  text: string,
  what: string,
  shape: RegExp,
  valueOf: (end: string) => number,
): NumberRange {
  const ends = /^(.*?)\.\.(?!\.)(.*)$/.exec(text);
  const [first, last] = [ends?.[1] ?? '', ends?.[2] ?? ''];
  const from = first === '' ? 0 : shape.test(first) ? valueOf(first) : Number.NaN;
  const to = last === '' ? Number.MAX_SAFE_INTEGER : shape.test(last) ? valueOf(last) : Number.NaN;
  if (ends === null || (first === '' && last === '') || !(from <= to && to <= Number.MAX_SAFE_INTEGER)) {
    throw new InvalidArgumentError(`It must be a range of ${what}.`);
  }
  return [from, to];
}

/** Seconds, fractions allowed, to whole microseconds. */
export function parseSeconds(text: string): number {
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!(seconds > 0 && seconds <= 1e9)) {
    throw new InvalidArgumentError('It must be a number of seconds above 0, such as 20 or 0.5.');
  }
  return Math.max(1, Math.round(seconds * 1e6));
}

/** 1234567 -> `1,234,567`, whatever the machine's locale. */
export function grouped(value: number): string {
  return String(Math.round(value)).replaceAll(/\B(?=(\d{3})+$)/g, ',');
}

/** 1234567 -> `1.23 M`; three figures are enough for a rate. Below 10,000 all digits. */
export function short(value: number): string {
  if (value >= 10_000) {
    for (const [unit, size] of UNITS) {
      if (value >= size) return `${(value / size).toPrecision(3)} ${unit}`;
    }
  }
  return value >= 100 || Number.isInteger(value) ? value.toFixed(0) : value.toPrecision(2);
}
const UNITS: readonly [string, number][] = [['G', 1e9], ['M', 1e6], ['k', 1e3]];

/** Seconds -> `7 s`, `3 min 20 s`, `2 h 5 min`. */
export function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** `a`, `a and b`, `a, b and c`. */
export function listed(items: readonly (string | number)[]): string {
  if (items.length <= 1) return items.join('');
  return `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`;
}

/** `1 seed`, `2 seeds`. */
export function counted(value: number, noun: string): string {
  return `${grouped(value)} ${noun}${value === 1 ? '' : 's'}`;
}
