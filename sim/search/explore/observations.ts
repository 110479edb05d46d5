/**
 * What checkers are shown of one step of one node, as data: copied while the node runs, told to a
 * checker suite afterwards, as often as the same step leads from different states of the checkers.
 */
import { COMMAND, commandOf, sizeOf } from '../../../core/message/header.ts';
import { type Message } from '../../../core/message/pool.ts';
import { regionOf, type Region } from '../../../core/message/region.ts';
import { type ReplicaObserver } from '../../../core/vsr/observer.ts';
import { type Replica } from '../../../core/vsr/replica.ts';
import { type RecoveredJournal } from '../../../invariants/invariant.ts';
import { type CheckerSuite } from '../../../invariants/suite.ts';
import { DigestTable } from './digest_table.ts';
import { WordSink } from './word_sink.ts';

export const SHOWN = {
  started: 0,
  recovered: 1,
  stopped: 2,
  panicked: 3,
  view: 4,
  committed: 5,
  checkpointed: 6,
  synced: 7,
  sent: 8,
  called: 9,
  returned: 10,
  abandoned: 11,
} as const;

/** One call of the suite. `node` is a replica's index, or a client's for the last three kinds. */
export interface Observation {
  readonly kind: number;
  readonly node: number;
  readonly a: number;
  readonly b: number;
  readonly message: Region | null;
  readonly reply: Region | null;
  readonly journal: RecoveredJournal | null;
  readonly words: string;
}

/** The commands whose sending some checker judges; see `CheckerSuite.sent`. */
const JUDGED: ReadonlySet<number> = new Set([
  COMMAND.reply,
  COMMAND.prepareOk,
  COMMAND.doViewChange,
  COMMAND.startView,
]);

/** Collects the observations of the step that runs. */
export class Recorder implements ReplicaObserver {
  readonly list: Observation[] = [];

  add(kind: number, node: number, a = 0, b = 0, more: Partial<Observation> = {}): void {
    this.list.push({ kind, node, a, b, message: null, reply: null, journal: null, words: '', ...more });
  }

  sent(node: number, message: Region): void {
    if (JUDGED.has(commandOf(message))) this.add(SHOWN.sent, node, 0, 0, { message: copyOf(message) });
  }

  // --- ReplicaObserver ---

  recovered(replica: Replica): void {
    const { headers, dirty, faulty, prepareChecksum, prepareInhabited } = replica.journal;
    const journal: RecoveredJournal = {
      headers: regionOf(headers.bytes.slice()),
      dirty: dirty.slice(),
      faulty: faulty.slice(),
      prepareChecksum: regionOf(prepareChecksum.bytes.slice()),
      prepareInhabited: prepareInhabited.slice(),
    };
    this.add(SHOWN.recovered, replica.replicaIndex, replica.checkpointOp, 0, { journal });
  }

  committed(replica: Replica, op: number, prepare: Message, reply: Message | null): void {
    const message = copyOf(prepare);
    const answer = reply === null ? null : copyOf(reply);
    this.add(SHOWN.committed, replica.replicaIndex, op, 0, { message, reply: answer });
  }

  checkpointed(replica: Replica, op: number): void {
    this.add(SHOWN.checkpointed, replica.replicaIndex, op);
  }

  statusChanged(replica: Replica): void {
    this.add(SHOWN.view, replica.replicaIndex, replica.view, replica.logView);
  }

  ignored(): void {}

  discarded(): void {}

  synced(replica: Replica, _fromOp: number, toOp: number): void {
    this.add(SHOWN.synced, replica.replicaIndex, toOp);
  }
}

/** Lists of observations, each kept once. Number 0 is the empty list. */
export class ObservationStore {
  private readonly table = new DigestTable();
  private readonly lists: (readonly Observation[])[] = [];
  private readonly sink = new WordSink();

  constructor() {
    this.intern([]);
  }

  intern(list: readonly Observation[]): number {
    const { sink } = this;
    sink.clear();
    for (const shown of list) {
      sink.mark(shown.kind);
      sink.number(shown.node);
      sink.number(shown.a);
      sink.number(shown.b);
      if (shown.message !== null) sink.part(shown.message, 0, shown.message.bytes.byteLength);
      if (shown.reply !== null) sink.part(shown.reply, 0, shown.reply.bytes.byteLength);
      if (shown.journal !== null) this.addJournal(shown.journal);
      sink.text(shown.words);
    }
    const known = this.table.count;
    const number = this.table.add(sink.digest());
    if (number === known) this.lists.push([...list]);
    return number;
  }

  list(number: number): readonly Observation[] {
    return this.lists[number] as readonly Observation[];
  }

  private addJournal(journal: RecoveredJournal): void {
    const { sink } = this;
    const { headers, dirty, faulty, prepareChecksum, prepareInhabited } = journal;
    sink.part(headers, 0, headers.bytes.byteLength);
    sink.view(dirty, 0, dirty.byteLength);
    sink.view(faulty, 0, faulty.byteLength);
    sink.part(prepareChecksum, 0, prepareChecksum.bytes.byteLength);
    sink.view(prepareInhabited, 0, prepareInhabited.byteLength);
  }
}

/** Tells a suite what was observed. */
export function showTo(suite: CheckerSuite, shown: Observation): void {
  const { node, a, b } = shown;
  const message = shown.message as Region;
  switch (shown.kind) {
    case SHOWN.started: return suite.started(node);
    case SHOWN.recovered: return suite.recovered(node, a, shown.journal as RecoveredJournal);
    case SHOWN.stopped: return suite.stopped(node);
    case SHOWN.panicked: return suite.panicked(node, 'error', shown.words, false);
    case SHOWN.view: return suite.view(node, a, b);
    case SHOWN.committed: return suite.committed(node, a, message, shown.reply);
    case SHOWN.checkpointed: return suite.checkpointed(node, a);
    case SHOWN.synced: return suite.synced(node, a);
    case SHOWN.sent: return suite.sent(node, message);
    case SHOWN.called: return suite.called(node, a, message.bytes.subarray(0, b));
    case SHOWN.returned: return suite.returned(node, message);
    default: return suite.abandoned(node);
  }
}

export function copyOf(message: Region): Region {
  const size = sizeOf(message);
  const copy = regionOf(new Uint8Array((size + 3) & ~3));
  copy.bytes.set(message.bytes.subarray(0, size));
  return copy;
}
