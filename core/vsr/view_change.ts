/**
 * View change: votes, do_view_change, the choice of the log, start_view (VRR section 4.2).
 *
 * The log is chosen by `log_view`, never by length, and an op is discarded only when a nack
 * quorum certainly never acknowledged it. Adopted ops are not committed by being adopted: the new
 * primary collects fresh acks. Source: reference "vsr" section 6.
 */
import { assert } from '../assert.ts';
import { CANARY, canaryIs } from '../canary.ts';
import {
  CHECKPOINT_STATE_SIZE,
  HEADER_SIZE,
  RECONFIG_SIZE,
  checkpointAfter,
  checkpointDurable,
} from '../constants.ts';
import { AT, COMMAND, commandOf, opOf, replicaOf, setOp, viewOf } from '../message/header.ts';
import { type Message } from '../message/pool.ts';
import {
  copyWords,
  equalWords,
  readU64,
  writeU64,
  zeroWords,
  type Region,
} from '../message/region.ts';
import { defineProbe } from '../probe.ts';
import { CHECKPOINT } from '../storage/checkpoint_state.ts';
import { op as toOp, saturatingSub, view as toView } from '../units.ts';
import { commitLoop } from './commit.ts';
import * as normal from './normal.ts';
import { bitCount } from './pipeline.ts';
import * as reads from './reads.ts';
import * as repair from './repair.ts';
import { type Replica } from './replica.ts';
import * as stateSync from './state_sync.ts';
import { TIMEOUT, TIMER } from './timeouts.ts';

const electionWon = defineProbe('view change: quorum of do_view_change');
const forfeited = defineProbe('view change: forfeited to a replica with a newer checkpoint');
const opDiscarded = defineProbe('view change: uncommitted op discarded by nacks');
const undecided = defineProbe('view change: waited for more do_view_change to decide an op');
const supersededSeen = defineProbe('view change: a superseded log was outvoted');
const disagreement = defineProbe('view change: equal log views disagree on a header');
const staleStartView = defineProbe('start_view: stale copy ignored');
const headUncertainResolved = defineProbe('recovering_head: left by a fresh start_view');
const unlinkedBlanked = defineProbe('do_view_change: unlinked header left out');
const caughtUp = defineProbe('start_view: caught up within the view');
const voteCleared = defineProbe('view change: own vote cleared by a heartbeat');

/** Body offsets of start_view. */
export const SV = {
  checkpoint: HEADER_SIZE,
  reconfig: HEADER_SIZE + CHECKPOINT_STATE_SIZE,
  headers: HEADER_SIZE + CHECKPOINT_STATE_SIZE + RECONFIG_SIZE,
} as const;
/** Body offset of the headers of do_view_change. */
export const DVC_HEADERS = HEADER_SIZE + RECONFIG_SIZE;

// --- Learning of views ---

/** Section 6.2: what a message's view tells before its handler runs. */
export function viewJump(r: Replica, message: Message): void {
  const view = viewOf(message);
  if (view < r.view) return;
  switch (commandOf(message)) {
    case COMMAND.prepare:
    case COMMAND.commit: {
      const missedStart = view === r.view && r.status !== 'normal';
      if (view > r.view || missedStart) sendRequestStartView(r, view);
      return;
    }
    case COMMAND.startViewChange:
    case COMMAND.doViewChange:
    case COMMAND.ping:
    case COMMAND.pong:
      if (view === r.view) return;
      if (r.status === 'recovering_head') sendRequestStartView(r, view);
      else enterViewChange(r, view);
      return;
    default:
  }
}

/** To the primary of `view`; at most one a 20 ms, for every message of that view may ask. */
export function sendRequestStartView(r: Replica, view: number): void {
  const to = r.primaryOf(view);
  if (to === r.replicaIndex) return;
  const now = r.clock.monotonic();
  if (view === r.repairState.startViewAskedView && now < r.repairState.startViewAskedAt + 20_000) return;
  r.repairState.startViewAskedView = view;
  r.repairState.startViewAskedAt = now;
  const message = r.createMessage(COMMAND.requestStartView);
  message.fields.setUint32(AT.view, view, true);
  copyWords(r.nonce, 0, message, AT.nonce, 16);
  r.seal(message);
  r.send(to, message);
  message.unref();
}

// --- Votes ---

export function onHeartbeatTimeout(r: Replica): void {
  assert(r.status === 'normal' && !r.isPrimary, 'heartbeat timeout: status');
  const silence = r.clock.monotonic() - r.lastSignOfLife;
  const patience = TIMEOUT.normalHeartbeat;
  if (silence < patience) {
    r.timeouts.start(TIMER.normalHeartbeat, patience - silence + r.timeouts.jittered(TIMEOUT.journalRepair));
    return;
  }
  r.timeouts.start(TIMER.normalHeartbeat, r.timeouts.heartbeatDelay());
  castStartViewChange(r);
}

/** Votes to leave the current view, and keeps saying so until a heartbeat or a new view. */
export function castStartViewChange(r: Replica): void {
  assert(r.status === 'normal' || r.status === 'view_change', 'svc: status');
  r.svcVotes |= 1 << r.replicaIndex;
  sendStartViewChange(r);
  r.timeouts.start(TIMER.svcMessage, TIMEOUT.svcMessage);
  countVotes(r);
}

function sendStartViewChange(r: Replica): void {
  const message = r.createMessage(COMMAND.startViewChange);
  r.seal(message);
  r.sendToOthers(message);
  message.unref();
}

/** A fresh heartbeat: our reason to vote is gone. Votes of others run out by their window. */
export function clearOwnVote(r: Replica): void {
  const own = 1 << r.replicaIndex;
  if ((r.svcVotes & own) === 0) return;
  voteCleared.hits++;
  r.svcVotes &= ~own;
  r.timeouts.stop(TIMER.svcMessage);
}

export function onStartViewChange(r: Replica, message: Message): void {
  if (r.status !== 'normal' && r.status !== 'view_change') return r.ignore(message, 'status');
  if (viewOf(message) < r.view) return r.ignore(message, 'older view');
  if (viewOf(message) > r.view) return r.ignore(message, 'newer view');
  r.svcVotes |= 1 << replicaOf(message);
  r.timeouts.ensure(TIMER.svcWindow, TIMEOUT.svcWindow);
  countVotes(r);
}

function countVotes(r: Replica): void {
  if (bitCount(r.svcVotes) >= r.quorums.viewChange) enterViewChange(r, r.view + 1);
}

export function onSvcWindowTimeout(r: Replica): void {
  r.svcVotes &= 1 << r.replicaIndex;
}

export function onSvcMessageTimeout(r: Replica): void {
  if ((r.svcVotes & (1 << r.replicaIndex)) === 0) return;
  sendStartViewChange(r);
  r.timeouts.start(TIMER.svcMessage, TIMEOUT.svcMessage);
}

export function onViewChangeStatusTimeout(r: Replica): void {
  assert(r.status === 'view_change', 'view_change_status timeout: status');
  r.timeouts.start(TIMER.viewChangeStatus, TIMEOUT.viewChangeStatus);
  castStartViewChange(r);
}

// --- Entering a view change ---

/** Section 6.3. The DVC goes out when the superblock write completes. */
export function enterViewChange(r: Replica, view: number): void {
  assert(view > r.view || r.status === 'recovering', 'enter view change: view', view, r.view);
  assert(r.syncing === 'idle', 'enter view change: syncing');
  const elected = r.status === 'view_change' && r.dvcQuorum;
  if (r.status === 'normal' || elected || (r.status === 'recovering' && r.logView === r.view)) {
    // For one log_view the list never changes once it may have been sent.
    buildDoViewChangeHeaders(r, elected);
  }
  leaveView(r);
  r.view = toView(view);
  r.setStatus('view_change');
  r.timeouts.start(TIMER.viewChangeStatus, TIMEOUT.viewChangeStatus + r.rng.below(TIMEOUT.svcMessage));
  r.timeouts.start(TIMER.dvcMessage, TIMEOUT.dvcMessage);
  if (!r.isPrimary) r.timeouts.start(TIMER.rsvMessage, TIMEOUT.rsvMessage);
  r.viewPersisting = true;
  r.persistView();
  if (canaryIs(CANARY.viewNotDurable)) sendDoViewChange(r);
}

/** Restarted inside a view change: its list is durable, so the claim goes out at once. */
export function resumeViewChange(r: Replica): void {
  r.setStatus('view_change');
  r.timeouts.start(TIMER.viewChangeStatus, TIMEOUT.viewChangeStatus + r.rng.below(TIMEOUT.svcMessage));
  r.timeouts.start(TIMER.dvcMessage, TIMEOUT.dvcMessage);
  if (!r.isPrimary) r.timeouts.start(TIMER.rsvMessage, TIMEOUT.rsvMessage);
  sendDoViewChange(r);
}

/** What is true of one view only. */
export function leaveView(r: Replica): void {
  r.pipeline.clear(); // Acks are forgotten; the prepares stay in the cache.
  r.svcVotes = 0;
  for (let i = 0; i < r.dvcs.length; i++) {
    r.dvcs[i]?.unref();
    r.dvcs[i] = null;
  }
  r.dvcQuorum = false;
  r.startViewPersisted = false;
  r.startViewSent = false;
  r.abdicating = false;
  r.heartbeatStampSeen = 0;
  reads.leaveView(r);
  repair.leaveView(r);
  for (const timer of VIEW_TIMERS) r.timeouts.stop(timer);
}

const VIEW_TIMERS: readonly number[] = [
  TIMER.prepare,
  TIMER.primaryAbdicate,
  TIMER.commitMessage,
  TIMER.normalHeartbeat,
  TIMER.svcWindow,
  TIMER.svcMessage,
  TIMER.viewChangeStatus,
  TIMER.dvcMessage,
  TIMER.rsvMessage,
  TIMER.repairSync,
  TIMER.readIndex,
];

/**
 * DVC form: from the head down, at most P + 1 entries, to the first op at or below commitMax. An
 * op whose header is unknown is a blank, which says nothing about the op but its number.
 */
function buildDoViewChangeHeaders(r: Replica, journalOnly: boolean): void {
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

// --- do_view_change ---

export function onDvcMessageTimeout(r: Replica): void {
  if (r.status !== 'view_change' || r.dvcQuorum) return;
  sendDoViewChange(r);
  r.timeouts.start(TIMER.dvcMessage, TIMEOUT.dvcMessage);
}

function sendDoViewChange(r: Replica): void {
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

interface HeaderRef {
  message: Message | null;
  at: number;
}

/** The valid header at `op` among the DVCs of the chosen log view. */
function canonicalHeader(r: Replica, op: number, logView: number): HeaderRef {
  for (const dvc of r.dvcs) {
    if (dvc === null || dvcLogView(dvc) !== logView) continue;
    const at = dvcHeaderAt(dvc, op);
    if (at !== -1 && !isBlank(dvc, at)) return { message: dvc, at };
  }
  return { message: null, at: 0 };
}

/** Section 6.6 steps 1 to 4. */
function install(r: Replica, logView: number, head: number, opMin: number): void {
  const commit = Math.max(r.commitMax, opMin);
  let newest = r.checkpointOp;
  let newestReplica: number = r.replicaIndex;
  for (let i = 0; i < r.dvcs.length; i++) {
    const dvc = r.dvcs[i] as Message | null;
    if (dvc === null) continue;
    const checkpoint = readU64(dvc, AT.dvcCheckpointOp);
    if (checkpoint > newest) {
      newest = checkpoint;
      newestReplica = i;
    }
  }
  const next = checkpointAfter(r.config, r.checkpointOp);
  const lapped = checkpointDurable(r.config, next, commit);
  if (lapped || (newest > r.checkpointOp && r.view - logView < r.replicaCount)) {
    if (newestReplica === r.replicaIndex) return; // Nobody heard of is fresher: wait for one.
    forfeited.hits++;
    let view = r.view + 1;
    while (r.primaryOf(view) !== newestReplica) view++;
    return enterViewChange(r, view);
  }
  const headKnown =
    canonicalHeader(r, head, logView).message !== null ||
    r.journal.headerAt(head) !== -1 ||
    head === r.checkpointOp;
  if (!headKnown) return;
  electionWon.hits++;
  r.dvcQuorum = true;
  for (const dvc of r.dvcs) {
    // Clients may have seen timestamps of ops that are now discarded.
    if (dvc !== null && !isBlank(dvc, DVC_HEADERS)) {
      r.prepareTimestamp = Math.max(r.prepareTimestamp, normal.timestampOf(dvc, DVC_HEADERS));
    }
  }
  truncateAbove(r, head);
  r.op = toOp(head);
  for (let op = head; op >= opMin && op >= 0; op--) {
    const header = canonicalHeader(r, op, logView);
    if (header.message === null) continue; // Executed here already.
    const at = r.journal.headerAt(op);
    if (at !== -1 && op <= r.commitMin) continue;
    if (at !== -1 && equalWords(r.journal.headers, at, header.message, header.at, HEADER_SIZE)) continue;
    if (at !== -1) r.observer.discarded(r, op, r.journal.headers, at);
    r.journal.setHeaderDirty(header.message, header.at);
  }
  if (r.journal.headerAt(head) === -1) r.journal.setHeaderDirty(r.checkpoint, CHECKPOINT.header);
  r.advanceCommitMax(opMin);
  // If this view fails, our next claim speaks for the merged log.
  r.logView = r.view;
  r.timeouts.stop(TIMER.dvcMessage);
  commitLoop(r);
  repair.continueViewChange(r);
  repair.ensureRepair(r);
}

/** Takes everything above `head` out of the log; each was never committed. */
function truncateAbove(r: Replica, head: number): void {
  for (let op = head + 1; op <= r.prepareMax; op++) {
    const at = r.journal.headerAt(op);
    if (at !== -1) r.observer.discarded(r, op, r.journal.headers, at);
  }
  r.journal.removeAbove(head);
}

// --- start_view ---

/** Elected, headers complete: the log is fixed; say so once it is durable. */
export function persistStartView(r: Replica): void {
  assert(r.dvcQuorum && !r.startViewPersisted, 'start_view: once a view');
  buildViewHeadersFromJournal(r, r.config.pipelineMax + 1);
  r.startViewPersisted = true;
  r.viewPersisting = true;
  r.persistView();
}

export function superblockUpdated(r: Replica): void {
  if (!r.viewPersisting || r.viewDurable < r.view) return;
  if (r.status === 'view_change') {
    if (!r.dvcQuorum) {
      r.viewPersisting = false;
      // A slow disk alone must not cause the next election.
      r.timeouts.start(TIMER.viewChangeStatus, TIMEOUT.viewChangeStatus);
      sendDoViewChange(r);
    } else if (r.startViewPersisted && r.logViewDurable === r.logView) {
      r.viewPersisting = false;
      if (!r.startViewSent) broadcastStartView(r);
    }
    return;
  }
  if (r.status === 'normal' && r.logViewDurable === r.logView) {
    r.viewPersisting = false;
    if (r.isPrimary && !r.startViewSent && r.replicaCount > 1) broadcastStartView(r);
    normal.sendPrepareOksOfSuffix(r);
    normal.prepareQueued(r);
  }
}

function broadcastStartView(r: Replica): void {
  r.startViewSent = true;
  const message = createStartView(r, null);
  r.sendToOthers(message);
  message.unref();
}

export function onRequestStartView(r: Replica, message: Message): void {
  if (r.status !== 'normal') return r.ignore(message, 'status');
  if (viewOf(message) !== r.view) return r.ignore(message, 'other view');
  if (!r.isPrimary) return r.ignore(message, 'not primary');
  const answer = createStartView(r, message);
  r.send(replicaOf(message), answer);
  answer.unref();
}

function createStartView(r: Replica, request: Message | null): Message {
  // Headers from the journal, as many as are linked from the head: a suffix of at least what may
  // be uncommitted.
  const headers = r.journal.headers;
  let count = 0;
  for (let op: number = r.op; count < r.config.pipelineMax + 1; op--) {
    if (r.journal.headerAt(op) === -1) break;
    count++;
    if (op === 0) break;
  }
  const size = CHECKPOINT_STATE_SIZE + RECONFIG_SIZE + count * HEADER_SIZE;
  const message = r.createMessage(COMMAND.startView, size);
  if (request !== null) copyWords(request, AT.nonce, message, AT.nonce, 16);
  setOp(message, r.op);
  writeU64(message, AT.svCommitMax, r.commitMax);
  writeU64(message, AT.svCheckpointOp, r.checkpointOp);
  message.fields.setUint16(AT.svHeaderCount, count, true);
  copyWords(r.checkpoint, 0, message, SV.checkpoint, CHECKPOINT_STATE_SIZE);
  zeroWords(message, SV.reconfig, RECONFIG_SIZE);
  for (let i = 0; i < count; i++) {
    const at = r.journal.headerAt(r.op - i);
    copyWords(headers, at, message, SV.headers + i * HEADER_SIZE, HEADER_SIZE);
  }
  r.seal(message);
  return message;
}

/** Section 6.7: the log of a view, from its primary. */
export function onStartView(r: Replica, sv: Message): void {
  const view = viewOf(sv);
  if (view < r.view && !(r.status === 'normal' && canaryIs(CANARY.staleViewAccepted))) {
    return r.ignore(sv, 'older view');
  }
  if (r.primaryOf(view) === r.replicaIndex) return r.ignore(sv, 'own view');
  const svOp = opOf(sv);
  const lapped = stateSync.isNeeded(r, sv);
  if (!lapped && r.status === 'normal' && view === r.view && svOp <= r.op) {
    // Installing it again would roll back prepares that were acknowledged since.
    staleStartView.hits++;
    return r.ignore(sv, 'stale');
  }
  if (r.status === 'recovering_head') {
    const answered = equalWords(sv, AT.nonce, r.nonce, 0, 16);
    if (!answered && view === r.view && svOp < r.prepareMax) return r.ignore(sv, 'not fresh');
    if (view === r.logView && svOp < r.op) return r.ignore(sv, 'below the uncertain head');
    headUncertainResolved.hits++;
  }
  if (lapped) return stateSync.begin(r, sv);

  const count = sv.fields.getUint16(AT.svHeaderCount, true);
  let first = 0;
  while (first < count && opOf(sv, SV.headers + first * HEADER_SIZE) > r.prepareMax) first++;
  if (first === count) return r.ignore(sv, 'past the checkpoint window');
  const head = opOf(sv, SV.headers + first * HEADER_SIZE);
  if (head < r.commitMin) return r.ignore(sv, 'below what was executed');
  const sameLog = r.logView === view;
  if (sameLog && head < r.op) return r.ignore(sv, 'below the head');
  if (sameLog) caughtUp.hits++;

  const enters = r.status !== 'normal' || view !== r.view;
  if (enters) {
    leaveView(r);
    r.view = toView(view);
    r.logView = r.view;
  }
  r.advanceCommitMax(readU64(sv, AT.svCommitMax));
  truncateAbove(r, head);
  r.op = toOp(head);
  installHeaders(r, sv, count);
  copyWords(sv, SV.headers, r.viewHeaders, 0, count * HEADER_SIZE);
  r.viewHeadersCount = count;
  if (enters) {
    becomeBackup(r);
    r.viewPersisting = true;
    r.persistView();
  } else {
    normal.sendPrepareOksOfSuffix(r);
  }
  commitLoop(r);
  repair.ensureRepair(r);
}

/** Headers of an SV that differ from ours become dirty; identical ones stay untouched. */
export function installHeaders(r: Replica, sv: Message, count: number): void {
  for (let i = count - 1; i >= 0; i--) {
    const at = SV.headers + i * HEADER_SIZE;
    const op = opOf(sv, at);
    if (op > r.op || op < r.repairMin) continue;
    const have = r.journal.headerAt(op);
    if (have !== -1 && equalWords(r.journal.headers, have, sv, at, HEADER_SIZE)) continue;
    if (op <= r.commitMin && have !== -1) {
      // Executed here under another header: the contradiction rule is about more than one peer.
      continue;
    }
    if (have !== -1) r.observer.discarded(r, op, r.journal.headers, have);
    r.journal.setHeaderDirty(sv, at);
  }
}

export function becomeBackup(r: Replica): void {
  r.setStatus('normal');
  for (const timer of VIEW_TIMERS) r.timeouts.stop(timer);
  normal.signOfLife(r);
  if (r.replicaCount > 1) r.timeouts.start(TIMER.normalHeartbeat, r.timeouts.heartbeatDelay());
  r.timeouts.ensure(TIMER.repairSync, TIMEOUT.repairSync);
}

/** All of the log is here and clean; acks are collected anew. Section 6.6 steps 7 and 8. */
export function becomePrimary(r: Replica): void {
  assert(r.stateOpen, 'become primary: state not open');
  assert(r.isPrimary && r.commitMin === r.commitMax, 'become primary: commit', r.commitMin, r.commitMax);
  for (const timer of VIEW_TIMERS) r.timeouts.stop(timer);
  for (let i = 0; i < r.dvcs.length; i++) {
    r.dvcs[i]?.unref();
    r.dvcs[i] = null;
  }
  r.setStatus('normal');
  reads.becomePrimary(r);
  for (let op = r.commitMax + 1; op <= r.op; op++) {
    const at = r.journal.headerAt(op);
    const prepare = r.cache.find(op, r.journal.headers, at + AT.checksum);
    assert(prepare !== null, 'become primary: prepare not loaded', op);
    r.pipeline.push(prepare);
  }
  if (r.replicaCount > 1) r.timeouts.start(TIMER.commitMessage, TIMEOUT.commitMessage);
  if (r.pipeline.count > 0) {
    r.timeouts.resetPrepare();
    r.timeouts.start(TIMER.primaryAbdicate, TIMEOUT.primaryAbdicate);
  }
  normal.sendPrepareOksOfSuffix(r);
}

export function onRsvMessageTimeout(r: Replica): void {
  const waits = r.status === 'view_change' || r.status === 'recovering_head';
  if (!waits) return;
  sendRequestStartView(r, r.view);
  r.timeouts.start(TIMER.rsvMessage, TIMEOUT.rsvMessage);
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
