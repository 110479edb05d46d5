/**
 * Classes of cluster states for the directed order: fine, by what every node says of itself, and
 * coarse, by status, view and log of the replicas alone.
 */
import { type NodeFacts } from './steps.ts';
import { TupleTable } from './tuple_table.ts';

export class StateClasses {
  private readonly fine: TupleTable;
  private readonly coarse: TupleTable;
  private readonly fineKey: Int32Array;
  private readonly coarseKey: Int32Array;
  private readonly words = new Map<string, number>();

  constructor(nodeCount: number, replicaCount: number) {
    this.fine = new TupleTable(nodeCount);
    this.coarse = new TupleTable(replicaCount);
    this.fineKey = new Int32Array(nodeCount);
    this.coarseKey = new Int32Array(replicaCount);
  }

  /** Numbers of the two classes; `factsOf` is asked for each node. */
  of(factsOf: (node: number) => NodeFacts): readonly [fine: number, coarse: number] {
    for (let node = 0; node < this.fineKey.length; node++) {
      const { summary, role } = factsOf(node);
      this.fineKey[node] = this.wordNumber(summary);
      if (node < this.coarseKey.length) this.coarseKey[node] = this.wordNumber(role);
    }
    return [this.fine.add(this.fineKey), this.coarse.add(this.coarseKey)];
  }

  private wordNumber(word: string): number {
    const number = this.words.get(word) ?? this.words.size;
    this.words.set(word, number);
    return number;
  }
}
