/** `vopr dashboard` over campaigns that really run, and over ledgers. */
import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type FailureRow } from '../../../cli/dashboard/dashboard_state.ts';
import { type Dimension } from '../../../cli/live/coverage_tally.ts';
import { probeNames } from '../../../cli/vopr/catalogue.ts';
import { runProgram } from '../run_program.ts';
import { DashboardProgram } from './dashboard_program.ts';
import { Follower, ask } from './http.ts';

const DIRECTORY = mkdtempSync(join(tmpdir(), 'vopr-dashboard-'));
after(() => rmSync(DIRECTORY, { recursive: true, force: true }));

function directory(name: string): string {
  const path = join(DIRECTORY, name);
  mkdirSync(path);
  return path;
}

async function json<T>(url: string, path: string): Promise<T> {
  const { status, body } = await ask(url, path);
  assert.equal(status, 200, body);
  return JSON.parse(body) as T;
}

interface CoverageJson {
  readonly totals: { readonly taken: number; readonly failed: number };
  readonly unit: string;
  readonly dimensions: readonly Dimension[];
  readonly probes: readonly { readonly name: string; readonly seeds: number }[];
}

test('dashboard: a campaign runs, failures come as they happen, the page stays at the end', async () => {
  const args = ['--canary', 'quorum-too-small', '--seeds', '12', '--keep-going', '--jobs', '1'];
  const program = new DashboardProgram(directory('campaign'), ...args, '--port', '0');
  const url = await program.url();
  const follower = new Follower(url);
  const { data } = await follower.next(({ event }) => event === 'failure', 30_000);
  const failure = data as FailureRow;
  assert.equal(failure.invariant, 'acked_durability');
  assert.match(failure.replay, /^vopr repro \.vopr\/bundles\/[a-z_]+-\d+-quorum-too-small\.kmb$/);

  await program.tells(/the campaign has ended, the page stays/);
  assert.match(program.stdout, /violation of acked_durability[\s\S]*12 violated/);
  const coverage = await json<CoverageJson>(url, '/coverage');
  assert.deepEqual([coverage.totals.taken, coverage.totals.failed], [12, 12]);
  assert.equal(coverage.dimensions[0]?.declared, probeNames().length);
  assert.ok((coverage.dimensions[0]?.reached ?? 0) > 5);
  assert.ok(coverage.probes.some(({ seeds }) => seeds === 12), 'probes come through the threads');
  const { failures } = await json<{ failures: FailureRow[] }>(url, '/failures');
  assert.deepEqual(failures.map(({ number }) => number), Array.from({ length: 12 }, (_, i) => i + 1));
  assert.equal(follower.events.filter(({ event }) => event === 'failure').length >= 1, true);
  const { body } = await ask(url, '/');
  assert.match(body, /canary quorum-too-small planted[\s\S]*<span class="good">caught<\/span>/);

  const page = await ask(url, '/failures/2/time-travel');
  assert.equal(page.status, 200, page.body.slice(0, 300));
  assert.match(page.body, /acked_durability/);
  assert.equal((await ask(url, '/failures/13/time-travel')).status, 404);
  rmSync(join(DIRECTORY, 'campaign', failures[2]?.bundle ?? ''));
  const gone = await ask(url, '/failures/3/time-travel');
  assert.equal(gone.status, 404);
  assert.match(gone.body, /Cannot read the bundle/);

  assert.equal(await program.interrupt(), 1);
  await follower.next(({ event }) => event === 'bye');
  assert.equal(program.stderr, '');
});

test('dashboard: Ctrl-C during the campaign ends it as it ends run', async () => {
  const args = ['baseline', '--seeds', '5000', '--port', '0'];
  const program = new DashboardProgram(directory('interrupted'), ...args);
  const url = await program.url();
  while ((await json<CoverageJson>(url, '/coverage')).totals.taken === 0);
  assert.equal(await program.interrupt(), 2);
  assert.match(program.stderr, /^vopr: interrupted after \d+ seeds\n$/);
  assert.match(program.stdout, /baseline +\d+ seeds? from 1: /);
});

test('dashboard: a ledger is shown and followed; damage is told', async () => {
  const place = directory('ledger');
  const run = async (...args: string[]): Promise<void> => {
    await runProgram('vopr', ['run', ...args, '--jobs', '1'], { cwd: place });
  };
  await run('baseline', '--seeds', '2');
  const ledger = join(place, '.vopr', 'ledger.jsonl');
  const program = new DashboardProgram(place, '--ledger', ledger, '--port', '0');
  const url = await program.url();
  const follower = new Follower(url);
  await follower.next(({ event }) => event === 'coverage-update');
  const before = await json<CoverageJson>(url, '/coverage');
  assert.deepEqual([before.totals.taken, before.totals.failed, before.unit], [2, 0, 'campaigns']);
  const gates = before.dimensions.find(({ name }) => name === 'gates met');
  assert.deepEqual(gates, { name: 'gates met', reached: 4, declared: 4 });

  appendFileSync(ledger, '{"schema":1,\n');
  await run('--canary', 'commit-before-quorum', '--seeds', '1');
  const { data } = await follower.next(({ event }) => event === 'failure');
  assert.equal((data as FailureRow).timeTravel, '/failures/1/time-travel');
  const { body } = await ask(url, '/');
  assert.match(body, /1 damaged line left out; line 3: not a line of JSON/);
  assert.match(body, /<td class="">commit-before-quorum<\/td>/);
  assert.match(body, /Never planted: quorum-too-small, view-change-longest-log, /);
  const scenarios = await json<{ name: string; failed: number }[]>(url, '/scenarios');
  assert.deepEqual(scenarios.map(({ name, failed }) => [name, failed]), [['baseline', 1]]);
  const page = await ask(url, '/failures/1/time-travel');
  assert.equal(page.status, 200, page.body.slice(0, 300));
  assert.ok(readFileSync(ledger, 'utf8').length > 0);
  follower.close();
  assert.equal(await program.interrupt(), 0);
});

test('dashboard: without a ledger the page waits for one; what is asked wrongly is refused', async () => {
  const place = directory('empty');
  const program = new DashboardProgram(place, '--port', '0');
  const url = await program.url();
  const { body } = await ask(url, '/');
  assert.match(body, /No campaign has been written down here yet/);
  assert.doesNotMatch(body, /NaN|Infinity|undefined/);

  const vopr = (...args: string[]): ReturnType<typeof runProgram> =>
    runProgram('vopr', ['dashboard', ...args], { cwd: place });
  const { port } = new URL(url);
  const cases: [string[], RegExp][] = [
    [['--port', port], /Cannot listen on 127\.0\.0\.1:\d+: something else listens there; .*--port/],
    [['--port', '65536'], /It must be a whole number, from 0 to 65535/],
    [['--ledger', 'absent.jsonl'], /Cannot read the ledger "absent.jsonl": there is no such file/],
    [['--no-ledger'], /nothing to show: name a scenario/],
    [['basline'], /unknown scenario "basline": did you mean "baseline"/],
  ];
  await Promise.all(
    cases.map(async ([args, words]) => {
      const { status, stdout, stderr } = await vopr(...args);
      assert.deepEqual([status, stdout], [2, ''], args.join(' '));
      assert.match(stderr, words);
    }),
  );
  assert.equal(await program.interrupt(), 0);
});
