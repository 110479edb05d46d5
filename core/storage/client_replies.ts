/**
 * The reply zone: one 4 KiB slot a session slot holds the latest reply of that session, so that a
 * repeated request is answered after a restart. At most one write a slot at a time; a newer reply
 * replaces one that waits (vsr 11.4, 18.84). A slot that does not hold what the session table says
 * is faulty, and is repaired from a peer by writing the reply again.
 */
import { type ChecksumAlgorithm, type ClusterConfig } from '../constants.ts';
import { type Message, type MessagePool } from '../message/pool.ts';
import { type Region } from '../message/region.ts';
import { type Storage, type StorageResult } from '../ports.ts';
import { type Zones } from './data_file.ts';

/** Called from `onStorage` only. */
export interface ClientRepliesListener {
  /** Null: not there or damaged (`isFaulty` tells which). `ref()` the message to keep it. */
  replyRead(token: number, message: Message | null): void;
  /** A write completed: `canWrite` may have become true. */
  replyWriteDone(): void;
  /** Everything written before `flush` is durable. */
  repliesFlushed(): void;
}

export interface ClientRepliesOptions {
  readonly config: ClusterConfig;
  readonly zones: Zones;
  readonly storage: Storage;
  readonly pool: MessagePool;
  readonly checksumAlgorithm: ChecksumAlgorithm;
  readonly listener: ClientRepliesListener;
}

/** Pool messages that the reply zone may hold at one time. */
export const REPLY_MESSAGES_MAX = 32 + 8;

export class ClientReplies {
  readonly slotCount: number;
  faultyCount = 0;

  constructor(options: ClientRepliesOptions) {
    this.slotCount = options.config.clientsMax;
  }

  /** Room for one more `write`. Asked before an op is executed. */
  canWrite(): boolean {
    throw new Error('not yet');
  }

  /**
   * Makes `reply` (sealed, at most 4 KiB) the slot's content; takes its own reference and zeroes
   * the message's bytes past its size, which no receiver sees. The slot is not faulty from here on.
   */
  write(slot: number, reply: Message): void {
    throw new Error(`not yet ${slot} ${reply.index}`);
  }

  /** False: too many reads, nothing follows. True: `replyRead` follows, never from here. */
  read(slot: number, checksum: Region, checksumAt: number, token: number): boolean {
    throw new Error(`not yet ${slot} ${checksum.bytes.length} ${checksumAt} ${token}`);
  }

  /** One at a time. -> `repliesFlushed`, never from here. */
  flush(): void {
    throw new Error('not yet');
  }

  isFaulty(slot: number): boolean {
    throw new Error(`not yet ${slot}`);
  }

  /** The slot does not hold what the session table says (after state sync). */
  markFaulty(slot: number): void {
    throw new Error(`not yet ${slot}`);
  }

  /** The slot's session is gone: nothing is expected of it. */
  clearFaulty(slot: number): void {
    throw new Error(`not yet ${slot}`);
  }

  /** The first faulty slot at or after `from`, wrapping; -1 when there is none. */
  faultySlot(from: number): number {
    throw new Error(`not yet ${from}`);
  }

  /** Before state sync: forgets reads and faulty marks. Writes and a flush go on. */
  reset(): void {
    throw new Error('not yet');
  }

  onStorage(token: number, result: StorageResult): void {
    throw new Error(`not yet ${token} ${result}`);
  }
}
