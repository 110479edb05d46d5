/** The command tree of `kmb`. Subcommands stand beside this file; it only joins them. */
import { newProgram, runProgram } from '../program.ts';
import { EXIT } from '../usage_error.ts';
import { packageVersion } from '../version.ts';
import { addDevCommand } from './dev.ts';
import { addFormatCommand } from './format.ts';
import { addInspectCommand } from './inspect.ts';
import { addServerCommand } from './server.ts';
import { addStreamCommand } from './stream.ts';
import { addTenantCommand } from './tenant.ts';

/** Returns the exit status. */
export function kmb(argv: readonly string[]): Promise<number> {
  let status: number = EXIT.passed;
  const setStatus = (chosen: number): void => {
    status = chosen;
  };
  const program = newProgram(
    'kmb',
    'Formats, serves, uses and inspects a replicated, tamper-evident event database.',
    packageVersion(),
  );
  program.addHelpText(
    'after',
    '\nExit status: 0 fine, 1 `inspect` found damage, 2 usage or operating error,\n' +
      '70 a bug stopped the server, 74 its storage did.\n' +
      '\nExamples:\n  kmb dev\n  kmb inspect .kimberlite/dev/0.kmb',
  );
  addFormatCommand(program);
  addServerCommand(program, setStatus);
  addDevCommand(program, setStatus);
  addTenantCommand(program);
  addStreamCommand(program);
  addInspectCommand(program, setStatus);
  return runProgram(program, argv, () => status);
}
