/**
 * What the page knows and what it can be told to do. Panels read from here and are asked to update
 * after something has changed; all work on runs is done in slices between two frames.
 */
import { CANARY, type CanaryId } from '../../../core/canary.ts';
import { type Plan } from '../../../sim/plan.ts';
import { ENTRY_KINDS, type EntryKind } from '../../../sim/recorder.ts';
import { changedPlan, partingEvent, type Change } from '../fork.ts';
import { type PageData } from '../page_data.ts';
import { findEntry, parseQuery, queryIsEmpty } from '../search.ts';
import { KIND, NONE } from '../timeline.ts';
import { Run } from './run.ts';

export interface Panel {
  /** Something may have changed: show it. Called at most once a frame. */
  update(): void;
}

/** Milliseconds of a frame that executing may take. */
const SLICE_MS = 12;
/** Entries are kept of so many events before the recorded end: some 300 MB for the longest runs. */
const RECORDED_EVENTS_MAX = 500_000;
export const FORKS_MAX = 6;
/** Events a second when playing. */
export const SPEEDS = [2, 10, 50, 250, 1000, 5000] as const;

export class App {
  readonly data: PageData;
  readonly runs: Run[] = [];
  run: Run;
  /** Kinds of entries that are shown. */
  readonly shown = new Set<EntryKind>(ENTRY_KINDS);
  playing = false;
  speed = 50;
  /** What the search found or did not find, for people. */
  notice = '';
  /** Of the bundle: the low half of the digest's word after each event. */
  private readonly tape: Uint16Array;
  /** The run that is shown has been executed for the first time. */
  onRecorded = (): void => {};
  private readonly panels: Panel[] = [];
  private forks = 0;
  private frame = 0;
  private playedAt = 0;
  private owed = 0;
  private wasRecording = false;

  constructor(data: PageData, plan: Plan, canary: CanaryId, tape: Uint16Array) {
    this.data = data;
    this.tape = tape;
    this.run = this.newRun('Recorded run', plan, canary, []);
    this.run.player.aim(Infinity);
    this.shown.delete('check');
  }

  /** First event whose digest is not the one on the bundle's tape; null: none as far as it goes. */
  departure(): number | null {
    const { player } = this.recorded;
    const events = Math.min(player.known, this.tape.length);
    for (let event = 1; event <= events; event++) {
      if ((player.digestWordAt(event) & 0xffff) !== this.tape[event - 1]) return event;
    }
    return player.end !== null && player.end < this.tape.length ? player.end + 1 : null;
  }

  private newRun(name: string, plan: Plan, canary: CanaryId, changes: readonly Change[]): Run {
    const run = new Run(
      name,
      { plan, canary, limits: this.data.limits, recordFrom: this.data.events - RECORDED_EVENTS_MAX },
      changes,
    );
    this.runs.push(run);
    return run;
  }

  get recorded(): Run {
    return this.runs[0] as Run;
  }

  // --- Frames ---

  add(panel: Panel): void {
    this.panels.push(panel);
  }

  /** Panels update in the next frame. */
  changed(): void {
    if (this.frame === 0) this.frame = requestAnimationFrame((now) => this.onFrame(now));
  }

  private onFrame(now: number): void {
    this.frame = 0;
    const until = performance.now() + SLICE_MS;
    const timeIsUp = (): boolean => performance.now() >= until;
    if (this.playing) this.play(now);
    let busy = !this.run.player.work(timeIsUp);
    // Other runs go on in the background while this one rests.
    for (const { player } of this.runs) {
      if (!busy && !player.arrived) busy = !player.work(timeIsUp);
    }
    if (!busy) busy = !this.run.workOnDecisions(timeIsUp);
    if (this.wasRecording && !this.recording) this.atEnd();
    this.wasRecording = this.recording;
    this.run.bands.update();
    for (const panel of this.panels) panel.update();
    if (busy || this.playing) this.changed();
  }

  /** The first execution of the run that is shown is over, or was stopped. */
  private atEnd(): void {
    this.selectAtPosition();
    const { player } = this.run;
    const parting = this.run === this.recorded ? null : partingEvent(this.recorded.player, player);
    if (player.violation !== null) this.goToViolation();
    else if (parting !== null && player.end !== null) this.seek(parting);
    this.onRecorded();
  }

  private play(now: number): void {
    const { player } = this.run;
    const elapsed = Math.min(now - this.playedAt, 250);
    this.playedAt = now;
    this.owed += (elapsed / 1000) * this.speed;
    const events = Math.floor(this.owed);
    if (events === 0) return;
    this.owed -= events;
    if (player.end !== null && player.position >= player.end) {
      this.playing = false;
      return;
    }
    this.run.leave();
    player.aim(player.position + events);
    this.selectAtPosition();
  }

  // --- Moving ---

  /** The run is executed for the first time: one can look, not move. */
  get recording(): boolean {
    return this.run.player.goal === Infinity;
  }

  /** Stays where the first execution has come to. */
  stopRecording(): void {
    const { player } = this.run;
    player.aim(player.position);
    this.selectAtPosition();
    this.changed();
  }

  /** Executes what nobody has seen of this run. */
  recordRest(): void {
    if (this.run.player.end !== null) return;
    this.playing = false;
    this.run.leave();
    this.run.player.aim(Infinity);
    this.changed();
  }

  togglePlay(): void {
    if (this.recording) return this.stopRecording();
    this.playing = !this.playing;
    const { player } = this.run;
    if (this.playing && player.end !== null && player.position >= player.end) player.aim(0);
    this.playedAt = performance.now();
    this.owed = 0;
    this.changed();
  }

  seek(event: number): void {
    if (this.recording) return;
    this.notice = '';
    const { player } = this.run;
    const goal = Math.max(0, Math.min(event, player.end ?? Infinity));
    if (goal !== player.position) this.run.leave();
    player.aim(goal);
    this.selectAtPosition();
    this.changed();
  }

  step(events: number): void {
    this.jump(this.run.player.goal + events);
  }

  /** `seek` by a person's hand: playing ends. */
  jump(event: number): void {
    this.playing = false;
    this.seek(event);
  }

  /** To the nearest entry whose kind is shown. */
  stepEntry(forwards: boolean): void {
    const { timeline } = this.run.player;
    const step = forwards ? 1 : -1;
    for (let i = this.place(forwards) + step; i >= 0 && i < timeline.count; i += step) {
      if (this.shown.has(timeline.kind(i))) return this.goToEntry(i);
    }
  }

  /** Index of the entry that is looked at, or of the one between which and the next one stands. */
  private place(forwards: boolean): number {
    const { selected, player } = this.run;
    if (selected !== NONE) return selected;
    const next = player.timeline.firstOfEvent(player.goal + 1);
    return forwards ? next - 1 : next;
  }

  /** From a send to what became of it, and back. */
  goToPartner(): void {
    const { selected, player } = this.run;
    if (selected === NONE) return;
    const partner = player.timeline.partners[selected] as number;
    if (partner !== NONE) this.goToEntry(partner);
  }

  /** To the event of an entry, which is then looked at. */
  goToEntry(index: number): void {
    this.playing = false;
    if (this.recording) return;
    this.seek(this.run.player.timeline.events[index] as number);
    this.run.selected = index;
    this.changed();
  }

  goToViolation(): void {
    this.playing = false;
    const { violation } = this.run.player;
    if (violation === null) {
      const ended = this.run.player.end !== null;
      this.notice = ended ? 'this run has no violation' : 'the run is not at its end yet';
      this.changed();
      return;
    }
    if (this.recording) return;
    this.seek(violation.event);
    const { timeline } = this.run.player;
    for (let i = timeline.count - 1; i >= 0; i--) {
      if (timeline.kinds[i] !== KIND.violation) continue;
      this.run.selected = i;
      return;
    }
  }

  /** The last entry of the event that one stands behind. */
  private selectAtPosition(): void {
    const { player } = this.run;
    const { timeline } = player;
    const event = Math.min(player.goal, player.known);
    const index = timeline.firstOfEvent(event + 1) - 1;
    this.run.selected = index >= 0 && timeline.events[index] === event ? index : NONE;
  }

  /** To the nearest entry that matches, from the one that is looked at. */
  find(text: string, forwards: boolean): void {
    const { run } = this;
    const { timeline } = run.player;
    const query = parseQuery(text, run.replicaCount);
    if (queryIsEmpty(query)) {
      this.notice = 'search for what? such as: view change, send by R1, commit op 7';
      this.changed();
      return;
    }
    const found = findEntry(timeline, query, this.place(forwards), forwards);
    if (found === NONE) {
      const other = forwards ? 'before: with Shift' : 'after: without Shift';
      this.notice = `nothing ${forwards ? 'after' : 'before'} here matches "${text}" (${other})`;
      this.changed();
      return;
    }
    this.notice = '';
    this.goToEntry(found);
  }

  mark(): void {
    this.run.mark();
    this.changed();
  }

  toggleKind(kind: EntryKind): void {
    if (!this.shown.delete(kind)) this.shown.add(kind);
    this.changed();
  }

  // --- Forks ---

  choose(run: Run): void {
    if (this.run === run) return;
    this.playing = false;
    this.run = run;
    this.notice = '';
    this.changed();
  }

  addChange(change: Change): void {
    const { run } = this;
    if (run.pending.some((other) => sameChange(other, change))) return;
    run.pending = [...run.pending, change];
    this.changed();
  }

  removeChange(change: Change): void {
    this.run.pending = this.run.pending.filter((other) => other !== change);
    this.changed();
  }

  get forksFull(): boolean {
    return this.runs.length > FORKS_MAX;
  }

  /** Executes the plan of the run that is shown, with its pending changes, from the beginning. */
  fork(): void {
    const { run: from } = this;
    const { pending } = from;
    if (pending.length === 0 || this.forksFull) return;
    const canary = pending.some(({ kind }) => kind === 'canary') ? CANARY.none : from.canary;
    this.forks++;
    const plan = changedPlan(from.player.plan, pending);
    const run = this.newRun(`Fork ${this.forks}`, plan, canary, [...from.changes, ...pending]);
    run.player.aim(Infinity);
    from.pending = [];
    this.choose(run);
  }

  closeFork(run: Run): void {
    const at = this.runs.indexOf(run);
    if (at <= 0) return;
    this.runs.splice(at, 1);
    if (this.run === run) this.choose(this.recorded);
    this.changed();
  }
}

function sameChange(a: Change, b: Change): boolean {
  if (a.kind === 'pin' && b.kind === 'pin') return a.pin.domain === b.pin.domain && a.pin.key === b.pin.key;
  if (a.kind === 'fault' && b.kind === 'fault') return a.index === b.index;
  return a.kind === 'canary' && b.kind === 'canary';
}
