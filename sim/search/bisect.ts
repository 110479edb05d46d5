/**
 * From which event on a failure can no longer be averted.
 *
 * After event k of a failing run the faults are ended at once (links join, nodes restart, clients
 * finish what is open) with all checkers on. If the same failure still comes, it was decided within
 * the first k events: k is *lost*; else *saved*. k = 0 leaves the whole run to a healthy cluster; the
 * failing run itself is lost at its last event. Between a saved and a lost k the search halves the
 * distance, each time by running on: the recorded prefix from the nearest snapshot, then the heal
 * phase to its end. It ends at neighbours, both executed: after k - 1 saved, after k lost.
 *
 * Two limits, on purpose. Healing is one way on out of many: it is the kindest that the simulator
 * knows, and the one that a person would try, but lost means lost under healing. And k is the first
 * lost event only if no saved event follows a lost one; where a later fault would have undone the
 * damage again, it is *a* turning point, still true of both neighbours.
 *
 * Once the run itself heals nothing is left to choose, so the search ends at that event. A liveness
 * failure, which is told only at the heal phase's end, is thereby found in the fault phase: the first
 * event after which the cluster does not come to rest although all faults end there and then.
 *
 * Replays: the run, and halvings of n events; at most log2(n) + 2 with n the events searched.
 */
import { type DecisionTape } from '../../bundles/decision_tape.ts';
import { assert } from '../../core/assert.ts';
import { type Plan } from '../plan.ts';
import { Recorder, type Entry } from '../recorder.ts';
import { Snapshot } from '../snapshot.ts';
import { type World } from '../world.ts';
import { type SeedViolation } from './seed_result.ts';
import { DigestTape, type Recording } from './seed_run.ts';

/** A few MB each: enough for half a second a probe in a run of a million events. */
export const SNAPSHOTS_MAX = 20;
const INTERVAL_EVENTS = 500;
/** Events of one `advance`: some 50 ms. */
const ADVANCE_EVENTS = 4096;

export type BisectVerdict = 'lost' | 'saved';

export interface BisectProbe {
  /** The prefix: so many events as recorded. */
  readonly event: number;
  readonly verdict: BisectVerdict;
  /** What ended the run; of a saved one null, or another failure than the one in question. */
  readonly violation: SeedViolation | null;
  /** Events of the whole replay. */
  readonly events: number;
}

/** The event that decided, told by the world. */
export interface TurningPoint {
  /** 0: before the first event. */
  readonly event: number;
  readonly virtualMicros: number;
  /** The event in words. */
  readonly text: string;
  /** What happened in it. */
  readonly entries: readonly Entry[];
}

export interface Bisection {
  /** As it came in the run that was searched. */
  readonly failure: SeedViolation;
  /** The first event after which it is lost. */
  readonly turn: TurningPoint;
  /** The last one searched: that of the failure, or of the run's own heal phase. */
  readonly searched: number;
  /** In the order in which they were made; the run itself is none of them. */
  readonly probes: readonly BisectProbe[];
  /** The run and the probes. */
  readonly replays: number;
  /** What `replays` never exceeds: log2 of the searched events, rounded down, and 2. */
  readonly replaysMax: number;
  /** Most that were held at once. */
  readonly snapshots: number;
  /**
   * The run's plan, healed after `turn.event`, and its recording: what a bundle is made of. Probes and
   * canaries reached are counted over all replays.
   */
  readonly plan: Plan;
  readonly recording: Recording;
  readonly decisions: DecisionTape | null;
}

/** A run that does not show the failure in question. */
export interface NotReproduced {
  readonly failure: null;
  readonly violation: SeedViolation | null;
}

export interface BisectOptions {
  /** A world at the beginning of the plan, with its decisions recorded. */
  readonly world: World;
  readonly plan: Plan;
  /** Whether a violation is the failure in question. */
  readonly same: (violation: SeedViolation) => boolean;
  /** Event at which the failure is expected: it is looked at more closely. */
  readonly expected?: number;
  /** Events between snapshots of the first run; doubled when there would be too many. */
  readonly interval?: number;
}

/** What came of one replay. */
interface Replayed {
  readonly point: TurningPoint;
  readonly recording: Recording;
  readonly decisions: DecisionTape | null;
}

/** A search that is driven from outside, `advance` by `advance`; it may be left at any time. */
export class Bisect {
  private readonly world: World;
  private readonly plan: Plan;
  private readonly same: (violation: SeedViolation) => boolean;
  private readonly expected: number;
  private readonly snapshots: Snapshots;
  /** Of the run as it failed. */
  private readonly tape = new DigestTape();

  /** The failure as it came in the run itself; null until then. */
  failure: SeedViolation | null = null;
  /** The last event to look at: lost for certain, without a probe. */
  searched = 0;
  readonly probes: BisectProbe[] = [];
  /** Between these two, and the lost one itself. */
  private saved = 0;
  private lost = 0;

  private running: 'run' | 'prefix' | 'healing' | 'nothing' = 'run';
  /** Of the probe that is running. */
  private probed = 0;
  private probeTape = new DigestTape();
  private recorder = new Recorder();
  private point: TurningPoint | null = null;
  /** Where the run itself began to heal, if it came so far. */
  private healPoint: TurningPoint | null = null;
  /** The replay that is lost after the fewest events so far. */
  private best: Replayed | null = null;

  constructor({ world, plan, same, expected = 0, interval = INTERVAL_EVENTS }: BisectOptions) {
    this.world = world;
    this.plan = plan;
    this.same = same;
    this.expected = expected;
    this.snapshots = new Snapshots(world, interval);
  }

  /** Runs a few thousand events, or to the end of a replay; false: the search is over. */
  advance(): boolean {
    for (let i = 0; i < ADVANCE_EVENTS; i++) {
      if (this.running === 'nothing') return false;
      if (this.running === 'run') {
        if (!this.stepOfRun()) return this.runEnded();
      } else if (this.running === 'prefix') {
        if (this.world.events === this.probed) this.beginHealing();
        else this.stepOfPrefix();
      } else {
        if (!this.world.step()) return this.probeEnded();
        this.probeTape.add(this.world.digestWord);
      }
    }
    return true;
  }

  /** Once `advance` has said that the search is over. */
  result(): Bisection | NotReproduced {
    assert(this.running === 'nothing', 'bisect: the search goes on');
    const { best, failure, searched } = this;
    assert(best !== null, 'bisect: nothing was run');
    if (failure === null) return { failure: null, violation: best.recording.result.violation };
    const replays = 1 + this.probes.length;
    const replaysMax = 31 - Math.clz32(searched) + 2;
    assert(replays <= replaysMax, 'bisect: more replays than promised', replays, replaysMax);
    const { plan, lost } = this;
    return {
      failure,
      turn: best.point,
      searched,
      probes: this.probes,
      replays,
      replaysMax,
      snapshots: this.snapshots.held,
      // The run itself heals no later than its last searched event.
      plan: lost < searched ? { ...plan, healAfterEvent: lost } : plan,
      recording: best.recording,
      decisions: best.decisions,
    };
  }

  // --- The run itself ---

  private stepOfRun(): boolean {
    const { world } = this;
    if (world.events === this.expected - 1) world.observer = this.recorder;
    if (!world.step()) return false;
    world.observer = null;
    this.tape.add(world.digestWord);
    if (this.healPoint === null && world.phase === 'heal') this.healPoint = this.pointHere([]);
    this.snapshots.pass();
    return true;
  }

  private runEnded(): boolean {
    const { world } = this;
    const seen = world.events === this.expected ? this.recorder.entries() : [];
    const run = this.replayed(this.tape, this.pointHere(seen));
    this.best = run;
    this.running = 'nothing';
    const { violation } = run.recording.result;
    if (violation === null || !this.same(violation)) return false;
    this.failure = violation;
    // After the run's own healing nothing is left to choose.
    if (this.healPoint !== null) this.best = { ...run, point: this.healPoint };
    this.searched = this.best.point.event;
    this.lost = this.searched;
    return this.nextProbe();
  }

  // --- Probes ---

  private nextProbe(): boolean {
    if (this.lost - this.saved > 1) return this.beginProbe((this.saved + this.lost) >>> 1);
    // That the beginning is saved was taken for granted; when all else was lost, it is looked at.
    const first = this.probes.findLast(({ verdict }) => verdict === 'saved');
    if (first === undefined && this.lost > 0) return this.beginProbe(0);
    return false;
  }

  private beginProbe(event: number): boolean {
    this.snapshots.restore(event);
    this.probed = event;
    this.recorder = new Recorder();
    this.running = 'prefix';
    return true;
  }

  private stepOfPrefix(): void {
    const { world } = this;
    if (world.events === this.probed - 1) world.observer = this.recorder;
    assert(world.step(), 'bisect: the prefix ends early', world.events);
    world.observer = null;
  }

  private beginHealing(): void {
    this.point = this.pointHere(this.recorder.entries());
    this.snapshots.hold();
    this.probeTape = this.tape.upTo(this.probed);
    this.world.healNow();
    this.running = 'healing';
  }

  private probeEnded(): boolean {
    assert(this.point !== null, 'bisect: a probe without a prefix');
    const replayed = this.replayed(this.probeTape, this.point);
    const { violation, events } = replayed.recording.result;
    const verdict = violation !== null && this.same(violation) ? 'lost' : 'saved';
    this.probes.push({ event: this.probed, verdict, violation, events });
    this.snapshots.narrow(this.probed, verdict);
    if (verdict === 'lost') {
      this.lost = this.probed;
      this.best = replayed;
    } else {
      this.saved = this.probed;
    }
    this.running = 'nothing';
    return this.nextProbe();
  }

  private pointHere(entries: readonly Entry[]): TurningPoint {
    const { world } = this;
    return {
      event: world.events,
      virtualMicros: world.time.now,
      text: world.events === 0 ? 'before the first event' : world.describe(),
      entries: entries.filter(({ kind }) => kind !== 'check'),
    };
  }

  private replayed(tape: DigestTape, point: TurningPoint): Replayed {
    const result = this.world.result();
    const recording = { result, digests: tape.digests(result.digest) };
    return { point, recording, decisions: this.world.decisionTape() };
  }
}

/** Of the run as it failed, a bounded number: probes start from the nearest one before them. */
class Snapshots {
  private readonly world: World;
  private interval: number;
  /** By event, ascending. */
  private list: { readonly event: number; readonly snapshot: Snapshot }[] = [];
  /** At the end of the prefix that is being probed. */
  private latest: Snapshot | null = null;
  /** Most held at once. */
  held = 1;

  constructor(world: World, interval: number) {
    this.world = world;
    this.interval = interval;
    this.list.push({ event: 0, snapshot: Snapshot.of(world) });
  }

  /** After each event of the run. One place is left for a probe's own. */
  pass(): void {
    const { events } = this.world;
    if (events % this.interval !== 0) return;
    if (this.list.length === SNAPSHOTS_MAX - 1) {
      this.interval *= 2;
      this.list = this.list.filter((one) => one.event % this.interval === 0);
      if (events % this.interval !== 0) return;
    }
    this.list.push({ event: events, snapshot: Snapshot.of(this.world) });
    this.held = Math.max(this.held, this.list.length);
  }

  /** Puts the world at this event or before it. */
  restore(event: number): void {
    const nearest = this.list.findLast((one) => one.event <= event);
    assert(nearest !== undefined, 'bisect: no snapshot', event);
    nearest.snapshot.restore();
  }

  hold(): void {
    this.latest = Snapshot.of(this.world);
    this.held = Math.max(this.held, this.list.length + 1);
  }

  /** Keeps those from which later probes can start: not before a saved event, and before a lost one. */
  narrow(event: number, verdict: BisectVerdict): void {
    if (verdict === 'lost') {
      this.list = this.list.filter((one) => one.event < event);
    } else if (this.latest !== null) {
      const later = this.list.filter((one) => one.event > event);
      this.list = [{ event, snapshot: this.latest }, ...later];
    }
    this.latest = null;
  }
}
