/** What `npm run build` makes works by itself, and simulates the same runs as the source. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { encodeBundle } from '../../bundles/format.ts';
import { PROJECT_ROOT } from '../source_scanner.ts';
import { failingBundle } from '../support/failing_bundle.ts';
import { runProgram } from './run_program.ts';

function digestOf(json: string): string {
  return (JSON.parse(json) as { digest: string }).digest;
}

test('build: JavaScript with declarations, programs that run, the same digests', async () => {
  // Inside the project, so that packages resolve; a leading dot keeps other tests away from it.
  const parent = join(PROJECT_ROOT, '.vopr');
  mkdirSync(parent, { recursive: true });
  const dist = mkdtempSync(join(parent, 'build-'));
  try {
    const built = spawnSync(process.execPath, [join(PROJECT_ROOT, 'test', 'build.ts'), dist], {
      encoding: 'utf8',
    });
    assert.equal(built.status, 0, built.stdout + built.stderr);
    const manifest = JSON.parse(readFileSync(join(PROJECT_ROOT, 'package.json'), 'utf8')) as {
      bin: Record<string, string>;
      exports: Record<string, { types: string; default: string }>;
    };
    const published = [
      ...Object.values(manifest.bin),
      ...Object.values(manifest.exports).flatMap(({ types, default: module }) => [types, module]),
    ].map((path) => path.replace(/^(\.\/)?dist\//, ''));
    for (const path of published) assert.ok(existsSync(join(dist, path)), path);

    const vopr = join(dist, 'cli', 'vopr.js');
    assert.equal(statSync(vopr).mode & 0o111, 0o111, 'executable');
    assert.match(readFileSync(vopr, 'utf8'), /^#!\/usr\/bin\/env node\n/);
    const args = ['run', 'baseline', '--seeds', '2', '--format', 'json'];
    const ran = spawnSync(process.execPath, [vopr, ...args], { encoding: 'utf8' });
    assert.equal(ran.status, 0, ran.stdout + ran.stderr);
    const source = await runProgram('vopr', args);
    assert.equal(digestOf(ran.stdout), digestOf(source.stdout));

    // What tests of users import, as they get it.
    const own = join(dist, 'own.js');
    writeFileSync(own, `
      import { simulate } from './cli/testing.js';
      import { PlainNetwork } from './core/component.js';
      const { campaigns } = await simulate({ scenario: 'baseline', seeds: 2, jobs: 2 });
      process.stdout.write(typeof PlainNetwork + ' ' + campaigns[0].digest);
    `);
    const tested = spawnSync(process.execPath, [own], { encoding: 'utf8' });
    assert.equal(tested.stdout, `function ${digestOf(ran.stdout)}`, tested.stderr);

    // The page's program is there, and esbuild is not asked for: users do not have it.
    const page = join(dist, 'page.html');
    const show = ['show', 'baseline', '--seed', '1', '--html', page];
    const shown = spawnSync(process.execPath, [vopr, ...show], { encoding: 'utf8' });
    assert.equal(shown.status, 0, shown.stdout + shown.stderr);
    const script = readFileSync(join(dist, 'cli', 'page', 'time_travel.js'), 'utf8').trim();
    assert.ok(readFileSync(page, 'utf8').includes(script));
    const maker = readFileSync(join(dist, 'cli', 'page', 'page_script.js'), 'utf8');
    assert.doesNotMatch(maker, /^import.*esbuild/m);

    const file = join(dist, '0.kmb');
    const kmb = join(dist, 'cli', 'kmb.js');
    const format = ['--cluster', '7', '--replica', '0', '--replica-count', '1', '--config', 'small'];
    for (const command of [['format', ...format, file], ['inspect', file]]) {
      const outcome = spawnSync(process.execPath, [kmb, ...command], { encoding: 'utf8' });
      assert.equal(outcome.status, 0, outcome.stdout + outcome.stderr);
    }
    readsBundles(dist);
  } finally {
    rmSync(dist, { recursive: true, force: true });
  }
});

/** The reader of docs/bundles.md, as a user of the package has it: by its name, with its declarations. */
function readsBundles(dist: string): void {
  const user = join(dist, 'user');
  const installed = join(user, 'node_modules', 'kimberlite');
  mkdirSync(installed, { recursive: true });
  copyFileSync(join(PROJECT_ROOT, 'package.json'), join(installed, 'package.json'));
  symlinkSync(dist, join(installed, 'dist'));
  const page = readFileSync(join(PROJECT_ROOT, 'docs', 'bundles.md'), 'utf8');
  const [, example] = /```ts\n(.*?)```/s.exec(page) ?? [];
  assert.ok(example !== undefined && example.includes('kimberlite/bundles'));
  writeFileSync(join(user, 'package.json'), '{ "type": "module" }\n');
  writeFileSync(join(user, 'reader.ts'), example);
  const bundle = failingBundle('repair-never', 1);
  writeFileSync(join(user, 'failing.kmb'), encodeBundle(bundle));

  const compiler = join(PROJECT_ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const types = ['node'];
  const compilerOptions = { noEmit: true, strict: true, module: 'nodenext', target: 'es2024', types };
  writeFileSync(join(user, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['reader.ts'] }));
  const checked = spawnSync(process.execPath, [compiler, '-p', '.'], { cwd: user, encoding: 'utf8' });
  assert.equal(checked.status, 0, checked.stdout + checked.stderr);
  const read = spawnSync(process.execPath, ['reader.ts'], { cwd: user, encoding: 'utf8' });
  assert.equal(read.status, 0, read.stderr);
  const [first, ...losses] = read.stdout.trimEnd().split('\n');
  assert.equal(first, `${bundle.scenario} ${bundle.seed} ${bundle.failure.message}`);
  assert.ok(losses.length > 5);
  for (const loss of losses) assert.match(loss, /^\d+ loss of [RC]\d -> [RC]\d \w+, view \d+/);
}
