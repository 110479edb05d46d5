/**
 * One run, driven from outside an event at a time, and the three ways to drive it: to its end, in
 * lock step with a second one, and against the tape of an earlier one.
 */
import { DIGEST_TAPE_EVENTS_MAX, type BundleDigests, type PlainData } from '../../bundles/format.ts';
import { type SeedResult, type SeedViolation } from './seed_result.ts';

export interface SeedRun {
  /** Runs the next event; false when there is none, and nothing happened. */
  step(): boolean;
  /** Events run so far. */
  readonly events: number;
  /** Rolling digest after the last event, its low 32 bits. */
  readonly digestWord: number;
  /** The last event in words: virtual time, kind, who. */
  describe(): string;
  /** The whole plan, as data. */
  plan(): PlainData;
  /** Meaningful once `step` has returned false. */
  result(): SeedResult;
}

export function runToEnd(run: SeedRun): SeedResult {
  while (run.step());
  return run.result();
}

/** The id under which a departure between two runs of one plan is reported. */
export const DETERMINISM = 'determinism';

/** Runs two runs of one plan event by event; the first event after which they differ ends both. */
export function runInLockStep(a: SeedRun, b: SeedRun): SeedResult {
  for (;;) {
    const aMore = a.step();
    const bMore = b.step();
    if (aMore !== bMore) {
      const [longer, which] = aMore ? [a, 'first'] : [b, 'second'];
      return departed(
        a,
        longer.events,
        `event ${longer.events} happened in the ${which} run only: ${longer.describe()}`,
      );
    }
    if (!aMore) break;
    if (a.digestWord !== b.digestWord) {
      return departed(
        a,
        a.events,
        `event ${a.events} differs: first run ${a.describe()}; second run ${b.describe()}`,
      );
    }
  }
  const result = a.result();
  const digest = b.result().digest;
  if (digest === result.digest) return result;
  return departed(a, a.events, `the final digests differ: ${result.digest} and ${digest}`);
}

function departed(run: SeedRun, event: number, message: string): SeedResult {
  const result = run.result();
  const violation: SeedViolation = {
    invariant: DETERMINISM,
    message,
    event,
    virtualMicros: result.virtualMicros,
    replicas: [],
  };
  return { ...result, violation };
}

export interface Recording {
  readonly result: SeedResult;
  readonly digests: BundleDigests;
}

/** The digests of a run, event by event, as a bundle holds them. */
export class DigestTape {
  private memory = new Uint8Array(1 << 12);
  private length = 0;

  /** After each event, in order. */
  add(digestWord: number): void {
    if (this.length >= DIGEST_TAPE_EVENTS_MAX * 2) return;
    if (this.length === this.memory.byteLength) {
      const larger = new Uint8Array(this.memory.byteLength * 2);
      larger.set(this.memory);
      this.memory = larger;
    }
    this.memory[this.length] = digestWord & 0xff;
    this.memory[this.length + 1] = (digestWord >>> 8) & 0xff;
    this.length += 2;
  }

  /** A copy of the first `events` of it, to go on with otherwise. */
  upTo(events: number): DigestTape {
    const copy = new DigestTape();
    copy.memory = this.memory.slice();
    copy.length = Math.min(this.length, events * 2);
    return copy;
  }

  /** Of a run that has ended; `final` is its digest. */
  digests(final: string): BundleDigests {
    return { final, tape: this.memory.slice(0, this.length) };
  }
}

/** Runs to the end and keeps the tape of digests. */
export function record(run: SeedRun): Recording {
  const tape = new DigestTape();
  while (run.step()) tape.add(run.digestWord);
  const result = run.result();
  return { result, digests: tape.digests(result.digest) };
}

export interface Departure {
  /** The first event at which this run is not the recorded one. */
  readonly event: number;
  /** What happened here at that event; null when this run ended before it. */
  readonly happened: string | null;
}

export interface Replay {
  readonly result: SeedResult;
  /** Null: every event and the final digest are those of the recording. */
  readonly departure: Departure | null;
  /** The last events in words, oldest first. */
  readonly lastEvents: readonly string[];
}

/** Runs to the end beside the tape of an earlier run; keeps the last `keep` events in words. */
export function replayAgainst(run: SeedRun, digests: BundleDigests, keep: number): Replay {
  const tape = digests.tape;
  const recorded = tape.byteLength / 2;
  const lastEvents: string[] = [];
  let departure: Departure | null = null;
  while (run.step()) {
    const at = (run.events - 1) * 2;
    if (keep > 0) {
      if (lastEvents.length === keep) lastEvents.shift();
      lastEvents.push(run.describe());
    }
    if (departure !== null) continue;
    const word = (tape[at] ?? 0) | ((tape[at + 1] ?? 0) << 8);
    const beyond = run.events > recorded && recorded < DIGEST_TAPE_EVENTS_MAX;
    if (beyond || (run.events <= recorded && word !== (run.digestWord & 0xffff))) {
      departure = { event: run.events, happened: run.describe() };
    }
  }
  if (departure === null && run.events < recorded) {
    departure = { event: run.events + 1, happened: null };
  }
  const result = run.result();
  if (departure === null && result.digest !== digests.final) {
    departure = { event: run.events, happened: run.describe() };
  }
  return { result, departure, lastEvents };
}
