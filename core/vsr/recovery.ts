/**
 * From process start to the first status: open the superblock, remember the start, recover the
 * journal, open the state, decide the head. Source: reference "vsr" 7.6 and 13.1.
 *
 * A replica never resumes as primary of its old view (its acks are gone), and never votes or acks
 * while it cannot be sure of its head.
 */
import { assert } from '../assert.ts';
import { CHECKPOINT_STATE_SIZE, HEADER_SIZE } from '../constants.ts';
import { AT, opOf } from '../message/header.ts';
import { copyWords, equalWords } from '../message/region.ts';
import { defineProbe } from '../probe.ts';
import { CHECKPOINT } from '../storage/checkpoint_state.ts';
import { op as toOp, saturatingSub, view as toView } from '../units.ts';
import { commitLoop } from './commit.ts';
import * as normal from './normal.ts';
import * as repair from './repair.ts';
import { type Replica } from './replica.ts';
import { TIMEOUT, TIMER } from './timeouts.ts';
import { becomeBackup, becomePrimary, enterViewChange, resumeViewChange } from './view_change.ts';
import { buildViewHeadersFromJournal, isBlank } from './view_headers.ts';

const startedAsBackup = defineProbe('recovery: normal backup');
const startedInViewChange = defineProbe('recovery: resumed a view change');
const startedHeadUncertain = defineProbe('recovery: head uncertain');
const primaryMovedOn = defineProbe('recovery: former primary moved to the next view');
const headFromList = defineProbe('recovery: head from the view headers, not in the journal');
const resumedSync = defineProbe('state sync: fetching blocks');

export type RecoveryStage = 'superblock' | 'generation' | 'journal' | 'replay' | 'views' | 'done';

export function superblockOpened(r: Replica): void {
  const state = r.superblock.working;
  if (!equalWords(state.cluster, 0, r.cluster, 0, 16)) {
    r.fatal('wrong-cluster', 'the data file belongs to another cluster; check --cluster and the path');
  }
  if (state.replicaIndex !== r.replicaIndex || state.replicaCount !== r.replicaCount) {
    r.fatal(
      'wrong-replica',
      `the data file is that of replica ${state.replicaIndex} of ${state.replicaCount}; ` +
        'check the path and --addresses',
    );
  }
  r.view = toView(state.view);
  r.logView = toView(state.logView);
  copyWords(state.checkpoint, 0, r.checkpointStaging, 0, CHECKPOINT_STATE_SIZE);
  r.adoptCheckpoint();
  r.commitMin = toOp(r.checkpointOp);
  r.commitMax = toOp(Math.max(state.commitMax, r.checkpointOp));
  copyWords(r.checkpoint, CHECKPOINT.header + AT.checksum, r.commitChecksum, 0, 32);
  r.commitTimestamp = normal.timestampOf(r.checkpoint, CHECKPOINT.header);
  copyWords(state.viewHeaders, 0, r.viewHeaders, 0, state.viewHeadersCount * HEADER_SIZE);
  r.viewHeadersCount = state.viewHeadersCount;
  r.syncOpMin = state.syncOpMin;
  r.syncOpMax = state.syncOpMax;
  r.blocksComplete = state.syncOpMax === 0;
  // Every start is a new generation, durable before the first message.
  r.recoveryStage = 'generation';
  r.superblock.update({ generation: state.generation + 1 });
}

/** True when the completion also concerns the protocol. */
export function superblockUpdated(r: Replica): boolean {
  if (r.recoveryStage === 'generation') {
    r.recoveryStage = 'journal';
    r.journal.recover({
      checkpointOp: r.checkpointOp,
      prepareMax: r.prepareMax,
      logView: r.logView,
      view: r.view,
      viewHeaders: r.viewHeaders,
      viewHeadersCount: r.viewHeadersCount,
    });
    return false;
  }
  if (r.recoveryStage === 'views') {
    r.recoveryStage = 'done';
    r.timeouts.stopAll();
    becomePrimary(r);
    return false;
  }
  return true; // A checkpoint cut during the replay of a single replica.
}

export function journalRecovered(r: Replica): void {
  assert(r.recoveryStage === 'journal', 'recovery: journal');
  r.observer.recovered(r);
  const certain = decideHead(r);
  r.commitMax = toOp(
    Math.max(r.commitMax, r.commitMin, saturatingSub(r.op, r.config.pipelineMax)),
  );
  if (r.replicaCount === 1) {
    // Everything in the journal of a single replica is committed: replay to its end.
    r.recoveryStage = 'replay';
    r.advanceCommitMax(r.op);
    r.stateMachine.open(r.checkpoint);
    return;
  }
  r.recoveryStage = 'done';
  // Votes and acks need the log, not the state: they do not wait for blocks that may have to come
  // from peers. Only execution does.
  r.stateMachine.open(r.checkpoint);
  if (!certain) {
    startedHeadUncertain.hits++;
    r.setStatus('recovering_head');
    r.timeouts.start(TIMER.rsvMessage, TIMEOUT.rsvMessage);
  } else if (r.logView < r.view) {
    startedInViewChange.hits++;
    resumeViewChange(r);
  } else if (r.isPrimary && firstStart(r)) {
    // Nothing was ever prepared or promised in view 0: there are no acks to have forgotten.
    becomePrimary(r);
  } else if (r.isPrimary) {
    primaryMovedOn.hits++;
    enterViewChange(r, r.view + 1);
  } else {
    startedAsBackup.hits++;
    becomeBackup(r);
  }
  commitLoop(r);
}

/** The trailers are read: sessions are known and ops can be executed; other blocks may follow. */
export function stateMachineOpened(r: Replica): void {
  assert(!r.stateOpen, 'recovery: state opened twice');
  const sessions = r.stateMachine.openedSessions;
  r.sessions.decode(sessions.region, 0, sessions.length);
  r.stateOpen = true;
  if (!r.blocksComplete) {
    resumedSync.hits++;
    r.stateMachine.syncBlocks(r.syncOpMin, r.syncOpMax);
  }
  commitLoop(r);
  repair.ensureRepair(r);
}

function firstStart(r: Replica): boolean {
  const { generation } = r.superblock.working;
  return generation === 1 && r.view === 0 && r.op === 0 && r.commitMax === 0 && r.stateOpen;
}

/** Section 7.6; returns whether nothing above the head can have been acknowledged. */
function decideHead(r: Replica): boolean {
  const list = r.viewHeaders;
  const sameView = r.logView === r.view;
  const recovered = Math.max(r.journal.opMaxRecovered, r.checkpointOp);
  let head = sameView ? recovered : -1;
  // Alone, what is not in the journal was never acknowledged, and nobody else could supply it.
  const listed = r.replicaCount === 1 ? 0 : r.viewHeadersCount;
  for (let i = 0; i < listed; i++) {
    const at = i * HEADER_SIZE;
    const op = opOf(list, at);
    if (isBlank(list, at) || op > r.prepareMax) continue;
    // Listed headers below the head stay out: a stale one could displace a newer lap.
    if (sameView && op < head) break;
    head = op;
    const have = r.journal.headerAt(op);
    if (have === -1 || !equalWords(r.journal.headers, have, list, at, HEADER_SIZE)) {
      headFromList.hits++;
      r.journal.setHeaderDirty(list, at);
    }
    break;
  }
  if (head === -1) head = recovered;
  if (head < r.checkpointOp) head = r.checkpointOp;
  r.op = toOp(head);
  r.journal.removeAbove(head);
  if (r.journal.headerAt(head) === -1) {
    // Only the checkpoint's own op can be known without a journal entry.
    if (head === r.checkpointOp) r.journal.setHeaderDirty(r.checkpoint, CHECKPOINT.header);
    else return false;
  }
  if (!sameView) return true;
  if (head === r.prepareMax) return true;
  for (let op = head; op <= r.prepareMax; op++) if (r.journal.isFaulty(op)) return false;
  return true;
}

/** Single replica: all is executed; take the next view, so that a torn op cannot have two versions in one. */
export function replayed(r: Replica): void {
  if (r.recoveryStage !== 'replay' || !r.stateOpen || r.commitStage !== 'idle' || r.commitMin < r.op) return;
  if (r.checkpointUpdating) return; // Its completion would be taken for that of the view's.
  r.recoveryStage = 'views';
  r.view = toView(r.view + 1);
  r.logView = r.view;
  buildViewHeadersFromJournal(r, r.config.pipelineMax + 1);
  r.persistView();
}
