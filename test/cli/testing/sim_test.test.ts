/** simTest: what passes, what fails, and what the failure says. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { decodeBundle } from '../../../bundles/format.ts';
import { SimulationFailure, findScenario, planOf, simTest, simulate } from '../../../cli/testing.ts';
import { seedsWanted, type SeedsAsked } from '../../../cli/testing/seeds_wanted.ts';
import { UsageError } from '../../../cli/usage_error.ts';
import { system } from '../../../examples/own_protocol/system.ts';
import { type Checker } from '../../../invariants/invariant.ts';
import { PROJECT_ROOT } from '../../source_scanner.ts';
import { runProgram } from '../run_program.ts';

const directory = mkdtempSync(join(tmpdir(), 'sim-test-'));
after(() => rmSync(directory, { recursive: true }));

/** Fails when it has seen `patience` answers. */
class Impatient implements Checker {
  readonly id = 'impatient';
  comparisons = 0;
  private readonly fail: (id: string, message: string) => void;
  private readonly patience: number;
  constructor(fail: (id: string, message: string) => void, patience: number) {
    this.fail = fail;
    this.patience = patience;
  }
  onAnswered(client: number): void {
    if (++this.comparisons > this.patience) this.fail(this.id, `C${client} was answered once too often`);
  }
}

const impatient = (patience: number) => ({
  id: 'impatient',
  claim: 'Enough is enough',
  create: (context: { fail(id: string, message: string): void }) =>
    new Impatient((id, message) => context.fail(id, message), patience),
});

async function failureOf(run: () => Promise<unknown>): Promise<SimulationFailure> {
  try {
    await run();
  } catch (error) {
    assert.ok(error instanceof SimulationFailure, String(error));
    return error;
  }
  assert.fail('it passed');
}

suite('simTest', () => {
  test('a scenario of Kimberlite', simTest({ scenario: 'baseline', seeds: 2 }));
  test("every scenario of one's own system", simTest({ system, seeds: 10 }));

  test('it reports what ran', async () => {
    const { campaigns } = await simulate({ system, seeds: 3, from: 7 });
    const facts = campaigns.map(({ scenario, first, count, passed }) => [scenario, first, count, passed]);
    assert.deepEqual(facts, [
      ['rough_sea', 7, 3, 3],
      ['power_cuts', 7, 3, 3],
    ]);
  });

  test('a violation: message, facts, bundle and the line that replays it', async () => {
    const failure = await failureOf(simTest({
      system, scenario: 'power-cuts', canary: 'confirmed-unsynced', seeds: 100, bundleDir: directory,
    }));
    const { message, seed, bundle, violation } = failure;
    assert.equal(failure.scenario, 'power_cuts');
    assert.equal(violation?.invariant, 'linearizable');
    assert.match(message, /^violation of linearizable: C\d was answered \d+/);
    assert.match(message, new RegExp(`run +scenario power_cuts, seed ${seed}, canary confirmed-unsynced`));
    assert.match(message, new RegExp(`here +VOPR_SEED=${seed} `));
    assert.ok(bundle !== null && message.includes(`vopr repro ${bundle} --system `), message);
    assert.equal(decodeBundle(readFileSync(bundle)).failure.event, violation.event);
    assert.match(failure.stack ?? '', /sim_test\.test\.ts/, 'it points to where the test was defined');
    const module = 'examples/own_protocol/system.ts';
    const replayed = await runProgram('vopr', ['repro', bundle, '--system', module], { cwd: PROJECT_ROOT });
    assert.equal(replayed.status, 1, replayed.stdout + replayed.stderr);
  });

  test('a vacuous run fails, and says what did not happen', async () => {
    const [rough] = system.scenarios;
    assert.ok(rough !== undefined);
    const gates = [{ counter: 'client.replies', min: 1_000_000 }];
    const scenario = { ...rough, name: 'greedy', gates };
    const failure = await failureOf(simTest({ system, seeds: 2, scenario }));
    assert.equal(failure.violation, null);
    assert.deepEqual(failure.unmet, ['client.replies at least 1000000']);
    assert.match(failure.message, /^vacuous: .* inline_greedy did not happen in 2 of 2 seeds: 1 2$/m);
  });

  test("a test's own checker is heard, and writes no bundle that vopr could not replay", async () => {
    const options = { system, scenario: 'power_cuts', seeds: 1, bundleDir: directory };
    await simulate({ ...options, checkers: [impatient(1_000_000)] });
    const failure = await failureOf(simTest({ ...options, checkers: [impatient(5)] }));
    assert.equal(failure.violation?.invariant, 'impatient');
    assert.equal(failure.bundle, null);
    assert.doesNotMatch(failure.message, /replay/);
  });

  test("a scenario written in the test; its bundle replays although vopr does not list it", async () => {
    const baseline = findScenario('baseline');
    assert.ok(baseline !== null);
    const failure = await failureOf(simTest({
      scenario: { ...baseline, name: 'short', operationsPerClient: 5, gates: [] },
      canary: 'commit-before-quorum', seeds: 20, bundleDir: directory,
    }));
    assert.ok(failure.bundle !== null && existsSync(failure.bundle));
    const replayed = await runProgram('vopr', ['repro', failure.bundle]);
    assert.equal(replayed.status, 1, replayed.stdout + replayed.stderr);
  });

  test('one plan: passes unless a checker speaks', async () => {
    const plan = planOf({ seed: 3, operations: 5 });
    const { campaigns } = await simulate({ plan });
    assert.equal(campaigns[0]?.passed, 1);
    const failure = await failureOf(simTest({ plan, canary: 'commit-before-quorum', bundleDir: directory }));
    assert.equal(failure.violation?.invariant, 'acked_durability');
    assert.doesNotMatch(failure.message, /VOPR_SEED/);
    await assert.rejects(simTest({ plan, seeds: 5 }), /a plan is one run; leave out scenario, seeds/);
  });

  test('on several threads: the same seeds, the same failure', async () => {
    const canary = 'confirmed-unsynced';
    const options = { system, scenario: 'power_cuts', canary, seeds: 100, bundleDir: null };
    const here = await failureOf(simTest(options));
    const there = await failureOf(simTest({ ...options, jobs: 2 }));
    assert.equal(there.message, here.message);
    const digests = async (jobs: number): Promise<string[]> => {
      const { campaigns } = await simulate({ system, seeds: 12, jobs });
      return campaigns.map(({ count, digest }) => `${count} ${digest}`);
    };
    assert.deepEqual(await digests(2), await digests(1));
    await assert.rejects(simTest({ ...options, jobs: 2, checkers: [impatient(5)] }), /leave out jobs/);
    const homeless = { ...system, module: null };
    await assert.rejects(simTest({ system: homeless, jobs: 2 }), /threads cannot load system "register"/);
  });

  test('what fails is made smaller when the test asks for it', async () => {
    const bundleDir = join(directory, 'small');
    const options = { system, scenario: 'rough_sea', canary: 'answered-unstored', seeds: 100, bundleDir };
    const { message, violation } = await failureOf(simTest({ ...options, minimizeSeconds: 20 }));
    const sizes = /\nMinimised: (\d+) decisions became (\d+), \d+ events became (\d+)\.\n/.exec(message);
    assert.ok(sizes !== null, message);
    const [before, after, events] = sizes.slice(1).map(Number) as [number, number, number];
    assert.ok(after * 5 < before, `${after} of ${before}`);
    assert.match(message, new RegExp(`event ${events}: linearizable does not hold\\.`));
    const path = /vopr repro (\S+\.min\.kmb) --system/.exec(message)?.[1];
    assert.ok(path !== undefined, message);
    const { failure, events: replayed } = decodeBundle(readFileSync(path));
    assert.deepEqual([failure.invariant, replayed], [violation?.invariant, events]);
  });

  test('VOPR_CANARY plants a bug in a test that knows of none', async () => {
    const run = simTest({ plan: planOf({ seed: 3, operations: 5 }), bundleDir: null });
    await run();
    process.env['VOPR_CANARY'] = 'commit-before-quorum';
    try {
      const failure = await failureOf(run);
      assert.equal(failure.violation?.invariant, 'acked_durability');
    } finally {
      delete process.env['VOPR_CANARY'];
    }
  });

  test('a canary that no run came by proves nothing', async () => {
    const canary = 'torn-write-accepted';
    const { message } = await failureOf(simTest({ scenario: 'baseline', canary, seeds: 1 }));
    assert.match(message, /^vacuous: canary torn-write-accepted was never reached in 1 seed of baseline$/);
  });

  test('with a budget of time fewer seeds run, but one at least', async () => {
    const { campaigns } = await simulate({ system, scenario: 'rough_sea', seeds: 100_000, seconds: 0 });
    assert.equal(campaigns[0]?.count, 1);
  });

  test('the thread is let go between seeds', async () => {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    await simulate({ system, seeds: 60 });
    clearInterval(timer);
    assert.ok(ticks > 2, String(ticks));
  });

  test('what is unknown is told by name', async () => {
    await assert.rejects(simTest({ scenario: 'comined' }), /unknown scenario "comined": did you mean "comb/);
    await assert.rejects(simTest({ system, canary: 'dodo' }), /system "register" has no canary "dodo"/);
    await assert.rejects(simTest({ system, seeds: 0 }), UsageError);
  });
});

type Environment = Readonly<Record<string, string>>;

suite('which seeds', () => {
  const rows: readonly [asked: SeedsAsked, environment: Environment, first: number, count: number][] = [
    [{}, {}, 1, 20],
    [{ seeds: 5, from: 100 }, {}, 100, 5],
    [{ seeds: 5, from: '100' }, {}, 100, 5],
    [{ seeds: 5, from: 100 }, { VOPR_SEEDS: '7000' }, 100, 7000],
    [{ seeds: 5, from: 100 }, { VOPR_SEED: '1182' }, 1182, 1],
    [{ seeds: 5 }, { VOPR_SEED: '1182', VOPR_SEEDS: '3' }, 1182, 3],
    [{ seeds: 5 }, { VOPR_SEED: '', VOPR_SEEDS: '' }, 1, 5],
  ];
  for (const [asked, environment, first, count] of rows) {
    test(`${JSON.stringify(asked)} with ${JSON.stringify(environment)}`, () => {
      assert.deepEqual(seedsWanted(asked, environment), { first, stride: 1, count });
    });
  }

  test('a text is a seed like any other', () => {
    const { first } = seedsWanted({ from: 'nightly-2026-11-22' }, {});
    assert.equal(seedsWanted({}, { VOPR_SEED: 'nightly-2026-11-22' }).first, first);
    assert.ok(Number.isSafeInteger(first) && first > 1000);
  });

  for (const [asked, environment] of [
    [{ seeds: 0 }, {}],
    [{ seeds: 1.5 }, {}],
    [{ from: -1 }, {}],
    [{}, { VOPR_SEEDS: 'many' }],
    [{}, { VOPR_SEEDS: '0' }],
  ] as const) {
    test(`refuses ${JSON.stringify(asked)} with ${JSON.stringify(environment)}`, () => {
      assert.throws(() => seedsWanted(asked, environment), UsageError);
    });
  }
});
