/**
 * A system of one's own stands in the same world as Kimberlite: deterministic, saved and put back,
 * planned, recorded, checked. The register of examples/own_protocol, and small ones made here.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { readDecisions, decisionText } from '../../bundles/format.ts';
import {
  PlainNetwork,
  ReplicaFatal,
  SECTOR_SIZE,
  micros,
  type CallerPorts,
  type NodePorts,
  type Storage,
} from '../../core/component.ts';
import { CANARY } from '../../core/canary.ts';
import { type Message } from '../../core/message/pool.ts';
import { system as register } from '../../examples/own_protocol/system.ts';
import { type Checker } from '../../invariants/invariant.ts';
import { NETWORK, STORAGE } from '../../scenarios/profiles.ts';
import { defineSystem, type OwnSystem, type SystemDefinition } from '../../sim/define_system.ts';
import { NODE } from '../../sim/faults/schedule.ts';
import { SectorAtlas } from '../../sim/faults/sector_atlas.ts';
import { makePlan, type Plan } from '../../sim/plan.ts';
import { planProblem } from '../../sim/plan_check.ts';
import { Recorder } from '../../sim/recorder.ts';
import { recordBundle } from '../../sim/search/record_bundle.ts';
import { WorldPlaces } from '../../sim/search/run_seed.ts';
import { NO_LIMITS, type SeedResult } from '../../sim/search/seed_result.ts';
import { replayAgainst, runInLockStep, runToEnd } from '../../sim/search/seed_run.ts';
import { Snapshot } from '../../sim/snapshot.ts';
import { stateTree } from '../../sim/state_tree.ts';
import { planOf } from '../../sim/testing/plan_of.ts';
import { canaryIdOf, registerSystem, systemOf } from '../../sim/system_registry.ts';
import { type World } from '../../sim/world.ts';
import { Draw } from '../../sim/workload/draw.ts';
import { OMITTED_STRIDE } from '../../sim/workload/operations.ts';
import { Bench } from './ports/lab.ts';

registerSystem(register);
const places = new WorldPlaces();

function planFor(system: OwnSystem, seed: number, scenario = 0): Plan {
  const options = system.scenarios[scenario];
  assert.ok(options !== undefined);
  return makePlan(options, seed);
}

function start(plan: Plan, canary: string | null = null, place = 0): World {
  return places.start({ plan, canary: canaryIdOf(plan, canary), limits: NO_LIMITS }, place);
}

suite('the register, simulated', () => {
  test('its seeds pass, none of them vacuous', () => {
    for (const [scenario] of register.scenarios.entries()) {
      for (let seed = 1; seed <= 30; seed++) {
        const result = runToEnd(start(planFor(register, seed, scenario)));
        assert.equal(result.violation, null);
        assert.deepEqual(result.unmet, []);
        assert.ok((result.checks['linearizable'] as number) > 100);
      }
    }
  });

  for (const canary of register.canaries) {
    test(`${canary.name} is caught by ${canary.caughtBy}`, () => {
      const scenario = register.scenarios.findIndex(({ name }) => name === canary.scenario);
      for (let seed = 1; seed <= canary.seeds; seed++) {
        const result = runToEnd(start(planFor(register, seed, scenario), canary.name));
        if (result.violation === null) continue;
        assert.equal(result.violation.invariant, canary.caughtBy);
        return;
      }
      assert.fail('it survived');
    });
  }

  test('two runs do not part; a plan that went through JSON gives the same run', () => {
    const plan = planFor(register, 5);
    const result = runInLockStep(start(plan), start(plan, null, 1));
    assert.equal(result.violation, null);
    const again = JSON.parse(JSON.stringify(plan)) as Plan;
    assert.equal(planProblem(again), null);
    assert.equal(runToEnd(start(again)).digest, result.digest);
    assert.ok(result.events > 500);
  });

  test('restored in the middle, it ends as if never interrupted', () => {
    const plan = planFor(register, 7);
    const whole = runToEnd(start(plan));
    const world = start(plan);
    while (world.events < whole.events >> 1) world.step();
    const snapshot = Snapshot.of(world);
    for (let round = 0; round < 3; round++) {
      const again = runToEnd(world);
      assert.equal(again.digest, whole.digest);
      assert.deepEqual(again.checks, whole.checks);
      snapshot.restore();
    }
  });

  test('an operation that is left out changes no other', () => {
    const asked = (plan: Plan): string[] => {
      const recorder = new Recorder({ capacity: 1 << 20, filter: { kinds: ['client'] } });
      const world = start(plan);
      world.observer = recorder;
      runToEnd(world);
      return recorder.entries().filter(({ what, node }) => what === 'request' && node === plan.replicaCount)
        .map(({ text }) => text);
    };
    const plan = planFor(register, 9, 1);
    const all = asked(plan);
    const without = asked({ ...plan, workload: { ...plan.workload, omitted: [3, OMITTED_STRIDE + 1] } });
    assert.deepEqual(without.slice(0, 3), all.slice(0, 3));
    // How many there are depends on how long each took.
    const count = Math.min(without.length - 3, all.length - 4);
    assert.ok(count > 5, String(count));
    assert.deepEqual(without.slice(3, 3 + count), all.slice(4, 4 + count));
  });

  test('its bundle names system and messages, and replays exactly', () => {
    const code = { version: '0', commit: 'unknown', node: 'v24' };
    const canary = 'confirmed-unsynced';
    let seed = 1;
    while (runToEnd(start(planFor(register, seed, 1), canary)).violation === null) seed++;
    const plan = planFor(register, seed, 1);
    const { bundle } = recordBundle(places, { plan, canary, limits: NO_LIMITS, code });
    assert.ok(bundle !== null && bundle.decisions !== null);
    assert.equal((bundle.plan as unknown as Plan).system, 'register');
    const replay = replayAgainst(start(plan, canary), bundle.digests, 5);
    assert.equal(replay.departure, null);
    assert.equal(replay.result.violation?.message, bundle.failure.message);
    assert.match(replay.lastEvents.join('\n'), /deliver [RC]\d -> [RC]\d (ask|tell|store|stored) /);
    const { names } = bundle.decisions;
    const decisions = [...readDecisions(bundle.decisions)];
    const told = decisions.map((decision) => decisionText(decision, names)).join('\n');
    assert.match(told, /delay \d+ of R\d -> C\d tell of operation \d+\n/);
    assert.match(told, /operation \d+ of C1 operation 0, choice 0/);
  });

  test('people see its messages and its state in its own words', () => {
    const world = start(planFor(register, 3));
    const recorder = new Recorder({ capacity: 1 << 20 });
    world.observer = recorder;
    while (world.events < 200) world.step();
    const texts = recorder.entries().map(({ text }) => text).join('\n');
    assert.match(texts, /store round=\d+ version=\[\d+ \d \d+\] to R1/);
    assert.match(texts, /^write value=\d+$/m);
    const tree = JSON.stringify(stateTree(world));
    assert.match(tree, /"version":\{"0":\d+,"1":\d+,"2":\d+\}/);
    assert.match(tree, /"heard":/);
  });
});

suite('processes that end by themselves', () => {
  test('a broken disk entitles to it: the node restarts, and nothing is lost', () => {
    const result = runToEnd(start(planOf({
      system: register.name,
      clients: 3,
      operations: 20,
      workload: { thinkMicros: [0, 50_000] },
      faults: [
        { kind: 'io_error', at: 50_000, node: 0, operation: 'write', down: 50_000 },
        { kind: 'io_error', at: 250_000, node: 1, operation: 'sync', down: 50_000 },
      ],
    })));
    assert.equal(result.violation, null);
    assert.equal(result.faults['io_error.applied'], 2);
    assert.equal(result.crashes, 2);
    assert.ok((result.checks['linearizable'] as number) > 100);
  });

  test('without one it is a violation', () => {
    class Tired extends Greeter {
      override onMessage(): void {
        throw new ReplicaFatal('storage', 'enough for today');
      }
    }
    const { violation } = run(greeting(null, { createNode: (ports) => new Tired(ports) }));
    assert.equal(violation?.invariant, 'no_panic');
    assert.match(violation.message, /R0 stopped: ReplicaFatal: enough for today/);
  });
});

// --- A system as small as they get: nodes that greet, callers that are greeted ---

type Greeting = { readonly kind: 'hello' } | { readonly kind: 'welcome' };
const GREETINGS = ['hello', 'welcome'] as const;

class Greeter {
  private readonly ports: NodePorts;
  private readonly network: PlainNetwork<Greeting>;

  constructor(ports: NodePorts) {
    this.ports = ports;
    this.network = new PlainNetwork<Greeting>(ports, ports.replicaIndex, GREETINGS);
  }

  start(): void {
    this.ports.report('up', { settings: this.ports.settings });
  }

  onMessage(message: Message): void {
    const letter = this.network.open(message);
    if (letter !== null) this.network.send(letter.from, { kind: 'welcome' });
  }

  onTimer(): void {}
  onStorage(): void {}
}

class Greeted {
  private readonly ports: CallerPorts<string>;
  private readonly network: PlainNetwork<Greeting>;

  constructor(ports: CallerPorts<string>) {
    this.ports = ports;
    this.network = new PlainNetwork<Greeting>(ports, ports.node, GREETINGS);
  }

  call(operation: string): void {
    if (operation === 'give up') return this.ports.abandon();
    this.network.send(0, { kind: 'hello' });
    this.ports.clock.arm(0, micros(1_000_000));
  }

  onMessage(): void {
    this.ports.clock.disarm(0);
    this.ports.answer('welcome');
  }

  onTimer(): void {
    this.network.send(0, { kind: 'hello' });
    this.ports.clock.arm(0, micros(1_000_000));
  }
}

class Listener implements Checker {
  readonly id = 'listener';
  comparisons = 0;
  readonly heard: string[] = [];
  onReported(node: number, what: string, value: unknown): void {
    this.heard.push(`R${node} ${what} ${JSON.stringify(value)}`);
  }
  onInvoked(client: number, operation: string): void {
    this.heard.push(`C${client} asks ${operation}`);
  }
  onAnswered(client: number, answer: string): void {
    this.comparisons++;
    this.heard.push(`C${client} has ${answer}`);
  }
  onAbandoned(client: number): void {
    this.heard.push(`C${client} gives up`);
  }
}

function greeting(
  listener: Listener | null,
  parts: Partial<SystemDefinition<string, string>> = {},
): OwnSystem {
  const system = defineSystem<string, string>({
    name: 'greeting',
    createNode: (ports) => new Greeter(ports),
    createCaller: (ports) => new Greeted(ports),
    operation: ({ index }) => (index === 1 ? 'give up' : 'greet'),
    checkers: listener === null ? [] : [{ id: listener.id, claim: 'It listens', create: () => listener }],
    scenarios: [{
      name: 'once',
      summary: 'One client, three calls',
      replicas: [1],
      clients: 1,
      operationsPerClient: 3,
      faultMicros: 1_000_000,
      network: NETWORK,
      storage: STORAGE,
      settings: { colour: 'red' },
    }],
    ...parts,
  });
  registerSystem(system);
  return system;
}

function run(system: OwnSystem): SeedResult {
  return runToEnd(start(planFor(system, 1)));
}

suite('systems of one\'s own', () => {
  test('checkers hear calls, answers, reports; nodes get the settings of the scenario', () => {
    const listener = new Listener();
    const result = run(greeting(listener));
    assert.equal(result.violation, null);
    assert.deepEqual(listener.heard, [
      'R0 up {"settings":{"colour":"red"}}',
      'C0 asks greet', 'C0 has welcome', 'C0 asks give up', 'C0 gives up', 'C0 asks greet', 'C0 has welcome',
    ]);
    assert.equal(result.checks['listener'], 2);
  });

  test('a checker that compared nothing makes the run vacuous; so does a gate', () => {
    const listener = new Listener();
    const silent = greeting(listener, { operation: () => 'give up' });
    assert.deepEqual(run(silent).unmet, ['client.replies at least 1: 0', 'listener compared nothing']);
  });

  test('what never comes to rest is a violation of liveness', () => {
    const stuck = greeting(null, { unsettled: (nodes) => `${nodes.length} node still thinks` });
    const { violation } = run(stuck);
    assert.equal(violation?.invariant, 'liveness');
    assert.match(violation.message, /1 node still thinks, 60 s after the faults ended/);
  });

  test('an answer to no call is a panic of the caller, told with who and why', () => {
    class Twice extends Greeted {
      override onMessage(): void {
        super.onMessage();
        super.onMessage();
      }
    }
    const { violation } = run(greeting(null, { createCaller: (ports) => new Twice(ports) }));
    assert.equal(violation?.invariant, 'no_panic');
    assert.match(violation.message, /C0 stopped: AssertionFailure: client: answers a call that is not open/);
  });

  test('it says what a new disk holds, and who is the primary that faults look for', () => {
    class Reader extends Greeter {
      private readonly disk: Storage;
      private readonly tell: (first: number) => void;
      private readonly sector: Uint8Array;
      constructor(ports: NodePorts) {
        super(ports);
        this.disk = ports.storage;
        this.tell = (first) => ports.report('disk', [first, ports.storage.size()]);
        this.sector = ports.storage.allocate(SECTOR_SIZE);
      }
      override start(): void {
        this.disk.read(SECTOR_SIZE, this.sector, 0);
      }
      override onStorage(): void {
        this.tell(this.sector[0] as number);
      }
    }
    const listener = new Listener();
    const system = greeting(listener, {
      createNode: (ports) => new Reader(ports),
      diskSize: 3 * SECTOR_SIZE - 1,
      format: ({ replicaIndex, write }) =>
        write(SECTOR_SIZE, new Uint8Array(SECTOR_SIZE).fill(40 + replicaIndex)),
      primary: (nodes) => nodes.length - 1,
    });
    const result = runToEnd(start(planOf({
      system,
      replicas: 3,
      operations: 3,
      faults: [{ kind: 'crash', at: 500_000, node: NODE.primary }],
    })));
    assert.equal(result.crashes, 1);
    assert.deepEqual(listener.heard.filter((line) => line.startsWith('R')).sort(), [
      'R0 disk [40,12288]', 'R1 disk [41,12288]', 'R2 disk [42,12288]', 'R2 disk [42,12288]',
    ]);
  });

  test('choices of an operation are its own, whatever the others do', () => {
    const { decisions } = new Bench(3);
    const choices = (client: number, index: number): unknown[] => {
      const draw = new Draw(decisions, client, index);
      return [draw.below(1000), draw.between(5, 7), draw.oneOf(['a', 'b', 'c']), draw.chance(500_000)];
    };
    const first = choices(1, 4);
    choices(0, 4);
    assert.deepEqual(choices(1, 4), first);
    const many = Array.from({ length: 100 }, (_, index) => choices(2, index));
    assert.equal(new Set(many.map(([number]) => number)).size > 90, true);
    assert.deepEqual(new Set(many.map(([, between]) => between)), new Set([5, 6, 7]));
    assert.deepEqual(new Set(many.map(([, , letter]) => letter)), new Set(['a', 'b', 'c']));
    assert.deepEqual(new Set(many.map(([, , , coin]) => coin)), new Set([true, false]));
  });

  test('names that are none, or stand twice, are refused', () => {
    assert.throws(() => greeting(null, { name: 'a b' }), /system "a b": use letters/);
    const listener = new Listener();
    const entry = { id: 'twice', claim: '', create: () => listener };
    assert.throws(() => greeting(null, { checkers: [entry, entry] }), /checker "twice" is defined twice/);
    assert.throws(() => registerSystem({ ...greeting(null), name: 'kimberlite' }), /is taken/);
  });

  test('a plan of a system that nobody loaded is refused by name', () => {
    const plan = { ...planFor(greeting(null), 1), system: 'unheard_of' };
    assert.throws(() => systemOf(plan), /system "unheard_of" is not loaded: name its module with --system/);
    const own = planFor(greeting(null), 1);
    assert.throws(() => canaryIdOf(own, 'dodo'), /system "greeting" has no canary "dodo"/);
    assert.equal(canaryIdOf(own, null), CANARY.none);
  });

  test('rot strikes a minority in each sector, or where the system allows it', () => {
    const { decisions } = new Bench(3);
    for (const [replicas, faulty] of [[1, 0], [2, 0], [3, 1], [4, 1], [5, 2]] as const) {
      const atlas = new SectorAtlas(decisions, replicas, null);
      for (let sector = 0; sector < 50; sector++) {
        let allowed = 0;
        for (let node = 0; node < replicas; node++) if (atlas.allows(node, sector)) allowed++;
        assert.equal(allowed, faulty, `${replicas} replicas, sector ${sector}`);
      }
    }
    const own = new SectorAtlas(decisions, 3, (node, sector) => node === 2 && sector > 7);
    assert.ok(own.allows(2, 8) && !own.allows(2, 7) && !own.allows(1, 8));
  });
});
