/**
 * The plainest plan there is: three replicas, one client with one append, every message takes a
 * millisecond and every disk access a tenth of one, nothing goes wrong. What a plan says beyond
 * this is what a reader of it has to know; the minimiser moves every number towards these.
 */
import { CONFIG_SMALL } from '../../core/constants.ts';
import { EVENT_ID_SIZE } from '../../invariants/invariant.ts';
import { type NetworkPlan, type StoragePlan, type WorkloadPlan } from '../plan.ts';

export const PLAIN_REPLICAS = 3;

export const PLAIN_CONFIG = CONFIG_SMALL;

export const PLAIN_NETWORK: NetworkPlan = Object.freeze({
  delayMinMicros: 1_000,
  delayMeanMicros: 0,
  linkSpreadPercent: 0,
  lossPpm: 0,
  duplicationPpm: 0,
  corruptionPpm: 0,
  linkCapacity: 1_000,
});

export const PLAIN_STORAGE: StoragePlan = Object.freeze({
  readMinMicros: 100,
  readMeanMicros: 0,
  writeMinMicros: 100,
  writeMeanMicros: 0,
  syncMinMicros: 100,
  syncMeanMicros: 0,
  lostPpm: 0,
  tornPpm: 0,
  garbagePpm: 0,
});

export const PLAIN_CLOCK = Object.freeze({ offsetMicros: 0, driftPpm: 0 });

/** An event is as large as its identity. */
const PAYLOAD_BYTES = Object.freeze([EVENT_ID_SIZE, EVENT_ID_SIZE] as const);
const ONE = Object.freeze([1, 1] as const);
const NONE = Object.freeze([0, 0] as const);

export const PLAIN_WORKLOAD: WorkloadPlan = Object.freeze({
  clients: 1,
  operationsPerClient: 1,
  tenants: 1,
  streams: 1,
  appendWeight: 1,
  readWeight: 0,
  streamInfoWeight: 0,
  listStreamsWeight: 0,
  createTenantWeight: 0,
  createStreamWeight: 0,
  deleteStreamWeight: 0,
  eventsPerAppend: ONE,
  payloadBytes: PAYLOAD_BYTES,
  expectedExactPpm: 0,
  expectedStalePpm: 0,
  idempotentPpm: 0,
  reissuePpm: 0,
  thinkMicros: NONE,
  idlePpm: 0,
  idleMicros: NONE,
  omitted: Object.freeze([]),
});

/** Ten seconds in which faults may strike, then a minute in which everything must come right. */
export const PLAIN_FAULT_MICROS = 10_000_000;
export const PLAIN_HEAL_MICROS = 60_000_000;
export const PLAIN_EVENTS_MAX = 5_000_000;
