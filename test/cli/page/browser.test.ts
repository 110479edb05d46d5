/**
 * The time-travel page in a real browser, opened from disk: it executes to the same digest as here,
 * goes back to the same states, forks, and reaches for nothing outside itself.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type Browser, type Page } from 'playwright-core';
import { encodeBundle, type Bundle } from '../../../bundles/format.ts';
import { Player } from '../../../cli/page/player.ts';
import { findEntry, parseQuery } from '../../../cli/page/search.ts';
import { timeTravelPage } from '../../../cli/vopr/show_html.ts';
import { stateTree } from '../../../sim/state_tree.ts';
import { runProgram } from '../run_program.ts';
import { launchChromium, NO_CHROMIUM } from '../../support/chromium.ts';
import { failingRun, type FailingRun } from './failing_run.ts';

const folder = mkdtempSync(join(tmpdir(), 'kimberlite-page-'));
const VIEW = { width: 1280, height: 800 };
let browser: Browser;

interface Opened {
  readonly page: Page;
  /** Errors, warnings and requests; a page that is well has none. */
  readonly complaints: string[];
}

type Scheme = 'light' | 'dark';

async function open(bundle: Bundle, bytes: Uint8Array, scheme: Scheme = 'light'): Promise<Opened> {
  const file = join(folder, `${bundle.scenario}.html`);
  writeFileSync(file, await timeTravelPage(bundle, bytes, `${bundle.scenario}.kmb`));
  return visit(file, scheme);
}

async function visit(file: string, scheme: Scheme = 'light'): Promise<Opened> {
  const page = await browser.newPage({ viewport: VIEW, colorScheme: scheme });
  const complaints: string[] = [];
  page.on('console', (message) => complaints.push(`console ${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => complaints.push(`error: ${error.message}`));
  page.on('request', (request) => {
    if (request.url() !== pathToFileURL(file).href) complaints.push(`request: ${request.url()}`);
  });
  await page.goto(pathToFileURL(file).href);
  await page.waitForSelector('.digest.good, .digest.bad, .broken');
  return { page, complaints };
}

/** Where the page stands, once it has arrived there. */
async function position(page: Page): Promise<number> {
  for (;;) {
    const arrived: unknown = await page.evaluate('timeTravel.run.player.arrived');
    if (arrived === true) return page.evaluate('timeTravel.run.player.position');
    await page.waitForTimeout(20);
  }
}

function played({ options }: FailingRun): Player {
  const player = new Player(options);
  player.seek(Infinity);
  return player;
}

suite('time travel in Chromium', { skip: NO_CHROMIUM }, () => {
  const run = failingRun('torn-write-accepted');
  const here = played(run);
  let opened: Opened;
  let page: Page;

  before(async () => {
    browser = await launchChromium();
    opened = await open(run.bundle, run.bytes);
    page = opened.page;
  });
  after(async () => {
    await browser.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test('executes to the violation, with the digest of the bundle', async () => {
    assert.match((await page.textContent('.digest')) ?? '', /digest equal/);
    assert.equal(await page.evaluate('timeTravel.recorded.player.result.digest'), run.bundle.digests.final);
    assert.equal(await page.evaluate('timeTravel.departure()'), null);
    assert.equal(await page.evaluate('timeTravel.run.player.violation.message'), run.bundle.failure.message);
    assert.equal(await position(page), run.bundle.failure.event);
    assert.ok(((await page.textContent('.verdict')) ?? '').includes(run.bundle.failure.message));
  });

  test('one step back, and any jump, is the state of a fresh run at that event', async () => {
    const there = async (): Promise<unknown> =>
      JSON.parse(await page.evaluate('JSON.stringify(timeTravel.run.tree())'));
    await page.keyboard.press('x');
    await page.keyboard.press('ArrowLeft');
    const event = run.bundle.failure.event - 1;
    assert.equal(await position(page), event);
    here.seek(event);
    assert.deepEqual(await there(), JSON.parse(JSON.stringify(stateTree(here.world))));
    await page.fill('.event-box', '1,234');
    await page.press('.event-box', 'Enter');
    assert.equal(await position(page), 1234);
    here.seek(1234);
    assert.deepEqual(await there(), JSON.parse(JSON.stringify(stateTree(here.world))));
  });

  test('what changed in a step is marked in the tree, or since a marked event', async () => {
    await page.keyboard.press('ArrowRight');
    await position(page);
    await page.waitForSelector('.tree .count');
    await page.getByText('against event 1,234').waitFor();
    await page.keyboard.press('m');
    await page.keyboard.press('Shift+ArrowRight');
    assert.equal(await position(page), 1335);
    await page.getByText('against the marked event 1,235').waitFor();
    assert.ok((await page.locator('.vital td.changed').count()) > 0);
    await page.keyboard.press('Shift+ArrowLeft');
    await position(page);
    await page.keyboard.press('m');
    assert.equal(await page.evaluate('timeTravel.run.marked'), null);
  });

  test('finds what a search in words asks for, forwards and backwards', async () => {
    await page.keyboard.press('Home');
    assert.equal(await position(page), 0);
    const { timeline } = here;
    const expected = (words: string, from: number, forwards: boolean): number =>
      findEntry(timeline, parseQuery(words, run.plan.replicaCount), from, forwards);
    await page.keyboard.press('/');
    await page.keyboard.type('send by R1');
    await page.keyboard.press('Enter');
    const first = expected('send by R1', -1, true);
    assert.equal(await position(page), timeline.events[first]);
    assert.equal(await page.evaluate('timeTravel.run.selected'), first);
    await page.keyboard.press('Enter');
    const second = expected('send by R1', first, true);
    assert.equal(await page.evaluate('timeTravel.run.selected'), second);
    await page.keyboard.press('Shift+Enter');
    assert.equal(await page.evaluate('timeTravel.run.selected'), first);
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Next crash' }).click();
    assert.equal(await page.evaluate('timeTravel.run.selected'), expected('crash', first, true));
    await page.locator('.details', { hasText: 'crash' }).waitFor();
  });

  test('a click on a lane goes to the event under it; the wheel zooms', async () => {
    await page.keyboard.press('0');
    const box = await page.locator('.lane-scroller canvas').boundingBox();
    assert.ok(box !== null);
    const before = await position(page);
    await page.mouse.click(box.x + box.width * 0.7, box.y + 60);
    assert.notEqual(await position(page), before);
    const shown = (): Promise<number> => page.evaluate('timeTravel.lanes.to - timeTravel.lanes.from');
    const wide = await shown();
    await page.mouse.wheel(0, -400);
    await page.waitForTimeout(100);
    assert.ok((await shown()) < wide / 2);
  });

  test('journals and disks are shown', async () => {
    await page.keyboard.press('x');
    await page.keyboard.press('1');
    await page.locator('table.journal tbody tr').first().waitFor();
    assert.ok((await page.locator('td.committed').count()) > 10);
    await page.keyboard.press('2');
    await page.locator('.disk canvas').hover({ position: { x: 3, y: 20 } });
    await page.getByText(/superblock copy 0, sector 0: .*; written \d+ times/).waitFor();
  });

  test('forks: without the planted bug there is no violation, and it says where the runs part', async () => {
    await page.keyboard.press('3');
    await page.getByRole('button', { name: /^Without it/ }).click();
    await page.getByRole('button', { name: 'Executes the changed plan from its beginning' }).click();
    await page.getByText('no violation').first().waitFor();
    await page.getByText(/parts from the recorded run at/).waitFor();
    assert.equal(await page.evaluate('timeTravel.run.player.violation'), null);
    const saved = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Save the plan of Fork 1 as JSON' }).click();
    assert.match((await saved).suggestedFilename(), /-fork-1\.json$/);
    await page.getByRole('tab', { name: 'Recorded run' }).click();
    await page.getByText(/digest equal/).waitFor();
  });

  test('forks: the loss of the message that is looked at', async () => {
    await page.keyboard.press('Home');
    await page.keyboard.press('/');
    await page.fill('input[type=search]', 'send prepare op 3');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Escape');
    const index = (await page.evaluate('timeTravel.run.selected')) as number;
    const { node, text } = here.timeline.entry(index);
    assert.match(text, /^prepare op 3 .* to R\d$/);
    await page.getByRole('button', { name: `Lose it: lost: R${node} ${text}` }).click();
    await page.getByRole('button', { name: 'Executes the changed plan from its beginning' }).click();
    await page.getByText(/parts from the recorded run at/).waitFor();
    assert.equal(await page.evaluate(`timeTravel.run.player.timeline.cause(${index + 1})`), 'loss');
    await page.getByRole('button', { name: 'Close Fork 2' }).click();
  });

  test('plays, and stops at a key', async () => {
    await page.keyboard.press('Home');
    await page.selectOption('select', '1000');
    await page.evaluate('document.activeElement.blur()');
    await page.keyboard.press('Space');
    await page.waitForTimeout(700);
    await page.keyboard.press('Space');
    assert.ok((await position(page)) > 50);
    assert.equal(await page.evaluate('timeTravel.playing'), false);
  });

  test('the keys are listed', async () => {
    await page.keyboard.press('?');
    await page.getByText('next view change').waitFor();
    await page.keyboard.press('?');
    assert.equal(await page.locator('dialog[open]').count(), 0);
  });

  test('fits its window, wide and narrow', async () => {
    for (const [width, height] of [[1280, 800], [1000, 620], [700, 900], [380, 700]] as const) {
      await page.setViewportSize({ width, height });
      await page.waitForTimeout(80);
      const wide = (await page.evaluate('document.documentElement.scrollWidth')) as number;
      assert.ok(wide <= width, `${wide} pixels in a window of ${width}`);
      const lanes = await page.locator('.lane-scroller canvas').boundingBox();
      assert.ok(lanes !== null && lanes.height > 100 && lanes.width <= width);
    }
    await page.setViewportSize(VIEW);
  });

  test('bundle and page belong together: the button gives the bytes back', async () => {
    const saved = page.waitForEvent('download');
    await page.getByRole('button', { name: /^Save the bundle/ }).click();
    const chunks: Buffer[] = [];
    for await (const chunk of await (await saved).createReadStream()) chunks.push(chunk as Buffer);
    assert.deepEqual(new Uint8Array(Buffer.concat(chunks)), new Uint8Array(run.bytes));
  });

  test('nothing was complained about and nothing was requested', () => {
    // What is saved is first made by the page: `blob:` reaches no network.
    assert.deepEqual(opened.complaints.filter((text) => !text.startsWith('request: blob:')), []);
  });

  test('production checksums give the same digest too', async () => {
    for (const checksum of ['sha256', 'blake3'] as const) {
      const { bundle, bytes } = failingRun('commit-before-quorum', checksum);
      const other = await open(bundle, bytes, 'dark');
      const digest = await other.page.evaluate('timeTravel.recorded.player.result.digest');
      assert.equal(digest, bundle.digests.final);
      assert.deepEqual(other.complaints, []);
      await other.page.close();
    }
  });

  test("a system of one's own comes along, with its words", async () => {
    const file = join(folder, 'own.html');
    const module = fileURLToPath(new URL('../../../examples/own_protocol/system.ts', import.meta.url));
    const args = ['--system', module, 'show', 'rough_sea', '--seed', '7', '--html', file];
    const outcome = await runProgram('vopr', args);
    assert.equal(outcome.status, 0, outcome.stderr);
    const other = await visit(file);
    assert.match((await other.page.textContent('.digest')) ?? '', /digest equal/);
    await other.page.keyboard.press('Home');
    await other.page.locator('.events .row', { hasText: /ask round=\d+/ }).first().waitFor();
    assert.equal(await other.page.getByRole('tab', { name: 'Journals' }).isVisible(), false);
    assert.deepEqual(other.complaints, []);
    await other.page.close();
  });

  test('a bundle from a stranger is shown, not executed', async () => {
    const text = '</script><img src=x onerror="globalThis.hacked=1"><script>globalThis.hacked=1</script>';
    const { bundle } = failingRun('commit-before-quorum');
    const hostile = { ...bundle, failure: { ...bundle.failure, message: text } };
    const other = await open(hostile, encodeBundle(hostile));
    assert.equal(await other.page.evaluate('globalThis.hacked'), undefined);
    assert.equal(await other.page.locator('img').count(), 0);
    assert.ok(((await other.page.textContent('.verdict')) ?? '').includes(text));
    assert.deepEqual(other.complaints, []);
    await other.page.close();
  });

  test('a plan that is none is refused in words', async () => {
    const file = join(folder, 'broken.html');
    const { bundle, bytes } = failingRun('commit-before-quorum');
    const html = await timeTravelPage(bundle, bytes, 'x.kmb');
    writeFileSync(file, html.replace('"replicaCount":3', '"replicaCount":3000'));
    const other = await browser.newPage();
    await other.goto(pathToFileURL(file).href);
    assert.match((await other.textContent('.broken')) ?? '', /the plan is refused: .*replicaCount/);
    await other.close();
  });
});
