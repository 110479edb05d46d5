/** The first tab: how far, how fast, what came out, and the last failure. */
import { type CampaignModel, type Failure, type SeedOutcome } from '../../live/campaign_model.ts';
import { duration, grouped, short } from '../../numbers.ts';
import {
  EMPTY,
  bar,
  ends,
  fit,
  line,
  padded,
  span,
  sparkline,
  wrapped,
  type Colour,
  type Line,
} from '../lines.ts';

/** Lines; the least important ones are last, and are left out where there is no room. */
export function overview(model: CampaignModel, width: number, height: number): Line[] {
  const roomy = height >= 16;
  const gap: Line[] = roomy ? [EMPTY] : [];
  const lines = [gauge(model, width), ...gap, ...figures(model, width), ...gap];
  const failure = model.failures.at(-1);
  if (failure !== undefined) lines.push(...lastFailure(failure, model.failed, width, roomy), ...gap);
  if (height - lines.length >= 2 && model.throughput.all.length > 1) {
    lines.push(throughput(model, width), ...gap);
  }
  const left = height - lines.length;
  if (left >= 2) lines.push(...recentResults(model, width, left));
  return lines.slice(0, height);
}

function gauge(model: CampaignModel, width: number): Line {
  const taken = model.sum('taken');
  const planned = model.sum('planned');
  if (planned === 0) {
    return line(span('Nothing has run yet: press ', { dim: true }), span('s', { bold: true }));
  }
  const left = model.state.name === 'Running' ? model.secondsLeft : null;
  const facts = ` ${percent(taken, planned)}  ${grouped(taken)} of ${grouped(planned)} seeds`;
  const time = left === null ? '' : `, ${duration(left)} left`;
  const roomForTime = width - facts.length - time.length >= 10;
  const text = roomForTime ? facts + time : facts;
  const colour: Colour = model.failed > 0 ? 'red' : 'green';
  const cells = width - text.length;
  if (cells < 4) return fit(line(text.trimStart()), width);
  return [...bar(taken / planned, cells, { colour }), span(text)];
}

/** Rounded down: 100 % is all of them. */
function percent(part: number, whole: number): string {
  return `${String(Math.floor((part / whole) * 100)).padStart(3)} %`;
}

function figures(model: CampaignModel, width: number): Line[] {
  const rate = model.state.name === 'Running' ? model.currentRate : model.averageRate;
  const failed = model.failed;
  const vacuous = model.sum('vacuous');
  const figure = (name: string, value: string, colour?: Colour): Line => {
    const cells = width >= 76 ? 24 : Math.floor((width - 2) / 2);
    return ends(
      line(span(name, { dim: true })),
      line(span(value, colour === undefined ? { bold: true } : { bold: true, colour })),
      cells,
    );
  };
  const all = [
    figure('passed', grouped(model.sum('passed')), model.sum('passed') > 0 ? 'green' : undefined),
    figure('failed', grouped(failed), failed > 0 ? 'red' : undefined),
    figure('vacuous', grouped(vacuous), vacuous > 0 ? 'yellow' : undefined),
    figure('seeds/s', short(rate.seeds)),
    figure('events/s', short(rate.events)),
    figure('elapsed', duration(model.activeSeconds)),
    figure('virtual', duration(model.virtualMicros / 1e6)),
    figure('view changes', short(model.viewChanges)),
    figure('crashes', short(model.crashes)),
  ];
  const columns = width >= 76 ? 3 : 2;
  const rows = Math.ceil(all.length / columns);
  const cells = columns === 3 ? 24 : Math.floor((width - 2) / 2);
  return Array.from({ length: rows }, (_, row) =>
    Array.from({ length: columns }, (_, column) => column * rows + row).flatMap((i) => {
      const gap = i < rows ? [] : [span('  ')];
      return i < all.length ? [...gap, ...padded(all[i] as Line, cells)] : [];
    }),
  );
}

function lastFailure(failure: Failure, failed: number, width: number, roomy: boolean): Line[] {
  const { violation, scenario, seed, replay } = failure;
  const title = failed === 1 ? 'The failure' : `Last of ${grouped(failed)} failures`;
  const at = `event ${grouped(violation.event)}, ${(violation.virtualMicros / 1e6).toFixed(6)} s virtual`;
  const lines: Line[] = [
    fit(
      line(
        span(`${title}: `, { colour: 'red', bold: true }),
        span(violation.invariant, { colour: 'red' }),
        span(`  ${scenario} seed ${seed}`),
      ),
      width,
    ),
    ...wrapped(violation.message, width, roomy ? 2 : 1),
  ];
  if (roomy) lines.push(fit(line(span(at, { dim: true })), width));
  return [...lines, fit(line(replay.command), width)];
}

function throughput(model: CampaignModel, width: number): Line {
  const { throughput } = model;
  // The last bucket is not over: it would always look like a drop.
  const values = throughput.all.slice(0, -1).map(({ events }) => events / throughput.width);
  const legend = `events/s, at most ${short(Math.max(0, ...values))} `;
  return line(
    span(legend, { dim: true }),
    span(sparkline(values, Math.max(1, width - legend.length)), { colour: 'cyan' }),
  );
}

function recentResults(model: CampaignModel, width: number, lines: number): Line[] {
  const recent = model.recent.newest(lines - 1);
  if (recent.length === 0) return [];
  const title = line(span('Recent results', { bold: true }));
  return [title, ...recent.map((result) => outcomeLine(result, width))];
}

const OUTCOMES = {
  passed: { mark: '✓', colour: 'green' },
  failed: { mark: '✗', colour: 'red' },
  vacuous: { mark: '○', colour: 'yellow' },
} as const;

function outcomeLine(result: SeedOutcome, width: number): Line {
  const { mark, colour } = OUTCOMES[result.outcome];
  const why = result.why === '' ? '' : `  ${result.why}`;
  const facts =
    `${short(result.events).padStart(7)} events ${short(result.commits).padStart(5)} commits ` +
    `${String(result.viewChanges).padStart(3)} view changes ${(result.virtualMicros / 1e6).toFixed(1)} s`;
  const name = line(
    span(`${mark} `, { colour }),
    span(`${result.scenario} `),
    span(`seed ${result.seed}`, { bold: true }),
  );
  const wide = width >= 100;
  return fit([...(wide ? padded(name, 44) : name), span(wide ? facts : '', { dim: true }), span(why)], width);
}
