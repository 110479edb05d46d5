/** A ledger that grows, is cut in the middle of a line, or is replaced. */
import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { LedgerFollower } from '../../../cli/dashboard/ledger_follower.ts';

const DIRECTORY = mkdtempSync(join(tmpdir(), 'vopr-follower-'));
after(() => rmSync(DIRECTORY, { recursive: true, force: true }));

function started(campaign: string): string {
  const line = {
    schema: 1, kind: 'started', at: '2026-11-22T05:42:00.000Z', campaign, scenario: 'baseline',
    seeds: { first: 1, count: 3 }, shard: { index: 1, shards: 1 }, early: [], canary: null,
    limits: { events: null, micros: null }, checkDeterminism: false, keepGoing: false, jobs: 1,
    code: { version: '0.1.0', commit: 'abc', node: 'v24.21.0' },
  };
  return `${JSON.stringify(line)}\n`;
}

test('ledger follower: what is added is read, a line without its end waits for it', () => {
  const path = join(DIRECTORY, 'grows.jsonl');
  const follower = new LedgerFollower(path);
  const names = (): string[] => follower.ledger.campaigns.map((campaign) => campaign.started.campaign);
  assert.equal(follower.poll(), false, 'not there yet');
  writeFileSync(path, started('a'));
  assert.equal(follower.poll(), true);
  assert.deepEqual(names(), ['a']);
  const { version } = follower;
  follower.poll();
  assert.equal(follower.version, version, 'nothing is new');
  const line = started('b');
  appendFileSync(path, line.slice(0, 50));
  follower.poll();
  assert.deepEqual(names(), ['a']);
  assert.deepEqual(follower.ledger.damaged, []);
  appendFileSync(path, line.slice(50));
  follower.poll();
  assert.deepEqual(names(), ['a', 'b']);

  writeFileSync(path, started('c')); // Shorter: from its beginning.
  follower.poll();
  assert.deepEqual(names(), ['c']);
  const other = join(DIRECTORY, 'other.jsonl');
  writeFileSync(other, started('d') + started('e'));
  renameSync(other, path);
  follower.poll();
  assert.deepEqual(names(), ['d', 'e']);
  rmSync(path);
  assert.equal(follower.poll(), false);
  assert.deepEqual(names(), ['d', 'e'], 'what was there stays in sight');
});
