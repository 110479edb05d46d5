/** `kmb inspect` on disks that real replicas wrote in a simulated cluster, checkpoints and all. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { CANARY } from '../../core/canary.ts';
import { blockOffset } from '../../core/storage/data_file.ts';
import { baseline } from '../../scenarios/core/baseline.ts';
import { makePlan } from '../../sim/plan.ts';
import { WorldPlaces } from '../../sim/search/run_seed.ts';
import { NO_LIMITS } from '../../sim/search/seed_result.ts';
import { runProgram } from './run_program.ts';

const DIRECTORY = mkdtempSync(join(tmpdir(), 'kmb-disks-'));
after(() => rmSync(DIRECTORY, { recursive: true, force: true }));

interface Block {
  readonly address: number;
  readonly use: string;
  readonly type: string;
  readonly log: { ordinal: number; records: number } | null;
}
interface Json {
  readonly checkpoint: { op: number; trailers: { name: string; size: number }[] };
  readonly journal: { state: string; op: number }[];
  readonly grid: { blocks: Block[]; in_use: number; trailers: Record<string, number[]> };
  readonly block: { log: { records: number }; runs: { records: { offset: number; state: string }[] }[] };
  readonly problems: { where: string; problem: string }[];
}

async function inspected(status: number, ...args: string[]): Promise<Json> {
  const outcome = await runProgram('kmb', ['inspect', ...args, '--json']);
  assert.equal(outcome.status, status, outcome.stdout + outcome.stderr);
  return JSON.parse(outcome.stdout) as Json;
}

const world = new WorldPlaces().start({
  plan: makePlan(baseline, 3),
  canary: CANARY.none,
  limits: NO_LIMITS,
});
while (world.step());
const DISK = new Uint8Array(world.zones.end);
world.disk(0).readTrue(0, DISK);

function diskWith(name: string, change: (disk: Uint8Array) => void): string {
  const path = join(DIRECTORY, name);
  const disk = DISK.slice();
  change(disk);
  writeFileSync(path, disk);
  return path;
}

test('inspect: a replica that ran through checkpoints left a file in which nothing is wrong', async () => {
  assert.equal(world.result().violation, null);
  const path = diskWith('whole', () => {});
  const json = await inspected(0, path);
  assert.ok(json.checkpoint.op > 0);
  for (const trailer of json.checkpoint.trailers) assert.ok(trailer.size > 0, trailer.name);
  assert.ok(json.journal.every((row) => row.state === 'clean'), 'the ring has wrapped');
  assert.ok(json.grid.in_use > 0);

  const logs = json.grid.blocks.filter((block) => block.type === 'log' && block.use === 'in use');
  assert.deepEqual(
    logs.map((block) => block.log?.ordinal).sort((a, b) => (a ?? 0) - (b ?? 0)),
    logs.map((_, i) => i),
  );
  const first = logs.find((block) => block.log?.ordinal === 0) as Block;
  const { block } = await inspected(0, path, '--block', String(first.address));
  const records = block.runs.flatMap((run) => run.records);
  assert.equal(records.length, block.log.records);
  assert.ok(records.every((record) => record.state === 'whole'));
});

test('inspect: damage under the checkpoint is found wherever it is', async () => {
  const { grid } = await inspected(0, diskWith('again', () => {}), '--zone', 'grid');
  const at = (address: number): number => blockOffset(world.zones, world.config, address);
  const flip = (address: number, byte: number): ((disk: Uint8Array) => void) => {
    return (disk) => {
      const i = at(address) + byte;
      disk[i] = (disk[i] as number) ^ 0x10;
    };
  };
  const logs = grid.blocks.filter((block) => block.type === 'log' && block.use === 'in use');
  const [one, two] = [logs[0]?.address as number, logs[1]?.address as number];
  const kernel = grid.trailers['kernel']?.[0] as number;
  const freeSet = grid.trailers['freeSetAcquired']?.[0] as number;
  const cases: [string, (disk: Uint8Array) => void, RegExp][] = [
    ['log', flip(one, 700), new RegExp(`block ${one}: its body is not whole: the checkpoint needs it`)],
    ['header', flip(two, 100), new RegExp(`block ${two}: its header is not whole`)],
    ['swap', (disk) => disk.copyWithin(at(one), at(two), at(two) + world.config.blockSize),
      new RegExp(`block ${one}: it is block ${two}, misplaced`)],
    ['kernel', flip(kernel, 300), new RegExp(`trailer kernel: block ${kernel} .*its body is not whole`)],
    ['free', flip(freeSet, 300), new RegExp(`trailer freeSetAcquired: block ${freeSet} `)],
  ];
  for (const [name, change, words] of cases) {
    const { problems } = await inspected(1, diskWith(name, change), '--zone', 'grid');
    assert.match(problems.map(({ where, problem }) => `${where}: ${problem}`).join('\n'), words);
  }
});

test('inspect: records of a damaged log block are shown as far as they go', async () => {
  const { grid } = await inspected(0, diskWith('log', () => {}), '--zone', 'grid');
  const address = grid.blocks.find((block) => block.type === 'log')?.address as number;
  const path = diskWith('record', (disk) => {
    const i = blockOffset(world.zones, world.config, address) + 256 + 48 + 30; // In the first record.
    disk[i] = (disk[i] as number) ^ 1;
  });
  const { block, problems } = await inspected(1, path, '--block', String(address));
  const states = block.runs.flatMap((run) => run.records.map((record) => record.state));
  assert.match(states[0] ?? '', /^record: /);
  assert.ok(states.slice(1).every((state) => state === 'whole'));
  assert.equal(problems.length, 2, 'the block, and the record in it');
});
