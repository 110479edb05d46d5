/** `--system`: every command works on a system of one's own, and none loads what nobody named. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { decodeBundle, encodeBundle, type PlainData } from '../../bundles/format.ts';
import { PROJECT_ROOT } from '../source_scanner.ts';
import { runProgram, type Outcome } from './run_program.ts';

const MODULE = 'examples/own_protocol/system.ts';
const [REGRESSION] = readdirSync(join(PROJECT_ROOT, 'bundles', 'regression')) as [string];
const directory = mkdtempSync(join(tmpdir(), 'own-system-'));
after(() => rmSync(directory, { recursive: true }));

function vopr(...args: string[]): Promise<Outcome> {
  return runProgram('vopr', args, { cwd: PROJECT_ROOT });
}

suite('vopr --system', () => {
  test('lists what the system has, before the command or behind it', async () => {
    const scenarios = await vopr('--system', MODULE, 'scenarios', '--format', 'json');
    const canaries = await vopr('canaries', '--system', MODULE, '--format', 'json');
    const names = (outcome: Outcome): string[] => {
      assert.equal(outcome.status, 0, outcome.stderr);
      return (JSON.parse(outcome.stdout) as { name: string }[]).map(({ name }) => name);
    };
    assert.deepEqual(names(scenarios), ['rough_sea', 'power_cuts']);
    assert.deepEqual(names(canaries), ['answered-unstored', 'confirmed-unsynced']);
  });

  test('from a red seed to its replay; threads load the module, too', async () => {
    const bundles = join(directory, 'bundles');
    const ran = await vopr(
      'run', '--system', MODULE, '--canary', 'confirmed-unsynced', '--jobs', '2', '--no-ledger',
      '--bundle-dir', bundles,
    );
    assert.equal(ran.status, 1, ran.stdout + ran.stderr);
    assert.match(ran.stdout, /violation of linearizable: C\d was answered/);
    const [file] = readdirSync(bundles) as [string];
    assert.match(file, /^power_cuts-\d+-confirmed-unsynced\.kmb$/);
    const path = join(bundles, file);
    assert.ok(ran.stdout.includes(`vopr repro ${path} --system ${MODULE}`), ran.stdout);

    const again = await vopr('repro', path, '--system', MODULE);
    assert.equal(again.status, 1, again.stderr);
    assert.match(again.stdout, /digests\s+as recorded, at each of [\d,]+ events\nreproduced\n/);

    const unnamed = await vopr('repro', path);
    assert.equal(unnamed.status, 2);
    assert.match(unnamed.stderr, /is of system "register", and a bundle brings no code: name the module/);
    assert.ok(unnamed.stderr.includes(`written with --system ${MODULE}`), unnamed.stderr);
  });

  test('what a stranger calls a system is shown without its escapes', async () => {
    const [file] = readdirSync(join(directory, 'bundles')) as [string]; // Of the test above.
    const bundle = decodeBundle(readFileSync(join(directory, 'bundles', file)));
    const plan = { ...(bundle.plan as Record<string, PlainData>), system: '\u001b[31mred' };
    const path = join(directory, 'hostile.kmb');
    writeFileSync(path, encodeBundle({ ...bundle, plan }));
    const outcome = await vopr('repro', path);
    assert.equal(outcome.status, 2);
    assert.match(outcome.stderr, /is of system "\?\?31mred", and a bundle brings no code/);
  });

  test("Kimberlite's bundles are not its own", async () => {
    const outcome = await vopr('repro', join('bundles', 'regression', REGRESSION), '--system', MODULE);
    assert.equal(outcome.status, 2);
    assert.match(outcome.stderr, /is of Kimberlite itself, not of system "register": leave out --system/);
  });

  const modules: readonly [name: string, text: string | null, problem: RegExp][] = [
    ['missing.ts', null, /Cannot load the system ".*missing\.ts": no such file/],
    ['empty.ts', 'export {};', /"\S+empty\.ts" exports no system: write `export const system/],
    ['half.ts', 'export const system = { name: 5 };', /exports no system/],
    ['throws.ts', "throw new Error('not today');", /Cannot load the system "\S+throws\.ts": .*not today/],
  ];
  for (const [name, text, problem] of modules) {
    test(`refuses ${name} with a reason`, async () => {
      const path = join(directory, name);
      if (text !== null) writeFileSync(path, text);
      const outcome = await vopr('run', '--system', path, '--seeds', '1');
      assert.equal(outcome.status, 2);
      assert.match(outcome.stderr, problem);
    });
  }

  test("Kimberlite's scenarios are none of the system's", async () => {
    const outcome = await vopr('run', 'combined', '--system', MODULE, '--no-ledger');
    assert.equal(outcome.status, 2);
    assert.match(outcome.stderr, /unknown scenario "combined":.* lists all 2/);
  });
});
