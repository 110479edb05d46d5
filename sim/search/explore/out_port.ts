/**
 * The Network port of an explored node: what is sent is interned, and the step's outcome lists it.
 * When it arrives, if ever, is the explorer's choice.
 */
import { AT, commandOf } from '../../../core/message/header.ts';
import { type Message } from '../../../core/message/pool.ts';
import { TO_CLIENT, type Network } from '../../../core/ports.ts';
import { type MessageStore } from './message_store.ts';
import { type Recorder } from './observations.ts';

export class OutPort implements Network {
  /** Numbers of the messages sent since it was emptied. */
  readonly sent: number[] = [];
  private readonly messages: MessageStore;
  private readonly recorder: Recorder;
  private readonly node: number;
  private readonly replicaCount: number;
  /** Commands that never arrive. */
  private readonly lost: ReadonlySet<number>;

  constructor(
    messages: MessageStore,
    recorder: Recorder,
    node: number,
    replicaCount: number,
    lost: ReadonlySet<number>,
  ) {
    this.messages = messages;
    this.recorder = recorder;
    this.node = node;
    this.replicaCount = replicaCount;
    this.lost = lost;
  }

  send(to: number, message: Message): void {
    if (this.lost.has(commandOf(message))) return;
    if (this.node < this.replicaCount) this.recorder.sent(this.node, message);
    const client = (message.words[AT.client >> 2] as number) - 1;
    const target = to === TO_CLIENT ? this.replicaCount + client : to;
    this.sent.push(this.messages.intern(this.node, target, message));
  }
}
