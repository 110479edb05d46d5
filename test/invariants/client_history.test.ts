/**
 * The linearizability checker as a pure function of calls: small histories with their verdicts,
 * and random ones against a naive search over all orders.
 */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { fc } from '../fixed_seed.ts';
import { checkHistory, type ClientCall } from '../../invariants/client_history.ts';

type Times = readonly [called: number, returned: number];

function appended(
  process: number,
  [calledAt, returnedAt]: Times,
  offset: number,
  ...events: string[]
): ClientCall {
  return { kind: 'appended', process, stream: 's', calledAt, returnedAt, offset, events };
}

function unknown(process: number, calledAt: number, ...events: string[]): ClientCall {
  return { kind: 'unknown', process, stream: 's', calledAt, events };
}

function refused(
  process: number,
  [calledAt, returnedAt]: Times,
  length: number,
  ...events: string[]
): ClientCall {
  return { kind: 'refused', process, stream: 's', calledAt, returnedAt, length, events };
}

function read(
  process: number,
  [calledAt, returnedAt]: Times,
  offset: number,
  length: number,
  ...events: string[]
): ClientCall {
  return { kind: 'read', process, stream: 's', calledAt, returnedAt, offset, length, events };
}

interface Row {
  readonly what: string;
  readonly calls: readonly ClientCall[];
  /** Null: linearizable. */
  readonly problem: RegExp | null;
}

const ROWS: readonly Row[] = [
  { what: 'nothing', calls: [], problem: null },
  {
    what: 'appends one after another, then a read',
    calls: [
      appended(0, [1, 2], 0, 'a'),
      appended(1, [3, 4], 1, 'b', 'c'),
      read(0, [5, 6], 0, 3, 'a', 'b', 'c'),
    ],
    problem: null,
  },
  {
    what: 'overlapping appends in either order',
    calls: [appended(0, [1, 9], 1, 'a'), appended(1, [2, 8], 0, 'b')],
    problem: null,
  },
  {
    what: 'an append that goes before one that had returned',
    calls: [appended(0, [1, 2], 1, 'a'), appended(1, [3, 4], 0, 'b')],
    problem: /operation 1 of process 1 appended at offset 0, but before it was called .* reached length 2/,
  },
  {
    what: 'two events at one offset',
    calls: [appended(0, [1, 9], 0, 'a'), appended(1, [2, 8], 0, 'b')],
    problem: /offset 0 holds event b and event a/,
  },
  {
    what: 'one event at two offsets',
    calls: [appended(0, [1, 2], 0, 'a'), read(1, [3, 4], 0, 2, 'a', 'a')],
    problem: /event a is at offset 1 and at offset 0/,
  },
  {
    what: 'a stale read',
    calls: [appended(0, [1, 2], 0, 'a'), read(1, [3, 4], 0, 0)],
    problem: /saw the stream at length 0, but before it was called the stream had reached length 1/,
  },
  {
    what: 'a read beside the append it misses',
    calls: [appended(0, [1, 5], 0, 'a'), read(1, [3, 4], 0, 0)],
    problem: null,
  },
  {
    what: 'two reads that see the stream shrink',
    calls: [appended(0, [1, 9], 0, 'a'), read(1, [2, 3], 0, 1, 'a'), read(2, [4, 5], 0, 0)],
    problem: /saw the stream at length 0/,
  },
  {
    what: 'an event that nobody appended',
    calls: [read(1, [3, 4], 0, 1, 'ghost')],
    problem: /read event ghost, which nobody appended/,
  },
  {
    what: 'an event read before it was appended',
    calls: [read(1, [1, 2], 0, 1, 'a'), appended(0, [3, 4], 0, 'a')],
    problem: /read event a before its append was called/,
  },
  {
    what: 'a lost acknowledged event in the middle',
    calls: [appended(0, [1, 2], 0, 'a'), appended(0, [3, 4], 1, 'b'), read(1, [5, 6], 0, 2, 'a', 'c')],
    problem: /read event c, which nobody appended/,
  },
  {
    what: 'an unanswered append that took effect later',
    calls: [unknown(0, 1, 'a'), read(1, [2, 3], 0, 0), read(1, [4, 5], 0, 1, 'a')],
    problem: null,
  },
  {
    what: 'an unanswered append that never took effect',
    calls: [unknown(0, 1, 'a'), appended(1, [2, 3], 0, 'b'), read(1, [4, 5], 0, 1, 'b')],
    problem: null,
  },
  {
    what: 'an unanswered append that explains a hole',
    calls: [unknown(0, 1, 'a'), appended(1, [2, 3], 1, 'b')],
    problem: null,
  },
  {
    what: 'a hole that nothing explains',
    calls: [appended(1, [2, 3], 1, 'b')],
    problem: /proves length 2, but offset 0 belongs to no append called until then/,
  },
  {
    what: 'a hole that only a later call could fill',
    calls: [appended(0, [1, 2], 1, 'b'), unknown(1, 3, 'a')],
    problem: /proves length 2, but offset 0 belongs to no append called until then/,
  },
  {
    what: 'half of an unanswered batch',
    calls: [unknown(0, 1, 'a', 'b'), appended(1, [2, 3], 1, 'c'), read(1, [4, 5], 0, 2, 'a', 'c')],
    problem: /offset 1 holds event b and event c/,
  },
  {
    what: 'a refused append that took effect',
    calls: [refused(0, [1, 2], 0, 'a'), read(1, [3, 4], 0, 1, 'a')],
    problem: /read event a, whose append was refused/,
  },
  {
    what: 'a refusal that tells of a length too short',
    calls: [appended(0, [1, 2], 0, 'a'), refused(1, [3, 4], 0, 'b')],
    problem: /saw the stream at length 0/,
  },
  {
    what: 'a length that no append explains',
    calls: [appended(0, [1, 2], 0, 'a'), read(1, [3, 4], 1, 3)],
    problem: /proves length 3, but offset 1 belongs to no append called until then/,
  },
  {
    what: 'a repeated call under one idempotency id, acknowledged twice',
    calls: [
      unknown(0, 1, 'a'),
      appended(0, [5, 6], 0, 'a'),
      appended(0, [7, 8], 0, 'a'),
      read(1, [9, 10], 0, 1, 'a'),
    ],
    problem: null,
  },
  {
    what: 'a repeated call that took effect again',
    calls: [appended(0, [5, 6], 0, 'a'), appended(0, [7, 8], 1, 'a')],
    problem: /event a is at offset 1 and at offset 0/,
  },
];

describe('checkHistory', () => {
  for (const { what, calls, problem } of ROWS) {
    it(`${problem === null ? 'accepts' : 'rejects'} ${what}`, () => {
      const verdict = checkHistory(calls);
      if (problem === null) {
        assert.deepEqual(verdict.problems, []);
      } else {
        const messages = verdict.problems.map((found) => found.message).join('\n');
        assert.match(messages, problem);
      }
      if (calls.length > 0) assert(verdict.comparisons > 0);
    });
  }

  it('keeps streams apart', () => {
    const verdict = checkHistory([
      { ...appended(0, [1, 2], 0, 'a'), stream: 'x' } as ClientCall,
      { ...appended(0, [3, 4], 0, 'b'), stream: 'y' } as ClientCall,
      { ...read(0, [5, 6], 0, 1, 'a'), stream: 'y' } as ClientCall,
    ]);
    assert.match(verdict.problems[0]?.message ?? '', /which was appended to another stream/);
  });

  it('can require that every acknowledged event is read again', () => {
    const calls = [appended(0, [1, 2], 0, 'a'), appended(0, [3, 4], 1, 'b'), read(1, [5, 6], 0, 2, 'a')];
    assert.deepEqual(checkHistory(calls).problems, []);
    const { problems } = checkHistory(calls, { everyEventRead: true });
    assert.match(problems[0]?.message ?? '', /acknowledged event b, which no later read has shown/);
  });

  it('agrees with a search over all orders', () => {
    fc.assert(
      fc.property(anyHistory, (calls) => {
        assert.equal(checkHistory(calls).problems.length === 0, linearizable(calls));
      }),
      { numRuns: 3000 },
    );
  });

  it('takes a long history in time that grows with its length', () => {
    const calls: ClientCall[] = [];
    for (let i = 0; i < 20_000; i++) {
      calls.push(appended(i % 8, [i * 10, i * 10 + 25], i, `e${i}`));
      if (i % 10 === 9) calls.push(read(9, [i * 10 + 26, i * 10 + 27], i, i + 1, `e${i}`));
    }
    assert.deepEqual(checkHistory(calls).problems, []);
  });
});

/**
 * Up to six calls on one stream: mostly what a correct system would answer, at positions that the
 * generator sometimes gets wrong.
 */
const anyHistory = fc
  .array(
    fc.record({
      kind: fc.constantFrom('appended', 'appended', 'read', 'unknown'),
      at: fc.integer({ min: 0, max: 12 }),
      takes: fc.integer({ min: 0, max: 12 }),
      /** Where the call takes effect within its interval. */
      point: fc.integer({ min: 0, max: 12 }),
      happens: fc.boolean(),
      error: fc.constantFrom(0, 0, 0, 0, 0, 0, -1, 1),
    }),
    { minLength: 1, maxLength: 6 },
  )
  .map((specs) => {
    const calls: ClientCall[] = [];
    const order = specs.map((spec, i) => ({ ...spec, i, effect: spec.at + (spec.point % (spec.takes + 1)) }));
    order.sort((a, b) => a.effect - b.effect || a.i - b.i);
    const stream: string[] = [];
    for (const spec of order) {
      // Calls at even times, returns at odd ones: no ties.
      const times: Times = [spec.at * 2, (spec.at + spec.takes) * 2 + 1];
      const event = `e${spec.i}`;
      if (spec.kind === 'read') {
        const length = Math.min(Math.max(0, stream.length + spec.error), stream.length);
        calls.push(read(spec.i, times, 0, length, ...stream.slice(0, length)));
      } else if (spec.kind === 'appended') {
        const offset = Math.max(0, stream.length + spec.error);
        calls.push(appended(spec.i, times, offset, event));
        stream.push(event);
      } else {
        calls.push(unknown(spec.i, spec.at * 2, event));
        if (spec.happens) stream.push(event);
      }
    }
    return calls;
  });

/** Tries every order of calls that respects real time, unknown ones included or left out. */
function linearizable(calls: readonly ClientCall[]): boolean {
  const used = calls.map(() => false);
  const stream: string[] = [];

  const search = (): boolean => {
    if (calls.every((call, i) => used[i] === true || call.kind === 'unknown')) return true;
    for (let i = 0; i < calls.length; i++) {
      if (used[i] === true) continue;
      const call = calls[i] as ClientCall;
      // Nobody who is still waiting for its turn returned before this one was called.
      if (calls.some((other, j) => used[j] !== true && j !== i && endOf(other) < call.calledAt)) continue;
      const length = stream.length;
      if (call.kind === 'appended') {
        if (call.offset !== length) continue;
        stream.push(...call.events.map(String));
      } else if (call.kind === 'unknown') {
        stream.push(...call.events.map(String));
      } else if (call.kind === 'read') {
        if (call.length !== length) continue;
        if (call.events.some((event, k) => stream[call.offset + k] !== event)) continue;
      }
      used[i] = true;
      if (search()) return true;
      used[i] = false;
      stream.length = length;
    }
    return false;
  };
  return search();
}

function endOf(call: ClientCall): number {
  return call.kind === 'unknown' ? Number.POSITIVE_INFINITY : call.returnedAt;
}
