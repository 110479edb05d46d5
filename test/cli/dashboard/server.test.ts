/** The dashboard's server: what it answers, whom it refuses, and what it sends to those who follow. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failureRow, stateOfCampaign } from '../../../cli/dashboard/campaign_state.ts';
import { type FailureRow } from '../../../cli/dashboard/dashboard_state.ts';
import { CLIENTS_MAX, serveDashboard, type DashboardSource } from '../../../cli/dashboard/server.ts';
import { CampaignModel, type Failure } from '../../../cli/live/campaign_model.ts';
import { type CampaignSetup } from '../../../cli/live/campaign_setup.ts';
import { type SeedResult } from '../../../sim/search/seed_result.ts';
import { DECLARED, failing, seedResult } from '../live/seed_results.ts';
import { Follower, ask } from './http.ts';

const SETUP: CampaignSetup = {
  scenarios: ['calm', 'storm'],
  seeds: { first: 1, stride: 1, count: 10 },
  canary: null,
  limits: { events: null, micros: null },
  checkDeterminism: false,
  keepGoing: true,
  jobs: 2,
  bundleDirectory: 'bundles',
  ledger: null,
  code: { version: '0.1.0', commit: 'abc', node: 'v24' },
};

interface Update {
  readonly data: { readonly failures: number; readonly panels: object };
  readonly at: number;
}

/** A campaign whose seeds are told one by one. */
class ToldSource implements DashboardSource {
  readonly model = new CampaignModel(DECLARED, null);
  #listeners: ((failure: FailureRow) => void)[] = [];
  #at = 0;

  state = (): ReturnType<DashboardSource['state']> => stateOfCampaign(this.model, SETUP);

  onFailure(listener: (failure: FailureRow) => void): void {
    this.#listeners.push(listener);
  }

  timeTravel(number: number): ReturnType<DashboardSource['timeTravel']> {
    if (number > this.model.failed) return Promise.resolve({ problem: `there is no failure ${number}` });
    if (number === 2) return Promise.reject(new Error('out of ink'));
    return Promise.resolve({ page: `<!doctype html><title>failure ${number}</title>` });
  }

  start(): void {
    const scenarios = [{ name: 'calm', seeds: 10 }, { name: 'storm', seeds: 10 }];
    this.model.apply({ at: this.#at++, kind: 'started', scenarios });
  }

  tell(result: SeedResult, bundle: string | null = null): void {
    const replay = { bundle, command: `vopr repro ${bundle}` };
    this.model.apply({ at: this.#at++, kind: 'seed taken', scenario: 'calm', result, replay });
    if (result.violation === null) return;
    const row = failureRow(this.model.failures.at(-1) as Failure);
    for (const listener of this.#listeners) listener(row);
  }
}

async function serving(run: (url: string, source: ToldSource) => Promise<void>): Promise<void> {
  const source = new ToldSource();
  const dashboard = await serveDashboard(source, 0);
  try {
    await run(dashboard.url, source);
  } finally {
    await dashboard.close();
  }
}

test('dashboard: the page before the first seed is whole, and divides nothing by zero', async () => {
  await serving(async (url) => {
    const { status, headers, body } = await ask(url, '/');
    assert.equal(status, 200);
    assert.match(headers['content-type'] ?? '', /^text\/html/);
    assert.match(body, /No seed has run yet/);
    assert.match(body, />0\/3</, 'declared probes');
    assert.doesNotMatch(body, /NaN|Infinity|undefined/);
  });
});

test('dashboard: JSON routes', async () => {
  await serving(async (url, source) => {
    source.start();
    source.tell(seedResult(1));
    source.tell(failing(2), 'bundles/calm-2.kmb');
    const json = async <T>(path: string): Promise<T> => {
      const { status, headers, body } = await ask(url, path);
      assert.equal(status, 200, path);
      assert.equal(headers['content-type'], 'application/json');
      assert.equal(headers['cache-control'], 'no-store');
      return JSON.parse(body) as T;
    };
    const scenarios = await json<{ name: string; taken: number; failed: number }[]>('/scenarios');
    assert.deepEqual(scenarios.map(({ name, taken, failed }) => [name, taken, failed]), [
      ['calm', 2, 1],
      ['storm', 0, 0],
    ]);
    const { count, failures } = await json<{ count: number; failures: FailureRow[] }>('/failures');
    assert.equal(count, 1);
    assert.equal(failures[0]?.replay, 'vopr repro bundles/calm-2.kmb');
    assert.equal(failures[0]?.timeTravel, '/failures/1/time-travel');
    type CoverageJson = { dimensions: unknown[]; probes: unknown[]; topSeeds: unknown[] };
    const coverage = await json<CoverageJson>('/coverage');
    assert.deepEqual(coverage.dimensions[0], { name: 'probes reached', reached: 1, declared: 3 });
    assert.equal(coverage.probes.length, 3);
    assert.equal(coverage.topSeeds.length, 2);
    assert.deepEqual(await json('/invariants'), [
      { id: 'agreement', claim: DECLARED.checkers[0]?.claim, comparisons: 14, failures: [1] },
      { id: 'liveness', claim: DECLARED.checkers[1]?.claim, comparisons: 0, failures: [] },
    ]);
  });
});

test('dashboard: other hosts, other methods and other paths are refused', async () => {
  await serving(async (url, source) => {
    source.start();
    const { port } = new URL(url);
    const status = async (path: string, asking = {}): Promise<number> => {
      return (await ask(url, path, asking)).status;
    };
    const other = `127.0.0.1:${Number(port) + 1}`;
    for (const host of ['evil.example', `evil.example:${port}`, '127.0.0.1', other]) {
      assert.equal(await status('/', { headers: { host } }), 421, host);
      assert.equal(await status('/vopr/updates', { headers: { host } }), 421, host);
    }
    for (const host of [`localhost:${port}`, `LOCALHOST:${port}`, `127.0.0.1:${port}`]) {
      assert.equal(await status('/', { headers: { host } }), 200, host);
    }
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
      assert.equal(await status('/failures', { method }), 405, method);
    }
    assert.equal(await status('/coverage?since=1'), 200);
    for (const path of [
      '/../../etc/passwd', '/%2e%2e/etc/passwd', '/failures/../../x', '/failures/0/time-travel',
      '/failures/1e3/time-travel', '/failures/99999999999/time-travel', '/constructor', '/__proto__', '//',
      '*',
    ]) {
      assert.equal(await status(path), 404, path);
    }
  });
});

test('dashboard: the policy allows the style and the script of the page, and nothing else', async () => {
  await serving(async (url) => {
    const { headers, body } = await ask(url, '/');
    const policy = headers['content-security-policy'] ?? '';
    assert.match(policy, /^default-src 'none'; style-src 'sha256-[^']+'; script-src 'sha256-[^']+'; /);
    assert.doesNotMatch(policy, /unsafe/);
    assert.match(policy, /frame-ancestors 'none'/);
    assert.doesNotMatch(body, / style=| on[a-z]+=/, 'which the policy would refuse');
    assert.equal(headers['x-content-type-options'], 'nosniff');
  });
});

test('dashboard: text of a failure is text, wherever it stands', async () => {
  await serving(async (url, source) => {
    source.start();
    const follower = new Follower(url);
    await follower.next(({ event }) => event === 'coverage-update');
    const nasty = `</script><img src=x onerror="alert('1')">&amp;`;
    source.tell(failing(3, nasty), `bundles/'"><svg onload=alert(2)>.kmb`);
    const { body } = await ask(url, '/');
    assert.doesNotMatch(body, /<img|<svg onload/);
    assert.match(body, /&lt;\/script&gt;&lt;img src=x onerror=&quot;alert\(&#39;1&#39;\)&quot;&gt;&amp;amp;/);
    const { data } = await follower.next(({ event }) => event === 'failure');
    assert.doesNotMatch((data as { item: string }).item, /<img|<svg onload/);
    follower.close();
  });
});

test('dashboard: a failure is sent at once, the rest at most every two seconds', async () => {
  await serving(async (url, source) => {
    source.start();
    const follower = new Follower(url);
    await follower.next(({ event }) => event === 'coverage-update');
    const before = performance.now();
    for (let seed = 1; seed <= 20; seed++) source.tell(seedResult(seed));
    source.tell(failing(21), 'b.kmb');
    const failure = await follower.next(({ event }) => event === 'failure');
    assert.ok(failure.at - before < 1000, 'at once');
    assert.equal((failure.data as FailureRow).seed, 21);
    const updates = (): Update[] =>
      follower.events.filter(({ event }) => event === 'coverage-update') as unknown as Update[];
    const spread = setInterval(() => source.tell(seedResult(1)), 50);
    await follower.next(() => updates().length === 3);
    clearInterval(spread);
    const [first, second, third] = updates();
    assert.equal(first?.data.failures, 0);
    assert.equal(second?.data.failures, 1);
    assert.ok((third?.at ?? 0) - (second?.at ?? 0) > 1900, 'two seconds apart');
    // Only what has changed is sent again.
    assert.ok('canaries' in (first?.data.panels ?? {}));
    assert.ok(third !== undefined && 'head' in third.data.panels && !('failures' in third.data.panels));
    follower.close();
  });
});

test('dashboard: the number of those who follow is bounded, and one that leaves makes room', async () => {
  await serving(async (url) => {
    const followers = Array.from({ length: CLIENTS_MAX }, () => new Follower(url));
    await Promise.all(followers.map((follower) => follower.next(({ event }) => event === 'coverage-update')));
    const refused = await ask(url, '/vopr/updates');
    assert.equal(refused.status, 503);
    assert.equal((await ask(url, '/')).status, 200, 'the page itself is still there');
    followers[0]?.close();
    let again: Follower;
    do {
      again = new Follower(url);
      while (again.status === 0) await again.changed(1000);
    } while (again.status === 503);
    assert.equal(again.status, 200);
    for (const follower of [...followers, again]) follower.close();
  });
});

test('dashboard: time-travel pages are made when asked for, in a sandbox', async () => {
  await serving(async (url, source) => {
    source.start();
    source.tell(failing(1), 'a.kmb');
    source.tell(failing(2), 'b.kmb');
    const made = await ask(url, '/failures/1/time-travel');
    assert.equal(made.status, 200);
    assert.match(made.body, /failure 1/);
    assert.match(made.headers['content-security-policy'] ?? '', /^sandbox allow-scripts/);
    const broken = await ask(url, '/failures/2/time-travel');
    assert.deepEqual([broken.status, broken.body], [500, 'The page could not be made: out of ink\n']);
    const absent = await ask(url, '/failures/3/time-travel');
    assert.deepEqual([absent.status, absent.body], [404, 'there is no failure 3\n']);
  });
});

test('dashboard: a port that is taken is refused with what to do; closing says bye', async () => {
  const source = new ToldSource();
  const dashboard = await serveDashboard(source, 0);
  const follower = new Follower(dashboard.url);
  await follower.next(({ event }) => event === 'coverage-update');
  const port = Number(new URL(dashboard.url).port);
  await assert.rejects(
    serveDashboard(new ToldSource(), port),
    new RegExp(`Cannot listen on 127.0.0.1:${port}: something else listens there; .*choose another --port`),
  );
  await dashboard.close();
  await follower.next(({ event }) => event === 'bye');
  await assert.rejects(ask(dashboard.url, '/'), /ECONNREFUSED/);
});
