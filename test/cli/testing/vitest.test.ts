/** simTest under Vitest: a file of tests, in its own process, passes and fails as under node:test. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { PROJECT_ROOT } from '../../source_scanner.ts';

interface VitestReport {
  readonly testResults: readonly {
    readonly assertionResults: readonly {
      readonly title: string;
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

test('Vitest runs simTest: what holds passes, what does not fails with its story', () => {
  const directory = mkdtempSync(join(tmpdir(), 'vitest-'));
  try {
    const text = `
      import { test } from 'vitest';
      import { simTest } from '${PROJECT_ROOT}/cli/testing.ts';
      import { system } from '${PROJECT_ROOT}/examples/own_protocol/system.ts';
      test('Kimberlite', simTest({ scenario: 'baseline', seeds: 1 }));
      test('a register', simTest({ system, seeds: 5, jobs: 1 }));
      const planted = { system, scenario: 'power_cuts', canary: 'confirmed-unsynced', bundleDir: null };
      test('with a bug', simTest(planted));
    `;
    writeFileSync(join(directory, 'register.test.ts'), text);
    const vitest = join(PROJECT_ROOT, 'node_modules', 'vitest', 'vitest.mjs');
    const output = join(directory, 'report.json');
    const args = [vitest, 'run', '--root', directory, '--reporter', 'json', '--outputFile', output];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    assert.equal(status, 1, stdout + stderr);
    const report = JSON.parse(readFileSync(output, 'utf8')) as VitestReport;
    const results = report.testResults.flatMap(({ assertionResults }) => assertionResults);
    assert.deepEqual(results.map(({ title, status: outcome }) => `${title}: ${outcome}`), [
      'Kimberlite: passed',
      'a register: passed',
      'with a bug: failed',
    ]);
    const story = results[2]?.failureMessages.join('\n') ?? '';
    assert.match(story, /SimulationFailure: violation of linearizable: C\d was answered \d+/);
    assert.match(story, /scenario power_cuts, seed \d+, canary confirmed-unsynced/);
    assert.match(story, /register\.test\.ts:8:/, 'it points to the test');
  } finally {
    rmSync(directory, { recursive: true });
  }
});
