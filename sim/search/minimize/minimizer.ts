/**
 * Looks for the smallest plan that still fails as the first one did. Runs nothing itself: `next`
 * names plans to run, `take` hears how they ended. So it has no threads, can be stopped after any
 * answer with the best so far, and its outcome is a function of the answers alone: the same for any
 * number of jobs.
 *
 * What is found out is kept: a plan that did not fail is not run again, however it comes up.
 */
import { hash } from 'node:crypto';
import { assert } from '../../../core/assert.ts';
import { type Plan } from '../../plan.ts';
import { planProblem } from '../../plan_check.ts';
import { decisionsOf } from './decisions_of.ts';
import { type Best, type Facts, type Verdict } from './facts.ts';
import { type Pass } from './pass.ts';
import { reductionGroups, type Reduction, type ReductionGroup } from './reductions.ts';

/** A plan that fails later than the best by this factor is none to go on with. */
const EVENTS_FACTOR = 2;
const EVENTS_SPARE = 200;
/**
 * A reduction that has run so many events without making the plan a hundredth smaller is left, and
 * comes again in the next round if there is one: the plan may be smaller by then, and its events
 * fewer. About three seconds of a core.
 */
export const PATIENCE_EVENTS = 250_000;
const WORTH_WHILE = 0.99;
/** A group of reductions comes again at once when it has made the plan a tenth smaller. */
const WORTH_REPEATING = 0.9;

export interface MinimizerOptions {
  /** A plan that fails, and what was seen when it did. */
  readonly first: Best;
  /** Sizes of the cluster that the scenario allows. */
  readonly replicas: readonly number[];
  /** Infinity: nothing is left before it is known to be needed. Default: `PATIENCE_EVENTS`. */
  readonly patienceEvents?: number;
}

/** Plans to be run, in order of preference: the first that fails alike is taken. */
export interface Attempt {
  readonly plans: readonly Plan[];
  /** A run with more events than this is ended, and counts as one that did not fail. */
  readonly eventsMax: number;
}

export interface Effort {
  /** Plans that were run, as far as their outcome counted. */
  tries: number;
  /** Plans that need not be run: the outcome was known. */
  cacheHits: number;
  /** Plans that failed alike. */
  accepted: number;
  /** Times through all reductions, the present one included. */
  rounds: number;
  /** Reductions of this round that were left when patience was over. */
  left: number;
}

export class Minimizer {
  private now: Best;
  private readonly first: Facts;
  private readonly groups: readonly ReductionGroup[];
  /** Place in `groups`, in the group, and the pass once it has begun. */
  private group = 0;
  private step = 0;
  private pass: Pass | null = null;
  /** Something got smaller in this round. */
  private roundChanged = false;
  /** How many decisions there were when the group began, and when the round did. */
  private groupDecisions: number;
  private roundDecisions: number;
  private finished = false;
  /** The attempt under way, and the place of each of its plans in the pass's proposal. */
  private plans: readonly Plan[] = [];
  private keys: readonly string[] = [];
  private places: readonly number[] = [];
  private eventsMax = 0;
  private readonly patienceEvents: number;
  /** Events run in this pass since it last was worth the while, and how many decisions there were. */
  private fruitless = 0;
  private decisions: number;
  /** By hash of the plan: events within which it did not fail; plans that were the best are here, too. */
  private readonly missed = new Map<string, number>();
  readonly effort: Effort = { tries: 0, cacheHits: 0, accepted: 0, rounds: 1, left: 0 };

  constructor({ first, replicas, patienceEvents = PATIENCE_EVENTS }: MinimizerOptions) {
    this.now = first;
    this.patienceEvents = patienceEvents;
    this.decisions = decisionsOf(first).total;
    this.groupDecisions = this.decisions;
    this.roundDecisions = this.decisions;
    this.first = first.facts;
    this.groups = reductionGroups({ replicas, invariant: first.facts.violation.invariant });
  }

  get best(): Best {
    return this.now;
  }

  /** No reduction makes the plan smaller any more. */
  get done(): boolean {
    return this.finished;
  }

  /** What is being tried, in a word or two. */
  get trying(): string {
    return this.reduction?.name ?? '';
  }

  private get reduction(): Reduction | undefined {
    return this.groups[this.group]?.reductions[this.step];
  }

  /** Null when done. Asked again before `take`, it says the same. */
  next(): Attempt | null {
    while (this.plans.length === 0 && !this.finished) this.advance();
    if (this.finished) return null;
    return { plans: this.plans, eventsMax: this.eventsMax };
  }

  /** Whether this outcome of the attempt's plan makes it the best: what comes after it is moot. */
  holds(index: number, verdict: Verdict): boolean {
    if (verdict.kind !== 'same') return false;
    const after = { plan: this.plans[index] as Plan, facts: verdict.facts };
    return this.reduction?.accepts?.(this.now, after) ?? true;
  }

  /**
   * The outcomes of the attempt's plans, from the first on: of all, or up to the first that holds
   * and perhaps some beyond it, which do not count.
   */
  take(verdicts: readonly Verdict[]): void {
    const { plans, keys, places } = this;
    const held = verdicts.findIndex((verdict, i) => this.holds(i, verdict));
    assert(held >= 0 || verdicts.length === plans.length, 'minimize: outcomes are missing', verdicts.length);
    const counted = held < 0 ? plans.length : held;
    for (let i = 0; i < counted; i++) {
      const verdict = verdicts[i] as Verdict;
      this.missed.set(keys[i] as string, verdict.kind === 'cut' ? verdict.events : Infinity);
      this.fruitless += verdict.kind === 'same' ? verdict.facts.events : verdict.events;
    }
    this.effort.tries += held < 0 ? counted : counted + 1;
    this.plans = [];
    const pass = this.pass as Pass;
    if (held < 0) {
      pass.take(-1);
      this.losePatience();
      return;
    }
    const { facts } = verdicts[held] as Verdict & { kind: 'same' };
    this.effort.accepted++;
    this.roundChanged = true;
    // What was left behind is not come back to: no round trips, whatever the reductions do.
    this.missed.set(keyOf(this.now.plan), Infinity);
    this.now = { plan: plans[held] as Plan, facts };
    pass.take(places[held] as number);
    this.fruitless += facts.events;
    const decisions = decisionsOf(this.now).total;
    if (decisions <= this.decisions * WORTH_WHILE) {
      this.fruitless = 0;
      this.decisions = decisions;
    }
    this.losePatience();
  }

  /** One proposal of the present pass, or on to the next pass. */
  private advance(): void {
    if (this.pass === null) {
      const { reduction } = this;
      if (reduction === undefined) {
        this.nextGroup();
        return;
      }
      this.pass = reduction.begin(this.now);
    }
    const proposal = this.pass?.propose(this.now) ?? [];
    if (proposal.length === 0) {
      this.nextPass();
      return;
    }
    this.choose(proposal);
    if (this.plans.length === 0) this.pass?.take(-1);
  }

  private losePatience(): void {
    if (this.fruitless <= this.patienceEvents) return;
    this.effort.left++;
    this.nextPass();
  }

  private nextPass(): void {
    this.pass = null;
    this.step++;
    this.fruitless = 0;
    this.decisions = decisionsOf(this.now).total;
  }

  private nextGroup(): void {
    const group = this.groups[this.group];
    const { decisions } = this;
    this.step = 0;
    if (group === undefined) {
      this.nextRound();
    } else if (group.once === true || decisions > this.groupDecisions * WORTH_REPEATING) {
      this.group++;
    }
    this.groupDecisions = decisions;
  }

  private nextRound(): void {
    const worthWhile = this.decisions <= this.roundDecisions * WORTH_WHILE;
    // Where patience was lost it would be lost again, unless there is less to do by now.
    this.finished = !this.roundChanged || (this.effort.left > 0 && !worthWhile);
    if (this.finished) return;
    this.roundChanged = false;
    this.roundDecisions = this.decisions;
    this.effort.rounds++;
    this.effort.left = 0;
    this.group = this.groups.findIndex(({ once }) => once !== true);
  }

  /** Of what a pass proposes, the plans whose outcome is not known. */
  private choose(proposal: readonly Plan[]): void {
    const plans: Plan[] = [];
    const keys: string[] = [];
    const places: number[] = [];
    this.eventsMax = this.eventsAllowed();
    const present = keyOf(this.now.plan);
    proposal.forEach((plan, place) => {
      const key = keyOf(plan);
      if (key === present || keys.includes(key)) return;
      if ((this.missed.get(key) ?? -1) >= this.eventsMax) {
        this.effort.cacheHits++;
        return;
      }
      if (planProblem(plan) !== null) return;
      plans.push(plan);
      keys.push(key);
      places.push(place);
    });
    this.plans = plans;
    this.keys = keys;
    this.places = places;
  }

  private eventsAllowed(): number {
    const most = this.first.events + EVENTS_SPARE;
    return Math.min(most, this.now.facts.events * EVENTS_FACTOR + EVENTS_SPARE);
  }
}

function keyOf(plan: Plan): string {
  return hash('sha256', JSON.stringify(plan), 'base64');
}
