import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RESTORED, Snapshot } from '../../sim/snapshot.ts';

class Node {
  value = 1;
  readonly bytes = new Uint8Array(8);
  readonly fields = new DataView(this.bytes.buffer);
  readonly list: unknown[] = [1, 2];
  readonly map = new Map<unknown, unknown>([['a', 1]]);
  readonly set = new Set<number>([1]);
  next: Node | null = null;
}

test('snapshot: restores every kind of state in place, more than once', () => {
  const root = new Node();
  const other = new Node();
  root.next = other;
  other.next = root; // A cycle.
  root.map.set('other', other);
  const shared = new Uint32Array(root.bytes.buffer);
  root.list.push(shared);
  const constant = Object.freeze({ inside: new Uint8Array([9]) });
  root.list.push(constant);

  const snapshot = Snapshot.of(root);
  for (let round = 0; round < 2; round++) {
    root.value = 2;
    root.bytes[0] = 255;
    root.fields.setUint8(7, 7);
    root.list.length = 1;
    root.list[0] = 'changed';
    root.map.delete('a');
    root.map.set('b', 2);
    root.set.add(2);
    root.set.delete(1);
    root.next = null;
    Object.assign(root, { extra: 1 });
    other.value = 3;
    other.list.push(other);
    snapshot.restore();

    assert.equal(root.value, 1);
    assert.deepEqual([...root.bytes], [0, 0, 0, 0, 0, 0, 0, 0]);
    assert.deepEqual(root.list.slice(0, 2), [1, 2]);
    assert.equal(root.list[2], shared, 'the same object, not a copy');
    assert.deepEqual([...root.map.keys()], ['a', 'other']);
    assert.deepEqual([...root.set], [1]);
    assert.equal(root.next, other);
    assert.ok(!Object.hasOwn(root, 'extra'));
    assert.equal(other.value, 1);
    assert.equal(other.list.length, 2);
  }
});

test('snapshot: a buffer that was replaced by a larger one is the old one again', () => {
  const holder = { bytes: new Uint8Array([1, 2, 3]) };
  const before = holder.bytes;
  const snapshot = Snapshot.of(holder);
  before[0] = 9;
  holder.bytes = new Uint8Array(100);
  snapshot.restore();
  assert.equal(holder.bytes, before);
  assert.deepEqual([...holder.bytes], [1, 2, 3]);
});

test('snapshot: of a large memory only the pages in use are kept, and all come back', () => {
  const holder = { disk: new Uint8Array(1 << 20) };
  holder.disk[5 * 4096 + 7] = 1;
  holder.disk[200 * 4096] = 2;
  const before = holder.disk.slice();
  const snapshot = Snapshot.of(holder);
  assert.equal(snapshot.size, 2 * 4096);
  holder.disk[5 * 4096 + 7] = 0;
  holder.disk[100 * 4096] = 9;
  snapshot.restore();
  assert.deepEqual(holder.disk, before);
});

test('snapshot: a bystander keeps its own state, is told of each restore, and is not looked into', () => {
  const inside = { value: 1 };
  const bystander = {
    inside,
    restores: 0,
    [RESTORED](): void {
      this.restores++;
    },
  };
  const root = { bystander, value: 1 };
  const snapshot = Snapshot.of(root);
  for (let round = 1; round <= 2; round++) {
    root.value = 2;
    inside.value = 5;
    snapshot.restore();
    assert.equal(root.value, 1);
    assert.equal(inside.value, 5);
    assert.equal(bystander.restores, round);
  }
});
