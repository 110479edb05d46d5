/**
 * Shards become the campaign that they are parts of. Parts belong together when the same seeds of
 * the same scenario were asked for with the same code; then each shard must be there once. A shard
 * that is not there, or did not finish, makes the whole incomplete, not wrong; anything else that
 * does not fit is refused, since adding it up would mean nothing.
 */
import { positionOf, shardOf } from '../../sim/search/campaign.ts';
import { mergeSummaries } from '../../sim/search/campaign_summary.ts';
import { counted, listed } from '../numbers.ts';
import { failuresOf } from '../render/failures.ts';
import { codeText, scenarioText, type RunReport } from '../render/report.ts';
import { UsageError } from '../usage_error.ts';

/** What `vopr run` accepts. */
const SHARDS_MAX = 1e6;
const SEEDS_MAX = 1e9;
const SHARDS_NAMED_MAX = 20;

export interface Part {
  /** The file, and the line when it is one of several, for messages. */
  readonly where: string;
  readonly report: RunReport;
}

/** One report a scenario, in the order in which they are first met. Throws UsageError: see above. */
export function mergeParts(parts: readonly Part[]): RunReport[] {
  const groups = new Map<string, [Part, ...Part[]]>();
  for (const part of parts) {
    const name = scenarioText(part.report);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [part]);
    else group.push(part);
  }
  return [...groups.values()].map(mergeGroup);
}

function mergeGroup(parts: readonly [Part, ...Part[]]): RunReport {
  const [first, ...others] = parts;
  for (const other of others) requireSameCampaign(first, other);
  for (const part of parts) requireOwnSeeds(part);

  const { scope, canary, code } = first.report;
  const { shards } = scope.shard;
  const byIndex = new Map<number, Part>();
  for (const part of parts) {
    const { index } = part.report.scope.shard;
    const twin = byIndex.get(index);
    if (twin !== undefined) {
      throw new UsageError(
        `shard ${index}/${shards} of ${scenarioText(first.report)} is there twice, in ${twin.where} and ` +
          `${part.where}: give each shard once (of a ledger with older campaigns, the newest with --since)`,
      );
    }
    byIndex.set(index, part);
  }
  const inOrder = [...byIndex.entries()].sort(([a], [b]) => a - b).map(([, { report }]) => report);
  const summary = mergeSummaries(inOrder.map((report) => report.summary));
  const bundleOf = new Map<number, string | null>();
  for (const { violation, bundle } of inOrder.flatMap(failuresOf)) bundleOf.set(violation.seed, bundle);
  const nodes = [...new Set(inOrder.map((report) => report.code.node))];
  return {
    scope: { ...scope, shard: { index: 1, shards: 1 } },
    summary: { ...summary, first: scope.seeds.first },
    bundles: summary.violations.map(({ seed }) => bundleOf.get(seed) ?? null),
    canary,
    startedAt: inOrder.map(({ startedAt }) => startedAt).sort()[0] as string,
    wallSeconds: inOrder.reduce((sum, { wallSeconds }) => sum + wallSeconds, 0),
    code: { ...code, node: listed(nodes) },
    missing: missingOf(inOrder, scope),
  };
}

function requireSameCampaign(a: Part, b: Part): void {
  const differs = (['seeds', 'shards', 'code', 'limits', 'determinism'] as const).find((aspect) => {
    return aspectOf(a.report, aspect) !== aspectOf(b.report, aspect);
  });
  if (differs === undefined) return;
  throw new UsageError(
    `these are not shards of one campaign of ${scenarioText(a.report)}: ` +
      `${aspectOf(a.report, differs)} in ${a.where}, ${aspectOf(b.report, differs)} in ${b.where}`,
  );
}

/** In words that differ when the thing does. The version of Node may: seeds do not depend on it. */
function aspectOf(
  { scope, code }: RunReport,
  aspect: 'seeds' | 'shards' | 'code' | 'limits' | 'determinism',
): string {
  const { seeds, shard, limits } = scope;
  switch (aspect) {
    case 'seeds': return `${counted(seeds.count, 'seed')} from ${seeds.first}`;
    case 'shards': return `shards of ${shard.shards}`;
    case 'code': {
      const module = code.module === undefined ? '' : ` with ${code.module}`;
      return codeText(code).replace(/, Node .*/, '') + module;
    }
    case 'limits': return `limits of ${limits.events ?? 'all'} events and ${limits.micros ?? 'all'} us`;
    case 'determinism': return scope.checkDeterminism ? 'seeds run twice' : 'seeds run once';
  }
}

/** A part that claims seeds which its shard has not is damaged, or was made up. */
function requireOwnSeeds({ where, report }: Part): void {
  const { summary, scope, canary } = report;
  const { seeds, shard } = scope;
  const refuse = (what: string): never => {
    throw new UsageError(`${where} does not add up: ${scenarioText({ summary, canary })}: ${what}`);
  };
  const possible = shard.index <= shard.shards && shard.shards <= SHARDS_MAX && seeds.count <= SEEDS_MAX;
  if (!possible) refuse(`shard ${shard.index} of ${shard.shards} of ${counted(seeds.count, 'seed')}`);
  const range = shardOf(seeds.first, seeds.count, shard.index, shard.shards);
  if (summary.count > range.count) refuse(`${summary.count} seeds where the shard has ${range.count}`);
  const failed = summary.violations.map(({ seed }) => seed);
  for (const list of [failed, summary.vacuous, ...summary.shares.map(({ missed }) => missed)]) {
    const stranger = list.find((seed) => positionOf(range, seed) === null);
    if (stranger !== undefined) refuse(`seed ${stranger} is not of its shard`);
    if (new Set(list).size !== list.length) refuse('a seed is counted twice');
  }
  if (summary.passed !== summary.count - failed.length - summary.vacuous.length) {
    refuse(`${summary.passed} passed of ${summary.count}`);
  }
}

/** Seeds that are not there, in words. */
function missingOf(reports: readonly RunReport[], scope: RunReport['scope']): string[] {
  const { seeds, shard: { shards } } = scope;
  const missing: string[] = [];
  for (const { scope: { shard }, summary, missing: own } of reports) {
    const name = shards === 1 ? '' : `shard ${shard.index}/${shards} `;
    const { count } = shardOf(seeds.first, seeds.count, shard.index, shards);
    missing.push(...own.map((what) => `${name}${what}`));
    if (summary.count < count && own.length === 0) {
      const taken = `${summary.count} of ${counted(count, 'seed')}`;
      missing.push(`${name}ended with its first violation, after ${taken}`);
    }
  }
  const there = new Set(reports.map(({ scope: { shard } }) => shard.index));
  // Of more shards than seeds the last ones are empty.
  const absent = range(Math.min(shards, seeds.count)).filter((index) => !there.has(index));
  if (absent.length > 0) {
    const lost = absent.reduce((sum, i) => sum + shardOf(seeds.first, seeds.count, i, shards).count, 0);
    const few = absent.length <= SHARDS_NAMED_MAX;
    const noun = absent.length === 1 ? 'shard' : 'shards';
    const which = few ? `${noun} ${listed(absent)}` : `${absent.length} shards`;
    missing.push(`${which} of ${shards} not there, ${counted(lost, 'seed')}`);
  }
  return missing;
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);
