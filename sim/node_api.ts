/**
 * What the world needs of a replica: the shape of `Replica` in core/vsr, so that any component
 * written against the ports can stand in a world.
 */
import { type ClusterConfig } from '../core/constants.ts';
import { type Message } from '../core/message/pool.ts';
import { type Region } from '../core/message/region.ts';
import { type StorageResult } from '../core/ports.ts';
import { type ReplicaOptions } from '../core/vsr/replica.ts';

export interface ReplicaProcess {
  /** `normal` serves; `recovering_head` waits for the others; the rest is on its way. */
  readonly status: string;
  readonly view: number;
  readonly logView: number;
  readonly commitMin: number;
  readonly commitMax: number;
  readonly checkpointOp: number;
  start(): void;
  onMessage(message: Message): void;
  onTimer(timer: number): void;
  onStorage(token: number, result: StorageResult): void;
}

export interface FormatRequest {
  readonly config: ClusterConfig;
  readonly cluster: Region;
  readonly replicaIndex: number;
  readonly replicaCount: number;
  readonly write: (offset: number, bytes: Uint8Array) => void;
}

/** Makes the processes of a world. Stateless. */
export interface ReplicaFactory {
  /** Writes a new data file. Depends on its arguments alone. */
  format(request: FormatRequest): void;
  /** A process on a formatted disk; the world calls `start`. */
  create(options: ReplicaOptions): ReplicaProcess;
}
