/**
 * The catalogue of canaries: which bug each is, who must catch it, and within how many seeds of
 * which scenario. Ids are those of core/canary.ts. A canary is caught only when the named checker
 * reports the run's violation; anything else that stops the run is an accident.
 *
 * The checker named is the one closest to the broken promise, not the last line of defence: a
 * quorum that is too small is seen by acked_durability at the first reply, long before two
 * replicas commit different ops and agreement breaks.
 */
import { CANARY, type CanaryId } from '../core/canary.ts';

export interface Canary {
  readonly name: string;
  readonly id: CanaryId;
  /** The bug, in a sentence. */
  readonly bug: string;
  /** Id of the checker that must catch it. */
  readonly caughtBy: string;
  readonly scenario: string;
  /** Seeds of the scenario, from 1, within which it must be caught. */
  readonly seeds: number;
}

export const CANARIES: readonly Canary[] = Object.freeze([
  {
    name: 'quorum-too-small',
    id: CANARY.quorumTooSmall,
    bug: 'The primary counts one acknowledgement fewer than a replication quorum as enough',
    caughtBy: 'acked_durability',
    scenario: 'network_partition_symmetric',
    seeds: 50,
  },
  {
    name: 'commit-before-quorum',
    id: CANARY.commitBeforeQuorum,
    bug: 'The primary commits and answers as soon as it has prepared, without waiting for a quorum',
    caughtBy: 'acked_durability',
    scenario: 'baseline',
    seeds: 20,
  },
  {
    name: 'view-change-longest-log',
    id: CANARY.viewChangeLongestLog,
    bug: 'A new primary takes the log with the highest op, whatever the view in which it was fixed',
    caughtBy: 'agreement',
    scenario: 'race_concurrent_view_changes',
    seeds: 200,
  },
  {
    name: 'ack-before-sync',
    id: CANARY.ackBeforeSync,
    bug: 'A backup acknowledges a prepare that it has written and not yet synced',
    caughtBy: 'acked_durability',
    scenario: 'restart_all_at_once',
    seeds: 20,
  },
  {
    name: 'reply-cache-skipped',
    id: CANARY.replyCacheSkipped,
    bug: 'A repeated request is executed again instead of being answered from the session table',
    caughtBy: 'exactly_once',
    scenario: 'message_loss',
    seeds: 50,
  },
  {
    name: 'truncate-committed',
    id: CANARY.truncateCommitted,
    bug: 'A view change discards an op that may have committed because some replica lacks it',
    caughtBy: 'agreement',
    scenario: 'race_concurrent_view_changes',
    seeds: 200,
  },
  {
    name: 'torn-write-accepted',
    id: CANARY.tornWriteAccepted,
    bug: 'Journal recovery trusts a prepare by its header alone, though its body is torn',
    caughtBy: 'torn_write_recovery',
    scenario: 'corruption_torn_write',
    seeds: 100,
  },
  {
    name: 'repair-without-checksum',
    id: CANARY.repairWithoutChecksum,
    bug: 'A prepare or block from a peer is taken without verifying the checksum of its body',
    caughtBy: 'agreement',
    scenario: 'message_loss',
    seeds: 100,
  },
  {
    name: 'stale-view-accepted',
    id: CANARY.staleViewAccepted,
    bug: 'A replica installs the start_view of a view that is over',
    caughtBy: 'view_monotonicity',
    scenario: 'race_concurrent_view_changes',
    seeds: 200,
  },
  {
    name: 'offset-reused',
    id: CANARY.offsetReused,
    bug: 'After a refused append the next one gets the offset of the last event again',
    caughtBy: 'offset_monotonicity',
    scenario: 'baseline',
    seeds: 20,
  },
  {
    name: 'chain-link-skipped',
    id: CANARY.chainLinkSkipped,
    bug: 'Some records do not name the hash of the record before them',
    caughtBy: 'hash_chain',
    scenario: 'baseline',
    seeds: 20,
  },
  {
    name: 'double-apply',
    id: CANARY.doubleApply,
    bug: 'Some committed commands are applied to the state twice',
    caughtBy: 'stream_model',
    scenario: 'baseline',
    seeds: 20,
  },
  {
    name: 'view-not-durable',
    id: CANARY.viewNotDurable,
    bug: 'A replica votes in a view before its superblock holds that view',
    caughtBy: 'view_monotonicity',
    scenario: 'crash_recovery',
    seeds: 50,
  },
  {
    name: 'nondeterministic-state',
    id: CANARY.nondeterministicState,
    bug: 'A value that only one replica knows enters the replicated state',
    caughtBy: 'replica_convergence',
    scenario: 'crash_recovery',
    seeds: 50,
  },
  {
    name: 'checkpoint-block-skipped',
    id: CANARY.checkpointBlockSkipped,
    bug: 'A checkpoint names a block that was never written',
    caughtBy: 'replica_convergence',
    scenario: 'baseline',
    seeds: 20,
  },
  {
    name: 'stale-read',
    id: CANARY.staleRead,
    bug: 'A replica answers a read from its own state without confirming that the state is current',
    caughtBy: 'client_history',
    scenario: 'message_loss',
    seeds: 50,
  },
  {
    name: 'repair-never',
    id: CANARY.repairNever,
    bug: 'A replica that misses prepares never asks for them',
    caughtBy: 'liveness',
    scenario: 'message_loss',
    seeds: 50,
  },
] satisfies Canary[]);

export const CANARY_NAMES: readonly string[] = CANARIES.map((canary) => canary.name);

/** By name; snake_case is accepted. Null when there is none. */
export function findCanary(name: string): Canary | null {
  const wanted = name.replaceAll('_', '-');
  return CANARIES.find((canary) => canary.name === wanted) ?? null;
}
