/** The records of one log block, run by run, as far as they can be walked. */
import { HEADER_SIZE } from '../../core/constants.ts';
import { RECORD, readEventRecord, recordProblem } from '../../core/kernel/events.ts';
import { localOfStream, tenantOfStream } from '../../core/kernel/operations.ts';
import { sizeOf } from '../../core/message/header.ts';
import { type Region } from '../../core/message/region.ts';
import { LogBlockCursor, RUN_KIND } from '../../core/storage/log_block.ts';
import { hex, timeText, type Finding } from './data_file_reader.ts';

export interface RecordView {
  readonly at: number;
  readonly op: number;
  readonly tenant: number;
  /** The lower half of the stream's id. */
  readonly stream: number;
  readonly offset: number;
  readonly timestamp: string;
  readonly previous: string;
  readonly size: number;
  /** `whole`, or what is wrong. */
  readonly state: string;
  /** See `payloadText`. */
  readonly payload: string;
}

export interface RunView {
  readonly at: number;
  readonly kind: string;
  readonly op: number;
  readonly tenant: number;
  readonly stream: number;
  readonly first_offset: number;
  readonly count: number;
  readonly records: readonly RecordView[];
}

const PAYLOAD_SHOWN_MAX = 32;

export function logRuns(block: Region, findings: Finding[], where: string): RunView[] {
  const cursor = new LogBlockCursor();
  cursor.wrap(block, Math.min(sizeOf(block), block.bytes.byteLength), HEADER_SIZE);
  const runs: RunView[] = [];
  while (cursor.nextRun()) {
    const records: RecordView[] = [];
    while (cursor.nextRecord()) {
      const view = recordView(block, cursor);
      records.push(view);
      if (view.state !== 'whole') {
        findings.push({ where: `${where}, record at byte ${view.at}`, problem: view.state });
      }
    }
    runs.push({
      at: cursor.runAt,
      kind: cursor.kind === RUN_KIND.index ? `index level ${cursor.level}` : 'events',
      op: cursor.op,
      tenant: tenantOfStream(cursor.streamId),
      stream: localOfStream(cursor.streamId),
      first_offset: cursor.firstOffset,
      count: cursor.count,
      records,
    });
  }
  if (cursor.problem !== null) {
    findings.push({ where: `${where}, byte ${cursor.runEnd}`, problem: cursor.problem });
  }
  return runs;
}

function recordView(block: Region, cursor: LogBlockCursor): RecordView {
  const at = cursor.recordAt;
  const problem = recordProblem(block, at, cursor.runEnd);
  const record = problem === null ? readEventRecord(block, at, new Uint8Array(32)) : null;
  const previous = at + RECORD.prevHash;
  return {
    at,
    op: cursor.op,
    tenant: tenantOfStream(cursor.streamId),
    stream: localOfStream(cursor.streamId),
    offset: cursor.recordOffset,
    timestamp: record === null ? '-' : timeText(record.timestampMicros),
    previous: hex(block.bytes.subarray(previous, previous + 8)),
    size: record?.payload.byteLength ?? 0,
    state: problem ?? 'whole',
    payload: record === null ? '-' : payloadText(record.payload, PAYLOAD_SHOWN_MAX),
  };
}

/** Quoted text when it is UTF-8, else hexadecimal; cut after `bytesMax` bytes. */
export function payloadText(payload: Uint8Array, bytesMax: number): string {
  const shown = payload.subarray(0, bytesMax);
  const more = payload.byteLength > bytesMax ? '…' : '';
  try {
    // `stream`: a character that the cut divides is left out, not an error.
    const text = new TextDecoder('utf-8', { fatal: true }).decode(shown, { stream: more !== '' });
    return JSON.stringify(text) + more;
  } catch {
    return `0x${hex(shown)}${more}`;
  }
}
