/**
 * The program of the time-travel page: simulator and user interface as one classic script, and its
 * style sheet. A checkout bundles them from source each time, which takes about 0.2 s and cannot
 * be stale; the published package carries them as files, made by `npm run build`.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { BuildOptions } from 'esbuild'; // Not even loaded where it is not needed.
import { UsageError } from '../usage_error.ts';

export interface PageProgram {
  readonly script: string;
  readonly style: string;
}

/** Beside this file, in the published package. */
export const BUILT_SCRIPT = 'time_travel.js';
export const BUILT_STYLE = 'time_travel.css';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

const STAND_INS: Readonly<Record<string, string>> = {
  'node:crypto': here('stand_ins/node_crypto.ts'),
  'node:zlib': here('stand_ins/node_zlib.ts'),
};

const programs = new Map<string | null, Promise<PageProgram>>();

/** `system`: URL of the module of a system of one's own; null: Kimberlite. Made once in a process. */
export function pageProgram(system: string | null = null): Promise<PageProgram> {
  let program = programs.get(system);
  if (program === undefined) {
    program = existsSync(here(BUILT_SCRIPT)) ? builtPage(system) : bundlePage(system);
    programs.set(system, program);
  }
  return program;
}

async function builtPage(system: string | null): Promise<PageProgram> {
  if (system !== null) {
    throw new UsageError(
      'Cannot make the page: the published package has it for Kimberlite only; ' +
        "for a system of one's own use a checkout",
    );
  }
  const read = (name: string): Promise<string> => readFile(here(name), 'utf8');
  return { script: await read(BUILT_SCRIPT), style: await read(BUILT_STYLE) };
}

/** From the sources beside this file. Needs esbuild, a dependency of the checkout only. */
export async function bundlePage(system: string | null = null): Promise<PageProgram> {
  let esbuild: typeof import('esbuild');
  try {
    esbuild = await import('esbuild');
  } catch (error) {
    throw new UsageError('Cannot make the page: esbuild is not installed; run `npm ci` in the checkout', {
      cause: error,
    });
  }
  const settings: BuildOptions = {
    bundle: true,
    write: false,
    outdir: here('out'), // Names the results; nothing is written.
    minify: true,
    legalComments: 'none',
    format: 'iife',
    platform: 'browser',
    charset: 'ascii',
    target: ['es2024', 'chrome122', 'firefox128', 'safari17.4'],
    alias: STAND_INS,
    // Otherwise an import of types alone would still bring in its module, and that Node's own.
    tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: false } },
    logLevel: 'silent',
  };
  const stdin = { contents: entryText(system), resolveDir: here('.'), loader: 'ts' } as const;
  try {
    const [script, style] = await Promise.all([
      esbuild.build({ ...settings, stdin }),
      esbuild.build({ ...settings, entryPoints: [here('browser/page.css')] }),
    ]);
    return { script: textOf(script.outputFiles), style: textOf(style.outputFiles) };
  } catch (error) {
    throw new UsageError(`Cannot make the page: ${problemIn(error)}`, { cause: error });
  }
}

function textOf(files: readonly { readonly text: string }[] | undefined): string {
  const [file] = files ?? [];
  if (file === undefined) throw new Error('esbuild made nothing');
  return file.text;
}

/** What the bundle begins with. */
function entryText(system: string | null): string {
  const show = `import { showPage } from './browser/main.ts';\n`;
  if (system === null) return `${show}showPage();\n`;
  return (
    `${show}import { registerSystem } from '../../sim/system_registry.ts';\n` +
    `import { system } from ${JSON.stringify(fileURLToPath(system))};\n` +
    'registerSystem(system);\nshowPage();\n'
  );
}

/** The first of esbuild's errors: mostly a module of Node that a system imports. */
function problemIn(error: unknown): string {
  const [first] = (error as { readonly errors?: readonly BuildProblem[] }).errors ?? [];
  if (first === undefined) return String(error);
  const { location, text } = first;
  return location === null ? text : `${location.file}:${location.line}: ${text}`;
}

interface BuildProblem {
  readonly text: string;
  readonly location: { readonly file: string; readonly line: number } | null;
}
