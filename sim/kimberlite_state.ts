/** The state of Kimberlite's replicas and clients as a tree: see state_tree.ts. */
import { AT, commandOf, opOf, operationOf, requestOf, viewOf } from '../core/message/header.ts';
import { type Message } from '../core/message/pool.ts';
import { HEADER_SIZE } from '../core/constants.ts';
import { type Region } from '../core/message/region.ts';
import { isEntry } from '../core/storage/formatted_headers.ts';
import { FAULTY, type Journal } from '../core/storage/journal.ts';
import { type Replica } from '../core/vsr/replica.ts';
import { messageText, operationText } from './message_text.ts';
import { type StateNode, type StateValue } from './state_node.ts';
import { type SimClient } from './workload/sim_client.ts';

type Open = Record<string, StateValue>;

export function replicaState(replica: Replica): StateNode {
  const { checkpointOp, checkpointId, checkpointUpdating, superblock } = replica;
  const { working } = superblock;
  return {
    status: replica.status,
    role: replica.isPrimary ? 'primary' : 'backup',
    view: replica.view,
    logView: replica.logView,
    op: replica.op,
    commitMin: replica.commitMin,
    commitMax: replica.commitMax,
    commitStage: replica.commitStage,
    checkpoint: { op: checkpointOp, id: hex(checkpointId, 0), updating: checkpointUpdating },
    sync: {
      stage: replica.syncing,
      opMin: replica.syncOpMin,
      opMax: replica.syncOpMax,
      blocksComplete: replica.blocksComplete,
    },
    recovery: replica.status === 'recovering' ? replica.recoveryStage : 'done',
    viewChange: {
      startViewChangeFrom: bits(replica.svcVotes, replica.replicaCount),
      doViewChangeFrom: names(replica.dvcs.map((dvc) => dvc !== null)),
      quorum: replica.dvcQuorum,
      viewPersisting: replica.viewPersisting,
      abdicating: replica.abdicating,
    },
    pipeline: pipelineState(replica),
    journal: journalState(replica.journal),
    superblock: {
      sequence: working.sequence,
      view: working.view,
      logView: working.logView,
      commitMax: working.commitMax,
      syncOpMin: working.syncOpMin,
      syncOpMax: working.syncOpMax,
      viewHeaders: working.viewHeadersCount,
      updating: superblock.updating,
    },
    sessions: sessionsState(replica),
  };
}

/** Entries that wait for their quorum or their execution, and who has acknowledged them. */
function pipelineState({ pipeline, replicaCount }: Replica): StateNode {
  const prepares: Open = {};
  for (let i = 0; i < pipeline.count; i++) {
    const op = pipeline.opFirst + i;
    const prepare = pipeline.at(op) as Message;
    const acks = Array.from({ length: replicaCount }, (_, replica) => pipeline.hasAck(op, replica));
    prepares[`${op}`] = {
      ...entryState(prepare, 0),
      acks: names(acks),
      quorum: pipeline.quorumReceived(op),
    };
  }
  return { prepares, requestsWaiting: pipeline.requestCount };
}

const FAULTY_WORDS: Readonly<Record<number, string>> = {
  [FAULTY.known]: 'faulty',
  [FAULTY.unknown]: 'faulty, entry unknown',
};

/** Slots that hold an entry, or have lost one. */
function journalState(journal: Journal): StateNode {
  const slots: Open = {};
  for (let slot = 0; slot < journal.slots; slot++) {
    const at = slot * HEADER_SIZE;
    const entry = isEntry(journal.headers, at);
    const lost = FAULTY_WORDS[journal.faulty[slot] as number];
    if (!entry && lost === undefined) continue;
    const dirty = journal.dirty[slot] === 1 ? 'dirty' : 'clean';
    slots[`${slot}`] = { ...(entry ? entryState(journal.headers, at) : {}), state: lost ?? dirty };
  }
  return { dirty: journal.dirtyCount, faulty: journal.faultyCount, slots };
}

function entryState(region: Region, at: number): StateNode {
  const client = (region.words[(at + AT.client) >> 2] as number) - 1;
  return {
    op: opOf(region, at),
    view: viewOf(region, at),
    operation: operationText(operationOf(region, at)),
    client: client < 0 ? null : `C${client}`,
    request: requestOf(region, at),
    checksum: hex(region, at),
  };
}

/** By client and the number of its session among its own. */
function sessionsState({ sessions }: Replica): StateNode {
  const tree: Open = {};
  for (let slot = 0; slot < sessions.capacity; slot++) {
    if (!sessions.occupied(slot)) continue;
    const at = sessions.replyHeaderAt(slot);
    const client = (sessions.table.words[(at + AT.client) >> 2] as number) - 1;
    const incarnation = sessions.table.words[((at + AT.client) >> 2) + 1] as number;
    tree[`C${client} #${incarnation}`] = {
      session: sessions.sessionAt(slot),
      request: sessions.requestAt(slot),
      op: opOf(sessions.table, at),
    };
  }
  return tree;
}

export function clientState(client: SimClient): StateNode {
  const { session } = client;
  const open = session.openMessage;
  return {
    status: session.status,
    view: session.view,
    session: session.session,
    operations: client.operations.index,
    open: open === null ? null : openState(open),
    resends: session.attempts,
    refused: session.refusedCount,
  };
}

function openState(message: Message): StateNode {
  return {
    message: messageText(message, 0),
    command: commandOf(message),
    checksum: hex(message, 0),
  };
}

/** The first four bytes: enough to tell two apart. */
function hex(region: Region, at: number): string {
  let text = '';
  for (let i = 0; i < 4; i++) text += (region.bytes[at + i] as number).toString(16).padStart(2, '0');
  return text;
}

function bits(word: number, count: number): string {
  return names(Array.from({ length: count }, (_, i) => (word & (1 << i)) !== 0));
}

function names(have: readonly boolean[]): string {
  return have.flatMap((yes, i) => (yes ? [`R${i}`] : [])).join(' ');
}
