/**
 * The states of the checkers and what leads from one to another, as for the nodes (local_graph.ts):
 * the checkers are the real ones, shown the same facts as in a world, and remember their past. What
 * they remember is part of a state of the search, for two pasts may judge one future differently.
 *
 * What a step shows is shown after the step: on an atomic disk its writes are durable by then. Time
 * is the number of calls and returns so far, which is all that a linearizability checker needs.
 */
import { assert } from '../../../core/assert.ts';
import { HEADER_SIZE, type ClusterConfig } from '../../../core/constants.ts';
import { type Region } from '../../../core/message/region.ts';
import { zonesOf } from '../../../core/storage/data_file.ts';
import { AckedDurability } from '../../../invariants/acked_durability.ts';
import { HashChain } from '../../../invariants/hash_chain.ts';
import { History } from '../../../invariants/history.ts';
import { HistoryLog } from '../../../invariants/history_log.ts';
import { type CheckContext, type Checker, type CheckerEntry } from '../../../invariants/invariant.ts';
import { OpenCalls } from '../../../invariants/calls.ts';
import { CHECKERS } from '../../../invariants/registry.ts';
import { StreamModel } from '../../../invariants/stream_model.ts';
import { CheckerSuite } from '../../../invariants/suite.ts';
import { TornWriteRecovery } from '../../../invariants/torn_write_recovery.ts';
import { ViewMonotonicity } from '../../../invariants/view_monotonicity.ts';
import { Snapshot } from '../../snapshot.ts';
import { CanonicalForm, type Rule } from './canonical.ts';
import { DigestTable } from './digest_table.ts';
import { SHOWN, showTo, type Observation, type ObservationStore } from './observations.ts';
import { DiskImage, type SectorStore } from './sector_store.ts';
import { type DiskTable } from './disk_table.ts';
import { TupleTable } from './tuple_table.ts';

/** They judge what has come to rest; a search has no end at which all rests. */
const AT_REST: ReadonlySet<string> = new Set(['liveness', 'replica_convergence', 'journal_consistency']);
export const EXPLORED_CHECKERS: readonly CheckerEntry[] = CHECKERS.filter(({ id }) => !AT_REST.has(id));

const SNAPSHOTS_MAX = 300;
const NONE = -1;

/** What the checkers found. */
export interface Finding {
  readonly invariant: string;
  readonly message: string;
}

/** Everything of the checkers that changes, and what they are lent. */
export class ExploredChecks {
  readonly suite: CheckerSuite;
  readonly images: DiskImage[] = [];
  finding: Finding | null = null;
  private readonly time = { now: 0 };
  private readonly root: object;
  private readonly form = new CanonicalForm(CHECKER_RULES, LEFT_OUT);

  constructor(options: {
    readonly config: ClusterConfig;
    readonly cluster: Region;
    readonly replicaCount: number;
    readonly clientCount: number;
    readonly sectors: SectorStore;
  }) {
    const { replicaCount } = options;
    for (let i = 0; i < replicaCount; i++) this.images.push(new DiskImage(options.sectors));
    const { time, images } = this;
    // Frozen, so that no snapshot looks inside.
    const context: CheckContext = Object.freeze({
      config: options.config,
      zones: zonesOf(options.config),
      cluster: options.cluster,
      replicaCount,
      clientCount: options.clientCount,
      now: () => time.now,
      disk: (node: number) => images[node] as DiskImage,
      fail: (invariant: string, message: string) => {
        this.finding ??= { invariant, message };
      },
    });
    this.suite = new CheckerSuite(context, EXPLORED_CHECKERS);
    const { history, calls, nodes, checkers } = this.suite;
    this.root = { time, history, calls, nodes, checkers };
  }

  snapshot(): Snapshot {
    return Snapshot.of(this.root);
  }

  digest(): Uint32Array {
    this.form.begin();
    this.form.add(this.root);
    return this.form.sink.digest();
  }

  /** Shows what a step let be seen. The disks must be those after the step. */
  show(list: readonly Observation[]): void {
    for (const shown of list) {
      if (shown.kind >= SHOWN.called) this.time.now++;
      showTo(this.suite, shown);
    }
  }

  /** Judges what clients were told so far as if the run ended here. Leaves the checkers spoilt. */
  judgeHistory(): void {
    const history: Checker | undefined = this.suite.checkers.find(({ id }) => id === 'client_history');
    history?.atEnd?.();
  }
}

interface Way {
  readonly parent: number;
  readonly shown: number;
  /** Number of the tuple of disks. */
  readonly disks: number;
}

export class CheckerGraph {
  readonly checks: ExploredChecks;
  /** Transitions that the real checkers judged. */
  executed = 0;
  readonly findings: Finding[] = [];
  private readonly observations: ObservationStore;
  private readonly disks: DiskTable;
  private readonly replicaCount: number;
  private readonly digests = new DigestTable();
  /** By state: how it was reached first. */
  private readonly ways: Way[] = [];
  /** (state, list of observations, disks) -> state, or a finding. */
  private readonly known: TupleTable;
  private readonly diskTuples: TupleTable;
  private readonly outcomes: number[] = [];
  private readonly key = new Int32Array(3);
  private readonly snapshots = new Map<number, Snapshot>();
  private current = NONE;

  constructor(
    checks: ExploredChecks,
    observations: ObservationStore,
    disks: DiskTable,
    replicaCount: number,
  ) {
    this.checks = checks;
    this.observations = observations;
    this.disks = disks;
    this.replicaCount = replicaCount;
    this.known = new TupleTable(3);
    this.diskTuples = new TupleTable(replicaCount);
    this.enter(NONE, 0, 0);
  }

  get count(): number {
    return this.digests.count;
  }

  /**
   * The state after `shown` (a list of observations, not empty) was shown to the checkers in
   * `state`; `disks` are those of the replicas after the step. Below 0: finding number -1 - result.
   */
  next(state: number, shown: number, disks: Int32Array): number {
    this.key[0] = state;
    this.key[1] = shown;
    this.key[2] = this.looksAtDisks(shown) ? this.diskTuples.add(disks) : NONE;
    const known = this.known.count;
    const number = this.known.add(this.key);
    if (number === known) this.outcomes.push(this.execute(state, shown, disks));
    return this.outcomes[number] as number;
  }

  private looksAtDisks(shown: number): boolean {
    return this.observations.list(shown).some(({ kind }) => READS_DISKS.has(kind));
  }

  private execute(state: number, shown: number, disks: Int32Array): number {
    this.load(state);
    this.current = NONE;
    const { checks } = this;
    for (const image of checks.images) image.read = false;
    this.apply(shown, disks);
    // Otherwise what was remembered would be given for other disks, too.
    const looked = checks.images.some(({ read }) => read);
    assert(!looked || this.looksAtDisks(shown), 'checker graph: a disk was read where none is expected');
    if (checks.finding !== null) return this.found();
    const tuple = this.diskTuples.add(disks);
    const to = this.enter(state, shown, tuple);
    if (this.observations.list(shown).some(({ kind }) => kind === SHOWN.returned)) {
      const here = checks.snapshot();
      checks.judgeHistory();
      if (checks.finding !== null) return this.found();
      here.restore();
    }
    return to;
  }

  private apply(shown: number, disks: Int32Array): void {
    this.executed++;
    for (let node = 0; node < this.replicaCount; node++) {
      const image = this.checks.images[node] as DiskImage;
      image.written = this.disks.written(disks[node] as number);
      image.durable = this.disks.durable(disks[node] as number);
    }
    this.checks.show(this.observations.list(shown));
  }

  private found(): number {
    this.findings.push(this.checks.finding as Finding);
    this.checks.finding = null;
    this.current = NONE;
    return -this.findings.length;
  }

  private enter(parent: number, shown: number, disks: number): number {
    const known = this.digests.count;
    const state = this.digests.add(this.checks.digest());
    if (state !== known) return state;
    this.ways.push({ parent, shown, disks });
    this.keep(state);
    return state;
  }

  private load(state: number): void {
    if (this.current === state) return;
    const path: number[] = [];
    let from = state;
    while (!this.snapshots.has(from)) {
      path.push(from);
      from = (this.ways[from] as Way).parent;
      assert(from !== NONE, 'checker graph: no snapshot of the root');
    }
    (this.snapshots.get(from) as Snapshot).restore();
    const disks = new Int32Array(this.replicaCount);
    for (let i = path.length - 1; i >= 0; i--) {
      const made = this.ways[path[i] as number] as Way;
      for (let node = 0; node < disks.length; node++) {
        disks[node] = this.diskTuples.element(made.disks, node);
      }
      this.apply(made.shown, disks);
    }
    this.current = state;
    if (path.length > 0) this.keep(state);
  }

  private keep(state: number): void {
    this.snapshots.set(state, this.checks.snapshot());
    if (this.snapshots.size <= SNAPSHOTS_MAX) return;
    for (const oldest of this.snapshots.keys()) {
      if (oldest === 0) continue;
      this.snapshots.delete(oldest);
      return;
    }
  }
}

/** Observations after which some checker reads a disk. */
const READS_DISKS: ReadonlySet<number> = new Set<number>([
  SHOWN.recovered,
  SHOWN.sent,
  SHOWN.checkpointed,
  SHOWN.synced,
]);

/** Where a checker looks, how often it did, and what it only ever writes before it reads it. */
const LEFT_OUT = ['context', 'observed', 'comparisons', 'fingerprint'];

const CHECKER_RULES: readonly Rule[] = [
  {
    type: History,
    leftOut: ['headers', 'bodies', 'replies', 'replySize', 'committedAt', 'body', 'reply', 'first'],
    instead: (object, form) => {
      const { headers, bodies, replies, replySize, opMax } = object as unknown as History;
      form.sink.part(headers, 0, (opMax + 1) * HEADER_SIZE);
      form.add(bodies.subarray(0, (opMax + 1) * 2));
      form.add(replies.subarray(0, (opMax + 1) * 2));
      form.add(replySize.subarray(0, opMax + 1));
    },
  },
  {
    type: OpenCalls,
    leftOut: ['operation', 'calledAt', 'bodies', 'bodyLength'],
    instead: (object, form) => {
      const { open, operation, calledAt, bodies, bodyLength } = object as unknown as OpenCalls;
      open.forEach((isOpen, client) => {
        if (isOpen === 0) return;
        form.sink.number(operation[client] as number);
        form.sink.number(calledAt[client] as number);
        form.sink.part(bodies[client] as Region, 0, bodyLength[client] as number);
      });
    },
  },
  {
    type: HistoryLog,
    leftOut: ['kind', 'process', 'stream', 'calledAt', 'returnedAt', 'offset', 'length', 'eventFirst',
      'eventCount', 'events'],
    instead: (object, form) => {
      const log = object as unknown as HistoryLog;
      for (const column of [log.kind, log.process, log.stream, log.calledAt, log.returnedAt, log.offset,
        log.length, log.eventFirst, log.eventCount]) {
        form.add(column.subarray(0, log.count));
      }
      form.add(log.events.subarray(0, log.eventsCount));
    },
  },
  { type: AckedDurability, leftOut: ['header', 'shown'] },
  { type: StreamModel, leftOut: ['predicted', 'count', 'value', 'op', 'timestampOp'] },
  { type: HashChain, leftOut: ['link'] },
  { type: TornWriteRecovery, leftOut: ['prepare'] },
  { type: ViewMonotonicity, leftOut: ['superblock'] },
];
