/** The superblock zone: four copies, which of them open the file, and what they say. */
import { AssertionFailure } from '../../core/assert.ts';
import { HEADER_SIZE, SUPERBLOCK_COPIES, type ClusterConfig } from '../../core/constants.ts';
import { regionOf } from '../../core/message/region.ts';
import { opOf, viewOf } from '../../core/message/header.ts';
import { checkpointOpAt } from '../../core/storage/checkpoint_state.ts';
import { zonesOf, type Zones } from '../../core/storage/data_file.ts';
import {
  SUPERBLOCK_SCAN_SIZE,
  SuperblockState,
  copyIndexAt,
  readSuperblockConfig,
  superblockCopyProblem,
} from '../../core/storage/superblock_layout.ts';
import { chooseSuperblock, type SuperblockCopy } from '../../core/storage/superblock_quorums.ts';
import { clusterText } from '../../adapters/handshake.ts';
import { UsageError } from '../usage_error.ts';
import { hex, shortHash, type DataFileReader, type Finding } from './data_file_reader.ts';

export interface SuperblockCopyView {
  readonly position: number;
  readonly copy: number;
  /** `ok`, or what is wrong. */
  readonly state: string;
  readonly sequence: number;
  readonly checksum: string;
  readonly parent: string;
  readonly view: number;
  readonly log_view: number;
  readonly commit_max: number;
  readonly checkpoint_op: number;
}

export interface SuperblockZoneView {
  readonly copies: readonly SuperblockCopyView[];
  /** `open`, or why a replica would refuse this file. */
  readonly verdict: string;
}

export interface OpenedFile {
  readonly config: ClusterConfig;
  readonly zones: Zones;
  readonly cluster: string;
  /** The state a replica would start from; null when it would refuse. */
  readonly state: SuperblockState | null;
  readonly replica: number;
  readonly replicaCount: number;
  readonly release: number;
  readonly superblock: SuperblockZoneView;
}

const PROBLEMS = {
  'no-magic': 'no superblock here',
  'newer-version': 'written by a newer version',
  checksum: 'damaged: its checksum does not match',
} as const;

const VERDICTS: Readonly<Record<string, string>> = {
  'not-formatted': 'no copy is valid: a replica does not start from this file',
  'quorum-lost': 'fewer than two copies agree: a replica does not start from this file',
  fork: 'two contents of one sequence: the file was written by two processes',
  'sequence-gap': 'a copy is more than one update ahead of the others: two histories are mixed',
  'broken-parent': 'the copies do not continue each other: two histories are mixed',
};

/** Throws UsageError when nothing in the file tells its layout. */
export function openDataFile(reader: DataFileReader, findings: Finding[]): OpenedFile {
  const head = reader.read(0, SUPERBLOCK_SCAN_SIZE).bytes;
  const found = readSuperblockConfig(head);
  if (found.kind !== 'config') throw new UsageError(`Cannot inspect "${reader.path}": ${refusal(found)}`);
  const { config } = found.identity;
  const zones = zonesOf(config);
  if (reader.size < zones.end) {
    findings.push({
      where: 'file',
      problem: `${reader.size} bytes, its configuration asks for ${zones.end}: cut off`,
    });
  }

  const states: SuperblockState[] = [];
  const views: SuperblockCopyView[] = [];
  const copies: SuperblockCopy[] = [];
  for (let position = 0; position < SUPERBLOCK_COPIES; position++) {
    const offset = zones.superblock + position * zones.superblockCopySize;
    const { bytes } = reader.read(offset, zones.superblockCopySize);
    const state = new SuperblockState(bytes);
    state.decode();
    states.push(state);
    const problem = superblockCopyProblem(config.checksumAlgorithm, state.image);
    const copy = copyIndexAt(state.image);
    const text = problem !== null ? PROBLEMS[problem] : copy === position ? 'ok' : 'ok, misplaced';
    if (text !== 'ok') findings.push({ where: `superblock copy ${position}`, problem: text });
    views.push({
      position,
      copy,
      state: text,
      sequence: state.sequence,
      checksum: shortHash(state.checksum, 0),
      parent: shortHash(state.parent, 0),
      view: state.view,
      log_view: state.logView,
      commit_max: state.commitMax,
      checkpoint_op: checkpointOpAt(state.checkpoint, 0),
    });
    copies.push({
      valid: problem === null,
      copy,
      sequence: state.sequence,
      checksum: hex(state.checksum.bytes),
      parent: hex(state.parent.bytes),
      identity: `${hex(state.cluster.bytes)}/${state.replicaIndex}/${state.replicaCount}`,
      monotonic: [
        state.view,
        state.logView,
        state.commitMax,
        state.generation,
        checkpointOpAt(state.checkpoint, 0),
      ],
    });
  }

  const choice = choose(copies);
  const verdict =
    choice === null || choice.kind !== 'open' ? (VERDICTS[choice?.kind ?? ''] ?? 'unknown') : 'open';
  if (verdict !== 'open') findings.push({ where: 'superblock', problem: verdict });
  const state = choice !== null && choice.kind === 'open' ? (states[choice.position] ?? null) : null;
  const newest = views.reduce(
    (max, view) => (view.state.startsWith('ok') ? Math.max(max, view.sequence) : max),
    0,
  );
  if (state !== null) {
    for (const view of views) {
      if (view.state.startsWith('ok') && view.sequence < newest) {
        findings.push({
          where: `superblock copy ${view.position}`,
          problem: `of sequence ${view.sequence}, the newest is ${newest}: an update was cut short`,
        });
      }
    }
  }
  return {
    config,
    zones,
    cluster: clusterText(regionOf(Uint8Array.from(found.identity.cluster))),
    state,
    replica: found.identity.replicaIndex,
    replicaCount: found.identity.replicaCount,
    release: found.identity.release,
    superblock: { copies: views, verdict },
  };
}

function choose(copies: readonly SuperblockCopy[]): ReturnType<typeof chooseSuperblock> | null {
  try {
    return chooseSuperblock(copies);
  } catch (error) {
    if (error instanceof AssertionFailure) return null;
    throw error;
  }
}

function refusal(found: Exclude<ReturnType<typeof readSuperblockConfig>, { kind: 'config' }>): string {
  switch (found.kind) {
    case 'not-formatted':
      return 'no superblock in its first 256 KiB; it is no data file, or it was never formatted';
    case 'newer-version':
      return `its superblock has version ${found.version}; update kimberlite`;
    case 'damaged':
      return (
        `${found.copies} superblock copies are there and none is whole, so its layout is unknown; ` +
        're-admit the replica with a new file'
      );
    case 'conflict':
      return 'its superblock copies carry different configurations: two files are mixed in it';
  }
}

/** The view headers that the superblock carries, top op first. */
export function viewHeaders(state: SuperblockState): { op: number; view: number; checksum: string }[] {
  const rows: { op: number; view: number; checksum: string }[] = [];
  for (let i = 0; i < state.viewHeadersCount; i++) {
    const at = i * HEADER_SIZE;
    rows.push({
      op: opOf(state.viewHeaders, at),
      view: viewOf(state.viewHeaders, at),
      checksum: shortHash(state.viewHeaders, at),
    });
  }
  return rows;
}
