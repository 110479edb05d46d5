/**
 * Receiving: what is refused before any handler sees it (reference "vsr" 3.2), the dispatch by
 * command, and the invariants that hold after every input (2.3).
 */
import { assert } from '../assert.ts';
import { bodyValid, headerValid } from '../checksum.ts';
import { CANARY, canaryIs } from '../canary.ts';
import { HEADER_SIZE, PROTOCOL_VERSION } from '../constants.ts';
import { AT, COMMAND, COMMAND_COUNT, commandOf, sizeOf, type Command } from '../message/header.ts';
import { type Message } from '../message/pool.ts';
import { equalWords, isZeroWords } from '../message/region.ts';
import { defineProbe } from '../probe.ts';
import * as doViewChange from './do_view_change.ts';
import * as normal from './normal.ts';
import * as reads from './reads.ts';
import * as repair from './repair.ts';
import { type Replica } from './replica.ts';
import { messageProblem } from './validity.ts';
import * as viewChange from './view_change.ts';

const messageCorrupt = defineProbe('receive: corrupt message dropped');
const messageInvalid = defineProbe('receive: invalid message refused');

/** Section 3.2: what is refused before any handler sees it. */
export function receive(replica: Replica, message: Message): void {
  const size = sizeOf(message);
  if (size < HEADER_SIZE || size > replica.config.messageSizeMax || size > message.capacity) {
    messageCorrupt.hits++;
    return replica.ignore(message, 'size');
  }
  if (!headerValid(replica.algorithm, message)) {
    messageCorrupt.hits++;
    return replica.ignore(message, 'header checksum');
  }
  const command = commandOf(message);
  if (
    message.fields.getUint16(AT.protocol, true) !== PROTOCOL_VERSION ||
    command === COMMAND.reserved ||
    command >= COMMAND_COUNT ||
    !isZeroWords(message, AT.nonceReserved, 16) ||
    !isZeroWords(message, AT.reservedFrame, 12)
  ) {
    messageInvalid.hits++;
    return replica.ignore(message, 'frame');
  }
  if (!equalWords(message, AT.cluster, replica.cluster, 0, 16)) {
    messageInvalid.hits++;
    return replica.ignore(message, 'cluster');
  }
  if (!bodyValid(replica.algorithm, message)) {
    const repairing = command === COMMAND.block || command === COMMAND.prepare;
    if (!repairing || !canaryIs(CANARY.repairWithoutChecksum)) {
      messageCorrupt.hits++;
      return replica.ignore(message, 'body checksum');
    }
  }
  const problem = messageProblem(replica, message);
  if (problem !== null) {
    messageInvalid.hits++;
    return replica.ignore(message, problem);
  }
  if (replica.status === 'recovering') return replica.ignore(message, 'recovering');
  if (replica.syncing !== 'idle') return replica.ignore(message, 'syncing');
  viewChange.viewJump(replica, message);
  dispatch(replica, message);
}

export function dispatch(replica: Replica, message: Message): void {
  const command = commandOf(message) as Command;
  switch (command) {
    case COMMAND.request: return normal.onRequest(replica, message);
    case COMMAND.prepare: return normal.onPrepare(replica, message);
    case COMMAND.prepareOk: return normal.onPrepareOk(replica, message);
    case COMMAND.commit: return normal.onCommit(replica, message);
    case COMMAND.reply: return normal.onReply(replica, message);
    case COMMAND.startViewChange: return viewChange.onStartViewChange(replica, message);
    case COMMAND.doViewChange: return doViewChange.onDoViewChange(replica, message);
    case COMMAND.startView: return viewChange.onStartView(replica, message);
    case COMMAND.requestStartView: return viewChange.onRequestStartView(replica, message);
    case COMMAND.requestHeaders: return repair.onRequestHeaders(replica, message);
    case COMMAND.headers: return repair.onHeaders(replica, message);
    case COMMAND.requestPrepare: return repair.onRequestPrepare(replica, message);
    case COMMAND.nack: return repair.onNack(replica, message);
    case COMMAND.requestBlocks: return repair.onRequestBlocks(replica, message);
    case COMMAND.block: return repair.onBlock(replica, message);
    case COMMAND.requestReply: return repair.onRequestReply(replica, message);
    case COMMAND.pingClient: return normal.onPingClient(replica, message);
    case COMMAND.query: return reads.onQuery(replica, message);
    case COMMAND.ping: return reads.onPing(replica, message);
    case COMMAND.pong: return reads.onPong(replica, message);
    default: return replica.ignore(message, 'no handler');
  }
}

/** Reference "vsr" 2.3, the cheap part, after every input. */
export function assertInvariants(r: Replica): void {
  assert(r.view >= r.logView, 'I1: view below log view', r.view, r.logView);
  if (r.status === 'normal') assert(r.view === r.logView, 'I1: normal', r.view, r.logView);
  if (r.status === 'recovering') return;
  assert(r.checkpointOp <= r.commitMin, 'I3: checkpoint', r.checkpointOp, r.commitMin);
  assert(r.commitMin <= r.commitMax, 'I3: commit', r.commitMin, r.commitMax);
  assert(r.op <= r.prepareMax, 'I9: head past prepare max', r.op, r.prepareMax);
  if (r.status === 'normal' || r.status === 'view_change') {
    assert(r.journal.headerAt(r.op) !== -1, 'I6: no header at the head', r.op);
  }
}
