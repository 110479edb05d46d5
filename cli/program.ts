/**
 * What both programs share: a command tree that never exits by itself, and one place where a
 * thrown error becomes words on stderr and an exit status.
 */
import { Command, CommanderError } from 'commander';
import { OperatingError } from '../adapters/errors.ts';
import { EXIT, UsageError } from './usage_error.ts';

export function newProgram(name: string, description: string, version: string): Command {
  const program = new Command(name);
  program
    .description(description)
    .version(version, '--version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({ outputError: () => {} }); // Said once, by `exitStatusOf`.
  return program;
}

/** A subcommand that behaves as its parent; two examples stand under its options. */
export function subcommand(
  parent: Command,
  usage: string,
  description: string,
  examples: readonly [string, string],
): Command {
  const command = parent.command(usage).description(description).copyInheritedSettings(parent);
  command.helpCommand(false);
  command.addHelpText('after', `\nExamples:\n  ${examples[0]}\n  ${examples[1]}`);
  return command;
}

/**
 * Runs the program over `argv` (without interpreter and script) and returns the exit status that
 * its action chose. Errors are told as `<program>: <message>`.
 */
export async function runProgram(
  program: Command,
  argv: readonly string[],
  status: () => number,
): Promise<number> {
  // A reader that went away (`vopr scenarios | head -1`) is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.passed);
    throw error;
  });
  try {
    await program.parseAsync(argv, { from: 'user' });
    return status();
  } catch (error) {
    return exitStatusOf(program.name(), error);
  }
}

function exitStatusOf(program: string, error: unknown): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT.passed;
    if (error.code === 'commander.help') return EXIT.usage; // No subcommand: help was printed.
    const message = error.message.replace(/^error: /, '');
    process.stderr.write(`${program}: ${message}\n`);
    return EXIT.usage;
  }
  if (isExpected(error)) {
    process.stderr.write(`${program}: ${error.message}\n`);
    return EXIT.usage;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`${program}: this is a bug; please report it with these lines\n${text}\n`);
  return EXIT.usage;
}

/** Errors whose message is meant for the person at the keyboard: ours, and the system's. */
function isExpected(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  if (error instanceof UsageError) return true;
  if (['ReplicaFatal', 'BundleError', 'UnknownSystem'].includes(error.name)) return true;
  if (error instanceof OperatingError) return true;
  return typeof (error as NodeJS.ErrnoException).syscall === 'string';
}
