/** The three lists of `vopr`: aligned columns for people, an array of objects with `--format json`. */
import { Option, type Command } from 'commander';
import { tableText } from '../render/table.ts';

export function addFormatOption(command: Command): Command {
  return command.addOption(
    new Option('--format <format>', 'of standard output').choices(['human', 'json']).default('human'),
  );
}

export interface ListOptions {
  readonly format: 'human' | 'json';
}

/** Columns in the order of `columns`; the last one is not padded. */
export function printList<T extends object>(
  rows: readonly T[],
  columns: readonly (readonly [title: string, text: (row: T) => string])[],
  { format }: ListOptions,
): void {
  if (format === 'json') {
    process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
    return;
  }
  process.stdout.write(tableText(rows, columns));
}
