/**
 * torn_write_recovery: what a journal vouches for after a restart is whole.
 *
 * For each slot in which the recovered journal claims to have a prepare, the true disk holds, at
 * that slot, a complete prepare with the claimed checksum: header and body recompute, the rest of
 * its last sector is zero, and where that prepare has committed, its bytes are those committed.
 */
import { bodyValid, headerValid } from '../core/checksum.ts';
import { HEADER_SIZE, SECTOR_SIZE } from '../core/constants.ts';
import { AT, OPERATION, opOf, operationOf, sizeOf } from '../core/message/header.ts';
import { equalWords, regionOf, type Region } from '../core/message/region.ts';
import { prepareOffset } from '../core/storage/data_file.ts';
import { Fingerprint } from './fingerprint.ts';
import { type CheckContext, type Checker, type Observed, type RecoveredJournal } from './invariant.ts';

export class TornWriteRecovery implements Checker {
  readonly id = 'torn_write_recovery';
  comparisons = 0;
  private readonly context: CheckContext;
  private readonly observed: Observed;
  private readonly prepare: Region;
  private readonly fingerprint = new Fingerprint();

  constructor(context: CheckContext, observed: Observed) {
    this.context = context;
    this.observed = observed;
    this.prepare = regionOf(new Uint8Array(context.config.messageSizeMax));
  }

  onRecovered(node: number, journal: RecoveredJournal): void {
    const { config } = this.context;
    for (let slot = 0; slot < config.journalSlots; slot++) {
      if (journal.prepareInhabited[slot] !== 1) continue;
      this.comparisons++;
      const problem = this.problem(node, slot, journal.prepareChecksum, slot * 32);
      if (problem !== null) {
        this.context.fail(
          this.id,
          `R${node} recovered a prepare in slot ${slot} of its journal, but on its disk ${problem}`,
        );
        return;
      }
      // A clean slot's header in memory is that of the prepare on disk.
      if (journal.dirty[slot] === 0 && journal.faulty[slot] === 0) {
        // (A reserved header carries its slot as its op: it says that nothing is expected here.)
        const header = slot * HEADER_SIZE;
        if (
          operationOf(journal.headers, header) !== OPERATION.reserved &&
          opOf(journal.headers, header) === opOf(this.prepare) &&
          !equalWords(journal.headers, header, this.prepare, 0, HEADER_SIZE)
        ) {
          this.context.fail(
            this.id,
            `R${node} recovered slot ${slot} as clean with another header than its prepare has`,
          );
          return;
        }
      }
    }
  }

  private problem(node: number, slot: number, checksum: Region, checksumAt: number): string | null {
    const { config, zones } = this.context;
    const { prepare } = this;
    const disk = this.context.disk(node);
    const offset = prepareOffset(zones, config, slot);
    disk.readTrue(offset, prepare.bytes.subarray(0, SECTOR_SIZE));
    if (!equalWords(prepare, AT.checksum, checksum, checksumAt, 32)) return 'another prepare lies there';
    if (!headerValid(config.checksumAlgorithm, prepare)) return 'its header is damaged';
    const size = sizeOf(prepare);
    if (size < HEADER_SIZE || size > config.messageSizeMax) return 'its size is impossible';
    const end = Math.ceil(size / SECTOR_SIZE) * SECTOR_SIZE;
    if (end > SECTOR_SIZE) {
      disk.readTrue(offset + SECTOR_SIZE, prepare.bytes.subarray(SECTOR_SIZE, end));
    }
    if (!bodyValid(config.checksumAlgorithm, prepare)) return 'its body is torn';
    for (let i = size; i < end; i++) {
      if (prepare.bytes[i] !== 0) return 'its padding is not zero';
    }
    const { history } = this.observed;
    const op = opOf(prepare);
    if (op < 1 || op > history.opMax) return null;
    if (!equalWords(prepare, AT.checksum, history.headers, history.headerAt(op), 32)) return null;
    this.fingerprint.of(prepare, HEADER_SIZE, size - HEADER_SIZE);
    const same =
      this.fingerprint.low === history.bodies[op * 2] &&
      this.fingerprint.high === history.bodies[op * 2 + 1];
    return same ? null : `its body is not the one committed at op ${op}`;
  }
}
