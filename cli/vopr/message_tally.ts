/** What became of the messages of a run, by command. */
import { type Entry } from '../../sim/recorder.ts';

/** Columns of the tally, and which entries each counts: detail, and cause where it matters. */
const COLUMNS = [
  ['sent', 'send', null],
  ['copies', 'duplicate', null],
  ['delivered', 'deliver', null],
  ['lost', 'drop', 'loss'],
  ['partition', 'drop', 'partition'],
  ['overflow', 'drop', 'overflow'],
  ['crashed', 'drop', 'crashed'],
  ['held', 'hold', null],
  ['ignored', 'ignore', null],
] as const;
export type TallyColumn = (typeof COLUMNS)[number][0];
export const TALLY_COLUMNS: readonly TallyColumn[] = COLUMNS.map(([name]) => name);

export type TallyRow = Readonly<Record<TallyColumn, number>> & { readonly command: string };

export class MessageTally {
  readonly #rows = new Map<string, Record<TallyColumn, number>>();

  entry(entry: Entry): void {
    if (entry.kind !== 'message') return;
    const column = COLUMNS.find(
      ([, what, cause]) => what === entry.what && (cause === null || cause === entry.cause),
    );
    if (column === undefined) return;
    const command = entry.text.split(' ', 1)[0] as string;
    let row = this.#rows.get(command);
    if (row === undefined) this.#rows.set(command, (row = emptyRow()));
    row[column[0]]++;
  }

  /** Most sent first; at the end all together. */
  rows(): TallyRow[] {
    const rows = [...this.#rows].map(([command, counts]) => ({ command, ...counts }));
    rows.sort((a, b) => b.sent - a.sent || (a.command < b.command ? -1 : 1));
    const total = emptyRow();
    for (const row of rows) for (const column of TALLY_COLUMNS) total[column] += row[column];
    return [...rows, { command: 'all', ...total }];
  }
}

function emptyRow(): Record<TallyColumn, number> {
  return {
    sent: 0, copies: 0, delivered: 0, lost: 0, partition: 0, overflow: 0, crashed: 0, held: 0, ignored: 0,
  };
}
