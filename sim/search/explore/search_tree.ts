/**
 * The states that a search has met, each with the step by which it was met first: a tree, from which
 * the way to any state is read. 34 bytes a state, in typed arrays that double.
 */
import { DigestTable } from './digest_table.ts';
import { TupleTable } from './tuple_table.ts';

const CAPACITY = 1 << 16;
const NONE = -1;

/** A step from a state: the node, its step, which of the outcomes, and whether a copy stays in flight. */
export interface Branch {
  readonly node: number;
  readonly step: number;
  readonly outcome: number;
  readonly keeps: boolean;
}

export class SearchTree {
  /** Longest way to a state. */
  depth = 0;
  private readonly states = new DigestTable(CAPACITY);
  private parents = new Int32Array(CAPACITY);
  private branches = new Int32Array(CAPACITY);
  private depths = new Uint16Array(CAPACITY);
  private readonly branchTable = new TupleTable(4);
  private readonly key = new Int32Array(4);

  get count(): number {
    return this.states.count;
  }

  /** The number of the state with this digest if it is new, else -1. State 0 is the first. */
  add(digest: Uint32Array, parent: number, branch: Branch | null): number {
    const known = this.states.count;
    const state = this.states.add(digest);
    if (state !== known) return NONE;
    if (state === this.parents.length) this.grow();
    if (branch === null) return state;
    const depth = this.depthOf(parent) + 1;
    this.parents[state] = parent;
    this.branches[state] = this.numberOf(branch);
    this.depths[state] = depth;
    if (depth > this.depth) this.depth = depth;
    return state;
  }

  depthOf(state: number): number {
    return this.depths[state] as number;
  }

  /** From state 0, in order. */
  wayTo(state: number): readonly Branch[] {
    const way: Branch[] = [];
    for (let at = state; at !== 0; at = this.parents[at] as number) {
      const branch = this.branches[at] as number;
      way.push({
        node: this.branchTable.element(branch, 0),
        step: this.branchTable.element(branch, 1),
        outcome: this.branchTable.element(branch, 2),
        keeps: this.branchTable.element(branch, 3) === 1,
      });
    }
    return way.reverse();
  }

  private numberOf({ node, step, outcome, keeps }: Branch): number {
    this.key[0] = node;
    this.key[1] = step;
    this.key[2] = outcome;
    this.key[3] = keeps ? 1 : 0;
    return this.branchTable.add(this.key);
  }

  private grow(): void {
    const size = this.parents.length * 2;
    const parents = new Int32Array(size);
    parents.set(this.parents);
    this.parents = parents;
    const branches = new Int32Array(size);
    branches.set(this.branches);
    this.branches = branches;
    const depths = new Uint16Array(size);
    depths.set(this.depths);
    this.depths = depths;
  }
}
