/** Seed results and campaigns that never ran, for what shows them. */
import { type Declared } from '../../../cli/live/declared.ts';
import { type SeedResult } from '../../../sim/search/seed_result.ts';

export const DECLARED: Declared = {
  probes: ['journal: torn', 'grid: repaired', 'never: reached'],
  checkers: [
    { id: 'agreement', claim: 'No two replicas commit different prepares at one op' },
    { id: 'liveness', claim: 'What is asked is answered' },
  ],
  canaries: ['deaf-primary', 'lazy-backup'],
  faultClasses: ['loss', 'crash', 'partition'],
  scenarios: [
    {
      name: 'calm',
      gates: [{ counter: 'client.replies', min: 5 }, { counter: 'replica.view_changes', max: 0 }],
    },
    { name: 'storm', gates: [{ counter: 'replica.crashes', min: 1 }] },
  ],
};

export function seedResult(seed: number, change: Partial<SeedResult> = {}): SeedResult {
  return {
    seed,
    digest: '00'.repeat(16),
    events: 1000,
    messages: 500,
    storageOps: 200,
    commits: 10,
    viewChanges: 2,
    crashes: 1,
    virtualMicros: 2_000_000,
    violation: null,
    unmet: [],
    shares: [],
    checks: { agreement: 7, liveness: 0 },
    gates: { 'client.replies': 6, 'replica.view_changes': 2 },
    faults: { 'loss.attempted': 4, 'loss.applied': 3, 'loss.observed': 1, 'crash.attempted': 1 },
    probes: { 'journal: torn': 3 },
    canaryReached: 0,
    ...change,
  };
}

export function failing(seed: number, message = 'R0 committed a, R2 committed b'): SeedResult {
  const violation = { invariant: 'agreement', message, event: 321, virtualMicros: 5_266, replicas: [0, 2] };
  return seedResult(seed, { violation, events: 321 });
}
