/**
 * commit_monotonicity: a node's commit number and its checkpoint never go back.
 *
 * Within a process the executed op only grows; a checkpoint lies on what was executed or installed;
 * across restarts the durable checkpoint never falls. A prepare never claims a commit number at or
 * above its own op.
 */
import { commitOf } from '../core/message/header.ts';
import { type Region } from '../core/message/region.ts';
import { type CheckContext, type Checker, type Observed } from './invariant.ts';

export class CommitMonotonicity implements Checker {
  readonly id = 'commit_monotonicity';
  comparisons = 0;
  private readonly context: CheckContext;
  private readonly observed: Observed;

  constructor(context: CheckContext, observed: Observed) {
    this.context = context;
    this.observed = observed;
  }

  onCommitted(node: number, op: number, prepare: Region): void {
    this.comparisons++;
    const last = this.observed.nodes.executed[node] as number;
    if (op <= last) {
      this.context.fail(this.id, `R${node} executed op ${op} after op ${last}`);
    }
    if (commitOf(prepare) >= op) {
      this.context.fail(
        this.id,
        `the prepare of op ${op} that R${node} executed claims commit ${commitOf(prepare)}`,
      );
    }
  }

  onCheckpointed(node: number, op: number): void {
    this.comparisons++;
    const before = this.observed.nodes.checkpoint[node] as number;
    if (op < before) {
      this.context.fail(this.id, `R${node} has checkpoint ${op} after checkpoint ${before}`);
    }
    const reached = this.observed.nodes.executedMax[node] as number;
    if (op > reached && op > this.observed.history.opMax) {
      this.context.fail(this.id, `R${node} has checkpoint ${op}, but reached only op ${reached}`);
    }
  }
}
