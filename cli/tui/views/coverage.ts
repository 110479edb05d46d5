/** How much of what is declared was reached: dimensions, checkers, gates, faults, probes. */
import { type CampaignModel } from '../../live/campaign_model.ts';
import { grouped, short } from '../../numbers.ts';
import { EMPTY, bar, fit, line, padded, span, table, type Line, type Span } from '../lines.ts';

export function coverage(model: CampaignModel, width: number): Line[] {
  const tally = model.coverage;
  const probes = tally.probeCoverage();
  const never = probes.filter(({ seeds }) => seeds === 0);
  const reached = probes.filter(({ seeds }) => seeds > 0).sort((a, b) => a.seeds - b.seeds);
  const dim = { dim: true };
  return [
    ...dimensions(model, width),
    ...section('Checkers: comparisons made', width, tally.checkerCoverage().map(({ id, checks }) => [
      span(id, checks > 0 ? {} : { colour: 'yellow' }),
      span(checks > 0 ? short(checks) : 'none', checks > 0 ? {} : { colour: 'yellow' }),
    ])),
    ...section('Gates: seeds that met them', width, tally.gateCoverage().map((gate) => [
      span(gate.scenario),
      span(`${grouped(gate.met)}/${grouped(gate.seeds)}`, gate.seeds > 0 && gate.met === 0 ? YELLOW : {}),
      span(gate.gate),
    ])),
    ...section('Faults: attempted, applied, observed', width, tally.faultCoverage().map((fault) => [
      span(fault.fault, fault.applied > 0 ? {} : dim),
      ...[fault.attempted, fault.applied, fault.observed].map((count) => {
        return span(short(count), count > 0 ? {} : dim);
      }),
    ])),
    ...section(`Probes never reached: ${never.length} of ${probes.length}`, width, never.map(({ name }) => {
      return [span(name, YELLOW)];
    })),
    ...section('Probes reached, rarest first: seeds, hits', width, reached.map((probe) => [
      span(probe.name),
      span(grouped(probe.seeds)),
      span(short(probe.hits)),
    ])),
  ];
}

const YELLOW = { colour: 'yellow' } as const;

function dimensions(model: CampaignModel, width: number): Line[] {
  return model.coverage.dimensions().map(({ name, reached, declared }) => {
    const label = padded(line(name), 17);
    const figures = ` ${reached}/${declared}`;
    const cells = Math.min(50, width - 17 - 8);
    if (cells < 4) return fit([...label, span(figures)], width);
    return [...label, ...bar(reached / declared, cells, { colour: 'cyan' }), span(figures)];
  });
}

function section(title: string, width: number, rows: readonly (readonly Span[])[]): Line[] {
  const lines = table(rows, '<>>>>').map((row) => fit(row, width));
  if (rows.length === 0) lines.push(line(span('none', { dim: true })));
  return [EMPTY, fit(line(span(title, { bold: true })), width), ...lines];
}
