/** `vopr canaries`: the planted bugs, and who must catch each of them, where, and how soon. */
import { type Command } from 'commander';
import { subcommand } from '../program.ts';
import { canaryRows } from './catalogue.ts';
import { addFormatOption, printList, type ListOptions } from './list.ts';

export function addCanariesCommand(program: Command): void {
  addFormatOption(
    subcommand(program, 'canaries', 'list the bugs that can be planted with `run --canary`', [
      'vopr canaries',
      'vopr canaries --format json',
    ]),
  ).action((options: ListOptions) => {
    printList(
      canaryRows(),
      [
        ['canary', (row) => row.name],
        ['caught by', (row) => row.caught_by],
        ['in scenario', (row) => row.scenario],
        ['seeds', (row) => String(row.seeds)],
        ['the bug', (row) => row.bug],
      ],
      options,
    );
  });
}
