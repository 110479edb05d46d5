/** Throughput over time as an SVG of bars: drawn by the server, so that it needs no script. */
import { short } from '../numbers.ts';
import { type Series } from './dashboard_state.ts';
import { html, type Html } from './html.ts';

const WIDTH = 720;
const HEIGHT = 200;
const LEFT = 56;
const TOP = 12;
const BOTTOM = 24;
const BAR_MAX = 40;
/** Room for both ends' labels below few bars. */
const LABELS_MIN = 240;

export function chart(series: Series, label: string): Html {
  const { points } = series;
  const most = Math.max(0, ...points.map(({ value }) => value));
  const top = niceTop(most);
  const plotWidth = WIDTH - LEFT;
  const plotHeight = HEIGHT - TOP - BOTTOM;
  const y = (value: number): number => TOP + plotHeight - (value / top) * plotHeight;
  const step = Math.min(BAR_MAX, plotWidth / Math.max(1, points.length));
  const gap = step > 6 ? 2 : step > 3 ? 1 : 0;
  const bars = points.map(({ value, failures, label }, i) => {
    const x = LEFT + i * step;
    const height = (value / top) * plotHeight;
    const mark =
      failures === 0
        ? ''
        : html`<circle class="failed" cx="${fixed(x + step / 2)}" cy="${TOP + plotHeight + 6}" r="3"/>`;
    return html`<g><title>${label}</title>
<rect class="hit" x="${fixed(x)}" y="${TOP}" width="${fixed(step)}" height="${plotHeight}"/>
<rect class="bar" x="${fixed(x)}" y="${fixed(y(value))}" width="${fixed(Math.max(0.5, step - gap))}"
 height="${fixed(height)}"/>${mark}</g>`;
  });
  const lines = [0, top / 2, top].map((value) => html`<g class="grid">
<line x1="${LEFT}" x2="${WIDTH}" y1="${fixed(y(value))}" y2="${fixed(y(value))}"/>
<text x="${LEFT - 8}" y="${fixed(y(value) + 4)}" text-anchor="end">${short(value)}</text></g>`);
  const end = Math.max(LEFT + LABELS_MIN, LEFT + points.length * step);
  const last = points.length < 2 || series.last === series.first ? '' : series.last;
  return html`<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${label}">
${lines}${bars}
<text x="${LEFT}" y="${HEIGHT - 4}">${series.first}</text>
<text x="${fixed(end)}" y="${HEIGHT - 4}" text-anchor="end">${last}</text>
</svg>`;
}

/** 1, 2 or 5 times a power of ten, at least `most`; 1 for nothing. */
export function niceTop(most: number): number {
  if (!(most > 0)) return 1;
  let top = 1;
  while (top * 10 <= most) top *= 10;
  while (top > most * 10) top /= 10;
  for (const factor of [1, 2, 5, 10]) if (top * factor >= most) return top * factor;
  return top * 10;
}

function fixed(value: number): string {
  return value.toFixed(1);
}
