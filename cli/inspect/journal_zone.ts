/**
 * The journal: for each slot the redundant header R and the prepare B, and what recovery would
 * decide about the two (the core's own table). Source: reference "vsr" 7.4, 7.5.
 */
import { bodyValid, headerValid } from '../../core/checksum.ts';
import { HEADER_SIZE, SECTOR_SIZE, prepareMax } from '../../core/constants.ts';
import { kernelOperationName } from '../../core/kernel/operations.ts';
import {
  AT,
  COMMAND,
  OPERATION,
  commandOf,
  opOf,
  operationOf,
  requestOf,
  sizeOf,
  viewOf,
} from '../../core/message/header.ts';
import { paddedSize, paddingIsZero } from '../../core/message/padding.ts';
import { equalWords, readNanosAsMicros, type Region } from '../../core/message/region.ts';
import { checkpointOpAt } from '../../core/storage/checkpoint_state.ts';
import { prepareOffset } from '../../core/storage/data_file.ts';
import {
  FOUND,
  findTorn,
  recoveryCase,
  recoveryCaseName,
  recoveryDecision,
  type Found,
} from '../../core/storage/journal_recovery.ts';
import { shortHash, timeText, type DataFileReader, type Finding } from './data_file_reader.ts';
import { type OpenedFile } from './superblock_zone.ts';

export interface JournalSlotView {
  readonly slot: number;
  /** `clean`, `empty`, or what recovery would do: `fix`, `faulty`, `torn`, `cut`, `fatal`. */
  readonly state: string;
  /** Row of the recovery table, `A`..`P`. */
  readonly case: string;
  readonly header: string;
  readonly prepare: string;
  /** Of the prepare where it is whole, else of the header; null: neither is. */
  readonly op: number | null;
  readonly view: number | null;
  readonly operation: string | null;
  readonly request: number | null;
  readonly size: number | null;
  readonly checksum: string | null;
  readonly timestamp: string | null;
}

/** One half of a slot as it was read. */
interface Half {
  readonly found: Found;
  readonly region: Region;
  readonly at: number;
}

const FOUND_NAMES = ['damaged', 'reserved', 'whole', 'foreign'];

export function inspectJournal(
  reader: DataFileReader,
  file: OpenedFile,
  findings: Finding[],
): JournalSlotView[] {
  const { config, zones, state, replicaCount } = file;
  const slotCount = config.journalSlots;
  const headers = reader.read(zones.journalHeaders, zones.journalHeadersSize);
  const redundant: Half[] = [];
  const prepares: Half[] = [];
  let top = 0;
  for (let slot = 0; slot < slotCount; slot++) {
    const at = slot * HEADER_SIZE;
    const r: Half = { found: headerFound(file, headers, at, slot), region: headers, at };
    const b = readPrepare(reader, file, slot);
    for (const half of [r, b]) {
      if (half.found === FOUND.entry) top = Math.max(top, opOf(half.region, half.at));
    }
    redundant.push(r);
    prepares.push(b);
  }

  const checkpointOp = state === null ? 0 : checkpointOpAt(state.checkpoint, 0);
  const max = prepareMax(config, checkpointOp);
  const cases = new Uint8Array(slotCount);
  for (let slot = 0; slot < slotCount; slot++) {
    const r = redundant[slot] as Half;
    const b = prepares[slot] as Half;
    const equal = equalWords(r.region, r.at, b.region, b.at, 32);
    cases[slot] = recoveryCase(r.found, opIn(r), b.found, opIn(b), equal, top, max);
  }
  const torn = new Uint8Array(slotCount);
  const prepareFound = Uint8Array.from(prepares, (half) => half.found);
  findTorn({ cases, prepareFound, checkpointOp, prepareMax: max, top, writesMax: 32 }, torn);

  return redundant.map((r, slot): JournalSlotView => {
    const found = cases[slot] as number;
    const decision = recoveryDecision(found, replicaCount === 1);
    const state = torn[slot] === 1 ? 'torn' : decision === 'nil' ? 'empty' : decision;
    const letter = recoveryCaseName(found);
    if (state !== 'clean' && state !== 'empty') {
      findings.push({
        where: `journal slot ${slot}`,
        problem: `${READING[letter] ?? 'unknown'} (case ${letter}: ${CONSEQUENCE[state] ?? state})`,
      });
    }
    return slotView(slot, state, letter, r, prepares[slot] as Half);
  });
}

function readPrepare(reader: DataFileReader, file: OpenedFile, slot: number): Half {
  const { config, zones } = file;
  const offset = prepareOffset(zones, config, slot);
  let region = reader.read(offset, SECTOR_SIZE);
  let found = headerFound(file, region, 0, slot);
  if (found === FOUND.entry || found === FOUND.reserved) {
    const size = sizeOf(region);
    if (size < HEADER_SIZE || size > config.messageSizeMax) {
      found = FOUND.bad;
    } else {
      if (size > SECTOR_SIZE) region = reader.read(offset, paddedSize(size));
      const whole = bodyValid(config.checksumAlgorithm, region) && paddingIsZero(region);
      if (!whole) found = FOUND.bad;
    }
  }
  return { found, region, at: 0 };
}

function headerFound(file: OpenedFile, region: Region, at: number, slot: number): Found {
  const { config, state } = file;
  if (!headerValid(config.checksumAlgorithm, region, at)) return FOUND.bad;
  if (commandOf(region, at) !== COMMAND.prepare) return FOUND.foreign;
  if (state !== null && !equalWords(region, at + AT.cluster, state.cluster, 0, 16)) return FOUND.foreign;
  const op = opOf(region, at);
  if (operationOf(region, at) === OPERATION.reserved) {
    return op === slot ? FOUND.reserved : FOUND.foreign;
  }
  return op % config.journalSlots === slot ? FOUND.entry : FOUND.foreign;
}

function opIn(half: Half): number {
  return half.found === FOUND.entry ? opOf(half.region, half.at) : 0;
}

function slotView(slot: number, state: string, letter: string, r: Half, b: Half): JournalSlotView {
  const shown = b.found === FOUND.entry ? b : r;
  const { region, at } = shown;
  const known = shown.found === FOUND.entry;
  return {
    slot,
    state,
    case: letter,
    header: FOUND_NAMES[r.found] ?? '?',
    prepare: FOUND_NAMES[b.found] ?? '?',
    op: known ? opOf(region, at) : null,
    view: known ? viewOf(region, at) : null,
    operation: known ? operationName(operationOf(region, at)) : null,
    request: known ? requestOf(region, at) : null,
    size: known ? sizeOf(region, at) : null,
    checksum: known ? shortHash(region, at + AT.checksum) : null,
    timestamp: known ? timeText(readNanosAsMicros(region, at + AT.timestamp)) : null,
  };
}

const READING: Readonly<Record<string, string>> = {
  A: 'neither the header nor the prepare is whole',
  B: 'the prepare is not whole, and its slot was never used before',
  C: 'the prepare is not whole, over the header of an older one',
  D: 'the redundant header is not whole, the prepare is reserved',
  E: 'the redundant header is not whole, the prepare is an older one',
  F: 'the redundant header is not whole, the prepare is the newest of all',
  G: 'the prepare is whole and its redundant header was not written yet',
  H: 'the prepare lies above all that this checkpoint allows',
  I: 'the header lies above all that this checkpoint allows',
  J: 'the header lies above all that this checkpoint allows, and its prepare is not here',
  K: 'the header names a prepare that is not here',
  M: 'the prepare is newer than its redundant header',
  N: 'the prepare is older than its redundant header',
  O: 'header and prepare have the same op and different checksums',
};

const CONSEQUENCE: Readonly<Record<string, string>> = {
  fix: 'recovery trusts the prepare and writes the header again',
  faulty: 'recovery asks the other replicas for it',
  torn: 'the write was never acknowledged: recovery drops it',
  cut: 'recovery drops it',
  fatal: 'a single replica has nobody to ask and does not start',
  impossible: 'a single replica cannot have written this and does not start',
};

const PROTOCOL_NAMES = [
  'reserved', 'root', 'register', 'reconfigure', 'pulse', 'upgrade', 'noop', 'recovery_record',
];

export function operationName(operation: number): string {
  return PROTOCOL_NAMES[operation] ?? kernelOperationName(operation);
}
