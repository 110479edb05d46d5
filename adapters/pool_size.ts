/**
 * How many messages a server's pool holds: the sum of what each part may keep at once. The part
 * that clients can ask for without bound is bounded by the network, which stops reading from them
 * when the pool runs low. Memory is only taken when a slot is first used.
 */
import { type ClusterConfig } from '../core/constants.ts';
import { OWN_WRITES_MAX, REPAIR_WRITES_MAX } from '../core/storage/block_writes.ts';
import { cacheBlocks } from '../core/storage/block_cache.ts';
import { REPLY_MESSAGES_MAX } from '../core/storage/client_replies.ts';
import { GRID_READS_MAX } from '../core/storage/grid.ts';
import { JOURNAL_READS_MAX } from '../core/storage/journal.ts';
import { DataFileError } from './errors.ts';
import { RESERVE_CLIENT, peerQueueMax } from './tcp_network.ts';

const SMALL_SIZE = 8192;
/** What the shared memory can address, less what the storage components allocate for themselves. */
const LARGE_BYTES_MAX = 3 * 1024 * 1024 * 1024;
/** Queries being answered, and blocks being served to other replicas, each with a full message. */
const QUERIES = 128;
const SERVED = 64;

export interface PoolSizes {
  readonly smallCount: number;
  readonly smallSize: number;
  readonly largeCount: number;
  readonly largeSize: number;
}

/** Throws DataFileError when the configuration cannot work in the memory one process can share. */
export function serverPoolSizes(config: ClusterConfig, replicaCount: number, path: string): PoolSizes {
  const pipeline = config.pipelineMax;
  const core =
    // Prepares in flight, their requests, those kept for repair, and those that came early.
    6 * pipeline +
    OWN_WRITES_MAX + REPAIR_WRITES_MAX + GRID_READS_MAX + cacheBlocks(config.blockSize) +
    JOURNAL_READS_MAX + QUERIES + SERVED +
    // View change: a do_view_change of each, a start_view, and one being received on each link.
    4 * replicaCount;
  const largeWanted = core + RESERVE_CLIENT + Math.max(64, pipeline);
  const largeCount = Math.min(largeWanted, Math.floor(LARGE_BYTES_MAX / config.messageSizeMax));
  if (largeCount < core / 2) {
    throw new DataFileError('config-mismatch', path,
      `Cannot serve "${path}": ${core} messages of ${config.messageSizeMax} bytes exceed 3 GiB`,
      'format the cluster with a smaller message size or pipeline');
  }
  const queued = Math.min(1024, config.clientsMax);
  const smallCount =
    4 * queued + 8 * pipeline + REPLY_MESSAGES_MAX + replicaCount * peerQueueMax(config) + 1024;
  return { smallCount, smallSize: SMALL_SIZE, largeCount, largeSize: config.messageSizeMax };
}
