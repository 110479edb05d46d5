/**
 * Messages in flight, each content to each node kept once. Two copies of the same bytes on their
 * way to the same node are the same message twice, whoever sent them.
 *
 * Frozen, with growing tables inside: a snapshot takes it for a constant (see sector_store.ts).
 */
import { commandOf, opOf, requestOf, sizeOf, viewOf } from '../../../core/message/header.ts';
import { regionOf, type Region } from '../../../core/message/region.ts';
import { messageText } from '../../message_text.ts';
import { DigestTable } from './digest_table.ts';
import { WordSink } from './word_sink.ts';

/** What a message is called: for people, and to find it again in a replay. */
export interface MessageName {
  readonly from: number;
  /** Its command and what it is about: `prepare op 6 append`. */
  readonly text: string;
  readonly view: number;
  /** First word of its checksum. */
  readonly word: number;
}

export class MessageStore {
  private readonly table = new DigestTable();
  private readonly sink = new WordSink();
  private readonly regions: Region[] = [];
  private readonly targets: number[] = [];
  private readonly senders: number[] = [];
  private readonly commands: number[] = [];

  constructor() {
    Object.freeze(this);
  }

  get count(): number {
    return this.table.count;
  }

  /** The number of this message to node `to`. Copies the bytes when they are new. */
  intern(from: number, to: number, message: Region): number {
    const size = sizeOf(message);
    this.sink.clear();
    this.sink.mark(to);
    this.sink.part(message, 0, size);
    const known = this.table.count;
    const number = this.table.add(this.sink.digest());
    if (number === known) {
      const copy = regionOf(new Uint8Array((size + 3) & ~3));
      copy.bytes.set(message.bytes.subarray(0, size));
      this.regions.push(copy);
      this.targets.push(to);
      this.senders.push(from);
      this.commands.push(commandOf(copy));
    }
    return number;
  }

  /** Not to be changed. */
  region(number: number): Region {
    return this.regions[number] as Region;
  }

  to(number: number): number {
    return this.targets[number] as number;
  }

  command(number: number): number {
    return this.commands[number] as number;
  }

  view(number: number): number {
    return viewOf(this.region(number));
  }

  op(number: number): number {
    return opOf(this.region(number));
  }

  request(number: number): number {
    return requestOf(this.region(number));
  }

  /** Word `i` of the digest over target and bytes. */
  digestWord(number: number, i: number): number {
    return this.table.word(number, i);
  }

  name(number: number): MessageName {
    const message = this.region(number);
    return {
      from: this.senders[number] as number,
      text: messageText(message, 0),
      view: viewOf(message),
      word: message.words[0] as number,
    };
  }
}
