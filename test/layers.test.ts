/**
 * Imports point one way: the table of docs/architecture.md, held over every .ts file.
 * A finding names file, line, the rule and what to do instead.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { suite, test } from 'node:test';
import { ExceptionUse, LAYER_EXCEPTIONS } from './exceptions.ts';
import {
  formatFindings,
  importsOf,
  projectSources,
  PROJECT_ROOT,
  scan,
  type Finding,
  type ImportFound,
} from './source_scanner.ts';

interface Layer {
  /** Folders whose modules may be imported; `types` means only names that stripping removes. */
  readonly folders: Readonly<Record<string, 'all' | 'types'>>;
  /** Packages, or `any` declared dependency. */
  readonly packages: readonly string[] | 'any' | 'any-dev';
  /** `pure`: only the pairs of `PURE_NODE_NAMES`; `any`; or named modules. */
  readonly node: 'pure' | 'any' | readonly string[];
}

/** Pure functions of Node that deterministic folders may call: module, then names. */
const PURE_NODE_NAMES: Readonly<Record<string, readonly string[]>> = {
  'node:crypto': ['hash'],
  'node:zlib': ['crc32'],
};

const all = (...folders: string[]): Record<string, 'all'> =>
  Object.fromEntries(folders.map((folder) => [folder, 'all']));
const PROGRAM = ['core', 'adapters', 'sim', 'scenarios', 'invariants', 'bundles', 'cli'];

const LAYERS: Readonly<Record<string, Layer>> = {
  core: { folders: all('core'), packages: ['@noble/hashes', 'pure-rand'], node: 'pure' },
  adapters: { folders: all('adapters', 'core'), packages: 'any', node: 'any' },
  invariants: { folders: all('invariants', 'core'), packages: ['@noble/hashes'], node: 'pure' },
  bundles: {
    folders: { bundles: 'all', core: 'types' },
    packages: ['msgpackr'],
    node: ['node:crypto', 'node:zlib'],
  },
  sim: {
    folders: all('sim', 'core', 'invariants', 'bundles'),
    packages: ['@noble/hashes', 'pure-rand', 'seedrandom'],
    node: 'pure',
  },
  scenarios: { folders: { scenarios: 'all', core: 'all', sim: 'types' }, packages: [], node: 'pure' },
  cli: { folders: all(...PROGRAM), packages: 'any', node: 'any' },
  // They import what is published: adapters/client.ts, core/component.ts, cli/{system,testing}.ts.
  examples: { folders: all('examples', 'adapters', 'core', 'cli'), packages: 'any', node: 'any' },
  bench: { folders: all(...PROGRAM, 'bench'), packages: 'any-dev', node: 'any' },
  test: { folders: all(...PROGRAM, 'bench', 'examples', 'test'), packages: 'any-dev', node: 'any' },
};

interface PackageJson {
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
}
const manifest = JSON.parse(readFileSync(join(PROJECT_ROOT, 'package.json'), 'utf8')) as PackageJson;

function checkFile(path: string, source: string, exceptions = new ExceptionUse([])): Finding[] {
  const findings: Finding[] = [];
  const folder = path.includes('/') ? (path.split('/')[0] as string) : '';
  const layer = LAYERS[folder];
  const report = (found: ImportFound | null, rule: string, hint: string): void => {
    if (found !== null && exceptions.allows(path, found.specifier)) return;
    findings.push({ file: path, line: found?.line ?? 1, rule, hint });
  };
  if (layer === undefined) {
    report(null, `folder "${folder}" is not in the table`, 'use one that is, or add a row to LAYERS');
    return findings;
  }
  for (const found of importsOf(scan(source))) checkImport(path, folder, layer, found, report);
  return findings;
}

function checkImport(
  path: string,
  folder: string,
  layer: Layer,
  found: ImportFound,
  report: (found: ImportFound, rule: string, hint: string) => void,
): void {
  const { specifier } = found;
  if (specifier.startsWith('.')) {
    const target = posix.normalize(posix.join(posix.dirname(path), specifier));
    const targetFolder = target.split('/')[0] as string;
    if (!target.endsWith('.ts') && !target.endsWith('.json')) {
      report(found, `import of "${specifier}" has no .ts`, 'Node strips types, it does not guess extensions');
    }
    const allowed = layer.folders[targetFolder];
    if (allowed === undefined) {
      const list = Object.keys(layer.folders).join(', ');
      report(found, `${folder}/ may not import ${targetFolder}/ ("${specifier}")`, `it may import: ${list}`);
    } else if (allowed === 'types' && !found.typeOnly) {
      report(
        found,
        `${folder}/ may import only types of ${targetFolder}/ ("${specifier}")`,
        'write `import { type X }`, or move the value to a folder both may import',
      );
    }
    return;
  }
  if (specifier.startsWith('node:')) {
    if (layer.node === 'any') return;
    if (layer.node !== 'pure') {
      if (layer.node.includes(specifier)) return;
      report(found, `${folder}/ may not import "${specifier}"`, `it may import: ${layer.node.join(', ')}`);
      return;
    }
    const pure = PURE_NODE_NAMES[specifier];
    if (pure === undefined || found.names.length === 0) {
      report(found, `${folder}/ may not import "${specifier}"`, 'reach the outside through a port');
      return;
    }
    for (const name of found.names) {
      if (pure.includes(name.name)) continue;
      report(found, `${folder}/ may not import "${name.name}" of "${specifier}"`, `only: ${pure.join(', ')}`);
    }
    return;
  }
  const name = packageName(specifier);
  const shipped = name in manifest.dependencies;
  if (!shipped && !(layer.packages === 'any-dev' && name in manifest.devDependencies)) {
    report(found, `package "${name}" is not a dependency`, 'see package.json, docs/dependencies.md');
  } else if (Array.isArray(layer.packages) && !layer.packages.includes(name)) {
    const list = layer.packages.join(', ');
    report(found, `${folder}/ may not import package "${name}"`, `it may import: ${list}`);
  }
}

function packageName(specifier: string): string {
  const parts = specifier.split('/');
  return specifier.startsWith('@') ? `${parts[0]}/${parts[1]}` : (parts[0] as string);
}

suite('layers', () => {
  test('every import of the project follows the table', () => {
    const exceptions = new ExceptionUse(LAYER_EXCEPTIONS);
    const files = projectSources();
    assert.ok(files.length > 10, 'the walk finds the sources');
    const findings = files.flatMap((f) => checkFile(f.path, f.source, exceptions));
    assert.equal(formatFindings(findings), '');
    assert.deepEqual(exceptions.stale(), [], 'exceptions that nothing needs: remove them');
  });

  const bad: readonly [path: string, source: string, expected: RegExp][] = [
    ['core/vsr/x.ts', "import { World } from '../../sim/world.ts';", /x.ts:1: core\/ may not import sim\//],
    ['core/x.ts', "\n\nimport { open } from 'node:fs';", /core\/x.ts:3: core\/ may not import "node:fs"/],
    ['core/x.ts', "import * as c from 'node:crypto';", /may not import "\*" of "node:crypto"; only: hash/],
    ['core/x.ts', "import { hash, randomBytes } from 'node:crypto';", /may not import "randomBytes"/],
    ['core/x.ts', "import { x } from './y';", /has no \.ts/],
    ['core/x.ts', "import { Command } from 'commander';", /core\/ may not import package "commander"/],
    ['core/x.ts', "export { World } from '../sim/world.ts';", /core\/ may not import sim\//],
    ['core/x.ts', "export * from '../cli/kmb.ts';", /core\/ may not import cli\//],
    ['core/x.ts', "const x = import('../adapters/server.ts');", /core\/ may not import adapters\//],
    ['core/x.ts', "import '../adapters/server.ts';", /core\/ may not import adapters\//],
    ['core/x.ts', "import {\n  type A,\n  b,\n} from '../sim/x.ts';", /x.ts:1: core\/ may not import sim/],
    ['sim/x.ts', "import { s } from '../adapters/file_storage.ts';", /sim\/ may not import adapters\//],
    ['adapters/x.ts', "import { s } from '../sim/world.ts';", /adapters\/ may not import sim\//],
    ['scenarios/x.ts', "import { World } from '../sim/world.ts';", /only types of sim\//],
    ['scenarios/x.ts', "import { type Plan, makePlan } from '../sim/plan.ts';", /only types of sim\//],
    ['invariants/x.ts', "import { type World } from '../sim/world.ts';", /invariants\/ may not import sim\//],
    ['bundles/x.ts', "import { assert } from '../core/assert.ts';", /only types of core\//],
    ['bundles/x.ts', "import { readFileSync } from 'node:fs';", /bundles\/ may not import "node:fs"/],
    ['adapters/x.ts', "import fc from 'fast-check';", /"fast-check" is not a dependency/],
    ['lib/x.ts', '', /folder "lib" is not in the table/],
  ];
  for (const [path, source, expected] of bad) {
    test(`finds in ${path}: ${source.trim().split('\n').join(' ')}`, () => {
      const findings = checkFile(path, source);
      assert.equal(findings.length, 1, formatFindings(findings));
      assert.match(formatFindings(findings), expected);
    });
  }

  const good: readonly [path: string, source: string][] = [
    ['core/x.ts', "import { hash } from 'node:crypto';\nimport { blake3 } from '@noble/hashes/blake3.js';"],
    ['core/x.ts', "// import { World } from '../sim/world.ts';\n/* import 'node:fs' */"],
    ['core/x.ts', "const s = \"import { x } from 'node:fs'\"; const t = `import 'node:fs'`;"],
    ['core/x.ts', "export const from = 'node:fs';\nexport type T = { import: string };"],
    ['core/x.ts', "export function f(from: string): string { return from; }\nconst x = ['node:fs'];"],
    ['scenarios/x.ts', "import { type Plan, type World } from '../sim/plan.ts';"],
    ['scenarios/x.ts', "import type { Plan } from '../sim/plan.ts';"],
    ['sim/x.ts', "import { type Invariant, check } from '../invariants/invariant.ts';"],
    ['cli/x.ts', "import { World } from '../sim/world.ts';\nimport { serve } from '../adapters/server.ts';"],
    ['test/x.ts', "import fc from 'fast-check';"],
  ];
  for (const [path, source] of good) {
    test(`passes in ${path}: ${source.split('\n').join(' ')}`, () => {
      assert.equal(formatFindings(checkFile(path, source)), '');
    });
  }
});
