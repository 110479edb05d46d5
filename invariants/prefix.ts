/**
 * prefix: what a replica has executed is always a prefix of the one history.
 *
 * A process executes k, k+1, k+2, … without a gap. Its first op follows the checkpoint on its disk,
 * so it lies above that checkpoint and at most one past what the node ever executed. A replica may
 * skip ops only by installing a checkpoint of its peers, which must itself lie in the history.
 */
import { type Region } from '../core/message/region.ts';
import { type CheckContext, type Checker, type Observed } from './invariant.ts';
import { EXECUTED_UNKNOWN } from './nodes.ts';

export class Prefix implements Checker {
  readonly id = 'prefix';
  comparisons = 0;
  private readonly context: CheckContext;
  private readonly observed: Observed;

  constructor(context: CheckContext, observed: Observed) {
    this.context = context;
    this.observed = observed;
  }

  onCommitted(node: number, op: number, _prepare: Region, _reply: Region | null): void {
    const { history, nodes } = this.observed;
    this.comparisons++;
    if (op > history.opMax) {
      this.context.fail(
        this.id,
        `R${node} executed op ${op}, but nobody has executed op ${history.opMax + 1}`,
      );
      return;
    }
    const last = nodes.executed[node] as number;
    if (last !== EXECUTED_UNKNOWN) {
      if (op !== last + 1) {
        this.context.fail(this.id, `R${node} executed op ${op} right after op ${last}`);
      }
      return;
    }
    const checkpoint = nodes.checkpoint[node] as number;
    const executedMax = nodes.executedMax[node] as number;
    if (op <= checkpoint) {
      this.context.fail(
        this.id,
        `R${node} restarted and executed op ${op} again, at or below its checkpoint ${checkpoint}`,
      );
    } else if (op > Math.max(executedMax, checkpoint) + 1) {
      this.context.fail(
        this.id,
        `R${node} restarted and executed op ${op}, but had only reached op ${executedMax}`,
      );
    }
  }

  onSynced(node: number, toOp: number): void {
    this.comparisons++;
    if (toOp > this.observed.history.opMax) {
      this.context.fail(
        this.id,
        `R${node} installed a checkpoint at op ${toOp}, beyond the last committed op ` +
          `${this.observed.history.opMax}`,
      );
    }
  }
}
