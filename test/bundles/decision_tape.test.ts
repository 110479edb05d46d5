/** The tape of decisions: what is packed comes back, and what a stranger wrote is looked at. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  packDecisions,
  readDecisions,
  tapeProblem,
  unpackDecisions,
  type Decision,
  type DecisionColumns,
  type DecisionNames,
} from '../../bundles/decision_tape.ts';
import { decisionText } from '../../bundles/decision_text.ts';
import { VarintReader, VarintWriter } from '../../bundles/varint.ts';

const NAMES: DecisionNames = {
  domains: ['', 'loss', 'delay', 'storageDelay', 'sectorLost', 'think', 'payload'],
  families: ['plan', 'message', 'link', 'storage', 'chunk', 'operation', 'fault', 'process'],
  commands: ['reserved', 'ping', 'prepare', 'request'],
  replicaCount: 3,
};

const u32 = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 0xffff_ffff }));
const identity = fc.tuple(fc.nat(7), fc.array(u32, { minLength: 6, maxLength: 6 }), u32, u32);
const value = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 1e13 }));
const decision = fc.tuple(fc.nat(5000), fc.integer({ min: 1, max: 6 }), value, fc.nat());

/** Columns as a recorder makes them: events in order, identities numbered by first use. */
const columnsOf = fc
  .tuple(fc.array(identity, { minLength: 1, maxLength: 30 }), fc.array(decision, { maxLength: 80 }))
  .map(([identities, decisions]): DecisionColumns => {
    const used: number[] = [];
    const refs = decisions.map(([, , , pick]) => {
      const which = pick % identities.length;
      const known = used.indexOf(which);
      return known >= 0 ? known : used.push(which) - 1;
    });
    const rows = used.map((which) => identities[which] ?? assert.fail());
    return {
      events: Uint32Array.from(decisions.map(([event]) => event)).sort(),
      domains: Uint8Array.from(decisions, ([, domain]) => domain),
      values: Float64Array.from(decisions, ([, , drawn]) => drawn),
      identities: Uint32Array.from(refs),
      families: Uint8Array.from(rows, ([family]) => family),
      words: [0, 1, 2, 3, 4, 5].map((i) => Uint32Array.from(rows, ([, words]) => words[i] as number)),
      copies: Uint32Array.from(rows, ([, , copy]) => copy),
      parts: Uint32Array.from(rows, ([, , , part]) => part),
    };
  });

test('decision tape: what was packed is unpacked, and read in order', () => {
  fc.assert(
    fc.property(columnsOf, (columns) => {
      const tape = packDecisions(columns, columns.domains.length, NAMES);
      assert.equal(tapeProblem(tape, 5000), null);
      assert.deepEqual(unpackDecisions(tape), columns);
      const read = [...readDecisions(tape)];
      assert.equal(read.length, tape.count);
      read.forEach((one, i) => {
        const at = columns.identities[i] as number;
        assert.equal(one.domain, NAMES.domains[columns.domains[i] as number]);
        assert.equal(one.event, columns.events[i]);
        assert.equal(one.value, columns.values[i]);
        assert.deepEqual(
          one.identity.words,
          columns.words.map((words) => words[at]),
        );
        assert.equal((one.identity.copy ?? -1) + 1, columns.copies[at]);
      });
    }),
    { numRuns: 200, seed: 3 },
  );
});

test('decision tape: any change of any column is refused or is another tape, never a crash', () => {
  fc.assert(
    fc.property(columnsOf, fc.nat(), fc.nat(), fc.nat(255), (columns, which, place, byte) => {
      const tape = packDecisions(columns, columns.domains.length, NAMES);
      const keys = ['events', 'domains', 'values', 'identities', 'families', 'copies', 'parts'] as const;
      const key = keys[which % keys.length] ?? 'events';
      const bytes = Uint8Array.from(tape[key]);
      if (bytes.byteLength === 0) return;
      bytes[place % bytes.byteLength] = byte;
      const changed = { ...tape, [key]: bytes };
      const problem = tapeProblem(changed, 5000);
      if (problem === null) assert.equal([...readDecisions(changed)].length, tape.count);
      else assert.throws(() => void [...readDecisions({ ...changed, count: -1 })], RangeError);
      // One number less.
      const shorter = { ...tape, [key]: tape[key].subarray(0, -1) };
      assert.notEqual(tapeProblem(shorter, 5000), null);
    }),
    { numRuns: 500, seed: 4 },
  );
});

test('varint: round trip at the edges; ends and overlong numbers are refused for good', () => {
  const edges = [0, 1, 127, 128, 16_383, 16_384, 0xffff_ffff, 2 ** 32, 2 ** 52, Number.MAX_SAFE_INTEGER];
  const signed = [0, -1, 1, -64, 64, 0x7fff_ffff, -0x8000_0000];
  const writer = new VarintWriter();
  for (let i = 0; i < 300; i++) for (const value of edges) writer.add(value);
  for (const value of signed) writer.addSigned(value);
  const reader = new VarintReader(writer.bytes());
  for (let i = 0; i < 300; i++) for (const value of edges) assert.equal(reader.next(), value);
  for (const value of signed) assert.equal(reader.nextSigned(), value);
  assert.ok(reader.ended);
  assert.equal(reader.next(), -1);
  const overlong = new VarintReader(new Uint8Array(9).fill(0x80));
  assert.equal(overlong.next(), -1);
  assert.equal(overlong.next(), -1);
  assert.ok(!overlong.ended);
});

test('decision tape: decisions in words', () => {
  const text = (
    domain: string,
    value: number,
    family: number,
    words: number[],
    copy: number | null = null,
    part = 0,
  ): string => {
    const one: Decision = { event: 1, domain, value, identity: { family, words, copy, part } };
    return decisionText(one, NAMES);
  };
  assert.equal(
    text('loss', 1, 1, [0x00_0102, 2, 17, 5], 3),
    'loss of R0 -> R1 prepare, view 2, op 17, request 5, copy 3',
  );
  assert.equal(
    text('delay', 88, 1, [0x04_0003, 0, 9, 1], 0),
    'delay 88 of C1 -> R0 request, view 0, session 9, request 1',
  );
  assert.equal(text('delay', 88, 1, [0x00_01c8, 0], 0), 'delay 88 of R0 -> R1 command 200, view 0');
  assert.equal(text('storageDelay', 5, 3, [1, 1, 40, 3]), 'storageDelay 5 of R1 write 3 of sector 40');
  assert.equal(text('storageDelay', 5, 3, [1, 2, 40]), 'storageDelay 5 of R1 sync 40');
  assert.equal(
    text('sectorLost', 1, 3, [1, 1, 40, 3], null, 83),
    'sectorLost of R1 write 3 of sector 40, there sector 41',
  );
  assert.equal(text('payload', 64, 5, [2, 7], null, 1), 'payload 64 of C2 operation 7, event 1');
  assert.equal(text('think', 64, 5, [2, 1, 2, 1]), 'think 64 of C2 setup of tenant 1, stream 2');
  assert.equal(text('think', 64, 9, [2, 1]), 'think 64 of family 9 2 1');
});
