import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Player } from '../../../cli/page/player.ts';
import { WorldPlaces } from '../../../sim/search/run_seed.ts';
import { stateTree } from '../../../sim/state_tree.ts';
import { type World } from '../../../sim/world.ts';
import { failingRun } from './failing_run.ts';

const { options, bundle } = failingRun('torn-write-accepted');
const places = new WorldPlaces();

/** The run as it is without a player, after so many events. */
function freshAt(event: number): World {
  const world = places.start({ plan: options.plan, canary: options.canary, limits: options.limits });
  while (world.events < event) assert.ok(world.step());
  return world;
}

const NEVER = (): boolean => false;

suite('player', () => {
  test('executes to the violation, with the digest of the bundle', () => {
    const player = new Player(options);
    player.seek(Infinity);
    assert.equal(player.end, bundle.events);
    assert.equal(player.result?.digest, bundle.digests.final);
    assert.equal(player.violation?.message, bundle.failure.message);
    const { tape } = bundle.digests;
    for (let event = 1; event <= bundle.events; event++) {
      const word = (tape[2 * event - 2] as number) | ((tape[2 * event - 1] as number) << 8);
      assert.equal(player.digestWordAt(event) & 0xffff, word, `event ${event}`);
    }
  });

  test('wherever it goes, the state is that of a fresh run at that event', () => {
    const player = new Player(options);
    player.seek(Infinity);
    const end = player.end as number;
    // Far and near, back and forth; one step back is the common case.
    for (const event of [end - 1, end - 2, 1, 0, 700, 699, 1300, 513, 512, 511, end, 1024, end - 1]) {
      player.seek(event);
      const fresh = freshAt(event);
      assert.equal(player.position, event);
      assert.equal(player.world.digestWord, fresh.digestWord, `digest at ${event}`);
      assert.deepEqual(stateTree(player.world), stateTree(fresh), `state at ${event}`);
    }
    player.seek(Infinity);
    assert.equal(player.world.digest(), bundle.digests.final, 'and it still ends as it must');
  });

  test('snapshots are bounded in number and in bytes, and travel still works', () => {
    const player = new Player({ ...options, snapshotsMax: 5 });
    player.seek(Infinity);
    assert.ok(player.held.snapshots <= 6, `${player.held.snapshots}, the one near the goal included`);
    player.seek(1500);
    assert.equal(player.world.digestWord, freshAt(1500).digestWord);
    const tight = new Player({ ...options, snapshotBytesMax: 1 });
    tight.seek(Infinity);
    assert.ok(tight.held.snapshots <= 3);
    tight.seek(1500);
    assert.equal(tight.world.digestWord, freshAt(1500).digestWord);
  });

  test('the timeline is the same however often one turns back while it is made', () => {
    const straight = new Player(options);
    straight.seek(Infinity);
    const zigzag = new Player(options);
    for (const event of [600, 20, 1400, 1399, 0, 2500, 2400, Infinity]) zigzag.seek(event);
    assert.ok(straight.timeline.count > straight.known);
    assert.equal(zigzag.timeline.count, straight.timeline.count);
    for (let i = 0; i < straight.timeline.count; i++) {
      assert.deepEqual(zigzag.timeline.entry(i), straight.timeline.entry(i));
      assert.equal(zigzag.timeline.partners[i], straight.timeline.partners[i]);
    }
    assert.equal(zigzag.result?.digest, straight.result?.digest);
    assert.deepEqual(zigzag.violation, straight.violation);
  });

  test('works in slices and says when it has arrived', () => {
    const player = new Player(options);
    player.aim(1000);
    let slices = 1;
    while (!player.work(() => true)) slices++;
    assert.equal(player.position, 1000);
    assert.ok(slices > 20, `${slices} slices`);
    player.aim(Infinity);
    assert.equal(player.end, null);
    assert.ok(player.work(NEVER));
    assert.equal(player.end, bundle.events);
  });

  test('entries can be taken down from an event on', () => {
    const player = new Player({ ...options, recordFrom: 2000 });
    player.seek(Infinity);
    assert.ok(player.timeline.count > 0);
    assert.equal(player.timeline.events[0], 2000);
  });
});
