/**
 * Probes: named rare situations in production code. The simulator counts them, scenarios require
 * them, and a campaign lists the ones that no run ever reached. `probe.hits++` costs about 1 ns.
 *
 *   const commitOutOfOrder = defineProbe('commit: quorum out of order');
 *   ...
 *   commitOutOfOrder.hits++;
 */
export interface Probe {
  readonly name: string;
  hits: number;
}

const registry = new Map<string, Probe>();

/** One probe a name; defining a name twice is a programming error. */
export function defineProbe(name: string): Probe {
  if (registry.has(name)) throw new Error(`probe "${name}" is defined twice`);
  const probe: Probe = { name, hits: 0 };
  registry.set(name, probe);
  return probe;
}

/** All probes in order of definition. */
export function allProbes(): readonly Probe[] {
  return [...registry.values()];
}

export function resetProbes(): void {
  for (const probe of registry.values()) probe.hits = 0;
}
