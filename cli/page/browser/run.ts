/** One of the runs that the page holds: the recorded one, or a fork of it, and where one stands in it. */
import { type CanaryId } from '../../../core/canary.ts';
import { diffTrees, type Change as StateChange } from '../../../sim/state_diff.ts';
import { stateTree, type StateTree } from '../../../sim/state_tree.ts';
import { Bands } from '../bands.ts';
import { diskFace, type DiskFace } from '../disk_face.ts';
import { DecisionList } from '../decision_list.ts';
import { type Change } from '../fork.ts';
import { Player, type PlayerOptions } from '../player.ts';
import { NONE } from '../timeline.ts';

/** A state that later ones are compared with. */
interface Base {
  readonly event: number;
  readonly tree: StateTree;
  /** By replica. */
  readonly disks: readonly DiskFace[];
}

export class Run {
  readonly name: string;
  readonly player: Player;
  readonly bands: Bands;
  /** What makes it differ from the recorded run. */
  readonly changes: readonly Change[];
  readonly canary: CanaryId;
  /** Changes that a fork of it will make. */
  pending: readonly Change[] = [];
  private readonly options: PlayerOptions;
  private decided: DecisionList | null = null;
  /** Index of the entry that is looked at; -1: none. */
  selected = NONE;
  /** Where one came from, and the state there: what the differences are against. */
  previous: Base | null = null;
  /** Takes the place of `previous` while it is set. */
  marked: Base | null = null;
  private cached: { readonly event: number; readonly tree: StateTree } | null = null;

  constructor(name: string, options: PlayerOptions, changes: readonly Change[]) {
    this.name = name;
    this.player = new Player(options);
    this.bands = new Bands(this.player.timeline, options.plan.replicaCount);
    this.changes = changes;
    this.canary = options.canary;
    this.options = options;
  }

  /** What was decided in it; begins to be found out when it is first asked for. */
  get decisions(): DecisionList {
    this.decided ??= new DecisionList(this.options);
    return this.decided;
  }

  /** Works on the list of decisions, when it was asked for; true: nothing to be done. */
  workOnDecisions(timeIsUp: () => boolean): boolean {
    return this.decided === null || this.decided.work(timeIsUp);
  }

  get replicaCount(): number {
    return this.player.plan.replicaCount;
  }

  get nodeCount(): number {
    return this.replicaCount + this.player.plan.workload.clients;
  }

  /** `R0`, `C1`; of -1 `world`. */
  nodeName(node: number): string {
    if (node < 0) return 'world';
    return node < this.replicaCount ? `R${node}` : `C${node - this.replicaCount}`;
  }

  /** State where it stands now. */
  tree(): StateTree {
    const event = this.player.position;
    if (this.cached?.event !== event) this.cached = { event, tree: stateTree(this.player.world) };
    return this.cached.tree;
  }

  /** To be called before it moves: differences will be against here. */
  leave(): void {
    this.previous = this.here();
  }

  private here(): Base {
    const { position: event, world } = this.player;
    return { event, tree: this.tree(), disks: world.disks.map(diskFace) };
  }

  mark(): void {
    this.marked = this.marked?.event === this.player.position ? null : this.here();
  }

  /** What differences are against; null: nothing yet. */
  get base(): Base | null {
    return this.marked ?? this.previous;
  }

  differences(): readonly StateChange[] {
    const { base } = this;
    return base === null || base.event === this.player.position ? [] : diffTrees(base.tree, this.tree());
  }
}
