/** `vopr scenarios`: what can be simulated, and what must happen in it. */
import { type Command } from 'commander';
import { subcommand } from '../program.ts';
import { scenarioRows } from './catalogue.ts';
import { addFormatOption, printList, type ListOptions } from './list.ts';

export function addScenariosCommand(program: Command): void {
  addFormatOption(
    subcommand(program, 'scenarios', 'list the scenarios', [
      'vopr scenarios',
      'vopr scenarios --format json',
    ]),
  ).action((options: ListOptions) => {
    printList(
      scenarioRows(),
      [
        ['scenario', (row) => row.name],
        ['replicas', (row) => row.replicas.join(' or ')],
        ['summary', (row) => row.summary],
      ],
      options,
    );
  });
}
