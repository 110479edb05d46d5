/**
 * A system of one's own from its parts: nodes written against the ports, a caller for its clients,
 * what clients ask for, and checkers. Everything else has a default that fits a component of a
 * few hundred lines. Tutorial: docs/own_systems.md.
 */
import { type PlainData } from '../bundles/format.ts';
import { type NodePorts, type NodeProcess } from '../core/component.ts';
import { CHECKSUM_ALGORITHM, SECTOR_SIZE, type ClusterConfig } from '../core/constants.ts';
import { type Probe } from '../core/probe.ts';
import { type CheckerEntry } from '../invariants/invariant.ts';
import { type Canary } from './canaries.ts';
import { SectorAtlas, type MayRot } from './faults/sector_atlas.ts';
import { ownWords } from './own_words.ts';
import { type Gate, type ScenarioOptions, type WorkloadProfile } from './plan.ts';
import { type FormatRequest, type System } from './system.ts';
import { CallLoop, type CallerFactory } from './workload/call_loop.ts';

const DISK_SIZE = 64 << 10;
/** Of a simulated world; a scenario's `config` overrules them. */
const LIMITS: Partial<ClusterConfig> = { checksumAlgorithm: CHECKSUM_ALGORITHM.fast128, clientsMax: 64 };

/** A scenario of one's own: as Kimberlite's, without what is about event streams. */
export interface OwnScenario
  extends Omit<ScenarioOptions, 'system' | 'workload' | 'gates' | 'invariants'> {
  /** Between an answer and the next call; `spread`: over the fault phase. Default 1 to 100 ms. */
  readonly thinkMicros?: WorkloadProfile['thinkMicros'];
  /** What must have happened. Default: at least one answer. */
  readonly gates?: readonly Gate[];
  /** Checkers that must have compared something. Default: all of the system. */
  readonly invariants?: readonly string[];
}

export interface SystemDefinition<Operation, Answer> extends CallerFactory<Operation, Answer> {
  /** Names the system in plans and bundles: letters, digits, `-` and `_`. */
  readonly name: string;
  /** `import.meta.url` of the module that exports it as `system`: bundles name it, threads load it. */
  readonly module?: string;
  readonly scenarios: readonly OwnScenario[];
  readonly checkers: readonly CheckerEntry[];
  /** Planted bugs of its own (`defineCanary`), each with the checker that must catch it. */
  readonly canaries?: readonly Canary[];
  /** Kinds of messages, in the order given to `PlainNetwork`: names in traces and timelines. */
  readonly messages?: readonly string[];
  /** Its rare situations (`defineProbe`): campaigns list those that no run came by. */
  readonly probes?: readonly Probe[];
  /** Bytes of each node's disk. Default 64 KiB; rounded up to sectors. */
  readonly diskSize?: number;
  /** Writes what a new disk holds. Default: zeros. */
  format?(request: FormatRequest): void;
  createNode(ports: NodePorts): NodeProcess;
  /** Where faults meant for the primary fall. `nodes`: those of `createNode`, null: down. Default: 0. */
  primary?(nodes: readonly (NodeProcess | null)[]): number;
  /** Why the nodes are not at rest although faults are over, or null. Default: they always are. */
  unsettled?(nodes: readonly NodeProcess[]): string | null;
  /** Default: a minority of the nodes in each sector. */
  readonly mayRot?: MayRot;
}

/** What `vopr --system` and `simTest` take. */
export interface OwnSystem extends System {
  readonly module: string | null;
  /** Names. */
  readonly probes: readonly string[];
  readonly scenarios: readonly (ScenarioOptions & {
    readonly category: 'own';
    readonly invariants: readonly string[];
  })[];
}

/** Throws when a name is no name, or stands for two things. */
export function defineSystem<Operation extends PlainData, Answer extends PlainData>(
  definition: SystemDefinition<Operation, Answer>,
): OwnSystem {
  const { name, scenarios, checkers, canaries = [] } = definition;
  assertNames('system', [name]);
  assertNames('scenario', scenarios.map((scenario) => scenario.name));
  assertNames('checker', checkers.map((checker) => checker.id));
  assertNames('canary', canaries.map((canary) => canary.name));
  const size = Math.ceil((definition.diskSize ?? DISK_SIZE) / SECTOR_SIZE) * SECTOR_SIZE;
  return Object.freeze<OwnSystem>({
    name,
    module: definition.module ?? null,
    probes: (definition.probes ?? []).map((probe) => probe.name),
    scenarios: scenarios.map((scenario) => scenarioOf({ name, checkers }, scenario)),
    checkers,
    canaries,
    words: ownWords(definition.messages ?? []),
    disk: () => ({ size, superblockSize: 0 }),
    format: (request) => definition.format?.(request),
    createNode: (options) => definition.createNode(options),
    createClient: (options) => new CallLoop(options, definition),
    createGroup: ({ plan, nodes, decisions }) => ({
      atlas: new SectorAtlas(decisions, plan.replicaCount, definition.mayRot ?? null),
      primary: () => definition.primary?.(nodes) ?? 0,
      restarting: () => {},
      unsettled: () => definition.unsettled?.(nodes as readonly NodeProcess[]) ?? null,
    }),
  });
}

/** A scenario of this system, whole. */
export function scenarioOf(
  system: Pick<System, 'name' | 'checkers'>,
  scenario: OwnScenario,
): OwnSystem['scenarios'][number] {
  const { thinkMicros, gates, invariants, config, ...rest } = scenario;
  return Object.freeze({
    ...rest,
    category: 'own',
    system: system.name,
    config: { ...LIMITS, ...config },
    workload: {
      tenants: 1,
      streams: 0,
      weights: { append: 0, read: 0 },
      eventsPerAppend: 1,
      payloadBytes: 0,
      thinkMicros: thinkMicros ?? [1_000, 100_000],
    },
    gates: gates ?? [{ counter: 'client.replies', min: 1 }],
    invariants: invariants ?? system.checkers.map(({ id }) => id),
  });
}

function assertNames(what: string, names: readonly string[]): void {
  names.forEach((name, i) => {
    if (!/^[a-z0-9][a-z0-9_-]*$/i.test(name)) {
      throw new Error(`${what} "${name}": use letters, digits, - and _, for file names and commands`);
    }
    if (names.indexOf(name) !== i) throw new Error(`${what} "${name}" is defined twice`);
  });
}
