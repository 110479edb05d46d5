/** A headless Chromium, where the machine has one: Debian's package `chromium` will do. */
import { existsSync } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';

const PLACES = [
  process.env['CHROMIUM'] ?? '',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

export const CHROMIUM = PLACES.find((path) => path !== '' && existsSync(path)) ?? null;

/** For a test's `skip`: why it cannot run here, or false. */
export const NO_CHROMIUM = CHROMIUM === null
  ? 'no Chromium on this machine: apt-get install chromium, or name one in CHROMIUM'
  : false;

export function launchChromium(): Promise<Browser> {
  if (CHROMIUM === null) throw new Error('no Chromium: look at NO_CHROMIUM first');
  return chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
}
