/**
 * What each journal slot holds after a restart, decided from its redundant header R and its
 * prepare B. Pure: a table of sixteen cases of which exactly one applies, the torn-write
 * refinement, and the filter by view. Source: reference "vsr" 7.4, 7.5.
 *
 * "Faulty" and "never had it" are kept apart throughout: only the second may ever help to discard
 * an op, so whatever is in doubt is faulty.
 */
import { assert } from '../assert.ts';
import { HEADER_SIZE } from '../constants.ts';
import { epochOf, opOf, viewOf } from '../message/header.ts';
import { type Region } from '../message/region.ts';
import { isEntry } from './formatted_headers.ts';

/** What was read at one place of a slot. */
export const FOUND = {
  /** Unreadable, or a checksum is wrong. */
  bad: 0,
  reserved: 1,
  entry: 2,
  /** The header is whole, but belongs to another slot, cluster or command: misdirected I/O. */
  foreign: 3,
} as const;
export type Found = (typeof FOUND)[keyof typeof FOUND];

export const RECOVERY_CASE = {
  A: 0, B: 1, C: 2, D: 3, E: 4, F: 5, G: 6, H: 7,
  I: 8, J: 9, K: 10, L: 11, M: 12, N: 13, O: 14, P: 15,
} as const;
export type RecoveryCase = (typeof RECOVERY_CASE)[keyof typeof RECOVERY_CASE];
export const RECOVERY_CASE_COUNT = 16;

export function recoveryCaseName(recoveryCase: number): string {
  return String.fromCharCode(65 + recoveryCase);
}

/**
 * clean, nil: as it is. fix: trust B, rewrite R. faulty: something is lost, perhaps what we
 * acknowledged. cut: above every op we can have acknowledged, forget it. fatal: nobody else has
 * it, refuse to start. impossible: a single replica cannot have written this.
 */
export type RecoveryDecision = 'clean' | 'nil' | 'fix' | 'faulty' | 'cut' | 'fatal' | 'impossible';

//                                         A         B         C         D
const DECISIONS_MANY: readonly RecoveryDecision[] = [
  'faulty', 'faulty', 'faulty', 'faulty',
  // E       F      G      H
  'faulty', 'fix', 'fix', 'cut',
  // I    J      K         L
  'cut', 'cut', 'faulty', 'nil',
  // M    N         O         P
  'fix', 'faulty', 'faulty', 'clean',
];
const DECISIONS_SOLO: readonly RecoveryDecision[] = [
  // A      B        C        D
  'fatal', 'fatal', 'fatal', 'fix',
  // E    F      G      H
  'fix', 'fix', 'fix', 'impossible',
  // I           J             K        L
  'impossible', 'impossible', 'fatal', 'nil',
  // M    N        O        P
  'fix', 'fatal', 'fatal', 'clean',
];

export function recoveryDecision(recoveryCase: number, solo: boolean): RecoveryDecision {
  const decision = (solo ? DECISIONS_SOLO : DECISIONS_MANY)[recoveryCase];
  assert(decision !== undefined, 'recovery: case', recoveryCase);
  return decision;
}

/**
 * `rOp`, `bOp` matter only for entries. `equal`: both are entries with one checksum. `top`: the
 * highest op of all entries, R or B, of the journal. The order of the tests follows the table.
 */
export function recoveryCase(
  r: Found,
  rOp: number,
  b: Found,
  bOp: number,
  equal: boolean,
  top: number,
  prepareMax: number,
): RecoveryCase {
  const rBad = r === FOUND.bad || r === FOUND.foreign;
  if (b === FOUND.bad || b === FOUND.foreign) {
    if (rBad) return RECOVERY_CASE.A;
    return r === FOUND.reserved ? RECOVERY_CASE.B : RECOVERY_CASE.C;
  }
  if (b === FOUND.reserved) {
    if (rBad) return RECOVERY_CASE.D;
    if (r === FOUND.reserved) return RECOVERY_CASE.L;
    return rOp > prepareMax ? RECOVERY_CASE.J : RECOVERY_CASE.K;
  }
  if (bOp > prepareMax) return RECOVERY_CASE.H;
  if (rBad) return bOp === top ? RECOVERY_CASE.F : RECOVERY_CASE.E;
  if (r === FOUND.reserved) return RECOVERY_CASE.G;
  if (rOp > prepareMax) return RECOVERY_CASE.I;
  if (rOp < bOp) return RECOVERY_CASE.M;
  if (rOp > bOp) return RECOVERY_CASE.N;
  return equal ? RECOVERY_CASE.P : RECOVERY_CASE.O;
}

export interface TornQuestion {
  /** A `RecoveryCase` a slot. */
  readonly cases: Uint8Array;
  /** What each slot's prepare was: bad and foreign are one row of the table, but not one here. */
  readonly prepareFound: Uint8Array;
  readonly checkpointOp: number;
  readonly prepareMax: number;
  readonly top: number;
  /** The most prepare writes that can have been in flight. */
  readonly writesMax: number;
}

export const TORN_CANCELLED = -1;

/**
 * Marks in `torn` the slots whose prepare was being written at the crash, and returns their
 * count: such a write never completed, so it was never acknowledged, and the slot may become
 * reserved and clean. Without this every power loss would leave the head uncertain.
 *
 * It holds only where the head is certain otherwise: among the slots of the ops after `top`, up
 * to `prepareMax`, every fault must be of the form "R whole and older, B with a bad checksum"
 * (cases B and C), and there are no more of them than writes in flight. Anything else there may
 * have been an op that we acknowledged: `TORN_CANCELLED`, and nothing is marked.
 *
 * Departure: the reference lets a reserved R cancel, since a slot found faulty may have been
 * written as reserved later. Here a faulty slot is always written with an invalid checksum, so a
 * reserved R proves as much as one of an older lap. And it is the common form: R is reserved all
 * through the first lap, and whenever a neighbour's header was written while the prepare was on
 * its way. Were it to cancel, a power loss could leave a whole cluster without a certain head.
 */
export function findTorn(q: TornQuestion, torn: Uint8Array): number {
  const slots = q.cases.length;
  torn.fill(0);
  if (q.top < q.checkpointOp || q.top >= q.prepareMax) return 0;
  let count = 0;
  for (let op = q.top + 1; op <= q.prepareMax; op++) {
    // A whole ring above the head: the last op would fall on the head's own slot, whose fault is
    // the head's.
    if (op - q.top === slots) break;
    const slot = op % slots;
    const found = q.cases[slot] as RecoveryCase;
    if (recoveryDecision(found, false) !== 'faulty') continue;
    const older = found === RECOVERY_CASE.B || found === RECOVERY_CASE.C;
    if (!older || q.prepareFound[slot] !== FOUND.bad || count === q.writesMax) {
      torn.fill(0);
      return TORN_CANCELLED;
    }
    torn[slot] = 1;
    count++;
  }
  return count;
}

/** Epoch and view in one order, epoch first: reference "vsr" section 0. */
export function ballotOf(epoch: number, view: number): number {
  return epoch * 4_294_967_296 + view;
}

/**
 * May a recovered header of this op and ballot be part of our log? The durable view headers (top
 * op first, blanks allowed) bound the view of every op; a header outside was prepared in a view
 * whose superblock write never finished.
 */
export function viewAllowed(
  op: number,
  ballot: number,
  viewHeaders: Region,
  viewHeadersCount: number,
  logBallot: number,
): boolean {
  assert(viewHeadersCount >= 1, 'recovery: no view headers');
  if (op > opOf(viewHeaders, 0)) return ballot === logBallot;
  let above = Number.POSITIVE_INFINITY; // Ballot of the nearest listed header above `op`.
  for (let i = 0; i < viewHeadersCount; i++) {
    const at = i * HEADER_SIZE;
    if (!isEntry(viewHeaders, at)) continue;
    const listed = ballotOf(epochOf(viewHeaders, at), viewOf(viewHeaders, at));
    const listedOp = opOf(viewHeaders, at);
    if (listedOp === op) return ballot === listed;
    if (listedOp < op) return ballot >= listed && ballot <= above;
    above = listed;
  }
  return ballot <= above;
}
