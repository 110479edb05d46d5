/**
 * The real thing: worlds are made of the same Replica that production runs.
 */
import { format } from '../core/storage/format.ts';
import { Replica } from '../core/vsr/replica.ts';
import { type ReplicaFactory } from './node_api.ts';

export const REPLICA_FACTORY: ReplicaFactory = Object.freeze({
  format(request: Parameters<ReplicaFactory['format']>[0]): void {
    format(request);
  },
  create(options: Parameters<ReplicaFactory['create']>[0]): Replica {
    return new Replica(options);
  },
});
