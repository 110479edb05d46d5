/**
 * Canaries: deliberate bugs compiled into the real code behind a name, off by default. One is
 * armed at a time, by the simulator only. When none is armed each site costs one comparison of
 * two module-level numbers.
 *
 *   if (canaryIs(CANARY.commitBeforeQuorum)) threshold = 1;
 *
 * A site that is armed must be reached: `canaryReached` counts, so that an armed canary which
 * no code path met is reported and not mistaken for a survivor.
 */
export const CANARY = {
  none: 0,
  quorumTooSmall: 1,
  commitBeforeQuorum: 2,
  viewChangeLongestLog: 3,
  ackBeforeSync: 4,
  replyCacheSkipped: 5,
  truncateCommitted: 6,
  tornWriteAccepted: 7,
  repairWithoutChecksum: 8,
  staleViewAccepted: 9,
  offsetReused: 10,
  chainLinkSkipped: 11,
  doubleApply: 12,
  viewNotDurable: 13,
  nondeterministicState: 14,
  checkpointBlockSkipped: 15,
  staleRead: 16,
  repairNever: 17,
} as const;
export type CanaryId = (typeof CANARY)[keyof typeof CANARY];

/** Kimberlite's own are below. */
let nextOwn = 1000;

/**
 * The id of a canary in a component of one's own: `const ACK_EARLY = defineCanary();` and, where the
 * bug would be, `canaryIs(ACK_EARLY)`. Ids hold within a process; bundles carry the canary's name.
 */
export function defineCanary(): CanaryId {
  return nextOwn++ as CanaryId;
}

let armed: number = CANARY.none;
let reached = 0;

export function armCanary(id: CanaryId): void {
  armed = id;
  reached = 0;
}

/** True when `id` is armed; counts the visit. Call it only where the bug would change behaviour. */
export function canaryIs(id: CanaryId): boolean {
  if (armed !== id) return false;
  reached++;
  return true;
}

export function canaryReached(): number {
  return reached;
}
