/** What `npm run build` makes works by itself, and simulates the same runs as the source. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { PROJECT_ROOT } from '../source_scanner.ts';
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
  } finally {
    rmSync(dist, { recursive: true, force: true });
  }
});
