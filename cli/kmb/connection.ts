/** What the commands that talk to a cluster share: where it is, how long to wait, whose stream. */
import { Option, type Command } from 'commander';
import { connect, type Connection } from '../../adapters/client.ts';
import { parseSeconds, wholeNumber } from '../numbers.ts';
import { UsageError } from '../usage_error.ts';

const TENANT_MAX = 0x1f_ffff;
const TIMEOUT_MICROS = 10_000_000;

export interface ConnectionOptions {
  readonly addresses?: string;
  readonly timeout: number;
}

export function addConnectionOptions(command: Command): Command {
  return command
    .option(
      '--addresses <host:port,...>',
      'of the replicas, or some of them (default: $KIMBERLITE_ADDRESSES)',
    )
    .addOption(
      new Option('--timeout <seconds>', 'for the answer')
        .argParser(parseSeconds)
        .default(TIMEOUT_MICROS, String(TIMEOUT_MICROS / 1e6)),
    );
}

export function addTenantOption(command: Command): Command {
  return command.option(
    '--tenant <number>',
    'whose stream it is (default: $KIMBERLITE_TENANT)',
    wholeNumber(1, TENANT_MAX),
  );
}

export function tenantOf(options: { readonly tenant?: number }): number {
  if (options.tenant !== undefined) return options.tenant;
  const text = process.env['KIMBERLITE_TENANT'] ?? '';
  if (text === '') throw new UsageError('which tenant? give --tenant, or set KIMBERLITE_TENANT');
  return tenantNumber(text, 'KIMBERLITE_TENANT');
}

/** `what` is the argument or variable that the text came from. */
export function tenantNumber(text: string, what: string): number {
  const tenant = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (tenant >= 1 && tenant <= TENANT_MAX) return tenant;
  throw new UsageError(`${what} is "${text}": a tenant is a whole number from 1 to ${TENANT_MAX}`);
}

/** Connects, runs `use`, and closes however it ends. */
export async function withConnection(
  options: ConnectionOptions,
  use: (connection: Connection) => Promise<void>,
): Promise<void> {
  const addresses = options.addresses ?? process.env['KIMBERLITE_ADDRESSES'] ?? '';
  if (addresses === '') {
    throw new UsageError('which cluster? give --addresses, or set KIMBERLITE_ADDRESSES');
  }
  const timeoutMillis = options.timeout / 1000;
  const connection = await connect({ addresses, timeoutMillis, connectTimeoutMillis: timeoutMillis });
  try {
    await use(connection);
  } finally {
    await connection.close();
  }
}

/** A stream by its name, or by its id when it is written as a number. */
export async function streamIdOf(connection: Connection, tenant: number, text: string): Promise<number> {
  if (/^\d+$/.test(text)) return Number(text);
  return (await connection.streamInfo(tenant, text)).id;
}
