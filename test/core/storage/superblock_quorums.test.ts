/** Which superblock copies are trusted, and how the others are mended: tables, then every case. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  chooseSuperblock,
  SUPERBLOCK_OPEN_QUORUM,
  type SuperblockCopy,
} from '../../../core/storage/superblock_quorums.ts';

/**
 * A copy in four characters: content, sequence, parent's content, claimed index. Content `a` has
 * sequence 5, and so on up; `-` is invalid; content in upper case belongs to another replica.
 */
function copyOf(text: string): SuperblockCopy {
  const [content = '-', sequence = '0', parent = '-', copy = '0'] = text;
  return {
    valid: content !== '-',
    copy: copy === 'x' ? 0xffff : Number(copy),
    sequence: Number(sequence),
    checksum: content,
    parent,
    identity: content === content.toLowerCase() ? 'ours' : 'theirs',
    monotonic: [content === 'z' ? 9 : 1, Number(sequence)],
  };
}

function choose(row: string): string {
  const choice = chooseSuperblock(row.split(' ').map(copyOf));
  if (choice.kind !== 'open') return choice.kind;
  return `open ${choice.position} repair [${choice.repairs.join(',')}]`;
}

test('superblock quorums: the table', () => {
  const rows: readonly (readonly [string, string])[] = [
    // position 0    1    2    3
    ['a5-0 a5-1 a5-2 a5-3', 'open 0 repair []'],
    // Nothing, or not enough.
    ['---- ---- ---- ----', 'not-formatted'],
    ['a5-0 ---- ---- ----', 'quorum-lost'],
    ['a5-0 b6a1 c7b2 d8c3', 'quorum-lost'],
    // One index twice is one copy.
    ['a5-0 a5-0 ---- ----', 'quorum-lost'],
    ['a5-0 a5-1 ---- ----', 'open 0 repair [2,3]'],
    ['---- ---- a5-2 a5-3', 'open 2 repair [0,1]'],
    // An unfinished update: one copy of it proves nothing, two do.
    ['b6a0 a5-1 a5-2 a5-3', 'open 1 repair [0]'],
    ['b6a0 b6a1 a5-2 a5-3', 'open 0 repair [2,3]'],
    ['b6a0 b6a1 b6a2 a5-3', 'open 0 repair [3]'],
    ['b6a0 ---- a5-2 a5-3', 'open 2 repair [0,1]'],
    ['b6a0 b6a1 ---- a5-3', 'open 0 repair [2,3]'],
    // Two contents of one sequence.
    ['a5-0 a5-1 b5-2 b5-3', 'fork'],
    ['a5-0 a5-1 a5-2 b5-3', 'fork'],
    // More than one update ahead of the pair; far behind it is only old.
    ['c7b0 a5-1 a5-2 a5-3', 'sequence-gap'],
    ['c7b0 c7b1 c7b2 a5-3', 'open 0 repair [3]'],
    // One behind must be the parent, and must not know more.
    ['b6x0 b6x1 a5-2 a5-3', 'broken-parent'],
    ['b6z0 b6z1 b6z2 z5-3', 'broken-parent'],
    // Another replica's copy is a stray.
    ['a5-0 a5-1 a5-2 B5-3', 'open 0 repair [3]'],
    ['a5-0 a5-1 C9-2 ----', 'open 0 repair [2,3]'],
    // An impossible index stands for its position, and is put right at the end.
    ['a5-x a5-1 a5-2 a5-3', 'open 0 repair [0]'],
    ['a5-x a5-9 ---- ----', 'open 0 repair [2,3,0,1]'],
    // Misplaced copies: first the empty positions found nowhere, then the others, then duplicates.
    ['a5-1 ---- a5-2 a5-3', 'open 0 repair [1,0]'],
    ['a5-1 ---- a5-0 ----', 'open 0 repair [3,1,0,2]'],
    ['a5-1 a5-1 a5-2 a5-3', 'open 0 repair [0]'],
    // All there, two in each other's place: three remain whichever is torn.
    ['a5-1 a5-0 a5-2 a5-3', 'open 0 repair [0,1]'],
  ];
  for (const [row, expected] of rows) {
    assert.equal(choose(row), expected, row);
  }
});

/** Nothing; the newest with index 0..3 or an impossible one; its parent, in place. */
function contents(position: number): string[] {
  return ['----', 'b6a0', 'b6a1', 'b6a2', 'b6a3', 'b6ax', `a5-${position}`];
}

test('superblock quorums: no tear during any repair loses the quorum', () => {
  // 7^4 = 2401 rows.
  let opened = 0;
  let repairs = 0;
  for (const p0 of contents(0)) {
    for (const p1 of contents(1)) {
      for (const p2 of contents(2)) {
        for (const p3 of contents(3)) {
          const before = [p0, p1, p2, p3];
          const choice = chooseSuperblock(before.map(copyOf));
          if (choice.kind !== 'open') continue;
          opened++;
          const chosen = (before[choice.position] as string).slice(0, 3);
          const now = before.slice();
          for (const position of choice.repairs) {
            // The write tears: what is left must open with the same content.
            const torn = now.slice();
            torn[position] = '----';
            const again = chooseSuperblock(torn.map(copyOf));
            assert.equal(again.kind, 'open', `${before.join(' ')} torn at ${position}`);
            if (again.kind === 'open') {
              assert.equal((torn[again.position] as string).slice(0, 3), chosen);
            }
            now[position] = `${chosen}${position}`;
            repairs++;
          }
          assert.ok(choice.repairs.length <= 4);
          assert.deepEqual(now, [0, 1, 2, 3].map((i) => `${chosen}${i}`), before.join(' '));
        }
      }
    }
  }
  assert.ok(opened > 1000 && repairs > 2000, `${opened} ${repairs}`);
});

test('superblock quorums: what opens is held by two positions, and is the newest that is', () => {
  const contents = ['----', 'a5-', 'b6a', 'c6a', 'd7b', 'e8d'];
  let opened = 0;
  for (let n = 0; n < contents.length ** 4; n++) {
    const row = [0, 1, 2, 3].map((i) => {
      const content = contents[Math.floor(n / contents.length ** i) % contents.length] as string;
      return content === '----' ? content : `${content}${i}`;
    });
    const copies = row.map(copyOf);
    const choice = chooseSuperblock(copies);
    const countOf = (checksum: string): number =>
      copies.filter((copy) => copy.valid && copy.checksum === checksum).length;
    const candidates = copies.filter(
      (copy) => copy.valid && countOf(copy.checksum) >= SUPERBLOCK_OPEN_QUORUM,
    );
    const newest = Math.max(...candidates.map((copy) => copy.sequence), 0);
    if (choice.kind === 'open') {
      opened++;
      const chosen = copies[choice.position] as SuperblockCopy;
      assert.ok(candidates.includes(chosen), row.join(' '));
      assert.equal(chosen.sequence, newest, row.join(' '));
    } else if (choice.kind === 'quorum-lost') {
      assert.equal(candidates.length, 0, row.join(' '));
    }
  }
  assert.ok(opened > 100, String(opened));
});
