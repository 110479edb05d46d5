/** `kmb inspect` on data files that are right, and on ones with planted damage. */
import assert from 'node:assert/strict';
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { seal } from '../../core/checksum.ts';
import { CONFIG_SMALL, HEADER_SIZE } from '../../core/constants.ts';
import { AT, BLOCK_TYPE, COMMAND, setSize } from '../../core/message/header.ts';
import { regionOf, writeU64, type Region } from '../../core/message/region.ts';
import { blockOffset, prepareOffset, zonesOf } from '../../core/storage/data_file.ts';
import { format } from '../../core/storage/format.ts';
import { runProgram } from './run_program.ts';

const DIRECTORY = mkdtempSync(join(tmpdir(), 'kmb-inspect-'));
after(() => rmSync(DIRECTORY, { recursive: true, force: true }));

const CONFIG = CONFIG_SMALL;
const ZONES = zonesOf(CONFIG);
const CLUSTER = regionOf(new Uint8Array(16));
CLUSTER.bytes[0] = 7;

/** A fresh data file of replica 1 of 3, with `changes` written over it. */
function dataFile(name: string, changes: readonly (readonly [number, Uint8Array])[] = []): string {
  const path = join(DIRECTORY, name);
  const file = openSync(path, 'w');
  ftruncateSync(file, ZONES.end);
  const write = (offset: number, bytes: Uint8Array): void => {
    writeSync(file, bytes, 0, bytes.byteLength, offset);
  };
  format({ config: CONFIG, cluster: CLUSTER, replicaIndex: 1, replicaCount: 3, write });
  for (const [offset, bytes] of changes) write(offset, bytes);
  closeSync(file);
  return path;
}

const NOISE = new Uint8Array(64).fill(0xa5);

interface Json {
  readonly cluster: string;
  readonly replica: number;
  readonly journal: { slot: number; state: string; case: string }[];
  readonly superblock: { verdict: string; copies: { state: string }[] };
  readonly block: { state: string; type: string };
  readonly problems: { where: string; problem: string }[];
}

async function inspected(args: readonly string[], status: number): Promise<Json> {
  const outcome = await runProgram('kmb', ['inspect', ...args, '--json']);
  assert.equal(outcome.stderr, '');
  assert.equal(outcome.status, status, outcome.stdout);
  return JSON.parse(outcome.stdout) as Json;
}

test('inspect: a fresh file is whole, and says what it is', async () => {
  const path = dataFile('fresh');
  const json = await inspected([path], 0);
  assert.equal(json.cluster, '7');
  assert.equal(json.replica, 1);
  assert.equal(json.superblock.verdict, 'open');
  assert.deepEqual(json.journal.map((row) => row.state).slice(0, 3), ['clean', 'empty', 'empty']);
  assert.deepEqual(json.problems, []);

  const { stdout, status } = await runProgram('kmb', ['inspect', path]);
  assert.equal(status, 0);
  assert.match(stdout, /cluster 7, replica 1 of 3/);
  assert.match(stdout, /journal: 32 slots, ops 0 to 0; 1 clean, 31 empty/);
  assert.match(stdout, /nothing is wrong\n$/);
});

test('inspect: damage is named, zone by zone', async () => {
  const path = dataFile('damaged', [
    [ZONES.superblockCopySize * 2 + 100, NOISE],
    [ZONES.journalHeaders + 5 * HEADER_SIZE + 40, NOISE],
    [prepareOffset(ZONES, CONFIG, 9) + 40, NOISE],
    [ZONES.replies + 4096, NOISE],
  ]);
  const json = await inspected([path], 1);
  assert.deepEqual(
    json.problems.map(({ where, problem }) => `${where}: ${problem.split('(')[0]?.trim()}`),
    [
      'superblock copy 2: damaged: its checksum does not match',
      'journal slot 5: the redundant header is not whole, the prepare is reserved',
      'journal slot 9: the prepare is not whole, and its slot was never used before',
      'reply slot 1: the reply is not whole: a peer supplies it when its client asks again',
    ],
  );
  assert.equal(json.journal[9]?.case, 'B');
  const { stdout } = await runProgram('kmb', ['inspect', path, '--zone', 'superblock']);
  assert.match(stdout, /^2 +damaged: its checksum does not match/m);
});

test('inspect: what a replica would refuse is said', async () => {
  const copy = ZONES.superblockCopySize;
  const lost = dataFile('lost', [
    [100, NOISE],
    [copy + 100, NOISE],
    [2 * copy + 300, NOISE],
  ]);
  const json = await inspected([lost, '--zone', 'superblock'], 1);
  assert.match(json.superblock.verdict, /fewer than two copies agree/);

  const short = dataFile('short');
  const file = openSync(short, 'r+');
  ftruncateSync(file, ZONES.grid);
  closeSync(file);
  assert.match((await inspected([short], 1)).problems[0]?.problem ?? '', /cut off/);
});

test('inspect: one block, also one that stands in the wrong place', async () => {
  const block = (address: number): Region => {
    const region = regionOf(new Uint8Array(4096));
    region.bytes.set(CLUSTER.bytes, AT.cluster);
    region.fields.setUint8(AT.command, COMMAND.block);
    region.fields.setUint8(AT.blockType, BLOCK_TYPE.manifest);
    writeU64(region, AT.blockAddress, address);
    setSize(region, HEADER_SIZE + 64);
    seal(CONFIG.checksumAlgorithm, region);
    return region;
  };
  const path = dataFile('blocks', [
    [blockOffset(ZONES, CONFIG, 3), block(3).bytes],
    [blockOffset(ZONES, CONFIG, 4), block(9).bytes],
  ]);
  const whole = await inspected([path, '--block', '3'], 0);
  assert.deepEqual([whole.block.state, whole.block.type], ['whole', 'manifest']);
  assert.equal((await inspected([path, '--block', '4'], 1)).block.state, 'it is block 9, misplaced');
  assert.equal((await inspected([path, '--block', '5'], 1)).block.state, 'never written');
  const beyond = await runProgram('kmb', ['inspect', path, '--block', '5000']);
  assert.equal(beyond.status, 2);
  assert.match(beyond.stderr, /there is no block 5000: the grid has blocks 1 to 1024/);
});

test('inspect: what is no data file is refused with a reason', async () => {
  const cases: [string[], RegExp][] = [
    [[join(DIRECTORY, 'absent')], /Cannot inspect ".*absent": ENOENT.*; check the path/],
    [[DIRECTORY], /Cannot inspect .*: it is no regular file/],
    [['package.json'], /no superblock in its first 256 KiB/],
    [[], /missing required argument 'file'/],
  ];
  for (const [args, words] of cases) {
    const outcome = await runProgram('kmb', ['inspect', ...args]);
    assert.equal(outcome.status, 2, outcome.stdout);
    assert.match(outcome.stderr, words);
    assert.equal(outcome.stdout, '');
  }
});
