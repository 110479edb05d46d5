/**
 * The ledger: what campaigns were run and what came of them, a JSON object a line, appended as it
 * happens. A campaign begins with a line `started`, has a line `failure` for each seed that failed,
 * and ends with a line `ended`, which holds its whole summary. One that was killed has no last line.
 * `vopr run` writes it, and reads in it which seeds failed before; `stats`, `merge`, `dashboard` and
 * `tui` read it. Files of several machines may be appended to each other as they are.
 *
 * Each line goes out as one write at the end of the file, so that programs may share one. A line
 * that was cut short or damaged costs itself and nothing else; kinds that a later version has added
 * are counted and left alone. Fields: docs/campaigns.md.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, fstatSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { UsageError } from '../usage_error.ts';
import {
  LEDGER_SCHEMA,
  parseLedgerLine,
  type CampaignEnded,
  type CampaignStarted,
  type LedgerEntry,
  type LedgerLine,
  type SeedFailed,
} from './ledger_line.ts';

export const LEDGER_FILE = '.vopr/ledger.jsonl';
/** No line that we write comes near: the largest is a summary with a long list of seeds. */
export const LEDGER_LINE_SIZE_MAX = 64 << 20;

// --- Writing ---

/** Sorts by time; unique among machines. */
export function newCampaignId(scenario: string, now = new Date()): string {
  const time = now.toISOString().replaceAll(/[-:]|\.\d+Z$/g, '');
  return `${time}-${scenario}-${randomBytes(4).toString('hex')}`;
}

export class LedgerFile {
  readonly path: string;
  #file: number | null = null;

  /** Nothing is opened or made before the first line. */
  constructor(path: string) {
    this.path = path;
  }

  /** Throws UsageError when it cannot be written. */
  append(campaign: string, entry: LedgerEntry): void {
    const { kind, ...fields } = entry;
    const line = { schema: LEDGER_SCHEMA, kind, at: new Date().toISOString(), campaign, ...fields };
    try {
      this.#file ??= this.#open();
      const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
      const written = writeSync(this.#file, bytes);
      if (written !== bytes.byteLength) throw new Error('the line did not fit; is the disk full?');
    } catch (error) {
      throw new UsageError(
        `Cannot write the ledger "${this.path}": ${(error as Error).message}; ` +
          'choose another with --ledger, or give --no-ledger',
        { cause: error },
      );
    }
  }

  close(): void {
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
  }

  #open(): number {
    mkdirSync(dirname(this.path), { recursive: true });
    const file = openSync(this.path, 'a+');
    const { size } = fstatSync(file);
    const last = new Uint8Array(1);
    // After a kill the last line may have no end: ours must not become part of it.
    if (size > 0 && readSync(file, last, 0, 1, size - 1) === 1 && last[0] !== 0x0a) writeSync(file, '\n');
    return file;
  }
}

// --- Reading ---

export interface LedgerCampaign {
  readonly started: CampaignStarted;
  readonly failures: readonly SeedFailed[];
  /** Null: still running, or killed. */
  readonly ended: CampaignEnded | null;
  /** Number of its first line, from 1. */
  readonly line: number;
}

export interface Ledger {
  /** In the order in which they were started. */
  readonly campaigns: readonly LedgerCampaign[];
  /** Lines that were left out, and why. */
  readonly damaged: readonly { readonly line: number; readonly reason: string }[];
  /** Lines of kinds, or of a schema, that this version does not know: how many, by name. */
  readonly unknown: Readonly<Record<string, number>>;
}

interface MutableCampaign extends LedgerCampaign {
  readonly failures: SeedFailed[];
  ended: CampaignEnded | null;
}

/**
 * Takes a ledger piece by piece, so that one that grows can be followed: `push` what was added, look
 * at `ledger`, which is the same object throughout. `end` says that no more will come.
 */
export class LedgerReader {
  readonly #campaigns = new Map<string, MutableCampaign>();
  readonly #list: MutableCampaign[] = [];
  readonly #damaged: { line: number; reason: string }[] = [];
  readonly #unknown: Record<string, number> = {};
  readonly #utf8 = new TextDecoder('utf-8', { fatal: true });
  /** Pieces of the line that has no end yet; `#length` counts also those that were let go. */
  #pieces: Uint8Array[] = [];
  #length = 0;
  #line = 1;

  readonly ledger: Ledger = {
    campaigns: this.#list,
    damaged: this.#damaged,
    unknown: this.#unknown,
  };

  push(bytes: Uint8Array): void {
    let at = 0;
    for (;;) {
      const end = bytes.indexOf(0x0a, at);
      this.#keep(bytes.subarray(at, end < 0 ? bytes.byteLength : end));
      if (end < 0) return;
      this.#takeLine();
      at = end + 1;
    }
  }

  /** What is left is a line that was cut short: it is no line. */
  end(): Ledger {
    if (this.#length > 0) this.#damaged.push({ line: this.#line, reason: 'cut short: it has no end' });
    this.#pieces = [];
    this.#length = 0;
    return this.ledger;
  }

  #keep(piece: Uint8Array): void {
    this.#length += piece.byteLength;
    if (this.#length > LEDGER_LINE_SIZE_MAX) this.#pieces = [];
    else if (piece.byteLength > 0) this.#pieces.push(Uint8Array.from(piece));
  }

  #takeLine(): void {
    const reason = this.#length > LEDGER_LINE_SIZE_MAX
      ? `longer than ${LEDGER_LINE_SIZE_MAX} bytes`
      : this.#takeText(this.#pieces);
    if (reason !== null) this.#damaged.push({ line: this.#line, reason });
    this.#pieces = [];
    this.#length = 0;
    this.#line++;
  }

  /** Returns why not, or null. */
  #takeText(pieces: readonly Uint8Array[]): string | null {
    let text: string;
    try {
      text = this.#utf8.decode(Buffer.concat(pieces));
    } catch {
      return 'not text in UTF-8';
    }
    if (text.trim() === '') return null;
    const parsed = parseLedgerLine(text);
    if ('damage' in parsed) return parsed.damage;
    if ('unknown' in parsed) {
      this.#unknown[parsed.unknown] = (this.#unknown[parsed.unknown] ?? 0) + 1;
      return null;
    }
    return this.#takeRecord(parsed.line);
  }

  #takeRecord(line: LedgerLine): string | null {
    const known = this.#campaigns.get(line.campaign);
    if (line.kind === 'started') {
      if (known !== undefined) return `campaign "${line.campaign}" was started before`;
      const campaign = { started: line, failures: [], ended: null, line: this.#line };
      this.#campaigns.set(line.campaign, campaign);
      this.#list.push(campaign);
      return null;
    }
    if (known === undefined) return `nothing says that campaign "${line.campaign}" was started`;
    if (known.ended !== null) return `campaign "${line.campaign}" had ended`;
    if (line.kind === 'failure') known.failures.push(line);
    else known.ended = line;
    return null;
  }
}

/** Throws UsageError when it cannot be read; damage inside is told, not thrown. */
export function readLedger(path: string): Ledger {
  const reader = new LedgerReader();
  let file: number | null = null;
  try {
    file = openSync(path, 'r');
    const chunk = new Uint8Array(1 << 20);
    for (;;) {
      const got = readSync(file, chunk);
      if (got === 0) return reader.end();
      reader.push(chunk.subarray(0, got));
    }
  } catch (error) {
    throw new UsageError(`Cannot read the ledger "${path}": ${(error as Error).message}`, { cause: error });
  } finally {
    if (file !== null) closeSync(file);
  }
}

/** As `readLedger`; a file that is not there is a ledger without campaigns. */
export function readLedgerIfAny(path: string): Ledger {
  try {
    return readLedger(path);
  } catch (error) {
    const { cause } = error as Error;
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return new LedgerReader().end();
    throw error;
  }
}
