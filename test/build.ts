/**
 * `npm run build`: JavaScript and declarations into dist/ (or the directory given), for publishing.
 * Node does not strip types inside node_modules/, so what users install is compiled; the clone
 * itself never needs it.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BUILT_SCRIPT, BUILT_STYLE, bundlePage } from '../cli/page/page_script.ts';
import { codeVersion } from '../cli/version.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const DIST = resolve(ROOT, process.argv[2] ?? 'dist');

rmSync(DIST, { recursive: true, force: true });
const compiler = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
const compiled = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.build.json', '--outDir', DIST], {
  cwd: ROOT,
  stdio: 'inherit',
});
if (compiled.status !== 0) process.exit(compiled.status ?? 1);

// The time-travel page's program: bundling it needs a tool that users do not install.
const { script, style } = await bundlePage();
writeFileSync(join(DIST, 'cli', 'page', BUILT_SCRIPT), script);
writeFileSync(join(DIST, 'cli', 'page', BUILT_STYLE), style);

// What bundles and failures name as the code, where there is no git to ask.
writeFileSync(join(DIST, 'COMMIT'), `${codeVersion().commit}\n`);
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  bin: Record<string, string>;
};
for (const path of Object.values(manifest.bin)) {
  chmodSync(join(DIST, path.replace(/^dist\//, '')), 0o755);
}
process.stdout.write(`built ${DIST}\n`);
