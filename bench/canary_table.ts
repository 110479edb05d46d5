/**
 * `npm run -s canary-table [-- canary...]`: each planted bug from its failing seed to a regression
 * test (canary_chain.ts), as the table of docs/minimize.md.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { CANARIES, findCanary } from '../sim/canaries.ts';
import { grouped, wholeNumber } from '../cli/numbers.ts';
import { directoryOf, gone, runChain, withoutDelays, type Chain } from './canary_chain.ts';
import { median } from './measurements.ts';

interface Options {
  readonly jobs: number;
  readonly keep?: string;
}

const program = new Command('canary-table')
  .description('Finds, bisects and minimises planted bugs, runs the tests that come out, tabulates it.')
  .argument('[canary...]', 'names as `vopr canaries` lists them; all when none is named')
  .option('--jobs <count>', 'threads', wholeNumber(1, 256), availableParallelism())
  .option('--keep <directory>', 'write bundles, tests and stories there, and leave them')
  .action(tabulate);

const write = (text: string): void => void process.stdout.write(text);

async function tabulate(names: readonly string[], options: Options): Promise<void> {
  const canaries = names.length === 0
    ? CANARIES
    : names.map((name) => findCanary(name) ?? program.error(`no canary "${name}"`, { exitCode: 2 }));
  const root = options.keep ?? mkdtempSync(join(tmpdir(), 'kimberlite-canary-table-'));
  write(`${row(HEAD)}\n${row(HEAD.map((_, i) => (i === 0 ? '---' : '--:')))}\n`);
  const chains: Chain[] = [];
  try {
    for (const canary of canaries) {
      const chain = await runChain(canary, { directory: directoryOf(root, canary), jobs: options.jobs });
      chains.push(chain);
      write(`${row(cells(chain))}\n`);
    }
  } finally {
    if (options.keep === undefined) rmSync(root, { recursive: true, force: true });
  }
  const all = (of: (chain: Chain) => number): string => `${median(chains.map(of)).toFixed(1)} %`;
  const slowest = Math.max(...chains.map(({ seconds }) => seconds));
  const used = chains.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
  write(
    `\nMedian of ${chains.length}: ${all(allGone)} of the decisions gone, ` +
      `${all(restGone)} without delays; slowest ${slowest.toFixed(1)} s, ` +
      `${used.toFixed(1)} s of processor in all. ` +
      `${options.jobs} threads, ${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.version}.\n`,
  );
}

const allGone = ({ before, after }: Chain): number => gone(before.decisions.total, after.decisions.total);
const restGone = ({ before, after }: Chain): number => gone(withoutDelays(before), withoutDelays(after));

const HEAD = [
  'canary', 'seed', 'events', 'lost from', 'after', 'decisions', 'after', 'gone', 'without delays', 'after',
  'plans', 'seconds', 'of processor',
];

function cells(chain: Chain): string[] {
  const { before, after } = chain;
  return [
    chain.canary,
    String(chain.seed),
    grouped(before.events),
    grouped(chain.lostFrom),
    grouped(after.events),
    grouped(before.decisions.total),
    grouped(after.decisions.total),
    `${allGone(chain).toFixed(1)} %`,
    grouped(withoutDelays(before)),
    grouped(withoutDelays(after)),
    grouped(chain.tries),
    chain.seconds.toFixed(1),
    chain.cpuSeconds.toFixed(1),
  ];
}

function row(texts: readonly string[]): string {
  return `| ${texts.join(' | ')} |`;
}

await program.parseAsync();
