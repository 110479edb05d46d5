/** A failing plan made smaller on the test's own thread, for as long as the test allows. */
import { CANARY } from '../../core/canary.ts';
import { type Canary } from '../../sim/canaries.ts';
import { type Plan } from '../../sim/plan.ts';
import { decisionsOf } from '../../sim/search/minimize/decisions_of.ts';
import { type Best, type Verdict } from '../../sim/search/minimize/facts.ts';
import { Judge } from '../../sim/search/minimize/judge.ts';
import { Minimizer } from '../../sim/search/minimize/minimizer.ts';
import { type WorldPlaces } from '../../sim/search/run_seed.ts';
import { type SeedViolation } from '../../sim/search/seed_result.ts';
import { signatureOf } from '../../sim/search/signature.ts';
import { grouped } from '../numbers.ts';
import { storyOf } from '../vopr/story_of.ts';

export interface MinimiseRequest {
  readonly plan: Plan;
  readonly violation: SeedViolation;
  readonly canary: Canary | null;
  /** Sizes of the cluster that make sense. */
  readonly replicas: readonly number[];
  readonly seconds: number;
  readonly places: WorldPlaces;
  /** Called between runs. */
  readonly letGo: () => Promise<void>;
}

export interface Minimised {
  readonly plan: Plan;
  /** How much smaller it is, and what happens in it. */
  readonly story: string;
}

/** Null: the plan does not fail alike a second time. */
export async function minimised(request: MinimiseRequest): Promise<Minimised | null> {
  const { violation, places, letGo } = request;
  const canary = request.canary?.id ?? CANARY.none;
  const judge = new Judge({ canary, signature: signatureOf(violation) }, places);
  const verdict = judge.judge(request.plan, null);
  if (verdict.kind !== 'same') return null;
  const first: Best = { plan: request.plan, facts: verdict.facts };
  const minimizer = new Minimizer({ first, replicas: request.replicas });
  const endsAt = performance.now() + request.seconds * 1000;
  const isLate = (): boolean => performance.now() > endsAt;
  for (let attempt = minimizer.next(); attempt !== null && !isLate(); attempt = minimizer.next()) {
    const verdicts: Verdict[] = [];
    for (const plan of attempt.plans) {
      verdicts.push(judge.judge(plan, attempt.eventsMax, isLate));
      await letGo();
      if (isLate() || minimizer.holds(verdicts.length - 1, verdicts.at(-1) as Verdict)) break;
    }
    if (isLate()) break; // What was cut short proves nothing.
    minimizer.take(verdicts);
  }
  const { best } = minimizer;
  return { plan: best.plan, story: storyOf(best, canary, titleOf(first, best), places) };
}

function titleOf(first: Best, best: Best): string {
  const [before, after] = [decisionsOf(first).total, decisionsOf(best).total];
  const events = `${grouped(first.facts.events)} events became ${grouped(best.facts.events)}`;
  return `Minimised: ${grouped(before)} decisions became ${grouped(after)}, ${events}.`;
}
