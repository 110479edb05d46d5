/** `kmb` as a user meets it: a cluster of real processes in one command, used and then stopped. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { programPath, runProgram, type Outcome } from './run_program.ts';

const DIRECTORY = mkdtempSync(join(tmpdir(), 'kmb-'));
const started: ChildProcess[] = [];
after(() => {
  for (const child of started) if (child.exitCode === null) child.kill('SIGKILL');
  rmSync(DIRECTORY, { recursive: true, force: true });
});

/** Three neighbouring ports that nobody listens on. */
async function freePorts(): Promise<number> {
  for (let attempt = 0; ; attempt++) {
    const first = 20_000 + Math.floor(Math.random() * 20_000);
    try {
      await Promise.all([0, 1, 2].map((i) => listenOnce(first + i)));
      return first;
    } catch (error) {
      if (attempt === 20) throw error;
    }
  }
}

function listenOnce(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(port, '127.0.0.1', () => server.close(() => resolve()));
  });
}

/** A running `kmb dev`, and everything it has printed. */
class Dev {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  output = '';
  private readonly waiting = new Set<() => void>();

  constructor(directory: string, port: number) {
    this.child = spawn(
      process.execPath,
      [programPath('kmb'), 'dev', '--port', String(port), directory],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    started.push(this.child);
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.output += chunk.toString();
        for (const check of this.waiting) check();
      });
    }
    this.ended = new Promise((resolve) => this.child.on('close', resolve));
  }

  /** Resolves when what was printed after `from` matches. */
  printed(words: RegExp, from = 0): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const impatience = setTimeout(() => {
        this.waiting.delete(check);
        reject(new Error(`not printed in 40 s: ${words.source}\n${this.output}`));
      }, 40_000);
      const check = (): void => {
        const match = words.exec(this.output.slice(from));
        if (match === null) return;
        clearTimeout(impatience);
        this.waiting.delete(check);
        resolve(match);
      };
      this.waiting.add(check);
      check();
    });
  }

  pidOf(replica: number): number {
    return Number(new RegExp(`R${replica} is process (\\d+)`).exec(this.output)?.[1]);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('kmb dev: a cluster is formatted, used, survives kill -9, and stops on Ctrl-C', async () => {
  const port = await freePorts();
  const directory = join(DIRECTORY, 'cluster');
  const env = {
    KIMBERLITE_ADDRESSES: [port, port + 1, port + 2].map((p) => `127.0.0.1:${p}`).join(','),
    KIMBERLITE_TENANT: '1',
  };
  const kmb = async (status: number, args: readonly string[], input = ''): Promise<Outcome> => {
    const outcome = await runProgram('kmb', [...args, '--timeout', '30'], { env, input });
    assert.equal(outcome.status, status, outcome.stdout + outcome.stderr);
    return outcome;
  };
  const dev = new Dev(directory, port);
  await dev.printed(/ready: /);
  assert.match(dev.output, new RegExp(`ready: ${env.KIMBERLITE_ADDRESSES}\n`));
  assert.match(dev.output, /^R2 \| listening on /m);

  assert.match((await kmb(0, ['tenant', 'create', '1', 'acme'])).stdout, /created tenant 1 "acme"/);
  assert.match((await kmb(2, ['tenant', 'create', '1', 'acme'])).stderr, /tenant_exists/);
  const created = await kmb(0, ['stream', 'create', 'orders', '--class', 'PII']);
  assert.match(created.stdout, /created stream "orders", id \d+/);
  const appended = await kmb(0, ['stream', 'append', 'orders', 'first', 'zwei ☃']);
  assert.match(appended.stdout, /appended 2 events at offset 0, op \d+/);

  const mark = dev.output.length;
  process.kill(dev.pidOf(0), 'SIGKILL');
  await dev.printed(/R0 \| was ended by SIGKILL; starting it again/, mark);
  const lines = Array.from({ length: 3000 }, (_, i) => `line ${i}`).join('\n');
  const piped = await kmb(0, ['stream', 'append', 'orders', '--expected-offset', '2'], lines);
  assert.match(piped.stdout, /appended 3,000 events at offset 2/);
  await dev.printed(/R0 \| listening on/, mark);

  const read = await kmb(0, ['stream', 'read', 'orders', '--limit', '3']);
  assert.match(read.stdout, /^0\t\S+Z\t"first"\n1\t\S+Z\t"zwei ☃"\n2\t\S+Z\t"line 0"\n$/);
  const last = await kmb(0, ['stream', 'read', 'orders', '--from', '3001', '--json']);
  assert.deepEqual(Object.keys(JSON.parse(last.stdout)), ['offset', 'timestamp', 'payload']);
  assert.match((await kmb(2, ['stream', 'read', 'nope'])).stderr, /stream_not_found/);
  const stale = await kmb(2, ['stream', 'append', 'orders', 'x', '--expected-offset', '5']);
  assert.match(stale.stderr, /unexpected_stream_offset/);

  // While it runs: inspected, and held against a second server and a second cluster.
  const file = join(directory, '1.kmb');
  const inspected = await runProgram('kmb', ['inspect', file, '--json']);
  const { replica, problems } = JSON.parse(inspected.stdout) as { replica: number; problems: unknown[] };
  assert.equal(replica, 1);
  assert.deepEqual(problems, []);
  const second = await runProgram('kmb', ['server', '--addresses', env.KIMBERLITE_ADDRESSES, file]);
  assert.equal(second.status, 2);
  assert.match(second.stderr, new RegExp(`it is in use by process ${dev.pidOf(1)}`));
  const other = await runProgram('kmb', ['dev', '--port', String(port), join(DIRECTORY, 'other')]);
  assert.equal(other.status, 2);
  assert.match(other.stderr, new RegExp(`Cannot listen on 127.0.0.1:${port}: it is in use; choose`));
  assert.ok(!existsSync(join(DIRECTORY, 'other')), 'nothing was formatted in vain');

  const pids = [1, 2].map((i) => dev.pidOf(i));
  dev.child.kill('SIGINT');
  assert.equal(await dev.ended, 0, dev.output);
  assert.match(dev.output, /all replicas stopped\n$/);
  for (const pid of pids) assert.ok(!isAlive(pid));
  assert.deepEqual(readdirSync(directory).sort(), ['0.kmb', '1.kmb', '2.kmb'], 'no lock is left');

  // What it holds is there the next time; and no replica outlives a parent that is killed.
  const again = new Dev(directory, port);
  await again.printed(/ready: /);
  assert.match((await kmb(0, ['stream', 'read', 'orders', '--limit', '1'])).stdout, /^0\t\S+Z\t"first"\n$/);
  const children = [0, 1, 2].map((i) => again.pidOf(i));
  again.child.kill('SIGKILL');
  await again.ended;
  for (let wait = 0; children.some(isAlive) && wait < 100; wait++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.deepEqual(children.filter(isAlive), []);
});

test('kmb dev: a data file that is missing beside others is not made anew', async () => {
  const directory = mkdtempSync(join(DIRECTORY, 'partial-'));
  writeFileSync(join(directory, '0.kmb'), '');
  const outcome = await runProgram('kmb', ['dev', '--port', String(await freePorts()), directory]);
  assert.equal(outcome.status, 2);
  assert.match(outcome.stderr, /1.kmb is missing and others are there; bring it back, or remove/);
});

test('kmb: what is asked wrongly is refused with status 2 and what to do', async () => {
  const format = ['format', '--cluster', '7', '--replica', '0', '--replica-count', '3', '--config', 'small'];
  const path = join(DIRECTORY, 'refused.kmb');
  const file = join(DIRECTORY, 'small.kmb');
  const made = await runProgram('kmb', [...format, file]);
  assert.equal(made.status, 0, made.stderr);
  assert.match(made.stdout, /formatted .*small.kmb: cluster 7, replica 0 of 3, small, 4 MiB/);

  const cases: [string[], RegExp][] = [
    [[...format, file], /Cannot create ".*small.kmb": it exists already; choose another path/],
    [[...format, '--replica', '3', path], /--replica 3 of --replica-count 3: replicas are counted from 0/],
    [[...format, '--replica-count', '9', path], /It must be a whole number, from 1 to 6/],
    [[...format, '--cluster', '0', path], /It must be a number from 1 to 2\^128 - 1/],
    [[...format, '--config', 'huge', path], /Allowed choices are production, development, small/],
    [['format', path], /required option '--cluster <id>' not specified/],
    [['server', file], /required option '--addresses <host:port,...>' not specified/],
    [['server', '--addresses', '1,2', file], /2 addresses for a cluster of 3 replicas; give --addresses/],
    [['server', '--addresses', 'a:b,1,2', file], /Cannot use address "a:b": not host:port/],
    [['server', '--addresses', '1,2,3', path], /Cannot open ".*refused.kmb": no such file/],
    [['stream', 'read', 'x'], /which tenant\? give --tenant/],
    [['stream', 'read', 'x', '--tenant', '1'], /which cluster\? give --addresses/],
    [['stream', 'append', 'x', 'y', '--idempotency-id', '12'], /It must be 32 hexadecimal digits/],
    [['tenant', 'create', 'acme', '1', '--addresses', '1'], /the tenant is "acme": a tenant is a whole/],
    [['tenant', 'create', '1', 'acme', '--addresses', '1', '--timeout', '1'], /127.0.0.1:1.*ECONNREFUSED/],
    [['sream'], /unknown command 'sream'\s+\(Did you mean stream\?\)/],
  ];
  const env = { KIMBERLITE_ADDRESSES: '', KIMBERLITE_TENANT: '' };
  const check = async ([args, words]: [string[], RegExp]): Promise<void> => {
    const outcome = await runProgram('kmb', args, { env });
    assert.match(outcome.stderr, words, args.join(' '));
    assert.equal(outcome.status, 2, args.join(' '));
    assert.equal(outcome.stdout, '', args.join(' '));
  };
  await Promise.all(cases.map(check));
});

test('kmb: the help of each command has two examples', async () => {
  const commands = [
    ['format'], ['server'], ['dev'], ['inspect'], ['tenant'], ['tenant', 'create'],
    ['stream'], ['stream', 'create'], ['stream', 'append'], ['stream', 'read'],
  ];
  await Promise.all(
    commands.map(async (command) => {
      const { stdout, status } = await runProgram('kmb', [...command, '--help']);
      assert.equal(status, 0);
      assert.match(stdout, /Examples:\n {2}.*kmb .*\n {2}.*kmb /, command.join(' '));
    }),
  );
});
