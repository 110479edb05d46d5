/** Which code this is: package version, git commit, Node. Bundles and failures carry it. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type BundleCode } from '../bundles/format.ts';
import { moduleAsTyped, ownSystemUrl } from './vopr/own_system.ts';

/** Root of the package: one level up in a checkout, two in `dist/`. */
function packageRoot(): string {
  for (const up of ['..', '../..']) {
    const root = fileURLToPath(new URL(`${up}/`, import.meta.url));
    if (existsSync(`${root}package.json`)) return root;
  }
  return fileURLToPath(new URL('../', import.meta.url));
}

export const PACKAGE_ROOT = packageRoot();

export function packageVersion(): string {
  try {
    const manifest: unknown = JSON.parse(readFileSync(`${PACKAGE_ROOT}package.json`, 'utf8'));
    const { version } = manifest as { version?: unknown };
    return typeof version === 'string' ? version : 'unknown';
  } catch {
    return 'unknown';
  }
}

/** Asks git once; a build carries the commit in a file. About 10 ms: not on the way to `--help`. */
export function codeVersion(): BundleCode {
  const url = ownSystemUrl();
  const module = url === null ? {} : moduleAsTyped(url);
  return { version: packageVersion(), commit: commit(), node: process.version, ...module };
}

function commit(): string {
  if (existsSync(`${PACKAGE_ROOT}.git`)) {
    const hash = git('rev-parse', '--short=12', 'HEAD');
    if (hash === null) return 'unknown';
    return git('status', '--porcelain', '--untracked-files=no') === '' ? hash : `${hash}-dirty`;
  }
  const built = `${PACKAGE_ROOT}dist/COMMIT`;
  if (!existsSync(built)) return 'unknown';
  return readFileSync(built, 'utf8').trim() || 'unknown';
}

function git(...args: string[]): string | null {
  const done = spawnSync('git', args, { cwd: PACKAGE_ROOT, encoding: 'utf8', timeout: 5_000 });
  return done.status === 0 ? done.stdout.trim() : null;
}
