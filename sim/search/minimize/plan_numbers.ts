/**
 * The numbers of a plan, each with the plain value that it is moved towards, and plainer values on
 * the way: fewer digits that are not zero.
 */
import { deepFreeze, type Plan } from '../../plan.ts';
import {
  PLAIN_CLOCK,
  PLAIN_CONFIG,
  PLAIN_FAULT_MICROS,
  PLAIN_HEAL_MICROS,
  PLAIN_NETWORK,
  PLAIN_STORAGE,
  PLAIN_WORKLOAD,
} from '../../testing/plain_plan.ts';

type Value = number | readonly [number, number];

/** One number, or both ends of a range. */
export interface PlanNumber {
  /** `network.lossPpm` */
  readonly name: string;
  readonly value: Value;
  readonly plain: Value;
  with(plan: Plan, value: Value): Plan;
}

type Section = 'network' | 'storage' | 'workload' | 'config';

const PLAIN: Readonly<Record<Section, object>> = {
  network: PLAIN_NETWORK,
  storage: PLAIN_STORAGE,
  workload: PLAIN_WORKLOAD,
  config: PLAIN_CONFIG,
};

/** Parts of the workload that are no numbers to be made plainer: others look after them. */
const COUNTS: readonly string[] = ['clients', 'operationsPerClient', 'omitted', 'absent'];

/** All that are not plain. */
export function numbersOf(plan: Plan): PlanNumber[] {
  const numbers: PlanNumber[] = [];
  for (const section of ['network', 'storage', 'workload', 'config'] as const) {
    const plain = PLAIN[section] as Readonly<Record<string, Value>>;
    for (const [field, value] of Object.entries(plan[section]) as [string, Value][]) {
      if (COUNTS.includes(field) || same(value, plain[field] as Value)) continue;
      numbers.push({
        name: `${section}.${field}`,
        value,
        plain: plain[field] as Value,
        with: (of, changed) => deepFreeze({ ...of, [section]: { ...of[section], [field]: changed } }),
      });
    }
  }
  plan.clocks.forEach((clock, node) => {
    for (const field of ['offsetMicros', 'driftPpm'] as const) {
      if (clock[field] === PLAIN_CLOCK[field]) continue;
      numbers.push({
        name: `clocks[${node}].${field}`,
        value: clock[field],
        plain: PLAIN_CLOCK[field],
        with: (of, changed) => withClock(of, node, { [field]: changed }),
      });
    }
  });
  for (const [field, plain] of Object.entries(PLAIN_WHOLE)) {
    const value = plan[field as keyof typeof PLAIN_WHOLE];
    if (value === plain) continue;
    numbers.push({
      name: field,
      value,
      plain,
      with: (of, changed) => deepFreeze({ ...of, [field]: changed }),
    });
  }
  if (plan.healAfterEvent !== undefined) {
    numbers.push({
      name: 'healAfterEvent',
      value: plan.healAfterEvent,
      plain: 0,
      with: ({ healAfterEvent: _, ...of }) => deepFreeze(of),
    });
  }
  return numbers;
}

const PLAIN_WHOLE = {
  faultMicros: PLAIN_FAULT_MICROS,
  healMicros: PLAIN_HEAL_MICROS,
  repliesMin: 0,
} as const;

function withClock(plan: Plan, node: number, changed: object): Plan {
  const clocks = plan.clocks.map((clock, i) => (i === node ? { ...clock, ...changed } : clock));
  return deepFreeze({ ...plan, clocks });
}

/** Everything that is a number as plain as can be; fault events and pinned decisions stay. */
export function withPlainNumbers(plan: Plan, sections: readonly string[]): Plan {
  let plainer = plan;
  for (const number of numbersOf(plan)) {
    const section = /^[a-z]+/i.exec(number.name)?.[0] ?? '';
    if (sections.includes(section)) plainer = number.with(plainer, number.plain);
  }
  return plainer;
}

/** All sections that `withPlainNumbers` knows. */
export const SECTIONS: readonly string[] = [
  'network',
  'storage',
  'workload',
  'config',
  'clocks',
  ...Object.keys(PLAIN_WHOLE),
];

/** What to try for this number, the plainest first, without what it is. */
export function plainerValues({ name, value, plain }: PlanNumber): Value[] {
  const values: Value[] = [plain];
  if (typeof value === 'number') {
    // A sector that power loss can take is best always taken, if it must be taken sometimes.
    if (name.startsWith('storage.') && name.endsWith('Ppm')) values.push(1_000_000);
    if (name.startsWith('config.')) return values;
    values.push(...rounded(value));
  } else {
    const [low, high] = value;
    for (const end of [low, high, ...rounded(high), ...rounded(low)]) values.push([end, end]);
  }
  return values.filter((candidate, i) => {
    const first = values.findIndex((other) => same(other, candidate)) === i;
    return first && !same(candidate, value);
  });
}

/** To one digit, then to two, by the nearest; 12,345 becomes 10,000 and 12,000. */
export function rounded(value: number): number[] {
  const size = Math.abs(value);
  const values: number[] = [];
  for (const digits of [1, 2]) {
    let unit = 1;
    while (size / unit >= (digits === 1 ? 10 : 100)) unit *= 10;
    const near = Math.round(size / unit) * unit * Math.sign(value);
    if (near !== value && !values.includes(near)) values.push(near);
  }
  return values;
}

function same(a: Value, b: Value): boolean {
  if (typeof a === 'number' || typeof b === 'number') return a === b;
  return a[0] === b[0] && a[1] === b[1];
}
