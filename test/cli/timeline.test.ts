/** Timelines: what a person sees is what happened, cell by cell. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { lineText, linesText, printable, span, wantsColour } from '../../cli/render/styled_text.ts';
import { allSymbols, symbolOf } from '../../cli/vopr/entry_symbols.ts';
import { parseNodes } from '../../cli/vopr/timeline.ts';
import { logHeader, logLine, type LogRow } from '../../cli/vopr/timeline_log.ts';
import { timelineLines, type Timeline } from '../../cli/vopr/timeline_view.ts';
import { parseRange, parseTimeRange } from '../../cli/numbers.ts';
import { ENTRY_KINDS, type Entry } from '../../sim/recorder.ts';
import { fc } from '../fixed_seed.ts';
import { PROJECT_ROOT } from '../source_scanner.ts';
import { assertGolden } from './golden.ts';
import { runProgram, type Outcome } from './run_program.ts';

const DIRECTORY = mkdtempSync(join(tmpdir(), 'vopr-timeline-'));
after(() => rmSync(DIRECTORY, { recursive: true, force: true }));

const BUNDLE = fileURLToPath(
  new URL('../../bundles/regression/restart_all_at_once-11-liveness.kmb', import.meta.url),
);
const vopr = (...args: string[]): Promise<Outcome> => runProgram('vopr', args, { cwd: DIRECTORY });

type Kind = Entry['kind'];

function entry(at: number, node: number, kind: Kind, what: string, more: Partial<Entry> = {}): Entry {
  return {
    event: Math.floor(at / 100_000), virtualMicros: at, kind, what, node, peer: -1,
    view: -1, op: -1, cause: '', packet: -1, text: `${what} here`, ...more,
  };
}

/** Three replicas and a client: a partition, a crash, a pause, and a violation at the end. */
const ENTRIES: readonly Entry[] = [
  entry(0, 0, 'restart', 'start'),
  entry(0, 1, 'restart', 'start'),
  entry(0, 2, 'restart', 'start'),
  entry(300_000, 0, 'view_change', 'normal', { view: 0 }),
  entry(500_000, 3, 'client', 'request'),
  entry(600_000, 0, 'message', 'send', { peer: 1, op: 1 }),
  entry(600_000, 0, 'message', 'send', { peer: 2, op: 1 }),
  entry(700_000, 1, 'message', 'deliver', { peer: 0, op: 1 }),
  entry(700_000, 2, 'message', 'drop', { peer: 0, op: 1, cause: 'loss' }),
  entry(800_000, 1, 'storage', 'write_start', { op: 1 }),
  entry(900_000, 1, 'storage', 'write_done', { op: 1 }),
  entry(1_000_000, 0, 'commit', 'commit', { op: 1 }),
  entry(1_000_000, 0, 'check', 'passed', { op: 1 }),
  entry(1_100_000, 3, 'client', 'success'),
  entry(1_500_000, -1, 'partition', 'partition'),
  entry(2_000_000, 1, 'crash', 'crash'),
  entry(2_500_000, 2, 'crash', 'pause'),
  entry(3_500_000, 2, 'restart', 'resume'),
  entry(4_000_000, 1, 'restart', 'restart'),
  entry(4_200_000, 1, 'storage', 'read_failed'),
  entry(5_000_000, -1, 'heal', 'partition'),
  entry(5_500_000, 0, 'commit', 'commit', { op: 2 }),
  entry(5_500_000, 0, 'check', 'failed', { op: 2 }),
  entry(5_500_000, -1, 'violation', 'agreement', { op: 2 }),
];
const CIRCUMSTANCES = ENTRIES.filter(({ kind }) => /^(crash|restart|partition|heal)$/.test(kind));
const TIMELINE: Timeline = {
  entries: ENTRIES,
  circumstances: CIRCUMSTANCES,
  replicaCount: 3,
  clientCount: 1,
  axis: 'time',
  from: 0,
  to: 5_999_999,
  width: 75,
};

function picture(changes: Partial<Timeline> = {}): string {
  return linesText(timelineLines({ ...TIMELINE, ...changes }), false);
}

suite('timeline', () => {
  test('a small run, by time', () => {
    assert.equal(picture(), [
      'seconds        0.00                2.00                4.00',
      '               |                   |                   |',
      'world                         #----------------------------------+    !',
      'R0             ↑··V··M···C············································E····',
      'R1             ↑······mWw··········✗                   ↑·X·················',
      'R2             ↑······/·················P~~~~~~~~~↑························',
      'C0             ·····R·····r················································',
      '',
      '! violation   E check failed   ✗ crash   X storage failed   # partition',
      '+ heal   ↑ restart   P pause   V view change   C commit   r answer',
      'R request   / message lost   M send   m deliver   w write done   W write',
      '',
    ].join('\n'));
  });

  test('a window: what was before it still shows in the lanes, what is outside does not', () => {
    const text = picture({ from: 3_000_000, to: 4_999_999, width: 40, nodes: [1, 2] });
    assert.equal(text, [
      'seconds        3.00                4.60',
      '               |                   |',
      'world          -------------------------',
      'R1                         ↑··X·········',
      'R2             ~~~~~~↑··················',
      '',
      'X storage failed   ↑ restart',
      '',
    ].join('\n'));
  });

  test('by event, with a filter that leaves circumstances out: lanes are the same', () => {
    const commits = ENTRIES.filter(({ kind }) => kind === 'commit');
    const text = picture({ axis: 'event', from: 10, to: 59, width: 65, entries: commits, nodes: [0, 1] });
    assert.equal(text, [
      'event          #10                 #30                 #50',
      '               |                   |                   |',
      'world               -----------------------------------',
      'R0             C············································C····',
      'R1             ··········                    ····················',
      '',
      'C commit',
      '',
    ].join('\n'));
  });

  test('the heaviest symbol wins a cell, whatever comes last', () => {
    const at = (kind: Kind, what: string): Entry => entry(100, 0, kind, what);
    const rows: readonly (readonly [Entry, Entry, string])[] = [
      [at('violation', 'agreement'), at('crash', 'crash'), '!'],
      [at('crash', 'crash'), at('view_change', 'normal'), '✗'],
      [at('view_change', 'normal'), at('commit', 'commit'), 'V'],
      [at('commit', 'commit'), at('message', 'send'), 'C'],
      [at('message', 'drop'), at('message', 'deliver'), '/'],
      [at('message', 'deliver'), at('check', 'passed'), 'm'],
    ];
    for (const [heavy, light, symbol] of rows) {
      for (const entries of [[heavy, light], [light, heavy]]) {
        const lines = timelineLines({ ...TIMELINE, entries, circumstances: [], width: 40 });
        const lane = lines.find((line) => line[0]?.text.startsWith('R0')) ?? [];
        assert.match(lineText(lane, false), new RegExp(`^R0 {13}${symbol}`));
      }
    }
  });

  test('each cell shows the heaviest of its entries, by brute force', () => {
    const kinds = allWhats();
    const arbitrary = fc.array(
      fc.record({ at: fc.integer({ min: 0, max: 1000 }), node: fc.integer({ min: -1, max: 4 }),
        which: fc.integer({ min: 0, max: kinds.length - 1 }) }),
      { maxLength: 60 },
    );
    fc.assert(fc.property(arbitrary, fc.integer({ min: 40, max: 150 }), (list, width) => {
      const entries = list.map(({ at, node, which }) => {
        const [kind, what] = kinds[which] as [Kind, string];
        return entry(at, node, kind, what);
      }).sort((a, b) => a.virtualMicros - b.virtualMicros);
      const [from, to] = [200, 800];
      const lines = timelineLines({
        ...TIMELINE, entries, circumstances: [], clientCount: 2, from, to, width,
      });
      const columns = width - 15;
      for (let node = -1; node < 5; node++) {
        const lane = [...(lines[3 + node] ?? []).slice(2).map(({ text }) => text).join('')];
        assert.equal(lane.length, columns);
        for (let column = 0; column < columns; column++) {
          const inside = entries.filter((e) => e.node === node && e.virtualMicros >= from
            && e.virtualMicros <= to && Math.floor(((e.virtualMicros - from) / 601) * columns) === column);
          const heaviest = inside.map(symbolOf).sort((a, b) => b.weight - a.weight)[0];
          const empty = node >= 3 ? '·' : ' ';
          assert.equal(lane[column], heaviest?.symbol ?? empty);
        }
      }
    }), { numRuns: 50 });
  });

  test('no line is longer than the width', () => {
    for (const width of [40, 60, 75, 100, 200]) {
      for (const line of timelineLines({ ...TIMELINE, width })) {
        assert.ok([...lineText(line, false)].length <= width, lineText(line, false));
      }
    }
  });

  test('symbols: every kind has one, and one symbol never means two things', () => {
    for (const kind of ENTRY_KINDS) {
      const { symbol } = symbolOf({ kind, what: kind === 'violation' ? 'agreement' : '' });
      assert.equal([...symbol].length, 1);
    }
    const names = new Map<string, string>();
    for (const [kind, what] of allWhats()) {
      const { symbol, name } = symbolOf({ kind, what });
      assert.equal(names.get(symbol) ?? name, name, symbol);
      names.set(symbol, name);
      assert.ok(!'·~- '.includes(symbol), `${kind} ${what} looks like an empty lane`);
    }
    const texts = allSymbols().map(({ name }) => name);
    assert.equal(new Set(texts).size, texts.length);
  });
});

/** Every kind and detail that a world can tell. */
function allWhats(): [Kind, string][] {
  const whats: Readonly<Record<Kind, string>> = {
    client: 'request success failure',
    storage: 'read_start write_start flush_start read write_done flush read_failed write_failed '
      + 'flush_failed lost_write torn_write garbage_write bit_rot latent_sector slow_disk slow_disk_end',
    message: 'send duplicate deliver drop hold ignore',
    view_change: 'normal view_change recovering_head timeout',
    commit: 'commit checkpoint sync',
    crash: 'crash pause panic clock_jump',
    restart: 'start restart resume',
    partition: 'partition isolate clog',
    heal: 'partition isolate clog phase',
    check: 'passed failed',
    violation: 'agreement liveness',
  };
  return ENTRY_KINDS.flatMap((kind) => whats[kind].split(' ').map((what): [Kind, string] => [kind, what]));
}

function row(e: Entry, more: Partial<LogRow> = {}): LogRow {
  return { entry: e, status: null, lanes: ['up', 'down', 'paused'], ...more };
}

suite('timeline as a log', () => {
  const status = { role: 'primary', status: 'normal', view: 3, commitMin: 74, commitMax: 75, op: 76 };
  test('a line an entry, in fixed columns', () => {
    const lines = [
      logHeader(3),
      logLine(row(entry(12_345_678, 0, 'commit', 'commit', { event: 10_234 }), { status }), 3),
      logLine(row(entry(12_345_700, 2, 'message', 'drop', { event: 10_235 })), 3),
      logLine(row(entry(12_345_700, 5, 'client', 'success', { event: 10_235 })), 3),
      logLine(row(entry(12_400_000, -1, 'heal', 'phase', { event: 10_301 })), 3),
    ];
    assert.equal(linesText(lines, false), [
      '   event      seconds w012c  node   role    status          view commit    head  what',
      '   10234    12.345678  C ~   R0     primary normal          v3   74/75     76    commit here',
      '   10235    12.345700  . /   R2                                                  drop here',
      '   10235    12.345700  . ~r  C2                                                  success here',
      '   10301    12.400000 H. ~   world                                               phase here',
      '',
    ].join('\n'));
  });
});

suite('colours', () => {
  const line = [span('a'), span('b', 'failure'), span('  ', 'faint')];

  test('only where the terminal has them, and nobody says no', () => {
    assert.ok(wantsColour({ isTTY: true }, true, { TERM: 'xterm' }));
    assert.ok(wantsColour({ isTTY: true }, true, { NO_COLOR: '' }));
    assert.ok(!wantsColour({ isTTY: true }, true, { NO_COLOR: '1' }));
    assert.ok(!wantsColour({ isTTY: true }, true, { TERM: 'dumb' }));
    assert.ok(!wantsColour({ isTTY: true }, false, {}));
    assert.ok(!wantsColour({ isTTY: false }, true, {}));
  });

  test('what a stranger wrote cannot move the cursor', () => {
    assert.equal(printable('a\u001b[2Jb\tc\r\u009b\nd'), 'a?[2Jb?c??\nd');
  });

  test('plain text has no escapes and no blanks at its end', () => {
    assert.equal(lineText(line, false), 'ab');
    assert.equal(lineText(line, true), 'a\u001b[1;31mb\u001b[0m\u001b[2m  \u001b[0m');
  });
});

suite('options of timeline', () => {
  test('ranges', () => {
    assert.deepEqual(parseRange('100..200'), [100, 200]);
    assert.deepEqual(parseRange('1_000..'), [1000, Number.MAX_SAFE_INTEGER]);
    assert.deepEqual(parseRange('..7'), [0, 7]);
    assert.deepEqual(parseTimeRange('1.5..2'), [1_500_000, 2_000_000]);
    for (const text of ['', '..', '5', '7..3', 'a..b', '1.5..2', '-1..2', '1..2..3']) {
      assert.throws(() => parseRange(text), /must be a range of whole numbers/, text);
    }
    for (const text of ['5', '..', '2..1', '1...2', 'x..']) {
      assert.throws(() => parseTimeRange(text), /must be a range of seconds/, text);
    }
  });

  test('nodes', () => {
    assert.deepEqual(parseNodes('0,R2, c0,C1', 3, 2), [0, 2, 3, 4]);
    for (const text of ['3', 'c2', 'x', '', '0,,1', '-1']) {
      assert.throws(() => parseNodes(text, 3, 2), /this run has R0 to R2 and C0 to C1/, text);
    }
  });
});

suite('docs/timeline.md', () => {
  const text = readFileSync(new URL('../../docs/timeline.md', import.meta.url), 'utf8');

  test('lists the symbols, in order of weight', () => {
    const rows = [...text.matchAll(/^\| `(.)` \| (.+) \|$/gmu)].map(([, symbol, name]) => [symbol, name]);
    assert.deepEqual(rows, allSymbols().map(({ symbol, name }) => [symbol, name]));
  });

  test('its commands do what they say', async () => {
    const commands = [...text.matchAll(/^npm run -s vopr -- (.+)$/gm)].map(([, line]) => line as string);
    assert.ok(commands.length >= 8);
    await Promise.all(commands.map(async (line) => {
      const outcome = await runProgram('vopr', line.split(' '), { cwd: PROJECT_ROOT });
      assert.equal(outcome.status, 0, `${line}: ${outcome.stderr}`);
      assert.ok(outcome.stdout.split('\n').length > 5, line);
    }));
  });
});

suite('vopr timeline', () => {
  test('a real bundle, as kept', async () => {
    const outcome = await vopr('timeline', BUNDLE, '--width', '100', '--time', '3..7');
    assert.equal(outcome.status, 0, outcome.stderr);
    assertGolden('timeline_restart_all.txt', outcome.stdout);
  });

  interface Json {
    readonly replicas: number;
    readonly events: number;
    readonly entries: { event: number; kind: string; what: string; node: string; op: number | null }[];
  }

  test('JSON and the log tell the same entries, and filters choose from them', async () => {
    const json = async (...args: string[]): Promise<Json> => {
      const outcome = await vopr('timeline', BUNDLE, '--format', 'json', ...args);
      assert.equal(outcome.status, 0, outcome.stderr);
      return JSON.parse(outcome.stdout) as Json;
    };
    const [all, some, log] = await Promise.all([
      json(),
      json('--kinds', 'commit,view-change', '--nodes', '0', '--events', '500..2000'),
      vopr('timeline', BUNDLE, '--log', '--op', '12'),
    ]);
    assert.ok(all.entries.length > all.events);
    const chosen = all.entries.filter(({ kind, node, event }) =>
      (kind === 'commit' || kind === 'view_change') && node === 'R0' && event >= 500 && event <= 2000);
    assert.ok(chosen.length > 10);
    assert.deepEqual(some.entries, chosen);
    assert.equal(log.status, 0, log.stderr);
    const lines = log.stdout.split('\n');
    assert.match(lines[0] as string, /^ +event +seconds w0/);
    const about = all.entries.filter(({ kind, op }) => op === 12
      || /^(view_change|crash|restart|partition|heal|violation)$/.test(kind));
    assert.equal(lines.indexOf('') - 1, about.length);
  });

  test('a scenario and a seed, with a canary, into a file', async () => {
    const outcome = await vopr('timeline', 'baseline', '--seed', '1', '--canary', 'commit-before-quorum',
      '--output', 'picture.txt');
    assert.equal(outcome.status, 0, outcome.stderr);
    assert.equal(outcome.stdout, '');
    const text = readFileSync(join(DIRECTORY, 'picture.txt'), 'utf8');
    assert.match(text, /^baseline, seed 1, canary commit-before-quorum: violation of \w+ at event/);
    assert.match(text, /^world .*!/m);
    assert.deepEqual(readdirSync(DIRECTORY).filter((name) => name.includes('partial')), []);
  });

  test('what is asked wrongly is refused with status 2 and what to do', async () => {
    const cases: readonly (readonly [string[], RegExp])[] = [
      [['combined'], /"combined" is a scenario: give the run's --seed as well, or name a bundle/],
      [['absent.kmb'], /Cannot read the bundle from "absent.kmb": ENOENT/],
      [['combinde', '--seed', '1'], /unknown scenario "combinde": did you mean "combined"\?/],
      [[BUNDLE, '--canary', 'ack-before-sync'], /--canary goes with a scenario and --seed/],
      [[BUNDLE, '--kinds', 'commits'], /unknown kind "commits": the kinds are client, storage/],
      [[BUNDLE, '--nodes', '17'], /unknown node "17": this run has R0/],
      [[BUNDLE, '--time', '100'], /must be a range of seconds/],
      [[BUNDLE, '--time', '5000..6000'], /the run ends before that/],
      [[BUNDLE, '--width', '20'], /a whole number, from 40/],
      [[BUNDLE, '--output', '/absent/x'], /Cannot write "\/absent\/x": ENOENT/],
    ];
    await Promise.all(cases.map(async ([args, words]) => {
      const outcome = await vopr('timeline', ...args);
      assert.equal(outcome.status, 2, args.join(' '));
      assert.match(outcome.stderr, words);
      assert.equal(outcome.stdout, '');
    }));
  });
});
