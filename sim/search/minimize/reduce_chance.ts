/**
 * Chance taken out of a plan, in two steps. All rates become zero and all latencies the least, and
 * what came true or took longer is pinned: the same run. Then pins are left out.
 */
import { deepFreeze, type PinnedDecision, type Plan } from '../../plan.ts';
import { type Best } from './facts.ts';
import { Edits, OneOf, Subset, type Edit, type Pass } from './pass.ts';
import { isMessageDelay, isStorageDelay, isTaken, madePins } from './pins.ts';
import { withDecisions, withWorkload } from './plan_edits.ts';
import { renumbered } from './renumber.ts';

const NETWORK_RATES = ['lossPpm', 'duplicationPpm', 'corruptionPpm'] as const;
const STORAGE_RATES = ['lostPpm', 'tornPpm', 'garbagePpm'] as const;
const WORKLOAD_RATES = [
  'expectedExactPpm',
  'expectedStalePpm',
  'idempotentPpm',
  'reissuePpm',
  'idlePpm',
] as const;

const zero = (names: readonly string[]): Record<string, number> =>
  Object.fromEntries(names.map((name) => [name, 0]));

const workloadWithout = (plan: Plan, names: readonly string[]): Plan => withWorkload(plan, zero(names));
const networkWithout = (plan: Plan, names: readonly string[]): Plan =>
  deepFreeze({ ...plan, network: { ...plan.network, ...zero(names) } });
const storageWithout = (plan: Plan, names: readonly string[]): Plan =>
  deepFreeze({ ...plan, storage: { ...plan.storage, ...zero(names) } });

export function withoutRates(plan: Plan): Plan {
  const rest = networkWithout(storageWithout(plan, STORAGE_RATES), NETWORK_RATES);
  return workloadWithout(rest, WORKLOAD_RATES);
}

function hasRates({ network, storage, workload }: Plan): boolean {
  return (
    NETWORK_RATES.some((name) => network[name] > 0) ||
    STORAGE_RATES.some((name) => storage[name] > 0) ||
    WORKLOAD_RATES.some((name) => workload[name] > 0)
  );
}

/** No chance at all: everywhere, in one place, of one kind. */
export function fewerRates({ plan }: Best): Pass | null {
  if (!hasRates(plan)) return null;
  const ladders: Edit[][] = [
    [({ plan: now }) => withoutRates(now)],
    [({ plan: now }) => workloadWithout(now, WORKLOAD_RATES)],
    [({ plan: now }) => networkWithout(now, NETWORK_RATES)],
    [({ plan: now }) => storageWithout(now, STORAGE_RATES)],
  ];
  for (const name of WORKLOAD_RATES) ladders.push([({ plan: now }) => workloadWithout(now, [name])]);
  for (const name of NETWORK_RATES) ladders.push([({ plan: now }) => networkWithout(now, [name])]);
  for (const name of STORAGE_RATES) ladders.push([({ plan: now }) => storageWithout(now, [name])]);
  return new Edits(ladders);
}

/** The same run: what came true does so because the plan says it. */
export function pinnedChances({ plan }: Best): Pass | null {
  if (!hasRates(plan)) return null;
  return new OneOf([
    ({ plan: now, facts }) => {
      const delays = now.decisions.filter(({ domain }) => isDelay(domain));
      return withDecisions(withoutRates(now), [...madePins(facts, now.seedWords, isTaken), ...delays]);
    },
  ]);
}

/** Of what came true, whole kinds first. */
export function neededDomains({ plan }: Best): Pass | null {
  const chances = plan.decisions.filter(({ domain }) => !isDelay(domain));
  const domains = [...new Set(chances.map(({ domain }) => domain))];
  if (domains.length < 2) return null;
  return new Subset(domains, (now, kept) =>
    withDecisions(now, now.decisions.filter(({ domain }) => isDelay(domain) || kept.includes(domain))));
}

export function neededChances(best: Best): Pass | null {
  return neededOf(best, (domain) => !isDelay(domain));
}

export function neededDelays(best: Best): Pass | null {
  return neededOf(best, isDelay);
}

function neededOf({ plan }: Best, wanted: (domain: string) => boolean): Pass | null {
  const pins = plan.decisions.filter(({ domain }) => wanted(domain));
  if (pins.length === 0) return null;
  return new Subset<PinnedDecision>(pins, (now, kept) => {
    const others = now.decisions.filter(({ domain }) => !wanted(domain));
    return withDecisions(now, [...others, ...kept]);
  });
}

const MESSAGE_DELAYS = ['delay', 'duplicateDelay'];
const STORAGE_DELAYS = ['storageDelay'];

function isDelay(domain: string): boolean {
  return MESSAGE_DELAYS.includes(domain) || STORAGE_DELAYS.includes(domain);
}

/** The same run: no latency but the least, and those that were longer said one by one. */
export function pinnedDelays({ plan }: Best): Pass | null {
  const { network, storage } = plan;
  const disks = storage.readMeanMicros > 0 || storage.writeMeanMicros > 0 || storage.syncMeanMicros > 0;
  const ladders: Edit[][] = [];
  if (network.delayMeanMicros > 0) ladders.push([withMessageDelays]);
  if (disks) ladders.push([withStorageDelays]);
  return ladders.length === 0 ? null : new Edits(ladders);
}

function withMessageDelays({ plan, facts }: Best): Plan {
  const others = plan.decisions.filter(({ domain }) => !MESSAGE_DELAYS.includes(domain));
  const delays = madePins(facts, plan.seedWords, isMessageDelay);
  const network = { ...plan.network, delayMeanMicros: 0 };
  return deepFreeze({ ...plan, network, decisions: [...others, ...delays] });
}

function withStorageDelays({ plan, facts }: Best): Plan {
  const others = plan.decisions.filter(({ domain }) => !STORAGE_DELAYS.includes(domain));
  const delays = madePins(facts, plan.seedWords, isStorageDelay);
  const storage = { ...plan.storage, readMeanMicros: 0, writeMeanMicros: 0, syncMeanMicros: 0 };
  return deepFreeze({ ...plan, storage, decisions: [...others, ...delays] });
}

/** Whole hundreds of milliseconds, tens, single ones. */
export function rounderDelays({ plan }: Best): Pass | null {
  const ladders: Edit[][] = [];
  plan.decisions.forEach((pin, i) => {
    if (!isDelay(pin.domain)) return;
    const values = [100_000, 10_000, 1_000, 100]
      .map((unit) => Math.ceil(pin.value / unit) * unit)
      .filter((value, k, all) => value !== pin.value && all.indexOf(value) === k);
    ladders.push(values.map((value) => ({ plan: now }) =>
      withDecisions(now, now.decisions.map((it, k) => (k === i ? { ...it, value } : it)))));
  });
  return ladders.length === 0 ? null : new Edits(ladders);
}

/** Where chance is gone the seed says little, and may as well be 1. */
export function plainSeed({ plan }: Best): Pass | null {
  return plan.seed === '1' ? null : new OneOf([(best) => renumbered(best, { seed: '1' })]);
}
