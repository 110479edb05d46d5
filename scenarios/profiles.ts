/**
 * Parts that scenarios share: disks and networks without faults, the ordinary workload, and the
 * checkers that every run must exercise. Figures: reference "vopr" 0.1 and 4.2.
 */
import { type NetworkProfile, type StorageProfile, type WorkloadProfile } from '../sim/plan.ts';
import { MILLISECOND, percent } from './scenario.ts';

/** A healthy network of one building. */
export const NETWORK: NetworkProfile = {
  delayMinMicros: [100, 1 * MILLISECOND],
  delayMeanMicros: [500, 5 * MILLISECOND],
  linkSpreadPercent: 20,
};

/** A healthy disk: writes 10 µs to about 1 ms, reads 5 µs to about half of it, a sync as a write. */
export const STORAGE: StorageProfile = {
  readMinMicros: 5,
  readMeanMicros: [50, 200],
  writeMinMicros: 10,
  writeMeanMicros: [100, 500],
  syncMinMicros: 50,
  syncMeanMicros: [100, 500],
};

/** What power loss does to sectors that were never synced: about half lost, some torn. */
export const STORAGE_CRASH: StorageProfile = {
  ...STORAGE,
  lostPpm: [percent(20), percent(100)],
  tornPpm: percent(50),
  garbagePpm: percent(5),
};

/**
 * Appends and reads of a few streams, sharing names between tenants on purpose. Clients rest
 * between operations so that a run of a few hundred of them covers tens of virtual seconds: faults
 * then meet a cluster at work, and idle time costs nothing.
 */
export const WORKLOAD: WorkloadProfile = {
  tenants: [1, 2],
  streams: [1, 4],
  weights: {
    append: 60,
    read: 25,
    streamInfo: 8,
    listStreams: 2,
    createTenant: 1,
    createStream: 3,
    deleteStream: 1,
  },
  eventsPerAppend: [1, 6],
  payloadBytes: [8, 160],
  expectedExactPpm: percent(30),
  expectedStalePpm: percent(5),
  idempotentPpm: percent(30),
  reissuePpm: percent(10),
  thinkMicros: [1 * MILLISECOND, 250 * MILLISECOND],
};

/**
 * Checkers that compare something in every run of several replicas, faults or not. Not
 * journal_consistency: a history may end exactly at a checkpoint, with nothing above it.
 */
export const CORE_CHECKERS: readonly string[] = [
  'agreement',
  'prefix',
  'prepare_chain',
  'commit_monotonicity',
  'view_monotonicity',
  'reply_consistency',
  'acked_durability',
  'exactly_once',
  'offset_monotonicity',
  'hash_chain',
  'stream_model',
  'replica_convergence',
  'client_history',
  'liveness',
  'no_panic',
];

/** And those that compare something only when a replica restarts. */
export const CRASH_CHECKERS: readonly string[] = [...CORE_CHECKERS, 'torn_write_recovery'];
