/**
 * The yardstick for the simulator: a message loop with nothing behind it. Each turn takes the next
 * event from the queue, verifies the checksum of its 256-byte message, reads three fields, and
 * sends another message of the pool: header written, sealed, queued for a later time. It runs in
 * the same process as what it is compared with, so that the machine's speed cancels out.
 */
import { headerValid, sealHeader } from '../core/checksum.ts';
import { CHECKSUM_ALGORITHM } from '../core/constants.ts';
import { AT, opOf, setCommit, setOp, setSize, setView, viewOf } from '../core/message/header.ts';
import { MessagePool, allocateAligned, type Message } from '../core/message/pool.ts';
import { EventQueue } from '../sim/event_queue.ts';

const IN_FLIGHT = 64;
const FAST = CHECKSUM_ALGORITHM.fast128;

/** Messages in a second of CPU time. */
export function toyLoop(messages: number): number {
  const pool = new MessagePool({
    smallCount: IN_FLIGHT + 1,
    smallSize: 4096,
    largeCount: 0,
    largeSize: 4096,
    allocate: allocateAligned,
  });
  const queue = new EventQueue();
  const send = (number: number, time: number): void => {
    const message = pool.acquire(256);
    message.words.fill(0, 0, 64);
    setSize(message, 256);
    setView(message, number & 7);
    setOp(message, number);
    setCommit(message, number);
    sealHeader(FAST, message, 0);
    queue.push(time, 0, 0, message.index, 0, 0);
  };
  for (let i = 0; i < IN_FLIGHT; i++) send(i, i);
  let sum = 0;
  const began = process.cpuUsage().user;
  for (let i = 0; i < messages; i++) {
    const slot = queue.pop();
    const time = queue.timeOf(slot);
    const message = pool.messages[queue.a[slot] as number] as Message;
    queue.release(slot);
    if (!headerValid(FAST, message)) throw new Error('toy loop: a message is corrupt');
    sum += opOf(message) + viewOf(message) + message.fields.getUint8(AT.command);
    message.unref();
    send(i, time + 1 + ((i * 37) & 1023));
  }
  const micros = process.cpuUsage().user - began;
  if (!Number.isFinite(sum)) throw new Error('toy loop: nothing was read');
  return (messages / micros) * 1_000_000;
}
