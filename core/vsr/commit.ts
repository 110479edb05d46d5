/**
 * Execution of committed ops, strictly in op order, and the cutting of checkpoints.
 *
 * The loop runs until an op must wait for something (a journal read, a full block queue, a reply
 * slot, a checkpoint); `commitStage` says for what, and the completion starts the loop again.
 * Source: reference "vsr" 4.7, 9.1.
 */
import { assert } from '../assert.ts';
import { CANARY, canaryIs } from '../canary.ts';
import {
  CHECKPOINT_STATE_SIZE,
  HEADER_SIZE,
  RELEASE,
  REPLY_SLOT_SIZE,
  checkpointAfter,
  viewHeadersMax,
} from '../constants.ts';
import { AT, OPERATION, opOf, operationOf, requestOf, viewOf } from '../message/header.ts';
import { type Message } from '../message/pool.ts';
import { copyWords, equalWords, writeNanos, zeroWords } from '../message/region.ts';
import { defineProbe } from '../probe.ts';
import { CHECKPOINT, checkpointOpAt } from '../storage/checkpoint_state.ts';
import { op as toOp } from '../units.ts';
import * as normal from './normal.ts';
import * as reads from './reads.ts';
import * as recovery from './recovery.ts';
import * as repair from './repair.ts';
import { type Replica } from './replica.ts';
import { TIMEOUT, TIMER } from './timeouts.ts';
import { buildViewHeadersFromJournal } from './view_headers.ts';

const preparedFromDisk = defineProbe('commit: prepare read from the journal');
const waitedForBlocks = defineProbe('commit: waited for block writes');
const evictedBeforeExecution = defineProbe('commit: session evicted before its request ran');
const checkpointCut = defineProbe('checkpoint: cut');

/** Journal read token of the commit path; repair uses others. */
export const READ_FOR_COMMIT = 1;

/** Who may execute: reference "vsr" 4.7. */
function mayCommit(r: Replica): boolean {
  if (r.syncing !== 'idle' || !r.stateOpen) return false;
  if (r.status === 'normal') return true;
  if (r.status === 'view_change') return r.dvcQuorum;
  return r.status === 'recovering' && r.replicaCount === 1;
}

export function commitLoop(r: Replica): void {
  while (r.commitStage === 'idle' && mayCommit(r)) {
    const op = r.commitMin + 1;
    if (op > r.commitMax || op > r.op) break;
    const at = r.journal.headerAt(op);
    if (at === -1 || !chainedToHead(r, op, at)) {
      repair.ensureRepair(r);
      break;
    }
    // The chain from this op to the head is this view's log, so its parent is what we executed.
    assert(
      equalWords(r.journal.headers, at + AT.parent, r.commitChecksum, 0, 32),
      'commit: the chain does not continue what was executed',
      op,
    );
    const prepare = r.cache.find(op, r.journal.headers, at + AT.checksum);
    if (prepare === null) {
      if (!r.journal.hasPrepareOnDisk(op, r.journal.headers, at + AT.checksum)) {
        repair.ensureRepair(r);
        break;
      }
      if (!r.journal.readPrepare(op, r.journal.headers, at + AT.checksum, READ_FOR_COMMIT)) {
        // No read slot: the next completion of a read comes back here.
        repair.ensureRepair(r);
        break;
      }
      preparedFromDisk.hits++;
      r.commitReadOp = op;
      r.commitStage = 'reading_prepare';
      break;
    }
    if (!commitPrepare(r, prepare)) break;
  }
  if (r.status === 'view_change') repair.continueViewChange(r);
  else if (r.status === 'recovering') recovery.replayed(r);
}

/** The journal read of the commit path ended. */
export function prepareRead(r: Replica, prepare: Message | null): void {
  if (r.commitStage !== 'reading_prepare') return; // A sync cancelled the commit that asked.
  r.commitStage = 'idle';
  const op = r.commitMin + 1;
  if (prepare === null || !mayCommit(r) || r.commitReadOp !== op) {
    repair.ensureRepair(r);
    return commitLoop(r);
  }
  // While the disk was busy the head or commitMax may have changed: ask everything again.
  const at = r.journal.headerAt(op);
  const same = at !== -1 && equalWords(r.journal.headers, at, prepare, 0, 32);
  if (same && op <= r.commitMax && op <= r.op && chainedToHead(r, op, at)) {
    if (commitPrepare(r, prepare)) commitLoop(r);
    return;
  }
  commitLoop(r);
}

/**
 * True when `op` certainly belongs to the log that ends in the head: one primary built the
 * stretch (same view), or every link up to the head is there.
 */
function chainedToHead(r: Replica, op: number, at: number): boolean {
  const headers = r.journal.headers;
  if (r.status === 'normal' && viewOf(headers, at) === viewOf(headers, r.headAt())) return true;
  let below = at;
  for (let next = op + 1; next <= r.op; next++) {
    const above = r.journal.headerAt(next);
    if (above === -1) return false;
    if (!equalWords(headers, above + AT.parent, headers, below + AT.checksum, 32)) return false;
    below = above;
  }
  return true;
}

/** Executes, or says what it waits for and returns false. */
function commitPrepare(r: Replica, prepare: Message): boolean {
  if (r.checkpointUpdating && r.commitMin === checkpointOpAt(r.checkpointStaging, 0) + r.config.pipelineMax) {
    r.commitStage = 'superblock';
    return false;
  }
  if (!r.stateMachine.canCommit()) {
    waitedForBlocks.hits++;
    r.commitStage = 'state_machine';
    return false;
  }
  if (!r.replies.canWrite()) {
    r.commitStage = 'replies';
    return false;
  }
  execute(r, prepare);
  const op = r.commitMin;
  if (op === r.checkpointOp + r.config.pipelineMax + 1 && r.checkpointOp > 0) {
    // All replicas at the same op: allocation must stay deterministic (9.5).
    r.stateMachine.markCheckpointDurable();
  }
  if (op === checkpointAfter(r.config, r.checkpointOp)) {
    if (r.status === 'normal' && r.isPrimary) normal.sendCommit(r, op);
    if (r.replies.needsFlush) {
      r.commitStage = 'flushing_replies';
      r.replies.flush();
    } else {
      cutCheckpoint(r);
    }
    return false;
  }
  return true;
}

function execute(r: Replica, prepare: Message): void {
  const op = opOf(prepare);
  assert(op === r.commitMin + 1, 'execute: out of order', op, r.commitMin);
  const operation = operationOf(prepare);
  const timestamp = normal.timestampOf(prepare);
  let reply: Message | null = null;
  if (operation === OPERATION.register || operation >= 128) {
    reply = r.pool.acquire(REPLY_SLOT_SIZE);
    let length = 8;
    if (operation === OPERATION.register) {
      // The batch limit is the config's, so that all replicas answer alike.
      zeroWords(reply, HEADER_SIZE, length);
      reply.fields.setUint32(HEADER_SIZE, r.config.messageSizeMax - HEADER_SIZE, true);
    } else {
      length = r.stateMachine.commit(op, timestamp, operation, prepare, reply);
      if (op % 7 === 3 && canaryIs(CANARY.doubleApply)) {
        length = r.stateMachine.commit(op, timestamp, operation, prepare, reply);
      }
    }
    normal.newReply(r, prepare, reply, length);
    updateSession(r, prepare, reply, operation);
  }
  r.commitMin = toOp(op);
  r.commitTimestamp = Math.max(r.commitTimestamp, timestamp);
  copyWords(prepare, AT.checksum, r.commitChecksum, 0, 32);
  r.observer.committed(r, op, prepare, reply);

  if (r.status === 'normal' && r.isPrimary) {
    if (reply !== null) normal.sendReply(r, reply);
    if (r.pipeline.at(op) !== null) r.pipeline.pop(op);
    normal.prepareQueued(r);
    reads.committed(r);
  }
  reply?.unref();
}

/** The table holds committed facts only, changed in op order on every replica (11.4). */
function updateSession(r: Replica, prepare: Message, reply: Message, operation: number): void {
  let slot: number;
  if (operation === OPERATION.register) {
    slot = r.sessions.register(prepare, AT.client, opOf(prepare));
  } else {
    slot = r.sessions.find(prepare, AT.client);
    if (slot === -1) {
      evictedBeforeExecution.hits++;
      return; // Executes and answers, and creates no entry.
    }
    const last = requestOf(r.sessions.table, r.sessions.replyHeaderAt(slot));
    if (requestOf(prepare) <= last && !canaryIs(CANARY.replyCacheSkipped)) {
      assert(false, 'execute: request executed before', requestOf(prepare), last);
    }
  }
  r.sessions.remember(slot, reply);
  if (!r.sessions.isInline(slot)) r.replies.write(slot, reply);
}

// --- Checkpoint ---

export function repliesFlushed(r: Replica): void {
  if (r.commitStage === 'flushing_replies') cutCheckpoint(r);
}

function cutCheckpoint(r: Replica): void {
  r.commitStage = 'checkpoint';
  r.stateMachine.checkpoint(r.commitMin, r.sessions.table, r.sessions.encodedSize);
}

/**
 * All blocks of the checkpoint are durable: the superblock may name them. Execution goes on while
 * it is written, up to the op at which the checkpoint must be known to be durable.
 */
export function stateMachineCheckpointed(r: Replica): void {
  assert(r.commitStage === 'checkpoint', 'checkpoint: stage');
  const op = r.commitMin;
  const at = r.journal.headerAt(op);
  assert(at !== -1, 'checkpoint: header of its op', op);
  const staging = r.checkpointStaging;
  staging.bytes.fill(0);
  copyWords(r.journal.headers, at, staging, CHECKPOINT.header, HEADER_SIZE);
  copyWords(r.checkpointId, 0, staging, CHECKPOINT.parentId, 32);
  copyWords(r.checkpoint, CHECKPOINT.parentId, staging, CHECKPOINT.grandparentId, 32);
  writeNanos(staging, CHECKPOINT.commitTimestamp, r.commitTimestamp);
  staging.fields.setUint32(CHECKPOINT.release, RELEASE, true);
  r.stateMachine.fillCheckpointState(staging);

  // The durable list must reach the checkpoint, or a restart could find its head below it (I12).
  refreshViewHeaders(r);
  r.checkpointUpdating = true;
  const syncDone = r.syncOpMax !== 0 && r.blocksComplete;
  r.superblock.update({
    view: r.view,
    logView: r.logView,
    commitMax: Math.max(r.commitMax, r.superblock.working.commitMax),
    viewHeaders: { region: r.viewHeaders, at: 0, count: r.viewHeadersCount },
    checkpoint: staging,
    ...(syncDone ? { syncOpMin: 0, syncOpMax: 0 } : {}),
  });
  if (syncDone) {
    r.syncOpMin = 0;
    r.syncOpMax = 0;
  }
  r.commitStage = 'idle';
  commitLoop(r);
}

/** SV form from the journal while normal (or replaying alone), DVC form anew while elected. */
function refreshViewHeaders(r: Replica): void {
  if (r.status === 'normal' || r.status === 'recovering') {
    buildViewHeadersFromJournal(r, viewHeadersMax(r.config) - 2);
  } else if (r.status === 'view_change' && r.dvcQuorum) {
    buildViewHeadersFromJournal(r, r.config.pipelineMax + 1);
  }
}

export function superblockUpdated(r: Replica): void {
  if (!r.checkpointUpdating) return;
  const durable = checkpointOpAt(r.superblock.working.checkpoint, 0);
  if (durable !== checkpointOpAt(r.checkpointStaging, 0)) return;
  assert(
    equalWords(r.superblock.working.checkpoint, 0, r.checkpointStaging, 0, CHECKPOINT_STATE_SIZE),
    'checkpoint: the superblock holds another',
    durable,
  );
  checkpointCut.hits++;
  r.checkpointUpdating = false;
  r.adoptCheckpoint();
  if (r.commitStage === 'superblock') r.commitStage = 'idle';
  r.observer.checkpointed(r, r.checkpointOp);
  // The window for acks has moved up: what was written but held back is acknowledged now.
  if (r.status === 'normal') {
    r.journal.removeUnneeded(r.repairMin, r.op);
    normal.sendPrepareOksOfSuffix(r);
    normal.prepareQueued(r);
  }
  if (r.status === 'normal' && !r.isPrimary) {
    r.timeouts.ensure(TIMER.repairSync, TIMEOUT.repairSync);
  }
  commitLoop(r);
  normal.takeEarlyPrepares(r);
}

