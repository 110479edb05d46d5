/**
 * Normal operation: request, prepare, prepare_ok, commit (VRR section 4.1).
 *
 * Departures: acks cover their own op only, for journal writes finish in any order; a backup may
 * hold a head ahead of a hole (repair fills it); a request that reaches a backup is answered with
 * the view, so that the client finds its primary, and is not forwarded.
 */
import { assert } from '../assert.ts';
import { CANARY, canaryIs } from '../canary.ts';
import { sealHeader } from '../checksum.ts';
import { HEADER_SIZE, PROTOCOL_VERSION, RELEASE } from '../constants.ts';
import {
  AT,
  COMMAND,
  EVICTION_REASON,
  OPERATION,
  commitOf,
  opOf,
  operationOf,
  releaseOf,
  replicaOf,
  requestOf,
  sessionOf,
  setCommit,
  setOp,
  setView,
  sizeOf,
  viewOf,
} from '../message/header.ts';
import { type Message } from '../message/pool.ts';
import {
  copyWords,
  equalWords,
  readNanosAsMicros,
  readU64,
  regionOf,
  writeNanos,
  writeU64,
  zeroWords,
  type Region,
} from '../message/region.ts';
import { TO_CLIENT } from '../ports.ts';
import { defineProbe } from '../probe.ts';
import { op as toOp } from '../units.ts';
import { commitLoop } from './commit.ts';
import * as repair from './repair.ts';
import { type Replica } from './replica.ts';
import { TIMEOUT, TIMER } from './timeouts.ts';
import * as viewChange from './view_change.ts';

const outOfOrderQuorum = defineProbe('commit: quorum out of order');
const headPastHole = defineProbe('prepare: head moved past a hole');
const prepareDuplicate = defineProbe('prepare: duplicate answered with a fresh ack');
const prepareResent = defineProbe('prepare: resent to members without an ack');
const replyResent = defineProbe('session: reply resent');
const requestQueued = defineProbe('request: queued behind a full pipeline');
const primaryAbdicated = defineProbe('primary: abdicated for want of acks');
const earlyTaken = defineProbe('prepare: came before its checkpoint window');
const commitTold = defineProbe('commit: told before the next prepare');
const prepareMaxReached = defineProbe('prepare: past the checkpoint window');

const scratch = regionOf(new Uint8Array(32));

// --- Requests at the primary ---

export function onRequest(r: Replica, request: Message): void {
  if (r.status !== 'normal') return r.ignore(request, 'status');
  if (viewOf(request) > r.view) return r.ignore(request, 'newer view');
  if (!r.isPrimary) {
    sendPongClient(r, request);
    return r.ignore(request, 'not primary');
  }
  // A crash between a prepare of this view and the view's own durability would break the chain.
  if (r.viewDurable < r.view || r.logViewDurable < r.logView) return r.ignore(request, 'view not durable');

  const operation = operationOf(request);
  if (operation !== OPERATION.register) {
    if (operation < 128 || operation >= 192) {
      return sendEviction(r, request, EVICTION_REASON.invalidOperation);
    }
    const length = sizeOf(request) - HEADER_SIZE;
    if (r.stateMachine.inputProblem(operation, request, HEADER_SIZE, length) !== null) {
      return sendEviction(r, request, EVICTION_REASON.invalidBody);
    }
  }
  const slot = r.sessions.find(request, AT.client);
  if (slot === -1) {
    if (r.pipeline.hasClient(request, AT.client)) return r.ignore(request, 'client in pipeline');
    if (operation !== OPERATION.register) return sendEviction(r, request, EVICTION_REASON.noSession);
    return admit(r, request);
  }
  const session = r.sessions.sessionAt(slot);
  const replyAt = r.sessions.replyHeaderAt(slot);
  const table = r.sessions.table;
  const last = requestOf(table, replyAt);
  const number = requestOf(request);
  if (operation !== OPERATION.register) {
    if (session > sessionOf(request)) return sendEviction(r, request, EVICTION_REASON.sessionTooLow);
    if (session < sessionOf(request)) return r.ignore(request, 'session from the future');
  }
  if (number < last) return r.ignore(request, 'stale request');
  if (number === last && !canaryIs(CANARY.replyCacheSkipped)) {
    if (!equalWords(request, AT.checksum, table, replyAt + AT.replyRequestChecksum, 32)) {
      return r.ignore(request, 'request number reused');
    }
    return resendReply(r, slot);
  }
  if (number > last + 1) return r.ignore(request, 'request number ahead');
  if (number === last + 1 && !equalWords(request, AT.parent, table, replyAt + AT.replyContext, 32)) {
    return r.ignore(request, 'parent is not the last reply');
  }
  if (r.pipeline.hasClient(request, AT.client)) return r.ignore(request, 'client in pipeline');
  admit(r, request);
}

/** Prepares at once, or queues; a full queue drops (the client retries). */
function admit(r: Replica, request: Message): void {
  if (r.pipeline.full || r.op + 1 > r.prepareMax) {
    if (r.pipeline.requestsFull) return r.ignore(request, 'request queue full');
    requestQueued.hits++;
    r.pipeline.pushRequest(request);
    return;
  }
  prepareRequest(r, request);
}

/** A place in the pipeline or the journal has become free. */
export function prepareQueued(r: Replica): void {
  if (r.status !== 'normal' || !r.isPrimary) return;
  while (!r.pipeline.full && r.op + 1 <= r.prepareMax) {
    const request = r.pipeline.shiftRequest();
    if (request === null) return;
    prepareRequest(r, request);
    request.unref();
  }
}

function prepareRequest(r: Replica, request: Message): void {
  assert(r.status === 'normal' && r.isPrimary, 'prepare: only the normal primary prepares');
  const size = sizeOf(request);
  const operation = operationOf(request);
  const prepare = r.pool.acquire(size);
  copyWords(request, HEADER_SIZE, prepare, HEADER_SIZE, (size - HEADER_SIZE + 3) & ~3);
  zeroWords(prepare, 0, HEADER_SIZE);
  copyWords(request, AT.checksumBody, prepare, AT.checksumBody, 32);
  copyWords(r.cluster, 0, prepare, AT.cluster, 16);
  const fields = prepare.fields;
  fields.setUint32(AT.size, size, true);
  fields.setUint32(AT.view, r.view, true);
  fields.setUint32(AT.release, releaseOf(request), true);
  fields.setUint16(AT.protocol, PROTOCOL_VERSION, true);
  fields.setUint8(AT.command, COMMAND.prepare);
  fields.setUint8(AT.replica, r.replicaIndex);
  const op = r.op + 1;
  copyWords(r.journal.headers, r.headAt() + AT.checksum, prepare, AT.parent, 32);
  copyWords(request, AT.checksum, prepare, AT.requestChecksum, 32);
  const known = r.checkpointIdFor(op, prepare, AT.checkpointId);
  assert(known, 'prepare: checkpoint id unknown', op);
  copyWords(request, AT.client, prepare, AT.client, 16);
  setOp(prepare, op);
  setCommit(prepare, r.commitMax);
  commitsTold(r, r.commitMax);
  const events =
    operation >= 128
      ? r.stateMachine.eventCount(operation, request, HEADER_SIZE, size - HEADER_SIZE)
      : 1;
  // A batch of k events takes k consecutive nanoseconds that end at the op's timestamp.
  const previous = Math.max(r.prepareTimestamp, r.commitTimestamp);
  r.prepareTimestamp = Math.max(r.clock.wall(), previous + Math.max(1, Math.ceil(events / 1000)));
  writeNanos(prepare, AT.timestamp, r.prepareTimestamp);
  fields.setUint32(AT.request, requestOf(request), true);
  fields.setUint8(AT.operation, operation);
  sealHeader(r.algorithm, prepare, 0);

  r.pipeline.push(prepare);
  if (!r.timeouts.isArmed(TIMER.prepare)) r.timeouts.resetPrepare();
  r.timeouts.ensure(TIMER.primaryAbdicate, TIMEOUT.primaryAbdicate);
  append(r, prepare);
  r.sendToOthers(prepare);
  prepare.unref();
  if (canaryIs(CANARY.commitBeforeQuorum)) {
    r.pipeline.setQuorumReceived(op);
    commitPipeline(r);
  }
}

/** The prepare becomes the head of the log: header in memory, body on its way to the journal. */
function append(r: Replica, prepare: Message): void {
  assert(opOf(prepare) > r.op, 'append: not past the head', opOf(prepare), r.op);
  assert(opOf(prepare) <= r.prepareMax, 'append: past prepare max', opOf(prepare), r.prepareMax);
  r.journal.setHeaderDirty(prepare, 0);
  r.op = toOp(opOf(prepare));
  r.cache.put(prepare);
  journalPrepare(r, prepare);
}

/** Starts the journal write unless this very prepare is being written. */
export function journalPrepare(r: Replica, prepare: Message): void {
  if (r.journal.isWriting(opOf(prepare), prepare, AT.checksum)) return;
  r.journal.writePrepare(prepare);
}

// --- Prepares ---

/** VRR 4.1 step 4; reference 4.5. */
export function onPrepare(r: Replica, prepare: Message): void {
  const op = opOf(prepare);
  const view = viewOf(prepare);
  if (view < r.view || (r.status === 'normal' && view === r.view && op <= r.op)) {
    return repair.onRepairedPrepare(r, prepare);
  }
  if (r.status !== 'normal') return r.ignore(prepare, 'status');
  if (view > r.view) return r.ignore(prepare, 'newer view');
  if (r.isPrimary) return r.ignore(prepare, 'own view');

  signOfLife(r);
  r.advanceCommitMax(commitOf(prepare));
  if (op > r.prepareMax) {
    prepareMaxReached.hits++;
    const kept = r.early.keep(prepare);
    commitLoop(r);
    repair.ensureRepair(r);
    if (!kept) r.ignore(prepare, 'past prepare max');
    return;
  }
  if (r.checkpointIdFor(op, scratch, 0) && !equalWords(prepare, AT.checkpointId, scratch, 0, 16)) {
    return r.ignore(prepare, 'checkpoint id');
  }
  if (op === r.op + 1) {
    const head = r.headAt();
    if (!equalWords(prepare, AT.parent, r.journal.headers, head + AT.checksum, 32)) {
      // Same view: the primary equivocates. Older head: ours may not belong to this view's log.
      if (viewOf(r.journal.headers, head) < view) viewChange.sendRequestStartView(r, r.view);
      return r.ignore(prepare, 'parent');
    }
  } else {
    headPastHole.hits++;
    repair.ensureRepair(r);
  }
  append(r, prepare);
  commitLoop(r);
}

/** The checkpoint window has moved up. */
export function takeEarlyPrepares(r: Replica): void {
  for (let count = r.early.count; count > 0; count--) {
    const prepare = r.early.shift();
    earlyTaken.hits++;
    onPrepare(r, prepare);
    prepare.unref();
    if (r.early.count < count - 1) return; // What was left belonged to a view that has ended.
  }
}

/** The prepare and its redundant header are durable, and the slot still wants it. */
export function prepareWritten(r: Replica, prepare: Message): void {
  if (r.status === 'normal') {
    sendPrepareOk(r, opOf(prepare));
  }
  repair.continueAfterWrite(r);
}

/**
 * Acks `op` to the primary of the *current* view, whichever view prepared it: an ack to a deposed
 * primary could let it commit something that the new one never saw.
 */
export function sendPrepareOk(r: Replica, op: number): void {
  if (r.status !== 'normal' || r.syncing !== 'idle') return;
  if (op > r.op || op > r.prepareOkMax) return;
  const at = r.journal.headerAt(op);
  if (at === -1 || !r.journal.hasClean(op)) return;
  const headers = r.journal.headers;
  const ok = r.createMessage(COMMAND.prepareOk);
  copyWords(headers, at + AT.parent, ok, AT.parent, 32);
  copyWords(headers, at + AT.checksum, ok, AT.prepareChecksum, 32);
  copyWords(headers, at + AT.checkpointId, ok, AT.checkpointId, HEADER_SIZE - AT.checkpointId);
  setCommit(ok, r.commitMin);
  const to = r.primaryOf(r.view);
  if (to !== r.replicaIndex) r.seal(ok); // To itself a message is handed as it is.
  r.send(to, ok);
  ok.unref();
}

/** Everything acknowledged again: after entering normal, a checkpoint, or the end of a sync. */
export function sendPrepareOksOfSuffix(r: Replica): void {
  for (let op = r.commitMax + 1; op <= r.op; op++) sendPrepareOk(r, op);
}

/** Primary: counts an ack; a replication quorum commits the op. VRR 4.1 step 5. */
export function onPrepareOk(r: Replica, ok: Message): void {
  if (r.status !== 'normal') return r.ignore(ok, 'status');
  if (viewOf(ok) < r.view) return r.ignore(ok, 'older view');
  if (viewOf(ok) > r.view) return r.ignore(ok, 'newer view');
  if (!r.isPrimary) return r.ignore(ok, 'not primary');
  // By checksum, not op alone: across view changes two prepares can have lived at one op.
  const op = opOf(ok);
  const entry = r.pipeline.find(op, ok, AT.prepareChecksum);
  if (entry === null) return r.ignore(ok, 'not in pipeline');

  const replica = replicaOf(ok);
  if (r.pipeline.hasAck(op, replica)) return r.ignore(ok, 'duplicate');
  const acks = r.pipeline.addAck(op, replica);
  assert(acks <= r.replicaCount, 'prepare_ok: more acks than replicas', acks);
  r.abdicating = false;
  if (r.timeouts.isArmed(TIMER.primaryAbdicate)) {
    r.timeouts.start(TIMER.primaryAbdicate, TIMEOUT.primaryAbdicate);
  }
  if (r.replicaCount > 1) r.timeouts.ensure(TIMER.commitMessage, TIMEOUT.commitMessage);

  // Exactly at the threshold: below it we wait, above it this transition has already run.
  let threshold = r.quorums.replication;
  if (threshold > 1 && canaryIs(CANARY.quorumTooSmall)) threshold--;
  if (acks !== threshold || r.pipeline.quorumReceived(op)) return;
  r.pipeline.setQuorumReceived(op);
  if (op !== r.commitMax + 1) outOfOrderQuorum.hits++;
  commitPipeline(r);
}

/** Advances commitMax over entries with a quorum: in log order, never around a gap. */
function commitPipeline(r: Replica): void {
  while (r.pipeline.at(r.commitMax + 1) !== null && r.pipeline.quorumReceived(r.commitMax + 1)) {
    r.commitMax = toOp(r.commitMax + 1);
    r.commitSizeUntold += sizeOf(r.pipeline.at(r.commitMax) as Message);
  }
  const waiting = r.pipeline.oldestWaiting();
  if (waiting === -1) {
    r.timeouts.stop(TIMER.prepare);
    r.timeouts.stop(TIMER.primaryAbdicate);
  } else {
    r.timeouts.resetPrepare();
  }
  if (worthTelling(r, waiting)) {
    commitTold.hits++;
    sendCommit(r, r.commitMax);
  }
  commitLoop(r);
}

/**
 * Backups learn of commits from the next prepare. When all clients wait for each other's batch to
 * end, that is too late: they would execute the last batch before they journal the next.
 */
function worthTelling(r: Replica, waiting: number): boolean {
  if (r.commitSizeUntold >= r.config.messageSizeMax / 8) return true;
  return waiting === -1 && r.commitMax - r.commitTold >= r.config.pipelineMax / 4;
}

/** Resends the oldest prepare that lacks a quorum, to the members whose ack is missing. */
export function onPrepareTimeout(r: Replica): void {
  assert(r.status === 'normal' && r.isPrimary, 'prepare timeout: status');
  const op = r.pipeline.oldestWaiting();
  if (op === -1) return;
  const prepare = r.pipeline.at(op) as Message;
  prepareResent.hits++;
  for (let to = 0; to < r.replicaCount; to++) {
    if (to === r.replicaIndex || r.pipeline.hasAck(op, to)) continue;
    r.send(to, prepare);
  }
  if (!r.pipeline.hasAck(op, r.replicaIndex)) {
    if (r.journal.hasClean(op)) sendPrepareOk(r, op);
    else journalPrepare(r, prepare);
  }
  r.timeouts.backOffPrepare();
}

/**
 * Nobody acknowledges: fall silent and let the backups vote. Deposing oneself would not help, and
 * heartbeats that do get through would keep a useless primary in office.
 */
export function onAbdicateTimeout(r: Replica): void {
  assert(r.status === 'normal' && r.isPrimary, 'abdicate timeout: status');
  primaryAbdicated.hits++;
  r.abdicating = true;
  r.timeouts.stop(TIMER.commitMessage);
  // Two replicas need both votes.
  if (r.replicaCount === 2) viewChange.castStartViewChange(r);
}

// --- Commit heartbeat ---

export function onCommitMessageTimeout(r: Replica): void {
  assert(r.status === 'normal' && r.isPrimary, 'commit timeout: status');
  sendCommit(r, r.commitMin);
  r.timeouts.start(TIMER.commitMessage, TIMEOUT.commitMessage);
}

/** The backups have been sent this commit number. */
function commitsTold(r: Replica, op: number): void {
  r.commitTold = op;
  r.commitSizeUntold = 0;
}

/** Of `op`, executed or about to be. */
export function sendCommit(r: Replica, op: number): void {
  commitsTold(r, op);
  if (r.abdicating || r.replicaCount === 1) return;
  const message = r.createMessage(COMMAND.commit);
  if (op === r.commitMin) {
    copyWords(r.commitChecksum, 0, message, AT.commitChecksum, 32);
  } else {
    const at = r.journal.headerAt(op);
    assert(at !== -1 && op <= r.commitMax, 'commit message: op', op, r.commitMax);
    copyWords(r.journal.headers, at + AT.checksum, message, AT.commitChecksum, 32);
  }
  copyWords(r.checkpointId, 0, message, AT.checkpointId, 16);
  writeU64(message, AT.commitCheckpointOp, r.checkpointOp);
  // With its checksum, so that a backup can compare.
  setCommit(message, op);
  writeU64(message, AT.timestamp, r.clock.monotonic() + 1);
  r.seal(message);
  r.sendToOthers(message);
  message.unref();
}

export function onCommit(r: Replica, message: Message): void {
  if (r.status !== 'normal') return r.ignore(message, 'status');
  if (viewOf(message) !== r.view) return r.ignore(message, 'other view');
  if (r.isPrimary) return r.ignore(message, 'primary');
  if (replicaOf(message) !== r.primaryOf(r.view)) return r.ignore(message, 'not from the primary');

  // A delayed duplicate must not keep a dead primary alive.
  const stamp = readU64(message, AT.timestamp);
  if (stamp > r.heartbeatStampSeen) {
    r.heartbeatStampSeen = stamp;
    signOfLife(r);
    viewChange.clearOwnVote(r);
  }
  const commit = commitOf(message);
  const at = commit <= r.op ? r.journal.headerAt(commit) : -1;
  if (at !== -1 && !equalWords(r.journal.headers, at, message, AT.commitChecksum, 32)) {
    // Ours is a leftover of an older log; if it was executed, one of us has diverged.
    viewChange.sendRequestStartView(r, r.view);
    return r.ignore(message, 'commit checksum');
  }
  r.advanceCommitMax(commit);
  commitLoop(r);
  if (r.commitMin < r.commitMax || r.op < r.commitMax) repair.ensureRepair(r);
}

/** Backup: the primary lives. The timer itself is re-armed lazily, when it fires. */
export function signOfLife(r: Replica): void {
  r.lastSignOfLife = r.clock.monotonic();
}

// --- Replies ---

/** Sends a reply in the latest started view, so that the client learns of it. */
export function sendReply(r: Replica, reply: Message): void {
  if (viewOf(reply) >= r.logViewDurable) {
    r.network.send(TO_CLIENT, reply);
    return;
  }
  const size = sizeOf(reply);
  const copy = r.pool.acquire(size);
  copyWords(reply, 0, copy, 0, (size + 3) & ~3);
  setView(copy, r.logViewDurable);
  copy.fields.setUint8(AT.replica, r.replicaIndex);
  sealHeader(r.algorithm, copy, 0);
  r.network.send(TO_CLIENT, copy);
  copy.unref();
}

function resendReply(r: Replica, slot: number): void {
  replyResent.hits++;
  const at = r.sessions.replyHeaderAt(slot);
  if (r.sessions.isInline(slot)) {
    const reply = inlineReply(r, slot);
    sendReply(r, reply);
    reply.unref();
    return;
  }
  r.replies.read(slot, r.sessions.table, at + AT.checksum, slot);
}

/** The latest reply of a session, rebuilt from the table. */
export function inlineReply(r: Replica, slot: number): Message {
  const at = r.sessions.replyHeaderAt(slot);
  const size = sizeOf(r.sessions.table, at);
  const reply = r.pool.acquire(size);
  copyWords(r.sessions.table, at, reply, 0, (size + 3) & ~3);
  return reply;
}

/** `token` is the session slot. */
export function replyRead(r: Replica, token: number, reply: Message | null): void {
  if ((token & repair.REPLY_FOR_PEER) !== 0) return repair.replyReadForPeer(r, token, reply);
  if (reply === null) return repair.requestReply(r, token);
  const at = r.sessions.replyHeaderAt(token);
  if (!equalWords(reply, AT.checksum, r.sessions.table, at + AT.checksum, 32)) return;
  if (r.status === 'normal' && r.isPrimary) sendReply(r, reply);
}

/** A reply from another replica: repair of a slot of the reply zone. */
export function onReply(r: Replica, reply: Message): void {
  const slot = r.stateOpen ? r.sessions.find(reply, AT.client) : -1;
  if (slot === -1) return r.ignore(reply, 'no session');
  const at = r.sessions.replyHeaderAt(slot);
  if (!equalWords(reply, AT.checksum, r.sessions.table, at + AT.checksum, 32)) {
    return r.ignore(reply, 'not the latest reply');
  }
  if (r.commitStage === 'flushing_replies' || !r.replies.canWrite()) return r.ignore(reply, 'busy');
  r.replies.write(slot, reply);
}

// --- Clients ---

export function onPingClient(r: Replica, ping: Message): void {
  if (r.status !== 'normal' && r.status !== 'view_change') return r.ignore(ping, 'status');
  sendPongClient(r, ping);
}

/** Never shows a view that is not known to have started: the durable log view (11.5). */
function sendPongClient(r: Replica, from: Region): void {
  const pong = r.createMessage(COMMAND.pongClient);
  setView(pong, r.logViewDurable);
  copyWords(from, AT.client, pong, AT.client, 16);
  copyWords(from, AT.timestamp, pong, AT.timestamp, 8);
  pong.fields.setUint32(AT.release, RELEASE, true);
  r.seal(pong);
  r.network.send(TO_CLIENT, pong);
  pong.unref();
}

function sendEviction(r: Replica, request: Message, reason: number): void {
  const message = r.createMessage(COMMAND.eviction);
  setView(message, r.logViewDurable);
  copyWords(request, AT.client, message, AT.client, 16);
  message.fields.setUint32(AT.request, requestOf(request), true);
  message.fields.setUint8(AT.reason, reason);
  r.seal(message);
  r.network.send(TO_CLIENT, message);
  message.unref();
}

/**
 * The reply of an executed prepare, without body checksum or context yet. The header carries the
 * *prepare's* view and replica: `context` is its hash, the same whichever primary sends it.
 */
export function newReply(r: Replica, prepare: Message, reply: Message, bodyLength: number): void {
  zeroWords(reply, 0, HEADER_SIZE);
  copyWords(r.cluster, 0, reply, AT.cluster, 16);
  const fields = reply.fields;
  fields.setUint32(AT.size, HEADER_SIZE + bodyLength, true);
  fields.setUint32(AT.view, viewOf(prepare), true);
  fields.setUint32(AT.release, releaseOf(prepare), true);
  fields.setUint16(AT.protocol, PROTOCOL_VERSION, true);
  fields.setUint8(AT.command, COMMAND.reply);
  fields.setUint8(AT.replica, replicaOf(prepare));
  copyWords(prepare, AT.requestChecksum, reply, AT.replyRequestChecksum, 32);
  copyWords(prepare, AT.client, reply, AT.client, 16);
  setOp(reply, opOf(prepare));
  setCommit(reply, opOf(prepare));
  copyWords(prepare, AT.timestamp, reply, AT.timestamp, 8);
  fields.setUint32(AT.request, requestOf(prepare), true);
  fields.setUint8(AT.operation, operationOf(prepare));
  // With context still zero the header's checksum is the context.
  r.seal(reply);
  copyWords(reply, AT.checksum, reply, AT.replyContext, 32);
  sealHeader(r.algorithm, reply, 0);
}

/** True when the prepare answers a client. */
export function hasClient(prepare: Region): boolean {
  const w = AT.client >> 2;
  const words = prepare.words;
  return (
    ((words[w] as number) |
      (words[w + 1] as number) |
      (words[w + 2] as number) |
      (words[w + 3] as number)) !==
    0
  );
}

/** Microseconds of a prepare's timestamp. */
export function timestampOf(prepare: Region, at = 0): number {
  return readNanosAsMicros(prepare, at + AT.timestamp);
}

/** A duplicate of a prepare that is durable here: its ack may have been lost. */
export function answerDuplicate(r: Replica, prepare: Message): void {
  prepareDuplicate.hits++;
  sendPrepareOk(r, opOf(prepare));
}
