/**
 * Runs a transcript: commands, `----`, what they printed. A difference is a failed test that shows
 * both; `REWRITE=1` writes the new output into the file, and the commit explains the difference.
 *
 *     # A remark: part of the story, kept as it is.
 *     quorums replicas=3
 *     ----
 *     replication=2 view_change=2 nack=2
 *
 * A block ends at an empty line. One block may have several commands; their outputs follow each
 * other. Every file starts from a new environment.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';

export class Command {
  readonly name: string;
  /** Words that are not `key=value`, in order. */
  readonly words: readonly string[];
  private readonly options: ReadonlyMap<string, string>;
  private readonly text: string;

  constructor(text: string) {
    const [name, ...rest] = text.trim().split(/\s+/);
    this.text = text;
    this.name = name as string;
    this.words = rest.filter((word) => !word.includes('='));
    this.options = new Map(
      rest.filter((word) => word.includes('=')).map((word) => word.split('=', 2) as [string, string]),
    );
  }

  has(key: string): boolean {
    return this.options.has(key);
  }

  string(key: string): string {
    const value = this.options.get(key);
    assert.ok(value !== undefined, `"${this.text}": missing ${key}=`);
    return value;
  }

  number(key: string, otherwise?: number): number {
    if (otherwise !== undefined && !this.has(key)) return otherwise;
    const value = Number(this.string(key));
    assert.ok(!Number.isNaN(value), `"${this.text}": ${key} is not a number`);
    return value;
  }

  /** `key=1,2,3` */
  numbers(key: string): number[] {
    return this.string(key).split(',').map(Number);
  }

  unknown(): never {
    assert.fail(`"${this.text}": no such command`);
  }
}

export interface Environment {
  /** Lines of output, joined with \n; no empty line among them. */
  run(command: Command): string;
}

export function runTranscript(path: string, environment: Environment): void {
  const before = readFileSync(path, 'utf8');
  const after = replay(before, environment);
  if (process.env['REWRITE'] === '1') {
    if (after !== before) writeFileSync(path, after);
    return;
  }
  assert.equal(after, before, `${path}: output differs; REWRITE=1 writes the new one`);
}

/** The transcript with its outputs made anew. */
export function replay(text: string, environment: Environment): string {
  const result: string[] = [];
  let commands: Command[] = [];
  let inOutput = false;
  for (const line of text.trimEnd().split('\n')) {
    if (inOutput) {
      if (line !== '') continue;
      inOutput = false;
      result.push(line);
    } else if (line === '----') {
      assert.ok(commands.length > 0, 'transcript: ---- without a command');
      result.push(line);
      for (const command of commands) {
        const output = environment.run(command);
        const empty = output !== '' && output.split('\n').includes('');
        assert.ok(!empty, `transcript: empty line in output of ${command.name}`);
        if (output !== '') result.push(output);
      }
      commands = [];
      inOutput = true;
    } else {
      if (line !== '' && !line.startsWith('#')) commands.push(new Command(line));
      result.push(line);
    }
  }
  assert.equal(commands.length, 0, 'transcript: commands without ---- at the end');
  return `${result.join('\n')}\n`;
}
