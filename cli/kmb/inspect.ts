/**
 * `kmb inspect`: any zone, block and record of a data file, and what is wrong with it. Read only;
 * the server may be running or gone. Exit status: 0 all is well, 1 something is wrong, 2 it cannot
 * be read as a data file.
 */
import { Option, type Command } from 'commander';
import { CHECKSUM_ALGORITHM, type ClusterConfig } from '../../core/constants.ts';
import { BLOCK_TYPE, AT } from '../../core/message/header.ts';
import { readU64 } from '../../core/message/region.ts';
import { type Zones } from '../../core/storage/data_file.ts';
import { inspectCheckpoint, type CheckpointView } from '../inspect/checkpoint.ts';
import { DataFileReader, type Finding } from '../inspect/data_file_reader.ts';
import {
  blockTypeName,
  fullHash,
  inspectGrid,
  logSummary,
  readBlock,
  trailerPartText,
  type GridView,
} from '../inspect/grid_zone.ts';
import { inspectJournal, type JournalSlotView } from '../inspect/journal_zone.ts';
import { logRuns, type RunView } from '../inspect/log_records.ts';
import { inspectReplies, type ReplySlotView } from '../inspect/reply_zone.ts';
import {
  openDataFile,
  viewHeaders,
  type OpenedFile,
  type SuperblockZoneView,
} from '../inspect/superblock_zone.ts';
import { grouped, wholeNumber } from '../numbers.ts';
import { subcommand } from '../program.ts';
import { tableText } from '../render/table.ts';
import { EXIT, UsageError, type ExitStatus } from '../usage_error.ts';

const ZONES = ['superblock', 'journal', 'replies', 'grid'] as const;
type ZoneName = (typeof ZONES)[number];

interface InspectOptions {
  readonly zone?: ZoneName;
  readonly block?: number;
  readonly json?: true;
}

export function addInspectCommand(program: Command, setStatus: (status: ExitStatus) => void): void {
  subcommand(program, 'inspect', 'show what a data file holds, and what is wrong with it', [
    'kmb inspect .kimberlite/dev/0.kmb',
    'kmb inspect .kimberlite/dev/0.kmb --zone journal',
  ])
    .argument('<file>', "a replica's data file; its server may be running")
    .addOption(new Option('--zone <zone>', 'one zone, row by row').choices([...ZONES]))
    .option('--block <address>', 'one block of the grid; of a log block also its records', wholeNumber(1))
    .option('--json', 'one object, every row of what was asked for')
    .action((path: string, options: InspectOptions) => setStatus(inspect(path, options)));
}

/** The object that `--json` prints. Parts that were not asked for are left out. */
export interface Inspection {
  readonly file: string;
  readonly size: number;
  readonly cluster: string;
  readonly replica: number;
  readonly replica_count: number;
  readonly config: ClusterConfig;
  readonly zones: Readonly<Record<ZoneName, { readonly offset: number; readonly size: number }>>;
  readonly superblock?: SuperblockZoneView;
  readonly checkpoint?: CheckpointView | null;
  readonly journal?: readonly JournalSlotView[];
  readonly replies?: readonly ReplySlotView[];
  readonly grid?: GridView;
  readonly block?: BlockDetail;
  readonly problems: readonly Finding[];
}

export interface BlockDetail {
  readonly address: number;
  readonly offset: number;
  readonly state: string;
  readonly type: string;
  readonly checksum: string;
  readonly snapshot_op: number;
  readonly trailer: string | null;
  readonly log: ReturnType<typeof logSummary> | null;
  readonly runs: readonly RunView[];
}

function inspect(path: string, options: InspectOptions): ExitStatus {
  if (options.zone !== undefined && options.block !== undefined) {
    throw new UsageError('--zone and --block: give one of them');
  }
  const reader = new DataFileReader(path);
  try {
    const findings: Finding[] = [];
    const file = openDataFile(reader, findings);
    const inspection = inspectParts(reader, file, options, findings);
    const text =
      options.json === true
        ? `${JSON.stringify(inspection, null, 2)}\n`
        : inspectionText(inspection, file, options);
    process.stdout.write(text);
    return findings.length === 0 ? EXIT.passed : EXIT.violation;
  } finally {
    reader.close();
  }
}

function inspectParts(
  reader: DataFileReader,
  file: OpenedFile,
  options: InspectOptions,
  findings: Finding[],
): Inspection {
  const { config, zones } = file;
  const wanted = (zone: ZoneName): boolean =>
    options.block === undefined && (options.zone === undefined || options.zone === zone);
  const head = {
    file: reader.path,
    size: reader.size,
    cluster: file.cluster,
    replica: file.replica,
    replica_count: file.replicaCount,
    config,
    zones: zoneSizes(zones),
  };
  return {
    ...head,
    ...(wanted('superblock')
      ? { superblock: file.superblock, checkpoint: inspectCheckpoint(file) }
      : {}),
    ...(wanted('journal') ? { journal: inspectJournal(reader, file, findings) } : {}),
    ...(wanted('replies') ? { replies: inspectReplies(reader, file, findings) } : {}),
    ...(wanted('grid') ? { grid: inspectGrid(reader, file, findings) } : {}),
    ...(options.block === undefined
      ? {}
      : { block: inspectBlock(reader, file, options.block, findings) }),
    problems: findings,
  };
}

function inspectBlock(
  reader: DataFileReader,
  file: OpenedFile,
  address: number,
  findings: Finding[],
): BlockDetail {
  const { config, zones } = file;
  if (address > config.gridBlocks) {
    throw new UsageError(`there is no block ${address}: the grid has blocks 1 to ${config.gridBlocks}`);
  }
  const { region, problem } = readBlock(reader, file, address);
  if (problem !== null) findings.push({ where: `block ${address}`, problem });
  const type = region.fields.getUint8(AT.blockType);
  const isLog = type === BLOCK_TYPE.log;
  return {
    address,
    offset: zones.grid + (address - 1) * config.blockSize,
    state: problem ?? 'whole',
    type: blockTypeName(type),
    checksum: fullHash(region, AT.checksum),
    snapshot_op: readU64(region, AT.blockSnapshot),
    trailer: type === BLOCK_TYPE.trailer ? trailerPartText(region) : null,
    log: isLog ? logSummary(region) : null,
    // Also of a damaged block: the cursor goes as far as it can.
    runs: isLog ? logRuns(region, findings, `block ${address}`) : [],
  };
}

function zoneSizes(zones: Zones): Inspection['zones'] {
  return {
    superblock: { offset: zones.superblock, size: zones.journalHeaders - zones.superblock },
    journal: { offset: zones.journalHeaders, size: zones.replies - zones.journalHeaders },
    replies: { offset: zones.replies, size: zones.grid - zones.replies },
    grid: { offset: zones.grid, size: zones.end - zones.grid },
  };
}

// --- For people ---

function inspectionText(inspection: Inspection, file: OpenedFile, options: InspectOptions): string {
  const parts = [headText(inspection)];
  const { superblock, checkpoint, journal, replies, grid, block } = inspection;
  const whole = options.zone !== undefined;
  if (superblock !== undefined) parts.push(superblockText(superblock, file));
  if (checkpoint !== undefined && checkpoint !== null) parts.push(checkpointText(checkpoint, whole));
  if (journal !== undefined) parts.push(journalText(journal, whole));
  if (replies !== undefined) parts.push(repliesText(replies, whole));
  if (grid !== undefined) parts.push(gridText(grid, whole));
  if (block !== undefined) parts.push(blockText(block));
  parts.push(problemsText(inspection.problems));
  return parts.join('\n');
}

function headText({ file, size, cluster, replica, replica_count, config, zones }: Inspection): string {
  const algorithm = Object.entries(CHECKSUM_ALGORITHM).find(([, code]) => code === config.checksumAlgorithm);
  const numbers = Object.entries(config)
    .filter(([key]) => key !== 'checksumAlgorithm')
    .map(([key, value]) => `${key} ${grouped(value as number)}`);
  const rows = Object.entries(zones).map(([name, zone]) => ({ name, ...zone }));
  return (
    `${file}: cluster ${cluster}, replica ${replica} of ${replica_count}, ${bytesText(size)}\n` +
    `config ${[...numbers, `checksum ${algorithm?.[0] ?? '?'}`].join(', ')}\n\n` +
    tableText(rows, [
      ['zone', (row) => row.name],
      ['offset', (row) => grouped(row.offset)],
      ['size', (row) => bytesText(row.size)],
    ])
  );
}

function superblockText(superblock: SuperblockZoneView, { state }: OpenedFile): string {
  let text =
    `superblock: ${superblock.verdict === 'open' ? 'opens' : superblock.verdict}\n` +
    tableText(superblock.copies, [
      ['copy', (row) => String(row.position)],
      ['state', (row) => row.state],
      ['sequence', (row) => (row.state.startsWith('ok') ? String(row.sequence) : '-')],
      ['checksum', (row) => row.checksum],
      ['parent', (row) => row.parent],
      ['view', (row) => (row.state.startsWith('ok') ? String(row.view) : '-')],
      ['log view', (row) => (row.state.startsWith('ok') ? String(row.log_view) : '-')],
      ['commit max', (row) => (row.state.startsWith('ok') ? String(row.commit_max) : '-')],
      ['checkpoint op', (row) => (row.state.startsWith('ok') ? String(row.checkpoint_op) : '-')],
    ]);
  if (state !== null) {
    const headers = viewHeaders(state);
    const shown = headers.slice(0, 4).map((row) => `op ${row.op} view ${row.view}`);
    const more = headers.length > 4 ? ', …' : '';
    text += `generation ${state.generation}; ${headers.length} view headers: ${shown.join(', ')}${more}\n`;
    if (state.syncOpMax !== 0) {
      text += `state sync is not finished: blocks of ops ${state.syncOpMin} to ${state.syncOpMax}\n`;
    }
  }
  return text;
}

function checkpointText(checkpoint: CheckpointView, whole: boolean): string {
  let text =
    `checkpoint: op ${checkpoint.op}, view ${checkpoint.view}, committed ${checkpoint.commit_timestamp}, ` +
    `${bytesText(checkpoint.storage_size)} of the file in use\n` +
    `id ${checkpoint.id}\n`;
  const trailers = checkpoint.trailers.filter((row) => whole || row.size > 0);
  if (trailers.length > 0) {
    text += tableText(trailers, [
      ['trailer', (row) => row.name],
      ['size', (row) => grouped(row.size)],
      ['last block', (row) => (row.last_block === 0 ? '-' : String(row.last_block))],
      ['its checksum', (row) => row.last_block_checksum],
      ['of the content', (row) => row.content_checksum],
    ]);
  }
  return text;
}

const NULL = '-';
const textOf = (value: number | string | null): string => (value === null ? NULL : String(value));

function journalText(journal: readonly JournalSlotView[], whole: boolean): string {
  const ops = journal.map((row) => row.op).filter((op) => op !== null);
  const range = ops.length === 0 ? '' : `, ops ${Math.min(...ops)} to ${Math.max(...ops)}`;
  const text = `journal: ${journal.length} slots${range}; ${countsText(journal.map((row) => row.state))}\n`;
  const rows = whole ? journal : journal.filter((row) => row.state !== 'clean' && row.state !== 'empty');
  if (rows.length === 0) return text;
  return (
    text +
    tableText(rows, [
      ['slot', (row) => String(row.slot)],
      ['state', (row) => row.state],
      ['case', (row) => row.case],
      ['header', (row) => row.header],
      ['prepare', (row) => row.prepare],
      ['op', (row) => textOf(row.op)],
      ['view', (row) => textOf(row.view)],
      ['operation', (row) => textOf(row.operation)],
      ['request', (row) => textOf(row.request)],
      ['size', (row) => textOf(row.size)],
      ['checksum', (row) => textOf(row.checksum)],
      ['timestamp', (row) => textOf(row.timestamp)],
    ])
  );
}

function repliesText(replies: readonly ReplySlotView[], whole: boolean): string {
  const text = `replies: ${replies.length} slots; ${countsText(replies.map((row) => row.state))}\n`;
  const rows = replies.filter((row) => row.state === 'damaged' || (whole && row.state !== 'empty'));
  if (rows.length === 0) return text;
  return (
    text +
    tableText(rows, [
      ['slot', (row) => String(row.slot)],
      ['state', (row) => row.state],
      ['client', (row) => textOf(row.client)],
      ['op', (row) => textOf(row.op)],
      ['request', (row) => textOf(row.request)],
      ['operation', (row) => textOf(row.operation)],
      ['size', (row) => textOf(row.size)],
      ['checksum', (row) => textOf(row.checksum)],
    ])
  );
}

function gridText(grid: GridView, whole: boolean): string {
  const used = grid.in_use === null ? 'free set unknown' : `${grid.in_use} in use`;
  const types = countsText(grid.blocks.map((row) => row.type));
  const text = `grid: ${used}; ${types || 'no blocks'}\n`;
  const rows = whole ? grid.blocks : grid.blocks.filter((row) => row.state !== 'whole');
  if (rows.length === 0) return text;
  return (
    text +
    tableText(rows, [
      ['block', (row) => String(row.address)],
      ['use', (row) => row.use],
      ['type', (row) => row.type],
      ['snapshot op', (row) => String(row.snapshot_op)],
      ['size', (row) => grouped(row.size)],
      ['checksum', (row) => row.checksum],
      ['state', (row) => row.state],
      ['log', (row) => (row.log === null ? '' : logText(row.log))],
    ])
  );
}

function logText(log: NonNullable<BlockDetail['log']>): string {
  return `number ${log.ordinal}, ops ${log.op_first} to ${log.op_last}, ${log.records} records`;
}

function blockText(block: BlockDetail): string {
  let text =
    `block ${block.address} at byte ${grouped(block.offset)}: ${block.state}\n` +
    `type ${block.type}, snapshot op ${block.snapshot_op}, checksum ${block.checksum}\n`;
  if (block.trailer !== null) text += `${block.trailer}\n`;
  if (block.log !== null) text += `${logText(block.log)}\n`;
  const records = block.runs.flatMap((run) => run.records);
  const indexes = block.runs.filter((run) => run.kind !== 'events');
  for (const run of indexes) {
    text += `at byte ${run.at}: ${run.kind} of stream ${run.tenant}/${run.stream}, ${run.count} entries\n`;
  }
  if (records.length === 0) return text;
  return (
    text +
    tableText(records, [
      ['byte', (row) => String(row.at)],
      ['op', (row) => String(row.op)],
      ['tenant', (row) => String(row.tenant)],
      ['stream', (row) => String(row.stream)],
      ['offset', (row) => String(row.offset)],
      ['timestamp', (row) => row.timestamp],
      ['previous', (row) => row.previous],
      ['size', (row) => String(row.size)],
      ['state', (row) => row.state],
      ['payload', (row) => row.payload],
    ])
  );
}

function problemsText(problems: readonly Finding[]): string {
  if (problems.length === 0) return 'nothing is wrong\n';
  const lines = problems.map(({ where, problem }) => `  ${where}: ${problem}\n`);
  const head = problems.length === 1 ? 'one thing is' : `${problems.length} things are`;
  return `${head} wrong\n${lines.join('')}`;
}

function countsText(names: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].map(([name, count]) => `${grouped(count)} ${name}`).join(', ');
}

function bytesText(size: number): string {
  if (size >= 1 << 30) return `${(size / (1 << 30)).toFixed(2)} GiB`;
  if (size >= 1 << 20) return `${(size / (1 << 20)).toFixed(1)} MiB`;
  if (size >= 1 << 10) return `${(size / (1 << 10)).toFixed(1)} KiB`;
  return `${size} bytes`;
}
