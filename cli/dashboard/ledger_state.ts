/** What the page shows of a ledger: all its campaigns together, in the order in which they began. */
import { gateInWords } from '../../sim/gate.ts';
import { shardOf } from '../../sim/search/campaign.ts';
import { FAILURES_MAX, noProgress, type Failure, type ScenarioProgress } from '../live/campaign_model.ts';
import { CoverageTally } from '../live/coverage_tally.ts';
import { type Declared } from '../live/declared.ts';
import { counted, grouped, short } from '../numbers.ts';
import { replayCommand } from '../render/commands.ts';
import { codeText } from '../render/report.ts';
import { type Ledger, type LedgerCampaign } from '../vopr/ledger.ts';
import { failureRow } from './campaign_state.ts';
import {
  coverageOf,
  type CanaryRow,
  type DashboardState,
  type ScenarioRow,
  type Series,
} from './dashboard_state.ts';

/** The latest campaigns in the chart. */
const POINTS_MAX = 120;

/** `path` is shown as it is. */
export function stateOfLedger(
  ledger: Ledger,
  declared: Declared,
  path: string,
  version: number,
): DashboardState {
  const { campaigns } = ledger;
  const ended = campaigns.filter((campaign) => campaign.ended !== null);
  const sum = (of: (campaign: LedgerCampaign) => number): number =>
    campaigns.reduce((total, campaign) => total + of(campaign), 0);
  const summed = (key: 'count' | 'passed' | 'events' | 'virtualMicros' | 'viewChanges' | 'crashes'): number =>
    sum(({ ended }) => ended?.summary[key] ?? 0);
  const seconds = sum(({ ended }) => ended?.wallSeconds ?? 0);
  const rate = (amount: number): number => (seconds > 0 ? amount / seconds : 0);
  const { failures, count, distinct } = failuresOf(campaigns);
  const running = campaigns.length - ended.length;
  const canaries = canariesOf(campaigns);
  const latest = campaigns.at(-1)?.started;
  return {
    version,
    source: 'ledger',
    title: 'Ledger',
    status: counted(campaigns.length, 'campaign'),
    detail: [
      path,
      ...(running === 0 ? [] : [`${grouped(running)} without an end: running, or killed`]),
      ...(latest === undefined
        ? []
        : [`latest: ${latest.scenario}, ${latest.at}, ${codeText(latest.code)}`]),
    ].join(' · '),
    warnings: warningsOf(ledger),
    totals: {
      planned: summed('count'),
      taken: summed('count'),
      passed: summed('passed'),
      failed: count,
      vacuous: sum(({ ended }) => ended?.summary.vacuous.length ?? 0),
      events: summed('events'),
      seconds,
      seedsPerSecond: rate(summed('count')),
      eventsPerSecond: rate(summed('events')),
      virtualSeconds: summed('virtualMicros') / 1e6,
      viewChanges: summed('viewChanges'),
      crashes: summed('crashes'),
    },
    throughput: throughputOf(ended),
    scenarios: scenariosOf(campaigns),
    coverage: coverageOf(tallyOf(ended, declared), 'campaigns'),
    topSeeds: null,
    failures: failures.map(failureRow),
    failureCount: count,
    distinctFailures: distinct,
    canaries,
    canariesMissing: declared.canaries.filter((name) => !canaries.some((row) => row.name === name)),
  };
}

/** The failures of a ledger, numbered; of many the latest are listed, all are counted. */
export function failuresOf(campaigns: readonly LedgerCampaign[]): {
  readonly failures: readonly Failure[];
  readonly count: number;
  readonly distinct: number;
} {
  const failures: Failure[] = [];
  const firstOfBug = new Map<string, number>();
  let count = 0;
  for (const campaign of campaigns) {
    const { started } = campaign;
    const { scenario, canary } = started;
    const report = { scope: started, canary, code: started.code, summary: { scenario } };
    for (const failed of campaign.failures) {
      const number = ++count;
      const { seed, invariant, message, event, virtualMicros, replicas, signature, bundle } = failed;
      // Two planted bugs are two bugs, also when they look alike.
      const bug = `${canary?.name ?? ''} ${signature}`;
      const sameAs = firstOfBug.get(bug) ?? number;
      if (sameAs === number) firstOfBug.set(bug, number);
      const violation = { invariant, message, event, virtualMicros, replicas };
      const replay = { bundle, command: replayCommand({ report, violation: { seed }, bundle }) };
      const planted = canary?.name ?? null;
      failures.push({ number, scenario, seed, canary: planted, violation, sameAs, replay, second: 0 });
      if (failures.length >= FAILURES_MAX * 2) failures.splice(0, FAILURES_MAX);
    }
  }
  return { failures: failures.slice(-FAILURES_MAX), count, distinct: firstOfBug.size };
}

function warningsOf({ damaged, unknown }: Ledger): string[] {
  const warnings: string[] = [];
  const [first] = damaged;
  if (first !== undefined) {
    warnings.push(`${counted(damaged.length, 'damaged line')} left out; line ${first.line}: ${first.reason}`);
  }
  for (const [kind, count] of Object.entries(unknown)) {
    warnings.push(`${counted(count, 'line')} of ${kind}, which this version does not know`);
  }
  return warnings;
}

function throughputOf(ended: readonly LedgerCampaign[]): Series {
  const latest = ended.slice(-POINTS_MAX);
  const points = latest.map(({ started, ended }) => {
    const { summary, wallSeconds } = ended as NonNullable<LedgerCampaign['ended']>;
    const value = wallSeconds > 0 ? summary.events / wallSeconds : 0;
    const failures = summary.violations.length;
    const failed = failures === 0 ? '' : `, ${grouped(failures)} failed`;
    const label = `${started.at} ${started.scenario}: ${short(value)} events/s, ` +
      `${counted(summary.count, 'seed')}${failed}`;
    return { value, failures, label };
  });
  return { points, first: minuteOf(latest[0]), last: minuteOf(latest.at(-1)) };
}

/** `2026-11-22T05:42`. */
function minuteOf(campaign: LedgerCampaign | undefined): string {
  return campaign?.started.at.slice(0, 16) ?? '';
}

function scenariosOf(campaigns: readonly LedgerCampaign[]): ScenarioRow[] {
  const rows = new Map<string, ScenarioProgress>();
  for (const { started, failures, ended } of campaigns) {
    const name = started.scenario;
    const row = rows.get(name) ?? noProgress(name);
    rows.set(name, row);
    const { seeds, shard } = started;
    row.planned += shardOf(seeds.first, seeds.count, shard.index, shard.shards).count;
    row.failed += failures.length;
    row.running = row.running || ended === null;
    if (ended === null) continue;
    const { summary } = ended;
    row.taken += summary.count;
    row.passed += summary.passed;
    row.vacuous += summary.vacuous.length;
    row.events += summary.events;
    row.virtualMicros += summary.virtualMicros;
  }
  return [...rows.values()];
}

function tallyOf(ended: readonly LedgerCampaign[], declared: Declared): CoverageTally {
  const tally = new CoverageTally(declared);
  for (const { started, ended: end } of ended) {
    const { scenario } = started;
    const { summary } = end as NonNullable<LedgerCampaign['ended']>;
    tally.expect(scenario);
    for (const [name, hits] of Object.entries(summary.probes)) tally.addProbe(name, hits, 1);
    tally.addChecks(summary.checks);
    tally.addFaults(summary.faults);
    // Of a seed that failed a summary does not say which gates it met.
    const judged = summary.count - summary.violations.length;
    for (const gate of declared.scenarios.find(({ name }) => name === scenario)?.gates ?? []) {
      const words = gateInWords(gate);
      const share = summary.shares.find((candidate) => candidate.gate === words);
      if (gate.sharePpm === undefined) {
        tally.addGate(scenario, gate, judged - (summary.unmet[words] ?? 0), judged);
      } else if (share !== undefined) {
        tally.addGate(scenario, gate, share.met, share.met + share.missed.length);
      }
    }
  }
  return tally;
}

function canariesOf(campaigns: readonly LedgerCampaign[]): CanaryRow[] {
  const rows = new Map<string, { -readonly [K in keyof CanaryRow]: CanaryRow[K] }>();
  for (const { started, failures, ended } of campaigns) {
    if (started.canary === null) continue;
    const { name, checker } = started.canary;
    const row = rows.get(name) ?? { name, checker, seeds: 0, caught: 0, caughtByOther: 0, reached: 0 };
    rows.set(name, row);
    row.seeds += ended?.summary.count ?? failures.length;
    row.reached += ended?.summary.canaryReached ?? 0;
    for (const { invariant } of failures) {
      if (invariant === checker) row.caught++;
      else row.caughtByOther++;
    }
  }
  return [...rows.values()];
}
