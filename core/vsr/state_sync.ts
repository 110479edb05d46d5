/**
 * State sync: a replica that was lapped installs the checkpoint of its primary and fetches its
 * blocks. One superblock write carries checkpoint, view, log view, headers and sync range
 * together: a log without its checkpoint, or the reverse, would not connect.
 * Source: reference "vsr" 9.4 to 9.7 (attestation certificates excepted: they come later).
 */
import { assert } from '../assert.ts';
import { CHECKPOINT_STATE_SIZE, HEADER_SIZE, checkpointAfter, checkpointDurable } from '../constants.ts';
import { AT, opOf, viewOf } from '../message/header.ts';
import { type Message } from '../message/pool.ts';
import { copyWords, equalWords, readU64 } from '../message/region.ts';
import { defineProbe } from '../probe.ts';
import { CHECKPOINT, checkpointOpAt } from '../storage/checkpoint_state.ts';
import { op as toOp, view as toView } from '../units.ts';
import * as normal from './normal.ts';
import * as repair from './repair.ts';
import { type Replica } from './replica.ts';
import { SV, becomeBackup, installHeaders, leaveView } from './view_change.ts';

const syncStarted = defineProbe('state sync: started');
const syncStuck = defineProbe('state sync: started because stuck');
const syncCompleted = defineProbe('state sync: all blocks local');
const syncRefused = defineProbe('state sync: refused, checkpoint does not continue ours');
const syncRestarted = defineProbe('state sync: started before the state was open');
const syncKeptHead = defineProbe('state sync: kept a head past that of the start_view');
const syncDeferred = defineProbe('state sync: deferred, a checkpoint is being cut');


/** Decides on receipt of a valid SV; reference 9.4. */
export function isNeeded(r: Replica, sv: Message): boolean {
  const target = readU64(sv, AT.svCheckpointOp);
  if (target <= r.checkpointOp || target <= r.commitMin) return false;
  const commitMax = readU64(sv, AT.svCommitMax);
  const next = checkpointAfter(r.config, r.checkpointOp);
  // Perhaps only one replica holds it, and its disk may lie: repair the journal instead.
  if (!checkpointDurable(r.config, next, commitMax)) return false;
  if (checkpointDurable(r.config, checkpointAfter(r.config, next), commitMax)) return true;
  if (r.repairState.stuck) {
    syncStuck.hits++;
    return true;
  }
  const count = sv.fields.getUint16(AT.svHeaderCount, true);
  return opOf(sv, SV.headers + (count - 1) * HEADER_SIZE) > r.prepareMax;
}

/** Installs checkpoint, head and headers of the SV in one superblock write. */
export function begin(r: Replica, sv: Message): void {
  const executing = r.commitStage === 'idle' || r.commitStage === 'reading_prepare';
  if (!executing || r.checkpointUpdating) {
    syncDeferred.hits++;
    return r.ignore(sv, 'a checkpoint is being cut');
  }
  const target = readU64(sv, AT.svCheckpointOp);
  const next = checkpointAfter(r.config, r.checkpointOp);
  const afterNext = checkpointAfter(r.config, next);
  const contradicts =
    (target === next &&
      !equalWords(sv, SV.checkpoint + CHECKPOINT.parentId, r.checkpointId, 0, 32)) ||
    (target === afterNext &&
      !equalWords(sv, SV.checkpoint + CHECKPOINT.grandparentId, r.checkpointId, 0, 32));
  if (contradicts) {
    // Never heal a divergence by syncing over it.
    syncRefused.hits++;
    return r.ignore(sv, 'checkpoint does not continue ours');
  }
  syncStarted.hits++;
  const view = viewOf(sv);
  const from = r.checkpointOp;
  // A log of this very view that reaches further is kept: its ops may be acknowledged by us.
  const keepsHead = r.status === 'normal' && view === r.view && r.op > opOf(sv);
  if (keepsHead) syncKeptHead.hits++;
  if (r.status !== 'normal' || view > r.view) {
    leaveView(r);
    r.view = toView(view);
  }
  if (!r.stateOpen) syncRestarted.hits++;
  r.stateOpen = false;
  r.logView = r.view;
  r.commitStage = 'idle';
  r.repairState.stuck = false;
  r.timeouts.stopAll();
  r.cache.clear();
  r.pipeline.clear();
  r.early.clear();
  r.stateMachine.reset();
  r.grid.reset();
  r.sessions.reset();

  copyWords(sv, SV.checkpoint, r.checkpointStaging, 0, CHECKPOINT_STATE_SIZE);
  r.observer.synced(r, r.commitMin, target);
  r.adoptCheckpoint();
  assert(r.checkpointOp === target, 'state sync: checkpoint op', r.checkpointOp, target);
  r.commitMin = toOp(target);
  r.advanceCommitMax(Math.max(target, readU64(sv, AT.svCommitMax)));
  copyWords(r.checkpoint, CHECKPOINT.header + AT.checksum, r.commitChecksum, 0, 32);
  r.commitTimestamp = normal.timestampOf(r.checkpoint, CHECKPOINT.header);
  r.syncOpMin = r.syncOpMax !== 0 ? Math.min(r.syncOpMin, from + 1) : from + 1;
  r.syncOpMax = target;
  r.blocksComplete = false;

  const count = sv.fields.getUint16(AT.svHeaderCount, true);
  if (!keepsHead) {
    r.journal.removeAbove(opOf(sv));
    r.op = toOp(opOf(sv));
  }
  installHeaders(r, sv, count);
  if (!keepsHead) ensureHead(r, sv);
  copyWords(sv, SV.headers, r.viewHeaders, 0, count * HEADER_SIZE);
  r.viewHeadersCount = count;
  r.syncing = 'updating_superblock';
  r.setStatus('normal');
  r.viewPersisting = true;
  r.superblock.update({
    view: r.view,
    logView: r.logView,
    commitMax: Math.max(r.commitMax, r.superblock.working.commitMax),
    viewHeaders: { region: r.viewHeaders, at: 0, count },
    checkpoint: r.checkpoint,
    syncOpMin: r.syncOpMin,
    syncOpMax: r.syncOpMax,
  });
}

/** The head may be the checkpoint op itself, below the repair window: its header is still needed. */
function ensureHead(r: Replica, sv: Message): void {
  const at = r.journal.headerAt(r.op);
  if (at !== -1 && equalWords(r.journal.headers, at, sv, SV.headers, HEADER_SIZE)) return;
  r.journal.setHeaderDirty(sv, SV.headers);
}

export function superblockUpdated(r: Replica): void {
  if (r.syncing !== 'updating_superblock') return;
  const durable = r.superblock.working;
  if (checkpointOpAt(durable.checkpoint, 0) !== r.checkpointOp || durable.view < r.view) return;
  r.syncing = 'idle';
  r.observer.checkpointed(r, r.checkpointOp);
  becomeBackup(r);
  r.stateMachine.open(r.checkpoint);
  repair.ensureRepair(r);
}

/** Every block of the synced checkpoint is here: the acks held back until now are sent. */
export function blocksSynced(r: Replica): void {
  if (r.blocksComplete) return;
  syncCompleted.hits++;
  r.blocksComplete = true;
  normal.sendPrepareOksOfSuffix(r);
}

