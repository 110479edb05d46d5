/**
 * Linearizable reads by read index: they are no ops of the log. The normal primary notes its
 * commit number, has its view confirmed by a ping round that meets every view-change quorum, and
 * answers once that number is executed. One round serves all queries that arrived before it.
 * Source: reference "vsr" 15.3; no clock leases.
 */
import { assert } from '../assert.ts';
import { CANARY, canaryIs } from '../canary.ts';
import {
  AT,
  COMMAND,
  operationOf,
  replicaOf,
  requestOf,
  setOp,
  setOperation,
  setRequest,
  setView,
  sizeOf,
  viewOf,
} from '../message/header.ts';
import { HEADER_SIZE, PROTOCOL_VERSION, RELEASE } from '../constants.ts';
import { type Message } from '../message/pool.ts';
import { copyWords, readU64, writeNanos, writeU64, zeroWords } from '../message/region.ts';
import { TO_CLIENT } from '../ports.ts';
import { defineProbe } from '../probe.ts';
import { bitCount } from './pipeline.ts';
import { type Replica } from './replica.ts';
import { TIMEOUT, TIMER } from './timeouts.ts';

const roundConfirmed = defineProbe('read: view confirmed by a quorum');
const roundRetried = defineProbe('read: confirmation retried');
const waitedForCommit = defineProbe('read: waited for its commit number');

/** Queries that may wait at one primary; more are dropped, and their clients retry. */
const QUERIES_MAX = 128;

export interface ReadState {
  /** Arrived after the current round began: the next one confirms them. */
  waiting: Message[];
  confirming: Message[];
  /** Confirmed; executed once `readyAt` (same index) is. */
  ready: Message[];
  readyAt: number[];
  stamp: number;
  pongs: number;
  roundCommit: number;
  /** Ops inherited at the start of the view may have been answered by an earlier primary. */
  barrier: number;
}

export function newReadState(): ReadState {
  return {
    waiting: [],
    confirming: [],
    ready: [],
    readyAt: [],
    stamp: 0,
    pongs: 0,
    roundCommit: 0,
    barrier: 0,
  };
}

export function becomePrimary(r: Replica): void {
  r.readState.barrier = r.op;
}

export function leaveView(r: Replica): void {
  const s = r.readState;
  for (const query of s.waiting) query.unref();
  for (const query of s.confirming) query.unref();
  for (const query of s.ready) query.unref();
  s.waiting.length = 0;
  s.confirming.length = 0;
  s.ready.length = 0;
  s.readyAt.length = 0;
}

export function onQuery(r: Replica, query: Message): void {
  if (r.status !== 'normal') return r.ignore(query, 'status');
  const length = sizeOf(query) - HEADER_SIZE;
  if (r.stateMachine.inputProblem(operationOf(query), query, HEADER_SIZE, length) !== null) {
    return r.ignore(query, 'invalid query');
  }
  if (r.stateOpen && canaryIs(CANARY.staleRead)) {
    r.stateMachine.query(query);
    return;
  }
  if (!r.isPrimary) return r.ignore(query, 'not primary');
  if (viewOf(query) > r.view) return r.ignore(query, 'newer view');
  const s = r.readState;
  const held = s.waiting.length + s.confirming.length + s.ready.length + r.stateMachine.queriesInProgress;
  if (held >= QUERIES_MAX) return r.ignore(query, 'too many queries');
  s.waiting.push(query.ref());
  if (s.confirming.length === 0) beginRound(r);
}

function beginRound(r: Replica): void {
  const s = r.readState;
  assert(s.confirming.length === 0, 'read: round in progress');
  if (s.waiting.length === 0) return;
  for (const query of s.waiting) s.confirming.push(query);
  s.waiting.length = 0;
  s.roundCommit = r.commitMax;
  s.pongs = 0;
  s.stamp = Math.max(s.stamp + 1, r.clock.monotonic());
  if (confirmed(r)) return endRound(r);
  sendPing(r);
  r.timeouts.start(TIMER.readIndex, TIMEOUT.readIndex);
}

/** Others whose pongs, with ourselves, meet every view-change quorum. */
function confirmed(r: Replica): boolean {
  return bitCount(r.readState.pongs) >= r.replicaCount - r.quorums.viewChange;
}

function sendPing(r: Replica): void {
  const ping = r.createMessage(COMMAND.ping);
  setView(ping, r.viewDurable);
  copyWords(r.checkpointId, 0, ping, AT.pingCheckpointId, 32);
  writeU64(ping, AT.pingCheckpointOp, r.checkpointOp);
  writeU64(ping, AT.timestamp, r.readState.stamp);
  r.seal(ping);
  r.sendToOthers(ping);
  ping.unref();
}

/** Answers with the durable view: "I have not promised a higher one". */
export function onPing(r: Replica, ping: Message): void {
  if (r.status !== 'normal' && r.status !== 'view_change') return r.ignore(ping, 'status');
  const pong = r.createMessage(COMMAND.pong);
  setView(pong, r.viewDurable);
  copyWords(ping, AT.timestamp, pong, AT.timestamp, 8);
  writeU64(pong, AT.pongWall, r.clock.wall());
  r.seal(pong);
  r.send(replicaOf(ping), pong);
  pong.unref();
}

export function onPong(r: Replica, pong: Message): void {
  const s = r.readState;
  if (r.status !== 'normal' || !r.isPrimary) return r.ignore(pong, 'status');
  if (viewOf(pong) !== r.view) return r.ignore(pong, 'other view');
  if (s.confirming.length === 0 || readU64(pong, AT.timestamp) !== s.stamp) {
    return r.ignore(pong, 'not this round');
  }
  s.pongs |= 1 << replicaOf(pong);
  if (confirmed(r)) endRound(r);
}

function endRound(r: Replica): void {
  const s = r.readState;
  roundConfirmed.hits++;
  r.timeouts.stop(TIMER.readIndex);
  const needed = Math.max(s.roundCommit, s.barrier);
  if (r.commitMin < needed) waitedForCommit.hits++;
  for (const query of s.confirming) {
    s.ready.push(query);
    s.readyAt.push(needed);
  }
  s.confirming.length = 0;
  committed(r);
  beginRound(r);
}

/** The primary executed an op: queries that waited for it run. */
export function committed(r: Replica): void {
  const s = r.readState;
  let done = 0;
  while (done < s.ready.length && (s.readyAt[done] as number) <= r.commitMin) {
    const query = s.ready[done] as Message;
    r.stateMachine.query(query);
    query.unref();
    done++;
  }
  if (done > 0) {
    s.ready.splice(0, done);
    s.readyAt.splice(0, done);
  }
}

export function onReadIndexTimeout(r: Replica): void {
  if (r.status !== 'normal' || !r.isPrimary || r.readState.confirming.length === 0) return;
  roundRetried.hits++;
  sendPing(r);
  r.timeouts.start(TIMER.readIndex, TIMEOUT.readIndex);
}

/** The state machine has put the body at 256 and the size into `reply`; the frame is added here. */
export function answered(r: Replica, query: Message, reply: Message): void {
  const size = sizeOf(reply);
  zeroWords(reply, 0, HEADER_SIZE);
  copyWords(r.cluster, 0, reply, AT.cluster, 16);
  reply.fields.setUint32(AT.size, size, true);
  setView(reply, r.logViewDurable);
  reply.fields.setUint32(AT.release, RELEASE, true);
  reply.fields.setUint16(AT.protocol, PROTOCOL_VERSION, true);
  reply.fields.setUint8(AT.command, COMMAND.queryReply);
  reply.fields.setUint8(AT.replica, r.replicaIndex);
  copyWords(query, AT.checksum, reply, AT.replyRequestChecksum, 32);
  copyWords(query, AT.client, reply, AT.client, 16);
  setRequest(reply, requestOf(query));
  setOperation(reply, operationOf(query));
  setOp(reply, r.commitMin);
  writeNanos(reply, AT.timestamp, r.commitTimestamp);
  r.seal(reply);
  r.network.send(TO_CLIENT, reply);
  reply.unref();
  query.unref();
}

