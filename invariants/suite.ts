/**
 * The checkers of one run, dispatched: one list a hook, built once, so that an event reaches only
 * those that look at it. The world owns a suite and tells it what happens.
 */
import { COMMAND, commandOf } from '../core/message/header.ts';
import { type Region } from '../core/message/region.ts';
import { OpenCalls } from './calls.ts';
import { History } from './history.ts';
import { type CheckContext, type Checker, type CheckerEntry, type RecoveredJournal } from './invariant.ts';
import { Nodes } from './nodes.ts';
import { StoredRecords } from './stored_records.ts';
import { type StreamSweep } from './stream_sweep.ts';

type Hook = Exclude<keyof Checker, 'id' | 'comparisons'>;
/** A checker that has this hook. */
type With<H extends Hook> = Checker & Required<Pick<Checker, H>>;

const NO_BODY = new Uint8Array(0);

export class CheckerSuite {
  readonly history = new History();
  readonly calls: OpenCalls;
  readonly nodes: Nodes;
  /** In order of registration. */
  readonly checkers: readonly Checker[];
  private readonly context: CheckContext;
  private readonly startedList: With<'onStarted'>[];
  private readonly recoveredList: With<'onRecovered'>[];
  private readonly stoppedList: With<'onStopped'>[];
  private readonly panickedList: With<'onPanicked'>[];
  private readonly viewList: With<'onView'>[];
  private readonly committedList: With<'onCommitted'>[];
  private readonly checkpointedList: With<'onCheckpointed'>[];
  private readonly syncedList: With<'onSynced'>[];
  private readonly replySentList: With<'onReplySent'>[];
  private readonly promiseSentList: With<'onPromiseSent'>[];
  private readonly calledList: With<'onCalled'>[];
  private readonly returnedList: With<'onReturned'>[];
  private readonly abandonedList: With<'onAbandoned'>[];
  private readonly invokedList: With<'onInvoked'>[];
  private readonly answeredList: With<'onAnswered'>[];
  private readonly reportedList: With<'onReported'>[];
  private readonly healedList: With<'onHealed'>[];
  private readonly settledList: With<'settled'>[];
  private readonly recordList: With<'onStreamRecord'>[];
  private readonly sweptList: With<'onStreamsSwept'>[];
  private readonly endList: With<'atEnd'>[];
  private readonly stored: StoredRecords;

  constructor(context: CheckContext, entries: readonly CheckerEntry[]) {
    this.context = context;
    this.calls = new OpenCalls(context.clientCount);
    this.nodes = new Nodes(context.replicaCount);
    this.checkers = entries.map((entry) => entry.create(context, this));
    this.startedList = having(this.checkers, 'onStarted');
    this.recoveredList = having(this.checkers, 'onRecovered');
    this.stoppedList = having(this.checkers, 'onStopped');
    this.panickedList = having(this.checkers, 'onPanicked');
    this.viewList = having(this.checkers, 'onView');
    this.committedList = having(this.checkers, 'onCommitted');
    this.checkpointedList = having(this.checkers, 'onCheckpointed');
    this.syncedList = having(this.checkers, 'onSynced');
    this.replySentList = having(this.checkers, 'onReplySent');
    this.promiseSentList = having(this.checkers, 'onPromiseSent');
    this.calledList = having(this.checkers, 'onCalled');
    this.returnedList = having(this.checkers, 'onReturned');
    this.abandonedList = having(this.checkers, 'onAbandoned');
    this.invokedList = having(this.checkers, 'onInvoked');
    this.answeredList = having(this.checkers, 'onAnswered');
    this.reportedList = having(this.checkers, 'onReported');
    this.healedList = having(this.checkers, 'onHealed');
    this.settledList = having(this.checkers, 'settled');
    this.recordList = having(this.checkers, 'onStreamRecord');
    this.sweptList = having(this.checkers, 'onStreamsSwept');
    this.endList = having(this.checkers, 'atEnd');
    this.stored = new StoredRecords(context.config, context.zones, this);
  }

  /** Before the process has read anything; for the first start and every restart. */
  started(node: number): void {
    for (const checker of this.startedList) checker.onStarted(node);
    this.nodes.started(node);
  }

  /** `checkpointOp`: that of the superblock which the node has opened. */
  recovered(node: number, checkpointOp: number, journal: RecoveredJournal): void {
    this.nodes.checkpoint[node] = checkpointOp;
    for (const checker of this.recoveredList) checker.onRecovered(node, journal);
  }

  stopped(node: number): void {
    for (const checker of this.stoppedList) checker.onStopped(node);
    this.nodes.running[node] = 0;
  }

  panicked(node: number, name: string, message: string, injected: boolean): void {
    for (const checker of this.panickedList) checker.onPanicked(node, name, message, injected);
  }

  view(node: number, view: number, logView: number): void {
    for (const checker of this.viewList) checker.onView(node, view, logView);
    this.nodes.view[node] = view;
    this.nodes.logView[node] = logView;
  }

  committed(node: number, op: number, prepare: Region, reply: Region | null): void {
    this.history.observe(op, prepare, reply, this.context.now());
    for (const checker of this.committedList) checker.onCommitted(node, op, prepare, reply);
    this.nodes.committed(node, op);
  }

  checkpointed(node: number, op: number): void {
    for (const checker of this.checkpointedList) checker.onCheckpointed(node, op);
    this.nodes.checkpoint[node] = op;
  }

  synced(node: number, toOp: number): void {
    for (const checker of this.syncedList) checker.onSynced(node, toOp);
    this.nodes.synced(node, toOp);
  }

  /**
   * `node` hands a message to its network. Comes after `committed` of the op that it answers. Only
   * the kinds that checkers read cost more than the call.
   */
  sent(node: number, message: Region): void {
    const command = commandOf(message);
    if (command === COMMAND.reply) {
      for (const checker of this.replySentList) checker.onReplySent(node, message);
    } else if (
      command === COMMAND.prepareOk ||
      command === COMMAND.doViewChange ||
      command === COMMAND.startView
    ) {
      for (const checker of this.promiseSentList) checker.onPromiseSent(node, message);
    }
  }

  called(client: number, operation: number, body: Uint8Array): void {
    this.calls.called(client, operation, body, this.context.now());
    for (const checker of this.calledList) checker.onCalled(client, operation, body);
  }

  returned(client: number, reply: Region): void {
    for (const checker of this.returnedList) checker.onReturned(client, reply);
    this.calls.closed(client);
  }

  abandoned(client: number): void {
    for (const checker of this.abandonedList) checker.onAbandoned(client);
    this.calls.closed(client);
  }

  invoked(client: number, operation: unknown): void {
    this.calls.called(client, 0, NO_BODY, this.context.now());
    for (const checker of this.invokedList) checker.onInvoked(client, operation);
  }

  answered(client: number, answer: unknown): void {
    for (const checker of this.answeredList) checker.onAnswered(client, answer);
    this.calls.closed(client);
  }

  reported(node: number, what: string, value: unknown): void {
    for (const checker of this.reportedList) checker.onReported(node, what, value);
  }

  healed(core: number): void {
    this.nodes.core = core;
    for (const checker of this.healedList) checker.onHealed(core);
  }

  /** Once, after the heal phase, and only when nothing has failed before. */
  ended(): void {
    if (this.recordList.length > 0) {
      for (let node = 0; node < this.context.replicaCount; node++) {
        if (this.nodes.running[node] === 0 || (this.nodes.core & (1 << node)) === 0) continue;
        if (!this.stored.sweep(node, this.context.disk(node))) continue;
        for (const checker of this.sweptList) checker.onStreamsSwept(node, this.stored.checkpointOp);
      }
    }
    for (const checker of this.endList) checker.atEnd();
  }

  /** Called by the sweep of the disks. */
  onStreamRecord(sweep: StreamSweep): void {
    for (const checker of this.recordList) checker.onStreamRecord(sweep);
  }

  /**
   * True when nobody waits for an answer, the whole core has executed all that committed, and the
   * disks are at rest. Looks at disks once the rest holds: ask every 100 ms or so of virtual time.
   */
  settled(): boolean {
    if (this.calls.openCount !== 0 || !this.nodes.coreExecuted(this.history.opMax)) return false;
    for (const checker of this.settledList) if (!checker.settled()) return false;
    return true;
  }

  /** Comparisons by checker id, in order of registration. */
  comparisons(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const checker of this.checkers) counts[checker.id] = checker.comparisons;
    return counts;
  }
}

function having<H extends Hook>(checkers: readonly Checker[], hook: H): With<H>[] {
  return checkers.filter((checker): checker is With<H> => checker[hook] !== undefined);
}
