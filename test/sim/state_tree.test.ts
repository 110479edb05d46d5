/** State trees are plain data about the very state that runs; a diff says all and only what differs. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { CANARY } from '../../core/canary.ts';
import { Replica } from '../../core/vsr/replica.ts';
import { findScenario } from '../../scenarios/registry.ts';
import { EVENT } from '../../sim/events.ts';
import { plainTree } from '../../sim/plain_tree.ts';
import { makePlan } from '../../sim/plan.ts';
import { WorldPlaces } from '../../sim/search/run_seed.ts';
import { NO_LIMITS } from '../../sim/search/seed_result.ts';
import { Snapshot } from '../../sim/snapshot.ts';
import { diffTrees, pathNames, type Change } from '../../sim/state_diff.ts';
import { isNode, type StateNode, type StateValue } from '../../sim/state_node.ts';
import { stateTree } from '../../sim/state_tree.ts';
import { type World } from '../../sim/world.ts';
import { fc } from '../fixed_seed.ts';

const places = new WorldPlaces();

function worldOf(name: string, seed: number): World {
  const scenario = findScenario(name);
  assert.ok(scenario !== null, name);
  return places.start({ plan: makePlan(scenario, seed), canary: CANARY.none, limits: NO_LIMITS });
}

function at(tree: StateNode, ...names: string[]): StateValue {
  return names.reduce<StateValue>((node, name) => {
    assert.ok(isNode(node) && Object.hasOwn(node, name), `${names.join('/')}: no ${name}`);
    return node[name] as StateValue;
  }, tree);
}

function byPath(x: { path: string }, y: { path: string }): number {
  return x.path < y.path ? -1 : 1;
}

suite('state tree', () => {
  test('is JSON, and says what the replicas, clients, disks and links hold', () => {
    const seen = { down: 0, packets: 0, cut: 0, operations: 0, prepares: 0, open: 0, faults: 0 };
    const runs = [['combined', 3], ['crash_recovery', 2], ['corruption_torn_write', 20]] as const;
    for (const [scenario, seed] of runs) {
      const world = worldOf(scenario, seed);
      while (world.step()) {
        if (world.events % 200 !== 0) continue;
        const tree = stateTree(world);
        assert.deepEqual(JSON.parse(JSON.stringify(tree)), tree);
        assert.equal(tree.event, world.events);
        for (let node = 0; node < world.replicaCount; node++) {
          const replica = world.processes.replicas[node];
          if (replica === null) {
            assert.equal(at(tree, 'replicas', `R${node}`, 'process'), 'down');
            seen.down++;
            continue;
          }
          assert.ok(replica instanceof Replica);
          const own = at(tree, 'replicas', `R${node}`) as StateNode;
          assert.equal(own['status'], replica.status);
          assert.equal(own['view'], replica.view);
          assert.equal(own['commitMin'], replica.commitMin);
          assert.equal(at(own, 'checkpoint', 'op'), replica.checkpointOp);
          assert.equal(at(own, 'superblock', 'sequence'), replica.superblock.working.sequence);
          const slots = at(own, 'journal', 'slots') as StateNode;
          for (const [slot, entry] of Object.entries(slots)) {
            const op = isNode(entry) ? entry['op'] : undefined;
            if (op !== undefined) assert.equal(Number(op) % replica.journal.slots, Number(slot));
          }
          seen.prepares += Object.keys(at(own, 'pipeline', 'prepares') as StateNode).length;
          seen.operations += Object.keys(at(own, 'disk', 'operations') as StateNode).length;
          seen.faults += Object.keys(at(own, 'disk', 'faults') as StateNode).length;
        }
        for (const client of Object.values(tree.clients)) {
          if (at(client as StateNode, 'open') !== null) seen.open++;
        }
        const { queue } = world.arena;
        let inFlight = 0;
        for (let i = 0; i < queue.size; i++) if (queue.kind[queue.slotAt(i)] === EVENT.deliver) inFlight++;
        const links = Object.values(tree.network['links'] as StateNode) as StateNode[];
        const packets = links.flatMap((link) => Object.values(link) as StateNode[]);
        assert.equal(packets.filter((packet) => packet['held'] === undefined).length, inFlight);
        seen.packets += packets.length;
        seen.cut += Object.keys(tree.network['cut'] as StateNode).length;
      }
    }
    for (const [what, count] of Object.entries(seen)) assert.ok(count > 0, `the run shows no ${what}`);
  });

  test('making it changes nothing', () => {
    const plain = worldOf('crash_recovery', 2);
    while (plain.step());
    const digest = plain.digest();
    const world = worldOf('crash_recovery', 2);
    while (world.step()) if (world.events % 100 === 0) stateTree(world);
    assert.equal(world.digest(), digest);
  });

  test('is the same after a restore, and on the way there again', () => {
    const world = worldOf('combined', 5);
    while (world.events < 2_000) world.step();
    const snapshot = Snapshot.of(world);
    const before = stateTree(world);
    while (world.events < 4_000) world.step();
    const later = stateTree(world);
    assert.ok(diffTrees(before, later).length > 10);
    snapshot.restore();
    assert.deepEqual(diffTrees(before, stateTree(world)), []);
    while (world.events < 4_000) world.step();
    assert.deepEqual(diffTrees(later, stateTree(world)), []);
  });

  test('one event changes few leaves, those of the node it ran and of what it sent', () => {
    const world = worldOf('baseline', 1);
    while (world.events < 1_000) world.step();
    let before = stateTree(world);
    for (let i = 0; i < 200; i++) {
      world.step();
      const after = stateTree(world);
      const owners = new Set(
        diffTrees(before, after)
          .map(({ path }) => pathNames(path))
          .filter(([top]) => top === 'replicas' || top === 'clients')
          .map((names) => names[1]),
      );
      assert.ok(owners.size <= 1, `event ${world.events}: ${[...owners].join(' ')}`);
      before = after;
    }
  });

  test('a component without words is told by its plain properties, bounded', () => {
    const long = { list: Array.from({ length: 100 }, (_, i) => i) };
    const deep = { a: { b: { c: { d: { e: 1 } } } } };
    const cycle: Record<string, unknown> = { name: 'x' };
    cycle['self'] = { again: cycle };
    const view = new DataView(new ArrayBuffer(4));
    const bytes = { small: Uint8Array.of(1, 2), large: new Uint8Array(1000), view };
    const rest = {
      map: new Map([['k', 1]]), set: new Set(['v']), big: 7n, bad: Number.NaN, none: undefined,
      observer: { secret: 1 }, call: () => 1, text: 'y'.repeat(300),
    };
    const tree = plainTree({ long, deep, cycle, bytes, rest });
    assert.deepEqual(JSON.parse(JSON.stringify(tree)), tree);
    assert.equal(at(tree, 'long', 'list', '63'), 63);
    assert.equal(at(tree, 'long', 'list', '...'), 'and 36 more');
    assert.equal(at(tree, 'deep', 'a', 'b', 'c'), '(deeper)');
    assert.equal(at(tree, 'cycle', 'self', 'again'), '(above)');
    assert.deepEqual(at(tree, 'bytes'), { small: { 0: 1, 1: 2 }, large: '1000 bytes' });
    assert.deepEqual(at(tree, 'rest', 'map'), { k: 1 });
    assert.deepEqual(at(tree, 'rest', 'set'), { v: true });
    assert.equal(at(tree, 'rest', 'big'), '7');
    assert.equal(at(tree, 'rest', 'bad'), 'NaN');
    assert.deepEqual(Object.keys(at(tree, 'rest') as StateNode), ['map', 'set', 'big', 'bad', 'text']);
    assert.equal((at(tree, 'rest', 'text') as string).length, 203);
  });
});

suite('diff of state trees', () => {
  const name = fc.oneof(fc.constantFrom('a', 'b', 'c', 'a/b', '~', '~1', ''), fc.string({ maxLength: 3 }))
    .filter((text) => text !== '__proto__');
  const leaf = fc.oneof(fc.constant(null), fc.boolean(), fc.integer(), fc.string({ maxLength: 4 }));
  const { tree } = fc.letrec<{ tree: StateNode; value: StateValue }>((tie) => ({
    value: fc.oneof({ maxDepth: 4 }, leaf, tie('tree')),
    tree: fc.dictionary(name, tie('value'), { maxKeys: 5, noNullPrototype: true }),
  }));
  const trees = fc.tuple(tree, tree);

  /** The changes carried out on a copy. */
  function apply(before: StateNode, changes: readonly Change[]): StateNode {
    const root = structuredClone(before) as Record<string, unknown>;
    for (const change of changes) {
      const names = pathNames(change.path);
      const last = names.pop() as string;
      const node = names.reduce((n, step) => n[step] as Record<string, unknown>, root);
      if (Object.hasOwn(change, 'before')) assert.deepEqual(node[last], change.before);
      else assert.ok(!Object.hasOwn(node, last), change.path);
      if (Object.hasOwn(change, 'after')) node[last] = structuredClone(change.after);
      else delete node[last];
    }
    return root as StateNode;
  }

  test('carried out, it makes the one tree the other', () => {
    fc.assert(fc.property(trees, ([a, b]) => {
      assert.deepEqual(apply(a, diffTrees(a, b)), b);
    }));
  });

  test('of equal trees it is empty, and only of those', () => {
    fc.assert(fc.property(trees, ([a, b]) => {
      assert.deepEqual(diffTrees(a, structuredClone(a)), []);
      let equal = true;
      try {
        assert.deepStrictEqual(a, b);
      } catch {
        equal = false;
      }
      assert.equal(diffTrees(a, b).length === 0, equal);
    }));
  });

  test('turned around, it is the diff of the turned pair', () => {
    fc.assert(fc.property(trees, ([a, b]) => {
      const turned = diffTrees(b, a).map(({ path, ...rest }) => ({
        path,
        ...(Object.hasOwn(rest, 'after') ? { before: rest.after } : {}),
        ...(Object.hasOwn(rest, 'before') ? { after: rest.before } : {}),
      }));
      assert.deepEqual(turned.sort(byPath), diffTrees(a, b).sort(byPath));
    }));
  });

  test('names leaves, and a branch that appears or goes as one', () => {
    const before = { R0: { view: 1, gone: { x: 1 } }, same: { y: 2 } };
    const after = { R0: { view: 2, 'new/one': { z: 3 } }, same: { y: 2 } };
    assert.deepEqual(diffTrees(before, after), [
      { path: '/R0/view', before: 1, after: 2 },
      { path: '/R0/gone', before: { x: 1 } },
      { path: '/R0/new~1one', after: { z: 3 } },
    ]);
  });
});
