/**
 * Every command of README.md is run, and its output compared with the one that is printed there:
 * same lines, same words; numbers, digests and durations may differ. `REWRITE=1` writes the real
 * outputs into the file.
 *
 * A block is fenced as `console`; lines that begin with `$ ` are commands. `kmb dev` runs on until
 * the end, so that the commands after it have a cluster to talk to; of its lines the README shows
 * some, in an order of its own. `export` holds for the commands that follow. Everything happens in
 * a folder that looks like a clone. A block fenced as `ts` is the example named before it.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { PROJECT_ROOT } from './source_scanner.ts';
import { cloneFolder } from './support/clone_folder.ts';
import { shapeOf, stepsOf, withOutputs } from './support/console_blocks.ts';

const README = join(PROJECT_ROOT, 'README.md');
const REWRITE = process.env['REWRITE'] === '1';

/** Commands that are not run here, and why. */
const NOT_RUN: readonly (readonly [command: RegExp, reason: string])[] = [
  [/^npm ci$/, 'it would take the packages away from under the tests that run now'],
  [/^npm test$/, 'it is what runs this test'],
  [/^npm run bench$/, 'it measures, for minutes'],
];
/** What goes on until it is stopped. */
const STAYS = /\bkmb -- dev\b/;
/** The ports of the README, and those used here, out of the way of other tests and of people. */
const PORT_SHOWN = 3901;
const PORT_USED = 23_901;

suite('README.md', () => {
  let folder = '';
  let cluster: ChildProcess | null = null;
  let clusterOutput = '';

  before(() => {
    folder = cloneFolder('readme');
  });

  after(async () => {
    if (cluster !== null) {
      // The whole group: npm, its shell, and the program that stops its replicas.
      const ended = new Promise((resolve) => cluster?.once('exit', resolve));
      process.kill(-(cluster.pid as number), 'SIGINT');
      await Promise.race([ended, sleep(10_000)]);
    }
    rmSync(folder, { recursive: true, force: true });
  });

  const usedPorts = (text: string): string =>
    text.replaceAll(/\b390(\d)\b/g, (_, digit: string) => String(PORT_USED - 1 + Number(digit)));
  const shownPorts = (text: string): string =>
    text.replaceAll(/\b2390(\d)\b/g, (_, digit: string) => String(PORT_SHOWN - 1 + Number(digit)));
  const linesOf = (text: string): string[] => shownPorts(text.replaceAll(folder, '.')).trimEnd().split('\n');

  /** `export` lines so far. */
  const exported: string[] = [];

  function run(command: string): string[] {
    if (command.startsWith('export ')) {
      exported.push(command);
      return [];
    }
    const result = spawnSync('bash', ['-c', usedPorts([...exported, command].join('\n'))], {
      cwd: folder,
      encoding: 'utf8',
      timeout: 120_000,
      env: environment(),
    });
    assert.equal(result.status, 0, `${command}\n${result.stdout}\n${result.stderr}`);
    return linesOf(result.stdout);
  }

  /** Starts the cluster and waits for its word that it is ready. */
  async function startCluster(command: string): Promise<string[]> {
    cluster = spawn('bash', ['-c', `${command} --port ${PORT_USED}`], {
      cwd: folder,
      detached: true,
      env: environment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    cluster.stdout?.on('data', (data: Buffer) => (clusterOutput += data.toString()));
    cluster.stderr?.on('data', (data: Buffer) => (clusterOutput += data.toString()));
    for (let waited = 0; !/^ready: /m.test(clusterOutput); waited += 100) {
      assert.ok(waited < 60_000 && cluster.exitCode === null, `not ready:\n${clusterOutput}`);
      await sleep(100);
    }
    await sleep(500); // What follows the word `ready`.
    return linesOf(clusterOutput);
  }

  test('every command does what it says', { timeout: 300_000 }, async () => {
    const markdown = readFileSync(README, 'utf8');
    const steps = stepsOf(markdown);
    assert.ok(steps.length >= 4, 'the README has commands');
    const outputs: string[][] = [];
    for (const { command, output } of steps) {
      if (NOT_RUN.some(([pattern]) => pattern.test(command))) {
        outputs.push(output);
        continue;
      }
      const stays = STAYS.test(command);
      const all = stays ? await startCluster(command) : run(command);
      // Three processes write in any order, and not always all the same.
      const wanted = (line: string): boolean => output.some((shown) => shapeOf(shown) === shapeOf(line));
      const real = stays ? firstOfEachShape(all.filter(wanted)) : all;
      outputs.push(real);
      if (REWRITE) continue;
      const shown = output.map(shapeOf);
      const found = real.map(shapeOf);
      if (!stays) assert.deepEqual(found, shown, `${command}\n${real.join('\n')}\n`);
      else for (const line of shown) assert.ok(found.includes(line), `${command}: no line like "${line}"`);
    }
    if (REWRITE) writeFileSync(README, withOutputs(markdown, outputs));
  });

  test('the example is the file', () => {
    const markdown = readFileSync(README, 'utf8');
    const match = /\((examples\/\w+\.ts)\):\n\n```ts\n([^]*?)```/.exec(markdown);
    assert.ok(match !== null);
    const [whole, path, shown] = match as unknown as [string, string, string];
    const real = readFileSync(join(PROJECT_ROOT, path), 'utf8');
    if (!REWRITE) return assert.equal(shown, real);
    const block = whole.replace(`ts\n${shown}`, () => `ts\n${real}`);
    writeFileSync(README, markdown.replace(whole, () => block));
  });

  test('what is not run is in the README', () => {
    const steps = stepsOf(readFileSync(README, 'utf8'));
    for (const [pattern, reason] of NOT_RUN) {
      assert.ok(steps.some(({ command }) => pattern.test(command)), `${pattern} (${reason})`);
    }
  });

  test('shapes', () => {
    assert.equal(
      shapeOf('combined   50 seeds: 50 passed; 1.2 M events, 980 k/s; digest 28e340a7d47183a4'),
      shapeOf('combined  200 seeds: 200 passed; 31 k events, 1.95 M/s; digest 00e340a7d47183ff'),
    );
    assert.notEqual(shapeOf('50 passed, 1 vacuous'), shapeOf('51 passed'));
  });
});

/** Of the lines of one shape, and of three replicas, the first. */
function firstOfEachShape(lines: readonly string[]): string[] {
  const shapes = new Set<string>();
  return lines.filter((line) => {
    const shape = shapeOf(line);
    if (shapes.has(shape)) return false;
    shapes.add(shape);
    return true;
  });
}

function environment(): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env, NO_COLOR: '1' };
  delete env['NODE_TEST_CONTEXT'];
  delete env['REWRITE'];
  return env;
}
