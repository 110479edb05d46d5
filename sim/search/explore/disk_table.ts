/** Disks as the search meets them, each kept once: what was written and what is durable. */
import { DigestTable } from './digest_table.ts';
import { WordSink } from './word_sink.ts';

export class DiskTable {
  private readonly table = new DigestTable();
  private readonly sink = new WordSink();
  private readonly images: Int32Array[] = [];

  /** The number of this disk. The arrays must not change any more. */
  intern(written: Int32Array, durable: Int32Array): number {
    const { sink } = this;
    sink.clear();
    sink.view(bytesOf(written), 0, written.byteLength);
    if (durable !== written) sink.view(bytesOf(durable), 0, durable.byteLength);
    const known = this.table.count;
    const number = this.table.add(sink.digest());
    if (number === known) this.images.push(written, durable);
    return number;
  }

  written(number: number): Int32Array {
    return this.images[number * 2] as Int32Array;
  }

  durable(number: number): Int32Array {
    return this.images[number * 2 + 1] as Int32Array;
  }
}

function bytesOf(image: Int32Array): Uint8Array {
  return new Uint8Array(image.buffer, image.byteOffset, image.byteLength);
}
