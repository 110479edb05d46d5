/** Ledgers that no run wrote, for the tests of what reads them. */
import { join } from 'node:path';
import { LedgerFile } from '../../cli/vopr/ledger.ts';
import { type LedgerEntry } from '../../cli/vopr/ledger_line.ts';
import { CampaignTotals } from '../../sim/search/campaign_summary.ts';
import { NO_LIMITS, type SeedResult } from '../../sim/search/seed_result.ts';

export const CODE = { version: '0.1.0', commit: 'faccfb7a0b1c', node: 'v24.21.0' };
export const VIOLATION = {
  invariant: 'agreement',
  message: 'op 7: “ä” and b',
  event: 9,
  virtualMicros: 4,
  replicas: [0],
};

type Started = Extract<LedgerEntry, { kind: 'started' }>;

export function started(change: Partial<Started> = {}): Started {
  return {
    kind: 'started',
    scenario: 'combined',
    seeds: { first: 1, count: 10 },
    shard: { index: 1, shards: 1 },
    early: [],
    canary: null,
    limits: NO_LIMITS,
    checkDeterminism: false,
    keepGoing: true,
    jobs: 2,
    code: CODE,
    ...change,
  };
}

export function failure(seed: number): LedgerEntry {
  return { kind: 'failure', seed, ...VIOLATION, signature: 'agreement', bundle: `b/${seed}.kmb` };
}

type Ended = Extract<LedgerEntry, { kind: 'ended' }>;

export function ended(
  seeds: readonly number[],
  failed: readonly number[],
  unmet: readonly number[] = [],
): Ended {
  const totals = new CampaignTotals(['p: reached', 'p: never']);
  for (const seed of seeds) {
    const result: SeedResult = {
      seed, digest: 'aa', events: 5, messages: 4, storageOps: 3, commits: 2, viewChanges: 1, crashes: 0,
      virtualMicros: 7, violation: failed.includes(seed) ? VIOLATION : null,
      unmet: unmet.includes(seed) ? ['crashes at least 1: 0'] : [], shares: [], checks: { agreement: 3 },
      gates: {}, faults: {}, probes: { 'p: reached': 1 }, canaryReached: 0,
    };
    totals.add('combined', result);
  }
  const summary = totals.summary('combined', 1);
  const bundles = failed.map((seed) => `b/${seed}.kmb`);
  return { kind: 'ended', interrupted: false, summary, bundles, wallSeconds: 1.5 };
}

export interface LedgerMaker {
  newPath(): string;
  /** Returns the path; the campaigns are c0, c1, ... */
  written(...campaigns: readonly (readonly LedgerEntry[])[]): string;
}

export function ledgersIn(directory: string): LedgerMaker {
  let files = 0;
  const newPath = (): string => join(directory, 'made', `${++files}.jsonl`);
  return {
    newPath,
    written(...campaigns) {
      const path = newPath();
      const file = new LedgerFile(path);
      campaigns.forEach((entries, i) => {
        for (const entry of entries) file.append(`c${i}`, entry);
      });
      file.close();
      return path;
    },
  };
}

export const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);
