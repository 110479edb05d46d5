/** Rows under titles, columns aligned, the last one ragged. */
export function tableText<T>(
  rows: readonly T[],
  columns: readonly (readonly [title: string, text: (row: T) => string])[],
): string {
  const cells = [columns.map(([title]) => title), ...rows.map((row) => columns.map(([, text]) => text(row)))];
  const widths = columns.map((_, c) => Math.max(...cells.map((line) => (line[c] as string).length)));
  return cells
    .map((line) => `${line.map((text, c) => text.padEnd(widths[c] as number)).join('  ').trimEnd()}\n`)
    .join('');
}
