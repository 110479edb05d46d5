/**
 * Which of the four superblock copies to trust, and in which order to mend the others. Pure.
 *
 * Two equal copies open, three verify a write, so what is read and what was written always meet
 * (2 + 3 > 4). The highest sequence alone proves nothing: a single copy of it may be unreadable
 * tomorrow, after we have acted on it. Source: reference "vsr" 8.3.
 */
import { assert } from '../assert.ts';
import { SUPERBLOCK_COPIES } from '../constants.ts';

export const SUPERBLOCK_OPEN_QUORUM = 2;
export const SUPERBLOCK_VERIFY_QUORUM = 3;

/** What one position of the zone holds. Checksums are hex; fields of an invalid copy mean nothing. */
export interface SuperblockCopy {
  readonly valid: boolean;
  /** The index that the copy claims. Outside its checksum, so it may be anything. */
  readonly copy: number;
  readonly sequence: number;
  readonly checksum: string;
  /** Checksum of the superblock before it. */
  readonly parent: string;
  /** Cluster and replica. */
  readonly identity: string;
  /** Values that never decrease from one sequence to the next, in a fixed order. */
  readonly monotonic: readonly number[];
}

export type SuperblockChoice =
  | {
      readonly kind: 'open';
      /** A position that holds the chosen superblock. */
      readonly position: number;
      /** Positions to overwrite with it, in this order, each with its own index. */
      readonly repairs: readonly number[];
    }
  | { readonly kind: SuperblockProblem };

export type SuperblockProblem =
  /** No valid copy: lost, or never formatted. */
  | 'not-formatted'
  /** Valid copies, but no two alike: what was promised last cannot be known. */
  | 'quorum-lost'
  /** Two contents of one sequence: the file was written by two processes. */
  | 'fork'
  /** A copy more than one update ahead of the newest pair. */
  | 'sequence-gap'
  /** The copy one update behind is not the parent, or knows more than its successor. */
  | 'broken-parent';

interface Group {
  readonly first: number;
  readonly sequence: number;
  readonly checksum: string;
  readonly count: number;
}

/** `copies` by position. */
export function chooseSuperblock(copies: readonly SuperblockCopy[]): SuperblockChoice {
  assert(copies.length === SUPERBLOCK_COPIES, 'superblock: copies', copies.length);
  const groups = groupsOf(copies);
  groups.sort(byTrust);
  const best = groups[0];
  if (best === undefined) return { kind: 'not-formatted' };
  if (best.count < SUPERBLOCK_OPEN_QUORUM) return { kind: 'quorum-lost' };

  const chosen = copies[best.first] as SuperblockCopy;
  for (const group of groups) {
    if (group === best) continue;
    const other = copies[group.first] as SuperblockCopy;
    // A stray copy of another replica's file says nothing of ours; repair overwrites it.
    if (other.identity !== chosen.identity) continue;
    if (other.sequence === chosen.sequence) return { kind: 'fork' };
    if (other.sequence > chosen.sequence + 1) return { kind: 'sequence-gap' };
    if (other.sequence + 1 === chosen.sequence) {
      if (other.checksum !== chosen.parent) return { kind: 'broken-parent' };
      for (let i = 0; i < chosen.monotonic.length; i++) {
        const before = other.monotonic[i] as number;
        if (before > (chosen.monotonic[i] as number)) return { kind: 'broken-parent' };
      }
    }
  }
  return { kind: 'open', position: best.first, repairs: repairOrder(copies, chosen.checksum) };
}

/** The index a copy stands for: what it claims, or its position where the claim is impossible. */
export function copyIndex(copy: SuperblockCopy, position: number): number {
  return copy.copy >= 0 && copy.copy < SUPERBLOCK_COPIES ? copy.copy : position;
}

function groupsOf(copies: readonly SuperblockCopy[]): Group[] {
  const groups: Group[] = [];
  copies.forEach((copy, position) => {
    if (!copy.valid) return;
    if (groups.some((group) => group.checksum === copy.checksum)) return;
    let indices = 0;
    copies.forEach((other, at) => {
      if (other.valid && other.checksum === copy.checksum) indices |= 1 << copyIndex(other, at);
    });
    const { sequence, checksum } = copy;
    groups.push({ first: position, sequence, checksum, count: bitCount(indices) });
  });
  return groups;
}

/** Groups that may open come first, then the newest; the rest makes the order total. */
function byTrust(a: Group, b: Group): number {
  const aOpens = a.count >= SUPERBLOCK_OPEN_QUORUM ? 1 : 0;
  const bOpens = b.count >= SUPERBLOCK_OPEN_QUORUM ? 1 : 0;
  if (aOpens !== bOpens) return bOpens - aOpens;
  if (a.sequence !== b.sequence) return b.sequence - a.sequence;
  if (a.count !== b.count) return b.count - a.count;
  return a.checksum < b.checksum ? 1 : -1;
}

/**
 * A repair may tear. So each step overwrites a position that the quorum does not need: one
 * without the chosen content, else one whose index stands elsewhere too. Only when all four
 * indices are present and merely misplaced may a unique one go: three remain.
 */
function repairOrder(copies: readonly SuperblockCopy[], checksum: string): number[] {
  const EMPTY = -1;
  const held = copies.map((copy, position) =>
    copy.valid && copy.checksum === checksum ? copyIndex(copy, position) : EMPTY,
  );
  // An impossible index is outside the checksum, so it is wrong in place: rewritten at the end.
  const normalise = copies.map(
    (copy, position) => held[position] === position && copy.copy !== position,
  );
  const order: number[] = [];
  const find = (wanted: (index: number, position: number) => boolean): number =>
    held.findIndex(wanted);
  for (;;) {
    let next = find((index, position) => index === EMPTY && !held.includes(position));
    if (next < 0) next = find((index) => index === EMPTY);
    if (next < 0) {
      next = find(
        (index, position) => index !== position && held.some((o, at) => o === index && at !== position),
      );
    }
    if (next < 0) next = find((index, position) => index !== position);
    if (next < 0) break;
    held[next] = next;
    order.push(next);
    normalise[next] = false;
  }
  normalise.forEach((wrong, position) => {
    if (wrong) order.push(position);
  });
  return order;
}

function bitCount(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count++;
  return count;
}
