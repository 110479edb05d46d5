/** The time-travel page of a system of one's own holds its code, and executes to the same digest. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { decodeBundle } from '../../bundles/format.ts';
import { SimulationFailure, simTest } from '../../cli/testing.ts';
import { system } from '../../examples/own_protocol/system.ts';
import { PROJECT_ROOT } from '../source_scanner.ts';
import { NO_CHROMIUM, launchChromium } from '../support/chromium.ts';
import { runProgram } from './run_program.ts';

test("a page of one's own system runs in Chromium as it ran here", { skip: NO_CHROMIUM }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'own-page-'));
  const browser = await launchChromium();
  try {
    const canary = 'confirmed-unsynced';
    await assert.rejects(
      simTest({ system, scenario: 'power_cuts', canary, seeds: 100, bundleDir: folder }),
      SimulationFailure,
    );
    const [file] = readdirSync(folder) as [string];
    const bundle = join(folder, file);
    const page = join(folder, 'page.html');
    const module = 'examples/own_protocol/system.ts';
    const args = ['show', bundle, '--html', page, '--system', module];
    const { status, stdout, stderr } = await runProgram('vopr', args, { cwd: PROJECT_ROOT });
    assert.equal(status, 0, stdout + stderr);

    const opened = await browser.newPage();
    await opened.goto(pathToFileURL(page).href);
    await opened.waitForSelector('.digest.good, .digest.bad, .broken');
    assert.match((await opened.textContent('.digest')) ?? '', /digest equal/);
    const { digests, failure } = decodeBundle(readFileSync(bundle));
    assert.equal(await opened.evaluate('timeTravel.recorded.player.result.digest'), digests.final);
    assert.equal(await opened.evaluate('timeTravel.run.player.violation.message'), failure.message);
  } finally {
    await browser.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
