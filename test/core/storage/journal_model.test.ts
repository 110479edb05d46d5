/**
 * The journal against a model: random appends, view changes, completions in any order, and power
 * losses that lose or tear whatever no sync has covered.
 *
 * What must hold after every restart: an op that was reported written is there, clean; or, where
 * the disk left garbage in a sector, its slot says that something is lost. Never is it simply
 * absent, for then this replica would help to discard it. And where every sector is left old or
 * new, a log that only grew has a certain head: else each power loss would cost a view change.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkpointAfter, checkpointBefore, HEADER_SIZE } from '../../../core/constants.ts';
import { opOf, viewOf } from '../../../core/message/header.ts';
import { copyWords, regionOf, type Region } from '../../../core/message/region.ts';
import { Prng } from '../../../core/prng.ts';
import { allProbes } from '../../../core/probe.ts';
import { fc } from '../../fixed_seed.ts';
import { JournalRig, type RigOptions } from '../../support/journal_rig.ts';
import { type SectorFate } from '../../support/memory_storage.ts';

type Step =
  | { readonly kind: 'append'; readonly count: number; readonly bodySize: number }
  | { readonly kind: 'complete'; readonly count: number; readonly seed: number }
  | { readonly kind: 'drain' }
  | { readonly kind: 'read'; readonly back: number }
  | { readonly kind: 'crash'; readonly seed: number }
  | { readonly kind: 'viewChange'; readonly discard: number };

const append = fc.record({
  kind: fc.constant('append' as const),
  count: fc.integer({ min: 1, max: 8 }),
  bodySize: fc.constantFrom(0, 41, 3840, 5000),
});
const complete = fc.record({
  kind: fc.constant('complete' as const),
  count: fc.integer({ min: 1, max: 12 }),
  seed: fc.nat(999),
});
const drain = fc.record({ kind: fc.constant('drain' as const) });
const read = fc.record({ kind: fc.constant('read' as const), back: fc.nat(30) });
const crash = fc.record({ kind: fc.constant('crash' as const), seed: fc.nat(999_999) });
const viewChange = fc.record({ kind: fc.constant('viewChange' as const), discard: fc.nat(6) });
const step = fc.oneof(
  { weight: 6, arbitrary: append },
  { weight: 6, arbitrary: complete },
  { weight: 1, arbitrary: drain },
  { weight: 2, arbitrary: read },
  { weight: 2, arbitrary: crash },
);
const stepOrViewChange = fc.oneof(
  { weight: 8, arbitrary: step },
  { weight: 1, arbitrary: viewChange },
);

class Model {
  readonly rig: JournalRig;
  readonly fates: readonly SectorFate[];
  /** The log wanted: op -> header. */
  readonly log = new Map<number, Region>();
  /** Ops of `log` that were reported written. */
  readonly acked = new Set<number>();
  readonly bodySizes = new Map<string, number>();
  head = 0;
  view = 0;
  rewritten = false;
  crashes = 0;
  reportsRead = 0;

  constructor(fates: readonly SectorFate[], options: RigOptions = {}) {
    this.fates = fates;
    this.rig = new JournalRig(options).open();
    this.log.set(0, regionOf(this.rig.viewHeaders.bytes.slice(0, HEADER_SIZE)));
  }

  run(steps: readonly Step[]): void {
    for (const s of steps) {
      if (s.kind === 'append') this.append(s.count, s.bodySize);
      else if (s.kind === 'complete') this.complete(s.count, s.seed);
      else if (s.kind === 'drain') this.rig.storage.run();
      else if (s.kind === 'read') this.read(this.head - s.back);
      else if (s.kind === 'viewChange') this.changeView(s.discard);
      else this.crash(s.seed);
      this.collect();
    }
    this.crash(1);
  }

  private append(count: number, bodySize: number): void {
    for (let i = 0; i < count; i++) {
      this.advanceCheckpoint();
      // At most a pipeline ahead of what is durable.
      const missing = this.firstMissing();
      if (missing !== -1 && this.head - missing >= this.rig.config.pipelineMax) return;
      if (this.head + 1 > this.rig.prepareMax) return;
      this.head++;
      this.bodySizes.set(`${this.head}:${this.view}`, bodySize);
      this.log.set(this.head, this.rig.append(this.head, this.view, bodySize));
    }
  }

  private complete(count: number, seed: number): void {
    const rng = new Prng([seed, 5, 6, 7]);
    const { storage } = this.rig;
    for (let i = 0; i < count && storage.pending.length > 0; i++) {
      storage.complete(rng.below(storage.pending.length));
    }
  }

  private read(op: number): void {
    const header = this.log.get(op);
    if (header === undefined || !this.rig.journal.hasPrepareOnDisk(op, header, 0)) return;
    if (this.rig.journal.readPrepare(op, header, 0, op)) this.reportsRead++;
  }

  /** What is not acked above is discarded; the head's successors come in the next view. */
  private changeView(discard: number): void {
    const lowest = Math.max(this.rig.checkpointOp, this.highestAcked());
    const head = Math.max(lowest, this.head - discard);
    for (let op = head + 1; op <= this.head; op++) this.log.delete(op);
    if (head < this.head) this.rewritten = true;
    this.head = head;
    this.rig.journal.removeAbove(head);
    this.view++;
    this.rig.logView = this.view;
    this.rig.viewHeaders = regionOf(new Uint8Array(3 * HEADER_SIZE));
    this.rig.viewHeadersCount = 0;
    for (let op = head; op > head - 3 && op >= 0; op--) {
      const header = this.headerOf(op);
      if (header === null) break;
      copyWords(header, 0, this.rig.viewHeaders, this.rig.viewHeadersCount++ * HEADER_SIZE, HEADER_SIZE);
    }
  }

  private headerOf(op: number): Region | null {
    const known = this.log.get(op);
    if (known !== undefined) return known;
    const { journal } = this.rig;
    const at = journal.headerAt(op);
    if (at === -1) return null;
    return regionOf(journal.headers.bytes.slice(at, at + HEADER_SIZE));
  }

  private highestAcked(): number {
    let highest = 0;
    for (const op of this.acked) highest = Math.max(highest, op);
    return highest;
  }

  private firstMissing(): number {
    for (let op = this.rig.checkpointOp + 1; op <= this.head; op++) {
      if (!this.acked.has(op)) return op;
    }
    return -1;
  }

  private advanceCheckpoint(): void {
    const next = checkpointAfter(this.rig.config, this.rig.checkpointOp);
    // The checkpoint is cut once its ops are committed, and only then may their slots be reused.
    const missing = this.firstMissing();
    if (next <= this.head && (missing === -1 || missing > next)) {
      this.rig.checkpointOp = next;
      const keep = checkpointBefore(this.rig.config, next);
      for (const op of this.acked) if (op <= keep) this.acked.delete(op);
    }
  }

  private collect(): void {
    for (const name of this.rig.events.written.splice(0)) {
      const [op, view] = name.split(':').map(Number) as [number, number];
      const header = this.log.get(op);
      if (header !== undefined && viewOf(header) === view) {
        assert.ok(this.rig.journal.hasClean(op), `reported, not clean: ${name}`);
        assert.ok(this.rig.journal.hasPrepareOnDisk(op, header, 0), name);
        this.acked.add(op);
      }
    }
    for (const line of this.rig.events.read.splice(0)) {
      this.reportsRead--;
      const [token, name] = line.split(' ') as [string, string];
      assert.equal(name.split(':')[0], token, 'a read without damage finds its prepare');
    }
  }

  private crash(seed: number): void {
    this.collect();
    this.crashes++;
    this.reportsRead = 0;
    this.rig.storage.crash(new Prng([seed, 11, 12, 13]), this.fates);
    this.rig.open();
    this.check();
    this.resume();
  }

  private check(): void {
    const { journal, checkpointOp } = this.rig;
    const garbage = this.fates.includes('garbage');
    const head = Math.max(journal.opMaxRecovered, checkpointOp);
    for (const op of this.acked) {
      // Below, a newer lap may be on its way over it.
      if (op <= checkpointOp) continue;
      const header = this.log.get(op) as Region;
      if (journal.hasClean(op)) {
        assert.ok(this.rig.holds(header), `op ${op}: another entry`);
        assert.ok(journal.hasPrepareOnDisk(op, header, 0), `op ${op}: no prepare`);
      } else {
        assert.ok(garbage && journal.isFaulty(op), `op ${op} is forgotten: ${this.rig.slot(op)}`);
        assert.ok(journal.hasPrepareOnDisk(op, header, 0), `op ${op}: its prepare was durable`);
      }
    }
    for (let op = checkpointOp + 1; op <= head; op++) {
      // What is recovered was once wanted at that op, with exactly that content.
      const at = journal.headerAt(op);
      if (at !== -1) assert.ok(this.bodySizes.has(`${op}:${viewOf(journal.headers, at)}`), `op ${op}`);
    }
    // A rewrite of an op may have been in flight, or a discarded op be found above the head: then
    // the head may be in doubt.
    if (garbage || this.rewritten) return;
    if (head === this.rig.prepareMax) return;
    for (let op = head; op <= this.rig.prepareMax; op++) {
      assert.ok(!journal.isFaulty(op), `head ${head} is uncertain: op ${op} ${this.rig.cases()}`);
    }
  }

  /** A view that the durable list allows at this op. */
  private viewFor(op: number): number {
    const { viewHeaders, viewHeadersCount } = this.rig;
    let view = this.view;
    for (let i = 0; i < viewHeadersCount; i++) {
      if (opOf(viewHeaders, i * HEADER_SIZE) >= op) view = viewOf(viewHeaders, i * HEADER_SIZE);
    }
    return view;
  }

  /** Goes on from what was found; peers repair what is missing below the head. */
  private resume(): void {
    const { journal, checkpointOp } = this.rig;
    // The durable list of the last view change may reach further than what is recovered.
    const listed = opOf(this.rig.viewHeaders);
    const recovered = Math.max(journal.opMaxRecovered, this.highestAcked(), checkpointOp);
    const head = Math.max(recovered, listed);
    if (listed > recovered) {
      this.log.set(listed, regionOf(this.rig.viewHeaders.bytes.slice(0, HEADER_SIZE)));
    }
    for (const op of this.log.keys()) if (op > head) this.log.delete(op);
    this.head = head;
    journal.removeUnneeded(checkpointOp + 1, head);
    for (let op = checkpointOp + 1; op <= head; op++) {
      const at = journal.headerAt(op);
      const wanted = this.log.get(op);
      if (at !== -1 && (wanted === undefined || !this.rig.holds(wanted))) {
        // A discarded version came back, as it may before a view change settles the op.
        this.log.set(op, regionOf(journal.headers.bytes.slice(at, at + HEADER_SIZE)));
        this.acked.delete(op);
      }
      const header = this.log.get(op);
      if (header === undefined) {
        const view = this.viewFor(op);
        this.bodySizes.set(`${op}:${view}`, 41);
        this.log.set(op, this.rig.append(op, view, 41));
      } else if (!journal.hasClean(op)) {
        this.acked.delete(op);
        const view = viewOf(header);
        this.rig.append(op, view, this.bodySizes.get(`${opOf(header)}:${view}`) ?? 41);
      } else {
        this.acked.add(op);
      }
    }
    this.rig.storage.run();
    this.collect();
    assert.equal(journal.dirtyCount, 0);
  }
}

function hitsOf(name: string): number {
  return allProbes().find((probe) => probe.name === name)?.hits ?? -1;
}

test('journal model: sectors end old or new; the log only grows', () => {
  const before = hitsOf('journal: torn prepare dropped');
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), (steps) => {
      new Model(['old', 'new']).run(steps);
    }),
    { numRuns: 120 },
  );
  assert.ok(hitsOf('journal: torn prepare dropped') > before, 'no write was ever torn');
});

test('journal model: alone', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 40 }), (steps) => {
      new Model(['old', 'new'], { replicaCount: 1 }).run(steps);
    }),
    { numRuns: 60 },
  );
});

test('journal model: view changes discard and rewrite', () => {
  fc.assert(
    fc.property(fc.array(stepOrViewChange, { minLength: 5, maxLength: 60 }), (steps) => {
      new Model(['old', 'new']).run(steps);
    }),
    { numRuns: 120 },
  );
});

test('journal model: sectors may end as garbage', () => {
  fc.assert(
    fc.property(fc.array(stepOrViewChange, { minLength: 5, maxLength: 60 }), (steps) => {
      new Model(['old', 'new', 'garbage']).run(steps);
    }),
    { numRuns: 120 },
  );
});
