/**
 * Simulation in one's own tests, published as `kimberlite/testing`: `simTest` for node:test, Vitest
 * and whatever else takes a function; `defineSystem` for components of one's own, with the parts that
 * scenarios are made of. How to: docs/own_systems.md.
 */
export { simTest, simulate } from './testing/sim_test.ts';
export { type InlineScenario, type SimTestOptions } from './testing/options.ts';
export { SimulationFailure, type SimTestReport } from './testing/simulation_failure.ts';
export {
  defineSystem,
  type OwnScenario,
  type OwnSystem,
  type SystemDefinition,
} from '../sim/define_system.ts';
export { planOf, type PlanOptions } from '../sim/testing/plan_of.ts';
export { type Plan, type ScenarioOptions } from '../sim/plan.ts';
export { type Draw } from '../sim/workload/draw.ts';
export { type CheckContext, type Checker, type CheckerEntry } from '../invariants/invariant.ts';
export { NETWORK, STORAGE, STORAGE_CRASH, WORKLOAD } from '../scenarios/profiles.ts';
export { findScenario } from '../scenarios/registry.ts';
export { MILLISECOND, SECOND, percent } from '../scenarios/scenario.ts';
