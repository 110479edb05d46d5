/**
 * The manifests of examples/ci/: what they say, and what their scripts do, run as they stand with
 * the variables that Kubernetes sets.
 */
import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { programPath, type Outcome } from '../cli/run_program.ts';
import { PROJECT_ROOT } from '../source_scanner.ts';
import { parseYaml, yamlAt, type Yaml } from '../support/yaml.ts';
import { runStep } from './shell_step.ts';

const read = (name: string): string => readFileSync(join(PROJECT_ROOT, 'examples/ci', name), 'utf8');
const [CLAIM, SHARDS] = parseYaml(read('kubernetes.yaml')) as [Yaml, Yaml];
const [MERGE] = parseYaml(read('kubernetes-merge.yaml')) as [Yaml];

const podOf = (job: Yaml): Yaml => yamlAt(job, 'spec', 'template', 'spec');
const containerOf = (job: Yaml): Yaml => yamlAt(podOf(job), 'containers', 0);

function environmentOf(job: Yaml): Record<string, string> {
  const list = yamlAt(containerOf(job), 'env') as unknown as { name: string; value: string }[];
  return Object.fromEntries(list.map(({ name, value }) => [name, value]));
}

suite('what the manifests say', () => {
  test('an Indexed Job: a completion a shard, tried again only when its pod was lost', () => {
    const spec = yamlAt(SHARDS, 'spec') as Readonly<Record<string, Yaml>>;
    assert.equal(yamlAt(SHARDS, 'apiVersion'), 'batch/v1');
    assert.equal(yamlAt(SHARDS, 'kind'), 'Job');
    assert.equal(spec['completionMode'], 'Indexed');
    assert.equal(String(spec['completions']), environmentOf(SHARDS)['SHARDS']);
    assert.ok(Number(spec['parallelism']) <= Number(spec['completions']));
    // backoffLimitPerIndex asks for both.
    assert.ok(Number(spec['backoffLimitPerIndex']) >= 1);
    assert.equal(yamlAt(podOf(SHARDS), 'restartPolicy'), 'Never');
  });

  test('both jobs use one image, one campaign and one volume', () => {
    const name = yamlAt(CLAIM, 'metadata', 'name');
    for (const job of [SHARDS, MERGE]) {
      assert.equal(yamlAt(podOf(job), 'volumes', 0, 'persistentVolumeClaim', 'claimName'), name);
      const mount = yamlAt(containerOf(job), 'volumeMounts', 0);
      assert.equal(yamlAt(mount, 'name'), yamlAt(podOf(job), 'volumes', 0, 'name'));
      assert.equal(yamlAt(mount, 'mountPath'), environmentOf(job)['RESULTS']);
      assert.deepEqual(yamlAt(containerOf(job), 'command'), ['/bin/sh', '-euc']);
    }
    assert.equal(yamlAt(containerOf(SHARDS), 'image'), yamlAt(containerOf(MERGE), 'image'));
    assert.equal(environmentOf(SHARDS)['CAMPAIGN'], environmentOf(MERGE)['CAMPAIGN']);
    assert.deepEqual(yamlAt(CLAIM, 'spec', 'accessModes'), ['ReadWriteMany']);
  });

  test('the image has what the scripts call, made by steps that there are', () => {
    const dockerfile = read('Dockerfile');
    const { scripts, bin } = JSON.parse(readFileSync(join(PROJECT_ROOT, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
      bin: Record<string, string>;
    };
    assert.ok(scripts['build'] !== undefined && dockerfile.includes('RUN npm run build '));
    assert.ok(dockerfile.includes(`ln -s /kimberlite/${bin['vopr']} /usr/local/bin/vopr`));
    for (const [, files] of dockerfile.matchAll(/^COPY (?!--from)(.*) \.\/$/gm)) {
      for (const file of (files as string).split(' ')) assert.ok(existsSync(join(PROJECT_ROOT, file)), file);
    }
    assert.ok(dockerfile.includes(`-t ${String(yamlAt(containerOf(SHARDS), 'image')).split(':')[0]} .`));
    const user = yamlAt(podOf(SHARDS), 'securityContext', 'runAsUser');
    assert.equal(user, 1000, 'USER node of the base image');
  });
});

suite('a campaign', () => {
  const results = mkdtempSync(join(tmpdir(), 'kimberlite-kubernetes-'));
  after(() => rmSync(results, { recursive: true, force: true }));
  const tools = join(results, 'tools');
  mkdirSync(tools);
  writeFileSync(join(tools, 'vopr'), `#!/bin/sh\nexec "${process.execPath}" "${programPath('vopr')}" "$@"\n`);
  chmodSync(join(tools, 'vopr'), 0o755);

  const script = (job: Yaml): string => String(yamlAt(containerOf(job), 'args', 0));
  const here = { RESULTS: results, PATH: `${tools}:${process.env['PATH'] ?? ''}` };
  const run = (job: Yaml, change: Record<string, string>): Promise<Outcome> =>
    runStep(script(job), {
      cwd: results,
      env: { ...environmentOf(job), ...here, ...change },
      shell: ['/bin/sh', '-euc'],
    });
  const short = { SHARDS: '3', SEEDS: '5', SCENARIOS: 'baseline --canary ack-before-sync' };

  test('three shards and their sum', { timeout: 300_000 }, async () => {
    const indices = ['0', '1', '2'];
    const shards = await Promise.all(indices.map((i) => run(SHARDS, { ...short, JOB_COMPLETION_INDEX: i })));
    for (const { status, stderr } of shards) assert.equal(status, 0, stderr);
    const lost = await run(SHARDS, { ...short, JOB_COMPLETION_INDEX: '1' });
    assert.equal(lost.status, 0, 'the same shard again, as after the loss of a node');

    const merged = await run(MERGE, {});
    assert.equal(merged.status, 1, merged.stderr);
    assert.match(merged.stdout, /\nbaseline +5 seeds from \d+: 5 violated; /);
    assert.match(merged.stdout, /\n\[vopr [0-9a-f]{8}\] acked_durability violated: .* and 4 more seeds\n\n/);
    assert.match(merged.stdout, /\nbaseline, seed \d+, canary ack-before-sync, minimised\.\n/);
    const out = join(results, environmentOf(SHARDS)['CAMPAIGN'] as string);
    const made = readdirSync(out);
    for (const name of ['junit.xml', 'report.html', 'result.json']) assert.ok(made.includes(name), name);
    assert.equal(readdirSync(join(out, 'bundles')).length, 5);
  });

  test('a shard that could not run fails, and so does a sum without results', async () => {
    const wrong = await run(SHARDS, { ...short, SCENARIOS: 'nothing', JOB_COMPLETION_INDEX: '0' });
    assert.equal(wrong.status, 2);
    const none = await run(MERGE, { CAMPAIGN: 'another' });
    assert.equal(none.status, 2);
    assert.match(none.stderr, /Cannot read ".*\/another\/result-\*\.json"/);
  });
});
