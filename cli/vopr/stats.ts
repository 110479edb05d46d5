/** `vopr stats`: measured numbers of the campaigns in a ledger. */
import { type Command } from 'commander';
import { FAULT_CLASSES } from '../../sim/plan.ts';
import { subcommand } from '../program.ts';
import { statsText } from '../render/stats.ts';
import { unknownName } from '../unknown_name.ts';
import { UsageError } from '../usage_error.ts';
import { codeVersion } from '../version.ts';
import { canaryRows, invariantRows, probeNames, scenarioNames } from './catalogue.ts';
import { LEDGER_FILE, readLedgerIfAny } from './ledger.ts';
import { statsOf, type Declared } from './ledger_stats.ts';
import { addFormatOption, type ListOptions } from './list.ts';
import { parseSince } from './since.ts';

interface StatsOptions extends ListOptions {
  readonly ledger: string;
  readonly since?: number;
  readonly scenario?: string;
}

export function addStatsCommand(program: Command): void {
  const command = subcommand(program, 'stats', 'what the campaigns of the ledger add up to', [
    'vopr stats --since 7d',
    'vopr stats --scenario combined --format json',
  ])
    .option('--ledger <file>', 'where campaigns are written down', LEDGER_FILE)
    .option('--since <time>', 'only campaigns from then on: 2026-11-22, or 36h', parseSince)
    .option('--scenario <name>', 'only campaigns of this scenario');
  addFormatOption(command).action(stats);
}

function stats({ ledger: path, since, scenario, format }: StatsOptions): void {
  const ledger = readLedgerIfAny(path);
  const declared: Declared = {
    scenarios: scenarioNames(),
    invariants: invariantRows().map(({ name }) => name),
    faults: FAULT_CLASSES,
    probes: probeNames(),
    canaries: canaryRows().map(({ name }) => name),
  };
  const wanted = scenario === undefined ? null : scenarioOf(scenario, [
    ...declared.scenarios,
    ...ledger.campaigns.map(({ started }) => started.scenario),
  ]);
  const { module } = codeVersion();
  const made = statsOf(ledger, declared, { since: since ?? 0, scenario: wanted, module });
  const text = format === 'json' ? `${JSON.stringify(made, null, 2)}\n` : statsText(path, made);
  process.stdout.write(text);
}

/** One that exists, or existed when it was run; kebab-case is accepted too. */
function scenarioOf(name: string, known: readonly string[]): string {
  const found = known.find((one) => one.replaceAll('-', '_') === name.replaceAll('-', '_'));
  if (found !== undefined) return found;
  throw new UsageError(unknownName('scenario', name, [...new Set(known)], 'vopr scenarios'));
}
