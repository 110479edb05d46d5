/**
 * The seeds that went where few others went. A seed's rarity is the sum, over the probes it reached,
 * of one divided by the number of seeds that reached that probe: 1.0 is worth one probe that nobody
 * else reached. Rarities fall as other seeds come by, so they are computed when asked for.
 *
 * Memory is bounded: when there are too many candidates the least rare ones are forgotten. One that
 * was forgotten could have ended higher only if the others' probes had become common meanwhile.
 */
const CANDIDATES_MAX = 256;

export interface TopSeed {
  readonly scenario: string;
  readonly seed: number;
  readonly events: number;
  readonly rarity: number;
  /** Probes reached. */
  readonly probes: number;
  /** The probe of this seed that the fewest seeds reached, and how many did. */
  readonly rarest: string;
  readonly rarestSeeds: number;
}

interface Candidate {
  readonly scenario: string;
  readonly seed: number;
  readonly events: number;
  readonly probes: readonly string[];
}

export class TopSeeds {
  private readonly seedsReached = new Map<string, number>();
  private candidates: Candidate[] = [];

  add(scenario: string, seed: number, events: number, probes: readonly string[]): void {
    for (const probe of probes) {
      this.seedsReached.set(probe, (this.seedsReached.get(probe) ?? 0) + 1);
    }
    if (probes.length === 0) return;
    this.candidates.push({ scenario, seed, events, probes });
    if (this.candidates.length >= CANDIDATES_MAX * 2) this.candidates = this.best(CANDIDATES_MAX);
  }

  /** The first `count`, rarest first; equals in order of scenario and seed. */
  ranked(count: number): readonly TopSeed[] {
    return this.best(count).map((candidate) => {
      const rarest = this.rarestOf(candidate);
      return {
        scenario: candidate.scenario,
        seed: candidate.seed,
        events: candidate.events,
        rarity: this.rarity(candidate),
        probes: candidate.probes.length,
        rarest,
        rarestSeeds: this.reached(rarest),
      };
    });
  }

  private best(count: number): Candidate[] {
    const scored = this.candidates.map((candidate) => ({ candidate, rarity: this.rarity(candidate) }));
    scored.sort((a, b) => {
      if (a.rarity !== b.rarity) return b.rarity - a.rarity;
      if (a.candidate.scenario !== b.candidate.scenario) {
        return a.candidate.scenario < b.candidate.scenario ? -1 : 1;
      }
      return a.candidate.seed - b.candidate.seed;
    });
    return scored.slice(0, count).map(({ candidate }) => candidate);
  }

  private rarity({ probes }: Candidate): number {
    return probes.reduce((sum, probe) => sum + 1 / this.reached(probe), 0);
  }

  private rarestOf({ probes }: Candidate): string {
    return probes.reduce((a, b) => (this.reached(b) < this.reached(a) ? b : a));
  }

  private reached(probe: string): number {
    return this.seedsReached.get(probe) ?? 1;
  }
}
