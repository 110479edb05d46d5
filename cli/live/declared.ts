/**
 * What there is to reach, from the catalogues and not from what was seen: the denominators of
 * coverage. A dimension that is divided by what a campaign met is at 100 % by construction.
 */
import { FAULT_CLASSES, type Gate } from '../../sim/plan.ts';
import { canaries, checkers, probeNames, scenarios } from '../vopr/catalogue.ts';

export interface Declared {
  readonly probes: readonly string[];
  readonly checkers: readonly { readonly id: string; readonly claim: string }[];
  readonly faultClasses: readonly string[];
  readonly canaries: readonly string[];
  readonly scenarios: readonly { readonly name: string; readonly gates: readonly Gate[] }[];
}

export function declared(): Declared {
  return {
    probes: probeNames(),
    checkers: checkers().map(({ id, claim }) => ({ id, claim })),
    faultClasses: FAULT_CLASSES,
    canaries: canaries().map(({ name }) => name),
    scenarios: scenarios().map(({ name, gates }) => ({ name, gates })),
  };
}
