/**
 * A ledger that others may be writing: read to its end, and again whenever it has grown. One that
 * has become shorter is another file, and is read from its beginning.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { UsageError } from '../usage_error.ts';
import { LedgerReader, type Ledger } from '../vopr/ledger.ts';

const CHUNK_SIZE = 1 << 20;

export class LedgerFollower {
  readonly path: string;
  /** Grows when there is something new. */
  version = 0;
  #reader = new LedgerReader();
  #inode: number | null = null;
  #offset = 0;

  constructor(path: string) {
    this.path = path;
  }

  get ledger(): Ledger {
    return this.#reader.ledger;
  }

  /** False: there is no such file (yet). Throws UsageError when it cannot be read. */
  poll(): boolean {
    let file: number;
    try {
      file = openSync(this.path, 'r');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
      throw this.#unreadable(error);
    }
    try {
      const { size, ino: inode } = fstatSync(file);
      if (size < this.#offset || (this.#inode !== null && this.#inode !== inode)) {
        this.#reader = new LedgerReader();
        this.#offset = 0;
        this.version++;
      }
      this.#inode = inode;
      const chunk = new Uint8Array(CHUNK_SIZE);
      for (;;) {
        const got = readSync(file, chunk, 0, CHUNK_SIZE, this.#offset);
        if (got === 0) return true;
        this.#offset += got;
        this.#reader.push(chunk.subarray(0, got));
        this.version++;
      }
    } catch (error) {
      throw this.#unreadable(error);
    } finally {
      closeSync(file);
    }
  }

  #unreadable(error: unknown): UsageError {
    const reason = (error as Error).message;
    return new UsageError(`Cannot read the ledger "${this.path}": ${reason}`, { cause: error });
  }
}
