/** Plain objects over the Network port: what goes in comes out, damage does not. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { fc } from '../../fixed_seed.ts';
import { AssertionFailure } from '../../../core/assert.ts';
import { CONFIG_SMALL } from '../../../core/constants.ts';
import { AT, commandOf, sizeOf } from '../../../core/message/header.ts';
import { PlainNetwork, type PlainMessage } from '../../../core/message/plain_network.ts';
import { MessagePool, allocateAligned, type Message } from '../../../core/message/pool.ts';
import { regionOf } from '../../../core/message/region.ts';
import { TO_CLIENT } from '../../../core/ports.ts';

interface Note extends PlainMessage {
  readonly kind: 'note' | 'other';
  readonly [field: string]: unknown;
}

const KINDS = ['other', 'note'] as const;
const REPLICAS = 3;

class Line {
  readonly sent: { readonly to: number; readonly message: Message }[] = [];
  readonly pool = new MessagePool({
    smallCount: 8, smallSize: 4096, largeCount: 4, largeSize: 8192, allocate: allocateAligned,
  });

  at(node: number): PlainNetwork<Note> {
    return new PlainNetwork<Note>({
      config: CONFIG_SMALL,
      cluster: regionOf(Uint8Array.from({ length: 16 }, (_, i) => i)),
      replicaCount: REPLICAS,
      pool: this.pool,
      network: { send: (to, message) => this.sent.push({ to, message: message.ref() }) },
    }, node, KINDS);
  }

  take(): { readonly to: number; readonly message: Message } {
    const first = this.sent.shift();
    assert.ok(first !== undefined);
    return first;
  }
}

suite('plain network', () => {
  test('what a node sends is what the other opens, and from whom', () => {
    fc.assert(fc.property(fc.jsonValue({ maxDepth: 3 }), (json) => {
      const value: unknown = JSON.parse(JSON.stringify(json)); // -0 is 0 in JSON.
      const line = new Line();
      line.at(1).send(2, { kind: 'note', value });
      const { to, message } = line.take();
      assert.equal(to, 2);
      assert.equal(commandOf(message), 129);
      assert.deepEqual(line.at(2).open(message), { from: 1, message: { kind: 'note', value } });
      message.unref();
      assert.equal(line.pool.freeCount, 12, 'the sender keeps no reference');
    }));
  });

  test('clients are addressed by their number among all nodes, and answer from it', () => {
    const line = new Line();
    line.at(0).send(REPLICAS + 4, { kind: 'note' });
    const { to, message } = line.take();
    assert.equal(to, TO_CLIENT);
    assert.equal(message.words[AT.client >> 2], 5);
    line.at(REPLICAS + 4).send(1, { kind: 'note' });
    assert.equal(line.at(1).open(line.take().message)?.from, REPLICAS + 4);
  });

  test('a broadcast reaches every replica but its sender', () => {
    const line = new Line();
    line.at(1).broadcast({ kind: 'note' });
    line.at(REPLICAS).broadcast({ kind: 'note' });
    assert.deepEqual(line.sent.map(({ to }) => to), [0, 2, 0, 1, 2]);
  });

  test('one flipped bit, wherever it is, and the message does not open', () => {
    const line = new Line();
    line.at(0).send(1, { kind: 'note', text: 'héllo' });
    const { message } = line.take();
    for (let bit = 0; bit < sizeOf(message) * 8; bit++) {
      const flip = (): void => {
        message.bytes[bit >> 3] = (message.bytes[bit >> 3] as number) ^ (1 << (bit & 7));
      };
      flip();
      assert.equal(line.at(1).open(message), null, `bit ${bit}`);
      flip();
    }
    assert.notEqual(line.at(1).open(message), null);
  });

  test('equal content has equal identity, other content another', () => {
    const line = new Line();
    for (const text of ['a', 'b', 'a']) line.at(0).send(1, { kind: 'note', text });
    const [a, b, again] = line.sent.map(({ message }) => message.words[AT.op >> 2]);
    assert.equal(a, again);
    assert.notEqual(a, b);
  });

  test('an undeclared kind, and an object that fits no message, are bugs of the sender', () => {
    const line = new Line();
    const stray = { kind: 'stray' } as unknown as Note;
    assert.throws(() => line.at(0).send(1, stray), AssertionFailure);
    const large: Note = { kind: 'note', text: 'x'.repeat(CONFIG_SMALL.messageSizeMax) };
    assert.throws(() => line.at(0).send(1, large), AssertionFailure);
  });
});
