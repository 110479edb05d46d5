/**
 * Single decisions by identity. A plan pins keys, which are hashes of seed and identity; the tape of
 * a run that asked for them tells what they are about.
 */
import {
  decisionAt,
  unpackDecisions,
  type DecisionTape,
  type Identity,
} from '../../../bundles/decision_tape.ts';
import { type Seed } from '../../../core/prng.ts';
import { DOMAIN, Decisions, isChance, type DomainName } from '../../decide.ts';
import { DecisionTable } from '../../decision_table.ts';
import { type PinnedDecision, type Plan } from '../../plan.ts';
import { type Facts } from './facts.ts';

type Wanted = (domain: string, value: number) => boolean;

/** It came true. Recorders leave out the others. */
export const isTaken: Wanted = (domain) => isChance(domain);

/** A latency that was longer than the least. */
export const isMessageDelay: Wanted = (domain, value) =>
  value > 0 && (domain === 'delay' || domain === 'duplicateDelay');

export const isStorageDelay: Wanted = (domain, value) => value > 0 && domain === 'storageDelay';

/** What a run decided, of the kinds that are wanted, as pins that force the same. */
export function madePins({ tape }: Facts, seed: Seed, wanted: Wanted): PinnedDecision[] {
  const columns = unpackDecisions(tape);
  const keys = new Decisions(seed, []);
  const pins: PinnedDecision[] = [];
  for (let i = 0; i < tape.count; i++) {
    const value = columns.values[i] as number;
    const domain = tape.names.domains[columns.domains[i] as number] as string;
    if (!wanted(domain, value)) continue;
    pins.push({ domain, key: keys.keyOf(decisionAt(columns, tape.names, i).identity) >>> 0, value });
  }
  return pins;
}

export function countMade(tape: DecisionTape, wanted: Wanted): number {
  const { domains, values } = unpackDecisions(tape);
  let count = 0;
  for (let i = 0; i < tape.count; i++) {
    if (wanted(tape.names.domains[domains[i] as number] as string, values[i] as number)) count++;
  }
  return count;
}

/** Pins that the run asked for; the others change nothing. */
export function usedPins({ decisions, seedWords }: Plan, { tape }: Facts): readonly PinnedDecision[] {
  if (decisions.length === 0) return decisions;
  const asked = askedOf(tape, seedWords);
  return decisions.filter(({ domain, key }) => asked.find(DOMAIN[domain as DomainName], key) >= 0);
}

/**
 * The plan's pins about the same things under other names, for a plan of another seed; without those
 * that the run did not ask for, and those about something that is gone (`rename` says null).
 */
export function renamedPins(
  { decisions, seedWords }: Plan,
  { tape }: Facts,
  seed: Seed,
  rename: (identity: Identity) => Identity | null,
): PinnedDecision[] {
  if (decisions.length === 0) return [];
  const asked = askedOf(tape, seedWords);
  const columns = unpackDecisions(tape);
  const keys = new Decisions(seed, []);
  const pins: PinnedDecision[] = [];
  for (const { domain, key, value } of decisions) {
    const place = asked.find(DOMAIN[domain as DomainName], key);
    if (place < 0) continue;
    const renamed = rename(decisionAt(columns, tape.names, asked.valueAt(place)).identity);
    if (renamed !== null) pins.push({ domain, key: keys.keyOf(renamed) >>> 0, value });
  }
  return pins;
}

/** (domain, key) to the place on the tape. */
function askedOf(tape: DecisionTape, seed: Seed): DecisionTable {
  const columns = unpackDecisions(tape);
  const keys = new Decisions(seed, []);
  const asked = new DecisionTable(tape.count);
  for (let i = 0; i < tape.count; i++) {
    const decision = decisionAt(columns, tape.names, i);
    asked.set(DOMAIN[decision.domain as DomainName], keys.keyOf(decision.identity), i);
  }
  return asked;
}
