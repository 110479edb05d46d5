/** What the campaign was asked to do, and by which code. */
import { seedAt } from '../../../sim/search/campaign.ts';
import { type CampaignSetup } from '../../live/campaign_setup.ts';
import { counted, grouped } from '../../numbers.ts';
import { fit, line, span, wrapped, type Line } from '../lines.ts';

const BY_PLAN = "as each scenario's plan says";

export function configuration(setup: CampaignSetup, width: number): Line[] {
  const { seeds, canary, limits, code } = setup;
  const every = seeds.stride === 1 ? '' : `, every ${seeds.stride}th (one shard)`;
  const rows: [string, string][] = [
    ['scenarios', setup.scenarios.join(', ')],
    ['seeds', `${counted(seeds.count, 'seed')} a scenario, ${seedAt(seeds, 0)} first${every}`],
    ['jobs', counted(setup.jobs, 'thread')],
    ['canary', canary === null ? 'none' : `${canary.name}, to be caught by ${canary.checker}`],
    ['ends', setup.keepGoing ? 'when all seeds have run' : 'with the first violation (--keep-going goes on)'],
    ['events', limits.events === null ? BY_PLAN : `at most ${grouped(limits.events)}`],
    ['faults', limits.micros === null ? BY_PLAN : `for ${limits.micros / 1e6} s virtual`],
    ['each seed', setup.checkDeterminism ? 'twice, in lock step' : 'once'],
    ['bundles', setup.bundleDirectory ?? 'not written'],
    ['ledger', setup.ledger ?? 'none is written'],
    ['code', `kimberlite ${code.version}, commit ${code.commit}`],
    ['Node', code.node],
  ];
  const label = Math.max(...rows.map(([name]) => name.length)) + 2;
  return rows.flatMap(([name, value]) =>
    wrapped(value, Math.max(8, width - label), 20).map((text, i) =>
      fit(line(span((i === 0 ? name : '').padEnd(label), { dim: true }), ...text), width),
    ),
  );
}
