/**
 * What is tried, and in which order: from big cuts that cost little to small ones that cost much. A
 * group is repeated until it changes nothing, then comes the next; after the last the round begins
 * anew, until one changes nothing.
 *
 * Shape comes first. As long as rates are in the plan, a smaller plan meets other losses than the
 * larger did, and may well fail too; once they are pinned, it meets only those that it is told of.
 */
import { type Plan } from '../../plan.ts';
import { PLAIN_FAULT_MICROS, PLAIN_HEAL_MICROS } from '../../testing/plain_plan.ts';
import { planOf } from '../../testing/plan_of.ts';
import { type Best } from './facts.ts';
import { Edits, OneOf, type Edit, type Pass } from './pass.ts';
import { usedPins } from './pins.ts';
import { operationList, withDecisions, withFaults, withOperations } from './plan_edits.ts';
import { aimedFaults, faultLadders, inOrder, timeLadders } from './plan_faults.ts';
import { numbersOf, plainerValues, SECTIONS, withPlainNumbers } from './plan_numbers.ts';
import * as chance from './reduce_chance.ts';
import * as shape from './reduce_shape.ts';

export interface Reduction {
  /** For progress: what is being tried. */
  readonly name: string;
  /** Made when its turn comes; null: nothing of the kind is in the plan. */
  readonly begin: (best: Best) => Pass | null;
  /** What fails alike may still be refused; left out: nothing is. */
  readonly accepts?: (before: Best, after: Best) => boolean;
}

export interface ReductionGroup {
  /** In the first round only. */
  readonly once?: true;
  readonly reductions: readonly Reduction[];
}

export interface ReductionOptions {
  /** Sizes of the cluster that the scenario allows. */
  readonly replicas: readonly number[];
  /** Id of the checker that spoke. */
  readonly invariant: string;
}

export function reductionGroups(options: ReductionOptions): readonly ReductionGroup[] {
  const { replicas, invariant } = options;
  // How long one waits for the cluster to come back is no number to be reduced when that is the
  // failure: no cluster comes back at once.
  const sections = SECTIONS.filter((name) => name !== 'healMicros' || invariant !== 'liveness');
  const end: Reduction = { name: 'end', begin: () => endAtFailure(invariant) };
  return [
    {
      once: true,
      reductions: [end, { name: 'shortcuts', begin: (best) => shortcuts(best, sections) }],
    },
    {
      reductions: [
        end,
        { name: 'replicas', begin: (best) => shape.fewerReplicas(best, replicas) },
        { name: 'clients', begin: shape.fewerClients },
        { name: 'chance', begin: chance.fewerRates },
        { name: 'faults', begin: shape.neededKinds },
        { name: 'faults', begin: shape.neededFaults },
        { name: 'operations', begin: shape.fewerOperations },
        { name: 'clients', begin: shape.absentClients },
        { name: 'clients', begin: shape.presentClientsOnly },
        { name: 'operations', begin: shape.neededOperations },
        { name: 'operations', begin: shape.firstOperations },
        { name: 'operations', begin: shape.sharedOperations, accepts: shape.noMoreDecisions },
        { name: 'operations', begin: shape.largerOperations, accepts: shape.fewerDecisions },
        { name: 'numbers', begin: (best) => plainSections(best, sections) },
      ],
    },
    {
      reductions: [
        { name: 'numbers', begin: (best) => plainNumbers(best, invariant) },
        { name: 'faults', begin: (best) => new Edits(faultLadders(best)) },
        { name: 'decisions', begin: chance.pinnedChances },
        { name: 'decisions', begin: chance.neededDomains },
        { name: 'decisions', begin: chance.neededChances },
        { name: 'delays', begin: chance.pinnedDelays },
        { name: 'delays', begin: chance.neededDelays },
        { name: 'delays', begin: chance.rounderDelays },
        { name: 'times', begin: (best) => new Edits([...timeLadders(best), [sortFaults]]) },
        { name: 'seed', begin: chance.plainSeed },
      ],
    },
  ];
}

const sortFaults: Edit = ({ plan }) => inOrder(plan);

// --- What never came to matter ---

/** Everything after the failure, and what the scenario says about the run as a whole. */
function endAtFailure(invariant: string): Pass {
  const faultsOver: Edit = ({ plan, facts }) => {
    const { healAfterEvent, ...rest } = plan;
    // By a time and not by an event: with other events before it, it is another one.
    if (facts.healedMicros !== null) {
      return healAfterEvent === undefined ? plan : { ...rest, faultMicros: facts.healedMicros };
    }
    let end = PLAIN_FAULT_MICROS;
    while (end <= facts.violation.virtualMicros) end *= 10;
    return { ...rest, faultMicros: end, healMicros: PLAIN_HEAL_MICROS, repliesMin: 0 };
  };
  const steps: readonly Edit[] = [
    faultsOver,
    ({ plan }) => ({ ...plan, gates: [], enabled: [], invariants: [invariant] }),
    (best) => withFaults(best.plan, aimedFaults(best)),
    withCalledOnly,
    ({ plan, facts }) => withDecisions(plan, usedPins(plan, facts)),
  ];
  const together: Edit = (best) => {
    let { plan } = best;
    for (const step of steps) plan = step({ ...best, plan }) ?? plan;
    return plan;
  };
  return new Edits([[together], ...steps.map((step) => [step])]);
}

/** A client cannot have come to more operations than it called. */
function withCalledOnly({ plan, facts }: Best): Plan {
  const seen: number[] = [];
  const called = operationList(plan).filter(({ client }) => {
    const place = seen[client] ?? 0;
    seen[client] = place + 1;
    return place < (facts.calls[client] ?? 0);
  });
  return withOperations(plan, called);
}

// --- Big cuts ---

/** Plans that have nothing of this one but its seed; plans without faults; plans without oddities. */
function shortcuts({ plan }: Best, sections: readonly string[]): Pass {
  const { scenario, seed, system, settings, invariants } = plan;
  const base = {
    ...(system === undefined ? {} : { system }),
    ...(settings === undefined ? {} : { settings }),
    scenario,
    seed,
    replicas: Math.min(3, plan.replicaCount),
    invariants,
  };
  const edits: Edit[] = [];
  for (const operations of [1, 4, 16]) {
    for (const clients of [1, 3]) edits.push(() => planOf({ ...base, clients, operations }));
  }
  return new OneOf([
    ...edits,
    ({ plan: now }) => withPlainNumbers(withFaults(now, []), sections),
    ({ plan: now }) => withFaults(chance.withoutRates(now), []),
    ({ plan: now }) => withPlainNumbers(now, ['config', 'clocks', 'workload']),
    ({ plan: now }) => withFaults(now, []),
  ]);
}

// --- Numbers ---

function plainSections({ plan }: Best, sections: readonly string[]): Pass | null {
  if (numbersOf(plan).length === 0) return null;
  const ladders = sections.map((name): Edit[] => [({ plan: now }) => withPlainNumbers(now, [name])]);
  return new Edits([[({ plan: now }) => withPlainNumbers(now, sections)], ...ladders]);
}

function plainNumbers({ plan }: Best, invariant: string): Pass {
  const ladders: Edit[][] = [];
  for (const number of numbersOf(plan)) {
    if (number.name === 'healMicros' && invariant === 'liveness') continue;
    ladders.push(plainerValues(number).map((value) => ({ plan: now }) => number.with(now, value)));
  }
  return new Edits(ladders);
}
