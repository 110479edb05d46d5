/**
 * One record of one stream, as it lies on one replica's disk under its durable checkpoint. The
 * suite walks the log blocks of each node at the end of a run and shows every record to the
 * checkers that look at stored data. One object, refilled for each record.
 */
import { type Region } from '../core/message/region.ts';

export interface StreamSweep {
  readonly node: number;
  /** The record: `span` bytes at `at`, up to the next record. */
  readonly region: Region;
  readonly at: number;
  readonly span: number;
  /** The stream's id, and the offset that the run of records around it claims. */
  readonly stream: number;
  readonly offset: number;
  /** Op that appended it, as the run says. */
  readonly op: number;
}
