/**
 * One run that can be moved through in both directions: forwards by executing, back by restoring a
 * snapshot and executing again from there. Nothing is played from a recording: whatever event one
 * goes to, the world is really there, and can be looked at.
 *
 * Where the run has never been, its entries and digests are taken down and snapshots are left
 * behind; in known country it only executes. The snapshots are bounded in number and in bytes: when
 * there are too many, every other one goes and the distance between them doubles.
 *
 * Work is done in slices, so that whoever shows the run can breathe: `aim` says where to go, `work`
 * goes on until it is there or its time is up.
 */
import { armCanary, type CanaryId } from '../../core/canary.ts';
import { type Plan } from '../../sim/plan.ts';
import { type Entry, type WorldObserver } from '../../sim/recorder.ts';
import { WorldPlaces } from '../../sim/search/run_seed.ts';
import { type SeedLimits, type SeedResult, type SeedViolation } from '../../sim/search/seed_result.ts';
import { Snapshot } from '../../sim/snapshot.ts';
import { type World } from '../../sim/world.ts';
import { Timeline } from './timeline.ts';

export interface PlayerOptions {
  readonly plan: Plan;
  readonly canary: CanaryId;
  readonly limits: SeedLimits;
  /** Entries are taken down from this event on. Default: from the beginning. */
  readonly recordFrom?: number;
  /** Snapshots kept at the most, the one of the beginning included. */
  readonly snapshotsMax?: number;
  /** Bytes that their buffers may have together. */
  readonly snapshotBytesMax?: number;
}

const SNAPSHOTS_MAX = 64;
const SNAPSHOT_BYTES_MAX = 192 << 20;
/** Events between snapshots at first. One costs as much time as about a thousand events. */
const INTERVAL = 512;
/** After a longer way than this, a snapshot is left shortly before the goal: for steps back. */
const NEAR_WAY = 128;
const NEAR_DISTANCE = 48;

interface Stop {
  readonly event: number;
  readonly snapshot: Snapshot;
}

export class Player {
  readonly plan: Plan;
  readonly world: World;
  readonly timeline = new Timeline();
  private readonly canary: CanaryId;
  private readonly recordFrom: number;
  private readonly snapshotsMax: number;
  private readonly snapshotBytesMax: number;
  /** By event, the first at 0. */
  private stops: Stop[] = [];
  private interval = INTERVAL;
  /** Left shortly before the latest goal. */
  private near: Stop | null = null;
  private nearWanted = -1;
  private target = 0;
  /** The furthest event that was ever executed, and whether the run ends there. */
  private frontier = 0;
  private ended = false;
  /** Low 32 bits of the rolling digest after each event; that of event n at n - 1. */
  private words = new Uint32Array(4096);
  private outcome: SeedResult | null = null;
  private readonly observer: WorldObserver;

  constructor(options: PlayerOptions) {
    const { plan, canary, limits } = options;
    this.plan = plan;
    this.canary = canary;
    this.recordFrom = options.recordFrom ?? 0;
    this.snapshotsMax = options.snapshotsMax ?? SNAPSHOTS_MAX;
    this.snapshotBytesMax = options.snapshotBytesMax ?? SNAPSHOT_BYTES_MAX;
    this.world = new WorldPlaces().start({ plan, canary, limits });
    this.observer = { entry: (entry) => this.observed(entry) };
    this.stops.push(this.stop());
  }

  // --- Where it stands ---

  /** Events executed. */
  get position(): number {
    return this.world.events;
  }

  /** Where it is going; the end of the run may come before. */
  get goal(): number {
    return this.target;
  }

  get arrived(): boolean {
    return this.world.events >= this.target;
  }

  /** Events that are known: the run has been there. */
  get known(): number {
    return this.frontier;
  }

  /** Events of the whole run; null while nobody has been at its end. */
  get end(): number | null {
    return this.ended ? this.frontier : null;
  }

  /** Of the whole run; null while nobody has been at its end. */
  get result(): SeedResult | null {
    return this.outcome;
  }

  get violation(): SeedViolation | null {
    return this.outcome?.violation ?? null;
  }

  /** Low 32 bits of the digest after `event`, which must be known; 0 for event 0. */
  digestWordAt(event: number): number {
    return event === 0 ? 0 : (this.words[event - 1] as number);
  }

  /** Bytes of buffers that the snapshots hold, and how many there are. */
  get held(): { readonly snapshots: number; readonly bytes: number } {
    const all = this.near === null ? this.stops : [...this.stops, this.near];
    return { snapshots: all.length, bytes: all.reduce((sum, { snapshot }) => sum + snapshot.size, 0) };
  }

  // --- Moving ---

  /** Goes to `event`, or to the end when the run has fewer. All at once. */
  seek(event: number): void {
    this.aim(event);
    while (!this.work(() => false));
  }

  /** Sets the goal; `work` goes there. `Infinity` is the end. */
  aim(event: number): void {
    const goal = Math.max(0, this.ended ? Math.min(event, this.frontier) : event);
    this.target = goal;
    this.nearWanted = -1;
    const from = this.bestStop(goal);
    const way = goal - (from?.event ?? this.position);
    if (from !== null) this.restore(from);
    if (goal <= this.frontier && way > NEAR_WAY) this.nearWanted = goal - NEAR_DISTANCE;
  }

  /** Executes until the goal is reached (true) or `timeIsUp` says so (false). */
  work(timeIsUp: () => boolean): boolean {
    armCanary(this.canary);
    const { world } = this;
    while (world.events < this.target) {
      if (!(world.events < this.frontier ? world.step() : this.discover())) {
        this.target = world.events;
        break;
      }
      if (world.events === this.nearWanted) this.near = this.stop();
      // The clock is asked every 32 events: asking costs as much as an event.
      if ((world.events & 31) === 0 && timeIsUp()) break;
    }
    return this.arrived;
  }

  /** One event that nobody has seen. */
  private discover(): boolean {
    const { world } = this;
    if (this.ended) return false;
    world.observer = this.observer;
    const more = world.step();
    world.observer = null;
    if (!more) {
      this.ended = true;
      this.outcome = world.result();
      return false;
    }
    const event = world.events;
    if (event > this.words.length) {
      const larger = new Uint32Array(this.words.length * 2);
      larger.set(this.words);
      this.words = larger;
    }
    this.words[event - 1] = world.digestWord;
    this.frontier = event;
    if (event - (this.stops.at(-1) as Stop).event >= this.interval) this.leaveStop();
    return true;
  }

  private observed(entry: Entry): void {
    if (entry.event >= this.recordFrom) this.timeline.append(entry);
  }

  // --- Snapshots ---

  private stop(): Stop {
    return { event: this.world.events, snapshot: Snapshot.of(this.world) };
  }

  private leaveStop(): void {
    this.stops.push(this.stop());
    while (this.stops.length > 2 && this.tooMany()) {
      this.stops = this.stops.filter((_, i) => i % 2 === 0);
      this.interval *= 2;
    }
  }

  private tooMany(): boolean {
    return this.stops.length > this.snapshotsMax || this.held.bytes > this.snapshotBytesMax;
  }

  /** Where to begin on the way to `goal`; null: right here. */
  private bestStop(goal: number): Stop | null {
    let best: Stop | null = null;
    for (const stop of this.near === null ? this.stops : [...this.stops, this.near]) {
      if (stop.event <= goal && (best === null || stop.event > best.event)) best = stop;
    }
    const here = this.position;
    return here <= goal && (best === null || best.event <= here + NEAR_WAY) ? null : best;
  }

  private restore({ snapshot }: Stop): void {
    snapshot.restore();
  }
}
