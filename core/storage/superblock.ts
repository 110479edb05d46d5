/**
 * The superblock: the replica's durable promises (view, log view, generation), its checkpoint and
 * the headers that fix its log. Four copies, one after another in the file.
 *
 * An update is durable once three copies read back identical; a start trusts two equal ones. One
 * update is in flight; what comes meanwhile merges into one that follows. Source: reference "vsr"
 * section 8.
 */
import { assert, ReplicaFatal } from '../assert.ts';
import {
  CHECKPOINT_STATE_SIZE,
  HEADER_SIZE,
  SUPERBLOCK_COPIES,
  viewHeadersMax,
  type ClusterConfig,
} from '../constants.ts';
import { opOf } from '../message/header.ts';
import { copyWords, equalWords, regionOf, zeroWords, type Region } from '../message/region.ts';
import { STORAGE_RESULT, type Storage, type StorageResult } from '../ports.ts';
import { defineProbe } from '../probe.ts';
import { checkpointOpAt } from './checkpoint_state.ts';
import { type Zones } from './data_file.ts';
import { isEntry } from './formatted_headers.ts';
import {
  chooseSuperblock,
  SUPERBLOCK_VERIFY_QUORUM,
  type SuperblockCopy,
  type SuperblockProblem,
} from './superblock_quorums.ts';
import {
  configFingerprint,
  copyIndexAt,
  setCopyIndex,
  SUPERBLOCK_AT,
  superblockCopyProblem,
  SuperblockState,
} from './superblock_layout.ts';

/** High byte of every storage token of this component. */
export const SUPERBLOCK_TOKEN = 1 << 24;

const copyRepaired = defineProbe('superblock: repaired a copy at open');
const openedBehindCopy = defineProbe('superblock: opened with a copy of an unfinished update');
const openedWithTwo = defineProbe('superblock: opened with two copies');
const verifiedWithThree = defineProbe('superblock: verified with three copies');
const updateMerged = defineProbe('superblock: update merged into the queued one');
const updateQueued = defineProbe('superblock: update queued behind another');

export interface SuperblockListener {
  superblockOpened(): void;
  /** After each completed update; `working` is the new state. */
  superblockUpdated(): void;
}

export interface SuperblockPatch {
  readonly view?: number;
  readonly logView?: number;
  readonly commitMax?: number;
  /** Top op first. Copied by the call. */
  readonly viewHeaders?: { readonly region: Region; readonly at: number; readonly count: number };
  /** A CheckpointState, 1,024 bytes. Copied by the call. */
  readonly checkpoint?: Region;
  readonly syncOpMin?: number;
  readonly syncOpMax?: number;
  readonly generation?: number;
}

/** Merged patches that wait for the update in flight. -1: field not set. */
interface QueuedPatch {
  waiting: boolean;
  view: number;
  logView: number;
  commitMax: number;
  syncOpMin: number;
  syncOpMax: number;
  generation: number;
  viewHeadersCount: number;
  readonly viewHeaders: Region;
  hasCheckpoint: boolean;
  readonly checkpoint: Region;
}

const STEP = { closed: 0, openRead: 1, write: 2, sync: 3, verifyRead: 4, idle: 5 } as const;

/** Epoch and view in one order: epoch first (reference "vsr" section 0). */
const BALLOT_VIEWS = 4_294_967_296;

const PROBLEM_TEXT: Record<SuperblockProblem, string> = {
  'not-formatted':
    'no copy of the superblock is valid: the data file is not formatted, or its superblock is ' +
    'lost; format a new file, or re-admit this replica as one with a lost data file',
  'quorum-lost':
    'fewer than two copies of the superblock agree: what this replica promised last is unknown; ' +
    're-admit it as one with a lost data file',
  fork:
    'two different superblocks of one sequence: the data file was written by two processes; ' +
    're-admit this replica with a new file',
  'sequence-gap':
    'a copy of the superblock is more than one update ahead of the others: the data file mixes ' +
    'two histories; re-admit this replica with a new file',
  'broken-parent':
    'the superblock does not continue the one before it: the data file mixes two histories; ' +
    're-admit this replica with a new file',
};

export class Superblock {
  /** The last durable state. The object and its regions stay; their content changes. */
  readonly working: SuperblockState;
  /** The state being written; equal to `working` when nothing is. */
  readonly staging: SuperblockState;
  /** An update is in flight (another may wait behind it). */
  updating = false;
  /** Copies rewritten by `open`. */
  copiesRepaired = 0;

  private readonly config: ClusterConfig;
  private readonly zones: Zones;
  private readonly storage: Storage;
  private readonly listener: SuperblockListener;
  private readonly copies: Region[] = [];
  private readonly queued: QueuedPatch;
  /** Positions to write, in order. */
  private readonly plan: number[] = [];
  private planned = 0;
  /** Position being read. */
  private position = 0;
  private step: number = STEP.closed;
  private opened = false;

  constructor(options: {
    readonly config: ClusterConfig;
    readonly zones: Zones;
    readonly storage: Storage;
    readonly listener: SuperblockListener;
  }) {
    this.config = options.config;
    this.zones = options.zones;
    this.storage = options.storage;
    this.listener = options.listener;
    const size = options.zones.superblockCopySize;
    this.working = new SuperblockState(new Uint8Array(size));
    this.staging = new SuperblockState(options.storage.allocate(size));
    for (let i = 0; i < SUPERBLOCK_COPIES; i++) {
      this.copies.push(regionOf(options.storage.allocate(size)));
    }
    this.queued = {
      waiting: false,
      view: -1,
      logView: -1,
      commitMax: -1,
      syncOpMin: -1,
      syncOpMax: -1,
      generation: -1,
      viewHeadersCount: -1,
      viewHeaders: regionOf(new Uint8Array(viewHeadersMax(options.config) * HEADER_SIZE)),
      hasCheckpoint: false,
      checkpoint: regionOf(new Uint8Array(CHECKPOINT_STATE_SIZE)),
    };
  }

  /** An update waits behind the one in flight. */
  get queuedUpdate(): boolean {
    return this.queued.waiting;
  }

  /**
   * Reads, chooses and mends the copies; then `superblockOpened`. Throws `ReplicaFatal` from a
   * completion when the file cannot be trusted.
   */
  open(): void {
    assert(this.step === STEP.closed, 'superblock: opened twice', this.step);
    this.position = 0;
    this.step = STEP.openRead;
    this.readCopy();
  }

  /** Copies the patch at once. Later calls win field by field over ones still waiting. */
  update(patch: SuperblockPatch): void {
    assert(this.opened, 'superblock: update before open');
    const queued = this.queued;
    if (queued.waiting) updateMerged.hits++;
    else if (this.updating) updateQueued.hits++;
    queued.waiting = true;
    if (patch.view !== undefined) queued.view = patch.view;
    if (patch.logView !== undefined) queued.logView = patch.logView;
    if (patch.commitMax !== undefined) queued.commitMax = patch.commitMax;
    if (patch.syncOpMin !== undefined) queued.syncOpMin = patch.syncOpMin;
    if (patch.syncOpMax !== undefined) queued.syncOpMax = patch.syncOpMax;
    if (patch.generation !== undefined) queued.generation = patch.generation;
    if (patch.viewHeaders !== undefined) {
      const { region, at, count } = patch.viewHeaders;
      assert(count >= 1, 'superblock: no view headers', count);
      assert(count <= viewHeadersMax(this.config), 'superblock: view headers', count);
      copyWords(region, at, queued.viewHeaders, 0, count * HEADER_SIZE);
      queued.viewHeadersCount = count;
    }
    if (patch.checkpoint !== undefined) {
      copyWords(patch.checkpoint, 0, queued.checkpoint, 0, CHECKPOINT_STATE_SIZE);
      queued.hasCheckpoint = true;
    }
    if (!this.updating) this.startUpdate();
  }

  onStorage(token: number, result: StorageResult): void {
    assert(token === SUPERBLOCK_TOKEN, 'superblock: token', token);
    switch (this.step) {
      case STEP.openRead:
      case STEP.verifyRead:
        this.copyRead(result);
        break;
      case STEP.write:
        if (result !== STORAGE_RESULT.ok) {
          throw new ReplicaFatal('storage-write', 'superblock: a write failed; check the disk');
        }
        this.step = STEP.sync;
        this.storage.sync(SUPERBLOCK_TOKEN);
        break;
      case STEP.sync:
        // Never retried: a second sync may report success for data that is gone.
        if (result !== STORAGE_RESULT.ok) {
          throw new ReplicaFatal('storage-sync', 'superblock: a sync failed; check the disk');
        }
        this.planned++;
        this.writePlanned();
        break;
      default:
        assert(false, 'superblock: completion without a request', this.step);
    }
  }

  // --- Reading ---

  private readCopy(): void {
    const copy = this.copies[this.position] as Region;
    this.storage.read(this.copyOffset(this.position), copy.bytes, SUPERBLOCK_TOKEN);
  }

  private copyRead(result: StorageResult): void {
    const copy = this.copies[this.position] as Region;
    if (result === STORAGE_RESULT.corruptRead) {
      zeroWords(copy, 0, copy.bytes.byteLength);
    } else if (result !== STORAGE_RESULT.ok) {
      throw new ReplicaFatal('storage-read', 'superblock: a read failed; check the disk');
    }
    // One read at a time, so that one fault cannot meet all four.
    this.position++;
    if (this.position < SUPERBLOCK_COPIES) this.readCopy();
    else if (this.step === STEP.openRead) this.chooseCopy();
    else this.verifyCopies();
  }

  private chooseCopy(): void {
    const copies = this.copies.map((copy) => this.describeCopy(copy));
    const choice = chooseSuperblock(copies);
    if (choice.kind !== 'open') {
      this.refuseNewerVersion();
      throw new ReplicaFatal(`superblock-${choice.kind}`, PROBLEM_TEXT[choice.kind]);
    }
    this.staging.install(this.copies[choice.position] as Region);
    this.checkConfig();

    const { sequence } = this.staging;
    if (copies.some((copy) => copy.valid && copy.sequence > sequence)) openedBehindCopy.hits++;
    if (choice.repairs.length === 2) openedWithTwo.hits++;
    copyRepaired.hits += choice.repairs.length;
    this.copiesRepaired = choice.repairs.length;

    if (choice.repairs.length === 0) {
      this.completed();
    } else {
      this.plan.length = 0;
      this.plan.push(...choice.repairs);
      this.planned = 0;
      this.writePlanned();
    }
  }

  /** Our own version is not "lost" when a newer program wrote the file. */
  private refuseNewerVersion(): void {
    const algorithm = this.config.checksumAlgorithm;
    if (this.copies.some((c) => superblockCopyProblem(algorithm, c) === 'newer-version')) {
      throw new ReplicaFatal(
        'superblock-version',
        'the superblock was written by a newer version of this program; run that one',
      );
    }
  }

  private checkConfig(): void {
    const expected = regionOf(new Uint8Array(32));
    configFingerprint(this.config, expected, 0);
    if (!equalWords(expected, 0, this.staging.image, SUPERBLOCK_AT.fingerprint, 32)) {
      throw new ReplicaFatal(
        'superblock-config',
        'the data file was formatted with other cluster limits than this replica was started with',
      );
    }
  }

  private describeCopy(image: Region): SuperblockCopy {
    const state = new SuperblockState(image.bytes);
    state.decode();
    return {
      valid: superblockCopyProblem(this.config.checksumAlgorithm, image) === null,
      copy: copyIndexAt(image),
      sequence: state.sequence,
      checksum: hex(state.checksum.bytes),
      parent: hex(state.parent.bytes),
      identity: `${hex(state.cluster.bytes)}/${state.replicaIndex}/${state.replicaCount}`,
      monotonic: [
        state.epoch * BALLOT_VIEWS + state.view,
        state.logEpoch * BALLOT_VIEWS + state.logView,
        state.commitMax,
        state.generation,
        checkpointOpAt(state.checkpoint, 0),
      ],
    };
  }

  // --- Writing ---

  private startUpdate(): void {
    assert(this.step === STEP.idle, 'superblock: update while busy', this.step);
    const { working, staging, queued } = this;
    staging.install(working.image);
    staging.sequence = working.sequence + 1;
    copyWords(working.checksum, 0, staging.parent, 0, 32);
    if (queued.view >= 0) staging.view = queued.view;
    if (queued.logView >= 0) staging.logView = queued.logView;
    if (queued.commitMax >= 0) staging.commitMax = queued.commitMax;
    if (queued.syncOpMin >= 0) staging.syncOpMin = queued.syncOpMin;
    if (queued.syncOpMax >= 0) staging.syncOpMax = queued.syncOpMax;
    if (queued.generation >= 0) staging.generation = queued.generation;
    if (queued.viewHeadersCount >= 0) {
      const used = queued.viewHeadersCount * HEADER_SIZE;
      zeroWords(staging.viewHeaders, 0, staging.viewHeaders.bytes.byteLength);
      copyWords(queued.viewHeaders, 0, staging.viewHeaders, 0, used);
      staging.viewHeadersCount = queued.viewHeadersCount;
    }
    if (queued.hasCheckpoint) {
      copyWords(queued.checkpoint, 0, staging.checkpoint, 0, CHECKPOINT_STATE_SIZE);
    }
    clearPatch(queued);
    this.assertMonotonic();
    staging.encode(this.config.checksumAlgorithm);

    this.updating = true;
    this.plan.length = 0;
    for (let position = 0; position < SUPERBLOCK_COPIES; position++) this.plan.push(position);
    this.planned = 0;
    this.writePlanned();
  }

  /** I2, I12 and what follows from them. */
  private assertMonotonic(): void {
    const before = this.working;
    const after = this.staging;
    assert(after.view >= before.view, 'superblock: view', after.view, before.view);
    assert(after.logView >= before.logView, 'superblock: log view', after.logView, before.logView);
    assert(after.view >= after.logView, 'superblock: log view > view', after.logView, after.view);
    const { commitMax, generation } = after;
    assert(commitMax >= before.commitMax, 'superblock: commit max', commitMax, before.commitMax);
    assert(generation >= before.generation, 'superblock: generation', generation);
    assert(after.syncOpMin <= after.syncOpMax, 'superblock: sync range', after.syncOpMin);
    const checkpoint = checkpointOpAt(after.checkpoint, 0);
    const checkpointBefore = checkpointOpAt(before.checkpoint, 0);
    assert(checkpoint >= checkpointBefore, 'superblock: checkpoint', checkpoint, checkpointBefore);
    assert(commitMax >= checkpoint, 'superblock: commit max < checkpoint', commitMax, checkpoint);
    const top = opOf(after.viewHeaders, 0);
    assert(isEntry(after.viewHeaders, 0), 'superblock: top view header is blank', top);
    assert(top >= checkpoint, 'superblock: view headers below the checkpoint', top, checkpoint);
  }

  /** Writes the next planned position, durably before the one after it; then reads all back. */
  private writePlanned(): void {
    if (this.planned < this.plan.length) {
      const position = this.plan[this.planned] as number;
      setCopyIndex(this.staging.image, position);
      this.step = STEP.write;
      this.storage.write(this.copyOffset(position), this.staging.image.bytes, SUPERBLOCK_TOKEN);
    } else {
      this.step = STEP.verifyRead;
      this.position = 0;
      this.readCopy();
    }
  }

  /** Byte for byte against what was to be written: stronger than a checksum, and cheaper. */
  private verifyCopies(): void {
    const image = this.staging.image;
    const rest = image.bytes.byteLength - SUPERBLOCK_AT.version;
    let identical = 0;
    for (let position = 0; position < SUPERBLOCK_COPIES; position++) {
      const copy = this.copies[position] as Region;
      if (copyIndexAt(copy) !== position) continue;
      if (!equalWords(image, 0, copy, 0, 32)) continue;
      if (!equalWords(image, SUPERBLOCK_AT.version, copy, SUPERBLOCK_AT.version, rest)) continue;
      identical++;
    }
    if (identical < SUPERBLOCK_VERIFY_QUORUM) {
      throw new ReplicaFatal(
        'superblock-verify',
        `only ${identical} of 4 superblock copies read back as written; replace the disk`,
      );
    }
    if (identical === SUPERBLOCK_VERIFY_QUORUM) verifiedWithThree.hits++;
    this.completed();
  }

  private completed(): void {
    setCopyIndex(this.staging.image, 0); // Which copy was written last is no part of the state.
    this.working.install(this.staging.image);
    this.step = STEP.idle;
    if (!this.opened) {
      this.opened = true;
      this.listener.superblockOpened();
      return;
    }
    this.updating = false;
    if (this.queued.waiting) this.startUpdate();
    this.listener.superblockUpdated();
  }

  private copyOffset(position: number): number {
    return this.zones.superblock + position * this.zones.superblockCopySize;
  }
}

function clearPatch(queued: QueuedPatch): void {
  queued.waiting = false;
  queued.view = -1;
  queued.logView = -1;
  queued.commitMax = -1;
  queued.syncOpMin = -1;
  queued.syncOpMax = -1;
  queued.generation = -1;
  queued.viewHeadersCount = -1;
  queued.hasCheckpoint = false;
}

function hex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}
