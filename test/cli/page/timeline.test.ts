import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Bands } from '../../../cli/page/bands.ts';
import { diskFace, diskZones, SECTOR } from '../../../cli/page/disk_face.ts';
import { Player } from '../../../cli/page/player.ts';
import { findEntry, parseQuery, queryIsEmpty } from '../../../cli/page/search.ts';
import { KIND, Timeline } from '../../../cli/page/timeline.ts';
import { type Entry } from '../../../sim/recorder.ts';
import { failingRun } from './failing_run.ts';

const { options, plan } = failingRun('torn-write-accepted');
const player = new Player(options);
player.seek(Infinity);
const { timeline } = player;

function entry(event: number, over: Partial<Entry>): Entry {
  return {
    event, virtualMicros: event * 10, kind: 'message', what: 'send', node: 0, peer: 1, view: 0, op: 1,
    cause: '', packet: -1, text: 'prepare op 1 to R1', ...over,
  };
}

suite('timeline', () => {
  test('a message is paired with its fate, by link and packet, and a copy with its own', () => {
    const made = new Timeline();
    made.append(entry(1, { packet: 7 }));
    made.append(entry(1, { what: 'duplicate', packet: 8, cause: 'duplication' }));
    made.append(entry(2, { node: 2, packet: 7 }));
    made.append(entry(3, { what: 'hold', node: 1, peer: 0, packet: 8, cause: 'clog' }));
    made.append(entry(4, { what: 'deliver', node: 1, peer: 0, packet: 7 }));
    made.append(entry(5, { what: 'deliver', node: 1, peer: 0, packet: 8 }));
    assert.deepEqual([...made.partners.subarray(0, made.count)], [4, 5, -1, 1, 0, 1]);
  });

  test('what is lost at once is paired with the sending before it', () => {
    const made = new Timeline();
    made.append(entry(1, {}));
    made.append(entry(1, { what: 'drop', node: 1, peer: 0, cause: 'loss' }));
    made.append(entry(2, { what: 'ignore', node: 1, peer: -1 }));
    assert.deepEqual([...made.partners.subarray(0, made.count)], [1, 0, -1]);
  });

  test('of a real run: each delivery has a sending before it, on the same link, about the same', () => {
    let deliveries = 0;
    for (let i = 0; i < timeline.count; i++) {
      if (timeline.kinds[i] !== KIND.message || timeline.what(i) !== 'deliver') continue;
      deliveries++;
      const send = timeline.partners[i] as number;
      assert.ok(send >= 0 && send < i, `entry ${i}`);
      assert.equal(timeline.nodes[send], timeline.peers[i]);
      assert.equal(timeline.peers[send], timeline.nodes[i]);
      if (timeline.cause(i) !== 'corruption') assert.equal(timeline.ops[send], timeline.ops[i]);
    }
    assert.ok(deliveries > 500, `${deliveries}`);
  });
});

suite('bands', () => {
  const bands = new Bands(timeline, plan.replicaCount);
  bands.update();

  test('one state follows the other without a gap, and a crash is a time of being down', () => {
    let downs = 0;
    for (const lane of bands.lanes) {
      assert.ok(lane.length > 0);
      lane.forEach((band, i) => {
        if (i > 0) assert.equal(lane[i - 1]?.toEvent, band.fromEvent);
        if (band.state === 'down') downs++;
      });
    }
    assert.equal(downs, player.result?.crashes);
  });

  test('at most one leads a view at a time', () => {
    const leads = bands.lanes.flat().filter((band) => band.leads);
    assert.ok(leads.length > 0);
    const views = leads.map(({ view }) => view);
    assert.ok(new Set(views).size > 1, 'there was a view change');
  });

  test('faults of links begin and end', () => {
    const made = new Timeline();
    const cut = { node: -1, peer: -1, what: 'partition', cause: 'partition' } as const;
    made.append(entry(1, { ...cut, kind: 'partition', text: 'partition cuts R0-R1' }));
    made.append(entry(2, { ...cut, kind: 'partition', text: 'partition cuts R0-R2' }));
    made.append(entry(3, { ...cut, kind: 'heal', text: 'partition joins R0-R1' }));
    made.append(entry(4, { node: -1, peer: -1, what: 'phase', kind: 'heal', text: 'faults end' }));
    const found = new Bands(made, 3);
    found.update();
    assert.deepEqual(found.faults.map(({ fromEvent, toEvent }) => [fromEvent, toEvent]), [[1, 3], [2, 4]]);
  });
});

suite('search', () => {
  const query = (text: string): ReturnType<typeof parseQuery> => parseQuery(text, 3);

  const table: readonly [text: string, expected: Partial<ReturnType<typeof parseQuery>>][] = [
    ['next view change', { kinds: ['view_change'] }],
    ['next send by R1', { kinds: ['message'], whats: ['send', 'duplicate'], nodes: [1] }],
    ['commit op 7', { kinds: ['commit'], op: 7 }],
    ['commits op=7 view=2', { kinds: ['commit'], op: 7, view: 2 }],
    ['crash R2', { kinds: ['crash'], nodes: [2] }],
    ['crashes', { kinds: ['crash'] }],
    ['request C1', { kinds: ['client'], whats: ['request'], nodes: [4] }],
    ['drop loss prepare_ok', { kinds: ['message'], whats: ['drop'], words: ['loss', 'prepare_ok'] }],
    ['drop partition', { kinds: ['message'], whats: ['drop'], words: ['partition'] }],
    ['lost', { kinds: ['message'], whats: ['drop'], words: ['loss'] }],
    ['partition', { kinds: ['partition'] }],
    ['Slot 12', { words: ['slot', '12'] }],
    ['', {}],
  ];
  for (const [text, expected] of table) {
    test(`"${text}"`, () => {
      const nothing = { kinds: [], whats: [], nodes: [], op: -1, view: -1, words: [] };
      assert.deepEqual(query(text), { ...nothing, ...expected });
      assert.equal(queryIsEmpty(query(text)), text === '');
    });
  }

  test('forwards and backwards are each other\'s way back', () => {
    const crash = query('crash');
    const first = findEntry(timeline, crash, -1, true);
    const second = findEntry(timeline, crash, first, true);
    assert.ok(first >= 0 && second > first);
    assert.equal(timeline.kind(second), 'crash');
    assert.equal(findEntry(timeline, crash, second, false), first);
    assert.equal(findEntry(timeline, crash, first, false), -1);
    assert.equal(findEntry(timeline, crash, timeline.count, true), -1);
  });

  test('sends of a replica are found on its lane', () => {
    const found = findEntry(timeline, query('next send by R1'), -1, true);
    assert.equal(timeline.nodes[found], 1);
    assert.equal(timeline.what(found), 'send');
  });
});

suite('disks', () => {
  test('zones in the words of the data file, without a gap', () => {
    const { world } = player;
    const sectorCount = world.disks[0]?.memory.sectorCount ?? 0;
    const place = (sector: number): string => world.arena.system.words?.place(world.config, sector) ?? '';
    const zones = diskZones(sectorCount, place);
    assert.deepEqual(zones.map(({ name }) => name), [
      'superblock copy', 'journal headers sector', 'journal slot', 'reply slot', 'grid block',
    ]);
    zones.forEach((zone, i) => assert.equal(zone.first, i === 0 ? 0 : zones[i - 1]?.end));
    assert.equal(zones.at(-1)?.end, sectorCount);
  });

  test('a write in flight, then not durable, then durable', () => {
    const seen = new Set<number>();
    player.seek(0);
    const [disk] = player.world.disks;
    assert.ok(disk !== undefined);
    for (let event = 1; event < 400; event++) {
      player.seek(event);
      for (const state of diskFace(disk).states) seen.add(state);
    }
    for (const state of [SECTOR.empty, SECTOR.written, SECTOR.writing, SECTOR.undurable]) {
      assert.ok(seen.has(state), `state ${state}`);
    }
  });
});
