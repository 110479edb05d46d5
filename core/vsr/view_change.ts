/**
 * View change: votes, entering, the elected primary's way to start_view (VRR section 4.2). The
 * claims and the choice of the log are in do_view_change.ts.
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
} from '../message/region.ts';
import { defineProbe } from '../probe.ts';
import { CHECKPOINT } from '../storage/checkpoint_state.ts';
import { op as toOp, view as toView } from '../units.ts';
import { commitLoop } from './commit.ts';
import { DVC_HEADERS, canonicalHeader, sendDoViewChange } from './do_view_change.ts';
import * as normal from './normal.ts';
import { bitCount } from './pipeline.ts';
import * as reads from './reads.ts';
import * as repair from './repair.ts';
import { type Replica } from './replica.ts';
import * as stateSync from './state_sync.ts';
import { TIMEOUT, TIMER } from './timeouts.ts';
import { buildDoViewChangeHeaders, buildViewHeadersFromJournal, isBlank } from './view_headers.ts';

const electionWon = defineProbe('view change: quorum of do_view_change');
const forfeited = defineProbe('view change: forfeited to a replica with a newer checkpoint');
const staleStartView = defineProbe('start_view: stale copy ignored');
const headUncertainResolved = defineProbe('recovering_head: left by a fresh start_view');
const caughtUp = defineProbe('start_view: caught up within the view');
const voteCleared = defineProbe('view change: own vote cleared by a heartbeat');

/** Body offsets of start_view. */
export const SV = {
  checkpoint: HEADER_SIZE,
  reconfig: HEADER_SIZE + CHECKPOINT_STATE_SIZE,
  headers: HEADER_SIZE + CHECKPOINT_STATE_SIZE + RECONFIG_SIZE,
} as const;

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
  r.early.clear();
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

// --- Elected ---

/** Section 6.6 steps 1 to 4. */
export function install(r: Replica, logView: number, head: number, opMin: number): void {
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
