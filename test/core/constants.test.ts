/** Tables of reference "vsr" sections 0 and 1.3, row by row. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { fc } from '../fixed_seed.ts';
import { AssertionFailure } from '../../core/assert.ts';
import {
  assertConfig,
  checkpointAfter,
  checkpointBefore,
  checkpointDurable,
  CONFIG_PRODUCTION,
  CONFIG_SMALL,
  isCheckpointOp,
  prepareMax,
  prepareOkMax,
  quorumsOf,
  repairMin,
  viewHeadersMax,
  type ClusterConfig,
} from '../../core/constants.ts';

/** The reference's defaults: I = 768, P = 100, S = 1,024. */
const DEFAULTS: ClusterConfig = {
  ...CONFIG_PRODUCTION,
  checkpointInterval: 768,
  pipelineMax: 100,
  journalSlots: 1024,
};

suite('quorums', () => {
  const table = [
    // n, replication, view change, nack; crashes survived with a stable primary, with a view change
    [1, 1, 1, 1, 0, 0],
    [2, 2, 2, 1, 0, 0],
    [3, 2, 2, 2, 1, 1],
    [4, 2, 3, 3, 2, 1],
    [5, 3, 3, 3, 2, 2],
    [6, 3, 4, 4, 3, 2],
  ] as const;
  for (const [n, replication, viewChange, nack, crashesStable, crashesViewChange] of table) {
    test(`${n} replicas`, () => {
      assert.deepEqual(quorumsOf(n), { replication, viewChange, nack });
      assert.equal(n - replication, crashesStable);
      // A view change needs its own quorum, and the new primary still needs one to commit.
      assert.equal(n - Math.max(viewChange, replication), crashesViewChange);
    });
  }

  test('every two sets that must meet do meet, over all subsets of members', () => {
    for (let n = 1; n <= 6; n++) {
      const q = quorumsOf(n);
      for (let a = 0; a < 1 << n; a++) {
        for (let b = 0; b < 1 << n; b++) {
          const sizes = [bits(a), bits(b)] as const;
          const meet = (a & b) !== 0;
          if (sizes[0] >= q.replication && sizes[1] >= q.viewChange) assert.ok(meet, 'commit, view change');
          if (sizes[0] >= q.replication && sizes[1] >= q.nack) assert.ok(meet, 'commit, nack');
          if (sizes[0] >= q.viewChange && sizes[1] >= q.viewChange) assert.ok(meet, 'view changes');
        }
      }
    }
  });

  test('no other number of replicas', () => {
    for (const n of [0, 7, -1, Number.NaN]) assert.throws(() => quorumsOf(n), AssertionFailure, String(n));
  });
});

function bits(set: number): number {
  let count = 0;
  for (let rest = set; rest !== 0; rest &= rest - 1) count++;
  return count;
}

suite('checkpoints', () => {
  test('the table of default values', () => {
    assert.deepEqual([0, 767, 1535].map((c) => checkpointAfter(DEFAULTS, c)), [767, 1535, 2303]);
    assert.deepEqual([0, 767, 1535, 2303].map((c) => checkpointBefore(DEFAULTS, c)), [0, 0, 767, 1535]);
    assert.deepEqual([0, 767, 1535].map((c) => prepareMax(DEFAULTS, c)), [967, 1735, 2503]);
    assert.deepEqual([0, 767].map((c) => prepareOkMax(DEFAULTS, c)), [867, 1635]);
  });

  test('durable: one pipeline past the checkpoint, not before', () => {
    assert.equal(checkpointDurable(DEFAULTS, 0, 0), true);
    assert.equal(checkpointDurable(DEFAULTS, 767, 767 + 100), false);
    assert.equal(checkpointDurable(DEFAULTS, 767, 767 + 101), true);
  });

  test('what repair must still hold', () => {
    // checkpoint, commit max, head -> repair min
    const rows = [
      [0, 0, 0, 0],
      [0, 50, 60, 0],
      [767, 800, 810, 0], // Not durable yet: the whole interval before.
      [767, 868, 900, 768],
      [767, 868, 767, 767], // The head is the checkpoint: it anchors the chain.
      [1535, 1600, 1610, 768],
      [1535, 1636, 1700, 1536],
    ] as const;
    for (const [checkpoint, commitMax, head, expected] of rows) {
      assert.equal(repairMin(DEFAULTS, checkpoint, commitMax, head), expected, `${checkpoint} ${commitMax}`);
    }
  });

  test('checkpoint ops are one less than a multiple of the interval, and 0', () => {
    const found = Array.from({ length: 50 }, (_, op) => op).filter((op) => isCheckpointOp(CONFIG_SMALL, op));
    assert.deepEqual(found, [0, 15, 31, 47]);
  });

  test('the two provided configurations are valid', () => {
    assertConfig(CONFIG_PRODUCTION);
    assertConfig(CONFIG_SMALL);
    assert.equal(viewHeadersMax(DEFAULTS), 103);
  });

  test('a configuration that breaks a rule is refused by name', () => {
    const rows: readonly [change: Partial<ClusterConfig>, message: RegExp][] = [
      [{ pipelineMax: 0 }, /pipelineMax/],
      [{ pipelineMax: 128 }, /pipelineMax/],
      [{ journalSlots: 16 }, /journalSlots/],
      [{ journalSlots: 1000 }, /journalSlots/],
      [{ checkpointInterval: 100 }, /checkpointInterval/],
      [{ checkpointInterval: 825 }, /I \+ 2P/],
      [{ messageSizeMax: 1000 }, /messageSizeMax/],
      [{ messageSizeMax: 32 << 20 }, /messageSizeMax/],
      [{ blockSize: 2 << 20 }, /blockSize/],
      [{ messageSizeMax: 8192, blockSize: 4096 }, /start_view/],
      [{ gridBlocks: 1 }, /gridBlocks/],
      [{ clientsMax: 0 }, /clientsMax/],
    ];
    for (const [change, message] of rows) {
      assert.throws(() => assertConfig({ ...DEFAULTS, ...change }), message, JSON.stringify(change));
    }
  });

  /** Pipelines, rings and intervals that `assertConfig` admits. */
  const shape = fc.record({ pipeline: fc.integer({ min: 1, max: 127 }), extra: fc.nat({ max: 500 }) }).map(
    ({ pipeline, extra }): ClusterConfig => {
      const checkpointInterval = pipeline + 1 + extra;
      const journalSlots = Math.max(32, Math.ceil((checkpointInterval + 2 * pipeline) / 16) * 16);
      return { ...DEFAULTS, pipelineMax: pipeline, checkpointInterval, journalSlots };
    },
  );

  test('property: what a replica may write never overwrites what the previous checkpoint still needs', () => {
    fc.assert(
      fc.property(shape, fc.nat({ max: 50 }), (config, n) => {
        assertConfig(config);
        const checkpoint = n === 0 ? 0 : n * config.checkpointInterval - 1;
        // Two ops share a slot when they differ by S. The lowest op that repair needs while C is
        // not known durable is C + 1 - I; the highest one written by then is C + 2P.
        const lowest = repairMin(config, checkpoint, checkpoint, checkpoint);
        assert.ok(checkpoint + 2 * config.pipelineMax - lowest < config.journalSlots);
        // Once it is durable, C + 1 is the lowest and prepareMax the highest.
        const durableCommit = checkpoint + config.pipelineMax + 1;
        assert.ok(checkpointDurable(config, checkpoint, durableCommit));
        const low = repairMin(config, checkpoint, durableCommit, durableCommit);
        assert.ok(prepareMax(config, checkpoint) - low < config.journalSlots);
      }),
    );
  });

  test('property: after and before are inverse; every checkpoint op is one', () => {
    fc.assert(
      fc.property(shape, fc.nat({ max: 50 }), (config, n) => {
        let checkpoint = 0;
        for (let i = 0; i < n; i++) {
          const next = checkpointAfter(config, checkpoint);
          assert.ok(isCheckpointOp(config, next));
          assert.equal(checkpointBefore(config, next), checkpoint);
          assert.ok(prepareOkMax(config, checkpoint) < prepareMax(config, checkpoint));
          checkpoint = next;
        }
      }),
    );
  });
});
