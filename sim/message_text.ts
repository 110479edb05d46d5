/**
 * A message's header in words: `prepare op 12 append`. Reads bytes that may have been damaged on the
 * way: nothing here trusts them.
 */
import { kernelOperationName } from '../core/kernel/operations.ts';
import {
  AT,
  COMMAND,
  COMMAND_NAMES,
  OPERATION,
  commandOf,
  operationOf,
  requestOf,
} from '../core/message/header.ts';
import { readU64, type Region } from '../core/message/region.ts';

const PROTOCOL_OPERATIONS = new Map<number, string>(
  Object.entries(OPERATION).map(([name, code]) => [code, name]),
);

/** `append`, `register`, `operation_77`. */
export function operationText(operation: number): string {
  return PROTOCOL_OPERATIONS.get(operation) ?? kernelOperationName(operation);
}

/** Where the op lies that a message is about; commands that are about none are not listed. */
const OP_AT: ReadonlyMap<number, number> = new Map([
  [COMMAND.prepare, AT.op],
  [COMMAND.prepareOk, AT.op],
  [COMMAND.reply, AT.op],
  [COMMAND.doViewChange, AT.op],
  [COMMAND.startView, AT.op],
  [COMMAND.requestPrepare, AT.op],
  [COMMAND.nack, AT.op],
  [COMMAND.commit, AT.commit],
]);

/** -1: it is about no op. */
export function messageOp(region: Region, at: number): number {
  const place = OP_AT.get(commandOf(region, at));
  return place === undefined ? -1 : safe(readU64(region, at + place));
}

function safe(value: number): number {
  return Number.isSafeInteger(value) ? value : -1;
}

/** Command, and what tells this message from others of its kind; without view and ends. */
export function messageText(region: Region, at: number): string {
  const command = commandOf(region, at);
  const name = COMMAND_NAMES[command] ?? `command_${command}`;
  const op = messageOp(region, at);
  switch (command) {
    case COMMAND.request:
    case COMMAND.query:
      return `${name} ${requestOf(region, at)} ${operationText(operationOf(region, at))}`;
    case COMMAND.prepare:
      return `${name} op ${op} ${operationText(operationOf(region, at))}`;
    case COMMAND.reply:
      return `${name} ${requestOf(region, at)} op ${op}`;
    case COMMAND.queryReply:
      return `${name} ${requestOf(region, at)}`;
    case COMMAND.commit:
      return `${name} op ${op}`;
    case COMMAND.doViewChange:
      return `${name} log view ${viewLogged(region, at)} head ${op}`;
    case COMMAND.startView:
      return `${name} head ${op}`;
    case COMMAND.requestHeaders:
      return `${name} ${range(region, at)}`;
    case COMMAND.headers:
    case COMMAND.requestBlocks:
      return `${name} of ${region.fields.getUint16(at + AT.count, true)}`;
    case COMMAND.block:
      return `${name} ${safe(readU64(region, at + AT.blockAddress))}`;
    default:
      return op === -1 ? name : `${name} op ${op}`;
  }
}

function viewLogged(region: Region, at: number): number {
  return region.fields.getUint32(at + AT.dvcLogView, true);
}

function range(region: Region, at: number): string {
  return `ops ${safe(readU64(region, at + AT.opMin))} to ${safe(readU64(region, at + AT.opMax))}`;
}
