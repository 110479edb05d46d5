/**
 * The journal's recovery: reads both zones, decides every slot, filters by view. The decisions
 * themselves are pure and in journal_recovery.ts. Source: reference "vsr" 7.4, 7.5.
 *
 * Until `decide` the journal's `headersRedundant` holds the valid redundant headers R, and
 * `headers` the headers of the valid prepares B; slots without one stay reserved.
 */
import { ReplicaFatal } from '../assert.ts';
import { CANARY, canaryIs } from '../canary.ts';
import { bodyValid, headerValid } from '../checksum.ts';
import { HEADER_SIZE, HEADERS_PER_SECTOR, SECTOR_SIZE } from '../constants.ts';
import {
  AT,
  COMMAND,
  commandOf,
  epochOf,
  opOf,
  operationOf,
  OPERATION,
  sizeOf,
  viewOf,
} from '../message/header.ts';
import { paddedSize, paddingIsZero } from '../message/padding.ts';
import { type Message } from '../message/pool.ts';
import { copyWords, equalWords, zeroWords, type Region } from '../message/region.ts';
import { STORAGE_RESULT, type StorageResult } from '../ports.ts';
import { defineProbe, type Probe } from '../probe.ts';
import { prepareOffset } from './data_file.ts';
import { isEntry } from './formatted_headers.ts';
import { sectorOf } from './header_sectors.ts';
import { FAULTY, JOURNAL_TOKENS, type Journal, type JournalRead, type JournalRecovery } from './journal.ts';
import {
  ballotOf,
  findTorn,
  FOUND,
  RECOVERY_CASE_COUNT,
  recoveryCase,
  recoveryCaseName,
  recoveryDecision,
  TORN_CANCELLED,
  viewAllowed,
  type Found,
} from './journal_recovery.ts';

const caseProbes: Probe[] = [];
for (let i = 0; i < RECOVERY_CASE_COUNT; i++) {
  caseProbes.push(defineProbe(`journal: recovery case ${recoveryCaseName(i)}`));
}
const tornDropped = defineProbe('journal: torn prepare dropped');
const tornCancelled = defineProbe('journal: torn refinement cancelled');
const tornOverReserved = defineProbe('journal: torn prepare over a reserved slot');
const filteredByView = defineProbe('journal: view filter dropped an entry');

/** What has been read, and what is still to come. */
export interface JournalRestart {
  readonly recovery: JournalRecovery;
  /** A `FOUND` a slot. */
  readonly redundantFound: Uint8Array;
  readonly prepareFound: Uint8Array;
  /** Answers missing before the next phase. */
  pending: number;
  nextSlot: number;
}

// --- Reading ---

/** By sector: one that cannot be read costs its own 16 headers only. */
export function readHeaders(j: Journal, recovery: JournalRecovery): JournalRestart {
  for (let sector = 0; sector < j.sectors.count; sector++) j.sectors.read(sector);
  return {
    recovery,
    redundantFound: new Uint8Array(j.slots),
    prepareFound: new Uint8Array(j.slots),
    pending: j.sectors.count,
    nextSlot: 0,
  };
}

/** True when it was the last. */
export function headersRead(
  j: Journal,
  restart: JournalRestart,
  sector: number,
  result: StorageResult,
): boolean {
  const { buffer } = j.sectors;
  if (result !== STORAGE_RESULT.ok) zeroWords(buffer, sector * SECTOR_SIZE, SECTOR_SIZE);
  const first = sector * HEADERS_PER_SECTOR;
  for (let slot = first; slot < first + HEADERS_PER_SECTOR; slot++) {
    const at = slot * HEADER_SIZE;
    const found = findHeader(j, buffer, at, slot);
    restart.redundantFound[slot] = found;
    if (found === FOUND.entry) copyWords(buffer, at, j.headersRedundant, at, HEADER_SIZE);
  }
  return --restart.pending === 0;
}

/** Starts as many reads as there may be. */
export function readPrepares(j: Journal, restart: JournalRestart): void {
  restart.pending = j.slots;
  for (const read of j.reads) readNext(j, restart, read);
}

function readNext(j: Journal, restart: JournalRestart, read: JournalRead): void {
  if (restart.nextSlot === j.slots) return;
  read.slot = restart.nextSlot++;
  read.token = 0; // Bytes read so far.
  read.message = j.pool.acquire(j.config.messageSizeMax);
  const offset = prepareOffset(j.zones, j.config, read.slot);
  j.storage.read(offset, read.message.sectors(SECTOR_SIZE), JOURNAL_TOKENS.read | read.index);
}

/** The first sector tells how much more there is. True when all prepares are read and decided. */
export function prepareRead(
  j: Journal,
  restart: JournalRestart,
  read: JournalRead,
  result: StorageResult,
): boolean {
  const message = read.message as Message;
  const { slot } = read;
  let found: Found = FOUND.bad;
  if (result === STORAGE_RESULT.ok) {
    const end = paddedSize(sizeOf(message));
    const more = read.token === 0 && end > SECTOR_SIZE && end <= j.config.messageSizeMax;
    if (more && findHeader(j, message, 0, slot) === FOUND.entry) {
      read.token = SECTOR_SIZE;
      const offset = prepareOffset(j.zones, j.config, slot) + SECTOR_SIZE;
      const rest = message.bytes.subarray(SECTOR_SIZE, end);
      j.storage.read(offset, rest, JOURNAL_TOKENS.read | read.index);
      return false;
    }
    found = findPrepare(j, message, slot);
  }
  restart.prepareFound[slot] = found;
  if (found === FOUND.entry) {
    copyWords(message, 0, j.headers, slot * HEADER_SIZE, HEADER_SIZE);
    j.setPrepareOnDisk(slot, message);
  }
  read.message = null;
  read.slot = -1;
  message.unref();
  readNext(j, restart, read);
  if (--restart.pending > 0) return false;
  decide(j, restart);
  return true;
}

function findHeader(j: Journal, region: Region, at: number, slot: number): Found {
  if (!headerValid(j.algorithm, region, at)) return FOUND.bad;
  if (commandOf(region, at) !== COMMAND.prepare) return FOUND.foreign;
  if (!equalWords(region, at + AT.cluster, j.cluster, 0, 16)) return FOUND.foreign;
  const op = opOf(region, at);
  if (operationOf(region, at) === OPERATION.reserved) {
    return op === slot ? FOUND.reserved : FOUND.foreign;
  }
  return op % j.slots === slot ? FOUND.entry : FOUND.foreign;
}

/** What a message read from this slot is. Requires that all of its sectors were read. */
export function findPrepare(j: Journal, message: Message, slot: number): Found {
  const header = findHeader(j, message, 0, slot);
  if (header === FOUND.bad || header === FOUND.foreign) return header;
  if (sizeOf(message) > j.config.messageSizeMax) return FOUND.bad;
  if (bodyValid(j.algorithm, message) && paddingIsZero(message)) return header;
  if (canaryIs(CANARY.tornWriteAccepted)) return header;
  return FOUND.bad;
}

// --- Deciding ---

function decide(j: Journal, restart: JournalRestart): void {
  const { redundantFound, prepareFound, recovery } = restart;
  const { checkpointOp, prepareMax } = recovery;
  const cases = new Uint8Array(j.slots);
  const torn = new Uint8Array(j.slots);
  const top = topFound(j, restart);
  for (let slot = 0; slot < j.slots; slot++) {
    const at = slot * HEADER_SIZE;
    const found = recoveryCase(
      redundantFound[slot] as Found,
      opOf(j.headersRedundant, at),
      prepareFound[slot] as Found,
      opOf(j.headers, at),
      equalWords(j.headersRedundant, at, j.headers, at, 32),
      top,
      prepareMax,
    );
    cases[slot] = found;
    j.caseCounts[found] = (j.caseCounts[found] as number) + 1;
    (caseProbes[found] as Probe).hits++;
  }
  const writesMax = j.writesMax;
  const tornCount = findTorn({ cases, prepareFound, checkpointOp, prepareMax, top, writesMax }, torn);
  if (tornCount === TORN_CANCELLED) tornCancelled.hits++;
  else j.tornCount = tornCount;

  for (let slot = 0; slot < j.slots; slot++) {
    if (torn[slot] === 0) {
      settle(j, slot, cases[slot] as number);
      continue;
    }
    tornDropped.hits++;
    if (redundantFound[slot] === FOUND.reserved) tornOverReserved.hits++;
    j.reserveSlot(slot); // The write never completed, so it was never acknowledged: clean.
  }
  filterByView(j, recovery);
  if (j.faultyCount === j.slots) {
    throw new ReplicaFatal(
      'journal-lost',
      'every slot of the journal is damaged: re-admit this replica with a new data file',
    );
  }
  for (let slot = 0; slot < j.slots; slot++) {
    const at = slot * HEADER_SIZE;
    if (isEntry(j.headers, at)) j.opMaxRecovered = Math.max(j.opMaxRecovered, opOf(j.headers, at));
  }
}

function topFound(j: Journal, { redundantFound, prepareFound }: JournalRestart): number {
  let top = -1;
  for (let slot = 0; slot < j.slots; slot++) {
    const at = slot * HEADER_SIZE;
    if (redundantFound[slot] === FOUND.entry) top = Math.max(top, opOf(j.headersRedundant, at));
    if (prepareFound[slot] === FOUND.entry) top = Math.max(top, opOf(j.headers, at));
  }
  return top;
}

function settle(j: Journal, slot: number, found: number): void {
  const at = slot * HEADER_SIZE;
  const decision = recoveryDecision(found, j.solo);
  switch (decision) {
    case 'clean':
    case 'nil':
      break;
    case 'fix':
      // B is in `headers`: an entry, or reserved when a lone replica's header sector tore.
      copyWords(j.headers, at, j.headersRedundant, at, HEADER_SIZE);
      j.sectors.want(sectorOf(slot));
      break;
    case 'cut':
      j.reserveSlot(slot);
      j.cutCount++;
      break;
    case 'faulty':
      j.reserveSlot(slot);
      j.setDirty(slot, 1);
      j.setFaulty(slot, FAULTY.unknown);
      break;
    case 'fatal':
    case 'impossible':
      throw new ReplicaFatal(
        `journal-${decision}`,
        `journal slot ${slot} is damaged (case ${recoveryCaseName(found)}) and no other replica ` +
          'has its content: restore the data file from a backup',
      );
  }
}

/** Drops entries prepared in a view that we never finished joining. */
function filterByView(j: Journal, recovery: JournalRecovery): void {
  const logBallot = ballotOf(recovery.logEpoch ?? 0, recovery.logView);
  const { viewHeaders, viewHeadersCount } = recovery;
  for (let slot = 0; slot < j.slots; slot++) {
    const at = slot * HEADER_SIZE;
    if (!isEntry(j.headers, at)) continue;
    const ballot = ballotOf(epochOf(j.headers, at), viewOf(j.headers, at));
    const op = opOf(j.headers, at);
    if (viewAllowed(op, ballot, viewHeaders, viewHeadersCount, logBallot)) continue;
    filteredByView.hits++;
    j.filteredCount++;
    j.reserveSlot(slot);
  }
}
