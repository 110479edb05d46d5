/**
 * The systems that this process knows by name. A plan names its system and brings no code: whoever
 * runs it has loaded the system before, because somebody asked for it by name or by module.
 */
import { CANARY, type CanaryId } from '../core/canary.ts';
import { type Canary } from './canaries.ts';
import { KIMBERLITE } from './kimberlite.ts';
import { type Plan } from './plan.ts';
import { type System } from './system.ts';

export class UnknownSystem extends Error {
  override readonly name = 'UnknownSystem';
}

const systems = new Map<string, System>([[KIMBERLITE.name, KIMBERLITE]]);

/** The latest of a name counts: a test may define it anew. Kimberlite's own name is taken. */
export function registerSystem(system: System): void {
  if (system.name === KIMBERLITE.name) throw new Error(`the name "${system.name}" is taken`);
  systems.set(system.name, system);
}

/** By name; null for null. Throws when the system has none of that name. */
export function canaryOf(system: System, name: string | null): Canary | null {
  if (name === null) return null;
  const canary = system.canaries.find((candidate) => candidate.name === name);
  if (canary !== undefined) return canary;
  throw new Error(`system "${system.name}" has no canary "${name}"`);
}

/** The id of that canary in the plan's system; `CANARY.none` for null. */
export function canaryIdOf(plan: Plan, name: string | null): CanaryId {
  return canaryOf(systemOf(plan), name)?.id ?? CANARY.none;
}

/** Throws `UnknownSystem` when nobody has loaded it. */
export function systemOf(plan: Pick<Plan, 'system'>): System {
  const name = plan.system ?? KIMBERLITE.name;
  const system = systems.get(name);
  if (system !== undefined) return system;
  throw new UnknownSystem(`system "${name}" is not loaded: name its module with --system`);
}
