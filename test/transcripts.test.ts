/** Every transcript, replayed: see transcript.ts. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { PROJECT_ROOT } from './source_scanner.ts';
import { replay, runTranscript, type Environment } from './transcript.ts';
import { Arithmetic } from './transcripts/arithmetic.ts';
import { Lab } from './transcripts/lab.ts';

const FOLDER = join(PROJECT_ROOT, 'test', 'transcripts');

const ENVIRONMENTS: Readonly<Record<string, () => Environment>> = {
  'quorums.txt': () => new Arithmetic(),
  'checkpoints.txt': () => new Arithmetic(),
  'normal_operation.txt': () => new Lab(),
  'view_change.txt': () => new Lab(),
  'log_choice.txt': () => new Lab(),
  'torn_slot.txt': () => new Lab(),
  'state_sync.txt': () => new Lab(),
};

suite('transcripts', () => {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith('.txt'));
  for (const file of files) {
    test(file, () => {
      const make = ENVIRONMENTS[file];
      assert.ok(make !== undefined, `${file} has no environment in transcripts.test.ts`);
      runTranscript(join(FOLDER, file), make());
    });
  }

  test('the runner keeps remarks and makes outputs anew', () => {
    const echo: Environment = { run: (command) => `${command.name} ${command.words.join(' ')}`.trim() };
    const text = '# Story.\na one two x=1\nb\n----\nold\nold\n\nc\n----\n';
    assert.equal(replay(text, echo), '# Story.\na one two x=1\nb\n----\na one two\nb\n\nc\n----\nc\n');
  });
});
