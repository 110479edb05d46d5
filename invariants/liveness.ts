/**
 * liveness: once faults end, every waiting client is answered and the core converges.
 *
 * At the end of the heal phase no call is open, each node of the core runs, has executed every
 * committed op, and is in the same view with the same log view. The world gives the heal phase its
 * time limit; this checker judges what stands when it is over. Source: reference "vopr" 2.7
 * (`liveness_core`, `convergence`).
 */
import { type Region } from '../core/message/region.ts';
import { type CheckContext, type Checker, type Observed } from './invariant.ts';
import { EXECUTED_UNKNOWN } from './nodes.ts';

export class Liveness implements Checker {
  readonly id = 'liveness';
  /** Calls answered after the heal began, and core nodes compared at the end. */
  comparisons = 0;
  private readonly context: CheckContext;
  private readonly observed: Observed;
  private healedAt = -1;

  constructor(context: CheckContext, observed: Observed) {
    this.context = context;
    this.observed = observed;
  }

  onHealed(_core: number): void {
    this.healedAt = this.context.now();
  }

  onReturned(_client: number, _reply: Region): void {
    if (this.healedAt >= 0) this.comparisons++;
  }

  atEnd(): void {
    const { calls, history, nodes } = this.observed;
    if (this.healedAt < 0) return; // No heal phase: nothing was promised.
    const now = this.context.now();
    for (let client = 0; client < calls.open.length; client++) {
      if (calls.open[client] === 0) continue;
      const waited = Math.round((now - (calls.calledAt[client] as number)) / 1000);
      const healed = Math.round((now - this.healedAt) / 1000);
      this.context.fail(
        this.id,
        `client ${client} has waited ${waited} ms for operation ${calls.operation[client] as number}; ` +
          `faults ended ${healed} ms ago`,
      );
      return;
    }
    let first = -1;
    for (let node = 0; node < this.context.replicaCount; node++) {
      if ((nodes.core & (1 << node)) === 0) continue;
      this.comparisons++;
      if (nodes.running[node] === 0) {
        this.context.fail(this.id, `R${node} is in the core but does not run`);
        return;
      }
      const executed = nodes.executed[node] as number;
      const reached = executed === EXECUTED_UNKNOWN ? (nodes.checkpoint[node] as number) : executed;
      if (reached !== history.opMax) {
        this.context.fail(
          this.id,
          `R${node} is in the core but stands at op ${reached}; op ${history.opMax} has committed`,
        );
        return;
      }
      if (first < 0) first = node;
      if (nodes.view[node] !== nodes.view[first] || nodes.logView[node] !== nodes.logView[first]) {
        this.context.fail(
          this.id,
          `the core does not agree on a view: R${first} is in ${nodes.view[first] as number} ` +
            `(log of ${nodes.logView[first] as number}), R${node} in ${nodes.view[node] as number} ` +
            `(log of ${nodes.logView[node] as number})`,
        );
        return;
      }
    }
  }
}
