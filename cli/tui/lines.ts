/**
 * Lines of styled text: what the views of `vopr tui` are made of. A view is a function from what is
 * to be shown and the room there is to lines; only app.ts knows that there is a terminal.
 */
export type Colour = 'red' | 'green' | 'yellow' | 'blue' | 'cyan' | 'magenta';

export interface Style {
  readonly colour?: Colour;
  readonly bold?: boolean;
  readonly dim?: boolean;
  readonly inverse?: boolean;
}

export interface Span extends Style {
  readonly text: string;
}

export type Line = readonly Span[];

export const EMPTY: Line = [];

export function span(text: string, style: Style = {}): Span {
  return { text: printable(text), ...style };
}

export function line(...spans: (Span | string)[]): Line {
  return spans.map((item) => (typeof item === 'string' ? span(item) : item));
}

/** What a terminal would take as a command becomes a space; every other character takes one cell. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, ' ');
}

export function widthOf(text: Line): number {
  return text.reduce((width, { text }) => width + cells(text).length, 0);
}

/** Cut to `width` cells; what was cut leaves an ellipsis. */
export function fit(text: Line, width: number): Line {
  if (widthOf(text) <= width) return text;
  const kept: Span[] = [];
  let room = width - 1;
  if (room < 0) return EMPTY;
  for (const item of text) {
    const characters = cells(item.text);
    kept.push({ ...item, text: characters.slice(0, room).join('') });
    room -= characters.length;
    if (room <= 0) break;
  }
  const last = kept.at(-1) as Span;
  kept[kept.length - 1] = { ...last, text: `${last.text}…` };
  return kept;
}

/** Exactly `width` cells: cut, or followed by spaces. */
export function padded(text: Line, width: number): Line {
  const missing = width - widthOf(text);
  return missing < 0 ? fit(text, width) : [...text, span(' '.repeat(missing))];
}

/** `left` and `right` at the two ends of `width` cells; when there is no room, `left` alone. */
export function ends(left: Line, right: Line, width: number): Line {
  const gap = width - widthOf(left) - widthOf(right);
  if (gap < 1) return fit(left, width);
  return [...left, span(' '.repeat(gap)), ...right];
}

/** Broken at spaces into at most `lines` lines of `width` cells; the last one is cut. */
export function wrapped(text: string, width: number, lines: number, style: Style = {}): Line[] {
  const result: Line[] = [];
  let rest = printable(text).trim();
  while (rest.length > width && result.length < lines - 1) {
    const space = rest.lastIndexOf(' ', width);
    const at = space > width / 3 ? space : width;
    result.push([span(rest.slice(0, at), style)]);
    rest = rest.slice(at).trimStart();
  }
  if (rest !== '') result.push(fit([span(rest, style)], width));
  return result;
}

/** A table: columns as wide as their widest cell, those marked with `>` aligned to the right. */
export function table(rows: readonly (readonly Span[])[], align: string, gap = 2): Line[] {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, i) =>
    Math.max(...rows.map((row) => cells(row[i]?.text ?? '').length)),
  );
  return rows.map((row) =>
    row.flatMap((cell, i) => {
      const missing = ' '.repeat((widths[i] as number) - cells(cell.text).length);
      const between = i === 0 ? '' : ' '.repeat(gap);
      const text = align[i] === '>' ? `${missing}${cell.text}` : `${cell.text}${missing}`;
      return [span(between), { ...cell, text }];
    }),
  );
}

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** `share` of `width` cells, in eighths of a cell; an unknown share (0 of 0) is empty. */
export function bar(share: number, width: number, style: Style = {}): Line {
  const eighths = Math.round(Math.min(1, Math.max(0, Number.isFinite(share) ? share : 0)) * width * 8);
  const full = '█'.repeat(Math.floor(eighths / 8));
  const part = EIGHTHS[eighths % 8] as string;
  const rest = width - full.length - part.length;
  return [span(full + part, style), span('░'.repeat(Math.max(0, rest)), { dim: true })];
}

const HEIGHTS = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/** The last `width` values, each a cell, in proportion to the largest one shown. */
export function sparkline(values: readonly number[], width: number): string {
  const shown = values.slice(-width);
  const most = Math.max(0, ...shown);
  return shown
    .map((value) => (value <= 0 ? ' ' : HEIGHTS[Math.min(7, Math.floor((value / most) * 8))]))
    .join('');
}

export function plain(text: Line): string {
  return text.map((item) => item.text).join('');
}

function cells(text: string): string[] {
  return [...text];
}
