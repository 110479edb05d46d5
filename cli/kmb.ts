#!/usr/bin/env node
/**
 * `kmb`: the database's program. Subcommands stand in cli/kmb/; this file only joins them.
 */
import { addInspectCommand } from './kmb/inspect.ts';
import { newProgram, runProgram } from './program.ts';
import { EXIT, type ExitStatus } from './usage_error.ts';
import { packageVersion } from './version.ts';

let status: ExitStatus = EXIT.passed;
const setStatus = (chosen: ExitStatus): void => {
  status = chosen;
};

const program = newProgram(
  'kmb',
  'Formats, serves, uses and inspects a replicated, tamper-evident event database.',
  packageVersion(),
);
addInspectCommand(program, setStatus);

process.exitCode = await runProgram(program, process.argv.slice(2), () => status);
