/** The last lines of the campaign's log, held at their end. */
import { type CampaignModel, type LogLine } from '../../live/campaign_model.ts';
import { clamp } from '../tui_state.ts';
import { fit, line, span, type Line, type Style } from '../lines.ts';

/** `below`: lines below the last one shown. */
export function logs(model: CampaignModel, below: number, width: number, height: number): Line[] {
  const { log } = model;
  const end = log.length - clamp(below, log.length - height);
  if (log.length === 0) return [line(span('Nothing has happened yet.', { dim: true }))];
  return log.slice(end - height, end).map((entry) => logLine(entry, width));
}

const STYLES: Readonly<Record<LogLine['level'], Style>> = {
  info: { colour: 'cyan' },
  good: {},
  bad: { colour: 'red' },
  odd: { colour: 'yellow' },
};

function logLine({ second, level, text }: LogLine, width: number): Line {
  return fit(line(span(`${clock(second)}  `, { dim: true }), span(text, STYLES[level])), width);
}

/** `03:07.4`, from an hour on `1:03:07`. */
export function clock(seconds: number): string {
  const minutes = `${twoDigits((seconds % 3600) / 60)}:${twoDigits(seconds % 60)}`;
  if (seconds >= 3600) return `${Math.floor(seconds / 3600)}:${minutes}`;
  return `${minutes}.${Math.floor((seconds * 10) % 10)}`;
}

function twoDigits(value: number): string {
  return String(Math.floor(value)).padStart(2, '0');
}
