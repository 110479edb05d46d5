/** `kmb format`: makes the data file of one replica. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import { formatFile } from '../../adapters/format_file.ts';
import { clusterText, parseCluster } from '../../adapters/handshake.ts';
import { REPLICAS_MAX } from '../../core/constants.ts';
import { isZeroWords, type Region } from '../../core/message/region.ts';
import { zonesOf } from '../../core/storage/data_file.ts';
import { wholeNumber } from '../numbers.ts';
import { subcommand } from '../program.ts';
import { UsageError } from '../usage_error.ts';
import { CONFIGS, CONFIG_NAMES } from './configs.ts';

interface FormatOptions {
  readonly cluster: Region;
  readonly replica: number;
  readonly replicaCount: number;
  readonly config: string;
}

export function addFormatCommand(program: Command): void {
  subcommand(program, 'format', 'make the data file of one replica', [
    'kmb format --cluster 7 --replica 0 --replica-count 3 --config development 0.kmb',
    'kmb format --cluster 0x5e3a --replica 2 --replica-count 3 --config production /data/2.kmb',
  ])
    .argument('<path>', 'the new file; nothing may be there yet')
    .requiredOption('--cluster <id>', 'id of the cluster, the same for all its replicas', parseClusterId)
    .requiredOption('--replica <index>', 'which replica this is, from 0', wholeNumber(0, REPLICAS_MAX - 1))
    .requiredOption('--replica-count <count>', 'how many the cluster has', wholeNumber(1, REPLICAS_MAX))
    .addOption(
      new Option('--config <name>', 'its sizes, fixed for ever')
        .choices([...CONFIG_NAMES])
        .makeOptionMandatory(),
    )
    .action((path: string, options: FormatOptions) => {
      const { cluster, replica, replicaCount } = options;
      if (replica >= replicaCount) {
        throw new UsageError(
          `--replica ${replica} of --replica-count ${replicaCount}: ` +
            `replicas are counted from 0, so the last one is ${replicaCount - 1}`,
        );
      }
      const config = CONFIGS[options.config];
      if (config === undefined) throw new UsageError(`no configuration "${options.config}"`);
      formatFile({ path, config, cluster, replicaIndex: replica, replicaCount });
      const size = (zonesOf(config).end / (1 << 20)).toFixed(0);
      process.stdout.write(
        `formatted ${path}: cluster ${clusterText(cluster)}, replica ${replica} of ${replicaCount}, ` +
          `${options.config}, ${size} MiB\n`,
      );
    });
}

export function parseClusterId(text: string): Region {
  const cluster = parseCluster(text);
  if (cluster === null || isZeroWords(cluster, 0, 16)) {
    throw new InvalidArgumentError(
      'It must be a number from 1 to 2^128 - 1, decimal or hexadecimal after 0x.',
    );
  }
  return cluster;
}
