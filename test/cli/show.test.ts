/** `vopr show`: what it prints is what a world of the same plan says when it is asked directly. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { lineText, linesText } from '../../cli/render/styled_text.ts';
import { MessageTally } from '../../cli/vopr/message_tally.ts';
import { nodeTables } from '../../cli/vopr/node_tables.ts';
import { faultText, planText } from '../../cli/vopr/plan_view.ts';
import { changeLines, stateLines, treeLines } from '../../cli/vopr/state_view.ts';
import { CANARY } from '../../core/canary.ts';
import { findScenario } from '../../scenarios/registry.ts';
import { makePlan } from '../../sim/plan.ts';
import { WorldPlaces } from '../../sim/search/run_seed.ts';
import { NO_LIMITS } from '../../sim/search/seed_result.ts';
import { diffTrees, type Change } from '../../sim/state_diff.ts';
import { type StateNode } from '../../sim/state_node.ts';
import { stateTree, type StateTree } from '../../sim/state_tree.ts';
import { type World } from '../../sim/world.ts';
import { PROJECT_ROOT } from '../source_scanner.ts';
import { runProgram, type Outcome } from './run_program.ts';

const DIRECTORY = mkdtempSync(join(tmpdir(), 'vopr-show-'));
after(() => rmSync(DIRECTORY, { recursive: true, force: true }));

const BUNDLE = fileURLToPath(
  new URL('../../bundles/regression/corruption_torn_write-405-liveness.kmb', import.meta.url),
);
const vopr = (...args: string[]): Promise<Outcome> => runProgram('vopr', args, { cwd: DIRECTORY });

const places = new WorldPlaces();

/** combined, seed 3. */
function worldAt(event: number): World {
  const scenario = findScenario('combined');
  assert.ok(scenario !== null);
  const world = places.start({ plan: makePlan(scenario, 3), canary: CANARY.none, limits: NO_LIMITS });
  while (world.events < event && world.step());
  return world;
}

interface ShowJson {
  readonly events: number;
  readonly digest: string;
  readonly state?: StateTree;
  readonly diff?: { from: number; to: number; changes: Change[] };
  readonly messages?: Record<string, number | string>[];
  readonly entries?: { event: number; kind: string; text: string }[];
  readonly plan?: unknown;
}

async function showJson(...args: string[]): Promise<ShowJson> {
  const outcome = await vopr('show', 'combined', '--seed', '3', '--format', 'json', ...args);
  assert.equal(outcome.status, 0, outcome.stderr);
  return JSON.parse(outcome.stdout) as ShowJson;
}

suite('vopr show', () => {
  test('state, differences, messages and plan are those of the run', async () => {
    const [plain, state, diff, rest] = await Promise.all([
      showJson(),
      showJson('--state', '1500'),
      showJson('--diff', '2000..1200', '--nodes', '0,c1'),
      showJson('--messages', '--config', '--events', '5'),
    ]);
    const world = worldAt(1200);
    const at1200 = stateTree(world);
    while (world.events < 1500) world.step();
    assert.deepEqual(state.state, stateTree(world));
    while (world.events < 2000) world.step();
    const at2000 = stateTree(world);
    while (world.step());
    assert.deepEqual(plain.state, stateTree(world));
    assert.equal(plain.digest, world.digest());
    assert.equal(plain.events, world.events);
    assert.deepEqual(Object.keys(plain).filter((key) => /plan|diff|entries|messages/.test(key)), []);

    const changes = diffTrees(at2000, at1200)
      .filter(({ path }) => /^\/(replicas\/R0|clients\/C1|network)\//.test(path));
    assert.deepEqual(diff.diff?.changes, JSON.parse(JSON.stringify(changes)));
    assert.ok((diff.diff?.changes.length ?? 0) > 5);

    assert.deepEqual(rest.plan, JSON.parse(JSON.stringify(world.plan())));
    const total = rest.messages?.at(-1);
    assert.equal(total?.['command'], 'all');
    assert.equal(total['sent'], world.counters.sent);
    assert.equal(total['delivered'], world.counters.delivered);
    assert.equal(total['lost'], world.result().faults['loss.applied'] ?? 0);
    const events = rest.entries?.map(({ event }) => event) ?? [];
    assert.ok(events.length > 0 && Math.min(...events) > world.events - 5);
    assert.equal(Math.max(...events), world.events);
  });

  test('a bundle: what it tells of, what happened now, and the nodes at the end', async () => {
    const [plain, piped] = await Promise.all([
      vopr('show', BUNDLE),
      vopr('show', BUNDLE, '--state', '0', '--events', '..3'),
    ]);
    assert.equal(plain.status, 0, plain.stderr);
    const [title] = plain.stdout.split('\n');
    assert.equal(title, 'corruption_torn_write-405-liveness.kmb: scenario corruption_torn_write, seed 405');
    assert.match(plain.stdout, /^ {2}failure {4}violation of liveness at event [\d,]+, [\d.]+ s: /m);
    assert.match(plain.stdout, /^ {2}now {8}(no violation in|violation of|as recorded)/m);
    assert.match(plain.stdout, /^R0 {4}running {2}normal {2}/m);
    assert.match(plain.stdout, /^C0 {4}registered/m);
    assert.match(plain.stdout, /^network: \d+ packets under way/m);
    assert.equal(piped.status, 0, piped.stderr);
    assert.match(piped.stdout, /^state after event 0, 0.000000 s, phase faults$/m);
    assert.match(piped.stdout, /starts on its new disk$/m);
    assert.ok(!piped.stdout.includes('\u001b'));
  });

  test("a system of one's own is shown in its words and plain properties", async () => {
    const show = (...args: string[]): Promise<Outcome> =>
      vopr('--system', join(PROJECT_ROOT, 'examples/own_protocol/system.ts'), ...args);
    const [timeline, tables, state] = await Promise.all([
      show('timeline', 'rough_sea', '--seed', '1', '--log', '--events', '..40'),
      show('show', 'rough_sea', '--seed', '1'),
      show('show', 'rough_sea', '--seed', '1', '--state', '5', '--nodes', '0'),
    ]);
    assert.equal(timeline.status, 0, timeline.stderr);
    assert.match(timeline.stdout, /ask round=1 from C0$/m);
    assert.match(tables.stdout, /^node +process +I\/O/m);
    assert.match(tables.stdout, /^node +settled +finished$\n^C0 +yes/m);
    assert.match(state.stdout, /^ {4}version 0 0, 1 0, 2 0$/m);
  });

  test('what is asked wrongly is refused with status 2 and what to do', async () => {
    const cases: readonly (readonly [string[], RegExp])[] = [
      [[BUNDLE, '--state', '99999999'], /there is no event 99,999,999: the run ends with event/],
      [[BUNDLE, '--diff', '5'], /--diff wants two events, such as --diff 100 200/],
      [['--diff', '5', '6', BUNDLE], /missing required argument|--diff wants two events/],
      [[BUNDLE, '--diff', '5', 'x'], /--diff wants two events/],
      [[BUNDLE, '--events', 'x'], /argument 'x' is invalid/],
      [[BUNDLE, '--events', '9..3'], /must be a range of whole numbers/],
      [[BUNDLE, '--nodes', 'R9'], /unknown node "R9"/],
      [['combined'], /give the run's --seed as well/],
    ];
    await Promise.all(cases.map(async ([args, words]) => {
      const outcome = await vopr('show', ...args);
      assert.equal(outcome.status, 2, args.join(' '));
      assert.match(outcome.stderr, words);
      assert.equal(outcome.stdout, '');
    }));
  });
});

suite('state as text', () => {
  const R0: StateNode = {
    process: 'running', view: 3, checkpoint: { op: 12, id: 'ab' }, empty: {}, none: '',
    journal: { dirty: 1, slots: { 0: { op: 64, state: 'clean' }, 1: { op: 65, state: 'dirty' } } },
  };

  test('branches of leaves on one line, others indented', () => {
    assert.equal(linesText(treeLines({ R0 }, ''), false), [
      'R0',
      '  process running',
      '  view    3',
      '  checkpoint op 12, id ab',
      '  empty none',
      '  none    none',
      '  journal',
      '    dirty 1',
      '    slots',
      '      0 op 64, state clean',
      '      1 op 65, state dirty',
      '',
    ].join('\n'));
  });

  test('a violation stands above the state in which it was found', () => {
    const tree = stateTree(worldAt(50));
    const lines = stateLines({ ...tree, violation: 'op 7: two facts' }).map((line) => lineText(line, false));
    assert.match(lines[0] as string, /^state after event 50, \d\.\d{6} s, phase faults$/);
    assert.equal(lines[1], 'violation: op 7: two facts');
    assert.equal(lines[2], 'replicas');
  });

  test('changes stand under whom they are about', () => {
    const changed: StateNode = {
      ...R0, view: 4, checkpoint: {}, more: { deep: { x: 1 } },
      journal: { dirty: 0, slots: { 1: { op: 65, state: 'clean' }, 2: { op: 66, state: 'clean' } } },
    };
    const changes = diffTrees(
      { phase: 'faults', replicas: { R0 }, network: { cut: {} } },
      { phase: 'heal', replicas: { R0: changed }, network: { cut: { 'R0>R1': true } } },
    );
    assert.equal(linesText(changeLines(changes), false), [
      'phase: faults -> heal',
      'replicas R0',
      '  view: 3 -> 4',
      '  checkpoint op: - 12',
      '  checkpoint id: - ab',
      '  journal dirty: 1 -> 0',
      '  journal slots 0: - op 64, state clean',
      '  journal slots 1 state: dirty -> clean',
      '  journal slots 2: + op 66, state clean',
      '  more: + { deep: x 1 }',
      'network cut',
      '  R0>R1: + yes',
      '',
    ].join('\n'));
  });

  test('tables leave out the columns that no node fills', () => {
    const tree = { ...stateTree(worldAt(50)), replicas: { R0: { process: 'down', count: 1 } }, clients: {} };
    assert.match(nodeTables(tree), /^node {2}process\nR0 {4}down\n\nnode\n\nnetwork: \d+ packets/);
  });
});

suite('plan as text', () => {
  test('every fault, with who, how long, and what', () => {
    const rows: readonly (readonly [Parameters<typeof faultText>[0], string])[] = [
      [{ kind: 'crash', at: 3_201_442, node: -1, down: 1_200_000, duringWrite: true, downMax: 2 },
        '   3.201442 s  crash          primary, down 1.200000 s, duringWrite, downMax 2'],
      [{ kind: 'partition', at: 1, lasts: 2_000_000, links: [0, 2, 2, 0, 3, 1] },
        '   0.000001 s  partition      lasts 2.000000 s, R0>R2 R2>R0 C0>R1'],
      [{ kind: 'clog', at: 0, lasts: 5, node: 1, peer: 2, direction: 'out' },
        '   0.000000 s  clog           R1, peer R2, lasts 0.000005 s, direction out'],
      [{ kind: 'restart_all', at: 0, down: [1_000_000, 500_000] },
        '   0.000000 s  restart_all    down 1.000000 s 0.500000 s'],
    ];
    for (const [fault, text] of rows) assert.equal(faultText(fault, 3), text);
  });

  test('the whole plan: a line for each of its faults, and no object unread', () => {
    const scenario = findScenario('combined');
    assert.ok(scenario !== null);
    const plan = makePlan(scenario, 3);
    const text = planText(plan);
    for (const fault of plan.faults) assert.ok(text.includes(faultText(fault, plan.replicaCount)));
    for (const name of Object.keys(plan.config)) assert.match(text, new RegExp(`^  ${name} `, 'm'));
    assert.ok(plan.faults.length > 5);
    assert.doesNotMatch(text, /\[object|undefined|NaN/);
    const pins = Array.from({ length: 25 }, (_, key) => ({ domain: 'loss', key, value: 0 }));
    const pinned = planText({ ...plan, decisions: pins });
    assert.match(pinned, /decisions overruled\n  loss 00000000 = 0\n/);
    assert.match(pinned, /  and 5 more\n/);
  });
});

test('the tally counts each fate under its command', () => {
  const tally = new MessageTally();
  const told: readonly (readonly [what: string, cause: string])[] = [
    ['send', ''], ['send', ''], ['duplicate', 'duplication'], ['deliver', ''], ['deliver', 'corruption'],
    ['drop', 'loss'], ['drop', 'crashed'], ['hold', 'clog'], ['ignore', 'older view'],
  ];
  for (const [what, cause] of told) {
    tally.entry({
      event: 1, virtualMicros: 1, kind: 'message', what, node: 0, peer: 1, view: 0, op: 7, cause,
      packet: 1, text: 'prepare op 7 append to R1',
    });
  }
  assert.deepEqual(tally.rows()[0], {
    command: 'prepare', sent: 2, copies: 1, delivered: 2, lost: 1, partition: 0, overflow: 0,
    crashed: 1, held: 1, ignored: 1,
  });
});
