/**
 * do_view_change: what a replica claims of its log, entry by entry, and how the elected primary
 * chooses the log from a quorum of claims: by log_view, and discarding an op only on a nack quorum.
 * Source: reference "vsr" 6.3 to 6.5.
 */
import { CANARY, canaryIs } from '../canary.ts';
import { HEADER_SIZE, RECONFIG_SIZE } from '../constants.ts';
import { AT, COMMAND, opOf, replicaOf, setOp, viewOf } from '../message/header.ts';
import { type Message } from '../message/pool.ts';
import { copyWords, equalWords, readU64, writeU64, zeroWords, type Region } from '../message/region.ts';
import { defineProbe } from '../probe.ts';
import { saturatingSub } from '../units.ts';
import { type Replica } from './replica.ts';
import { TIMEOUT, TIMER } from './timeouts.ts';
import { install } from './view_change.ts';
import { isBlank } from './view_headers.ts';

const opDiscarded = defineProbe('view change: uncommitted op discarded by nacks');
const undecided = defineProbe('view change: waited for more do_view_change to decide an op');
const supersededSeen = defineProbe('view change: a superseded log was outvoted');
const disagreement = defineProbe('view change: equal log views disagree on a header');

/** Body offset of the headers of do_view_change. */
export const DVC_HEADERS = HEADER_SIZE + RECONFIG_SIZE;

export function onDvcMessageTimeout(r: Replica): void {
  if (r.status !== 'view_change' || r.dvcQuorum) return;
  sendDoViewChange(r);
  r.timeouts.start(TIMER.dvcMessage, TIMEOUT.dvcMessage);
}

export function sendDoViewChange(r: Replica): void {
  const count = r.viewHeadersCount;
  const list = r.viewHeaders;
  const top = opOf(list, 0);
  const m = r.createMessage(COMMAND.doViewChange, RECONFIG_SIZE + count * HEADER_SIZE);
  zeroWords(m, HEADER_SIZE, RECONFIG_SIZE);
  copyWords(list, 0, m, DVC_HEADERS, count * HEADER_SIZE);
  setOp(m, top);
  writeU64(m, AT.dvcCommitMin, r.commitMin);
  writeU64(m, AT.dvcCommit, Math.min(r.commitMax, top));
  writeU64(m, AT.dvcCheckpointOp, r.checkpointOp);
  writeU64(m, AT.dvcGeneration, r.superblock.working.generation);
  m.fields.setUint32(AT.dvcLogView, r.logView, true);
  m.fields.setUint16(AT.dvcHeaderCount, count, true);
  for (let i = 0; i < count; i++) {
    const at = i * HEADER_SIZE;
    const op = top - i;
    if (!isBlank(list, at) && isPresent(r, op, list, at)) setBit(m, AT.dvcPresent, i);
    if (isNack(r, op, list, at)) setBit(m, AT.dvcNack, i);
  }
  r.seal(m);
  r.sendToOthers(m);
  r.send(r.replicaIndex, m);
  m.unref();
}

/** Exactly this body is here: on disk, being written, or cached. */
function isPresent(r: Replica, op: number, list: Region, at: number): boolean {
  return (
    r.journal.hasPrepareOnDisk(op, list, at + AT.checksum) ||
    r.journal.isWriting(op, list, at + AT.checksum) ||
    r.cache.find(op, list, at + AT.checksum) !== null
  );
}

/** "I certainly did not acknowledge this prepare in my log_view": the table of 6.3. */
function isNack(r: Replica, op: number, list: Region, at: number): boolean {
  if (op > r.prepareMax) return true; // Past our window: never written, so never acknowledged.
  const have = r.journal.headerAt(op);
  if (have === -1) return !r.journal.isFaulty(op);
  if (isBlank(list, at)) return false;
  if (!equalWords(r.journal.headers, have + AT.checksum, list, at + AT.checksum, 32)) return true;
  return r.journal.isDirty(op) && !r.journal.isFaulty(op);
}

export function onDoViewChange(r: Replica, message: Message): void {
  if (r.status !== 'view_change') return r.ignore(message, 'status');
  if (viewOf(message) !== r.view) return r.ignore(message, 'other view');
  if (!r.isPrimary) return r.ignore(message, 'not primary');
  if (r.dvcQuorum) return r.ignore(message, 'elected already');
  const from = replicaOf(message);
  const old = r.dvcs[from] as Message | null;
  if (old !== null && !sameList(old, message)) return r.ignore(message, 'changed its list');
  if (old !== null) old.unref();
  r.dvcs[from] = message.ref();
  evaluateQuorum(r);
}

function sameList(a: Message, b: Message): boolean {
  const count = dvcCount(a);
  if (count !== dvcCount(b) || dvcLogView(a) !== dvcLogView(b)) return false;
  return equalWords(a, DVC_HEADERS, b, DVC_HEADERS, count * HEADER_SIZE);
}

/** Section 6.5: which log the quorum fixes, or that more must be heard. */
function evaluateQuorum(r: Replica): void {
  let count = 0;
  for (const dvc of r.dvcs) if (dvc !== null) count++;
  if (count < r.quorums.viewChange || r.dvcs[r.replicaIndex] === null) return;

  let logView = 0;
  for (const dvc of r.dvcs) if (dvc !== null) logView = Math.max(logView, dvcLogView(dvc));
  if (canaryIs(CANARY.viewChangeLongestLog)) {
    let longest = -1;
    for (const dvc of r.dvcs) {
      if (dvc !== null && opOf(dvc) > longest) {
        longest = opOf(dvc);
        logView = dvcLogView(dvc);
      }
    }
  }
  let opMax = 0;
  let opMin = 0;
  for (const dvc of r.dvcs) {
    if (dvc === null) continue;
    if (dvcLogView(dvc) === logView) opMax = Math.max(opMax, opOf(dvc));
    else supersededSeen.hits++;
    opMin = Math.max(
      opMin,
      readU64(dvc, AT.dvcCommit),
      readU64(dvc, AT.dvcCommitMin),
      readU64(dvc, DVC_HEADERS + AT.commit),
      saturatingSub(opOf(dvc), r.config.pipelineMax),
    );
  }
  if (!canonicalAgree(r, logView)) {
    disagreement.hits++;
    return; // A broken member: wait for others, or for the next view.
  }
  if (opMin > opMax) {
    // Someone claims a commit that the newest log does not contain.
    if (canaryIs(CANARY.viewChangeLongestLog)) opMin = opMax;
    else return;
  }
  let head = opMax;
  for (let op = opMin; op <= opMax; op++) {
    const verdict = judge(r, op, logView);
    if (verdict === 'keep' || op <= r.commitMin) continue; // What we executed is committed.
    if (verdict === 'discard') {
      if (op === opMin && !canaryIs(CANARY.truncateCommitted)) return; // Committed, yet nacked.
      opDiscarded.hits++;
      head = op - 1;
      break;
    }
    undecided.hits++;
    return; // With everybody heard, only the return of a copy helps.
  }
  install(r, logView, head, Math.min(opMin, head));
}

function canonicalAgree(r: Replica, logView: number): boolean {
  for (let a = 0; a < r.dvcs.length; a++) {
    const first = r.dvcs[a] as Message | null;
    if (first === null || dvcLogView(first) !== logView) continue;
    for (let b = a + 1; b < r.dvcs.length; b++) {
      const second = r.dvcs[b] as Message | null;
      if (second === null || dvcLogView(second) !== logView) continue;
      for (let i = 0; i < dvcCount(first); i++) {
        const at = DVC_HEADERS + i * HEADER_SIZE;
        const other = dvcHeaderAt(second, opOf(first, at));
        if (other === -1 || isBlank(first, at) || isBlank(second, other)) continue;
        if (!equalWords(first, at + AT.checksum, second, other + AT.checksum, 32)) return false;
      }
    }
  }
  return true;
}

type Verdict = 'keep' | 'discard' | 'undecided';

function judge(r: Replica, op: number, logView: number): Verdict {
  const canonical = canonicalHeader(r, op, logView);
  let copies = 0;
  let nacks = 0;
  for (const dvc of r.dvcs) {
    if (dvc === null) continue;
    if (opOf(dvc) < op) {
      nacks++;
      continue;
    }
    const at = dvcHeaderAt(dvc, op);
    if (at === -1) continue; // Below its list: committed there; no statement.
    const i = opOf(dvc) - op;
    const valid = !isBlank(dvc, at);
    const same =
      valid &&
      canonical.message !== null &&
      equalWords(dvc, at + AT.checksum, canonical.message, canonical.at + AT.checksum, 32);
    if (same && hasBit(dvc, AT.dvcPresent, i)) copies++;
    if (hasBit(dvc, AT.dvcNack, i)) nacks++;
    else if (valid && !same) nacks++; // Another header; or superseded, and no canonical one.
  }
  const quorum = canaryIs(CANARY.truncateCommitted) ? 1 : r.quorums.nack;
  if (nacks >= quorum) return 'discard';
  if (canonical.message === null || copies === 0) return 'undecided';
  return 'keep';
}

export interface HeaderRef {
  message: Message | null;
  at: number;
}

/** The valid header at `op` among the DVCs of the chosen log view. */
export function canonicalHeader(r: Replica, op: number, logView: number): HeaderRef {
  for (const dvc of r.dvcs) {
    if (dvc === null || dvcLogView(dvc) !== logView) continue;
    const at = dvcHeaderAt(dvc, op);
    if (at !== -1 && !isBlank(dvc, at)) return { message: dvc, at };
  }
  return { message: null, at: 0 };
}

// --- Fields of do_view_change ---

function dvcLogView(dvc: Message): number {
  return dvc.fields.getUint32(AT.dvcLogView, true);
}

function dvcCount(dvc: Message): number {
  return dvc.fields.getUint16(AT.dvcHeaderCount, true);
}

/** Offset of the entry for `op`, or -1. */
function dvcHeaderAt(dvc: Message, op: number): number {
  const i = opOf(dvc) - op;
  if (i < 0 || i >= dvcCount(dvc)) return -1;
  return DVC_HEADERS + i * HEADER_SIZE;
}

export function hasBit(message: Region, at: number, bit: number): boolean {
  return ((message.bytes[at + (bit >> 3)] as number) & (1 << (bit & 7))) !== 0;
}

function setBit(message: Region, at: number, bit: number): void {
  const i = at + (bit >> 3);
  message.bytes[i] = (message.bytes[i] as number) | (1 << (bit & 7));
}
