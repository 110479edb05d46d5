/**
 * Checks of JSON that anyone may have written: each says what is wrong with a value, in words that
 * follow its name, and where in it. Fields that no check names are left alone.
 */

/** Returns what is wrong with a value, or null; the words follow its name. */
export type Check = (value: unknown) => string | null;

export const text: Check = (value) => (typeof value === 'string' ? null : 'must be text');
export const flag: Check = (value) => (typeof value === 'boolean' ? null : 'must be true or false');
export const time: Check = (value) =>
  typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(value) &&
  !Number.isNaN(Date.parse(value))
    ? null
    : 'must be a time in UTC';
export const whole = (min: number): Check => (value) =>
  Number.isSafeInteger(value) && (value as number) >= min ? null : `must be a whole number, at least ${min}`;
export const amount: Check = (value) =>
  typeof value === 'number' && value >= 0 && Number.isFinite(value) ? null : 'must be a number, at least 0';
export const digest: Check = (value) =>
  typeof value === 'string' && /^[0-9a-f]{32}$/.test(value) ? null : 'must be 32 hexadecimal digits';

export function orNull(check: Check): Check {
  return (value) => (value === null ? null : check(value));
}

export function optional(check: Check): Check {
  return (value) => (value === undefined ? null : check(value));
}

export function list(check: Check): Check {
  return (value) => {
    if (!Array.isArray(value)) return 'must be a list';
    for (let i = 0; i < value.length; i++) {
      const problem = check(value[i]);
      if (problem !== null) return nested(`[${i}]`, problem);
    }
    return null;
  };
}

export const counts: Check = (value) => {
  if (!isMap(value)) return 'must be a map';
  for (const key of Object.keys(value)) {
    const problem = amount(value[key]);
    if (problem !== null) return nested(`.${key}`, problem);
  }
  return null;
};

export function map(fields: Readonly<Record<string, Check>>): Check {
  return (value) => {
    if (!isMap(value)) return 'must be a map';
    for (const key of Object.keys(fields)) {
      const problem = (fields[key] as Check)(value[key]);
      if (problem !== null) return nested(`.${key}`, problem);
    }
    return null;
  };
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `.a` and `.b must be text` -> `.a.b must be text`. */
function nested(step: string, problem: string): string {
  return /^[.[]/.test(problem) ? `${step}${problem}` : `${step} ${problem}`;
}

/** `.seeds.first must be text` -> `"seeds.first" must be text`; `root` stands for the whole. */
export function inWords(problem: string, root: string): string {
  const match = /^\.(.+?) (must .*)$/.exec(problem);
  return match === null ? `${root} ${problem}` : `"${match[1]}" ${match[2]}`;
}
