/**
 * What describes a component of one's own to the simulator, published as `kimberlite/system`: the
 * module that `vopr --system` loads imports nothing else of ours but this and `kimberlite/component`,
 * and so can also go into the page of `vopr show --html`. How to: docs/own_systems.md.
 */
export {
  defineSystem,
  type OwnScenario,
  type OwnSystem,
  type SystemDefinition,
} from '../sim/define_system.ts';
export { type Canary } from '../sim/canaries.ts';
export { type Gate } from '../sim/plan.ts';
export { type Draw } from '../sim/workload/draw.ts';
export { type CheckContext, type Checker, type CheckerEntry } from '../invariants/invariant.ts';
export { NETWORK, STORAGE, STORAGE_CRASH } from '../scenarios/profiles.ts';
export { MILLISECOND, SECOND, percent } from '../scenarios/scenario.ts';
