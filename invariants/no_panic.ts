/**
 * no_panic: no replica ends by itself unless a planted fault entitles it to.
 *
 * An assertion that fails is always a bug. A replica may refuse to go on with its own broken disk
 * (`ReplicaFatal`), but only where the fault record says that the disk was broken.
 */
import { type CheckContext, type Checker } from './invariant.ts';

export class NoPanic implements Checker {
  readonly id = 'no_panic';
  /** Processes watched from start to their planned end or to the end of the run. */
  comparisons = 0;
  private readonly context: CheckContext;

  constructor(context: CheckContext) {
    this.context = context;
  }

  onStarted(_node: number): void {
    this.comparisons++;
  }

  onPanicked(node: number, name: string, message: string, injected: boolean): void {
    if (name === 'ReplicaFatal' && injected) return;
    this.context.fail(this.id, `R${node} stopped: ${name}: ${message}`);
  }
}
