import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect } from '../../adapters/client.ts';
import { OperatingError, type OperatingErrorCode } from '../../adapters/errors.ts';
import { formatFile } from '../../adapters/format_file.ts';
import { parseCluster } from '../../adapters/handshake.ts';
import { startServer } from '../../adapters/server.ts';
import { CONFIG_SMALL } from '../../core/constants.ts';
import { type Region } from '../../core/message/region.ts';
import { zonesOf } from '../../core/storage/data_file.ts';
import { readSuperblockConfig, SUPERBLOCK_SCAN_SIZE } from '../../core/storage/superblock_layout.ts';
import { LocalCluster } from '../support/local_cluster.ts';

const cluster = parseCluster('7') as Region;
const fails = (code: OperatingErrorCode, message: RegExp) => (error: unknown): boolean => {
  assert.ok(error instanceof OperatingError, String(error));
  assert.equal(error.code, code);
  assert.equal(error.exitStatus, 2);
  assert.match(error.message, message);
  return true;
};

test('format: the whole file, exclusively, and it says what it is', async () => {
  const local = await LocalCluster.format(3);
  try {
    const path = local.paths[1] as string;
    assert.equal(statSync(path).size, zonesOf(CONFIG_SMALL).end);
    assert.ok(statSync(path).blocks * 512 >= zonesOf(CONFIG_SMALL).end, 'allocated, not sparse');
    const result = readSuperblockConfig(readFileSync(path).subarray(0, SUPERBLOCK_SCAN_SIZE));
    assert.ok(result.kind === 'config');
    assert.equal(result.identity.replicaIndex, 1);
    assert.equal(result.identity.replicaCount, 3);
    assert.equal(result.identity.verified, true);
    assert.deepEqual(result.identity.config, CONFIG_SMALL);

    const options = { path, config: CONFIG_SMALL, cluster, replicaIndex: 0, replicaCount: 3 };
    assert.throws(() => formatFile(options), fails('data-file-exists', /1\.kmb.*exists already; /));
    const other = join(local.directory, 'other.kmb');
    assert.throws(
      () => formatFile({ ...options, path: other, replicaIndex: 3 }),
      fails('usage', /replicas are numbered 0 to 2/),
    );
    assert.throws(() => formatFile({ ...options, path: other, replicaCount: 7 }), fails('usage', /1 to 6/));
    assert.throws(
      () => formatFile({ ...options, path: join(local.directory, 'no/such/dir.kmb') }),
      fails('data-file-missing', /no such file or directory/),
    );
    assert.equal(existsSync(other), false);
  } finally {
    await local.close();
  }
});

test('format: a full disk is told, and leaves nothing behind', async () => {
  const local = await LocalCluster.format(1);
  try {
    // A limit on the size of files stands in for a disk that fills up half way.
    const module = JSON.stringify(new URL('../../adapters/format_file.ts', import.meta.url).href);
    const constants = JSON.stringify(new URL('../../core/constants.ts', import.meta.url).href);
    const region = JSON.stringify(new URL('../../core/message/region.ts', import.meta.url).href);
    const path = join(local.directory, 'full.kmb');
    const code = `
      const { formatFile } = await import(${module});
      const { CONFIG_SMALL } = await import(${constants});
      const { regionOf } = await import(${region});
      process.on('SIGXFSZ', () => {});
      try {
        const cluster = regionOf(new Uint8Array(16).fill(1));
        formatFile({
          path: ${JSON.stringify(path)}, config: CONFIG_SMALL, cluster, replicaIndex: 0, replicaCount: 1,
        });
      } catch (error) {
        console.log(error.code, error.message);
        process.exitCode = error.exitStatus;
      }
    `;
    const run = spawnSync(
      'bash',
      ['-c', `ulimit -f 1024; exec "$0" --input-type=module -e "$1"`, process.execPath, code],
      { encoding: 'utf8' },
    );
    assert.equal(run.status, 2, run.stderr);
    assert.match(
      run.stdout,
      /disk-full Cannot format ".*full\.kmb": no space left on the device; free space/,
    );
    assert.deepEqual(readdirSync(local.directory), ['0.kmb']);
  } finally {
    await local.close();
  }
});

test('a server refuses what cannot work, and says what to do', async () => {
  const local = await LocalCluster.format(3);
  const path = local.paths[0] as string;
  try {
    await assert.rejects(
      startServer({ path, addresses: '3001,3002' }),
      fails('addresses-count', /2 addresses for a cluster of 3 replicas; .*--addresses/),
    );
    await assert.rejects(
      startServer({ path, addresses: '3001,3002,x' }),
      fails('address-invalid', /address "x": not host:port/),
    );
    await assert.rejects(
      startServer({ path, addresses: '3001,3002,3001' }),
      fails('address-invalid', /given twice/),
    );
    await assert.rejects(
      startServer({ path: `${path}.no`, addresses: '1,2,3' }),
      fails('data-file-missing', /no such file/),
    );

    const garbage = join(local.directory, 'garbage');
    writeFileSync(garbage, Buffer.alloc(1 << 20, 'no database '));
    await assert.rejects(
      startServer({ path: garbage, addresses: '1,2,3' }),
      fails('not-formatted', /no data file.*kmb format/),
    );

    await local.start(0);
    await assert.rejects(
      startServer({ path, addresses: local.addresses }),
      fails('data-file-locked', new RegExp(`in use by process ${process.pid}; `)),
    );
    // Another replica whose address list is in the wrong order meets the port of the first.
    const [a, b, c] = local.addresses.split(',');
    await assert.rejects(
      startServer({ path: local.paths[1] as string, addresses: [b, a, c] as string[] }),
      fails('address-in-use', /the port is in use; /),
    );
    await local.stop(0);

    truncateSync(path, zonesOf(CONFIG_SMALL).end - 4096);
    await assert.rejects(
      startServer({ path, addresses: local.addresses }),
      fails('data-file-truncated', /has \d+ bytes, expected \d+/),
    );
    const fd = openSync(path, 'r+');
    for (let at = 0; at < zonesOf(CONFIG_SMALL).journalHeaders; at += 4096)
      writeSync(fd, Buffer.alloc(64, 1), 0, 64, at + 64);
    closeSync(fd);
    await assert.rejects(
      startServer({ path, addresses: local.addresses }),
      fails('data-file-unreadable', /none of its superblocks is whole.*replace/),
    );
    assert.deepEqual(readdirSync(local.directory).filter((name) => name.endsWith('.lock')), []);
  } finally {
    await local.close();
  }
});

test('processes: SIGTERM ends with 0, a lost superblock with 74 and advice', async () => {
  const local = await LocalCluster.format(1);
  const path = local.paths[0] as string;
  try {
    const child = await local.spawn(0);
    const db = await connect({ addresses: local.addresses });
    await db.createTenant(1, 'acme');
    await db.close();
    child.kill('SIGTERM');
    assert.deepEqual(await once(child, 'exit'), [0, null]);
    assert.ok(local.log.includes('R0 stopped'));

    // Three of four copies damaged: one alone proves nothing about the newest.
    const { superblockCopySize } = zonesOf(CONFIG_SMALL);
    const fd = openSync(path, 'r+');
    for (const copy of [0, 1, 3])
      writeSync(fd, Buffer.alloc(512, 1), 0, 512, copy * superblockCopySize + 300);
    closeSync(fd);
    const broken = await local.spawn(0);
    assert.deepEqual(await once(broken, 'exit'), [74, null]);
    assert.match(local.log.join('\n'), /superblock.*replace this file from a healthy replica/);
  } finally {
    await local.close();
  }
});
