/**
 * `npm run bench [-- part…] [-- --json] [-- --long]`: figures with their conditions, and ratios.
 * A missed goal is printed and is no failure: these are measurements, not tests.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { benchCluster } from './cluster.ts';
import { figureLine, isSkipped, type Measurement } from './measurements.ts';
import { stopProgramsAtExit } from './processes.ts';
import { benchSim } from './sim.ts';

const PARTS = ['sim', 'cluster'] as const;
const PROJECT = fileURLToPath(new URL('..', import.meta.url));

interface Options {
  readonly json?: boolean;
  readonly long?: boolean;
  readonly directory: string;
}

const program = new Command('bench')
  .description('Measures the simulator, and the real cluster beside etcd and PostgreSQL.')
  .argument('[parts...]', `of ${PARTS.join(', ')}; all when none is named`)
  .option('--json', 'print one array of measurements')
  .option('--long', 'also what takes a quarter of an hour: memory over 100,000 seeds')
  .option('--directory <path>', 'for data files, on the disk to be measured', join(PROJECT, '.vopr', 'bench'))
  .action(run);

async function run(parts: readonly string[], options: Options): Promise<void> {
  for (const part of parts) {
    if (!(PARTS as readonly string[]).includes(part)) {
      program.error(`bench: unknown part "${part}"; there are ${PARTS.join(' and ')}`, { exitCode: 2 });
    }
  }
  stopProgramsAtExit();
  const wanted = (part: (typeof PARTS)[number]): boolean => parts.length === 0 || parts.includes(part);
  const all: Measurement[] = [];
  const show = (measurements: readonly Measurement[]): void => {
    all.push(...measurements);
    if (options.json === true) return;
    for (const one of measurements) {
      console.log(isSkipped(one) ? `${one.part.padEnd(9)} skipped: ${one.reason}` : figureLine(one));
    }
  };
  if (options.json !== true) {
    console.log(`${cpus().length} x ${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.version}`);
  }
  if (wanted('sim')) show(await benchSim({ long: options.long === true }));
  if (wanted('cluster')) {
    mkdirSync(options.directory, { recursive: true });
    try {
      show(await benchCluster(options.directory));
    } finally {
      rmSync(options.directory, { recursive: true, force: true });
    }
  }
  if (options.json === true) console.log(JSON.stringify(all, null, 2));
}

await program.parseAsync();
