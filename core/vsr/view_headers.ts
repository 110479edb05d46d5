/**
 * The header list that fixes a log: built from the journal in the form that a do_view_change (DVC)
 * or a start_view (SV) carries. For one log_view a DVC's list never changes once it may have been
 * sent. Source: reference "vsr" 6.3.
 */
import { assert } from '../assert.ts';
import { HEADER_SIZE } from '../constants.ts';
import { AT, COMMAND, commandOf, opOf, setOp } from '../message/header.ts';
import { copyWords, equalWords, zeroWords, type Region } from '../message/region.ts';
import { defineProbe } from '../probe.ts';
import { type Replica } from './replica.ts';

const unlinkedBlanked = defineProbe('do_view_change: unlinked header left out');

/**
 * DVC form: from the head down, at most P + 1 entries, to the first op at or below commitMax. An
 * op whose header is unknown is a blank, which says nothing about the op but its number.
 */
export function buildDoViewChangeHeaders(r: Replica, journalOnly: boolean): void {
  const list = r.viewHeaders;
  const stitched = !journalOnly && r.logView === r.view && r.viewHeadersCount > 0;
  const listTop = stitched ? opOf(list, 0) : 0;
  const top = Math.max(r.op, listTop);
  const next = r.viewHeadersScratch;
  let count = 0;
  for (let op = top; count < r.config.pipelineMax + 1; op--) {
    const at = count * HEADER_SIZE;
    const journalAt = op <= r.op ? r.journal.headerAt(op) : -1;
    const listAt = stitched && journalAt === -1 ? findInList(list, r.viewHeadersCount, op) : -1;
    if (journalAt !== -1) {
      copyWords(r.journal.headers, journalAt, next, at, HEADER_SIZE);
    } else if (listAt !== -1) {
      copyWords(list, listAt, next, at, HEADER_SIZE);
    } else {
      zeroWords(next, at, HEADER_SIZE);
      setOp(next, op, at);
    }
    count++;
    if (op <= r.commitMax || op === 0) break;
  }
  blankUnlinked(next, count);
  copyWords(next, 0, list, 0, count * HEADER_SIZE);
  r.viewHeadersCount = count;
}

function findInList(list: Region, count: number, op: number): number {
  for (let i = 0; i < count; i++) {
    const at = i * HEADER_SIZE;
    if (opOf(list, at) === op && !isBlank(list, at)) return at;
  }
  return -1;
}

/** A blank has no command; a real one is a prepare. */
export function isBlank(list: Region, at: number): boolean {
  return commandOf(list, at) === COMMAND.reserved;
}

/**
 * All valid entries lie on one chain, so that a blank never hides a break. A header below that
 * does not link is a leftover that repair has not replaced yet: it is no claim of ours.
 */
function blankUnlinked(list: Region, count: number): void {
  for (let i = 1; i < count; i++) {
    const at = i * HEADER_SIZE;
    const above = at - HEADER_SIZE;
    if (isBlank(list, at) || isBlank(list, above)) continue;
    if (equalWords(list, above + AT.parent, list, at + AT.checksum, 32)) continue;
    unlinkedBlanked.hits++;
    const op = opOf(list, at);
    zeroWords(list, at, HEADER_SIZE);
    setOp(list, op, at);
  }
}

/** SV form: the newest `max` headers down from the head, as far as they are known. */
export function buildViewHeadersFromJournal(r: Replica, max: number): void {
  if (r.status === 'normal' && r.viewHeadersCount > 0 && opOf(r.viewHeaders, 0) > r.op) {
    return; // The SV's list reaches past our journal's window, and must not regress.
  }
  let count = 0;
  for (let op: number = r.op; count < max; op--) {
    const at = r.journal.headerAt(op);
    if (at === -1) break;
    if (
      count > 0 &&
      !equalWords(
        r.viewHeaders,
        (count - 1) * HEADER_SIZE + AT.parent,
        r.journal.headers,
        at + AT.checksum,
        32,
      )
    ) {
      break;
    }
    copyWords(r.journal.headers, at, r.viewHeaders, count * HEADER_SIZE, HEADER_SIZE);
    count++;
    if (op === 0) break;
  }
  assert(count > 0, 'view headers: no head', r.op);
  r.viewHeadersCount = count;
}
