/** `vopr show --html` as a command; what the page does is in page/browser.test.ts. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { encodeBundle } from '../../bundles/format.ts';
import { failingRun } from './page/failing_run.ts';
import { runProgram, type Outcome } from './run_program.ts';

const DIRECTORY = mkdtempSync(join(tmpdir(), 'vopr-html-'));
after(() => rmSync(DIRECTORY, { recursive: true, force: true }));
const vopr = (args: readonly string[], input?: Uint8Array): Promise<Outcome> =>
  runProgram('vopr', args, { cwd: DIRECTORY, ...(input === undefined ? {} : { input }) });

suite('vopr show --html', () => {
  const { bundle, bytes } = failingRun('commit-before-quorum');
  writeFileSync(join(DIRECTORY, 'failing.kmb'), bytes);

  test('of a bundle, from a file and from standard input', async () => {
    const written = await vopr(['show', 'failing.kmb', '--html', 'page.html']);
    assert.match(written.stdout, /^wrote page\.html, [\d,]+ bytes: open it in a browser\n$/);
    assert.equal(written.status, 0, written.stderr);
    const html = readFileSync(join(DIRECTORY, 'page.html'), 'utf8');
    assert.ok(html.includes(Buffer.from(bytes).toString('base64')), 'the bundle is in it');
    assert.ok(html.length < 2_000_000);
    const piped = await vopr(['show', '-', '--html', 'piped.html', '--format', 'json'], bytes);
    const size = Buffer.byteLength(readFileSync(join(DIRECTORY, 'piped.html')));
    assert.deepEqual(JSON.parse(piped.stdout), { html: 'piped.html', bytes: size, as_recorded: true });
  });

  test('of a scenario and a seed, though it does not fail', async () => {
    const written = await vopr(['show', 'baseline', '--seed', '2', '--html', 'seed.html']);
    assert.equal(written.status, 0, written.stderr);
    const html = readFileSync(join(DIRECTORY, 'seed.html'), 'utf8');
    assert.match(html, /<title>no violation: baseline, seed 2</);
  });

  test('of a bundle that other code recorded: it says so', async () => {
    const other = { ...bundle, digests: { ...bundle.digests, final: '0'.repeat(32) } };
    writeFileSync(join(DIRECTORY, 'other.kmb'), encodeBundle(other));
    const written = await vopr(['show', 'other.kmb', '--html', 'other.html']);
    assert.match(written.stdout, /\nnot as recorded: the page shows what this code does/);
  });

  test("of a system that needs Node: refused, with the line", async () => {
    const example = new URL('../../examples/own_protocol/system.ts', import.meta.url).href;
    const lines = [
      "import { statSync } from 'node:fs';",
      "statSync('.');",
      `export { system } from '${example}';`,
    ];
    writeFileSync(join(DIRECTORY, 'system.ts'), lines.join('\n'));
    const show = ['show', 'rough_sea', '--seed', '1', '--html', 'x.html'];
    const outcome = await vopr(['--system', 'system.ts', ...show]);
    assert.equal(outcome.status, 2);
    assert.match(outcome.stderr, /Cannot make the page: system\.ts:\d+: Could not resolve "node:fs"/);
  });

  const refused: readonly [args: readonly string[], expected: RegExp][] = [
    [['failing.kmb', '--html', 'x.html', '--state'], /--html shows everything: leave out --state/],
    [['failing.kmb', '--html', 'no/such/folder/x.html'], /Cannot write "no\/such\/folder\/x\.html"/],
    [['missing.kmb', '--html', 'x.html'], /Cannot read the bundle from "missing\.kmb"/],
    [['baseline', '--html', 'x.html'], /"baseline" is a scenario: give the run's --seed as well/],
  ];
  for (const [args, expected] of refused) {
    test(`refuses: show ${args.join(' ')}`, async () => {
      const outcome = await vopr(['show', ...args]);
      assert.equal(outcome.status, 2);
      assert.match(outcome.stderr, expected);
    });
  }
});
