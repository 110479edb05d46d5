/** `vopr invariants`: the checkers and the claim that each of them holds. */
import { type Command } from 'commander';
import { subcommand } from '../program.ts';
import { invariantRows } from './catalogue.ts';
import { addFormatOption, printList, type ListOptions } from './list.ts';

export function addInvariantsCommand(program: Command): void {
  addFormatOption(
    subcommand(program, 'invariants', 'list the checkers', [
      'vopr invariants',
      'vopr invariants --format json',
    ]),
  ).action((options: ListOptions) => {
    printList(
      invariantRows(),
      [
        ['invariant', (row) => row.name],
        ['claim', (row) => row.claim],
      ],
      options,
    );
  });
}
