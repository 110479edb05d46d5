/**
 * Where a command's result goes: standard output, or a file that appears only when it is whole.
 * Writing waits for a reader that is slower, so that a long text takes no memory.
 */
import { closeSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { once } from 'node:events';
import { UsageError } from '../usage_error.ts';

export interface Output {
  /** Goes to a terminal or a file. */
  readonly isTTY: boolean;
  readonly columns: number | undefined;
  write(text: string): Promise<void>;
  /** All was written: the file takes its name. */
  end(): Promise<void>;
  /** Nothing shall remain. */
  abandon(): void;
}

/** `path` undefined: standard output. */
export function openOutput(path: string | undefined): Output {
  return path === undefined ? standardOutput() : fileOutput(path);
}

/** Writes what `make` makes, whole or not at all. */
export async function writeOutput(
  path: string | undefined,
  make: (output: Output) => Promise<void> | void,
): Promise<void> {
  const output = openOutput(path);
  try {
    await make(output);
    await output.end();
  } catch (error) {
    output.abandon();
    throw error;
  }
}

function standardOutput(): Output {
  const { stdout } = process;
  return {
    isTTY: stdout.isTTY === true,
    columns: stdout.isTTY === true && stdout.columns > 0 ? stdout.columns : undefined,
    async write(text) {
      if (!stdout.write(text)) await once(stdout, 'drain');
    },
    async end() {},
    abandon() {},
  };
}

function fileOutput(path: string): Output {
  const partial = `${path}.${process.pid}.partial`;
  let file: number;
  try {
    file = openSync(partial, 'w');
  } catch (error) {
    throw new UsageError(`Cannot write "${path}": ${(error as Error).message}`, { cause: error });
  }
  return {
    isTTY: false,
    columns: undefined,
    async write(text) {
      writeSync(file, text);
    },
    async end() {
      closeSync(file);
      renameSync(partial, path);
    },
    abandon() {
      closeSync(file);
      rmSync(partial, { force: true });
    },
  };
}
