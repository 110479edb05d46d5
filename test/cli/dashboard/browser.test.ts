/** The dashboard in a browser: it is drawn, follows the campaign, and nothing in it breaks its policy. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, test } from 'node:test';
import { type Page } from 'playwright-core';
import { NO_CHROMIUM, launchChromium } from '../../support/chromium.ts';
import { DashboardProgram } from './dashboard_program.ts';

const DIRECTORY = mkdtempSync(join(tmpdir(), 'vopr-dashboard-'));
after(() => rmSync(DIRECTORY, { recursive: true, force: true }));

/** Whatever a page complains of: exceptions, refused requests and scripts. */
function complaints(page: Page): string[] {
  const found: string[] = [];
  page.on('pageerror', (error) => found.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') found.push(message.text());
  });
  return found;
}

/** Asked from here: the page's policy forbids to evaluate text in it. */
async function until(holds: () => Promise<boolean>, seconds = 20): Promise<void> {
  for (const end = performance.now() + seconds * 1000; !(await holds()); await sleep(50)) {
    assert.ok(performance.now() < end, 'in time');
  }
}

test('dashboard: in Chromium, live, light and dark, and into a failure', { skip: NO_CHROMIUM }, async () => {
  const args = ['--canary', 'quorum-too-small', '--seeds', '5000', '--keep-going', '--jobs', '1'];
  const program = new DashboardProgram(DIRECTORY, ...args, '--port', '0');
  const browser = await launchChromium();
  try {
    const url = await program.url();
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    const found = complaints(page);
    await page.goto(url);
    await page.waitForSelector('#connection.live');
    await page.waitForSelector('#failures li', { timeout: 30_000 });
    const count = (): Promise<number> => page.locator('#failures li').count();
    const early = await count();
    await until(async () => (await count()) > early);
    // An update swaps the panels; what was opened stays open.
    await page.waitForSelector('details[data-key="reached"]');
    await page.click('details[data-key="reached"] summary');
    const failed = await page.locator('.tile.bad dd').textContent();
    await until(async () => (await page.locator('.tile.bad dd').textContent()) !== failed);
    assert.equal(await page.locator('details[data-key="reached"]').getAttribute('open'), '');
    assert.match(await page.title(), /^\(\d+\) network_partition_symmetric: running/);

    // Wide enough for every panel at every width, in both colours.
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      for (const width of [1280, 420]) {
        await page.setViewportSize({ width, height: 900 });
        const overflow = await page.evaluate('document.documentElement.scrollWidth - window.innerWidth');
        assert.ok(Number(overflow) <= 0, `${overflow} pixels beyond a width of ${width}`);
        const path = process.env['SCREENSHOTS'];
        const file = `${path}/dashboard-${colorScheme}-${width}.png`;
        if (path !== undefined) await page.screenshot({ path: file, fullPage: true });
      }
    }
    const [opened] = await Promise.all([
      page.waitForEvent('popup'),
      page.click('#failures li:first-child a'),
    ]);
    const complained = complaints(opened);
    await opened.waitForSelector('#app *', { timeout: 30_000 });
    assert.match(await opened.title(), /acked_durability/);
    assert.deepEqual(complained, []);
    assert.deepEqual(found, []);
    await program.interrupt();
    await page.waitForSelector('#connection.lost');
  } finally {
    await browser.close();
    await program.interrupt();
  }
});
