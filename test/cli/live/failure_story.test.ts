/** A failure is told by running it again: from its bundle, or from its seed. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { encodeBundle } from '../../../bundles/format.ts';
import { tellFailure } from '../../../cli/live/failure_story.ts';
import { failingBundle } from '../../support/failing_bundle.ts';

const DIRECTORY = mkdtempSync(join(tmpdir(), 'vopr-story-'));
after(() => rmSync(DIRECTORY, { recursive: true, force: true }));

test('failure story: from bundle and seed the same, and the violation near its end', () => {
  const bundle = failingBundle('commit-before-quorum', 1);
  const path = join(DIRECTORY, 'it.kmb');
  writeFileSync(path, encodeBundle(bundle));
  const { scenario, seed, canary } = bundle;
  const told = tellFailure({ bundle: path, scenario, seed, canary });
  assert.deepEqual(tellFailure({ bundle: null, scenario, seed, canary }), told);
  assert.match(told.outcome, /^baseline, seed \d+, canary commit-before-quorum: violation of acked/);
  assert.equal(told.leftOut, 0);
  const violation = told.rows.find(({ entry }) => entry.kind === 'violation')?.entry;
  assert.equal(violation?.event, bundle.failure.event);
  assert.equal(told.rows.at(-1)?.entry.event, bundle.failure.event, 'the run ends there');
  const commit = told.rows.find(({ entry }) => entry.kind === 'commit');
  assert.equal(commit?.status?.role, 'primary');
  assert.deepEqual([told.replicaCount, told.circumstances.length > 0], [3, true]);
});

test('failure story: of a long run the newest facts are kept', () => {
  const request = { bundle: null, scenario: 'baseline', seed: 1, canary: null };
  const whole = tellFailure(request);
  const told = tellFailure(request, 1000);
  assert.equal(whole.leftOut, 0);
  assert.equal(told.leftOut, whole.rows.length - 1000);
  assert.deepEqual(told.rows, whole.rows.slice(-1000));
  assert.deepEqual(told.circumstances, whole.circumstances, 'those are all kept');
  assert.match(told.outcome, /no violation in/);
});

test('failure story: a bundle that is gone is told with its path', () => {
  const request = { bundle: join(DIRECTORY, 'gone.kmb'), scenario: 'baseline', seed: 1, canary: null };
  assert.throws(() => tellFailure(request), /Cannot read the bundle from ".*gone\.kmb": ENOENT/);
});
