/** What the client's calls take and give. */
import { DATA_CLASSES } from '../core/kernel/operations.ts';
import { type Address } from './addresses.ts';

export interface ConnectOptions {
  /** Of the replicas, or some of them: `host:port,host:port` or a list. */
  readonly addresses: string | readonly (string | Address)[];
  /** Cluster id, decimal or 0x hexadecimal; a server of another cluster is then refused. */
  readonly cluster?: string;
  /** Requests in flight at once; 1 keeps all of them in the order of the calls. */
  readonly sessions?: number;
  /** For the cluster to be found and to register the first session. Default 10,000 ms. */
  readonly connectTimeoutMillis?: number;
  /** Default for every call: 30,000 ms. */
  readonly timeoutMillis?: number;
  readonly signal?: AbortSignal;
}

export interface CallOptions {
  readonly timeoutMillis?: number;
  readonly signal?: AbortSignal;
}

export interface CommandCallOptions extends CallOptions {
  /** 16 bytes of your choice: the same command with the same id takes effect once, ever. */
  readonly idempotencyId?: Uint8Array;
}

export interface CreateStreamOptions extends CommandCallOptions {
  /** Default 'Public'. */
  readonly dataClass?: DataClass;
}

export interface AppendOptions extends CommandCallOptions {
  /** Refused with `unexpected_stream_offset` unless the first event gets this offset. */
  readonly expectedOffset?: number;
}

export interface ReadOptions extends CallOptions {
  /** Of the first event. Default 0. */
  readonly offset?: number;
  /** Default 1,000; fewer come when the answer is full or the stream ends. */
  readonly limit?: number;
}

export type DataClass = (typeof DATA_CLASSES)[number];

export interface Appended {
  /** Of the first event; the others follow without gaps. */
  readonly offset: number;
  readonly count: number;
  /** Position in the log of all streams. */
  readonly op: number;
  readonly timestampMicros: number;
}

export interface StreamEvent {
  readonly offset: number;
  readonly timestampMicros: number;
  readonly payload: Uint8Array;
}

export interface EventsRead {
  readonly events: readonly StreamEvent[];
  /** Offset that the stream's next event will get: all are read when the last one is before it. */
  readonly nextOffset: number;
}

export interface StreamInfo {
  readonly id: number;
  readonly name: string;
  readonly dataClass: string;
  readonly deleted: boolean;
  readonly nextOffset: number;
  readonly createdMicros: number;
  /** Head of the stream's SHA-256 chain; zero when it is empty. */
  readonly chain: Uint8Array;
}
