/**
 * What a replica shows to whoever watches: facts in the form of the real messages, for checkers,
 * traces and metrics. Observers never influence the replica. All calls are synchronous and the
 * messages belong to the replica: `ref()` one to keep it.
 */
import { type Message } from '../message/pool.ts';
import { type Region } from '../message/region.ts';
import { type Replica } from './replica.ts';

export interface ReplicaObserver {
  /** The journal's recovery scan is over; nothing has been decided or repaired yet. */
  recovered(replica: Replica): void;
  /** Right after execution. `reply` is null for operations that answer nobody. */
  committed(replica: Replica, op: number, prepare: Message, reply: Message | null): void;
  /** The superblock that names this checkpoint is durable. */
  checkpointed(replica: Replica, op: number): void;
  /** `status`, `view` or `logView` changed. */
  statusChanged(replica: Replica): void;
  /** A message changed nothing, and why. */
  ignored(replica: Replica, command: number, reason: string): void;
  /** A header was taken out of the log by a view change; it was never committed. */
  discarded(replica: Replica, op: number, header: Region, at: number): void;
  /** The replica installed a checkpoint from others and lost the ops between. */
  synced(replica: Replica, fromOp: number, toOp: number): void;
}

export const NO_OBSERVER: ReplicaObserver = {
  recovered() {},
  committed() {},
  checkpointed() {},
  statusChanged() {},
  ignored() {},
  discarded() {},
  synced() {},
};
