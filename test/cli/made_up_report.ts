/** A report that no run made, with something in every field: for the tests of what reports become. */
import { type RunReport } from '../../cli/render/report.ts';
import { type CampaignViolation } from '../../sim/search/campaign_summary.ts';
import { NO_LIMITS } from '../../sim/search/seed_result.ts';

export const CODE = { version: '0.1.0', commit: 'faccfb7', node: 'v24.21.0' };
export const VIOLATION: CampaignViolation = {
  seed: 1182,
  invariant: 'agreement',
  message: 'op 7: replica 0 committed 12ab, replica 2 committed 98fe',
  event: 4211,
  virtualMicros: 3_201_442,
  replicas: [0, 2],
};
export const REPORT: RunReport = {
  scope: {
    seeds: { first: 1000, count: 200 },
    shard: { index: 1, shards: 1 },
    limits: NO_LIMITS,
    checkDeterminism: false,
  },
  summary: {
    scenario: 'combined',
    first: 1000,
    count: 200,
    passed: 197,
    violations: [VIOLATION],
    vacuous: [1003, 1007],
    unmet: { 'crashes: 0, at least 1': 2 },
    shares: [],
    events: 4_000_000,
    messages: 3_000_000,
    storageOps: 500_000,
    commits: 60_000,
    viewChanges: 300,
    crashes: 400,
    virtualMicros: 4_000_500_000,
    checks: { agreement: 180_000, liveness: 600 },
    gates: { crashes: 400 },
    faults: { 'loss.applied': 9000 },
    probes: { 'checkpoint: cut': 70, 'grid: block read error': 0 },
    canaryReached: 0,
    digest: '000102030405060708090a0b0c0d0e0f',
  },
  bundles: ['.vopr/bundles/combined-1182-agreement.kmb'],
  canary: null,
  startedAt: '2026-11-22T05:42:07.123Z',
  wallSeconds: 8.0004,
  code: CODE,
  missing: [],
};
