/**
 * One replica of the search: the real `Replica` on explored ports. It is put into a state by a
 * snapshot, makes one step, and is looked at. Nothing of it refers to another node.
 */
import { HEADER_SIZE, type ClusterConfig } from '../../../core/constants.ts';
import { MessagePool, allocateAligned, type Message } from '../../../core/message/pool.ts';
import { regionOf, type Region } from '../../../core/message/region.ts';
import { SECTOR_SIZE, STORAGE_RESULT } from '../../../core/ports.ts';
import { zonesOf, type Zones } from '../../../core/storage/data_file.ts';
import { format } from '../../../core/storage/format.ts';
import { SUPERBLOCK_AT } from '../../../core/storage/superblock_layout.ts';
import { Replica } from '../../../core/vsr/replica.ts';
import { ATOMIC_RULES, CanonicalForm, NODE_PORTS, STEPS_RULES } from './canonical.ts';
import { ChoiceRng } from './choice_rng.ts';
import { ExploredClock } from './explored_clock.ts';
import { ExploredDisk, IO } from './explored_disk.ts';
import { type MessageStore } from './message_store.ts';
import { Recorder, SHOWN } from './observations.ts';
import { OutPort } from './out_port.ts';
import { type SectorStore } from './sector_store.ts';
import { STEP, argumentOf, kindOf, type ExploredNode, type NodeFacts, type Outcome } from './steps.ts';

/** A replica of a small cluster pins a few dozen. */
const MESSAGES = 48;
/** I/O of one step; a start takes about 50. More is a loop. */
const IO_MAX = 10_000;
const NOTHING_LOST: ReadonlySet<number> = new Set();

export interface ReplicaNodeOptions {
  readonly config: ClusterConfig;
  readonly cluster: Region;
  readonly replicaCount: number;
  readonly node: number;
  readonly messages: MessageStore;
  readonly sectors: SectorStore;
  /** I/O completes at once, within the step that began it. */
  readonly atomicDisk: boolean;
}

/** Everything that changes. */
interface Root {
  replica: Replica | null;
  /** Processes that this node has had. */
  starts: number;
  /** What its disk holds for good: of the last superblock that was complete. */
  viewDurable: number;
  logViewDurable: number;
  readonly pool: MessagePool;
  readonly clock: ExploredClock;
  readonly disk: ExploredDisk;
  readonly rng: ChoiceRng;
}

export class ReplicaNode implements ExploredNode {
  readonly node: number;
  readonly root: Root;
  private readonly options: ReplicaNodeOptions;
  private readonly zones: Zones;
  private readonly port: OutPort;
  private readonly recorder = new Recorder();
  private readonly form: CanonicalForm;

  constructor(options: ReplicaNodeOptions) {
    const { config, cluster, replicaCount, node } = options;
    this.options = options;
    this.node = node;
    this.form = new CanonicalForm(options.atomicDisk ? ATOMIC_RULES : STEPS_RULES, NODE_PORTS);
    this.zones = zonesOf(config);
    this.port = new OutPort(options.messages, this.recorder, node, replicaCount, NOTHING_LOST);
    const disk = new ExploredDisk(options.sectors, this.zones.end);
    format({
      config,
      cluster,
      replicaIndex: node,
      replicaCount,
      write: (offset, bytes) => disk.preset(offset, bytes),
    });
    this.root = {
      replica: null,
      starts: 0,
      viewDurable: 0,
      logViewDurable: 0,
      pool: new MessagePool({
        smallCount: 0,
        smallSize: config.messageSizeMax,
        largeCount: MESSAGES,
        largeSize: config.messageSizeMax,
        allocate: allocateAligned,
      }),
      clock: new ExploredClock(),
      disk,
      rng: new ChoiceRng(),
    };
  }

  perform(step: number, choices: readonly number[]): Outcome {
    const { root } = this;
    this.port.sent.length = 0;
    this.recorder.list.length = 0;
    root.rng.begin(choices);
    let thrown: Error | null = null;
    try {
      this.input(kindOf(step), argumentOf(step));
      if (this.options.atomicDisk) this.completeAll();
      root.clock.settle();
      this.noteViews();
    } catch (error) {
      thrown = error instanceof Error ? error : new Error(String(error));
      const words = `${thrown.name}: ${thrown.message}`;
      this.recorder.add(SHOWN.panicked, this.node, 0, 0, { words });
    }
    return { sent: this.port.sent, shown: this.recorder.list, thrown };
  }

  private input(kind: number, argument: number): void {
    switch (kind) {
      case STEP.deliver: return this.deliver(argument);
      case STEP.timer:
        this.root.clock.fire(argument);
        return (this.root.replica as Replica).onTimer(argument);
      case STEP.start: return this.start();
      case STEP.crash: return this.crash(argument);
      default: return this.completeOne();
    }
  }

  private deliver(number: number): void {
    const { pool, replica } = this.root;
    const message = messageFrom(pool, this.options.messages.region(number));
    (replica as Replica).onMessage(message);
    message.unref();
  }

  private start(): void {
    const { root, options, node } = this;
    root.starts++;
    root.clock.reset();
    root.rng.started(node, root.starts);
    root.pool.reset();
    const replica = new Replica({
      config: options.config,
      cluster: options.cluster,
      replicaIndex: node,
      replicaCount: options.replicaCount,
      clock: root.clock,
      network: this.port,
      storage: root.disk,
      rng: root.rng,
      pool: root.pool,
      observer: this.recorder,
    });
    root.replica = replica;
    this.recorder.add(SHOWN.started, node);
    replica.start();
  }

  private crash(unsynced: number): void {
    this.root.replica = null;
    this.root.clock.reset();
    this.root.disk.crash(unsynced);
    this.recorder.add(SHOWN.stopped, this.node);
  }

  private completeOne(): void {
    const token = this.root.disk.complete();
    (this.root.replica as Replica).onStorage(token, STORAGE_RESULT.ok);
  }

  private completeAll(): void {
    for (let count = 0; this.root.disk.queue.length > 0; count++) {
      if (count === IO_MAX) throw new Error('the replica does I/O without end');
      this.completeOne();
    }
  }

  /** A process that still reads its superblock knows less than its disk. */
  private noteViews(): void {
    const { root } = this;
    if (root.replica === null) return;
    root.viewDurable = Math.max(root.viewDurable, root.replica.viewDurable);
    root.logViewDurable = Math.max(root.logViewDurable, root.replica.logViewDurable);
  }

  nextChoices(): number[] | null {
    return this.root.rng.next();
  }

  digest(): Uint32Array {
    const { form, root, options } = this;
    const { sink } = form;
    form.begin();
    sink.number(this.node);
    sink.number(root.starts);
    this.addDisk(root.disk.written);
    if (!options.atomicDisk) {
      this.addDisk(root.disk.durable);
      this.addQueue(root.disk);
    }
    if (root.replica === null) return sink.digest();
    sink.number(root.clock.hours);
    sink.number(root.clock.armed);
    form.add(root.replica);
    return sink.digest();
  }

  private addDisk(image: Int32Array): void {
    const { sectors, atomicDisk } = this.options;
    const { sink } = this.form;
    const first = atomicDisk ? this.zones.journalHeaders / SECTOR_SIZE : 0;
    if (atomicDisk) this.addSuperblock(image);
    for (let sector = first; sector < image.length; sector++) {
      const content = image[sector] as number;
      if (content === 0) continue;
      sink.mark(sector);
      for (let i = 0; i < 4; i++) sink.number(sectors.digestWord(content, i));
    }
  }

  /** I/O in flight: reads by their place, writes by what they write, syncs by what they cover. */
  private addQueue({ queue }: ExploredDisk): void {
    const { sink } = this.form;
    for (const { kind, sector, token, buffer, covers } of queue) {
      sink.mark(kind);
      sink.number(sector);
      sink.number(token);
      if (kind === IO.write) sink.view(buffer, 0, buffer.byteLength);
      if (covers !== null) this.addDisk(covers);
    }
  }

  /**
   * Between two steps on an atomic disk all four copies are alike: one of them, without the chain of
   * those before it (`sequence`, `parent`), which a start compares only between the copies.
   */
  private addSuperblock(image: Int32Array): void {
    const { sectors } = this.options;
    const { sink } = this.form;
    const state = regionOf(sectors.bytes(image[0] as number));
    const { release, cluster, fingerprint } = SUPERBLOCK_AT;
    sink.part(state, release, cluster + 16 - release);
    sink.part(state, fingerprint, SECTOR_SIZE - fingerprint);
    const headers = state.fields.getUint32(SUPERBLOCK_AT.viewHeadersCount, true);
    sink.view(sectors.bytes(image[1] as number), 0, headers * HEADER_SIZE);
  }

  facts(): NodeFacts {
    const { replica, clock, disk, viewDurable, logViewDurable } = this.root;
    return {
      up: replica !== null,
      mayStart: replica === null,
      armed: replica === null ? 0 : clock.armed,
      io: disk.queue.length > 0,
      unsynced: disk.hasUnsynced,
      mayCall: false,
      begun: 0,
      preparing: 0,
      appends: 0,
      viewFloor: viewDurable,
      logFloor: logViewDurable,
      leads: viewDurable % this.options.replicaCount === this.node,
      executed: replica === null ? 0 : replica.commitMin,
      requestFloor: 0,
      viewKnown: 0,
      written: disk.written,
      durable: disk.durable,
      summary: replica === null ? 'down' : `${roleOf(replica)}, executed ${replica.commitMin}`,
      role: replica === null ? 'down' : roleOf(replica),
    };
  }
}

/** `normal in view 1, log of 0, head 6 3f2a`: the head with the first digits of its checksum. */
function roleOf(replica: Replica): string {
  const { status, view, logView, op, journal } = replica;
  const at = journal.headerAt(op);
  const word = at === -1 ? 0 : (journal.headers.words[at >> 2] as number);
  const digits = word.toString(16).padStart(8, '0').slice(0, 4);
  return `${status} in view ${view}, log of ${logView}, head ${op} ${digits}`;
}

export function messageFrom(pool: MessagePool, region: Region): Message {
  const message = pool.acquire(region.bytes.byteLength);
  message.bytes.set(region.bytes);
  return message;
}
