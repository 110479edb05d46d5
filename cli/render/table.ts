export type TableColumn<T> = readonly [title: string, text: (row: T) => string, align?: 'right'];

/** Rows under titles, columns aligned, the last one ragged. */
export function tableText<T>(rows: readonly T[], columns: readonly TableColumn<T>[]): string {
  const cells = [columns.map(([title]) => title), ...rows.map((row) => columns.map(([, text]) => text(row)))];
  const widths = columns.map((_, c) => Math.max(...cells.map((line) => (line[c] as string).length)));
  const padded = (text: string, c: number): string => {
    const width = widths[c] as number;
    return columns[c]?.[2] === 'right' ? text.padStart(width) : text.padEnd(width);
  };
  return cells.map((line) => `${line.map(padded).join('  ').trimEnd()}\n`).join('');
}
