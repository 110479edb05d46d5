/** The failures as they came; the chosen one with its facts below. */
import { FAILURES_MAX, type CampaignModel, type Failure } from '../../live/campaign_model.ts';
import { counted, grouped, listed } from '../../numbers.ts';
import { EMPTY, fit, line, span, table, wrapped, type Line, type Span } from '../lines.ts';
import { clamp } from '../tui_state.ts';

const DETAIL_LINES = 7;

/** Exactly what fits into `height`: the list follows the choice by itself. */
export function failures(model: CampaignModel, chosen: number, width: number, height: number): Line[] {
  const all = model.failures;
  if (all.length === 0) {
    const idle = model.state.name === 'Idle';
    return wrapped(idle ? 'No seed has run yet.' : 'No failure so far.', width, height, { dim: true });
  }
  const index = clamp(chosen, all.length - 1);
  const detail = height >= DETAIL_LINES + 5 ? detailOf(all[index] as Failure, width) : [];
  const title = titleOf(model);
  const room = Math.max(1, height - detail.length - 1);
  const first = clamp(index - Math.floor(room / 2), all.length - room);
  const shown = all.slice(first, first + room);
  const rows = table(shown.map((failure) => cellsOf(failure, failure === all[index])), '>');
  const list = rows.map((row) => fit(row, width));
  const filler = Array.from({ length: room - list.length }, () => EMPTY);
  return [fit(title, width), ...list, ...filler, ...detail].slice(0, height);
}

function titleOf(model: CampaignModel): Line {
  const kinds = model.distinctFailures;
  const distinct = model.failed > 1 ? `, ${grouped(kinds)} distinct` : '';
  const kept = model.failed > FAILURES_MAX ? ` (the first ${grouped(FAILURES_MAX)} are listed)` : '';
  return line(span(counted(model.failed, 'failure') + distinct, { bold: true }), kept);
}

function cellsOf(failure: Failure, chosen: boolean): Span[] {
  const style = chosen ? { inverse: true } : {};
  const { violation } = failure;
  const same = failure.sameAs === failure.number ? '' : `as #${failure.sameAs}`;
  return [
    span(`${chosen ? '▸' : ' '}#${failure.number}`, { ...style, bold: chosen }),
    span(`${failure.scenario} ${failure.seed}`, style),
    span(violation.invariant, { ...style, colour: 'red' }),
    span(same, { dim: true }),
    span(violation.message, { dim: true }),
  ];
}

function detailOf(failure: Failure, width: number): Line[] {
  const { violation, scenario, seed, canary, replay } = failure;
  const noun = violation.replicas.length === 1 ? 'replica' : 'replicas';
  const replicas = violation.replicas.length === 0 ? '' : `, ${noun} ${listed(violation.replicas)}`;
  const at = `${(violation.virtualMicros / 1e6).toFixed(6)} s virtual, event ${grouped(violation.event)}`;
  const planted = canary === null ? '' : `, canary ${canary}`;
  const lines = [
    EMPTY,
    line(span(`violation of ${violation.invariant}`, { colour: 'red', bold: true })),
    ...wrapped(violation.message, width, 2),
    line(span('at      ', { dim: true }), `${at}${replicas}`),
    line(span('run     ', { dim: true }), `scenario ${scenario}, seed ${seed}${planted}`),
    line(span('replay  ', { dim: true }), replay.command),
  ];
  return lines.map((text) => fit(text, width));
}
