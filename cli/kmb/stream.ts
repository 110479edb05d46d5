/** `kmb stream create|append|read`. */
import { type Readable } from 'node:stream';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { type Connection, type DataClass, type StreamEvent } from '../../adapters/client.ts';
import { DATA_CLASSES, kernelLimits } from '../../core/kernel/operations.ts';
import { timeText } from '../inspect/data_file_reader.ts';
import { payloadText } from '../inspect/log_records.ts';
import { counted, wholeNumber } from '../numbers.ts';
import { subcommand } from '../program.ts';
import { UsageError } from '../usage_error.ts';
import {
  addConnectionOptions,
  addTenantOption,
  streamIdOf,
  tenantOf,
  withConnection,
  type ConnectionOptions,
} from './connection.ts';

interface StreamOptions extends ConnectionOptions {
  readonly tenant?: number;
}

export function addStreamCommand(program: Command): void {
  const stream = subcommand(program, 'stream', 'create streams, append to them, read them', [
    'kmb stream create orders --tenant 1 --addresses 3901,3902,3903',
    'kmb stream read orders --tenant 1 --addresses 3901,3902,3903',
  ]);
  addCreate(stream);
  addAppend(stream);
  addRead(stream);
}

// --- create ---

function addCreate(stream: Command): void {
  const command = subcommand(stream, 'create', 'create a stream', [
    'kmb stream create orders --tenant 1 --addresses 3901,3902,3903',
    'kmb stream create visits --class PHI --tenant 1 --addresses 3901,3902,3903',
  ]).argument('<name>', 'letters, digits and underscore');
  addConnectionOptions(addTenantOption(command))
    .addOption(
      new Option('--class <class>', 'of its data').choices([...DATA_CLASSES]).default('Confidential'),
    )
    .action(async (name: string, options: StreamOptions & { readonly class: DataClass }) => {
      const tenant = tenantOf(options);
      await withConnection(options, async (connection) => {
        const id = await connection.createStream(tenant, name, { dataClass: options.class });
        process.stdout.write(`created stream "${name}", id ${id}\n`);
      });
    });
}

// --- append ---

interface AppendOptions extends StreamOptions {
  readonly expectedOffset?: number;
  readonly idempotencyId?: Uint8Array;
}

function addAppend(stream: Command): void {
  const description = 'append events, all or none; without any, the lines of standard input';
  const command = subcommand(stream, 'append', description, [
    'kmb stream append orders first second --tenant 1 --addresses 3901,3902,3903',
    'seq 1 1000 | kmb stream append orders --tenant 1 --addresses 3901,3902,3903',
  ])
    .argument('<stream>', 'name or id')
    .argument('[event...]', 'written as UTF-8');
  addConnectionOptions(addTenantOption(command))
    .option('--expected-offset <offset>', 'refuse unless the first event gets this offset', wholeNumber(0))
    .option('--idempotency-id <hex>', '32 hexadecimal digits; takes effect once, ever', parseIdempotencyId)
    .action(async (name: string, events: string[], options: AppendOptions) => {
      const tenant = tenantOf(options);
      await withConnection(options, async (connection) => {
        const id = await streamIdOf(connection, tenant, name);
        if (events.length > 0) await appendOnce(connection, tenant, id, events, options);
        else await appendLines(connection, tenant, id, options);
      });
    });
}

async function appendOnce(
  connection: Connection,
  tenant: number,
  id: number,
  events: readonly string[],
  { expectedOffset, idempotencyId }: AppendOptions,
): Promise<void> {
  const { offset, count, op } = await connection.append(tenant, id, events, {
    ...(expectedOffset === undefined ? {} : { expectedOffset }),
    ...(idempotencyId === undefined ? {} : { idempotencyId }),
  });
  process.stdout.write(`appended ${counted(count, 'event')} at offset ${offset}, op ${op}\n`);
}

/** Lines go in as many appends as they need, each as large as the cluster takes. */
async function appendLines(
  connection: Connection,
  tenant: number,
  id: number,
  options: AppendOptions,
): Promise<void> {
  if (options.idempotencyId !== undefined) {
    throw new UsageError('--idempotency-id names one append: give the events as arguments');
  }
  const { config } = connection;
  if (config === null) throw new Error('connected without a configuration');
  const { batchEventsMax, bodySizeMax, payloadSizeMax } = kernelLimits(config);
  let expected = options.expectedOffset;
  let first = -1;
  let total = 0;
  let batch: Uint8Array[] = [];
  let size = 0;
  const flush = async (): Promise<void> => {
    if (batch.length === 0) return;
    const condition = expected === undefined ? {} : { expectedOffset: expected };
    const { offset, count } = await connection.append(tenant, id, batch, condition);
    if (first < 0) first = offset;
    total += count;
    if (expected !== undefined) expected = offset + count;
    batch = [];
    size = 0;
  };
  for await (const line of linesOf(process.stdin)) {
    if (line.byteLength > payloadSizeMax) {
      await flush();
      throw new UsageError(
        `line ${total + 1} has ${line.byteLength} bytes, this cluster takes ${payloadSizeMax}; ` +
          `the ${counted(total, 'line')} before it were appended`,
      );
    }
    const span = 8 + line.byteLength;
    if (batch.length === batchEventsMax || size + span > bodySizeMax - 64) await flush();
    batch.push(line);
    size += span;
  }
  await flush();
  const where = total === 0 ? '' : ` at offset ${first}`;
  process.stdout.write(`appended ${counted(total, 'event')}${where}\n`);
}

/** Bytes between line feeds; a last line without one counts, an empty one at the end does not. */
async function* linesOf(input: Readable): AsyncGenerator<Uint8Array> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of input as AsyncIterable<Buffer>) {
    rest = rest.byteLength === 0 ? chunk : Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10, start)) {
      yield rest.subarray(start, end);
      start = end + 1;
    }
    rest = rest.subarray(start);
  }
  if (rest.byteLength > 0) yield rest;
}

function parseIdempotencyId(text: string): Uint8Array {
  if (!/^[0-9a-fA-F]{32}$/.test(text) || /^0+$/.test(text)) {
    throw new InvalidArgumentError('It must be 32 hexadecimal digits, not all zero.');
  }
  return Uint8Array.from(Buffer.from(text, 'hex'));
}

// --- read ---

interface ReadOptions extends StreamOptions {
  readonly from: number;
  readonly limit: number;
  readonly json?: true;
}

function addRead(stream: Command): void {
  const command = subcommand(stream, 'read', 'print events, a line each', [
    'kmb stream read orders --tenant 1 --addresses 3901,3902,3903',
    'kmb stream read orders --from 500 --limit 10 --json --tenant 1 --addresses 3901',
  ]).argument('<stream>', 'name or id');
  addConnectionOptions(addTenantOption(command))
    .option('--from <offset>', 'of the first event', wholeNumber(0), 0)
    .option('--limit <count>', 'at most so many events', wholeNumber(1), 100)
    .option('--json', 'an object a line; payloads that are no text as hexadecimal')
    .action(async (name: string, options: ReadOptions) => {
      const tenant = tenantOf(options);
      await withConnection(options, (connection) => readEvents(connection, tenant, name, options));
    });
}

async function readEvents(
  connection: Connection,
  tenant: number,
  name: string,
  { from, limit, json }: ReadOptions,
): Promise<void> {
  const id = await streamIdOf(connection, tenant, name);
  let offset = from;
  let left = limit;
  while (left > 0) {
    const { events, nextOffset } = await connection.read(tenant, id, { offset, limit: Math.min(left, 1000) });
    for (const event of events) {
      process.stdout.write(json === true ? jsonLine(event) : `${textLine(event)}\n`);
    }
    left -= events.length;
    offset += events.length;
    if (events.length === 0 || offset >= nextOffset) return;
  }
}

function textLine({ offset, timestampMicros, payload }: StreamEvent): string {
  return `${offset}\t${timeText(timestampMicros)}\t${payloadText(payload, Number.POSITIVE_INFINITY)}`;
}

function jsonLine({ offset, timestampMicros, payload }: StreamEvent): string {
  const text = utf8(payload);
  const content = text === null ? { payload_hex: Buffer.from(payload).toString('hex') } : { payload: text };
  return `${JSON.stringify({ offset, timestamp: timeText(timestampMicros), ...content })}\n`;
}

function utf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}
