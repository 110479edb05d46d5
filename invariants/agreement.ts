/**
 * agreement: no two replicas commit different prepares at one op, whatever the view.
 *
 * The first replica to commit an op fixes it; every later commit of that op, by any replica and in
 * any incarnation, must carry the same checksum and the same bytes. Keyed by op alone: two prepares
 * of different views at one op are exactly the divergence to find. Source: VRR section 8; state
 * checker of reference "vopr" 2.2.
 */
import { HEADER_SIZE } from '../core/constants.ts';
import { AT, opOf, viewOf } from '../core/message/header.ts';
import { equalWords, type Region } from '../core/message/region.ts';
import { type CheckContext, type Checker, type Observed } from './invariant.ts';

export class Agreement implements Checker {
  readonly id = 'agreement';
  comparisons = 0;
  private readonly context: CheckContext;
  private readonly observed: Observed;

  constructor(context: CheckContext, observed: Observed) {
    this.context = context;
    this.observed = observed;
  }

  onCommitted(node: number, op: number, prepare: Region): void {
    if (opOf(prepare) !== op) {
      this.context.fail(this.id, `R${node} executed at op ${op} a prepare of op ${opOf(prepare)}`);
      return;
    }
    const history = this.observed.history;
    if (history.first || op > history.opMax) return;
    this.comparisons++;
    const at = history.headerAt(op);
    if (!equalWords(prepare, AT.checksum, history.headers, at, 32)) {
      this.context.fail(
        this.id,
        `op ${op} was committed as a prepare of view ${viewOf(history.headers, at)}, ` +
          `but R${node} committed another one, of view ${viewOf(prepare)}`,
      );
      return;
    }
    const same =
      equalWords(prepare, 0, history.headers, at, HEADER_SIZE) &&
      history.body.low === history.bodies[op * 2] &&
      history.body.high === history.bodies[op * 2 + 1];
    if (!same) {
      const where = equalWords(prepare, 0, history.headers, at, HEADER_SIZE) ? 'body' : 'header';
      this.context.fail(
        this.id,
        `R${node} committed op ${op} under the agreed checksum, but its ${where} has other bytes`,
      );
    }
  }
}
