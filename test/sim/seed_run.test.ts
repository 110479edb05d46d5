/** Lock step and replay against a tape, on small made-up runs that depart where we say. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mix32 } from '../../core/prng.ts';
import { type SeedResult } from '../../sim/search/seed_result.ts';
import { record, replayAgainst, runInLockStep, runToEnd, type SeedRun } from '../../sim/search/seed_run.ts';

/** A run of `count` events whose event `oddAt` goes another way. */
class MadeUpRun implements SeedRun {
  events = 0;
  digestWord = 1;
  private readonly count: number;
  private readonly oddAt: number;
  constructor(count: number, oddAt = -1) {
    this.count = count;
    this.oddAt = oddAt;
  }
  step(): boolean {
    if (this.events === this.count) return false;
    this.events++;
    const odd = this.events === this.oddAt ? 77 : 0;
    this.digestWord = mix32(this.digestWord + this.events + odd) >>> 0;
    return true;
  }
  describe(): string {
    return this.events === this.oddAt ? `odd ${this.events}` : `even ${this.events}`;
  }
  plan(): null {
    return null;
  }
  result(): SeedResult {
    return {
      seed: 1,
      digest: this.digestWord.toString(16),
      events: this.events,
      messages: 0,
      storageOps: 0,
      commits: 0,
      viewChanges: 0,
      crashes: 0,
      virtualMicros: this.events * 10,
      violation: null,
      unmet: [],
      shares: [],
      checks: {},
      gates: {},
      faults: {},
      probes: {},
      canaryReached: 0,
    };
  }
}

test('lock step: equal runs pass with the result of one', () => {
  const result = runInLockStep(new MadeUpRun(500), new MadeUpRun(500));
  assert.deepEqual(result, runToEnd(new MadeUpRun(500)));
});

test('lock step: names the first event that differs, as both runs saw it', () => {
  const { violation } = runInLockStep(new MadeUpRun(500), new MadeUpRun(500, 321));
  assert.equal(violation?.invariant, 'determinism');
  assert.equal(violation.event, 321);
  assert.equal(violation.message, 'event 321 differs: first run even 321; second run odd 321');
});

test('lock step: a run that goes on alone is named', () => {
  const { violation } = runInLockStep(new MadeUpRun(5), new MadeUpRun(6));
  assert.equal(violation?.message, 'event 6 happened in the second run only: even 6');
});

test('replay: a recording is met event by event, also past the growth of the tape', () => {
  for (const count of [0, 1, 100_000]) {
    const { result, digests } = record(new MadeUpRun(count));
    assert.equal(digests.tape.byteLength, count * 2);
    const replay = replayAgainst(new MadeUpRun(count), digests, 2);
    assert.equal(replay.departure, null);
    assert.deepEqual(replay.result, result);
    if (count > 1) assert.deepEqual(replay.lastEvents, [`even ${count - 1}`, `even ${count}`]);
  }
});

test('replay: the first departing event is found', () => {
  const { digests } = record(new MadeUpRun(1000));
  const odd = replayAgainst(new MadeUpRun(1000, 700), digests, 0);
  assert.deepEqual(odd.departure, { event: 700, happened: 'odd 700' });
  const longer = replayAgainst(new MadeUpRun(1001), digests, 0);
  assert.deepEqual(longer.departure, { event: 1001, happened: 'even 1001' });
  const shorter = replayAgainst(new MadeUpRun(999), digests, 0);
  assert.deepEqual(shorter.departure, { event: 1000, happened: null });
});
