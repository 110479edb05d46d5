/** Progress of each scenario. */
import { noProgress, type CampaignModel, type ScenarioProgress } from '../../live/campaign_model.ts';
import { duration, grouped, short } from '../../numbers.ts';
import { bar, fit, line, span, table, type Line, type Span } from '../lines.ts';

const WIDE = 72;

export function scenarios(model: CampaignModel, waiting: readonly string[], width: number): Line[] {
  const known = new Set(model.scenarios.map(({ name }) => name));
  const unknown = waiting.filter((name) => !known.has(name));
  const rows = [
    ...model.scenarios,
    ...unknown.map(noProgress),
  ];
  return width >= WIDE ? wide(rows, width) : rows.flatMap((row) => narrow(row, width));
}

function wide(rows: readonly ScenarioProgress[], width: number): Line[] {
  const title = ['', 'scenario', 'seeds', 'passed', 'failed', 'vacuous', 'events', 'virtual'];
  const cells = rows.map((row): Span[] => [
    mark(row),
    span(row.name, { bold: row.running }),
    span(`${grouped(row.taken)}/${grouped(row.planned)}`),
    count(row.passed, { colour: 'green' }),
    count(row.failed, { colour: 'red', bold: true }),
    count(row.vacuous, { colour: 'yellow' }),
    span(short(row.events)),
    span(duration(row.virtualMicros / 1e6)),
  ]);
  const lines = table([title.map((text) => span(text, { dim: true })), ...cells], '<<>>>>>>');
  const used = Math.max(...lines.map((cell) => cell.reduce((sum, { text }) => sum + [...text].length, 0)));
  const room = Math.min(30, width - used - 2);
  if (room < 6) return lines.map((cell) => fit(cell, width));
  return lines.map((cell, i) => {
    const row = rows[i - 1];
    return row === undefined ? cell : [...cell, span('  '), ...progress(row, room)];
  });
}

function narrow(row: ScenarioProgress, width: number): Line[] {
  const counts = `${grouped(row.taken)}/${grouped(row.planned)}`;
  const title = fit(line(mark(row), ' ', span(row.name, { bold: true }), ` ${counts}`), width);
  const outcome = line(
    span(`${grouped(row.passed)} passed `, row.passed > 0 ? { colour: 'green' } : { dim: true }),
    span(`${grouped(row.failed)} failed `, row.failed > 0 ? { colour: 'red' } : { dim: true }),
    span(`${grouped(row.vacuous)} vacuous`, row.vacuous > 0 ? { colour: 'yellow' } : { dim: true }),
  );
  return [title, fit(line('  ', ...outcome), width)];
}

function progress(row: ScenarioProgress, width: number): Line {
  return bar(row.taken / row.planned, width, { colour: row.failed > 0 ? 'red' : 'green' });
}

function mark(row: ScenarioProgress): Span {
  if (row.running) return span('▶', { colour: 'cyan' });
  if (row.failed > 0) return span('✗', { colour: 'red' });
  if (row.planned > 0 && row.taken >= row.planned) return span('✓', { colour: 'green' });
  return span('·', { dim: true });
}

function count(value: number, style: { colour: 'green' | 'red' | 'yellow'; bold?: boolean }): Span {
  return span(grouped(value), value > 0 ? style : { dim: true });
}
