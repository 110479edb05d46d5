/**
 * The search: what it finds and what not, that states are merged rightly, and that a wrong merge would
 * be noticed.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { decodeBundle, encodeBundle } from '../../../../bundles/format.ts';
import { CANARY, type CanaryId } from '../../../../core/canary.ts';
import { COMMAND } from '../../../../core/message/header.ts';
import { findCanary } from '../../../../sim/canaries.ts';
import { isDead } from '../../../../sim/search/explore/dead_messages.ts';
import { BOUNDS_DEFAULT, type ExploreBounds } from '../../../../sim/search/explore/explore_bounds.ts';
import { exploreBundle } from '../../../../sim/search/explore/explore_bundle.ts';
import {
  explorePlan,
  type ExploreAction,
  type ExplorePlan,
} from '../../../../sim/search/explore/explore_plan.ts';
import { ExploreRun } from '../../../../sim/search/explore/explore_run.ts';
import { Explorer, type ExplorerOptions } from '../../../../sim/search/explore/explorer.ts';
import { actionOf } from '../../../../sim/search/explore/live_cluster.ts';
import { ReplicaNode } from '../../../../sim/search/explore/replica_node.ts';
import { shorten } from '../../../../sim/search/explore/shorten.ts';
import { verify } from '../../../../sim/search/explore/verification.ts';
import { signatureOf } from '../../../../sim/search/signature.ts';
import { replayAgainst } from '../../../../sim/search/seed_run.ts';

const SMALL: ExploreBounds = { ...BOUNDS_DEFAULT, operations: 1, crashes: 0, timeouts: 1 };
const CODE = { version: '0', commit: 'test', node: 'test' };

function explored(bounds: ExploreBounds, more: Partial<ExplorerOptions> = {}): Explorer {
  const explorer = new Explorer({
    bounds,
    order: 'bfs',
    canary: CANARY.none,
    symmetry: true,
    statesMax: 200_000,
    ...more,
  });
  while (explorer.run(1000));
  return explorer;
}

function actionsOf(explorer: Explorer): ExploreAction[] {
  return explorer.path.map((step) => actionOf(explorer.cluster, step));
}

function run(bounds: ExploreBounds, actions: readonly ExploreAction[], canary: CanaryId): ExploreRun {
  const made = new ExploreRun(explorePlan(bounds, actions), canary);
  while (made.step());
  return made;
}

suite('clean code', () => {
  test('nothing is found with one crash and one timeout, all runs looked at; merges hold', () => {
    const explorer = explored({ ...SMALL, crashes: 1 });
    assert.equal(explorer.finding, null);
    assert.equal(explorer.end, 'exhausted');
    const { counts } = explorer;
    assert.ok(counts.states > 10_000, `${counts.states} states`);
    assert.equal(counts.expanded, counts.states);
    assert.ok(counts.executed * 10 < counts.transitions, 'the real code runs once for what happens often');
    const { problem, answers, deliveries } = verify(explorer, 7);
    assert.equal(problem, null);
    assert.ok(answers > 200 && deliveries > 200, `${answers} answers, ${deliveries} deliveries`);
  });

  test('nothing is found with two clients at once', () => {
    const explorer = explored({ ...SMALL, clients: 2, operations: 2, timeouts: 0 });
    assert.equal(explorer.end, 'exhausted');
    assert.equal(verify(explorer, 3).problem, null);
  });

  test('nothing is found with crashes in the middle of I/O', () => {
    const bounds: ExploreBounds = { ...SMALL, operations: 0, timeouts: 0, crashes: 1, disk: 'steps' };
    const explorer = explored(bounds);
    assert.equal(explorer.end, 'exhausted');
    assert.ok(explorer.counts.states > 1000, `${explorer.counts.states} states`);
    assert.equal(verify(explorer, 20).problem, null);
  });

  test('orders look at the same states; what is not within the bounds is said', () => {
    const bfs = explored(SMALL).counts;
    for (const order of ['dfs', 'directed'] as const) {
      const other = explored(SMALL, { order });
      assert.equal(other.end, 'exhausted');
      assert.equal(other.counts.states, bfs.states);
      assert.equal(other.counts.transitions, bfs.transitions);
    }
    assert.equal(explored({ ...SMALL, depth: 3 }).end, 'depth');
    const cut = explored(SMALL, { statesMax: 20 });
    assert.equal(cut.end, 'states');
    assert.ok(cut.counts.frontier > 0);
  });

  test('client symmetry leaves out about half, and only names differ', () => {
    const bounds: ExploreBounds = { ...SMALL, clients: 2, operations: 2, timeouts: 0 };
    const all = explored(bounds, { symmetry: false });
    const reduced = explored(bounds);
    assert.equal(all.end, 'exhausted');
    const share = reduced.counts.states / all.counts.states;
    assert.ok(share > 0.45 && share < 0.8, `${share}`);
  });
});

suite('states', () => {
  test('a node is put back into every one of its states exactly', () => {
    const explorer = explored({ ...SMALL, crashes: 1, timeouts: 0 });
    for (const graph of explorer.graphs) {
      assert.ok(graph.states.length > 5);
      // Backwards, so that hardly a state follows from the one before.
      const digests: string[] = [];
      for (let state = graph.states.length - 1; state >= 0; state--) {
        graph.load(state);
        digests[state] = graph.node.digest().subarray(0, 4).join();
      }
      assert.equal(new Set(digests).size, graph.states.length);
      graph.states.forEach((_, state) => {
        graph.load(state);
        assert.equal(graph.node.digest().subarray(0, 4).join(), digests[state]);
      });
    }
  });

  test('deliveries to different replicas commute: one state, whichever came first', () => {
    const find = (path: readonly ExploreAction[]): ExploreRun => run(SMALL, path, CANARY.none);
    const begin = beginning();
    const called = find([...begin, { node: 3, deed: 'call' }]);
    const request = flying(called).filter(({ node }) => node === 0);
    const prepared = find([...called.fitting, ...request]);
    const prepares = flying(prepared).filter(({ text }) => text?.startsWith('prepare op') === true);
    assert.equal(prepares.length, 2);
    const one = find([...prepared.fitting, ...prepares]);
    const other = find([...prepared.fitting, ...prepares.reverse()]);
    assert.equal(one.misfits + other.misfits, 0);
    assert.deepEqual(digests(one), digests(other));
    assert.notDeepEqual(digests(one), digests(prepared));
    const inFlight = (made: ExploreRun): string[] =>
      flying(made).map((action) => JSON.stringify(action)).sort();
    assert.deepEqual(inFlight(one), inFlight(other));
  });

  test('verification notices a message that was taken for dead and is not', () => {
    const explorer = explored(SMALL, {
      isDead: (messages, number, facts, canary) =>
        isDead(messages, number, facts, canary) ||
        (messages.command(number) === COMMAND.prepareOk && facts.executed === 3),
    });
    assert.match(verify(explorer, 1).problem ?? '', /^prepare_ok op 4 was taken for dead/);
  });

  test('verification notices states that were taken for one and are not', () => {
    const digest = ReplicaNode.prototype.digest;
    ReplicaNode.prototype.digest = function (this: ReplicaNode): Uint32Array {
      const { replica } = this.root;
      if (replica === null) return digest.call(this);
      const votes = replica.svcVotes;
      replica.svcVotes = 0;
      const words = digest.call(this);
      replica.svcVotes = votes;
      return words;
    };
    try {
      const explorer = explored({ ...SMALL, timeouts: 2 });
      assert.match(verify(explorer, 1).problem ?? '', /^two examples of one state of node/);
    } finally {
      ReplicaNode.prototype.digest = digest;
    }
  });
});

/** Everything in flight, as actions that deliver it. */
function flying({ live }: ExploreRun): ExploreAction[] {
  const { messages } = live.cluster;
  return live.flying.map((message) => {
    return { node: messages.to(message), deed: 'deliver', ...messages.name(message) };
  });
}

function digests({ live }: ExploreRun): string[] {
  return live.cluster.nodes.map((node) => node.digest().subarray(0, 4).join());
}

/** The actions up to where the search begins: those before the first call of an append. */
function beginning(): ExploreAction[] {
  const explorer = new Explorer({
    bounds: SMALL,
    order: 'bfs',
    canary: CANARY.none,
    symmetry: true,
    statesMax: 1,
  });
  return actionsOf(explorer);
}

suite('planted bugs', () => {
  const viewChange = findCanary('view-change-longest-log')?.id ?? CANARY.none;
  const bounds: ExploreBounds = { ...SMALL, timeouts: 5 };

  test('a new primary that takes the longest log: found without a seed, told in a bundle', () => {
    const explorer = explored(bounds, { order: 'directed', canary: viewChange });
    assert.equal(explorer.finding?.invariant, 'agreement');
    const signature = signatureOf(explorer.finding as { invariant: string; message: string });
    const actions = actionsOf(explorer);
    const twin = explored(bounds, { order: 'directed', canary: viewChange });
    assert.deepEqual(twin.counts, explorer.counts);
    assert.deepEqual(actionsOf(twin), actions, 'the same search, the same run');
    assert.equal(run(bounds, actions, viewChange).result().violation?.message, explorer.finding?.message);
    assert.equal(run(bounds, actions, CANARY.none).result().violation, null, 'the bug is the canary');

    const { actions: shorter } = shorten(bounds, actions, viewChange, signature);
    assert.ok(shorter.length <= actions.length);
    for (let i = 0; i < shorter.length; i++) {
      const without = run(bounds, [...shorter.slice(0, i), ...shorter.slice(i + 1)], viewChange);
      const same = without.result().violation?.invariant === 'agreement';
      assert.ok(!same || without.fitting.length >= shorter.length, `action ${i} is needed`);
    }

    const bundle = exploreBundle(explorePlan(bounds, shorter), 'view-change-longest-log', CODE);
    assert.ok(bundle !== null);
    const again = decodeBundle(encodeBundle(bundle));
    assert.deepEqual(again, bundle);
    const replay = replayAgainst(
      new ExploreRun(again.plan as unknown as ExplorePlan, viewChange),
      again.digests,
      3,
    );
    assert.equal(replay.departure, null);
    assert.equal(replay.result.violation?.invariant, 'agreement');
    assert.match(replay.lastEvents.at(-1) ?? '', /^R\d -> R\d prepare_ok op 4, view \d: commits op 4/);
  });

  test('a primary that commits before it has a quorum: found at once', () => {
    const explorer = explored(SMALL, { canary: CANARY.commitBeforeQuorum });
    assert.equal(explorer.finding?.invariant, 'acked_durability');
    const { actions } = shorten(SMALL, actionsOf(explorer), CANARY.commitBeforeQuorum, 'acked_durability');
    const deeds = actions.map(({ node, deed }) => `${node} ${deed}`);
    assert.deepEqual(deeds, ['0 start', '3 start', '0 deliver']);
  });

  test('a view that is not durable when it is promised: found where I/O takes its time', () => {
    const explorer = explored(
      { ...SMALL, timeouts: 2, crashes: 1, disk: 'steps' },
      { order: 'directed', canary: CANARY.viewNotDurable },
    );
    assert.equal(explorer.finding?.invariant, 'view_monotonicity');
    const atomic = explored({ ...SMALL, timeouts: 1 }, { canary: CANARY.viewNotDurable });
    assert.equal(atomic.finding, null, 'on an atomic disk there is no such moment');
  });
});

suite('replay on other code', () => {
  test('actions that do not fit are left out and counted', () => {
    const actions: ExploreAction[] = [
      { node: 0, deed: 'start' },
      { node: 0, deed: 'start' },
      { node: 1, deed: 'timer', timer: 'normal_heartbeat' },
      { node: 0, deed: 'deliver', from: 1, text: 'prepare op 1 register', view: 0, word: 1 },
      { node: 1, deed: 'start' },
    ];
    const made = run(SMALL, actions, CANARY.none);
    assert.deepEqual(made.fitting, [{ node: 0, deed: 'start' }, { node: 1, deed: 'start' }]);
    assert.equal(made.misfits, 3);
    assert.equal(made.firstMisfit, 2);
    assert.equal(made.result().violation, null);
  });
});
