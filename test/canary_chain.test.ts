/**
 * A planted bug from its failing seed to a regression test, each step in a process of its own:
 * bundle, bisect, minimize, and the emitted test fails with the bug and passes without it. For all
 * canaries: `npm run canary-table`, whose last table stands in docs/minimize.md.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { directoryOf, gone, runChain, withoutDelays } from '../bench/canary_chain.ts';
import { findCanary } from '../sim/canaries.ts';

const DIRECTORY = mkdtempSync(join(tmpdir(), 'kimberlite-canary-chain-'));
after(() => rmSync(DIRECTORY, { recursive: true, force: true }));

suite('from a planted bug to a regression test', { concurrency: 2 }, () => {
  for (const name of ['view-not-durable', 'reply-cache-skipped']) {
    test(name, async () => {
      const canary = findCanary(name) ?? assert.fail();
      const chain = await runChain(canary, { directory: directoryOf(DIRECTORY, canary), jobs: 1, guess: 1 });
      const { before, after: smallest } = chain;
      assert.ok(smallest.events < before.events);
      assert.ok(gone(before.decisions.total, smallest.decisions.total) >= 95);
      assert.ok(gone(withoutDelays(before), withoutDelays(smallest)) >= 80);
      assert.ok(chain.replays <= chain.replaysMax);
      // About ten lines beside the frame: what one has to know, and nothing else.
      const test = readFileSync(chain.test, 'utf8');
      assert.ok(test.split('\n').length <= 30, test);
      assert.match(readFileSync(chain.test.replace('.test.ts', '.story.txt'), 'utf8'), / does not hold\.\n/);
    });
  }
});
