/**
 * An explored run made again from its plan, one action an event, as everything that replays bundles
 * wants it. An action that does not fit any more (the message was never sent, the timer is not
 * armed) is left out and counted: on changed code that is the account of where it departs.
 */
import { type PlainData } from '../../../bundles/format.ts';
import { armCanary, canaryReached, type CanaryId } from '../../../core/canary.ts';
import { CHECKSUM_ALGORITHM } from '../../../core/constants.ts';
import { checksumInto } from '../../../core/checksum.ts';
import { regionOf, type Region } from '../../../core/message/region.ts';
import { replicasIn } from '../../verdict.ts';
import { type SeedResult, type SeedViolation } from '../seed_result.ts';
import { type SeedRun } from '../seed_run.ts';
import { type ExploreAction, type ExplorePlan } from './explore_plan.ts';
import { LiveCluster, actionOf, type Happened } from './live_cluster.ts';
import { actionText, outcomeText } from './story.ts';
import { type ExploredNode } from './steps.ts';

export class ExploreRun implements SeedRun {
  events = 0;
  /** Actions that fitted, as they were carried out. */
  readonly fitting: ExploreAction[] = [];
  /** The first action that did not fit, by event; and how many. */
  firstMisfit = 0;
  misfits = 0;
  readonly live: LiveCluster;
  private readonly thePlan: ExplorePlan;
  private last: Happened | null = null;
  private violation: SeedViolation | null = null;
  private messages = 0;
  private crashes = 0;
  /** Digest so far, then that of the node that moved, then what it sent. */
  private readonly trace: Region = regionOf(new Uint8Array(48));
  private readonly out: Region = regionOf(new Uint8Array(32));

  constructor(plan: ExplorePlan, canary: CanaryId) {
    this.thePlan = plan;
    armCanary(canary);
    this.live = new LiveCluster(plan);
  }

  step(): boolean {
    const action = this.thePlan.actions[this.events];
    if (action === undefined || this.violation !== null) return false;
    this.events++;
    const step = this.live.stepFor(action);
    if (step === null) {
      this.last = null;
      this.misfits++;
      if (this.firstMisfit === 0) this.firstMisfit = this.events;
      this.mix(null);
      return true;
    }
    this.fitting.push(actionOf(this.live.cluster, step));
    this.last = this.live.perform(step);
    if (action.deed === 'deliver') this.messages++;
    if (action.deed === 'crash') this.crashes++;
    this.mix(this.last);
    const { finding } = this.live;
    if (finding !== null) {
      const { invariant, message } = finding;
      const replicas = replicasIn(message);
      this.violation = { invariant, message, event: this.events, virtualMicros: 0, replicas };
    }
    return true;
  }

  private mix(happened: Happened | null): void {
    const { words } = this.trace;
    words.fill(0, 4);
    if (happened !== null) {
      words[4] = happened.step.node + 1;
      // The code ended in the middle of it: no state to speak of.
      if (this.live.finding === null) {
        words.set((this.live.cluster.nodes[happened.step.node] as ExploredNode).digest().subarray(0, 4), 5);
      }
      for (const message of happened.sent) {
        const word = this.live.cluster.messages.digestWord(message, 0);
        words[9] = Math.imul((words[9] as number) ^ word, 0x9e3779b1);
      }
    }
    checksumInto(CHECKSUM_ALGORITHM.fast128, this.trace, 0, 48, this.out, 0);
    words.set(this.out.words.subarray(0, 4));
  }

  get digestWord(): number {
    return (this.trace.words[0] as number) >>> 0;
  }

  /** The last action, and what came of it. */
  describe(): string {
    const action = this.thePlan.actions[this.events - 1] as ExploreAction;
    const text = actionText(action, this.thePlan.replicas);
    if (this.last === null) return `${text}: does not fit, left out`;
    return `${text}${outcomeText(this.live, this.last)}`;
  }

  plan(): PlainData {
    return this.thePlan as unknown as PlainData;
  }

  result(): SeedResult {
    const words = Array.from(this.trace.words.subarray(0, 4), (word) => word.toString(16).padStart(8, '0'));
    return {
      seed: 0,
      digest: words.join(''),
      events: this.events,
      messages: this.messages,
      storageOps: 0,
      commits: this.live.checks.suite.history.opMax,
      viewChanges: 0,
      crashes: this.crashes,
      virtualMicros: 0,
      violation: this.violation,
      unmet: [],
      shares: [],
      checks: this.live.checks.suite.comparisons(),
      gates: {},
      faults: {},
      probes: {},
      canaryReached: canaryReached(),
    };
  }
}
