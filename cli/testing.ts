/**
 * Simulation in one's own tests, published as `kimberlite/testing`: `simTest` for node:test, Vitest
 * and whatever else takes a function. How to: docs/own_systems.md.
 */
export { simTest, simulate } from './testing/sim_test.ts';
export { type InlineScenario, type SimTestOptions } from './testing/options.ts';
export { SimulationFailure, type SimTestReport } from './testing/simulation_failure.ts';
export { type Plan, type ScenarioOptions } from '../sim/plan.ts';
export { planOf, type PlanOptions } from '../sim/testing/plan_of.ts';
export { findScenario } from '../scenarios/registry.ts';
