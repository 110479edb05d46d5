/**
 * The tape of a run's decisions: what was lost, torn, delayed, asked for..., each with the identity
 * it is about (who to whom, which command, view and op; which sector, written for the how manieth
 * time) and not with a position in a stream. So a run of changed code can be held to the same
 * decisions, and told apart where it asks for others.
 *
 * Stored by columns, so that like stands beside like and compresses: see `DecisionTape`. A stranger
 * may have written one, so `tapeProblem` looks at every number before anybody uses it.
 */
import { VarintReader, VarintWriter } from './varint.ts';

/** Of a longer run the first so many decisions are kept: as many as a plan may pin. */
export const DECISIONS_MAX = 1_000_000;
export const IDENTITY_WORDS = 6;
const NAMES_MAX = 256;
/** More than any delay or size that a plan may ask for. */
const VALUE_MAX = 1e13;

/** What the numbers mean, by index; '' where a number has no meaning. */
export interface DecisionNames {
  readonly domains: readonly string[];
  readonly families: readonly string[];
  readonly commands: readonly string[];
  /** Nodes below are replicas, the others clients. */
  readonly replicaCount: number;
}

/** The stored form. All columns but `domains` and `families` hold varints (varint.ts). */
export interface DecisionTape {
  /** Decisions of the run: more than `count`, and not exact, when it was too long. */
  readonly total: number;
  /** Decisions on the tape. */
  readonly count: number;
  /** Identities that they are about. */
  readonly identityCount: number;
  readonly names: DecisionNames;
  /** By decision: events since the decision before. Event 0 is the time before the first event. */
  readonly events: Uint8Array;
  /** By decision, a byte each: what is decided. */
  readonly domains: Uint8Array;
  /** By decision: 1 of a chance that came true; else what was drawn. */
  readonly values: Uint8Array;
  /** By decision: 0 for the next new identity, else how many identities back from it. */
  readonly identities: Uint8Array;
  /** By identity, a byte each. */
  readonly families: Uint8Array;
  /** Six columns by identity: signed distances from the word of the family's identity before. */
  readonly words: readonly Uint8Array[];
  /** By identity: 0, or one more than the number of the copy. */
  readonly copies: Uint8Array;
  /** By identity: 0 for the whole, else which part of it. */
  readonly parts: Uint8Array;
}

/** The same, unpacked. */
export interface DecisionColumns {
  readonly events: Uint32Array;
  readonly domains: Uint8Array;
  readonly values: Float64Array;
  /** Index into the columns below. */
  readonly identities: Uint32Array;
  readonly families: Uint8Array;
  readonly words: readonly Uint32Array[];
  readonly copies: Uint32Array;
  readonly parts: Uint32Array;
}

/** One decision, for people and programs. */
export interface Decision {
  /** Number of the event that asked; 0: before the first. */
  readonly event: number;
  readonly domain: string;
  readonly value: number;
  readonly identity: Identity;
}

export interface Identity {
  /** Number of the family; its name is in `DecisionNames`. */
  readonly family: number;
  /** Six u32; sim/identity.ts says what they mean in each family. */
  readonly words: readonly number[];
  /** From 0; null: this kind of thing has no copies. */
  readonly copy: number | null;
  /** 0: the whole. */
  readonly part: number;
}

export function packDecisions(
  columns: DecisionColumns,
  total: number,
  names: DecisionNames,
): DecisionTape {
  const count = columns.domains.length;
  const events = new VarintWriter();
  const values = new VarintWriter();
  const identities = new VarintWriter();
  let event = 0;
  let fresh = 0;
  for (let i = 0; i < count; i++) {
    events.add((columns.events[i] as number) - event);
    event = columns.events[i] as number;
    values.add(columns.values[i] as number);
    const identity = columns.identities[i] as number;
    identities.add(fresh - identity);
    if (identity === fresh) fresh++;
  }
  const { families } = columns;
  return {
    total,
    count,
    identityCount: families.length,
    names,
    events: events.bytes(),
    domains: columns.domains,
    values: values.bytes(),
    identities: identities.bytes(),
    families,
    words: columns.words.map((words) => {
      const before = new Uint32Array(256);
      const packed = new VarintWriter();
      families.forEach((family, i) => {
        packed.addSigned(((words[i] as number) - (before[family] as number)) | 0);
        before[family] = words[i] as number;
      });
      return packed.bytes();
    }),
    copies: varints(columns.copies),
    parts: varints(columns.parts),
  };
}

function varints(values: Uint32Array): Uint8Array {
  const packed = new VarintWriter();
  for (const value of values) packed.add(value);
  return packed.bytes();
}

/** Requires that `tapeProblem` said null. */
export function unpackDecisions(tape: DecisionTape): DecisionColumns {
  const unpacked = unpack(tape);
  if (typeof unpacked === 'string') throw new RangeError(`decision tape: ${unpacked}`);
  return unpacked;
}

/** Each decision in the order in which they were asked. */
export function* readDecisions(tape: DecisionTape): Generator<Decision> {
  const columns = unpackDecisions(tape);
  for (let i = 0; i < tape.count; i++) yield decisionAt(columns, tape.names, i);
}

export function decisionAt(columns: DecisionColumns, names: DecisionNames, index: number): Decision {
  const domain = columns.domains[index] as number;
  const at = columns.identities[index] as number;
  const copy = columns.copies[at] as number;
  return {
    event: columns.events[index] as number,
    domain: names.domains[domain] as string,
    value: columns.values[index] as number,
    identity: {
      family: columns.families[at] as number,
      words: columns.words.map((words) => words[at] as number),
      copy: copy === 0 ? null : copy - 1,
      part: columns.parts[at] as number,
    },
  };
}

/**
 * The first thing wrong with a tape whose fields have the right types, or null. `events` is the
 * number of events of the run. Takes memory in proportion to the bytes of the columns, no more.
 */
export function tapeProblem(tape: DecisionTape, events: number): string | null {
  const unpacked = unpack(tape);
  if (typeof unpacked === 'string') return unpacked;
  const last = unpacked.events.at(-1) ?? 0;
  return last > events ? `a decision at event ${last} of ${events}` : null;
}

function unpack(tape: DecisionTape): DecisionColumns | string {
  const { count, identityCount, names } = tape;
  if (count > DECISIONS_MAX) return `claims ${count} decisions; at most ${DECISIONS_MAX} are accepted`;
  if (tape.domains.byteLength !== count) return '"domains" is not one byte a decision';
  if (tape.families.byteLength !== identityCount) return '"families" is not one byte an identity';
  if (identityCount > count) return 'more identities than decisions';
  if (tape.total < count) return 'less decisions in all than on the tape';
  if (tape.words.length !== IDENTITY_WORDS) return `"words" must be ${IDENTITY_WORDS} columns`;
  for (const list of [names.domains, names.families, names.commands]) {
    if (list.length > NAMES_MAX) return `more than ${NAMES_MAX} names of one kind`;
  }
  for (const domain of tape.domains) {
    if ((names.domains[domain] ?? '') === '') return `domain ${domain} has no name`;
  }
  const words: Uint32Array[] = [];
  for (const column of tape.words) {
    const unpacked = unpackWords(column, tape.families);
    if (unpacked === null) return '"words" are not one number an identity';
    words.push(unpacked);
  }
  const events = unpackSums(tape.events, count);
  if (events === null) return '"events" is not one number a decision';
  const values = unpackNumbers(tape.values, new Float64Array(count), VALUE_MAX);
  if (values === null) return '"values" is not one number a decision, up to 10^13';
  const identities = unpackIdentities(tape.identities, count, identityCount);
  if (identities === null) return '"identities" names one that is not there';
  const copies = unpackNumbers(tape.copies, new Uint32Array(identityCount), 0xffff_ffff);
  const parts = unpackNumbers(tape.parts, new Uint32Array(identityCount), 0xffff_ffff);
  if (copies === null || parts === null) return '"copies" or "parts" is not one number an identity';
  return {
    events,
    domains: tape.domains,
    values,
    identities,
    families: tape.families,
    words,
    copies,
    parts,
  };
}

function unpackNumbers<T extends Uint32Array | Float64Array>(
  bytes: Uint8Array,
  into: T,
  max: number,
): T | null {
  const reader = new VarintReader(bytes);
  for (let i = 0; i < into.length; i++) {
    const value = reader.next();
    if (value < 0 || value > max) return null;
    into[i] = value;
  }
  return reader.ended ? into : null;
}

function unpackSums(bytes: Uint8Array, count: number): Uint32Array | null {
  const sums = unpackNumbers(bytes, new Uint32Array(count), 0xffff_ffff);
  let sum = 0;
  for (let i = 0; sums !== null && i < count; i++) {
    sum += sums[i] as number;
    if (sum > 0xffff_ffff) return null;
    sums[i] = sum;
  }
  return sums;
}

function unpackIdentities(bytes: Uint8Array, count: number, identityCount: number): Uint32Array | null {
  const identities = unpackNumbers(bytes, new Uint32Array(count), 0xffff_ffff);
  if (identities === null) return null;
  let fresh = 0;
  for (let i = 0; i < count; i++) {
    const back = identities[i] as number;
    if (back > fresh) return null;
    identities[i] = fresh - back;
    if (back === 0) fresh++;
  }
  return fresh === identityCount ? identities : null;
}

function unpackWords(bytes: Uint8Array, families: Uint8Array): Uint32Array | null {
  const reader = new VarintReader(bytes);
  const before = new Uint32Array(256);
  const words = new Uint32Array(families.length);
  for (let i = 0; i < families.length; i++) {
    const distance = reader.nextSigned();
    if (Number.isNaN(distance)) return null;
    const family = families[i] as number;
    words[i] = (before[family] as number) + distance;
    before[family] = words[i] as number;
  }
  return reader.ended ? words : null;
}
