/**
 * `--reporter human,junit=out.xml,...`: which reports are made, and where each goes. Without a path
 * a report goes to standard output, where only lines may meet: people's, and what the runner of
 * GitHub Actions picks out of them.
 */
import {
  appendFileSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { compactRenderer } from '../render/compact.ts';
import { githubRenderer } from '../render/github.ts';
import { htmlRenderer } from '../render/html_report.ts';
import { humanRenderer } from '../render/human.ts';
import { issuesRenderer, type IssuesDirectory } from '../render/issues.ts';
import { jsonRenderer } from '../render/json.ts';
import { junitRenderer } from '../render/junit.ts';
import { Progress } from '../render/progress.ts';
import { type Renderer, type Verbosity } from '../render/report.ts';
import { UsageError } from '../usage_error.ts';

export const REPORTERS = ['human', 'json', 'compact', 'junit', 'github', 'html', 'issues'] as const;
export type ReporterName = (typeof REPORTERS)[number];
const FORMATS = ['human', 'json', 'compact'] as const satisfies readonly ReporterName[];

export interface Reporter {
  readonly name: ReporterName;
  /** Null: standard output. Of `issues` a directory; of `github` the file of the job's summary. */
  readonly path: string | null;
}

export interface OutputOptions {
  readonly format?: (typeof FORMATS)[number];
  readonly reporter?: readonly Reporter[];
  readonly quiet?: true;
  readonly verbose: number;
}

/** `--format`, `--reporter`, `--quiet` and `--verbose`. */
export function addOutputOptions(command: Command): Command {
  return command
    .addOption(new Option('--format <format>', 'of standard output (default: human)').choices(FORMATS))
    .option(
      '--reporter <names>',
      `what to make: ${REPORTERS.join(', ')}; several with commas; \`junit=out.xml\` goes to that file`,
      parseReporters,
    )
    .option('-q, --quiet', 'only what is wrong')
    .option(
      '-v, --verbose',
      'counters of each scenario; -vv also a line a seed',
      (_, count: number) => count + 1,
      0,
    );
}

/** For commander, which calls it once for each time that the option is given. */
export function parseReporters(text: string, before: readonly Reporter[] = []): Reporter[] {
  const reporters = text.split(',').map((part): Reporter => {
    const equals = part.indexOf('=');
    const name = equals < 0 ? part : part.slice(0, equals);
    const path = equals < 0 ? undefined : part.slice(equals + 1);
    const known = REPORTERS.find((one) => one === name);
    if (known === undefined) {
      throw new InvalidArgumentError(`"${name}" is none of ${REPORTERS.join(', ')}.`);
    }
    if (path === '') throw new InvalidArgumentError(`A path must follow "${name}=".`);
    if (known === 'issues' && path === undefined) {
      throw new InvalidArgumentError('Issues need a directory, as in issues=out/.');
    }
    return { name: known, path: path ?? null };
  });
  return [...before, ...reporters];
}

export function reportersOf({ format, reporter, quiet, verbose }: OutputOptions): readonly Reporter[] {
  if (quiet === true && verbose > 0) {
    throw new UsageError('--quiet and --verbose contradict each other: give one of them');
  }
  if (reporter === undefined) return [{ name: format ?? 'human', path: null }];
  if (format !== undefined) {
    throw new UsageError(`--format ${format} is the same as --reporter ${format}: give one of the two`);
  }
  const shown = reporter.filter(({ name, path }) => path === null && name !== 'github');
  const alone = shown.find(({ name }) => name !== 'human' && name !== 'compact');
  const onStdout = reporter.filter(({ path }) => path === null);
  if (shown.length > 1 || (alone !== undefined && onStdout.length > 1)) {
    const [a, b] = onStdout.map(({ name }) => name);
    throw new UsageError(
      `${a} and ${b} would both write to standard output: give one of them a file, as in ${b}=${b}.out`,
    );
  }
  return reporter;
}

export interface OpenReports {
  readonly renderer: Renderer;
  /** After the last call of the renderer. */
  close(): void;
}

/** Files are opened at once: a path that cannot be written is found before hours have passed. */
export function openReporters(options: OutputOptions): OpenReports {
  const verbosity = options.quiet === true ? 0 : (Math.min(3, 1 + options.verbose) as Verbosity);
  const files: number[] = [];
  const renderers = reportersOf(options).map(({ name, path }) => {
    const write = path === null || name === 'github' || name === 'issues' ? toStdout : toFile(path, files);
    const silent = { write: () => {} };
    const progress = new Progress(path === null ? process.stderr : silent, () => performance.now() / 1000);
    switch (name) {
      case 'human': return humanRenderer(write, progress, verbosity);
      case 'json': return jsonRenderer(write);
      case 'compact': return compactRenderer(write);
      case 'junit': return junitRenderer(write);
      case 'html': return htmlRenderer(write);
      case 'github': return githubRenderer(write, summaryFile(path ?? process.env['GITHUB_STEP_SUMMARY']));
      case 'issues': return issuesRenderer(intoDirectory(path as string));
    }
  });
  return { renderer: all(renderers), close: () => files.splice(0).forEach((file) => closeSync(file)) };
}

/** Tells each of them, in order. */
function all(renderers: readonly Renderer[]): Renderer {
  return {
    started: (...args) => renderers.forEach((one) => one.started(...args)),
    seedTaken: (...args) => renderers.forEach((one) => one.seedTaken(...args)),
    violated: (...args) => renderers.forEach((one) => one.violated(...args)),
    finished: (...args) => renderers.forEach((one) => one.finished(...args)),
    ended: (...args) => renderers.forEach((one) => one.ended(...args)),
  };
}

const toStdout = (text: string): void => void process.stdout.write(text);

function toFile(path: string, files: number[]): (text: string) => void {
  const file = orExplain(path, () => {
    mkdirSync(dirname(path), { recursive: true });
    return openSync(path, 'w');
  });
  files.push(file);
  return (text) => orExplain(path, () => void writeSync(file, text));
}

/** Appended to: earlier steps of the job may have written there. */
function summaryFile(path: string | undefined): (markdown: string) => void {
  if (path === undefined || path === '') return () => {};
  orExplain(path, () => appendFileSync(path, ''));
  return (markdown) => orExplain(path, () => appendFileSync(path, markdown));
}

function intoDirectory(directory: string): IssuesDirectory {
  orExplain(directory, () => mkdirSync(directory, { recursive: true }));
  return {
    writeFile: (name, text) => orExplain(directory, () => writeFileSync(join(directory, name), text)),
    copyFile: (name, path) => {
      if (existsSync(path)) orExplain(directory, () => copyFileSync(path, join(directory, name)));
    },
  };
}

function orExplain<T>(path: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw new UsageError(`Cannot write the report "${path}": ${(error as Error).message}`, { cause: error });
  }
}
