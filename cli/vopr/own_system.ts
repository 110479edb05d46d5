/**
 * Systems of one's own on the command line: `--system ./system.ts` loads a module, whose export
 * `system` (defineSystem) then stands for Kimberlite in every command. Only a module that somebody
 * names is loaded; a bundle tells where its system came from, and that is all it does.
 */
import { existsSync } from 'node:fs';
import { isAbsolute, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type PlainData } from '../../bundles/format.ts';
import { type OwnSystem } from '../../sim/define_system.ts';
import { UsageError } from '../usage_error.ts';

interface Loaded {
  readonly system: OwnSystem;
  /** `file:` URL, for threads; null when no module is known. */
  readonly url: string | null;
}

let loaded: Loaded | null = null;

/** The system that commands are about; null: Kimberlite. */
export function ownSystem(): OwnSystem | null {
  return loaded?.system ?? null;
}

/** For threads, which load it anew: see `loadOwnSystem`. */
export function ownSystemUrl(): string | null {
  return loaded?.url ?? null;
}

/**
 * For a bundle: the module as one would name it on the command line here, relative to the working
 * directory where it lies below. Empty for a path that a bundle cannot hold.
 */
export function moduleAsTyped(url: string): { readonly module?: string } {
  const path = fileURLToPath(url);
  const below = relative(process.cwd(), path);
  const module = below.startsWith('..') || isAbsolute(below) ? path : below.replaceAll('\\', '/');
  return /^[\x20-\x7e]{1,200}$/.test(module) ? { module } : {};
}

/** From here on commands are about this system. `url` overrules the module that it names itself. */
export async function useSystem(system: OwnSystem, url: string | null = system.module): Promise<void> {
  const { registerSystem } = await import('../../sim/system_registry.ts');
  registerSystem(system);
  loaded = { system, url };
}

/** `module`: a path or a `file:` URL. Throws UsageError with the path, the reason and what to do. */
export async function loadOwnSystem(module: string): Promise<void> {
  const url = module.startsWith('file:') ? module : pathToFileURL(resolve(module)).href;
  const path = fileURLToPath(url);
  if (!existsSync(path)) throw new UsageError(`Cannot load the system "${module}": no such file`);
  let exported: Readonly<Record<string, unknown>>;
  try {
    exported = (await import(url)) as Readonly<Record<string, unknown>>;
  } catch (error) {
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
    throw new UsageError(`Cannot load the system "${module}": ${reason}`, { cause: error });
  }
  const { system } = exported;
  if (!isSystem(system)) {
    throw new UsageError(
      `"${module}" exports no system: write \`export const system = defineSystem({ ... })\` there`,
    );
  }
  await useSystem(system, url);
}

function isSystem(value: unknown): value is OwnSystem {
  if (typeof value !== 'object' || value === null) return false;
  const { name, createNode, createGroup, scenarios } = value as Readonly<Record<string, unknown>>;
  const makes = typeof createNode === 'function' && typeof createGroup === 'function';
  return typeof name === 'string' && makes && Array.isArray(scenarios);
}

/** Throws UsageError when a plan is of another system than the one in use. `shown`: what holds it. */
export function requireSystemOf(plan: PlainData, module: string | null, shown: string): void {
  const named = plan instanceof Object && 'system' in plan ? plan['system'] : null;
  // A stranger may have written it: no more of it is shown than a name has.
  const wanted = named === null ? null : String(named).replaceAll(/[^\w-]/g, '?').slice(0, 100);
  const here = ownSystem()?.name ?? null;
  if (wanted === here) return;
  if (wanted === null) {
    throw new UsageError(`${shown} is of Kimberlite itself, not of system "${here}": leave out --system`);
  }
  const where = module === null ? '--system MODULE' : `--system ${module}`;
  throw new UsageError(
    `${shown} is of system "${wanted}", and a bundle brings no code: name the module that has it ` +
      `(it was written with ${where})`,
  );
}
