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

/** Hits so far, in order of definition. */
export function probeMark(): Float64Array {
  return Float64Array.from(registry.values(), (probe) => probe.hits);
}

/**
 * The probes hit from one mark to a later one, by name. Hits count over all runs of a process: of
 * two runs that are interleaved, each is given those of both.
 */
export function hitsBetween(before: Float64Array, after: Float64Array): Record<string, number> {
  const hits: Record<string, number> = {};
  let i = 0;
  for (const { name } of registry.values()) {
    const count = (after[i] ?? 0) - (before[i] ?? 0); // One defined after a mark stood at 0.
    if (count > 0) hits[name] = count;
    i++;
  }
  return hits;
}
