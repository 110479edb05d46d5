/**
 * A bench for single ports: queue, time, decisions and counters without a world.
 */
import { CONFIG_SMALL } from '../../../core/constants.ts';
import { MessagePool, allocateAligned } from '../../../core/message/pool.ts';
import { type PinnedDecision } from '../../../sim/plan.ts';
import { zonesOf } from '../../../core/storage/data_file.ts';
import { Counters } from '../../../sim/counters.ts';
import { Decisions } from '../../../sim/decide.ts';
import { EventQueue } from '../../../sim/event_queue.ts';
import { type NetworkPlan, type StoragePlan } from '../../../sim/plan.ts';

export const KIND_NETWORK: NetworkPlan = {
  delayMinMicros: 100,
  delayMeanMicros: 0,
  linkSpreadPercent: 0,
  lossPpm: 0,
  duplicationPpm: 0,
  corruptionPpm: 0,
  linkCapacity: 1000,
};

export const KIND_STORAGE: StoragePlan = {
  readMinMicros: 5,
  readMeanMicros: 50,
  writeMinMicros: 10,
  writeMeanMicros: 100,
  syncMinMicros: 10,
  syncMeanMicros: 100,
  lostPpm: 0,
  tornPpm: 0,
  garbagePpm: 0,
};

export const ZONES = zonesOf(CONFIG_SMALL);

export class Bench {
  readonly time = { now: 0 };
  readonly queue = new EventQueue();
  readonly counters = new Counters();
  readonly decisions: Decisions;

  constructor(seed: number, pins: readonly PinnedDecision[] = []) {
    this.decisions = new Decisions([seed, 2, 3, 4], pins);
  }
}

export function smallPool(): MessagePool {
  return new MessagePool({
    smallCount: 512,
    smallSize: 4096,
    largeCount: 64,
    largeSize: CONFIG_SMALL.messageSizeMax,
    allocate: allocateAligned,
  });
}
