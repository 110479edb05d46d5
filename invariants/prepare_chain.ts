/**
 * prepare_chain: the committed prepares form one hash chain.
 *
 * Each names the checksum of the one before as its parent; views never decrease and timestamps
 * strictly increase along it. Judged once an op, at its first commit.
 */
import { AT, opOf, viewOf } from '../core/message/header.ts';
import { equalWords, type Region } from '../core/message/region.ts';
import { type CheckContext, type Checker, type Observed } from './invariant.ts';

export class PrepareChain implements Checker {
  readonly id = 'prepare_chain';
  comparisons = 0;
  private readonly context: CheckContext;
  private readonly observed: Observed;

  constructor(context: CheckContext, observed: Observed) {
    this.context = context;
    this.observed = observed;
  }

  onCommitted(_node: number, op: number, prepare: Region): void {
    const history = this.observed.history;
    if (!history.first || op === 1) return; // Op 1 links to the root, which nobody commits.
    this.comparisons++;
    const headers = history.headers;
    const before = history.headerAt(op - 1);
    if (!equalWords(prepare, AT.parent, headers, before + AT.checksum, 32)) {
      this.context.fail(
        this.id,
        `the prepare of op ${opOf(prepare)} does not name op ${op - 1} as its parent`,
      );
    }
    if (viewOf(prepare) < viewOf(headers, before)) {
      this.context.fail(
        this.id,
        `op ${op} was prepared in view ${viewOf(prepare)}, the op before it in ${viewOf(headers, before)}`,
      );
    }
    if (!later(prepare, 0, headers, before)) {
      this.context.fail(this.id, `the timestamp of op ${op} is not above that of op ${op - 1}`);
    }
  }
}

/** u64 timestamps, compared in halves: nanoseconds since 1970 do not fit a number. */
function later(a: Region, aAt: number, b: Region, bAt: number): boolean {
  const aHigh = a.fields.getUint32(aAt + AT.timestamp + 4, true);
  const bHigh = b.fields.getUint32(bAt + AT.timestamp + 4, true);
  if (aHigh !== bHigh) return aHigh > bHigh;
  return (
    a.fields.getUint32(aAt + AT.timestamp, true) > b.fields.getUint32(bAt + AT.timestamp, true)
  );
}
