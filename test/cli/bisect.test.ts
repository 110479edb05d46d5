/** `vopr bisect` from outside: the prefix that it writes fails again in another process. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { decodeBundle, encodeBundle, type Bundle, type PlainData } from '../../bundles/format.ts';
import { type Plan } from '../../sim/plan.ts';
import { PROJECT_ROOT } from '../source_scanner.ts';
import { failingBundle } from '../support/failing_bundle.ts';
import { runProgram } from './run_program.ts';

const DIRECTORY = mkdtempSync(join(tmpdir(), 'kimberlite-bisect-'));
after(() => rmSync(DIRECTORY, { recursive: true, force: true }));

const TORN = failingBundle('torn-write-accepted', 1);

test('bisect: every replay is told, and the prefix reproduces in a new process', async () => {
  const path = join(DIRECTORY, 'torn.kmb');
  writeFileSync(path, encodeBundle(TORN));
  const outcome = await runProgram('vopr', ['bisect', path]);
  assert.equal(outcome.status, 1, outcome.stderr);
  const replays = [...outcome.stdout.matchAll(/^ {2}replay +(\d+) {2}(healed after|the run itself)/gm)];
  const [, told, most] = /replays {4}(\d+) of at most (\d+)\n/.exec(outcome.stdout) ?? assert.fail();
  assert.deepEqual(replays.map(([, number]) => Number(number)), replays.map((_, i) => i + 1));
  assert.equal(replays.length, Number(told));
  assert.ok(replays.length <= Number(most));
  const [, turn = '', words] = /\nlost from event ([\d,]+) on: (.*)\n/.exec(outcome.stdout) ?? assert.fail();
  assert.match(words ?? '', /crash R\d/);

  const prefix = join(DIRECTORY, 'torn.bisected.kmb');
  assert.ok(outcome.stdout.includes(`vopr repro ${prefix}`));
  const bundle = decodeBundle(readFileSync(prefix));
  assert.equal((bundle.plan as unknown as Plan).healAfterEvent, Number(turn.replaceAll(',', '')));
  assert.equal(bundle.failure.signature, TORN.failure.signature);
  assert.ok(bundle.events < TORN.events);
  const again = await runProgram('vopr', ['repro', prefix]);
  assert.equal(again.status, 1, again.stdout);
  assert.match(again.stdout, /digests {4}as recorded, at each of [\d,]+ events\nreproduced\n$/);
});

test('bisect: from standard input, in json, to the file that is named', async () => {
  const out = join(DIRECTORY, 'deeper', 'prefix.kmb');
  const outcome = await runProgram('vopr', ['bisect', '-', '--format', 'json', '-o', out], {
    input: encodeBundle(TORN),
  });
  assert.equal(outcome.status, 1, outcome.stderr);
  const told = JSON.parse(outcome.stdout) as {
    outcome: string;
    lost_from: { event: number; facts: string[] };
    saved_until: number;
    noticed_later: { events: number };
    replays: number;
    replays_max: number;
    probes: { event: number; verdict: string }[];
    output: string;
  };
  assert.equal(told.outcome, 'found');
  assert.equal(told.saved_until, told.lost_from.event - 1);
  assert.equal(told.noticed_later.events, TORN.failure.event - told.lost_from.event);
  assert.equal(told.replays, told.probes.length + 1);
  assert.ok(told.replays <= told.replays_max);
  assert.ok(told.lost_from.facts.length > 0);
  assert.equal(told.output, out);
  assert.ok(existsSync(out));
});

test('bisect: on changed code the recorded decisions are held to', async () => {
  const rare = failingBundle('stale-view-accepted', 96);
  const { network, ...plan } = rare.plan as unknown as Plan;
  const delayMeanMicros = Math.floor(network.delayMeanMicros * 1.5);
  const changed = { ...rare, plan: { ...plan, network: { ...network, delayMeanMicros } } };
  const path = join(DIRECTORY, 'rare.kmb');
  writeFileSync(path, encodeBundle(changed as unknown as Bundle));
  const outcome = await runProgram('vopr', ['bisect', path]);
  assert.equal(outcome.status, 1, outcome.stdout + outcome.stderr);
  const again = await runProgram('vopr', ['repro', join(DIRECTORY, 'rare.bisected.kmb')]);
  assert.equal(again.status, 1, again.stdout);
  assert.match(again.stdout, /as recorded, at each of/);
});

test('bisect: what does not reproduce is said first, and nothing is written', async () => {
  const path = join(DIRECTORY, 'fixed.kmb');
  for (const [change, status, words] of [
    [{ canary: null }, 0, /not reproduced, so there is nothing to bisect; .*\nno failure\n$/],
    [
      { failure: { ...TORN.failure, invariant: 'agreement' } },
      125,
      /now {8}torn_write_recovery at event .*\nnot reproduced, .*\ndifferent failure\n$/,
    ],
  ] as const) {
    writeFileSync(path, encodeBundle({ ...TORN, ...change }));
    const outcome = await runProgram('vopr', ['bisect', path]);
    assert.equal(outcome.status, status, outcome.stderr);
    assert.match(outcome.stdout, words);
    const json = await runProgram('vopr', ['bisect', path, '--format', 'json']);
    assert.equal(json.status, status);
    assert.equal((JSON.parse(json.stdout) as { status: number }).status, status);
  }
  assert.ok(!existsSync(join(DIRECTORY, 'fixed.bisected.kmb')));
  writeFileSync(path, encodeBundle({ ...TORN, failure: { ...TORN.failure, invariant: 'determinism' } }));
  const refused = await runProgram('vopr', ['bisect', path]);
  assert.equal(refused.status, 2);
  assert.match(refused.stderr, /Cannot bisect fixed.kmb: two runs of its plan departed at event \d+/);
});

test('bisect, repro: bad bundles are refused with a reason, and exit status 2', async () => {
  const good = encodeBundle(TORN);
  const newer = Uint8Array.from(good);
  newer[10] = 3;
  let deep: PlainData = 1;
  for (let depth = 0; depth < 40; depth++) deep = [deep];
  const tape = TORN.decisions ?? assert.fail();
  const cases: readonly (readonly [name: string, bytes: Uint8Array, words: RegExp])[] = [
    ['empty', new Uint8Array(0), /truncated: 0 bytes/],
    ['truncated', good.subarray(0, good.byteLength - 7), /truncated: \d+ of \d+ bytes follow the header/],
    ['newer', newer, /newer version: layout 1, schema 3; this version reads up to layout 1, schema 2/],
    ['deep', encodeBundle({ ...TORN, plan: deep }), /nested deeper than 32/],
    [
      'huge_tape',
      encodeBundle({ ...TORN, decisions: { ...tape, count: 2 ** 40, total: 2 ** 40 } }),
      /decisions: claims 1099511627776 decisions; at most 1000000 are accepted/,
    ],
    [
      'torn_tape',
      encodeBundle({ ...TORN, decisions: { ...tape, values: tape.values.subarray(1) } }),
      /decisions: "values" is not one number a decision/,
    ],
    [
      'late_heal',
      encodeBundle({ ...TORN, plan: { ...(TORN.plan as object), healAfterEvent: -1 } }),
      /"healAfterEvent" must be a whole number from 0/,
    ],
    [
      'own_config',
      encodeBundle({ ...TORN, plan: { ...(TORN.plan as object), config: { journalSlots: 1e9 } } }),
      /Cannot replay own_config.kmb: config: /,
    ],
    ['scenario', encodeBundle({ ...TORN, scenario: 'combinde' }), /unknown scenario "combinde": did you/],
    ['canary', encodeBundle({ ...TORN, canary: 'torn-right' }), /unknown canary "torn-right"/],
  ];
  for (const [name, bytes, words] of cases) {
    const path = join(DIRECTORY, `${name}.kmb`);
    writeFileSync(path, bytes);
    const command = name === 'canary' ? 'repro' : 'bisect';
    const outcome = await runProgram('vopr', [command, path]);
    assert.equal(outcome.status, 2, name);
    assert.match(outcome.stderr, words);
    assert.equal(outcome.stdout, '', name);
  }
});

test('bisect: an interrupt ends it between two steps, says how far it came, and writes nothing', async () => {
  const path = join(DIRECTORY, 'interrupted.kmb');
  writeFileSync(path, encodeBundle(TORN));
  const program = join(PROJECT_ROOT, 'cli', 'vopr.ts');
  const child = spawn(process.execPath, [program, 'bisect', path], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
    if (!child.killed && stdout.includes('replay  2')) child.kill('SIGINT');
  });
  child.stderr.on('data', (chunk: Buffer) => void (stderr += chunk.toString()));
  const status = await new Promise((resolve) => child.on('close', resolve));
  assert.equal(status, 2, stdout + stderr);
  assert.match(stderr, /^vopr: interrupted after \d+ probes: (saved|lost) after event \d+/);
  assert.ok(!existsSync(join(DIRECTORY, 'interrupted.bisected.kmb')));
});
