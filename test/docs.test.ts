/** What the documents state as fact, compared with the code that owns it. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { suite, test } from 'node:test';
import { JSON_ROUTES } from '../cli/dashboard/server.ts';
import { TABS } from '../cli/tui/tui_state.ts';
import { CONFIG_PRODUCTION, CONFIG_SMALL, quorumsOf } from '../core/constants.ts';
import { AT, COMMAND_COUNT, COMMAND_NAMES } from '../core/message/header.ts';
import { CHECKPOINT } from '../core/storage/checkpoint_state.ts';
import { zonesOf } from '../core/storage/data_file.ts';
import { CHECKERS } from '../invariants/registry.ts';
import { CANARIES } from '../sim/canaries.ts';
import { SUPERBLOCK_AT } from '../core/storage/superblock_layout.ts';
import { TIMER } from '../core/vsr/timeouts.ts';
import { PROJECT_ROOT } from './source_scanner.ts';

const read = (path: string): string => readFileSync(join(PROJECT_ROOT, path), 'utf8');

/** Cells of every table row below the heading that begins with `heading`. */
function rowsUnder(text: string, heading: string): string[][] {
  const lines = text.split('\n');
  const starts = (line: string): boolean => /^#+ /.test(line) && line.replace(/^#+ /, '').startsWith(heading);
  const start = lines.findIndex(starts);
  assert.ok(start >= 0, `no heading "${heading}"`);
  const rows: string[][] = [];
  for (const line of lines.slice(start + 1)) {
    if (line.startsWith('#')) break;
    if (!line.startsWith('|')) continue;
    rows.push(line.slice(1, -1).split('|').map((cell) => cell.trim()));
  }
  return rows.filter((row) => !/^:?-+:?$/.test(row[0] as string));
}

const number = (cell: string): number => Number(cell.replaceAll(',', ''));
const camel = (name: string): string => name.replaceAll(/_(.)/g, (_, c: string) => c.toUpperCase());

/** Markdown files of the project, none of others. */
function documents(): string[] {
  const files: string[] = [];
  const walk = (folder: string): void => {
    for (const entry of readdirSync(join(PROJECT_ROOT, folder), { withFileTypes: true })) {
      if (entry.name === 'node_modules' || entry.name.startsWith('.')) continue;
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) walk(path);
      else if (entry.name.endsWith('.md')) files.push(path);
    }
  };
  walk('');
  return files;
}

suite('documents', () => {
  for (const file of documents()) {
    test(`${file}: its links lead somewhere`, () => {
      for (const [, target] of read(file).matchAll(/\]\(([^)\s]+)\)/g)) {
        const link = target as string;
        if (/^(https?:|#)/.test(link)) continue;
        const path = join(dirname(join(PROJECT_ROOT, file)), link.split('#')[0] as string);
        assert.ok(existsSync(path), `${file}: ${link}`);
      }
    });
  }

  test('dependencies.md has a line for each package, and no other', () => {
    const manifest = JSON.parse(read('package.json')) as Record<string, Record<string, string>>;
    const text = read('docs/dependencies.md');
    const listed = (heading: string): string[] =>
      rowsUnder(text, heading).slice(1).map((row) => (row[0] as string).replaceAll('`', '')).sort();
    assert.deepEqual(listed('At run time'), Object.keys(manifest['dependencies'] ?? {}).sort());
    assert.deepEqual(listed('For development'), Object.keys(manifest['devDependencies'] ?? {}).sort());
  });

  test('tui_and_dashboard.md names the tabs and the paths that there are', () => {
    const text = read('docs/tui_and_dashboard.md');
    assert.deepEqual(rowsUnder(text, 'On the terminal').map((row) => row[0]).slice(-TABS.length), TABS);
    const paths = rowsUnder(text, 'In a browser').slice(1).flatMap((row) => (row[0] as string).split(', '));
    const named = paths.map((path) => path.replaceAll('`', ''));
    const there = ['/', ...Object.keys(JSON_ROUTES), '/vopr/updates', '/failures/<n>/time-travel'];
    assert.deepEqual(named, there);
  });

  test('architecture.md names the folders that exist', () => {
    const rows = rowsUnder(read('docs/architecture.md'), 'Folders').slice(1);
    const named = rows.map((row) => (row[0] as string).replaceAll(/[`/]/g, '')).sort();
    const found = readdirSync(PROJECT_ROOT, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
      .map((entry) => entry.name)
      .filter((name) => name !== 'node_modules' && name !== 'dist');
    for (const name of found) assert.ok(named.includes(name), `folder ${name}/ is not in the table`);
  });
});

suite('specs', () => {
  test('wire.md: the frame', () => {
    const rows = rowsUnder(read('specs/wire.md'), 'The frame').slice(1);
    assert.ok(rows.length >= 12);
    for (const [offset, field] of rows as [string, string][]) {
      const name = field === 'command area' ? 'area' : camel(field.replaceAll('`', ''));
      assert.equal(AT[name as keyof typeof AT], number(offset), field);
    }
  });

  test('wire.md: every command, by number and name', () => {
    const rows = rowsUnder(read('specs/wire.md'), 'Commands').slice(1);
    assert.deepEqual(
      rows.map((row) => [number(row[0] as string), (row[1] as string).replaceAll('`', '')]),
      Array.from({ length: COMMAND_COUNT }, (_, code) => [code, COMMAND_NAMES[code]]),
    );
  });

  test('wire.md: every place in a command area is one of the code', () => {
    const prefixes: Readonly<Record<string, string>> = {
      do_view_change: 'dvc', start_view: 'sv', commit: 'commit', reply: 'reply', nack: 'nack', block: 'block',
      ping: 'ping',
    };
    let places = 0;
    for (const [commands, area] of rowsUnder(read('specs/wire.md'), 'Command areas').slice(1)) {
      const command = /`(\w+)`/.exec(commands as string)?.[1] ?? '';
      assert.ok(COMMAND_NAMES.includes(command), command);
      for (const [, offset, field] of (area as string).matchAll(/(\d+) `(\w+)`/g)) {
        const name = camel(field as string);
        const prefixed = camel(`${prefixes[command] ?? ''}_${field}`);
        const known = [name, prefixed].map((key) => AT[key as keyof typeof AT]);
        assert.ok(known.includes(number(offset as string) as never), `${command}: ${offset} ${field}`);
        places++;
      }
    }
    assert.ok(places > 60, String(places));
  });

  test('vsr.md: quorums', () => {
    for (const row of rowsUnder(read('specs/vsr.md'), 'Quorums').slice(1)) {
      const [n, replication, viewChange, nack] = row.map(number) as [number, number, number, number];
      assert.deepEqual(quorumsOf(n), { replication, viewChange, nack });
    }
  });

  test('vsr.md: timers', () => {
    const rows = rowsUnder(read('specs/vsr.md'), 'Timers').slice(1);
    const named = rows.map((row) => camel((row[0] as string).replaceAll('`', '')));
    assert.deepEqual(named, Object.keys(TIMER));
  });

  test('invariants.md: ids, claims, and the canaries of each', () => {
    const text = read('specs/invariants.md');
    const expected = CHECKERS.map(({ id, claim }) => {
      const canaries = CANARIES.filter(({ caughtBy }) => caughtBy === id).map(({ name }) => `\`${name}\``);
      return [`\`${id}\``, claim, canaries.join(', ')];
    });
    assert.deepEqual(rowsUnder(text, 'Invariants').slice(1), expected);
    const compared = rowsUnder(text, 'What each compares').slice(1);
    assert.deepEqual(compared.map((row) => row[0]), expected.map((row) => row[0]));
  });

  test('data_file.md: zones of the two configurations', () => {
    const rows = rowsUnder(read('specs/data_file.md'), 'The data file');
    const stated = (start: string): number[] => {
      const row = rows.find((r) => (r[0] as string).startsWith(start));
      assert.ok(row !== undefined, start);
      return row.slice(1).map(number);
    };
    const zones = [zonesOf(CONFIG_SMALL), zonesOf(CONFIG_PRODUCTION)];
    const configs = [CONFIG_SMALL, CONFIG_PRODUCTION];
    assert.deepEqual(stated('journal headers'), zones.map((z) => z.journalHeaders));
    assert.deepEqual(stated('journal prepares'), zones.map((z) => z.journalPrepares));
    assert.deepEqual(stated('client replies'), zones.map((z) => z.replies));
    assert.deepEqual(stated('grid at'), zones.map((z) => z.grid));
    assert.deepEqual(stated('end'), zones.map((z) => z.end));
    assert.deepEqual(stated('blocks'), configs.map((c) => c.gridBlocks));
    assert.deepEqual(stated('sessions'), configs.map((c) => c.clientsMax));
  });

  test('data_file.md: the superblock', () => {
    const rows = rowsUnder(read('specs/data_file.md'), 'Superblock').slice(1);
    const offsets = new Set<number>(Object.values(SUPERBLOCK_AT));
    for (const row of rows) assert.ok(offsets.has(number(row[0] as string)), row.join(' '));
  });

  test('data_file.md: the checkpoint state', () => {
    const rows = rowsUnder(read('specs/data_file.md'), 'Checkpoint state').slice(1);
    const offsets = new Set<number>(Object.values(CHECKPOINT));
    for (const row of rows) assert.ok(offsets.has(number(row[0] as string)), row.join(' '));
  });
});
