/** Points in time as people write them: `2026-11-22`, `2026-11-22T06:00Z`, or an age such as `36h`. */
import { InvalidArgumentError } from 'commander';

const MILLIS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** For commander: milliseconds since 1970. Times without a zone are in UTC. */
export function parseSince(text: string): number {
  return sinceTime(text, Date.now());
}

export function sinceTime(text: string, now: number): number {
  const age = /^(\d{1,6})([mhdw])$/.exec(text);
  if (age !== null) return now - Number(age[1]) * (MILLIS[age[2] as string] as number);
  const date = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(Z|[+-]\d\d:\d\d)?)?$/.exec(text);
  const time = date === null ? Number.NaN : Date.parse(`${date[1]}T${date[2] ?? '00:00'}${date[3] ?? 'Z'}`);
  if (Number.isNaN(time)) {
    throw new InvalidArgumentError('It must be a date, 2026-11-22 or 2026-11-22T06:00Z, or an age: 36h, 7d.');
  }
  return time;
}
