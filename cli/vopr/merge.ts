/**
 * `vopr merge`: the results of shards become that of the whole campaign, and are reported as
 * `vopr run` would have. Exit status as of `run`; a campaign that is not complete is 2 when what is
 * there has no violation.
 */
import { readFileSync } from 'node:fs';
import { type Command } from 'commander';
import { subcommand } from '../program.ts';
import { distinctFailures } from '../render/failures.ts';
import { scenarioText, worstOutcome, type Renderer, type RunReport } from '../render/report.ts';
import { UsageError, type ExitStatus } from '../usage_error.ts';
import { readLedger, type Ledger } from './ledger.ts';
import { reportOfCampaign } from './ledger_report.ts';
import { mergeParts, type Part } from './merge_parts.ts';
import { addOutputOptions, openReporters, type OutputOptions } from './reporters.ts';
import { reportsOfResult } from './result_file.ts';
import { statusOf } from './run.ts';
import { parseSince } from './since.ts';

interface MergeOptions extends OutputOptions {
  readonly since?: number;
}

export function addMergeCommand(program: Command, setStatus: (status: ExitStatus) => void): void {
  const command = subcommand(program, 'merge', 'add up the results of shards', [
    'vopr merge shard-1.json shard-2.json shard-3.json',
    'vopr merge results/*.json --reporter human,junit=vopr.xml,issues=issues/',
  ])
    .argument('<file...>', 'results (`vopr run --reporter json=FILE`) or ledgers')
    .option('--since <time>', 'of ledgers, campaigns from then on: 2026-11-22, or 36h', parseSince);
  addOutputOptions(command).action((files: string[], options: MergeOptions) => {
    setStatus(merge(files, options));
  });
}

function merge(files: readonly string[], options: MergeOptions): ExitStatus {
  const parts = files.flatMap((file) => partsOf(file, options.since ?? 0));
  if (parts.length === 0) throw new UsageError(`no campaign in ${files.join(', ')}: nothing to merge`);
  const reports = mergeParts(parts);
  const { renderer, close } = openReporters(options);
  show(reports, renderer);
  close();
  warnOfUnknownCode(parts);
  if (worstOutcome(reports) === 'incomplete') {
    const lost = reports.flatMap((report) => {
      return report.missing.map((what) => `${scenarioText(report)}: ${what}`);
    });
    throw new UsageError(`this is not all of the campaign: ${lost.join('; ')}`);
  }
  return statusOf(reports);
}

/** Failures first, each once, as they would have come; then the summaries. */
function show(reports: readonly RunReport[], renderer: Renderer): void {
  for (const report of reports) {
    const { scenario } = report.summary;
    const { canary, code } = report;
    for (const { kept } of distinctFailures([report])) {
      renderer.violated(kept.violation, { scenario, canary, code, bundle: kept.bundle });
    }
    renderer.finished(report);
  }
  renderer.ended(reports);
}

function warnOfUnknownCode(parts: readonly Part[]): void {
  for (const commit of new Set(parts.map(({ report }) => report.code.commit))) {
    if (/^[0-9a-f]+$/.test(commit)) continue;
    const what = commit.endsWith('-dirty') ? 'had uncommitted changes' : 'is not known';
    const doubt = 'nothing proves that all shards ran the same';
    process.stderr.write(`the code ${what} (commit ${commit}): ${doubt}\n`);
  }
}

/** A result is one JSON value, a ledger one a line. */
function partsOf(path: string, since: number): Part[] {
  let source: string;
  try {
    source = readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`Cannot read "${path}": ${(error as Error).message}`, { cause: error });
  }
  if (source.trim() === '') {
    throw new UsageError(`"${path}" is empty: the run that should have written it did not end`);
  }
  const value = parsed(source);
  const isLine = value instanceof Object && 'kind' in value;
  if (value !== undefined && !isLine) {
    return reportsOfResult(value, path).map((report) => ({ where: `"${path}"`, report }));
  }
  return partsOfLedger(path, readLedger(path), since);
}

function partsOfLedger(path: string, ledger: Ledger, since: number): Part[] {
  const { campaigns, damaged, unknown } = ledger;
  if (campaigns.length === 0 && damaged.length > 0 && Object.keys(unknown).length === 0) {
    throw new UsageError(`"${path}" is neither a ledger nor a result: line 1 is ${damaged[0]?.reason}`);
  }
  for (const { line, reason } of damaged) {
    process.stderr.write(`"${path}", line ${line} is left out: ${reason}\n`);
  }
  for (const [what, count] of Object.entries(unknown)) {
    process.stderr.write(`"${path}": ${count} of ${what} left out: written by a newer version\n`);
  }
  return campaigns
    .filter(({ started }) => Date.parse(started.at) >= since)
    .map((campaign) => ({
      where: `"${path}" line ${campaign.line}`,
      report: reportOfCampaign(campaign),
    }));
}

/** Undefined: not one JSON value. */
function parsed(source: string): unknown {
  try {
    return JSON.parse(source) as unknown;
  } catch {
    return undefined;
  }
}
