/**
 * What the terminal and the page show of a campaign: a function of what has happened so far, and of
 * nothing else. No clock, no files, no threads; time comes with each happening. Memory is bounded
 * however long it goes on.
 */
import { type CampaignSummary } from '../../sim/search/campaign_summary.ts';
import { type SeedResult, type SeedViolation } from '../../sim/search/seed_result.ts';
import { signatureOf } from '../../sim/search/signature.ts';
import { counted, grouped, short } from '../numbers.ts';
import { CoverageTally } from './coverage_tally.ts';
import { type Declared } from './declared.ts';
import { Ring } from './ring.ts';
import { Throughput } from './throughput.ts';
import { TopSeeds } from './top_seeds.ts';

export const LOG_LINES_MAX = 1000;
export const RECENT_MAX = 100;
/** Failures kept whole; of later ones only the number. */
export const FAILURES_MAX = 1000;
/** The rate that is shown is one of about this many seconds. */
const RATE_SECONDS = 5;

/** In the order in which they happen. `at`: seconds, of any clock that only goes forward. */
export type Happening = { readonly at: number } & (
  | { readonly kind: 'started'; readonly scenarios: readonly PlannedScenario[] }
  | { readonly kind: 'scenario started'; readonly scenario: string }
  | {
      readonly kind: 'seed taken';
      readonly scenario: string;
      readonly result: SeedResult;
      /** Where its bundle is, and what to paste into a shell; null when it has not failed. */
      readonly replay: Replay | null;
    }
  | { readonly kind: 'scenario ended'; readonly scenario: string; readonly summary: CampaignSummary }
  | { readonly kind: 'paused' }
  | { readonly kind: 'resumed' }
  | { readonly kind: 'completed'; readonly why: 'all seeds' | 'violation' | 'stopped' }
);

export interface Replay {
  /** Path of the bundle; null when none was written. */
  readonly bundle: string | null;
  readonly command: string;
}

export interface PlannedScenario {
  readonly name: string;
  /** Seeds of this round. */
  readonly seeds: number;
}

export type CampaignState =
  | { readonly name: 'Idle' }
  | { readonly name: 'Running' | 'Paused'; readonly taken: number; readonly planned: number }
  | { readonly name: 'Completed'; readonly successes: number; readonly failures: number };

export interface ScenarioProgress {
  readonly name: string;
  planned: number;
  taken: number;
  passed: number;
  failed: number;
  vacuous: number;
  events: number;
  virtualMicros: number;
  running: boolean;
}

/** Of a scenario that has not begun. */
export function noProgress(name: string): ScenarioProgress {
  return {
    name,
    planned: 0,
    taken: 0,
    passed: 0,
    failed: 0,
    vacuous: 0,
    events: 0,
    virtualMicros: 0,
    running: false,
  };
}

export interface SeedOutcome {
  readonly scenario: string;
  readonly seed: number;
  readonly outcome: 'passed' | 'failed' | 'vacuous';
  readonly events: number;
  readonly commits: number;
  readonly viewChanges: number;
  readonly virtualMicros: number;
  /** The checker, or what was missing; empty when it passed. */
  readonly why: string;
}

export interface Failure {
  /** From 1, in the order in which they came. */
  readonly number: number;
  readonly scenario: string;
  readonly seed: number;
  readonly canary: string | null;
  readonly violation: SeedViolation;
  /** Number of the first failure with the same signature; its own when it is the first. */
  readonly sameAs: number;
  readonly replay: Replay;
  /** Seconds since the campaign began. */
  readonly second: number;
}

export interface LogLine {
  readonly second: number;
  readonly level: 'info' | 'good' | 'bad' | 'odd';
  readonly text: string;
}

export class CampaignModel {
  readonly coverage: CoverageTally;
  readonly throughput = new Throughput();
  readonly topSeeds = new TopSeeds();
  readonly recent = new Ring<SeedOutcome>(RECENT_MAX);
  readonly log = new Ring<LogLine>(LOG_LINES_MAX);
  readonly failures: Failure[] = [];
  readonly scenarios: ScenarioProgress[] = [];
  /** Grows with every happening: what has not changed need not be drawn again. */
  version = 0;
  failed = 0;
  events = 0;
  commits = 0;
  viewChanges = 0;
  crashes = 0;
  virtualMicros = 0;
  /** Visits of the planted canary's sites. */
  canaryReached = 0;
  /** Failures by checker. */
  readonly failedBy = new Map<string, number>();
  private readonly canary: string | null;
  /** Vacuous seeds of a scenario when the round began. */
  private readonly vacuousBefore = new Map<string, number>();
  private readonly firstOfSignature = new Map<string, number>();
  private status: CampaignState['name'] = 'Idle';
  private startedAt = 0;
  private now = 0;
  private pausedAt = 0;
  private pausedSeconds = 0;
  private endedAt = 0;
  /** Events by second, of the last few seconds: the current rate. */
  private readonly lately: { second: number; seeds: number; events: number }[] = [];

  constructor(declared: Declared, canary: string | null) {
    this.coverage = new CoverageTally(declared);
    this.canary = canary;
  }

  get state(): CampaignState {
    const { status: name } = this;
    if (name === 'Idle') return { name };
    const taken = this.sum('taken');
    if (name === 'Completed') return { name, successes: this.sum('passed'), failures: this.failed };
    return { name, taken, planned: this.sum('planned') };
  }

  sum(field: 'planned' | 'taken' | 'passed' | 'failed' | 'vacuous'): number {
    return this.scenarios.reduce((total, scenario) => total + scenario[field], 0);
  }

  /** Seconds of work, pauses left out. */
  get activeSeconds(): number {
    if (this.status === 'Idle') return 0;
    const until = this.status === 'Paused' ? this.pausedAt : this.now;
    return Math.max(0, until - this.startedAt - this.pausedSeconds);
  }

  /** Over the whole campaign, pauses left out; 0 before the first seed. */
  get averageRate(): Rate {
    const seconds = this.activeSeconds;
    if (seconds <= 0) return { seeds: 0, events: 0 };
    return { seeds: this.sum('taken') / seconds, events: this.events / seconds };
  }

  /** Over the last few seconds. */
  get currentRate(): Rate {
    if (this.status !== 'Running') return { seeds: 0, events: 0 };
    const second = this.now - this.startedAt;
    const window = Math.min(RATE_SECONDS, Math.max(second, 1));
    const last = this.lately.filter((bucket) => bucket.second > second - window);
    return {
      seeds: last.reduce((sum, { seeds }) => sum + seeds, 0) / window,
      events: last.reduce((sum, { events }) => sum + events, 0) / window,
    };
  }

  /** Seconds until all planned seeds are taken, at the average rate; null: nobody knows yet. */
  get secondsLeft(): number | null {
    const { seeds } = this.averageRate;
    return seeds <= 0 ? null : (this.sum('planned') - this.sum('taken')) / seeds;
  }

  /** Failures with a signature of their own. */
  get distinctFailures(): number {
    return this.firstOfSignature.size;
  }

  apply(happening: Happening): void {
    this.version++;
    const before = this.now;
    this.now = Math.max(this.now, happening.at);
    switch (happening.kind) {
      case 'started':
        return this.started(happening.scenarios, before);
      case 'scenario started':
        this.scenario(happening.scenario).running = true;
        return this.say('info', `${happening.scenario} begins`);
      case 'seed taken':
        return this.taken(happening.scenario, happening.result, happening.replay);
      case 'scenario ended':
        return this.ended(happening.scenario, happening.summary);
      case 'paused':
        if (this.status !== 'Running') return;
        this.status = 'Paused';
        this.pausedAt = this.now;
        return this.say('info', 'paused');
      case 'resumed':
        if (this.status !== 'Paused') return;
        this.status = 'Running';
        this.pausedSeconds += this.now - this.pausedAt;
        return this.say('info', 'resumed');
      case 'completed':
        return this.completed(happening.why);
    }
  }

  /** Time goes on without a happening; a completed campaign's has ended. */
  tick(at: number): void {
    if (this.status !== 'Running' && this.status !== 'Paused') return;
    this.now = Math.max(this.now, at);
    this.throughput.advance(this.now - this.startedAt);
  }

  private started(scenarios: readonly PlannedScenario[], before: number): void {
    // A second round goes on where the first ended: the time between is none of the campaign's.
    if (this.status === 'Idle') this.startedAt = this.now;
    else this.startedAt += this.now - Math.max(before, this.endedAt);
    this.status = 'Running';
    for (const { name, seeds } of scenarios) {
      this.coverage.expect(name);
      const scenario = this.scenario(name);
      scenario.planned = scenario.taken + seeds;
      this.vacuousBefore.set(name, scenario.vacuous);
    }
    const seeds = scenarios.reduce((sum, scenario) => sum + scenario.seeds, 0);
    const planted = this.canary === null ? '' : `, canary ${this.canary} planted`;
    this.say('info', `${counted(seeds, 'seed')} of ${counted(scenarios.length, 'scenario')}${planted}`);
  }

  private taken(name: string, result: SeedResult, replay: Replay | null): void {
    const scenario = this.scenario(name);
    const { violation } = result;
    const second = this.now - this.startedAt;
    const outcome = violation !== null ? 'failed' : result.unmet.length > 0 ? 'vacuous' : 'passed';
    scenario.taken++;
    scenario[outcome]++;
    scenario.events += result.events;
    scenario.virtualMicros += result.virtualMicros;
    this.events += result.events;
    this.commits += result.commits;
    this.viewChanges += result.viewChanges;
    this.crashes += result.crashes;
    this.virtualMicros += result.virtualMicros;
    this.canaryReached += result.canaryReached;
    this.coverage.add(name, result);
    this.topSeeds.add(name, result.seed, result.events, Object.keys(result.probes));
    this.throughput.add(second, result.events, violation !== null);
    this.countLately(Math.floor(second), result.events);

    const { seed, events, commits, viewChanges, virtualMicros } = result;
    const why = violation?.invariant ?? result.unmet.join('; ');
    this.recent.push({ scenario: name, seed, outcome, events, commits, viewChanges, virtualMicros, why });
    const facts =
      `${short(events)} events, ${counted(commits, 'commit')}, ` +
      `${(virtualMicros / 1e6).toFixed(1)} s virtual`;
    if (violation !== null) this.fail(name, seed, violation, replay ?? { bundle: null, command: '' });
    else if (outcome === 'vacuous') this.say('odd', `${name} seed ${seed}: vacuous: ${why}`);
    else this.say('good', `${name} seed ${seed}: passed; ${facts}`);
  }

  private fail(scenario: string, seed: number, violation: SeedViolation, replay: Replay): void {
    this.failed++;
    this.failedBy.set(violation.invariant, (this.failedBy.get(violation.invariant) ?? 0) + 1);
    const number = this.failed;
    const signature = signatureOf(violation);
    const sameAs = this.firstOfSignature.get(signature) ?? number;
    if (sameAs === number) this.firstOfSignature.set(signature, number);
    const second = this.now - this.startedAt;
    if (this.failures.length < FAILURES_MAX) {
      const { canary } = this;
      this.failures.push({ number, scenario, seed, canary, violation, sameAs, replay, second });
    }
    this.say('bad', `${scenario} seed ${seed}: violation of ${violation.invariant}: ${violation.message}`);
  }

  /** Some gates are judged over the batch: its summary has the last word. */
  private ended(name: string, summary: CampaignSummary): void {
    const scenario = this.scenario(name);
    scenario.running = false;
    const before = this.vacuousBefore.get(name) ?? 0;
    const late = summary.vacuous.length - (scenario.vacuous - before);
    scenario.vacuous += late;
    scenario.passed -= late;
    this.say('info', `${name} ends after ${counted(summary.count, 'seed')}`);
  }

  private completed(why: 'all seeds' | 'violation' | 'stopped'): void {
    if (this.status === 'Paused') this.pausedSeconds += this.now - this.pausedAt;
    this.status = 'Completed';
    this.endedAt = this.now;
    for (const scenario of this.scenarios) scenario.running = false;
    const how = { 'all seeds': 'completed', violation: 'ended by a violation', stopped: 'stopped' }[why];
    const words = `${how}: ${grouped(this.sum('passed'))} passed, ${grouped(this.failed)} failed`;
    this.say(this.failed > 0 ? 'bad' : 'good', `${words}, ${grouped(this.sum('vacuous'))} vacuous`);
  }

  private countLately(second: number, events: number): void {
    const last = this.lately.at(-1);
    if (last?.second === second) {
      last.seeds++;
      last.events += events;
    } else {
      this.lately.push({ second, seeds: 1, events });
    }
    while ((this.lately[0]?.second ?? second) < second - RATE_SECONDS) this.lately.shift();
  }

  private scenario(name: string): ScenarioProgress {
    const known = this.scenarios.find((scenario) => scenario.name === name);
    if (known !== undefined) return known;
    const scenario = noProgress(name);
    this.scenarios.push(scenario);
    return scenario;
  }

  private say(level: LogLine['level'], text: string): void {
    this.log.push({ second: Math.max(0, this.now - this.startedAt), level, text });
  }
}

/** Per second of work. */
export interface Rate {
  readonly seeds: number;
  readonly events: number;
}
