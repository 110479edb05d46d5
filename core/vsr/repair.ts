/**
 * Repair of headers, prepares, blocks and replies, and serving the repairs of others.
 *
 * A repair answer never moves the head and never truncates. A header is accepted only when it
 * connects to the *right*: by an unbroken chain up to the head, or by the head's own view; a
 * match to the left proves nothing. Source: reference "vsr" section 10.
 */
import { CANARY, canaryIs } from '../canary.ts';
import { HEADER_SIZE, HEADERS_PER_REPLY_MAX, checkpointAfter, checkpointDurable } from '../constants.ts';
import {
  AT,
  COMMAND,
  NACK_REASON,
  opOf,
  replicaOf,
  setOp,
  setView,
  viewOf,
} from '../message/header.ts';
import { type Message } from '../message/pool.ts';
import { copyWords, equalWords, isZeroWords, readU64, writeU64, type Region } from '../message/region.ts';
import { defineProbe } from '../probe.ts';
import { JOURNAL_READS_FOR_COMMIT } from '../storage/journal.ts';
import * as commit from './commit.ts';
import { answerDuplicate, inlineReply, journalPrepare } from './normal.ts';
import { type Replica } from './replica.ts';
import { TIMEOUT, TIMER } from './timeouts.ts';
import { becomePrimary, persistStartView, sendRequestStartView } from './view_change.ts';

const headerRepaired = defineProbe('repair: header installed');
const headerUnconnected = defineProbe('repair: header refused, not connected');
const prepareRepaired = defineProbe('repair: prepare journalled');
const prepareServed = defineProbe('repair: prepare served');
const prepareServedFromDisk = defineProbe('repair: prepare served from disk');
const nacked = defineProbe('repair: nack sent');
const blocksRequested = defineProbe('repair: blocks requested');
const blockServedProbe = defineProbe('repair: block served');
const replyRepairAsked = defineProbe('repair: reply requested from a peer');
const stuckBackup = defineProbe('repair: stuck, asked for a start_view');

/** Journal read tokens; READ_FOR_COMMIT is 1. */
const READ_FOR_CACHE = 2;
const READ_FOR_PEER = 16;
/** Added to a reply-read token: serving a peer's request_reply. */
export const REPLY_FOR_PEER = 1 << 20;

/** Prepares asked for and not answered. */
const IN_FLIGHT_MAX = 8;
const SERVING_MAX = 64;

export interface RepairState {
  startViewAskedView: number;
  startViewAskedAt: number;
  /** Ops asked for (0: free) and when the request expires. */
  readonly inFlightOp: Float64Array;
  readonly inFlightExpires: Float64Array;
  /** Who waits for a journal read, block read or reply read; -1: free. */
  readonly serving: Int8Array;
  /** `commitMin` when the repair_sync timer last looked. */
  commitSeen: number;
  /** No commit progress over a whole period: a sync to the next checkpoint is allowed. */
  stuck: boolean;
  loading: boolean;
  /**
   * The next journal write that ends shall bring a pass: something has just been missed, or the
   * last pass had a prepare in memory and no write free for it.
   */
  passAfterWrite: boolean;
}

export function newRepairState(_replicaCount: number): RepairState {
  return {
    startViewAskedView: -1,
    startViewAskedAt: 0,
    inFlightOp: new Float64Array(IN_FLIGHT_MAX),
    inFlightExpires: new Float64Array(IN_FLIGHT_MAX),
    serving: new Int8Array(SERVING_MAX).fill(-1),
    commitSeen: 0,
    stuck: false,
    loading: false,
    passAfterWrite: false,
  };
}

export function leaveView(r: Replica): void {
  r.repairState.inFlightOp.fill(0);
  r.repairState.stuck = false;
  r.repairState.loading = false;
}

/** Section 10.1. */
function mayRepair(r: Replica): boolean {
  if (r.replicaCount === 1 || r.syncing !== 'idle') return false;
  return r.status === 'normal' || (r.status === 'view_change' && r.dvcQuorum);
}

/** Something is missing: have a pass soon. */
export function ensureRepair(r: Replica): void {
  if (!mayRepair(r) || canaryIs(CANARY.repairNever)) return;
  if (!r.timeouts.isArmed(TIMER.journalRepair)) r.repairState.passAfterWrite = true;
  r.timeouts.ensure(TIMER.journalRepair, r.timeouts.jittered(TIMEOUT.journalRepair));
  if (r.status === 'normal' && !r.isPrimary) r.timeouts.ensure(TIMER.repairSync, TIMEOUT.repairSync);
}

export function onJournalRepairTimeout(r: Replica): void {
  if (!mayRepair(r)) return;
  if (repairPass(r)) ensureRepair(r);
  commit.commitLoop(r);
}

/** One pass in the order of 10.2; true when something is still missing. Costs a look at every slot. */
function repairPass(r: Replica): boolean {
  r.repairState.passAfterWrite = false;
  if (canaryIs(CANARY.repairNever)) return false;
  let missing = false;
  const headers = r.journal.headers;
  if (r.status === 'normal' && !r.isPrimary) {
    const listTop = r.viewHeadersCount > 0 ? opOf(r.viewHeaders, 0) : 0;
    const known = Math.min(Math.max(r.commitMax, listTop), r.prepareMax);
    if (r.op < known) {
      sendRequestStartView(r, r.view);
      missing = true;
      // A head of an older view that is behind may not belong to this view's log.
      if (viewOf(headers, r.headAt()) < r.view) return true;
    }
  }
  if (r.status === 'normal' && lapped(r)) {
    sendRequestStartView(r, r.view);
    missing = true;
  }
  if (requestMissingHeaders(r)) missing = true;
  for (let op = r.commitMin + 1; op <= r.op; op++) if (repairPrepare(r, op)) missing = true;
  for (let op = Math.max(r.repairMin, 1); op <= r.commitMin; op++) {
    if (repairPrepare(r, op)) missing = true;
  }
  return missing;
}

/** A later checkpoint is durable on a quorum: others need not have kept what is missing here. */
function lapped(r: Replica): boolean {
  const next = checkpointAfter(r.config, r.checkpointOp);
  return checkpointDurable(r.config, checkpointAfter(r.config, next), r.commitMax);
}

/** The newest missing or unlinked range within the repair window; true when there is one. */
function requestMissingHeaders(r: Replica): boolean {
  const range = newestBreak(r);
  if (range === -1) return false;
  let opMin = range;
  while (opMin > r.repairMin && opMin > 1 && r.journal.headerAt(opMin - 1) === -1) opMin--;
  const message = r.createMessage(COMMAND.requestHeaders);
  setView(message, r.viewDurable);
  writeU64(message, AT.opMin, opMin);
  writeU64(message, AT.opMax, range);
  r.seal(message);
  if (r.status === 'view_change') r.sendToOthers(message);
  else r.send(randomOther(r), message);
  message.unref();
  return true;
}

/** The highest op in the repair window whose header is missing or unlinked, or -1. */
function newestBreak(r: Replica): number {
  const headers = r.journal.headers;
  const opMin = Math.max(r.repairMin, 1);
  let above = r.headAt();
  for (let op = r.op - 1; op >= opMin; op--) {
    const at = r.journal.headerAt(op);
    if (at === -1) return op;
    if (!equalWords(headers, above + AT.parent, headers, at + AT.checksum, 32)) return op;
    above = at;
  }
  return -1;
}

/** Starts what the prepare at `op` needs; true while it is neither clean nor being written. */
function repairPrepare(r: Replica, op: number): boolean {
  const at = r.journal.headerAt(op);
  if (at === -1) return true;
  if (r.journal.hasClean(op)) return false;
  const headers = r.journal.headers;
  if (r.journal.isWriting(op, headers, at + AT.checksum)) return false; // On its way: nothing to ask for.
  const cached = r.cache.find(op, headers, at + AT.checksum);
  if (cached !== null) {
    if (r.journal.writesAvailable() > 0) journalPrepare(r, cached);
    else r.repairState.passAfterWrite = true;
    return true;
  }
  requestPrepare(r, op, headers, at + AT.checksum);
  return true;
}

function requestPrepare(r: Replica, op: number, checksum: Region, at: number): void {
  const now = r.clock.monotonic();
  const { inFlightOp, inFlightExpires } = r.repairState;
  let free = -1;
  for (let i = 0; i < IN_FLIGHT_MAX; i++) {
    if (inFlightOp[i] !== 0 && (inFlightExpires[i] as number) <= now) inFlightOp[i] = 0;
    if (inFlightOp[i] === op) return;
    if (inFlightOp[i] === 0) free = i;
  }
  if (free === -1) return;
  inFlightOp[free] = op;
  inFlightExpires[free] = now + TIMEOUT.repairRequestExpiry;
  const message = r.createMessage(COMMAND.requestPrepare);
  setView(message, 0);
  setOp(message, op);
  copyWords(checksum, at, message, AT.prepareChecksum, 32);
  copyWords(r.nonce, 0, message, AT.nonce, 16);
  r.seal(message);
  // Uncommitted ops hold up the new primary: everyone is asked at once.
  if (r.status === 'view_change') r.sendToOthers(message);
  else r.send(randomOther(r), message);
  message.unref();
}

/** Frees the budget of `op`; true when nothing is in flight any more. */
function settleInFlight(r: Replica, op: number): boolean {
  const { inFlightOp } = r.repairState;
  let busy = false;
  for (let i = 0; i < IN_FLIGHT_MAX; i++) {
    if (inFlightOp[i] === op) inFlightOp[i] = 0;
    if (inFlightOp[i] !== 0) busy = true;
  }
  return !busy;
}

function randomOther(r: Replica): number {
  const other = r.rng.below(r.replicaCount - 1);
  return other < r.replicaIndex ? other : other + 1;
}

// --- Answers ---

export function onHeaders(r: Replica, message: Message): void {
  if (!mayRepair(r)) return r.ignore(message, 'status');
  const count = message.fields.getUint16(AT.count, true);
  let accepted = 0;
  for (let i = 0; i < count; i++) {
    // Descending, so that each may connect to the one installed just before.
    if (acceptHeader(r, message, HEADER_SIZE + i * HEADER_SIZE)) accepted++;
  }
  if (accepted === 0) return;
  commit.commitLoop(r);
  continueRepair(r);
}

/** Installs a header below the head that provably belongs to this log. */
function acceptHeader(r: Replica, region: Region, at: number): boolean {
  const op = opOf(region, at);
  if (op >= r.op || op < r.repairMin || op === 0) return false;
  if (viewOf(region, at) > r.view) return false;
  const headers = r.journal.headers;
  const have = r.journal.headerAt(op);
  if (have !== -1 && equalWords(headers, have, region, at, HEADER_SIZE)) return false;
  if (op <= r.commitMin && have !== -1) return false; // Executed: only the identical one.
  let connected = viewOf(region, at) === viewOf(headers, r.headAt());
  if (!connected) connected = chainsUp(r, op, region, at);
  if (!connected) {
    headerUnconnected.hits++;
    return false;
  }
  headerRepaired.hits++;
  r.journal.setHeaderDirty(region, at);
  return true;
}

/** `header → op+1 → … → head` in memory, unbroken. */
function chainsUp(r: Replica, op: number, region: Region, at: number): boolean {
  const headers = r.journal.headers;
  let below = region;
  let belowAt = at;
  for (let next = op + 1; next <= r.op; next++) {
    const above = r.journal.headerAt(next);
    if (above === -1) return false;
    if (!equalWords(headers, above + AT.parent, below, belowAt + AT.checksum, 32)) return false;
    below = headers;
    belowAt = above;
  }
  return true;
}

/** A prepare at or below the head, from whoever holds it: an answer, or a resent one. */
export function onRepairedPrepare(r: Replica, prepare: Message): void {
  if (!mayRepair(r)) return r.ignore(prepare, 'status');
  const op = opOf(prepare);
  if (op > r.op) return r.ignore(prepare, 'past the head');
  if (op < r.repairMin) return r.ignore(prepare, 'before the repair window');
  const at = r.journal.headerAt(op);
  const wanted = at !== -1 && equalWords(r.journal.headers, at, prepare, 0, HEADER_SIZE);
  if (!wanted && !acceptHeader(r, prepare, 0)) return r.ignore(prepare, 'not of this log');
  const idle = settleInFlight(r, op);
  if (r.journal.hasClean(op)) {
    answerDuplicate(r, prepare);
    return;
  }
  prepareRepaired.hits++;
  if (op > r.commitMin) r.cache.put(prepare);
  journalPrepare(r, prepare);
  commit.commitLoop(r);
  if (idle) continueRepair(r);
}

export function onNack(r: Replica, message: Message): void {
  // Advisory only: frees the budget so that the next pass asks somebody else. Never truncates.
  if (!equalWords(message, AT.nonce, r.nonce, 0, 16)) return r.ignore(message, 'nonce');
  settleInFlight(r, opOf(message));
}

/**
 * A journal write has ended. Under load they end all the time, so a backup looks through its slots
 * only when there is a reason; what stays missing is the timer's.
 */
export function continueAfterWrite(r: Replica): void {
  if (r.status === 'view_change' || r.repairState.passAfterWrite) continueRepair(r);
}

/** After each useful answer. */
export function continueRepair(r: Replica): void {
  if (r.status === 'view_change') return continueViewChange(r);
  if (r.status !== 'normal' || !r.timeouts.isArmed(TIMER.journalRepair)) return;
  for (let i = 0; i < IN_FLIGHT_MAX; i++) if (r.repairState.inFlightOp[i] !== 0) return;
  if (!mayRepair(r)) return;
  if (!repairPass(r)) r.timeouts.stop(TIMER.journalRepair);
}

/** The elected primary: repair headers, persist and send SV, repair prepares, commit, become normal. */
export function continueViewChange(r: Replica): void {
  if (r.status !== 'view_change' || !r.dvcQuorum || r.syncing !== 'idle') return;
  if (newestBreak(r) !== -1) return ensureRepair(r);
  if (!r.startViewPersisted) persistStartView(r);
  if (r.commitStage !== 'idle' || !r.stateOpen) return;
  if (r.commitMin < r.commitMax) return ensureRepair(r);
  for (let op = Math.max(r.repairMin, 1); op <= r.op; op++) {
    if (!r.journal.hasClean(op)) return ensureRepair(r);
  }
  let loaded = true;
  for (let op = r.commitMax + 1; op <= r.op; op++) {
    const at = r.journal.headerAt(op);
    if (r.cache.find(op, r.journal.headers, at + AT.checksum) !== null) continue;
    loaded = false;
    if (r.repairState.loading) break;
    r.repairState.loading = r.journal.readPrepare(
      op,
      r.journal.headers,
      at + AT.checksum,
      READ_FOR_CACHE,
    );
    break;
  }
  if (!loaded) {
    if (!r.repairState.loading) ensureRepair(r);
    return;
  }
  becomePrimary(r);
}

/** Tokens say who asked the journal. */
export function prepareRead(r: Replica, token: number, prepare: Message | null): void {
  if (token === commit.READ_FOR_COMMIT) return commit.prepareRead(r, prepare);
  if (token === READ_FOR_CACHE) {
    r.repairState.loading = false;
    if (prepare !== null && opOf(prepare) > r.commitMin) r.cache.put(prepare);
    if (prepare === null) ensureRepair(r);
    return continueViewChange(r);
  }
  const to = takeServing(r, token - READ_FOR_PEER);
  if (prepare === null) return ensureRepair(r); // Ours was corrupt: now we need it too.
  if (to === -1) return;
  prepareServedFromDisk.hits++;
  r.send(to, prepare);
}

// --- Serving ---

export function onRequestHeaders(r: Replica, message: Message): void {
  if (r.status !== 'normal' && r.status !== 'view_change') return r.ignore(message, 'status');
  const opMin = readU64(message, AT.opMin);
  const opMax = Math.min(readU64(message, AT.opMax), r.op);
  const room = Math.floor(r.config.messageSizeMax / HEADER_SIZE) - 1;
  const max = Math.min(HEADERS_PER_REPLY_MAX, room);
  const answer = r.createMessage(COMMAND.headers, max * HEADER_SIZE);
  let count = 0;
  for (let op = opMax; op >= opMin && op >= 1 && count < max; op--) {
    const at = r.journal.headerAt(op);
    if (at === -1) continue;
    copyWords(r.journal.headers, at, answer, HEADER_SIZE + count * HEADER_SIZE, HEADER_SIZE);
    count++;
  }
  if (count > 0) {
    setView(answer, r.viewDurable);
    answer.fields.setUint32(AT.size, HEADER_SIZE + count * HEADER_SIZE, true);
    answer.fields.setUint16(AT.count, count, true);
    r.seal(answer);
    r.send(replicaOf(message), answer);
  }
  answer.unref();
}

export function onRequestPrepare(r: Replica, message: Message): void {
  const op = opOf(message);
  const from = replicaOf(message);
  let checksum: Region = message;
  let at: number = AT.prepareChecksum;
  if (isZeroWords(message, AT.prepareChecksum, 32)) {
    const have = r.journal.headerAt(op);
    if (have === -1 || r.status !== 'normal' || viewOf(message) !== r.view) return sendNack(r, message);
    checksum = r.journal.headers;
    at = have + AT.checksum;
  }
  const cached = r.cache.find(op, checksum, at);
  if (cached !== null) {
    prepareServed.hits++;
    return r.send(from, cached);
  }
  if (!r.journal.hasPrepareOnDisk(op, checksum, at)) return sendNack(r, message);
  // Peers that ask a lot must not keep the commit path from reading.
  if (r.journal.readsAvailable() <= JOURNAL_READS_FOR_COMMIT) return r.ignore(message, 'busy');
  const serving = giveServing(r, from);
  if (serving === -1) return r.ignore(message, 'busy');
  if (!r.journal.readPrepare(op, checksum, at, READ_FOR_PEER + serving)) {
    takeServing(r, serving);
    r.ignore(message, 'busy');
  }
}

function sendNack(r: Replica, request: Message): void {
  nacked.hits++;
  const op = opOf(request);
  const message = r.createMessage(COMMAND.nack);
  setView(message, r.viewDurable);
  setOp(message, op);
  copyWords(request, AT.nonce, message, AT.nonce, 16);
  copyWords(request, AT.prepareChecksum, message, AT.prepareChecksum, 32);
  writeU64(message, AT.nackHighestOp, r.op);
  const uncertain = r.status !== 'normal' && r.status !== 'view_change';
  const reason = uncertain
    ? NACK_REASON.recovering
    : r.journal.isFaulty(op)
      ? NACK_REASON.seenButCorrupt
      : NACK_REASON.notSeen;
  message.fields.setUint8(AT.reason, reason);
  r.seal(message);
  r.send(replicaOf(request), message);
  message.unref();
}

function giveServing(r: Replica, to: number): number {
  const i = r.repairState.serving.indexOf(-1);
  if (i !== -1) r.repairState.serving[i] = to;
  return i;
}

function takeServing(r: Replica, i: number): number {
  const to = r.repairState.serving[i] as number;
  r.repairState.serving[i] = -1;
  return to;
}

// --- Stuck ---

/** A backup that commits nothing over a whole period asks its primary what it should stand on. */
export function onRepairSyncTimeout(r: Replica): void {
  if (r.status !== 'normal' || r.isPrimary) return;
  const behind = r.commitMin < r.commitMax;
  if (behind && r.commitMin === r.repairState.commitSeen && r.commitStage === 'idle') {
    stuckBackup.hits++;
    r.repairState.stuck = true;
    sendRequestStartView(r, r.view);
  } else {
    r.repairState.stuck = false;
  }
  r.repairState.commitSeen = r.commitMin;
  if (behind) r.timeouts.start(TIMER.repairSync, TIMEOUT.repairSync);
}

// --- Blocks ---

export function blockRepairWanted(r: Replica): void {
  if (r.replicaCount === 1) {
    r.fatal(
      'storage-read',
      'a grid block cannot be read and no other replica has it: restart to read again, or restore a backup',
    );
  }
  // Also when the timer runs for a block that has come: a synced checkpoint is read block by block,
  // and its blocks are not kept by the others for long.
  r.timeouts.start(TIMER.blockRepair, 1_000);
}

export function onBlockRepairTimeout(r: Replica): void {
  if (r.grid.missingCount === 0 || canaryIs(CANARY.repairNever)) return;
  requestBlocks(r);
  r.timeouts.start(TIMER.blockRepair, r.timeouts.jittered(TIMEOUT.blockRepair));
}

function requestBlocks(r: Replica): void {
  const message = r.createMessage(COMMAND.requestBlocks, 4 * 48);
  const count = r.grid.fillRequestBlocks(message);
  if (count > 0) {
    blocksRequested.hits++;
    setView(message, r.viewDurable);
    message.fields.setUint32(AT.size, HEADER_SIZE + count * 48, true);
    message.fields.setUint16(AT.count, count, true);
    r.seal(message);
    r.send(randomOther(r), message);
  }
  message.unref();
}

export function onRequestBlocks(r: Replica, message: Message): void {
  const count = message.fields.getUint16(AT.count, true);
  for (let i = 0; i < count; i++) {
    const at = HEADER_SIZE + i * 48;
    const serving = giveServing(r, replicaOf(message));
    if (serving === -1) return r.ignore(message, 'busy');
    r.grid.serveBlock(readU64(message, at + 32), message, at, serving);
  }
}

export function blockServed(r: Replica, token: number, block: Message | null): void {
  const to = takeServing(r, token);
  if (to === -1 || block === null) return;
  blockServedProbe.hits++;
  r.send(to, block);
}

export function onBlock(r: Replica, block: Message): void {
  if (!r.grid.onBlock(block)) return r.ignore(block, 'not wanted');
  if (r.grid.missingCount > 0) requestBlocks(r);
}

// --- Replies ---

/** The stored reply of a session is unreadable: have it from a peer; the client retries. */
export function requestReply(r: Replica, slot: number): void {
  if (r.replicaCount === 1) return;
  replyRepairAsked.hits++;
  const at = r.sessions.replyHeaderAt(slot);
  const message = r.createMessage(COMMAND.requestReply);
  setView(message, r.viewDurable);
  copyWords(r.sessions.table, at + AT.checksum, message, AT.prepareChecksum, 32);
  copyWords(r.sessions.table, at + AT.client, message, AT.client, 16);
  setOp(message, opOf(r.sessions.table, at));
  r.seal(message);
  r.send(randomOther(r), message);
  message.unref();
}

export function onRequestReply(r: Replica, message: Message): void {
  const slot = r.stateOpen ? r.sessions.find(message, AT.client) : -1;
  if (slot === -1) return r.ignore(message, 'no session');
  const at = r.sessions.replyHeaderAt(slot);
  if (!equalWords(message, AT.prepareChecksum, r.sessions.table, at + AT.checksum, 32)) {
    return r.ignore(message, 'not the latest reply');
  }
  if (r.sessions.isInline(slot)) {
    const reply = inlineReply(r, slot);
    r.send(replicaOf(message), reply);
    reply.unref();
    return;
  }
  const serving = giveServing(r, replicaOf(message));
  if (serving === -1) return r.ignore(message, 'busy');
  const token = REPLY_FOR_PEER | serving;
  if (!r.replies.read(slot, r.sessions.table, at + AT.checksum, token)) {
    takeServing(r, serving);
    r.ignore(message, 'busy');
  }
}

export function replyReadForPeer(r: Replica, token: number, reply: Message | null): void {
  const to = takeServing(r, token & ~REPLY_FOR_PEER);
  if (to !== -1 && reply !== null) r.send(to, reply);
}

