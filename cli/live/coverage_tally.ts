/**
 * How much of what is declared the seeds of a campaign have come by: probes, checkers, gates, fault
 * classes. Every dimension has its declared denominator, also before the first seed.
 *
 * Counted per seed where that says more than a sum: a probe hit a million times in one seed is
 * still a rare one.
 */
import { gateInWords, gateIsMet } from '../../sim/gate.ts';
import { type Gate } from '../../sim/plan.ts';
import { type SeedResult } from '../../sim/search/seed_result.ts';
import { type Declared } from './declared.ts';

/** What a tally needs of a seed. */
export type SeedCoverage = Pick<SeedResult, 'probes' | 'checks' | 'gates' | 'faults'>;

export interface Dimension {
  readonly name: string;
  readonly reached: number;
  readonly declared: number;
}

export interface ProbeCoverage {
  readonly name: string;
  readonly hits: number;
  /** Seeds that came by. */
  readonly seeds: number;
}

export interface CheckerCoverage {
  readonly id: string;
  readonly claim: string;
  /** Comparisons made. */
  readonly checks: number;
}

export interface GateCoverage {
  readonly scenario: string;
  /** In words. */
  readonly gate: string;
  /** Seeds that met it, of those that ran. */
  readonly met: number;
  readonly seeds: number;
}

export interface FaultCoverage {
  readonly fault: string;
  readonly attempted: number;
  readonly applied: number;
  readonly observed: number;
}

export class CoverageTally {
  private readonly declared: Declared;
  private readonly probes = new Map<string, { hits: number; seeds: number }>();
  private readonly checks = new Map<string, number>();
  private readonly faults = new Map<string, number>();
  /** By scenario and gate. */
  private readonly gates = new Map<string, { met: number; seeds: number }>();
  /** Scenarios whose gates count, in order. */
  private readonly scenarios: string[] = [];

  constructor(declared: Declared) {
    this.declared = declared;
  }

  /** From here on the gates of this scenario are part of the denominator. */
  expect(scenario: string): void {
    if (!this.scenarios.includes(scenario)) this.scenarios.push(scenario);
  }

  add(scenario: string, seed: SeedCoverage): void {
    for (const [name, hits] of Object.entries(seed.probes)) this.addProbe(name, hits, 1);
    addAll(this.checks, seed.checks);
    addAll(this.faults, seed.faults);
    for (const gate of this.gatesOf(scenario)) {
      const value = seed.gates[gate.counter];
      if (value !== undefined) this.addGate(scenario, gate, gateIsMet(gate, value) ? 1 : 0, 1);
    }
  }

  addProbe(name: string, hits: number, seeds: number): void {
    if (hits <= 0) return;
    const probe = this.probes.get(name) ?? { hits: 0, seeds: 0 };
    this.probes.set(name, { hits: probe.hits + hits, seeds: probe.seeds + seeds });
  }

  addChecks(checks: Readonly<Record<string, number>>): void {
    addAll(this.checks, checks);
  }

  addFaults(faults: Readonly<Record<string, number>>): void {
    addAll(this.faults, faults);
  }

  addGate(scenario: string, gate: Gate, met: number, seeds: number): void {
    const key = `${scenario} ${gateInWords(gate)}`;
    const sum = this.gates.get(key) ?? { met: 0, seeds: 0 };
    this.gates.set(key, { met: sum.met + met, seeds: sum.seeds + seeds });
  }

  dimensions(): readonly Dimension[] {
    const gates = this.gateCoverage();
    const faults = this.faultCoverage();
    const probes = this.probeCoverage();
    const checkers = this.checkerCoverage();
    return [
      dimension('probes reached', probes.filter(({ seeds }) => seeds > 0).length, probes.length),
      dimension('checkers at work', checkers.filter(({ checks }) => checks > 0).length, checkers.length),
      dimension('gates met', gates.filter(({ met }) => met > 0).length, gates.length),
      dimension('faults attempted', faults.filter(({ attempted }) => attempted > 0).length, faults.length),
      dimension('faults applied', faults.filter(({ applied }) => applied > 0).length, faults.length),
      dimension('faults observed', faults.filter(({ observed }) => observed > 0).length, faults.length),
    ];
  }

  /** Every declared probe, in order of declaration. */
  probeCoverage(): readonly ProbeCoverage[] {
    return this.declared.probes.map((name) => {
      return { name, ...(this.probes.get(name) ?? { hits: 0, seeds: 0 }) };
    });
  }

  checkerCoverage(): readonly CheckerCoverage[] {
    return this.declared.checkers.map(({ id, claim }) => {
      return { id, claim, checks: this.checks.get(id) ?? 0 };
    });
  }

  /** The gates of the scenarios that were announced or have run. */
  gateCoverage(): readonly GateCoverage[] {
    return this.scenarios.flatMap((scenario) =>
      this.gatesOf(scenario).map((gate) => {
        const words = gateInWords(gate);
        const sum = this.gates.get(`${scenario} ${words}`) ?? { met: 0, seeds: 0 };
        return { scenario, gate: words, ...sum };
      }),
    );
  }

  faultCoverage(): readonly FaultCoverage[] {
    return this.declared.faultClasses.map((fault) => {
      const of = (stage: string): number => this.faults.get(`${fault}.${stage}`) ?? 0;
      return {
        fault,
        attempted: of('attempted'),
        applied: of('applied'),
        observed: of('observed'),
      };
    });
  }

  private gatesOf(scenario: string): readonly Gate[] {
    return this.declared.scenarios.find(({ name }) => name === scenario)?.gates ?? [];
  }
}

function dimension(name: string, reached: number, declared: number): Dimension {
  return { name, reached, declared };
}

function addAll(sums: Map<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [key, count] of Object.entries(counts)) sums.set(key, (sums.get(key) ?? 0) + count);
}
