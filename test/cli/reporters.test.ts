/** What reports become for machines: JUnit, GitHub, HTML, issues; and which goes where. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { inClone, replayCommand, seedCommand } from '../../cli/render/commands.ts';
import { distinctFailures, failuresOf, signatureId } from '../../cli/render/failures.ts';
import { githubRenderer } from '../../cli/render/github.ts';
import { htmlReport } from '../../cli/render/html_report.ts';
import { issuesRenderer } from '../../cli/render/issues.ts';
import { junitText } from '../../cli/render/junit.ts';
import { summaryMarkdown } from '../../cli/render/markdown.ts';
import { codeBlock, escapeAttribute, plainMarkdown } from '../../cli/render/markup.ts';
import { outcomeOf, worstOutcome, type RunReport } from '../../cli/render/report.ts';
import { parseReporters } from '../../cli/vopr/reporters.ts';
import { CODE, REPORT, VIOLATION } from './made_up_report.ts';
import { runProgram, type Outcome } from './run_program.ts';
import { xmlProblem, xmlTree, type XmlElement } from './xml.ts';

const DIRECTORY = mkdtempSync(join(tmpdir(), 'reporters-'));
after(() => rmSync(DIRECTORY, { recursive: true, force: true }));

const hostile = (nul: string, escape: string, half: string): string =>
  `a < b && "c" > 'd' ]]> ${nul}${escape}[31m ${half} \`\`\` | <script>alert(1)</script>\r\n::error::100%`;
const HOSTILE = hostile('\u0000', '\u001b', '\ud800');

const passed = (change: Partial<RunReport['summary']> = {}): RunReport => ({
  ...REPORT,
  bundles: [],
  summary: {
    ...REPORT.summary, scenario: 'baseline', count: 200, passed: 200, violations: [], vacuous: [], unmet: {},
    ...change,
  },
});

type Row = readonly [seed: number, invariant: string, event: number, message?: string];

function withViolations(scenario: string, ...violations: readonly Row[]): RunReport {
  const made = violations.map(([seed, invariant, event, message]) => {
    return { ...VIOLATION, seed, invariant, event, message: message ?? VIOLATION.message };
  });
  const bundles = made.map(({ seed }) => (seed % 2 === 0 ? `b/${seed}.kmb` : null));
  return { ...passed({ scenario, violations: made }), bundles };
}

const HOSTILE_REPORT = withViolations('combined', [7, 'no_panic', 12, HOSTILE]);

test('failures: one of each signature, and of those the one after the fewest events', () => {
  const reports = [
    withViolations('combined', [1, 'agreement', 500], [2, 'liveness', 900], [3, 'agreement', 40]),
    withViolations('baseline', [4, 'agreement', 41], [5, 'no_panic', 6, 'R1 stopped: Error: slot 12 of 7']),
    withViolations('message_loss', [6, 'no_panic', 7, 'R2 stopped: Error: slot 3 of 7']),
  ];
  const distinct = distinctFailures(reports);
  assert.deepEqual(
    distinct.map(({ signature, kept, all }) => [signature, kept.violation.seed, all.length]),
    [['agreement', 3, 3], ['liveness', 2, 1], ['no_panic: stopped: Error: slot # of #', 5, 2]],
  );
  assert.deepEqual(distinct[0]?.all.map(({ violation }) => violation.seed), [1, 3, 4]);
  const ids = distinct.map(({ id }) => id);
  assert.equal(new Set(ids).size, 3);
  for (const id of ids) assert.match(id, /^[0-9a-f]{8}$/);
  assert.equal(signatureId('agreement'), ids[0], 'the same tomorrow');
  assert.equal(ids[0], '40f6a04c');
});

test('commands: a seed with all that its run was given, or the bundle', () => {
  const scope = { ...REPORT.scope, limits: { events: 5000, micros: 250_000 }, checkDeterminism: true };
  const canary = { name: 'commit-before-quorum', checker: 'acked_durability' };
  const failed = withViolations('combined', [1182, 'agreement', 1], [3, 'agreement', 1]);
  const report = { ...failed, scope, canary };
  const [even, odd] = failuresOf(report);
  assert.ok(even !== undefined && odd !== undefined);
  const command = 'vopr run combined --seed 1182 --canary commit-before-quorum --events 5000 --time 0.25 ' +
    '--check-determinism';
  assert.equal(seedCommand(even), command);
  assert.equal(inClone(command), command.replace('vopr', 'npm run -s vopr --'));
  assert.equal(replayCommand(even), 'vopr repro b/1182.kmb');
  assert.match(replayCommand(odd), /^vopr run combined --seed 3 /);
  const own = { ...failed, code: { ...CODE, module: 'my systems/two.ts' } };
  assert.deepEqual(failuresOf(own).map(replayCommand), [
    "vopr repro b/1182.kmb --system 'my systems/two.ts'",
    "vopr run combined --seed 3 --system 'my systems/two.ts'",
  ]);
});

test('outcomes: the worst of several', () => {
  const vacuous = passed({ vacuous: [3] });
  const incomplete = { ...passed(), missing: ['shard 2/3'] };
  const canary = { name: 'c', checker: 'agreement' };
  assert.equal(outcomeOf(passed()), 'passed');
  assert.equal(outcomeOf({ ...passed({ canaryReached: 0 }), canary }), 'vacuous');
  assert.equal(outcomeOf({ ...passed({ canaryReached: 9 }), canary }), 'passed');
  assert.equal(outcomeOf({ ...REPORT, missing: ['x'] }), 'violated');
  assert.equal(worstOutcome([passed(), vacuous]), 'vacuous');
  assert.equal(worstOutcome([vacuous, incomplete]), 'incomplete');
  assert.equal(worstOutcome([incomplete, REPORT, passed()]), 'violated');
  assert.equal(worstOutcome([]), 'passed');
});

test('junit: a suite a scenario, a failing case a violation, whatever is in the words', () => {
  const reports = [passed(), HOSTILE_REPORT, REPORT, { ...passed(), missing: ['shard 2/3 <did> not end'] }];
  const text = junitText(reports);
  assert.equal(xmlProblem(text), null);
  const root = xmlTree(text);
  assert.equal(root.name, 'testsuites');
  assert.deepEqual(
    root.children.map(({ attributes }) => [attributes['name'], attributes['tests'], attributes['failures']]),
    [['baseline', '2', '0'], ['combined', '3', '1'], ['combined', '3', '2'], ['baseline', '2', '1']],
  );
  const { tests, failures, time } = root.attributes;
  assert.deepEqual([tests, failures, time], ['10', '4', '32.002']);
  for (const suite of root.children) {
    const cases = suite.children.filter(({ name }) => name === 'testcase');
    assert.equal(String(cases.length), suite.attributes['tests']);
    const failed = cases.filter(({ children }) => children.some(({ name }) => name === 'failure'));
    assert.equal(String(failed.length), suite.attributes['failures']);
    assert.equal(new Set(cases.map(({ attributes }) => attributes['name'])).size, cases.length);
  }
  const failure = (suite: number, at: number): XmlElement =>
    root.children[suite]?.children.filter(({ name }) => name === 'testcase')[at]?.children[0] as XmlElement;
  const foreign = failure(1, 0);
  const readable = hostile('\ufffd', '\ufffd', '\ufffd');
  assert.equal(foreign.attributes['message'], readable, 'also its line ends');
  assert.match(foreign.text, /^no_panic: a < b && "c"/);
  assert.match(foreign.text, /replay: vopr run combined --seed 7\n/);
  assert.match(failure(2, 0).text, /replay: vopr repro \.vopr\/bundles\/combined-1182-agreement\.kmb\n/);
  assert.match(failure(2, 0).text, /in a clone: npm run -s vopr -- run combined --seed 1182$/);
  assert.equal(failure(2, 1).attributes['type'], 'vacuous');
  assert.match(failure(2, 1).text, /^crashes: 0, at least 1: not so in 2 seeds\nseeds: 1003 1007$/);
  assert.equal(failure(3, 1).attributes['message'], 'shard 2/3 <did> not end');
});

test('github: annotations as the runner reads them, and a summary', () => {
  let lines = '';
  const summaries: string[] = [];
  const renderer = githubRenderer((text) => (lines += text), (text) => summaries.push(text));
  const many = withViolations('message_loss', [2, 'liveness', 9], [4, 'liveness', 8]);
  const vacuous = passed({ vacuous: [1], unmet: { 'crashes at least 1': 1 } });
  renderer.ended([HOSTILE_REPORT, many, vacuous, { ...passed(), missing: ['shard 2/3'] }]);
  const [foreign, liveness, ...rest] = lines.trimEnd().split('\n');
  const title = '::error title=no_panic violated by combined%2C seed 7::a < b && "c" ';
  assert.ok(foreign?.startsWith(title), foreign);
  assert.ok(foreign?.endsWith('%0D%0A::error::100%25%0Anpm run -s vopr -- run combined --seed 7'), foreign);
  assert.match(liveness ?? '', /^::error title=liveness violated by message_loss%2C seed 4 \(2 seeds\)::op/);
  assert.deepEqual(rest, [
    '::warning title=baseline did not happen::crashes at least 1',
    '::error title=baseline is incomplete::shard 2/3',
  ]);
  assert.equal(summaries.length, 1);
  assert.match(summaries[0] ?? '', /^## vopr: violated\n\n\| scenario \| outcome \|/);
});

test('markdown: a row a scenario, a section a signature, shell blocks to paste', () => {
  const text = summaryMarkdown([REPORT, HOSTILE_REPORT, withViolations('message_loss', [4, 'agreement', 8])]);
  const rows = text.split('\n').filter((line) => line.startsWith('|'));
  assert.equal(rows.length, 5);
  assert.equal(new Set(rows.map((row) => row.split('|').length)).size, 1, 'cells');
  assert.match(text, /### agreement violated: message_loss, seed 4 and 1 more seed\n/);
  assert.match(text, /```sh\ngit checkout faccfb7 && npm ci\nnpm run -s vopr -- run message_loss --seed 4\n/);
  assert.match(text, /```sh\nnpm run -s vopr -- repro b\/4.kmb\n```/);
  assert.match(text, /Also in: combined 1182\.\n/);
  assert.match(text, /- combined is vacuous: crashes: 0, at least 1: not so in 2 seeds\n/);
  assert.ok(text.includes(`\`\`\`\`\n${HOSTILE}\n\`\`\`\`\n`), 'a fence that the message does not close');
  assert.equal(codeBlock('a', 'sh'), '```sh\na\n```\n');
  assert.equal(plainMarkdown('a|b\n*c* <d> `e`'), String.raw`a\|b \*c\* \<d\> \`e\``);
  const dirty = { ...REPORT, code: { ...CODE, commit: 'faccfb7-dirty' } };
  assert.doesNotMatch(summaryMarkdown([dirty]), /git checkout/, 'nobody else has that code');
});

test('issues: a file a signature, the title first', () => {
  const files = new Map<string, string>();
  const reports = [REPORT, HOSTILE_REPORT, withViolations('message_loss', [4, 'agreement', 8])];
  const copied: string[][] = [];
  issuesRenderer({
    writeFile: (name, text) => files.set(name, text),
    copyFile: (name, path) => copied.push([name, path]),
  }).ended(reports);
  const ids = distinctFailures(reports).map(({ id }) => id);
  assert.deepEqual([...files.keys()], ids.map((id) => `${id}.md`));
  assert.deepEqual(copied, [[`${ids[0]}.kmb`, 'b/4.kmb']], 'the other has no bundle');
  const [title, blank, ...body] = (files.get(`${ids[0]}.md`) ?? '').split('\n');
  assert.equal(title, `[vopr ${ids[0]}] agreement violated: message_loss, seed 4 and 1 more seed`);
  assert.equal(blank, '');
  assert.ok(body.includes('npm run -s vopr -- run message_loss --seed 4'));
  assert.ok(body.join('\n').includes(`\`vopr ${ids[0]}\` stands for \`agreement\``));
});

test('html: one file without scripts, in which foreign words stay words', () => {
  const html = htmlReport([passed(), HOSTILE_REPORT, REPORT]);
  const closed = html.replace('<!doctype html>', '').replaceAll(/<(meta|br)([^>]*)>/g, '<$1$2/>');
  assert.equal(xmlProblem(closed), null);
  assert.doesNotMatch(html, /<script|<link|https?:|src=|@import|url\(/);
  assert.match(html, /&lt;script&gt;alert\(1\)&lt;\/script&gt;/);
  assert.match(html, /<h1>vopr: <span class="violated">violated<\/span><\/h1>/);
  for (const words of [
    '<td>baseline</td>',
    'vopr repro .vopr/bundles/combined-1182-agreement.kmb\nnpm run -s vopr -- repro',
    'vopr run combined --seed 1182\n',
    '<td>agreement</td><td class="number">180,000</td>',
    'probes: 1 of 2 reached',
    '<li>grid: block read error</li>',
    'vacuous: crashes: 0, at least 1: not so in 2 seeds',
  ]) {
    assert.ok(html.includes(words), words);
  }
  assert.equal(escapeAttribute('a\tb\n"'), 'a&#9;b&#10;&quot;');
});

test('reporters: names and paths, several at once', () => {
  assert.deepEqual(parseReporters('human,junit=out/j=1.xml'), [
    { name: 'human', path: null },
    { name: 'junit', path: 'out/j=1.xml' },
  ]);
  assert.equal(parseReporters('json', parseReporters('github')).length, 2);
  for (const [text, words] of [
    ['xunit', /"xunit" is none of human, json/],
    ['', /"" is none of/],
    ['junit=', /A path must follow "junit="/],
    ['issues', /Issues need a directory, as in issues=out\//],
  ] as const) {
    assert.throws(() => parseReporters(text), words);
  }
});

const vopr = (args: readonly string[], env: Record<string, string> = {}): Promise<Outcome> =>
  runProgram('vopr', ['run', 'baseline', '--no-ledger', ...args], { cwd: DIRECTORY, env });

test('vopr run: a report that cannot be made is refused before anything runs', async () => {
  writeFileSync(join(DIRECTORY, 'file'), '');
  const cases: [string[], RegExp][] = [
    [['--reporter', 'xunit'], /'--reporter <names>' argument 'xunit' is invalid. "xunit" is none of human,/],
    [['--reporter', 'human', '--format', 'json'], /--format json is the same as --reporter json: give one/],
    [['--reporter', 'json,junit'], /json and junit would both write to standard output: give one of them/],
    [['--reporter', 'json,github'], /json and github would both write to standard output/],
    [['--reporter', 'human,compact'], /human and compact would both write/],
    [['--reporter', 'junit=file/j.xml'], /Cannot write the report "file\/j.xml": (EEXIST|ENOTDIR)/],
    [['--reporter', 'html=.'], /Cannot write the report "\.": EISDIR/],
    [['--reporter', 'issues=file'], /Cannot write the report "file": EEXIST/],
    [['--reporter', 'github=no/such/summary.md'], /Cannot write the report "no\/such\/summary.md": ENOENT/],
  ];
  await Promise.all(
    cases.map(async ([args, words]) => {
      const outcome = await vopr(args);
      assert.match(outcome.stderr, words);
      assert.deepEqual([outcome.status, outcome.stdout], [2, '']);
    }),
  );
});

const withoutTimes = (text: string): string => text.replaceAll(/[\d.,]+( k)?\/s|in [\d.]+ s/g, '');
const withoutTime = (text: string): unknown =>
  JSON.parse(text, (key, value) => (/^(wall|events_per|started)/.test(key) ? null : value) as unknown);

test('vopr run: one run makes all reports, and says on stdout what it says without them', async () => {
  const args = ['--canary', 'ack-before-sync', '--seeds', '3', '--keep-going'];
  const out = (name: string): string => join(DIRECTORY, 'out', name);
  const files = `junit=${out('j.xml')},html=${out('r.html')},json=${out('r.json')},issues=${out('issues')}`;
  const summary = join(DIRECTORY, 'summary.md');
  writeFileSync(summary, 'earlier\n');
  const [plain, all, json] = await Promise.all([
    vopr(args),
    vopr([...args, '--reporter', `human,${files}`, '--reporter', 'github'], { GITHUB_STEP_SUMMARY: summary }),
    vopr([...args, '--format', 'json']),
  ]);
  assert.deepEqual([plain.status, all.status, json.status], [1, 1, 1], all.stderr);
  const human = all.stdout.replace(/^::error .*\n/m, '');
  assert.notEqual(human, all.stdout);
  assert.equal(withoutTimes(human), withoutTimes(plain.stdout));
  assert.deepEqual(withoutTime(readFileSync(out('r.json'), 'utf8')), withoutTime(json.stdout));
  const junit = xmlTree(readFileSync(out('j.xml'), 'utf8'));
  assert.deepEqual([junit.attributes['tests'], junit.attributes['failures']], ['5', '3']);
  assert.match(readFileSync(out('r.html'), 'utf8'), /acked_durability/);
  assert.match(readFileSync(summary, 'utf8'), /^earlier\n## vopr: violated\n/);
  const id = signatureId('acked_durability');
  const [bundle, issue, ...more] = readdirSync(out('issues')).sort();
  assert.deepEqual([bundle, issue, more], [`${id}.kmb`, `${id}.md`, []]);
  assert.equal((await runProgram('vopr', ['repro', '-q', join(out('issues'), `${id}.kmb`)])).status, 1);
  assert.ok(!existsSync(join(DIRECTORY, '.vopr', 'ledger.jsonl')));

  const text = readFileSync(join(out('issues'), issue as string), 'utf8');
  const command = /^npm run -s vopr -- (run .*)$/m.exec(text);
  const again = await runProgram('vopr', (command?.[1] ?? '').split(' '), { cwd: DIRECTORY });
  assert.equal(again.status, 1, 'the command in the issue shows the failure');
  assert.match(again.stdout, /violation of acked_durability/);
});
