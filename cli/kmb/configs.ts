/**
 * The sizes that `kmb format --config` knows by name. They are fixed at format: the data file
 * carries their fingerprint, and a cluster is of one kind.
 */
import {
  CHECKSUM_ALGORITHM,
  CONFIG_PRODUCTION,
  CONFIG_SMALL,
  assertConfig,
  type ClusterConfig,
} from '../../core/constants.ts';

/** Large enough for real work on one machine, small enough to be formatted in a second. */
export const CONFIG_DEVELOPMENT: ClusterConfig = Object.freeze({
  pipelineMax: 32,
  journalSlots: 256,
  checkpointInterval: 128,
  messageSizeMax: 256 << 10,
  blockSize: 64 << 10,
  gridBlocks: 2048, // 128 MiB
  clientsMax: 128,
  tenantsMax: 256,
  streamsMax: 4096,
  idempotencyMax: 8192,
  checksumAlgorithm: CHECKSUM_ALGORITHM.sha256,
});
assertConfig(CONFIG_DEVELOPMENT);

export const CONFIGS: Readonly<Record<string, ClusterConfig>> = Object.freeze({
  production: CONFIG_PRODUCTION,
  development: CONFIG_DEVELOPMENT,
  small: CONFIG_SMALL,
});
export const CONFIG_NAMES: readonly string[] = Object.keys(CONFIGS);
