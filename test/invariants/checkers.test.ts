/**
 * Every checker twice: a clean history that passes it with real comparisons, and at least one
 * planted violation that it reports under its own id.
 */
import { strict as assert } from 'node:assert';
import { describe, it } from 'node:test';
import { seal } from '../../core/checksum.ts';
import { HEADER_SIZE } from '../../core/constants.ts';
import { encodeAppend, REPLY } from '../../core/kernel/commands.ts';
import { RECORD } from '../../core/kernel/events.ts';
import { KERNEL } from '../../core/kernel/operations.ts';
import { AT, COMMAND, opOf, setOp, setRequest, setView } from '../../core/message/header.ts';
import { regionOf, writeU64, type Region } from '../../core/message/region.ts';
import { CHECKPOINT } from '../../core/storage/checkpoint_state.ts';
import { blockOffset, prepareOffset } from '../../core/storage/data_file.ts';
import { CHECKER_IDS } from '../../invariants/registry.ts';
import { bump, FakeCluster, STREAM, TENANT } from './fake_cluster.ts';

const RECORDS = HEADER_SIZE + REPLY.records;

/** One planted violation: how it comes about, told as steps. */
interface Plant {
  readonly checker: string;
  readonly what: string;
  /** Part of the message. */
  readonly says: RegExp;
  readonly plant: (cluster: FakeCluster) => void;
}

/** An append of client 0, up to its commit on the first `nodes` nodes. */
function begin(cluster: FakeCluster, nodes: number): { prepare: Region; reply: Region } {
  cluster.call(0, KERNEL.append, encodeAppend(TENANT, STREAM, cluster.events(0, 2)));
  const prepare = cluster.prepare(0);
  for (let node = 0; node < cluster.replicaCount; node++) cluster.journal(node, prepare);
  let reply = prepare;
  for (let node = 0; node < nodes; node++) {
    const answer = cluster.commit(node, prepare);
    if (node === 0) reply = answer;
  }
  return { prepare, reply };
}

function copyOf(region: Region): Region {
  return regionOf(region.bytes.slice());
}

const PLANTS: readonly Plant[] = [
  {
    checker: 'agreement',
    what: 'another prepare of a later view at a committed op',
    says: /op 5 was committed as a prepare of view 0, but R1 committed another one, of view 3/,
    plant: (c) => {
      const { prepare } = begin(c.setUp(), 1);
      const other = copyOf(prepare);
      setView(other, 3);
      seal(c.config.checksumAlgorithm, other);
      c.commit(1, other);
    },
  },
  {
    checker: 'agreement',
    what: 'other body bytes under the agreed header',
    says: /R1 committed op 5 under the agreed checksum, but its body has other bytes/,
    plant: (c) => {
      const { prepare } = begin(c.setUp(), 1);
      const other = copyOf(prepare);
      other.bytes[HEADER_SIZE + 60] = 0x55;
      c.suite.committed(1, 5, other, null);
    },
  },
  {
    checker: 'prefix',
    what: 'a replica skips an op',
    says: /R2 executed op 6 right after op 4/,
    plant: (c) => {
      begin(c.setUp(), 2);
      const { prepare } = begin(c, 2);
      c.suite.committed(2, 6, prepare, null);
    },
  },
  {
    checker: 'prefix',
    what: 'an op that nobody reached',
    says: /R0 executed op 6, but nobody has executed op 5/,
    plant: (c) => {
      c.setUp().call(0, KERNEL.append, encodeAppend(TENANT, STREAM, c.events(0, 1)));
      c.prepare(0);
      c.suite.committed(0, 6, c.prepare(0), null);
    },
  },
  {
    checker: 'prefix',
    what: 'a restart that executes below its checkpoint',
    says: /executed op 12 again, at or below its checkpoint 15/,
    plant: (c) => {
      c.work().suite.stopped(1);
      c.suite.started(1);
      const prepare = c.message(COMMAND.prepare, 12, 0, KERNEL.append, new Uint8Array(64));
      c.suite.committed(1, 12, prepare, null);
    },
  },
  {
    checker: 'commit_monotonicity',
    what: 'an op executed again in one process',
    says: /R0 executed op 5 after op 5/,
    plant: (c) => {
      const { prepare, reply } = begin(c.setUp(), 1);
      c.suite.committed(0, 5, prepare, reply);
    },
  },
  {
    checker: 'commit_monotonicity',
    what: 'a checkpoint that goes back',
    says: /R2 has checkpoint 0 after checkpoint 15/,
    plant: (c) => c.work().suite.checkpointed(2, 0),
  },
  {
    checker: 'view_monotonicity',
    what: 'a view that goes back',
    says: /R1 went from view 4 \(log of 4\) back to view 3/,
    plant: (c) => {
      c.suite.view(1, 4, 4);
      c.suite.view(1, 3, 3);
    },
  },
  {
    checker: 'view_monotonicity',
    what: 'a vote of a view that is not on disk',
    says: /R1 sent a message of view 2 .* while its disk holds view 0/,
    plant: (c) => {
      const vote = c.message(COMMAND.doViewChange, 4, 0, 0, new Uint8Array(0));
      setView(vote, 2);
      c.suite.sent(1, vote);
    },
  },
  {
    checker: 'view_monotonicity',
    what: 'a restart below what was promised',
    says: /R1 is in view 1 .* but it had promised view 2/,
    plant: (c) => {
      c.superblock(1, (state) => {
        state.view = 2;
        state.logView = 2;
      });
      const started = c.message(COMMAND.startView, 4, 0, 0, new Uint8Array(0));
      setView(started, 2);
      c.suite.sent(1, started);
      c.suite.stopped(1);
      c.suite.started(1);
      c.suite.view(1, 1, 1);
    },
  },
  {
    checker: 'prepare_chain',
    what: 'a prepare that names another parent',
    says: /the prepare of op 5 does not name op 4 as its parent/,
    plant: (c) => {
      c.setUp().call(0, KERNEL.append, encodeAppend(TENANT, STREAM, c.events(0, 1)));
      const prepare = c.prepare(0);
      prepare.bytes[AT.parent] = (prepare.bytes[AT.parent] as number) ^ 1;
      c.commit(0, prepare);
    },
  },
  {
    checker: 'prepare_chain',
    what: 'a timestamp that stands still',
    says: /the timestamp of op 5 is not above that of op 4/,
    plant: (c) => {
      c.setUp().call(0, KERNEL.append, encodeAppend(TENANT, STREAM, c.events(0, 1)));
      const prepare = c.prepare(0);
      const before = c.suite.history.headers.bytes.subarray(4 * HEADER_SIZE, 5 * HEADER_SIZE);
      prepare.bytes.set(before.subarray(AT.timestamp, AT.timestamp + 8), AT.timestamp);
      c.commit(0, prepare);
    },
  },
  {
    checker: 'exactly_once',
    what: 'a request that commits at two ops',
    says: /op 6 is request 2 of a session whose request 2 had committed last/,
    plant: (c) => {
      begin(c.setUp(), 1);
      c.commit(0, c.prepare(0));
    },
  },
  {
    checker: 'exactly_once',
    what: 'an event read at two offsets',
    says: /event 0 of client 0 is read at offset 1, but is also at offset 0/,
    plant: (c) => {
      c.setUp().append(0);
      c.read(1, 0, 0, (reply) => {
        const second = RECORDS + 116;
        const first = RECORDS + RECORD.payload;
        reply.bytes.copyWithin(second + RECORD.payload, first, first + 8);
      });
    },
  },
  {
    checker: 'offset_monotonicity',
    what: 'an offset given out twice',
    says: /appended at offset 1 of stream \d+, whose next offset was 2/,
    plant: (c) => {
      c.setUp().append(0);
      c.call(1, KERNEL.append, encodeAppend(TENANT, STREAM, c.events(1, 1)));
      c.commit(0, c.prepare(1), (reply) => writeU64(reply, HEADER_SIZE + REPLY.value, 1));
    },
  },
  {
    checker: 'offset_monotonicity',
    what: 'a gap between the records of a read',
    says: /a read returned offset 2 in the place of 1/,
    plant: (c) => {
      c.setUp().append(0);
      c.read(1, 0, 0, (reply) => bump(reply, RECORDS + 116 + RECORD.offset));
    },
  },
  {
    checker: 'hash_chain',
    what: 'a record that names zero as previous',
    says: /offset 1 of stream \d+, read by client 1, does not name the hash of offset 0/,
    plant: (c) => {
      c.setUp().append(0);
      c.read(1, 0, 0, (reply) => {
        const second = RECORDS + 116;
        reply.bytes.fill(0, second + RECORD.prevHash, second + RECORD.digest);
      });
    },
  },
  {
    checker: 'hash_chain',
    what: 'a changed payload byte',
    says: /offset 0 of stream \d+, read by client 1, has a digest that is not its payload's SHA-256/,
    plant: (c) => {
      c.setUp().append(0);
      c.read(1, 0, 0, (reply) => bump(reply, RECORDS + RECORD.payload));
    },
  },
  {
    checker: 'hash_chain',
    what: 'a record that differs on one disk',
    says: /on the disk of R2, differs from the same record as seen before/,
    plant: (c) => {
      c.work();
      forgeStoredRecord(c, 2);
      c.finish();
    },
  },
  {
    checker: 'stream_model',
    what: 'a command applied twice',
    says: /R0 answered op 5 with ok, count 2, value 2, op 5; the model says ok, count 2, value 0/,
    plant: (c) => {
      c.setUp().call(0, KERNEL.append, encodeAppend(TENANT, STREAM, c.events(0, 2)));
      c.commit(0, c.prepare(0), (reply) => writeU64(reply, HEADER_SIZE + REPLY.value, 2));
    },
  },
  {
    checker: 'stream_model',
    what: 'a read of what has not committed',
    says: /client 1 was told that stream \d+ has 3 events; 2 are committed/,
    plant: (c) => {
      c.setUp().append(0);
      c.read(1, 0, 0, (reply) => bump(reply, HEADER_SIZE + REPLY.nextOffset));
    },
  },
  {
    checker: 'stream_model',
    what: 'a record with another time',
    says: /offset 1 of stream \d+, read by a client, has another time than op 5 gave it/,
    plant: (c) => {
      c.setUp().append(0);
      c.read(1, 0, 0, (reply) => {
        const at = RECORDS + 116 + RECORD.timestamp;
        reply.words[at >> 2] = (reply.words[at >> 2] as number) + 1;
      });
    },
  },
  {
    checker: 'reply_consistency',
    what: 'a backup that computes another reply',
    says: /R1 answered op 5 with 288 bytes that differ from the first reply of 288 bytes/,
    plant: (c) => {
      const { prepare } = begin(c.setUp(), 1);
      c.commit(1, prepare, (reply) => writeU64(reply, HEADER_SIZE + REPLY.value, 9));
    },
  },
  {
    checker: 'reply_consistency',
    what: 'a reply to another request',
    says: /R0 sent a reply of op 5 whose request number is not that of the committed prepare/,
    plant: (c) => {
      const { reply } = begin(c.setUp(), 1);
      setRequest(reply, 77);
      c.send(0, reply);
    },
  },
  {
    checker: 'reply_consistency',
    what: 'a reply before its op has committed',
    says: /R0 sent a reply of op 9, but only 5 ops have committed/,
    plant: (c) => {
      const { reply } = begin(c.setUp(), 1);
      setOp(reply, 9);
      c.send(0, reply);
    },
  },
  {
    checker: 'acked_durability',
    what: 'an acknowledgement before the sync',
    says: /R1 acknowledged op 5, but power loss now would leave another prepare, or none/,
    plant: (c) => {
      c.setUp().call(0, KERNEL.append, encodeAppend(TENANT, STREAM, c.events(0, 1)));
      const prepare = c.prepare(0);
      const at = prepareOffset(c.zones, c.config, opOf(prepare));
      const { storage } = c.disk(1);
      storage.written.set(prepare.bytes, at); // Written, and not synced: durable keeps the old bytes.
      storage.durable.fill(0, at, at + 4096);
      c.ack(1, prepare);
    },
  },
  {
    checker: 'acked_durability',
    what: 'a reply before a quorum is durable',
    says: /R0 answered op 5, which is durable on 1 of 3 disks; 2 are needed/,
    plant: (c) => {
      c.setUp().call(0, KERNEL.append, encodeAppend(TENANT, STREAM, c.events(0, 1)));
      const prepare = c.prepare(0);
      c.journal(0, prepare);
      c.send(0, c.commit(0, prepare));
    },
  },
  {
    checker: 'acked_durability',
    what: 'an answer at an op that holds another request',
    says: /client 1 was answered at op 5, where its request was not committed/,
    plant: (c) => {
      const { reply } = begin(c.setUp(), 3);
      c.call(1, KERNEL.append, encodeAppend(TENANT, STREAM, c.events(1, 3)));
      c.return(1, reply);
    },
  },
  {
    checker: 'acked_durability',
    what: 'an acknowledged op that the disks have lost',
    says: /op 18 was acknowledged; in the end 1 of 3 disks hold it, and 2 must/,
    plant: (c) => {
      c.work();
      for (const node of [1, 2]) {
        c.disk(node).storage.poke(prepareOffset(c.zones, c.config, 18), new Uint8Array(4096));
      }
      c.finish();
    },
  },
  {
    checker: 'replica_convergence',
    what: 'a state that differs at one checkpoint',
    says: /R1 and R0 have different states at checkpoint 15: they first differ in the kernel state/,
    plant: (c) => {
      c.setUp();
      while (c.op < 15) c.append(c.op % 2);
      c.checkpoint(0);
      const kernelRef = CHECKPOINT.trailers + 3 * 80;
      c.checkpoint(1, (state) => {
        state.bytes[kernelRef + 5] = (state.bytes[kernelRef + 5] as number) ^ 1;
      });
    },
  },
  {
    checker: 'replica_convergence',
    what: 'a block that was never written',
    says: /the disk of R2 does not hold log block 0 \(address \d+\) of its checkpoint 15/,
    plant: (c) => {
      c.setUp();
      while (c.op < 15) c.append(c.op % 2);
      const checkpoint = (node: number): void => c.checkpoint(node);
      checkpoint(0);
      checkpoint(1);
      checkpointWithoutBlock(c, 2);
    },
  },
  {
    checker: 'replica_convergence',
    what: 'a reachable block that is overwritten later',
    says: /the disk of R1 does not hold log block 0 \(address \d+\) of its checkpoint 15/,
    plant: (c) => {
      c.work();
      const at = blockOffset(c.zones, c.config, firstLogBlock(c, 1));
      c.disk(1).storage.poke(at + 512, new Uint8Array(64).fill(0xee));
      c.finish();
    },
  },
  {
    checker: 'torn_write_recovery',
    what: 'a torn prepare that recovery believes',
    says: /R1 recovered a prepare in slot 5 of its journal, but on its disk its body is torn/,
    plant: (c) => {
      c.setUp();
      const { prepare } = begin(c, 2);
      const torn = copyOf(prepare);
      torn.bytes.fill(0xab, HEADER_SIZE + 8, HEADER_SIZE + 40);
      c.disk(1).storage.poke(prepareOffset(c.zones, c.config, 5), torn.bytes);
      recover(c, 1, prepare);
    },
  },
  {
    checker: 'torn_write_recovery',
    what: 'a prepare that is not where recovery found it',
    says: /R1 recovered a prepare in slot 5 of its journal, but on its disk another prepare lies there/,
    plant: (c) => {
      c.setUp();
      const { prepare } = begin(c, 2);
      c.disk(1).storage.poke(prepareOffset(c.zones, c.config, 5), new Uint8Array(4096));
      recover(c, 1, prepare);
    },
  },
  {
    checker: 'journal_consistency',
    what: 'a journal with a hole at rest',
    says: /R1, op 17: the prepares zone of the journal does not hold the committed prepare/,
    plant: (c) => {
      c.work();
      c.disk(1).storage.poke(prepareOffset(c.zones, c.config, 17), new Uint8Array(4096));
      c.finish();
    },
  },
  {
    checker: 'journal_consistency',
    what: 'a header that was not written',
    says: /R2, op 18: the headers zone of the journal does not hold the committed header/,
    plant: (c) => {
      c.work();
      c.disk(2).storage.poke(c.zones.journalHeaders + 18 * HEADER_SIZE, new Uint8Array(HEADER_SIZE));
      c.finish();
    },
  },
  {
    checker: 'client_history',
    what: 'a read that misses an acknowledged append',
    says: /saw the stream at length 2, but before it was called the stream had reached length 4/,
    plant: (c) => {
      c.setUp().append(0);
      const stale = c.read(1, 0);
      c.append(0);
      c.call(1, KERNEL.readEvents, (c.clients[1] as { body: Uint8Array }).body);
      c.return(1, stale);
      c.finish();
    },
  },
  {
    checker: 'liveness',
    what: 'a client that nobody answers',
    says: /client 1 has waited \d+ ms for operation 130; faults ended \d+ ms ago/,
    plant: (c) => {
      c.work().suite.healed(0b111);
      c.call(1, KERNEL.append, encodeAppend(TENANT, STREAM, c.events(1, 1)));
      c.tick(30_000_000);
      c.suite.ended();
    },
  },
  {
    checker: 'liveness',
    what: 'a replica that stays behind',
    says: /R2 is in the core but stands at op 20; op 21 has committed/,
    plant: (c) => {
      const { reply } = begin(c.work(), 2);
      c.return(0, reply);
      c.finish();
    },
  },
  {
    checker: 'liveness',
    what: 'a core that does not agree on a view',
    says: /the core does not agree on a view: R0 is in 0 .* R2 in 3/,
    plant: (c) => {
      c.work().suite.view(2, 3, 0);
      c.finish();
    },
  },
  {
    checker: 'no_panic',
    what: 'an assertion that fails',
    says: /R1 stopped: AssertionFailure: commit: gap/,
    plant: (c) => c.suite.panicked(1, 'AssertionFailure', 'commit: gap', true),
  },
  {
    checker: 'no_panic',
    what: 'a replica that gives up on a sound disk',
    says: /R1 stopped: ReplicaFatal: superblock lost/,
    plant: (c) => c.suite.panicked(1, 'ReplicaFatal', 'superblock lost', false),
  },
];

/** The journal of a node as recovery would show it, claiming `prepare` in its slot. */
function recover(cluster: FakeCluster, node: number, prepare: Region): void {
  const slots = cluster.config.journalSlots;
  const slot = opOf(prepare) % slots;
  const journal = {
    headers: regionOf(new Uint8Array(slots * HEADER_SIZE)),
    dirty: new Uint8Array(slots).fill(1),
    faulty: new Uint8Array(slots),
    prepareChecksum: regionOf(new Uint8Array(slots * 32)),
    prepareInhabited: new Uint8Array(slots),
  };
  journal.headers.bytes.set(prepare.bytes.subarray(0, HEADER_SIZE), slot * HEADER_SIZE);
  journal.dirty[slot] = 0;
  journal.prepareChecksum.bytes.set(prepare.bytes.subarray(0, 32), slot * 32);
  journal.prepareInhabited[slot] = 1;
  cluster.suite.stopped(node);
  cluster.suite.started(node);
  cluster.suite.recovered(node, 0, journal);
}

/** Address of the log block on the disk of `node`; there is one after `work`. */
function firstLogBlock(cluster: FakeCluster, node: number): number {
  const { written } = cluster.disk(node).storage;
  for (let address = 1; address <= cluster.config.gridBlocks; address++) {
    const at = blockOffset(cluster.zones, cluster.config, address);
    if (written[at + AT.command] === COMMAND.block && written[at + AT.blockType] === 1) return address;
  }
  throw new Error('no log block on disk');
}

function checkpointWithoutBlock(cluster: FakeCluster, node: number): void {
  const address = firstLogBlock(cluster, 0);
  const { storage } = cluster.disk(node);
  const at = blockOffset(cluster.zones, cluster.config, address);
  const { checkpointed } = cluster.suite;
  cluster.suite.checkpointed = (which, op) => {
    storage.poke(at, new Uint8Array(cluster.config.blockSize));
    checkpointed.call(cluster.suite, which, op);
  };
  cluster.checkpoint(node);
  cluster.suite.checkpointed = checkpointed;
}

/** Changes a byte of a record on disk and seals everything above it anew, as a careful liar would. */
function forgeStoredRecord(cluster: FakeCluster, node: number): void {
  const address = firstLogBlock(cluster, node);
  const { storage } = cluster.disk(node);
  const at = blockOffset(cluster.zones, cluster.config, address);
  const block = regionOf(storage.written.slice(at, at + cluster.config.blockSize));
  const first = HEADER_SIZE + 48;
  bump(block, first + RECORD.payload);
  const old = block.bytes.slice(0, 32);
  seal(cluster.config.checksumAlgorithm, block);
  storage.poke(at, block.bytes);
  resealParents(cluster, node, old, block.bytes.slice(0, 32));
}

/** Replaces a checksum in the manifest's trailer, and that trailer's in the superblock. */
function resealParents(cluster: FakeCluster, node: number, from: Uint8Array, to: Uint8Array): void {
  const { storage } = cluster.disk(node);
  for (let address = 1; address <= cluster.config.gridBlocks; address++) {
    const at = blockOffset(cluster.zones, cluster.config, address);
    const bytes = storage.written.slice(at, at + cluster.config.blockSize);
    if (bytes[AT.command] !== COMMAND.block || bytes[AT.blockType] !== 2) continue;
    const place = Buffer.from(bytes).indexOf(from, HEADER_SIZE);
    if (place < 0) continue;
    const block = regionOf(bytes);
    block.bytes.set(to, place);
    const before = block.bytes.slice(0, 32);
    seal(cluster.config.checksumAlgorithm, block);
    storage.poke(at, block.bytes);
    cluster.superblock(node, (state) => {
      const ref = Buffer.from(state.checkpoint.bytes).indexOf(before);
      assert(ref >= 0);
      state.checkpoint.bytes.set(block.bytes.subarray(0, 32), ref);
    });
  }
}

describe('checkers', () => {
  it('pass a clean history, each with comparisons', () => {
    const cluster = new FakeCluster();
    cluster.work();
    recoverAll(cluster);
    cluster.finish();
    assert.deepEqual(cluster.failures, []);
    const comparisons = cluster.suite.comparisons();
    assert.deepEqual(Object.keys(comparisons), CHECKER_IDS);
    for (const [id, count] of Object.entries(comparisons)) assert(count > 0, `${id} compared nothing`);
  });

  for (const id of CHECKER_IDS) {
    it(`${id} passes a clean history alone`, () => {
      const cluster = new FakeCluster(id);
      cluster.work();
      recoverAll(cluster);
      cluster.finish();
      assert.deepEqual(cluster.failures, []);
      assert((cluster.suite.comparisons()[id] as number) > 0);
    });
  }

  for (const { checker, what, says, plant } of PLANTS) {
    it(`${checker} catches ${what}`, () => {
      const cluster = new FakeCluster(checker);
      plant(cluster);
      const first = cluster.failures[0];
      assert(first !== undefined, 'nothing was reported');
      assert.equal(first.id, checker);
      assert.match(first.message, says);
    });
  }

  it('have a planted violation each', () => {
    const planted = new Set(PLANTS.map((plant) => plant.checker));
    assert.deepEqual(CHECKER_IDS.filter((id) => !planted.has(id)), []);
  });
});

/** A restart of R1 that finds its journal whole. */
function recoverAll(cluster: FakeCluster): void {
  const op = 20;
  const prepare = regionOf(new Uint8Array(4096));
  cluster.disk(1).readTrue(prepareOffset(cluster.zones, cluster.config, op), prepare.bytes);
  recover(cluster, 1, prepare);
  cluster.suite.view(1, 0, 0);
  for (let replayed = 16; replayed <= op; replayed++) {
    cluster.disk(1).readTrue(prepareOffset(cluster.zones, cluster.config, replayed), prepare.bytes);
    cluster.suite.committed(1, replayed, prepare, null);
  }
}
