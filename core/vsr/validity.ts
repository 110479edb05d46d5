/**
 * What a well-formed message of each command looks like: the part of validity that needs no state
 * but the configuration. A peer's odd message is refused with a reason, before any handler and
 * before any repair is triggered by it. Source: reference "vsr" 3.4.
 */
import { headerValid } from '../checksum.ts';
import {
  CHECKPOINT_STATE_SIZE,
  HEADERS_PER_REPLY_MAX,
  HEADER_SIZE,
  RECONFIG_SIZE,
  isCheckpointOp,
  prepareMax,
  viewHeadersMax,
} from '../constants.ts';
import {
  AT,
  COMMAND,
  OPERATION,
  commandOf,
  commitOf,
  opOf,
  operationOf,
  replicaOf,
  requestOf,
  sessionOf,
  sizeOf,
  viewOf,
} from '../message/header.ts';
import { type Message } from '../message/pool.ts';
import { equalWords, isZeroWords, readU64, type Region } from '../message/region.ts';
import { checkpointOpAt } from '../storage/checkpoint_state.ts';
import { DVC_HEADERS, hasBit } from './do_view_change.ts';
import { type Replica } from './replica.ts';
import { SV } from './view_change.ts';
import { isBlank } from './view_headers.ts';

/** The first broken rule, or null. The frame and both checksums are verified already. */
export function messageProblem(r: Replica, m: Message): string | null {
  const command = commandOf(m);
  switch (command) {
    case COMMAND.request:
      return requestProblem(m);
    case COMMAND.query:
      if (isZeroWords(m, AT.client, 16)) return 'query: no client';
      return operationOf(m) < 192 ? 'query: operation' : null;
    case COMMAND.pingClient:
      return isZeroWords(m, AT.client, 16) ? 'ping_client: no client' : null;
    case COMMAND.block:
      return null; // Accepted by address and checksum alone.
    default:
  }
  if (replicaOf(m) >= r.replicaCount) return 'replica: not a member';
  switch (command) {
    case COMMAND.prepare:
      return prepareProblem(r, m, 0);
    case COMMAND.prepareOk:
    case COMMAND.commit:
    case COMMAND.requestPrepare:
    case COMMAND.nack:
    case COMMAND.requestReply:
    case COMMAND.ping:
    case COMMAND.pong:
    case COMMAND.startViewChange:
      return sizeOf(m) === HEADER_SIZE ? null : 'size';
    case COMMAND.requestStartView:
      if (isZeroWords(m, AT.nonce, 16)) return 'request_start_view: nonce';
      return sizeOf(m) === HEADER_SIZE ? null : 'size';
    case COMMAND.doViewChange:
      return doViewChangeProblem(r, m);
    case COMMAND.startView:
      return startViewProblem(r, m);
    case COMMAND.requestHeaders: {
      const opMin = readU64(m, AT.opMin);
      const opMax = readU64(m, AT.opMax);
      return opMin <= opMax && Number.isFinite(opMax) && opMax - opMin < 10_000 ? null : 'range';
    }
    case COMMAND.headers:
      return headersProblem(r, m);
    case COMMAND.requestBlocks: {
      const count = m.fields.getUint16(AT.count, true);
      if (count < 1 || count > 4 || sizeOf(m) !== HEADER_SIZE + count * 48) return 'count';
      for (let i = 0; i < count; i++) {
        const address = readU64(m, HEADER_SIZE + i * 48 + 32);
        if (address < 1 || address > r.config.gridBlocks) return 'request_blocks: address';
      }
      return null;
    }
    default:
      return null;
  }
}

function requestProblem(m: Message): string | null {
  if (isZeroWords(m, AT.client, 16)) return 'request: no client';
  if (m.fields.getUint32(AT.release, true) === 0) return 'request: release';
  const session = sessionOf(m);
  if (!Number.isFinite(session)) return 'request: session';
  if (operationOf(m) === OPERATION.register) {
    if (session !== 0 || requestOf(m) !== 0) return 'register: session and request must be zero';
    return sizeOf(m) === HEADER_SIZE ? null : 'register: size';
  }
  return session === 0 || requestOf(m) === 0 ? 'request: no session' : null;
}

function prepareProblem(r: Replica, region: Region, at: number): string | null {
  const op = opOf(region, at);
  const commit = commitOf(region, at);
  if (commandOf(region, at) !== COMMAND.prepare) return 'prepare: command';
  if (!Number.isFinite(op) || !(commit < op)) return 'prepare: op';
  if (op - commit > r.config.pipelineMax) return 'prepare: pipeline';
  if (isZeroWords(region, at + AT.timestamp, 8)) return 'prepare: timestamp';
  const operation = operationOf(region, at);
  if (operation === OPERATION.reserved || operation === OPERATION.root) return 'prepare: operation';
  if (replicaOf(region, at) !== r.primaryOf(viewOf(region, at))) return 'prepare: not its primary';
  return null;
}

/** A prepare header in a list; the root counts. */
function listedProblem(r: Replica, m: Message, at: number): string | null {
  if (!headerValid(r.algorithm, m, at)) return 'listed header: checksum';
  if (!equalWords(m, at + AT.cluster, r.cluster, 0, 16)) return 'listed header: cluster';
  if (opOf(m, at) === 0) return operationOf(m, at) === OPERATION.root ? null : 'listed header: root';
  return prepareProblem(r, m, at);
}

function headersProblem(r: Replica, m: Message): string | null {
  const count = m.fields.getUint16(AT.count, true);
  if (count < 1 || count > HEADERS_PER_REPLY_MAX) return 'headers: count';
  if (sizeOf(m) !== HEADER_SIZE + count * HEADER_SIZE) return 'headers: size';
  for (let i = 0; i < count; i++) {
    const at = HEADER_SIZE + i * HEADER_SIZE;
    const problem = listedProblem(r, m, at);
    if (problem !== null) return problem;
    if (i > 0 && opOf(m, at) >= opOf(m, at - HEADER_SIZE)) return 'headers: not descending';
  }
  return null;
}

function doViewChangeProblem(r: Replica, m: Message): string | null {
  const count = m.fields.getUint16(AT.dvcHeaderCount, true);
  if (count < 1 || count > r.config.pipelineMax + 1) return 'do_view_change: count';
  if (sizeOf(m) !== HEADER_SIZE + RECONFIG_SIZE + count * HEADER_SIZE) return 'do_view_change: size';
  const op = opOf(m);
  const commitMin = readU64(m, AT.dvcCommitMin);
  const commit = readU64(m, AT.dvcCommit);
  const checkpoint = readU64(m, AT.dvcCheckpointOp);
  if (!Number.isFinite(op)) return 'do_view_change: op';
  if (!(checkpoint <= commitMin && commitMin <= commit && commit <= op)) {
    return 'do_view_change: commit past its log';
  }
  if (op - (count - 1) > commit) return 'do_view_change: list does not reach its commit';
  const logView = m.fields.getUint32(AT.dvcLogView, true);
  if (logView >= viewOf(m)) return 'do_view_change: log view';
  let above = -1;
  for (let i = 0; i < 128; i++) {
    if (i >= count && (hasBit(m, AT.dvcPresent, i) || hasBit(m, AT.dvcNack, i))) {
      return 'do_view_change: bits past the list';
    }
  }
  for (let i = 0; i < count; i++) {
    const at = DVC_HEADERS + i * HEADER_SIZE;
    if (opOf(m, at) !== op - i) return 'do_view_change: ops not consecutive';
    if (isBlank(m, at)) {
      if (i === 0) return 'do_view_change: blank head';
      if (hasBit(m, AT.dvcPresent, i)) return 'do_view_change: blank is present';
      continue;
    }
    const problem = listedProblem(r, m, at);
    if (problem !== null) return problem;
    if (viewOf(m, at) > logView) return 'do_view_change: header of a later view';
    if (above !== -1) {
      if (viewOf(m, at) > viewOf(m, above)) return 'do_view_change: views ascend downward';
      const adjacent = opOf(m, above) === opOf(m, at) + 1;
      if (adjacent && !equalWords(m, above + AT.parent, m, at + AT.checksum, 32)) {
        return 'do_view_change: not one chain';
      }
    }
    above = at;
  }
  return null;
}

function startViewProblem(r: Replica, m: Message): string | null {
  if (replicaOf(m) !== r.primaryOf(viewOf(m))) return 'start_view: not the primary';
  const count = m.fields.getUint16(AT.svHeaderCount, true);
  if (count < 1 || count > viewHeadersMax(r.config)) return 'start_view: count';
  const size = HEADER_SIZE + CHECKPOINT_STATE_SIZE + RECONFIG_SIZE + count * HEADER_SIZE;
  if (sizeOf(m) !== size) return 'start_view: size';
  const op = opOf(m);
  const commitMax = readU64(m, AT.svCommitMax);
  const checkpoint = readU64(m, AT.svCheckpointOp);
  if (!Number.isFinite(op) || !(checkpoint <= commitMax && commitMax <= op)) {
    return 'start_view: commit past its log';
  }
  if (op - commitMax > r.config.pipelineMax) return 'start_view: pipeline';
  if (checkpoint !== checkpointOpAt(m, SV.checkpoint)) return 'start_view: checkpoint op';
  if (!isCheckpointOp(r.config, checkpoint)) return 'start_view: no checkpoint op';
  if (op > prepareMax(r.config, checkpoint)) return 'start_view: op past its window';
  for (let i = 0; i < count; i++) {
    const at = SV.headers + i * HEADER_SIZE;
    if (opOf(m, at) !== op - i) return 'start_view: ops not consecutive';
    const problem = listedProblem(r, m, at);
    if (problem !== null) return problem;
    if (i > 0 && !equalWords(m, at - HEADER_SIZE + AT.parent, m, at + AT.checksum, 32)) {
      return 'start_view: not one chain';
    }
  }
  return null;
}
