/**
 * All scenarios, in the order in which `vopr run --all` takes them.
 */
import { baseline } from './core/baseline.ts';
import { combined } from './core/combined.ts';
import { swizzleClogging } from './core/swizzle_clogging.ts';
import { corruptionBitFlip } from './corruption/corruption_bit_flip.ts';
import { corruptionTornWrite } from './corruption/corruption_torn_write.ts';
import { crashRecovery } from './crash/crash_recovery.ts';
import { restartAllAtOnce } from './crash/restart_all_at_once.ts';
import { nearestName } from './nearest.ts';
import { messageLoss } from './network/message_loss.ts';
import { messageReorder } from './network/message_reorder.ts';
import { networkPartitionAsymmetric } from './network/network_partition_asymmetric.ts';
import { networkPartitionSymmetric } from './network/network_partition_symmetric.ts';
import { raceConcurrentViewChanges } from './race/race_concurrent_view_changes.ts';
import { type Scenario } from './scenario.ts';

export const SCENARIOS: readonly Scenario[] = [
  baseline,
  swizzleClogging,
  networkPartitionSymmetric,
  networkPartitionAsymmetric,
  messageLoss,
  messageReorder,
  crashRecovery,
  restartAllAtOnce,
  corruptionBitFlip,
  corruptionTornWrite,
  raceConcurrentViewChanges,
  combined,
];

export const SCENARIO_NAMES: readonly string[] = SCENARIOS.map((scenario) => scenario.name);

/** By name; kebab-case is accepted. Null when there is none: ask `nearestScenario`. */
export function findScenario(name: string): Scenario | null {
  const wanted = name.replaceAll('-', '_');
  return SCENARIOS.find((scenario) => scenario.name === wanted) ?? null;
}

/** The name that was probably meant, or null. */
export function nearestScenario(name: string): string | null {
  return nearestName(name, SCENARIO_NAMES);
}
