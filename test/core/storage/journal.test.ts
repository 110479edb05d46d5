/** The journal's write order, its bookkeeping, and its recovery from real damaged files. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { AssertionFailure, ReplicaFatal } from '../../../core/assert.ts';
import { armCanary, CANARY, canaryReached } from '../../../core/canary.ts';
import { headerValid, sealHeader } from '../../../core/checksum.ts';
import { HEADER_SIZE } from '../../../core/constants.ts';
import { AT, opOf } from '../../../core/message/header.ts';
import { regionOf } from '../../../core/message/region.ts';
import { SECTOR_SIZE, STORAGE_RESULT } from '../../../core/ports.ts';
import { Prng } from '../../../core/prng.ts';
import { JOURNAL_READS_MAX, journalWritesMax } from '../../../core/storage/journal.ts';
import { JOURNAL_CONFIG, JournalRig } from '../../support/journal_rig.ts';

afterEach(() => armCanary(CANARY.none));

function pendingKinds(rig: JournalRig): string {
  const { journalPrepares } = rig.zones;
  return rig.storage.pending
    .map(({ kind, offset }) => {
      if (kind === 'sync') return kind;
      return `${kind} ${offset < journalPrepares ? 'header' : 'prepare'}`;
    })
    .join(', ');
}

function fatalCode(run: () => void): string {
  try {
    run();
  } catch (error) {
    if (error instanceof ReplicaFatal) return error.code;
    throw error;
  }
  return 'none';
}

test('journal: a formatted file recovers to the root alone', () => {
  const rig = new JournalRig().open();
  assert.equal(rig.cases(), 'L31 P1');
  assert.equal(rig.journal.opMaxRecovered, 0);
  assert.equal(rig.slot(0), '0:0');
  assert.equal(rig.journal.dirtyCount, 0);
  assert.equal(rig.storage.writes, 0);
});

test('journal: prepare, sync, header, sync, then it is written', () => {
  const rig = new JournalRig().open();
  const header = rig.append(1);
  assert.equal(rig.slot(1), '1:0 d');
  assert.ok(rig.journal.isWriting(1, header, 0));
  for (const expected of ['write prepare', 'sync', 'write header', 'sync']) {
    assert.equal(pendingKinds(rig), expected);
    assert.deepEqual(rig.events.written, []);
    assert.equal(rig.journal.hasClean(1), false);
    rig.storage.step();
  }
  assert.deepEqual(rig.events.written, ['1:0']);
  assert.equal(rig.slot(1), '1:0');
  assert.ok(rig.journal.hasExact(1, header, 0));
  assert.ok(rig.journal.hasPrepareOnDisk(1, header, 0));
  assert.equal(rig.pool.freeCount, 64);
  assert.equal(rig.open().cases(), 'L30 P2');
  assert.equal(rig.journal.opMaxRecovered, 1);
});

test('journal: the header on disk never runs ahead of its prepare', () => {
  const rig = new JournalRig().open();
  rig.append(1);
  rig.storage.step(); // The prepare of op 1.
  rig.append(2);
  rig.storage.complete(0); // A sync that covers op 1 only.
  assert.equal(pendingKinds(rig), 'write prepare, write header');
  const written = regionOf(rig.storage.pending[1]?.submitted.slice() ?? new Uint8Array(0));
  assert.equal(opOf(written, HEADER_SIZE), 1);
  assert.equal(written.fields.getUint8(HEADER_SIZE + AT.operation), 6);
  // Op 2 is accepted in memory; on disk its slot is still reserved.
  assert.equal(written.fields.getUint8(2 * HEADER_SIZE + AT.operation), 0);
});

test('journal: one sync covers all that was written before it, and nothing that was not', () => {
  const rig = new JournalRig().open();
  rig.append(1);
  rig.storage.step();
  for (let op = 2; op <= 5; op++) rig.append(op);
  assert.equal(pendingKinds(rig), 'sync, write prepare, write prepare, write prepare, write prepare');
  // Ops 2 and 3 complete while the sync of op 1 runs: it does not cover them.
  rig.storage.complete(1);
  rig.storage.complete(1);
  rig.storage.complete(0);
  assert.deepEqual(rig.events.written, []);
  // The next sync waits for what was started with op 2, and for the header; not for op 6.
  assert.equal(pendingKinds(rig), 'write prepare, write prepare, write header');
  rig.append(6);
  rig.storage.complete(0);
  rig.storage.complete(1);
  assert.equal(pendingKinds(rig), 'write prepare, write prepare');
  rig.storage.complete(0);
  assert.equal(pendingKinds(rig), 'write prepare, sync');
  rig.storage.complete(1);
  assert.deepEqual(rig.events.written, ['1:0']);
  rig.storage.run();
  assert.deepEqual(rig.events.written, ['1:0', '2:0', '3:0', '4:0', '5:0', '6:0']);
  assert.ok(rig.storage.syncs <= 4, String(rig.storage.syncs));

  const batch = new JournalRig().open();
  for (let op = 1; op <= 8; op++) batch.append(op);
  batch.storage.run();
  assert.equal(batch.events.written.length, 8);
  assert.equal(batch.storage.syncs, 2, `${batch.storage.syncs} syncs for 8 prepares`);
});

test('journal: writes queue in order when all are used, and all complete', () => {
  const rig = new JournalRig().open();
  assert.equal(rig.journal.writesAvailable(), journalWritesMax(JOURNAL_CONFIG, 3));
  for (let op = 1; op <= 20; op++) rig.append(op);
  assert.equal(rig.journal.writesAvailable(), 0);
  assert.equal(rig.storage.pending.length, 8);
  rig.storage.run();
  const ops = rig.events.written.map((name) => Number(name.split(':')[0]));
  assert.deepEqual(ops.toSorted((a, b) => a - b), Array.from({ length: 20 }, (_, i) => i + 1));
  assert.equal(rig.pool.freeCount, 64);
  assert.equal(rig.journal.dirtyCount, 0);
});

test('journal: never all header sectors at once, one write a sector', () => {
  for (const [journalSlots, busyMax] of [[32, 1], [64, 3], [128, 7]] as const) {
    const config = { ...JOURNAL_CONFIG, journalSlots, checkpointInterval: journalSlots - 16 };
    const rig = new JournalRig({ config }).open();
    const { written, durable, pending } = rig.storage;
    const headersStart = rig.zones.journalHeaders;
    let busiest = 0;
    // One prepare a sector, then the next: all sectors are wanted at once.
    const ops = Array.from({ length: journalSlots - 1 }, (_, i) => i + 1);
    ops.sort((a, b) => (a % 16) - (b % 16) || a - b);
    const rng = new Prng([journalSlots, 1, 1, 1]);
    let appended = 0;
    while (appended < ops.length || pending.length > 0) {
      while (appended < ops.length && rig.pool.freeCount > 20) rig.append(ops[appended++] ?? 0);
      // Busy: being written, or written and not yet covered by a sync.
      const headers = pending.filter(
        (p) => p.kind === 'write' && p.offset < rig.zones.journalPrepares,
      );
      const busy = new Set(headers.map((p) => p.offset));
      assert.equal(busy.size, headers.length);
      for (let at = headersStart; at < rig.zones.journalPrepares; at += SECTOR_SIZE) {
        const now = written.subarray(at, at + SECTOR_SIZE);
        if (!now.every((byte, i) => byte === durable[at + i])) busy.add(at);
      }
      assert.ok(busy.size <= busyMax, `${busy.size} of ${journalSlots / 16} sectors`);
      busiest = Math.max(busiest, busy.size);
      rig.storage.complete(rng.below(pending.length));
    }
    assert.equal(rig.events.written.length, ops.length);
    assert.ok(busiest >= Math.min(2, busyMax), String(busiest));
  }
});

test('journal: a header changed while its prepare is written promises nothing', () => {
  const rig = new JournalRig().open();
  const old = rig.append(1);
  rig.storage.step();
  const header = rig.append(1, 1); // A new view has another prepare at op 1.
  assert.ok(rig.journal.isWriting(1, old, 0));
  assert.ok(rig.journal.isWriting(1, header, 0));
  rig.storage.run();
  assert.deepEqual(rig.events.superseded, ['1:0']);
  assert.deepEqual(rig.events.written, ['1:1']);
  assert.equal(rig.slot(1), '1:1');
});

test('journal: a header changed while its sector is written promises nothing', () => {
  const rig = new JournalRig().open();
  rig.append(1);
  for (let i = 0; i < 3; i++) rig.storage.step();
  assert.equal(pendingKinds(rig), 'sync');
  rig.append(1, 1);
  rig.storage.step();
  assert.deepEqual(rig.events.superseded, ['1:0']);
  rig.storage.run();
  assert.deepEqual(rig.events.written, ['1:1']);
  rig.logView = 1;
  assert.equal(rig.open().cases(), 'L30 P2');
  assert.equal(rig.slot(1), '1:1');
});

test('journal: changed there and back, the first write cannot vouch for the second header', () => {
  const rig = new JournalRig().open();
  rig.append(1);
  for (let i = 0; i < 3; i++) rig.storage.step();
  const other = rig.prepare(1, 1);
  rig.journal.setHeaderDirty(other, 0);
  const first = rig.prepare(1, 0);
  rig.journal.setHeaderDirty(first, 0);
  rig.storage.run();
  // Its sector may have been written again meanwhile, without it.
  assert.deepEqual(rig.events.superseded, ['1:0']);
  assert.equal(rig.slot(1), '1:0 d');
  assert.ok(rig.journal.hasPrepareOnDisk(1, first, 0));
  rig.journal.writePrepare(first);
  rig.storage.run();
  assert.deepEqual(rig.events.written, ['1:0']);
  other.unref();
  first.unref();
});

test('journal: a queued write is replaced by a newer one, or dropped when no longer wanted', () => {
  const rig = new JournalRig().open();
  for (let op = 1; op <= 8; op++) rig.append(op);
  rig.append(9);
  rig.append(9, 1);
  rig.append(10);
  rig.journal.removeAbove(9);
  rig.storage.run();
  assert.deepEqual(rig.events.superseded, ['10:0']);
  assert.equal(rig.slot(9), '9:1');
  assert.equal(rig.slot(10), '-');
  assert.equal(rig.pool.freeCount, 64);
});

test('journal: a removed entry leaves its bytes, which can be read and wanted again', () => {
  const rig = new JournalRig().open();
  rig.appendAll(1, 3);
  const header = rig.append(4);
  rig.storage.run();
  rig.journal.removeEntry(4);
  assert.equal(rig.slot(4), '-');
  assert.equal(rig.journal.headerAt(4), -1);
  assert.ok(rig.journal.hasPrepareOnDisk(4, header, 0));
  assert.ok(rig.journal.readPrepare(4, header, 0, 77));
  rig.storage.run();
  assert.deepEqual(rig.events.read, ['77 4:0']);
  assert.equal(rig.pool.freeCount, 64);
});

test('journal: removeAbove truncates, removeUnneeded clears what no op needs', () => {
  const rig = new JournalRig().open();
  rig.appendAll(1, 6);
  rig.journal.removeAbove(4);
  assert.deepEqual([3, 4, 5, 6].map((op) => rig.slot(op)), ['3:0', '4:0', '-', '-']);
  assert.equal(rig.journal.dirtyCount, 0);

  for (const op of [2, 4, 20]) rig.damage('prepare', op);
  rig.damage('header', 20);
  rig.open();
  assert.deepEqual([2, 4, 20].map((op) => rig.slot(op)), ['- df', '- df', '- df']);
  assert.equal(rig.journal.faultyCount, 3);
  rig.journal.removeUnneeded(3, 10);
  assert.deepEqual([2, 4, 20].map((op) => rig.slot(op)), ['-', '- df', '-']);
  assert.equal(rig.journal.faultyCount, 1);
  assert.equal(rig.journal.dirtyCount, 1);
});

test('journal: an older lap never replaces a newer one', () => {
  const rig = new JournalRig().open();
  rig.appendAll(1, 40);
  const old = rig.prepare(8);
  assert.throws(() => rig.journal.setHeaderDirty(old, 0), AssertionFailure);
  old.unref();
  assert.equal(rig.journal.headerAt(8), -1);
  assert.notEqual(rig.journal.headerAt(40), -1);

  // Once the write over it begins, the old prepare is no longer there to be read.
  const gone = rig.prepare(9);
  assert.ok(rig.journal.hasPrepareOnDisk(9, gone, 0));
  rig.append(41);
  assert.ok(!rig.journal.hasPrepareOnDisk(9, gone, 0));
  gone.unref();
});

test('journal: an entry already there stays clean', () => {
  const rig = new JournalRig().open();
  rig.appendAll(1, 2);
  const same = rig.prepare(2);
  rig.journal.setHeaderDirty(same, 0);
  assert.equal(rig.slot(2), '2:0');
  assert.throws(() => rig.journal.writePrepare(same), AssertionFailure);
  same.unref();
});

test('journal: padding is zeroed before the disk sees it', () => {
  const rig = new JournalRig().open();
  rig.append(1, 0, 41);
  const bytes = rig.storage.pending[0]?.submitted as Uint8Array;
  assert.equal(bytes.byteLength, SECTOR_SIZE);
  assert.ok(bytes.subarray(HEADER_SIZE + 41).every((byte) => byte === 0));
});

test('journal: a prepare that cannot be read makes its slot faulty, on disk too', () => {
  const cases: [string, (rig: JournalRig) => void][] = [
    ['header', (rig) => rig.damage('prepare', 2, 3)],
    ['body', (rig) => rig.damage('prepare', 2, HEADER_SIZE + 1)],
    ['padding', (rig) => rig.damage('prepare', 2, 4000)],
    ['unreadable', (rig) => void rig.storage.badSectors.add(rig.prepareOffset(2))],
    ['misdirected', (rig) => rig.plant('prepare', rig.prepare(3), 2)],
    ['stale', (rig) => rig.plant('prepare', rig.prepare(2, 5), 2)],
  ];
  for (const [name, damage] of cases) {
    const rig = new JournalRig().open();
    rig.appendAll(1, 2);
    const header = rig.prepare(2);
    damage(rig);
    assert.ok(rig.journal.readPrepare(2, header, 0, 1));
    rig.storage.run();
    assert.deepEqual(rig.events.read, ['1 null'], name);
    assert.equal(rig.slot(2), '2:0 df', name);
    assert.ok(!rig.journal.hasPrepareOnDisk(2, header, 0), name);
    // A neighbour's write takes the sector along: the slot must not look whole.
    rig.append(3);
    rig.storage.run();
    const sector = regionOf(rig.storage.durable.slice(rig.headerOffset(0), rig.headerOffset(16)));
    assert.ok(!headerValid(rig.config.checksumAlgorithm, sector, 2 * HEADER_SIZE), name);
    assert.ok(headerValid(rig.config.checksumAlgorithm, sector, 3 * HEADER_SIZE), name);
    // Repaired, it is whole again.
    rig.journal.writePrepare(header);
    rig.storage.run();
    assert.equal(rig.slot(2), '2:0', name);
    assert.equal(rig.journal.faultyCount, 0);
    header.unref();
    assert.equal(rig.open().cases(), 'L28 P4', name);
  }
});

test('journal: reads are limited, and a write of the slot waits for them', () => {
  const rig = new JournalRig().open();
  rig.appendAll(1, 10);
  const headers = Array.from({ length: 10 }, (_, i) => rig.prepare(i + 1));
  headers.forEach((header, i) => {
    assert.equal(rig.journal.readsAvailable(), Math.max(0, JOURNAL_READS_MAX - i));
    assert.equal(rig.journal.readPrepare(i + 1, header, 0, i), i < JOURNAL_READS_MAX);
  });
  rig.append(33); // Another lap in the slot of op 1, which is being read. The storage asserts.
  rig.storage.run();
  assert.equal(rig.events.read.length, JOURNAL_READS_MAX);
  assert.equal(rig.slot(33), '33:0');
  const gone = headers[0];
  assert.ok(gone !== undefined);
  assert.throws(() => rig.journal.readPrepare(1, gone, 0, 0), AssertionFailure);
  for (const header of headers) header.unref();
});

test('journal: storage that fails is fatal', () => {
  const rig = new JournalRig().open();
  rig.append(1);
  assert.equal(fatalCode(() => rig.storage.complete(0, STORAGE_RESULT.ioError)), 'storage-write');
  const syncing = new JournalRig().open();
  syncing.append(1);
  syncing.storage.step();
  assert.equal(fatalCode(() => syncing.storage.complete(0, STORAGE_RESULT.ioError)), 'storage-sync');
  const reading = new JournalRig();
  reading.restart();
  assert.equal(fatalCode(() => reading.storage.complete(0, STORAGE_RESULT.ioError)), 'storage-read');
});

test('journal: alone, prepares are written strictly one after another', () => {
  const rig = new JournalRig({ replicaCount: 1 }).open();
  for (let op = 1; op <= 5; op++) rig.append(op);
  let op = 1;
  while (rig.storage.pending.length > 0) {
    assert.equal(rig.storage.pending.length, 1);
    const [pending] = rig.storage.pending;
    if (pending?.kind === 'write' && pending.offset >= rig.zones.journalPrepares) {
      assert.equal(rig.events.written.length, op - 1);
      assert.equal(pending.offset, rig.prepareOffset(op++));
    }
    rig.storage.step();
  }
  assert.equal(rig.events.written.length, 5);
});

// --- Recovery, on real files ---

/** Twenty ops of view 0 on a ring of 32, checkpoint 0. */
function twenty(replicaCount = 3): JournalRig {
  const rig = new JournalRig({ replicaCount }).open();
  rig.appendAll(1, 20);
  return rig;
}

test('recovery: each case of damage, as the table says', () => {
  const rows: [string, (rig: JournalRig) => void, string, string][] = [
    // name, damage, cases, slot of op 20 (or 21) after
    ['A both lost', (r) => (r.damage('header', 20), r.damage('prepare', 20)), 'A1 L11 P20', '- df'],
    ['C prepare lost', (r) => r.damage('prepare', 20), 'C1 L11 P20', '- df'],
    ['F header lost at the top', (r) => r.damage('header', 20), 'F1 L11 P20', '20:0'],
    ['E header lost below the top', (r) => r.damage('header', 19), 'E1 L11 P20', '20:0'],
    ['H op above the window', (r) => r.plant('prepare', r.prepare(52)), 'H1 L11 P20', '-'],
    ['N prepare of an older op', (r) => r.plant('header', r.prepare(52 - 32 + 32)), 'I1 L11 P20', '-'],
    ['O another version', (r) => r.plant('prepare', r.prepare(20, 3)), 'L11 O1 P20', '- df'],
    ['M newer lap, header lost', (r) => {
      r.checkpointOp = 15;
      r.plant('prepare', r.prepare(33));
    }, 'L11 M1 P20', '20:0'],
    ['N older lap, prepare lost', (r) => {
      r.checkpointOp = 15;
      r.plant('header', r.prepare(33));
    }, 'L11 N1 P20', '20:0'],
  ];
  for (const [name, damage, cases, slot] of rows) {
    const rig = twenty();
    damage(rig);
    rig.open();
    assert.equal(rig.cases(), cases, name);
    assert.equal(rig.slot(20), slot, name);
    assert.equal(rig.journal.dirtyCount, rig.journal.faultyCount, name);
  }
  // The empty slot after the head.
  const empty: [string, (rig: JournalRig) => void, string, string][] = [
    ['G header not yet written', (r) => r.plant('prepare', r.prepare(21)), 'G1 L10 P21', '21:0'],
    ['K prepare lost', (r) => r.plant('header', r.prepare(21)), 'K1 L10 P21', '- df'],
    ['J above the window', (r) => r.plant('header', r.prepare(53)), 'J1 L10 P21', '-'],
    ['D header lost', (r) => r.damage('header', 21), 'D1 L10 P21', '- df'],
  ];
  for (const [name, damage, cases, slot] of empty) {
    const rig = twenty();
    damage(rig);
    rig.open();
    assert.equal(rig.cases(), cases, name);
    assert.equal(rig.slot(21), slot, name);
  }
});

test('recovery: what is fixed is written before recovery ends; then nothing is left to fix', () => {
  const rig = twenty();
  rig.damage('header', 20);
  rig.plant('prepare', rig.prepare(21));
  rig.restart();
  rig.storage.run();
  assert.equal(rig.cases(), 'E1 G1 L10 P20', 'with op 21 found, op 20 is not the top');
  assert.equal(rig.slot(20), '- df');
  assert.equal(rig.slot(21), '21:0');
  assert.equal(rig.journal.opMaxRecovered, 21);
  // Op 20 is marked lost on disk as well.
  assert.equal(rig.open().cases(), 'E1 L10 P21');
  assert.equal(rig.storage.writes > 0, true);
  const writes = rig.storage.writes;
  rig.open();
  assert.equal(rig.storage.writes, writes);
});

test('recovery: an unreadable header sector costs its own slots only', () => {
  const rig = twenty();
  rig.storage.badSectors.add(rig.zones.journalHeaders);
  rig.open();
  // Ops 0..15 lose their headers; their prepares are all there.
  assert.equal(rig.cases(), 'E16 L11 P5');
  assert.equal(rig.journal.faultyCount, 16);
  const header = rig.prepare(7);
  assert.ok(rig.journal.hasPrepareOnDisk(7, header, 0));
  header.unref();
});

test('recovery: a body of several sectors is read and checked whole', () => {
  const rig = new JournalRig().open();
  rig.append(1, 0, 6000);
  rig.storage.run();
  assert.equal(rig.open().cases(), 'L30 P2');
  const header = rig.prepare(1, 0, 6000);
  assert.ok(rig.journal.readPrepare(1, header, 0, 5));
  header.unref();
  rig.storage.run();
  assert.deepEqual(rig.events.read, ['5 1:0']);
  for (const at of [5000, 8000]) {
    rig.damage('prepare', 1, at);
    assert.equal(rig.open().cases(), 'C1 L30 P1', 'body, then padding');
    rig.damage('prepare', 1, at);
  }
  rig.storage.badSectors.add(rig.prepareOffset(1) + SECTOR_SIZE);
  assert.equal(rig.open().cases(), 'C1 L30 P1');
});

test('recovery: a torn write of a newer lap is forgotten, unless something else is wrong', () => {
  const build = (): JournalRig => {
    const rig = twenty();
    rig.checkpointOp = 15;
    rig.appendAll(21, 36);
    rig.damage('prepare', 37, 100); // Slot 5 held op 5; op 37 was being written over it.
    return rig;
  };
  const rig = build().open();
  assert.equal(rig.cases(), 'C1 P31');
  assert.equal(rig.slot(37), '-');
  assert.equal(rig.journal.tornCount, 1);
  assert.equal(rig.journal.opMaxRecovered, 36);
  // A later op is recovered: what was lost below it is no longer known to be a torn write.
  rig.append(38);
  rig.storage.run();
  rig.journal.removeEntry(38);
  rig.open();
  assert.equal(rig.journal.tornCount, 0, 'op 37 is now below a recovered head');
  assert.equal(rig.slot(37), '- df');

  const doubtful = build();
  doubtful.damage('header', 39); // May have been an op above the head.
  doubtful.open();
  assert.equal(doubtful.journal.tornCount, 0);
  assert.equal(doubtful.slot(37), '- df');
});

test('recovery: the first lap tears as well', () => {
  for (const replicaCount of [1, 3]) {
    const rig = twenty(replicaCount);
    rig.damage('prepare', 21);
    rig.open();
    assert.equal(rig.cases(), 'B1 L10 P21');
    assert.equal(rig.slot(21), '-');
    assert.equal(rig.journal.tornCount, 1);
  }
});

test('recovery: alone, damage is fatal; with others, only the loss of everything', () => {
  const rig = twenty(1);
  rig.damage('prepare', 10);
  assert.equal(fatalCode(() => rig.open()), 'journal-fatal');
  const fixed = twenty(1);
  fixed.damage('header', 10);
  fixed.damage('header', 25);
  fixed.open();
  assert.equal(fixed.cases(), 'D1 E1 L10 P20');
  assert.equal(fixed.slot(10), '10:0');
  assert.equal(fixed.open().cases(), 'L11 P21');
  const above = twenty(1);
  above.plant('prepare', above.prepare(52));
  assert.equal(fatalCode(() => above.open()), 'journal-impossible');

  const lost = twenty();
  for (let slot = 0; slot < 32; slot++) lost.damage('prepare', slot);
  for (let slot = 0; slot < 32; slot++) lost.damage('header', slot);
  assert.equal(fatalCode(() => lost.open()), 'journal-lost');
});

test('recovery: prepares of a view that was never joined are dropped', () => {
  const rig = new JournalRig().open();
  rig.appendAll(1, 5);
  rig.append(6, 1); // Prepared in view 1, whose superblock write never finished.
  rig.storage.run();
  rig.open();
  assert.equal(rig.cases(), 'L25 P7');
  assert.equal(rig.journal.filteredCount, 1);
  assert.equal(rig.slot(6), '-');
  assert.equal(rig.journal.opMaxRecovered, 5);
  const header = rig.prepare(6, 1);
  assert.ok(rig.journal.hasPrepareOnDisk(6, header, 0));
  header.unref();
});

test('recovery: a slot that lost something unknown stays faulty until it is written', () => {
  const rig = twenty();
  rig.damage('prepare', 20);
  rig.open();
  const wrong = rig.prepare(20, 1);
  const right = rig.prepare(20, 0);
  rig.journal.setHeaderDirty(wrong, 0);
  assert.equal(rig.slot(20), '20:1 df');
  // What was lost may be this one: nobody may take the change as proof that it was not.
  rig.journal.setHeaderDirty(right, 0);
  assert.equal(rig.slot(20), '20:0 df');
  rig.journal.writePrepare(right);
  rig.storage.run();
  assert.equal(rig.slot(20), '20:0');
  wrong.unref();
  right.unref();
});

test('recovery: misdirected prepares are no torn writes', () => {
  const rig = twenty();
  rig.plant('prepare', rig.prepare(3), 21);
  rig.open();
  assert.equal(rig.cases(), 'B1 L10 P21');
  assert.equal(rig.slot(21), '- df');
  assert.equal(rig.journal.tornCount, 0);
});

test('recovery: reserved headers and foreign clusters are told apart', () => {
  const rig = twenty();
  const foreign = rig.prepare(20);
  foreign.bytes.fill(1, AT.cluster, AT.cluster + 16);
  sealHeader(rig.config.checksumAlgorithm, foreign, 0);
  rig.plant('prepare', foreign, 20);
  assert.equal(rig.open().cases(), 'C1 L11 P20');
  // The reserved header of slot 25, in slot 26.
  const other = twenty();
  const reserved = other.storage.durable.slice(other.prepareOffset(25), other.prepareOffset(26));
  other.storage.poke(other.prepareOffset(26), reserved);
  assert.equal(other.open().cases(), 'B1 L10 P21');
});

// --- Canaries ---

test('canary ackBeforeSync: reported when the write completes', () => {
  armCanary(CANARY.ackBeforeSync);
  const rig = new JournalRig().open();
  rig.append(1);
  rig.storage.step();
  assert.deepEqual(rig.events.written, ['1:0']);
  assert.equal(rig.storage.syncs, 0);
  assert.equal(canaryReached(), 1);
  rig.storage.run();
  assert.deepEqual(rig.events.written, ['1:0'], 'and not a second time');
});

test('canary tornWriteAccepted: a broken body passes as clean', () => {
  const rig = twenty();
  rig.damage('prepare', 20, HEADER_SIZE + 3);
  armCanary(CANARY.tornWriteAccepted);
  rig.open();
  assert.equal(rig.cases(), 'L11 P21');
  assert.equal(rig.slot(20), '20:0');
  assert.ok(canaryReached() >= 1);
});
