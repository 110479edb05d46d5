/** The three output formats and the progress line, on made-up reports. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { duration, grouped, short } from '../../cli/numbers.ts';
import { compactRenderer } from '../../cli/render/compact.ts';
import { shellWord } from '../../cli/render/commands.ts';
import { humanRenderer } from '../../cli/render/human.ts';
import { jsonRenderer } from '../../cli/render/json.ts';
import { Progress } from '../../cli/render/progress.ts';
import { type Renderer, type RunReport, type Verbosity } from '../../cli/render/report.ts';
import { REPORT, VIOLATION } from './made_up_report.ts';

function rendered(make: (write: (text: string) => void) => Renderer, reports: readonly RunReport[]): string {
  let text = '';
  const renderer = make((part) => (text += part));
  for (const report of reports) {
    const { scenario, count } = report.summary;
    renderer.started(scenario, count, []);
    report.summary.violations.forEach((violation, i) => {
      const { canary, code } = report;
      renderer.violated(violation, { scenario, canary, code, bundle: report.bundles[i] ?? null });
    });
    renderer.finished(report);
  }
  renderer.ended(reports);
  return text;
}

function human(verbosity: Verbosity): (write: (text: string) => void) => Renderer {
  return (write) => humanRenderer(write, new Progress({ write }, () => 0), verbosity);
}

test('json: one object with the promised fields, in order', () => {
  const object = JSON.parse(rendered(jsonRenderer, [REPORT])) as Record<string, unknown>;
  assert.deepEqual(Object.keys(object), [
    'scenario', 'seeds', 'passed', 'violations', 'vacuous', 'events', 'messages', 'storage_ops',
    'commits', 'view_changes', 'crashes', 'checks', 'virtual_seconds', 'wall_seconds',
    'events_per_second', 'digest', 'schema', 'outcome', 'missing', 'asked', 'canary', 'canary_reached',
    'code', 'started_at', 'virtual_micros', 'unmet', 'shares', 'gates', 'faults', 'probes',
    'probes_never_hit',
  ]);
  assert.deepEqual(object['seeds'], { first: 1000, count: 200 });
  assert.deepEqual(object['violations'], [
    {
      seed: 1182,
      invariant: 'agreement',
      event: 4211,
      message: VIOLATION.message,
      bundle: '.vopr/bundles/combined-1182-agreement.kmb',
      signature: 'agreement',
      virtual_micros: 3_201_442,
      replicas: [0, 2],
    },
  ]);
  assert.deepEqual(object['vacuous'], [1003, 1007]);
  assert.equal(object['virtual_seconds'], 4000.5);
  assert.equal(object['wall_seconds'], 8);
  assert.equal(object['events_per_second'], 499_975);
  const several = JSON.parse(rendered(jsonRenderer, [REPORT, REPORT])) as { runs: unknown[] };
  assert.deepEqual(Object.keys(several), ['runs']);
  assert.deepEqual(several.runs, [object, object]);
});

test('human: a violation tells facts, place, run, code, replay and one hint, in that order', () => {
  const text = rendered(human(1), [REPORT]);
  const [story, summary] = text.split('\n\n') as [string, string];
  assert.equal(
    story,
    `
violation of agreement: op 7: replica 0 committed 12ab, replica 2 committed 98fe
  at      3.201442 s virtual, event 4,211, replicas 0 and 2
  run     scenario combined, seed 1182
  code    kimberlite 0.1.0, commit faccfb7, Node v24.21.0
  replay  vopr repro .vopr/bundles/combined-1182-agreement.kmb
  hint    \`vopr repro -v\` on this bundle also prints the last events before the violation`,
  );
  assert.equal(
    summary,
    `combined                       200 seeds from 1000: 197 passed, 1 violated, 2 vacuous; \
4.00 M events, 500 k/s, 1 h 6 min virtual in 8.0 s; digest 000102030405060708090a0b0c0d0e0f
  vacuous seeds (the scenario did not happen): 1003 1007
    crashes: 0, at least 1: not so in 2 seeds
`,
  );
});

test('human: -q says only what is wrong, -v also counts', () => {
  const passed: RunReport = {
    ...REPORT,
    bundles: [],
    summary: { ...REPORT.summary, passed: 200, violations: [], vacuous: [], unmet: {} },
  };
  assert.equal(rendered(human(0), [passed, passed]), '');
  assert.match(rendered(human(0), [REPORT]), /violation of agreement/);
  const other = { ...passed, summary: { ...passed.summary, scenario: 'baseline' } };
  const verbose = rendered(human(2), [passed, other]);
  assert.match(verbose, /checks\n {4}agreement +180,000\n {4}liveness +600\n/);
  assert.match(verbose, /faults\n {4}loss.applied +9,000\n/);
  assert.match(verbose, /2 scenarios, 400 seeds: 0 violations, 0 vacuous; 8.00 M events in 16 s/);
});

test('human: a canary that survived, and one that was never reached', () => {
  const canary = { name: 'commit_before_quorum', checker: 'agreement' };
  const summary = { ...REPORT.summary, violations: [], vacuous: [], passed: 200, unmet: {} };
  const report = { ...REPORT, canary, bundles: [] };
  assert.match(
    rendered(human(1), [{ ...report, summary: { ...summary, canaryReached: 1234 } }]),
    /canary commit_before_quorum survived: reached 1,234 times, not caught by agreement/,
  );
  assert.match(rendered(human(1), [{ ...report, summary }]), /was never reached/);
});

test('human: seeds that failed before are named before anything runs', () => {
  let text = '';
  const renderer = human(1)((part) => (text += part));
  renderer.started('combined', 100, [17, 4, 5]);
  assert.equal(text, 'combined                       3 seeds that failed before, first: 17 4 5\n');
});

test('compact: a line a violation and a line a scenario', () => {
  const lines = rendered(compactRenderer, [REPORT]).trimEnd().split('\n');
  assert.equal(lines.length, 2);
  assert.match(
    lines[0] ?? '',
    /^violation\tscenario=combined\tseed=1182\tinvariant=agreement\tevent=4211\tbundle=\S+\tmessage=op 7: /,
  );
  assert.match(lines[1] ?? '', /^failed\tscenario=combined\tfirst=1000\tseeds=200\t.*\tdigest=0001/);
});

test('progress: a bar on a terminal, plain lines anywhere else', () => {
  let now = 0;
  let text = '';
  const write = (part: string): void => void (text += part);
  const bar = new Progress({ isTTY: true, columns: 200, write }, () => now);
  bar.start('combined', 1000);
  bar.update(1, 100);
  assert.equal(text, '', 'not before a tenth of a second');
  now = 5;
  bar.update(250, 1_000_000);
  assert.equal(
    text,
    `\r\u001b[Kcombined ${'█'.repeat(6)}${'░'.repeat(18)} ` +
      '250/1,000 seeds, 50/s, 200 k events/s, 15 s left',
  );
  bar.clear();
  assert.ok(text.endsWith('\r\u001b[K'));

  text = '';
  now = 0;
  const usual = new Progress({ isTTY: true, columns: 80, write }, () => now);
  usual.start('swizzle_clogging', 1000);
  now = 5;
  usual.update(500, 1_000_000);
  const line = text.replace('\r\u001b[K', '');
  assert.match(line, /^swizzle_clogging █{6}░{5} .*, 5.0 s left$/, 'the bar gives way to the facts');
  assert.ok(line.length < 80, line);

  text = '';
  now = 0;
  const narrow = new Progress({ isTTY: true, columns: 20, write }, () => now);
  narrow.start('combined', 10);
  now = 1;
  narrow.update(5, 5);
  assert.equal(text.replace('\r\u001b[K', '').length, 19, 'one cell short of the edge');

  text = '';
  now = 0;
  const plain = new Progress({ write }, () => now);
  plain.start('combined', 1000);
  for (now = 1; now <= 25; now++) plain.update(now * 10, now * 1000);
  plain.clear();
  assert.equal(text.split('\n').length - 1, 2, 'a line every ten seconds');
  assert.match(text, /^combined: 100\/1,000 seeds, 10\/s, 1000 events\/s, 1 min 30 s left\n/);
});

test('numbers: grouped, short, durations and words for a shell', () => {
  assert.equal(grouped(1_234_567), '1,234,567');
  assert.equal(short(1_234_567), '1.23 M');
  assert.equal(short(12_345), '12.3 k');
  assert.equal(short(999), '999');
  assert.equal(short(2.345), '2.3');
  assert.equal(duration(7.04), '7.0 s');
  assert.equal(duration(200), '3 min 20 s');
  assert.equal(duration(7500), '2 h 5 min');
  assert.equal(shellWord('a/b-1.kmb'), 'a/b-1.kmb');
  assert.equal(shellWord("it's"), String.raw`'it'\''s'`);
});
