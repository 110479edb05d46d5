/** Texts kept in files: compared, and with `REWRITE=1` written anew for the commit to explain. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export function assertGolden(name: string, text: string): void {
  const path = fileURLToPath(new URL(`golden/${name}`, import.meta.url));
  if (process.env['REWRITE'] === '1') {
    writeFileSync(path, text);
    return;
  }
  const kept = existsSync(path) ? readFileSync(path, 'utf8') : '';
  assert.equal(text, kept, `${path}: the output differs; REWRITE=1 writes the new one`);
}
