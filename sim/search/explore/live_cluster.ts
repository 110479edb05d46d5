/**
 * The explored cluster as it is when nothing is remembered: live nodes, messages in flight, checkers
 * that watch, one step after another. What a search found is found again here, by the real code from
 * beginning to end.
 */
import { TIMER } from '../../../core/vsr/timeouts.ts';
import { CLIENT_TIMER } from '../../../core/vsr/client.ts';
import { ExploredChecks, type Finding } from './checker_graph.ts';
import { type ExploreBounds } from './explore_bounds.ts';
import { UNSYNCED } from './explored_disk.ts';
import { newCluster, type ExploredCluster } from './explored_cluster.ts';
import { type ExploreAction, type ExplorePlan } from './explore_plan.ts';
import { type PathStep } from './explorer.ts';
import { nameOf } from './node_names.ts';
import { SHOWN, type Observation } from './observations.ts';
import { type DiskImage } from './sector_store.ts';
import { STEP, argumentOf, kindOf, stepOf, type ExploredNode, type NodeFacts } from './steps.ts';

const REPLICA_TIMERS = namesOf(TIMER);
const CLIENT_TIMERS = namesOf(CLIENT_TIMER);

/** What came of an action. */
export interface Happened {
  readonly step: PathStep;
  /** Numbers of the messages sent, in order. */
  readonly sent: readonly number[];
  readonly shown: readonly Observation[];
}

export class LiveCluster {
  readonly cluster: ExploredCluster;
  readonly checks: ExploredChecks;
  /** Numbers of the messages in flight, oldest first. */
  readonly flying: number[] = [];
  finding: Finding | null = null;

  constructor(plan: Pick<ExplorePlan, 'replicas' | 'clients' | 'operations' | 'disk'>) {
    this.cluster = newCluster(plan as ExploreBounds);
    this.checks = new ExploredChecks(this.cluster);
  }

  /** The step that an action of a plan means now, or null: it does not fit any more. */
  stepFor(action: ExploreAction): PathStep | null {
    const { node, deed } = action;
    const facts = (this.cluster.nodes[node] as ExploredNode).facts();
    const step = this.stepNumber(action, facts);
    if (step === null) return null;
    return { node, step, choices: action.choices ?? [], keeps: deed === 'deliver' && action.keeps === true };
  }

  private stepNumber(action: ExploreAction, facts: NodeFacts): number | null {
    const { node, deed } = action;
    const isReplica = node < this.cluster.replicaCount;
    // A client is always up, and has begun once it was started.
    if (deed === 'start') return facts.mayStart ? stepOf(STEP.start) : null;
    if (!facts.up) return null;
    switch (deed) {
      case 'deliver': {
        const message = this.find(action);
        return message === -1 ? null : stepOf(STEP.deliver, message);
      }
      case 'timer': {
        const timer = (isReplica ? REPLICA_TIMERS : CLIENT_TIMERS).indexOf(action.timer ?? '');
        return timer >= 0 && (facts.armed & (1 << timer)) !== 0 ? stepOf(STEP.timer, timer) : null;
      }
      case 'crash': {
        if (!isReplica) return null;
        return stepOf(STEP.crash, action.kept === true ? UNSYNCED.kept : UNSYNCED.lost);
      }
      case 'io': return facts.io ? stepOf(STEP.io) : null;
      default: return facts.mayCall ? stepOf(STEP.call) : null;
    }
  }

  /** The very message if it is in flight, else the oldest that is called the same; -1: neither. */
  private find({ node, from, text, view, word }: ExploreAction): number {
    const { messages } = this.cluster;
    let alike = -1;
    for (const message of this.flying) {
      if (messages.to(message) !== node) continue;
      const name = messages.name(message);
      if (name.word === word) return message;
      if (alike === -1 && name.from === from && name.text === text && name.view === view) alike = message;
    }
    return alike;
  }

  /** Carries a step out; what the checkers say of it is in `finding`. */
  perform(step: PathStep): Happened {
    const node = this.cluster.nodes[step.node] as ExploredNode;
    if (kindOf(step.step) === STEP.deliver && !step.keeps) {
      this.flying.splice(this.flying.indexOf(argumentOf(step.step)), 1);
    }
    const { sent, shown, thrown } = node.perform(step.step, step.choices);
    const happened: Happened = { step, sent: [...sent], shown: [...shown] };
    this.flying.push(...sent);
    this.show(happened.shown);
    if (thrown !== null && this.finding === null) {
      const who = nameOf(this.cluster, step.node);
      this.finding = { invariant: 'no_panic', message: `${who} stopped: ${thrown.name}: ${thrown.message}` };
    }
    return happened;
  }

  private show(shown: readonly Observation[]): void {
    const { checks, cluster } = this;
    for (let node = 0; node < cluster.replicaCount; node++) {
      const { written, durable } = (cluster.nodes[node] as ExploredNode).facts();
      const image = checks.images[node] as DiskImage;
      image.written = written as Int32Array;
      image.durable = durable as Int32Array;
    }
    checks.show(shown);
    if (checks.finding === null && shown.some(({ kind }) => kind === SHOWN.returned)) {
      const here = checks.snapshot();
      checks.judgeHistory();
      if (checks.finding === null) here.restore();
    }
    this.finding ??= checks.finding;
  }
}

/** The action that says what a step of this cluster does. */
export function actionOf(cluster: ExploredCluster, { node, step, choices, keeps }: PathStep): ExploreAction {
  const drawn = choices.length > 0 ? { choices } : {};
  const argument = argumentOf(step);
  switch (kindOf(step)) {
    case STEP.start: return { node, deed: 'start', ...drawn };
    case STEP.deliver: {
      const { from, text, view, word } = cluster.messages.name(argument);
      return { node, deed: 'deliver', from, text, view, word, ...(keeps ? { keeps } : {}), ...drawn };
    }
    case STEP.timer: {
      const names = node < cluster.replicaCount ? REPLICA_TIMERS : CLIENT_TIMERS;
      return { node, deed: 'timer', timer: names[argument] as string, ...drawn };
    }
    case STEP.crash: {
      return { node, deed: 'crash', ...(argument === UNSYNCED.kept ? { kept: true } : {}) };
    }
    case STEP.io: return { node, deed: 'io', ...drawn };
    default: return { node, deed: 'call' };
  }
}

/** By number, in snake case, as timelines call them. */
function namesOf(timers: Readonly<Record<string, number>>): readonly string[] {
  const names: string[] = [];
  for (const [name, number] of Object.entries(timers)) {
    names[number] = name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  }
  return names;
}
