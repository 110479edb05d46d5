/**
 * What a recorder keeps is what happened: every count of entries is compared with a count that the
 * world keeps for other reasons. And recording changes nothing.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { CANARY } from '../../core/canary.ts';
import { findScenario } from '../../scenarios/registry.ts';
import { findCanary } from '../../sim/canaries.ts';
import { makePlan } from '../../sim/plan.ts';
import { ENTRY_KINDS, Recorder, entryMatches, type Entry, type EntryKind } from '../../sim/recorder.ts';
import { WorldPlaces } from '../../sim/search/run_seed.ts';
import { NO_LIMITS } from '../../sim/search/seed_result.ts';
import { Snapshot } from '../../sim/snapshot.ts';
import { type World } from '../../sim/world.ts';

const places = new WorldPlaces();

function worldOf(name: string, seed: number, canaryName?: string): World {
  const scenario = findScenario(name);
  assert.ok(scenario !== null, name);
  const canary = canaryName === undefined ? CANARY.none : findCanary(canaryName)?.id;
  assert.ok(canary !== undefined, canaryName);
  return places.start({ plan: makePlan(scenario, seed), canary, limits: NO_LIMITS });
}

/** The whole run's entries. */
function recorded(world: World): Entry[] {
  const recorder = new Recorder({ capacity: 1 << 20 });
  world.observer = recorder;
  while (world.step());
  assert.equal(recorder.leftOut, 0);
  return recorder.entries();
}

function count(entries: readonly Entry[], kind: EntryKind, what?: string, cause?: string): number {
  return entries.filter(
    (e) => e.kind === kind && (what ?? e.what) === e.what && (cause ?? e.cause) === e.cause,
  ).length;
}

function entry(fields: Partial<Entry>): Entry {
  return {
    event: 1, virtualMicros: 10, kind: 'message', what: 'send', node: 0, peer: -1,
    view: -1, op: -1, cause: '', packet: -1, text: '', ...fields,
  };
}

suite('recorder', () => {
  const runs: readonly (readonly [scenario: string, seed: number])[] = [
    ['combined', 3],
    ['crash_recovery', 2],
    ['swizzle_clogging', 5],
    ['corruption_torn_write', 20],
    ['network_partition_asymmetric', 4],
    ['restart_all_at_once', 6],
  ];
  for (const [scenario, seed] of runs) {
    test(`${scenario}, seed ${seed}: nothing is missing and nothing invented`, () => {
      const plain = worldOf(scenario, seed);
      while (plain.step());
      const digest = plain.digest();

      const world = worldOf(scenario, seed);
      const entries = recorded(world);
      assert.equal(world.digest(), digest, 'observing changed the run');
      const { counters } = world;
      const result = world.result();
      const applied = (name: string): number => result.faults[`${name}.applied`] ?? 0;
      const observed = (name: string): number => result.faults[`${name}.observed`] ?? 0;

      assert.equal(count(entries, 'message', 'send'), counters.sent);
      assert.equal(count(entries, 'message', 'deliver'), counters.delivered);
      assert.equal(count(entries, 'message', 'drop', 'loss'), applied('loss'));
      assert.equal(count(entries, 'message', 'drop', 'overflow'), applied('overflow'));
      assert.equal(count(entries, 'message', 'drop', 'partition'), observed('partition'));
      assert.equal(count(entries, 'message', 'hold', 'clog'), observed('clog'));
      assert.equal(count(entries, 'message', 'duplicate'), applied('duplication'));
      assert.equal(count(entries, 'message', 'deliver', 'duplication'), observed('duplication'));
      assert.equal(count(entries, 'message', 'deliver', 'corruption'), observed('corruption'));
      // Every packet has one fate, or is still on its way.
      const departed = count(entries, 'message', 'send') + count(entries, 'message', 'duplicate');
      const { queue } = world.arena;
      let inFlight = 0;
      for (let at = 0; at < queue.size; at++) if (queue.kind[queue.slotAt(at)] === 0) inFlight++;
      const arrived = count(entries, 'message', 'deliver') + count(entries, 'message', 'drop');
      assert.equal(arrived + inFlight, departed);

      const operations = ['read_start', 'write_start', 'flush_start'];
      const started = operations.reduce((sum, what) => sum + count(entries, 'storage', what), 0);
      assert.equal(started, counters.storageOps);
      for (const what of ['lost_write', 'torn_write', 'garbage_write']) {
        assert.equal(count(entries, 'storage', what), applied(what), what);
      }
      assert.equal(count(entries, 'crash', 'crash'), counters.crashes);
      assert.equal(count(entries, 'crash', 'pause'), applied('pause'));
      assert.equal(count(entries, 'crash', 'clock_jump'), applied('clock_jump'));
      assert.equal(count(entries, 'restart', 'restart'), counters.restarts);
      assert.equal(count(entries, 'restart', 'start'), world.replicaCount);
      const cuts = entries.filter(({ kind, what }) => kind === 'partition' && what !== 'clog');
      assert.equal(cuts.length, applied('partition'));
      assert.equal(count(entries, 'partition', 'clog'), applied('clog'));

      // A fault of the plan hits some sectors at one event.
      for (const what of ['bit_rot', 'latent_sector']) {
        const hits = entries.filter((e) => e.what === what).map((e) => `${e.event} ${e.node}`);
        assert.equal(new Set(hits).size, applied(what), what);
      }

      // A view counts once its primary is normal in it, and no later view has been fixed before.
      let viewFixed = 0;
      let viewChanges = 0;
      for (const { kind, what, node, view } of entries) {
        const leads = kind === 'view_change' && what === 'normal' && view % world.replicaCount === node;
        if (!leads || view <= viewFixed) continue;
        viewFixed = view;
        viewChanges++;
      }
      assert.equal(viewChanges, counters.viewChanges);
      assert.equal(count(entries, 'view_change', 'recovering_head'), counters.recoveringHead);

      assert.equal(count(entries, 'commit', 'checkpoint'), counters.checkpoints);
      assert.equal(count(entries, 'commit', 'sync'), counters.syncs);
      const ops = new Set(entries.filter((e) => e.what === 'commit').map((e) => e.op));
      assert.equal(Math.max(...ops), result.commits);
      assert.equal(ops.size, result.commits);
      const answers = count(entries, 'client', 'success') + count(entries, 'client', 'failure', 'refused');
      assert.equal(answers, counters.replies);
      assert.ok(count(entries, 'client', 'request') >= answers);

      assert.equal(count(entries, 'heal', 'phase'), 1);
      assert.equal(count(entries, 'violation'), result.violation === null ? 0 : 1);
      if (result.violation === null) assert.equal(entries.at(-1)?.kind, 'check');
    });
  }

  test('entries come in the order of events, with kinds of the list and lanes that exist', () => {
    const world = worldOf('combined', 7);
    const entries = recorded(world);
    let before = entry({ event: 0, virtualMicros: 0 });
    const nodes = world.replicaCount + world.clientCount;
    for (const e of entries) {
      assert.ok(e.event >= before.event && e.virtualMicros >= before.virtualMicros);
      assert.ok(ENTRY_KINDS.includes(e.kind), e.kind);
      assert.ok(e.node >= -1 && e.node < nodes && e.peer >= -1 && e.peer < nodes);
      assert.ok(Number.isSafeInteger(e.op) && Number.isSafeInteger(e.view));
      assert.ok(e.text !== '' && !/undefined|NaN|Infinity/.test(e.text), e.text);
      before = e;
    }
    assert.deepEqual(JSON.parse(JSON.stringify(entries[0])), entries[0], 'plain data');
  });

  test('a packet is sent once and arrives once, and the link tells which', () => {
    const entries = recorded(worldOf('message_reorder', 3));
    const open = new Map<string, Entry>();
    let met = 0;
    for (const e of entries) {
      if (e.kind !== 'message' || e.packet === -1) continue;
      if (e.what === 'send' || e.what === 'duplicate') {
        const key = `${e.node} ${e.peer} ${e.packet}`;
        assert.ok(!open.has(key), key);
        open.set(key, e);
      } else if (e.what === 'deliver' || e.what === 'drop') {
        const key = `${e.peer} ${e.node} ${e.packet}`;
        const sent = open.get(key);
        assert.ok(sent !== undefined, `${key}: ${e.text}`);
        if (e.cause !== 'corruption') assert.equal(e.op, sent.op, e.text);
        open.delete(key);
        met++;
      }
    }
    assert.ok(met > 100);
  });

  test('a violation is told: once for the world, and on the lanes of the replicas concerned', () => {
    const canary = findCanary('commit-before-quorum');
    assert.ok(canary !== null);
    let found = 0;
    for (let seed = 1; seed <= canary.seeds && found === 0; seed++) {
      const world = worldOf(canary.scenario, seed, canary.name);
      const entries = recorded(world);
      const { violation } = world.result();
      if (violation === null) continue;
      found++;
      const told = entries.filter((e) => e.kind === 'violation');
      assert.equal(told.length, 1);
      assert.equal(told[0]?.what, violation.invariant);
      assert.equal(told[0]?.text, violation.message);
      assert.equal(told[0]?.event, violation.event);
      assert.equal(entries.at(-1)?.event, violation.event, 'the run ends with that event');
      const failed = entries.filter((e) => e.kind === 'check' && e.what === 'failed');
      assert.deepEqual(failed.map((e) => e.node), violation.replicas);
      const after = entries.slice(entries.findIndex((e) => e.kind === 'violation'));
      assert.ok(after.every((e) => e.what !== 'passed'), 'what compared there did not pass');
    }
    assert.equal(found, 1);
  });

  test('after a restore the recorder forgets what has not happened, and goes on', () => {
    const world = worldOf('combined', 5);
    const recorder = new Recorder({ capacity: 1 << 20 });
    world.observer = recorder;
    while (world.events < 2_000) world.step();
    const snapshot = Snapshot.of(world);
    const atSnapshot = recorder.entries();
    while (world.step());
    const whole = recorder.entries();
    for (let round = 0; round < 2; round++) {
      snapshot.restore();
      assert.equal(world.observer, recorder, 'still attached');
      assert.deepEqual(recorder.entries(), atSnapshot);
      while (world.step());
      assert.deepEqual(recorder.entries(), whole);
    }
    // Attached later than the snapshot: it stays attached, and begins behind it.
    const late = new Recorder({ capacity: 1 << 20 });
    world.observer = late;
    snapshot.restore();
    assert.equal(world.observer, late);
    while (world.step());
    assert.deepEqual(late.entries(), whole.slice(atSnapshot.length));
    world.observer = null;
    snapshot.restore();
    assert.equal(world.observer, null);
  });

  test('a snapshot does not grow with what was recorded', () => {
    const size = (observed: boolean): number => {
      const world = worldOf('combined', 5);
      if (observed) world.observer = new Recorder();
      while (world.events < 2_000) world.step();
      return Snapshot.of(world).size;
    };
    assert.equal(size(true), size(false));
  });

  test('a recorder keeps the newest, and says how many it let go', () => {
    const recorder = new Recorder({ capacity: 10 });
    for (let event = 1; event <= 57; event++) recorder.entry(entry({ event }));
    assert.deepEqual(recorder.entries().map((e) => e.event), [48, 49, 50, 51, 52, 53, 54, 55, 56, 57]);
    assert.equal(recorder.leftOut, 47);
    recorder.rewound(50);
    assert.deepEqual(recorder.entries().map((e) => e.event), [48, 49, 50]);
  });

  test('filters', () => {
    const rows: readonly (readonly [Partial<Entry>, Parameters<typeof entryMatches>[1], boolean])[] = [
      [{}, {}, true],
      [{ kind: 'storage' }, { kinds: ['storage', 'crash'] }, true],
      [{ kind: 'client' }, { kinds: ['storage', 'crash'] }, false],
      [{ node: 2 }, { nodes: [0, 1] }, false],
      [{ node: 2, peer: 0 }, { nodes: [0, 1] }, false],
      [{ node: -1 }, { nodes: [0, 1] }, true],
      [{ virtualMicros: 20 }, { micros: [10, 20] }, true],
      [{ virtualMicros: 21 }, { micros: [10, 20] }, false],
      [{ event: 5 }, { events: [5, 5] }, true],
      [{ event: 4 }, { events: [5, 5] }, false],
      [{ op: 7 }, { op: 7 }, true],
      [{ op: 8 }, { op: 7 }, false],
      [{ op: -1 }, { op: 7 }, false],
      [{ kind: 'crash' }, { op: 7 }, true],
      [{ kind: 'crash', node: 3 }, { op: 7, nodes: [0] }, false],
    ];
    for (const [fields, filter, passes] of rows) {
      assert.equal(entryMatches(entry(fields), filter), passes, JSON.stringify([fields, filter]));
    }
  });
});
