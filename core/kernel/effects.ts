/**
 * What a command does beside changing the kernel's state: it appends records to the log. The
 * kernel writes each record in place; the sink says where. Nothing else leaves `apply`.
 */
import { regionOf, type Region } from '../message/region.ts';
import { recordSpan, RECORD } from './events.ts';

export interface EffectSink {
  /** Where the record reserved last is to be written. */
  readonly target: Region;
  /**
   * True when a batch whose records take `size` bytes in all has room. A function of the committed
   * ops, as everything that reaches a reply.
   */
  hasRoom(size: number): boolean;
  /**
   * Reserves `span` bytes for the record of `offset` of a stream, and returns where in `target`
   * they begin. The record is written completely before the next call.
   */
  reserve(slot: number, streamId: number, op: number, offset: number, span: number): number;
}

/** Keeps what was appended, in order; for tests and for models. */
export class RecordingSink implements EffectSink {
  target: Region = regionOf(new Uint8Array(1 << 16));
  /** One entry a record: where it is in `target`, and whose it is. */
  readonly records: { slot: number; streamId: number; op: number; offset: number; at: number }[] = [];
  size = 0;
  /** Bytes that `hasRoom` grants. */
  sizeMax = Number.MAX_SAFE_INTEGER;

  hasRoom(size: number): boolean {
    return this.size + size <= this.sizeMax;
  }

  reserve(slot: number, streamId: number, op: number, offset: number, span: number): number {
    while (this.size + span > this.target.bytes.length) {
      const larger = regionOf(new Uint8Array(this.target.bytes.length * 2));
      larger.bytes.set(this.target.bytes);
      this.target = larger;
    }
    const at = this.size;
    this.records.push({ slot, streamId, op, offset, at });
    this.size += span;
    return at;
  }

  /** Payload of record `index`. */
  payload(index: number): Uint8Array {
    const { at } = this.records[index] as { at: number };
    const length = this.target.fields.getUint32(at + RECORD.storedLength, true);
    return this.target.bytes.slice(at + RECORD.payload, at + RECORD.payload + length);
  }

  clear(): void {
    this.records.length = 0;
    this.size = 0;
  }
}

/** Bytes that the records of `count` events with `payloadBytes` (each padded to 4) take at most. */
export function recordsSizeMax(count: number, payloadBytes: number): number {
  return count * recordSpan(0) + payloadBytes;
}
