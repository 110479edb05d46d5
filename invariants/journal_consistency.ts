/**
 * journal_consistency: at rest, a core replica's journal holds every committed op above its
 * checkpoint, twice and alike.
 *
 * On the true disk the header in the headers zone, the header of the prepare in its slot, and the
 * committed header are the same bytes, and the prepare's body is the committed one.
 */
import { HEADER_SIZE } from '../core/constants.ts';
import { equalWords, regionOf, type Region } from '../core/message/region.ts';
import { sizeOf } from '../core/message/header.ts';
import { prepareOffset } from '../core/storage/data_file.ts';
import { Fingerprint } from './fingerprint.ts';
import { type CheckContext, type Checker, type Observed } from './invariant.ts';

export class JournalConsistency implements Checker {
  readonly id = 'journal_consistency';
  comparisons = 0;
  private readonly context: CheckContext;
  private readonly observed: Observed;
  private readonly prepare: Region;
  private readonly header = regionOf(new Uint8Array(HEADER_SIZE));
  private readonly fingerprint = new Fingerprint();

  constructor(context: CheckContext, observed: Observed) {
    this.context = context;
    this.observed = observed;
    this.prepare = regionOf(new Uint8Array(context.config.messageSizeMax));
  }

  /** False while a journal is still being written or repaired. */
  settled(): boolean {
    return this.firstProblem(false) === null;
  }

  atEnd(): void {
    const problem = this.firstProblem(true);
    if (problem !== null) this.context.fail(this.id, problem);
  }

  private firstProblem(counted: boolean): string | null {
    const { history, nodes } = this.observed;
    for (let node = 0; node < this.context.replicaCount; node++) {
      if (nodes.running[node] === 0 || (nodes.core & (1 << node)) === 0) continue;
      for (let op = (nodes.checkpoint[node] as number) + 1; op <= history.opMax; op++) {
        if (counted) this.comparisons++;
        const problem = this.problem(node, op);
        if (problem !== null) return `R${node}, op ${op}: ${problem}`;
      }
    }
    return null;
  }

  private problem(node: number, op: number): string | null {
    const { config, zones } = this.context;
    const { history } = this.observed;
    const { header, prepare } = this;
    const disk = this.context.disk(node);
    const slot = op % config.journalSlots;
    const at = history.headerAt(op);
    disk.readTrue(zones.journalHeaders + slot * HEADER_SIZE, header.bytes);
    if (!equalWords(header, 0, history.headers, at, HEADER_SIZE)) {
      return 'the headers zone of the journal does not hold the committed header';
    }
    const size = sizeOf(header);
    const whole = (size + 3) & ~3;
    const offset = prepareOffset(zones, config, slot);
    disk.readTrue(offset, prepare.bytes.subarray(0, whole));
    if (!equalWords(prepare, 0, history.headers, at, HEADER_SIZE)) {
      return 'the prepares zone of the journal does not hold the committed prepare';
    }
    this.fingerprint.of(prepare, HEADER_SIZE, size - HEADER_SIZE);
    const same =
      this.fingerprint.low === history.bodies[op * 2] &&
      this.fingerprint.high === history.bodies[op * 2 + 1];
    return same ? null : 'the prepare in the journal has another body than was committed';
  }
}
