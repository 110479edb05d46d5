/**
 * What one seed left behind: plain data, so that it crosses a thread boundary as it is. Everything
 * above the world (campaigns, bundles, programs) speaks in these terms.
 */
export interface SeedViolation {
  /** Id of the checker. */
  readonly invariant: string;
  /** The two facts that contradict. */
  readonly message: string;
  /** Number of the event during which the checker spoke; the first event is 1. */
  readonly event: number;
  readonly virtualMicros: number;
  /** Indices of the replicas concerned, as far as they are known. */
  readonly replicas: readonly number[];
}

export interface SeedResult {
  readonly seed: number;
  /** Hexadecimal; a function of the code and the plan alone. */
  readonly digest: string;
  readonly events: number;
  readonly messages: number;
  readonly storageOps: number;
  /** Ops of the canonical history. */
  readonly commits: number;
  readonly viewChanges: number;
  readonly crashes: number;
  readonly virtualMicros: number;
  readonly violation: SeedViolation | null;
  /** What should have happened and did not, in words; empty unless the run was vacuous. */
  readonly unmet: readonly string[];
  /** Gates that are judged over a batch of seeds, and whether this one met them. */
  readonly shares: readonly ShareGate[];
  /** Comparisons made, by checker id. */
  readonly checks: Readonly<Record<string, number>>;
  /** How often each thing that the scenario's gate asks for happened. */
  readonly gates: Readonly<Record<string, number>>;
  /** Faults applied, by kind. */
  readonly faults: Readonly<Record<string, number>>;
  /** Hits of the probes in core/ that this run came by, by name. No part of the digest. */
  readonly probes: Readonly<Record<string, number>>;
  /** Visits of the armed canary's sites. */
  readonly canaryReached: number;
}

/** What must have happened in a share of the seeds, not in every one. */
export interface ShareGate {
  /** In words, with what was asked for. */
  readonly gate: string;
  readonly sharePpm: number;
  readonly met: boolean;
}

/** Caps on one run; null: the scenario's own. */
export interface SeedLimits {
  readonly events: number | null;
  readonly micros: number | null;
}

export const NO_LIMITS: SeedLimits = Object.freeze({ events: null, micros: null });
