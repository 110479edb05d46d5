/**
 * docs/campaigns.md: each command is run, one after another, in a folder that looks like a clone, and
 * prints what stands there, but for numbers (`REWRITE=1` writes the real outputs into the page); and
 * a ledger has the lines and fields that the page names.
 */
import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { REPORTERS } from '../cli/vopr/reporters.ts';
import { PROJECT_ROOT } from './source_scanner.ts';
import { cloneFolder } from './support/clone_folder.ts';
import { runPage } from './support/page_commands.ts';

const PAGE = join(PROJECT_ROOT, 'docs', 'campaigns.md');
const folder = cloneFolder('campaigns');
after(() => rmSync(folder, { recursive: true, force: true }));

/** Words in backticks. */
function named(text: string): string[] {
  return [...text.matchAll(/`([a-zA-Z]+)`/g)].map(([, name]) => name as string);
}

suite('docs/campaigns.md', () => {
  test('every command does what it says', () => {
    const { steps, outputs } = runPage('campaigns.md', folder, [0]);
    const digests = outputs.map((lines) => /^baseline .* digest (\w+)$/.exec(lines[0] ?? '')?.[1]);
    const merged = steps.findIndex(({ command }) => command.includes('-- merge'));
    assert.ok(digests[0] !== undefined && digests[merged] === digests[0], 'the digest is that of the whole');
  });

  test('the ledger that they wrote has the lines and fields of the page', () => {
    const page = readFileSync(PAGE, 'utf8').split("## The ledger's lines")[1] ?? '';
    const fields = new Map<string, string[]>();
    for (const [, kind, list] of page.matchAll(/^\| `?(all|started|failure|ended)`? \| (.*) \|$/gm)) {
      fields.set(kind as string, named(list as string));
    }
    assert.deepEqual([...fields.keys()], ['all', 'started', 'failure', 'ended']);
    const paragraph = named(page.slice(page.indexOf('`summary` has')));
    const kinds = new Set<string>();
    for (const line of readFileSync(join(folder, '.vopr', 'ledger.jsonl'), 'utf8').trimEnd().split('\n')) {
      const entry = JSON.parse(line) as Record<string, unknown> & { kind: string };
      const known = [...(fields.get('all') ?? []), ...(fields.get(entry.kind) ?? [])];
      for (const key of Object.keys(entry)) assert.ok(known.includes(key), `${entry.kind}: ${key}`);
      kinds.add(entry.kind);
      if (entry.kind === 'ended') {
        assert.deepEqual(Object.keys(entry['summary'] as object), paragraph.slice(1));
      }
    }
    assert.deepEqual([...kinds].sort(), ['ended', 'failure', 'started']);
  });

  test('the reporters are those that there are', () => {
    const section = readFileSync(PAGE, 'utf8').split('## Reports')[1]?.split('\n## ')[0] ?? '';
    const rows = [...section.matchAll(/^\| `(\w+)` \|/gm)];
    assert.deepEqual(rows.map(([, name]) => name), [...REPORTERS]);
  });
});
