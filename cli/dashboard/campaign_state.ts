/** What the page shows of a campaign that runs. */
import { type CampaignModel, type Failure } from '../live/campaign_model.ts';
import { type CampaignSetup } from '../live/campaign_setup.ts';
import { counted, duration, grouped, short } from '../numbers.ts';
import { codeText } from '../render/report.ts';
import {
  coverageOf,
  type CanaryRow,
  type DashboardState,
  type FailureRow,
  type Series,
} from './dashboard_state.ts';

const TOP_SEEDS = 10;

export function stateOfCampaign(model: CampaignModel, setup: CampaignSetup): DashboardState {
  const { averageRate } = model;
  return {
    version: model.version,
    source: 'campaign',
    title: titleOf(setup),
    status: model.state.name,
    detail: detailOf(setup),
    warnings: [],
    totals: {
      planned: model.sum('planned'),
      taken: model.sum('taken'),
      passed: model.sum('passed'),
      failed: model.failed,
      vacuous: model.sum('vacuous'),
      events: model.events,
      seconds: model.activeSeconds,
      seedsPerSecond: averageRate.seeds,
      eventsPerSecond: averageRate.events,
      virtualSeconds: model.virtualMicros / 1e6,
      viewChanges: model.viewChanges,
      crashes: model.crashes,
    },
    throughput: throughputOf(model),
    scenarios: model.scenarios,
    coverage: coverageOf(model.coverage, 'seeds'),
    topSeeds: model.topSeeds.ranked(TOP_SEEDS),
    failures: model.failures.map(failureRow),
    failureCount: model.failed,
    distinctFailures: model.distinctFailures,
    canaries: setup.canary === null ? [] : [canaryRow(model, setup.canary)],
    canariesMissing: [], // A campaign plants one: that the others are not there says nothing.
  };
}

export function failureRow(failure: Failure): FailureRow {
  const { number, scenario, seed, canary, violation, sameAs, replay } = failure;
  const { bundle, command } = replay;
  return {
    number,
    scenario,
    seed,
    canary,
    ...violation,
    sameAs,
    bundle,
    replay: command,
    timeTravel: bundle === null ? null : `/failures/${number}/time-travel`,
  };
}

function titleOf({ scenarios }: CampaignSetup): string {
  if (scenarios.length <= 3) return scenarios.join(', ');
  return `${scenarios.length} scenarios`;
}

function detailOf({ seeds, jobs, canary, code, keepGoing }: CampaignSetup): string {
  const planted = canary === null ? '' : ` · canary ${canary.name} planted`;
  const ends = keepGoing ? '' : ' · ends with the first violation';
  const asked = `${counted(seeds.count, 'seed')} a scenario from ${seeds.first}`;
  return `${asked} · ${counted(jobs, 'thread')}${planted}${ends} · ${codeText(code)}`;
}

function throughputOf(model: CampaignModel): Series {
  const { throughput } = model;
  const running = model.state.name === 'Running';
  // The last bucket is not over while seeds come in: it would always look like a drop.
  const buckets = running ? throughput.all.slice(0, -1) : throughput.all;
  const points = buckets.map(({ events, seeds, failures }, i) => {
    const value = events / throughput.width;
    const failed = failures === 0 ? '' : `, ${grouped(failures)} failed`;
    const at = duration(i * throughput.width);
    const label = `${at}: ${short(value)} events/s, ${counted(seeds, 'seed')}${failed}`;
    return { value, failures, label };
  });
  return { points, first: '0 s', last: duration(points.length * throughput.width) };
}

function canaryRow(model: CampaignModel, { name, checker }: { name: string; checker: string }): CanaryRow {
  const caught = model.failedBy.get(checker) ?? 0;
  return {
    name,
    checker,
    seeds: model.sum('taken'),
    caught,
    caughtByOther: model.failed - caught,
    reached: model.canaryReached,
  };
}
