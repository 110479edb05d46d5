/** A temporary folder that looks like a clone: everything in it is a link, what is written is not. */
import { mkdtempSync, readdirSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PROJECT_ROOT } from '../source_scanner.ts';

export function cloneFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `kimberlite-${name}-`));
  for (const entry of readdirSync(PROJECT_ROOT)) {
    if (!entry.startsWith('.')) symlinkSync(join(PROJECT_ROOT, entry), join(folder, entry));
  }
  return folder;
}
