/**
 * Bounds of what clients send, checked before a request becomes an op or a query runs, and again
 * by the kernel: a body that breaks a rule never reaches the state. Pure; allocates nothing but on
 * construction.
 */
import { type ClusterConfig } from '../constants.ts';
import { isZeroWords, readU64, u64Fits, type Region } from '../message/region.ts';
import { BODY, isNameByte, pad4 } from './commands.ts';
import {
  DATA_CLASSES,
  KERNEL,
  kernelLimits,
  NAME_LENGTH_MAX,
  TENANT_ID_MAX,
  type KernelLimits,
} from './operations.ts';

export class InputRules {
  readonly limits: KernelLimits;
  private readonly bodyTooLarge: string;
  private readonly eventTooLarge: string;
  private readonly tooManyEvents: string;

  constructor(config: ClusterConfig) {
    this.limits = kernelLimits(config);
    this.bodyTooLarge = `body: larger than ${this.limits.bodySizeMax} bytes`;
    this.eventTooLarge = `append: an event is larger than ${this.limits.payloadSizeMax} bytes`;
    this.tooManyEvents = `append: more than ${this.limits.batchEventsMax} events`;
  }

  /** The first rule that the body of `length` bytes at `at` breaks, or null. */
  problem(operation: number, region: Region, at: number, length: number): string | null {
    if (length > this.limits.bodySizeMax) return this.bodyTooLarge;
    switch (operation) {
      case KERNEL.createTenant:
        return (
          commandProblem(region, at, length, BODY.tenantName) ??
          nameFieldProblem(region, at, length, BODY.tenantNameLength, BODY.tenantName, 1) ??
          zeroProblem(region.fields.getUint16(at + BODY.tenantNameLength + 2, true))
        );
      case KERNEL.createStream:
        return (
          commandProblem(region, at, length, BODY.streamName) ??
          (region.fields.getUint8(at + BODY.streamClass) < DATA_CLASSES.length
            ? zeroProblem(region.fields.getUint8(at + BODY.streamClass + 1))
            : 'create_stream: unknown data class') ??
          nameFieldProblem(region, at, length, BODY.streamNameLength, BODY.streamName, 1)
        );
      case KERNEL.append:
        return this.appendProblem(region, at, length);
      case KERNEL.deleteStream:
        if (length !== BODY.stream + 8) return SIZE;
        return commandProblem(region, at, length, length) ?? idProblem(region, at + BODY.stream);
      case KERNEL.readEvents:
        if (length !== BODY.readSize) return SIZE;
        if (!u64Fits(region, at + BODY.readOffset)) return 'read_events: offset above 2^53 - 1';
        return tenantProblem(region, at) ?? idProblem(region, at + BODY.queryStream);
      case KERNEL.streamInfo:
        if (length < BODY.infoName) return SIZE;
        return (
          tenantProblem(region, at) ??
          idProblem(region, at + BODY.queryStream) ??
          nameFieldProblem(region, at, length, BODY.infoNameLength, BODY.infoName, 0) ??
          zeroProblem(region.fields.getUint16(at + BODY.infoNameLength + 2, true))
        );
      case KERNEL.listStreams:
        return length === BODY.listSize ? tenantProblem(region, at) : SIZE;
      case KERNEL.stateDigest:
        return length === 0 ? null : SIZE;
      default:
        return 'operation: unknown';
    }
  }

  /** Events that the op will append, 1 for other commands. After `problem` said null. */
  eventCount(operation: number, region: Region, at: number): number {
    return operation === KERNEL.append ? region.fields.getUint32(at + BODY.count, true) : 1;
  }

  private appendProblem(region: Region, at: number, length: number): string | null {
    const problem = commandProblem(region, at, length, BODY.events);
    if (problem !== null) return problem;
    const streamProblem = idProblem(region, at + BODY.stream);
    if (streamProblem !== null) return streamProblem;
    const { words } = region;
    const w = (at + BODY.expectedOffset) >> 2;
    const any = words[w] === 0xffff_ffff && words[w + 1] === 0xffff_ffff;
    if (!any && !u64Fits(region, at + BODY.expectedOffset)) {
      return 'append: expected offset above 2^53 - 1';
    }
    if (words[w + 3] !== 0) return NOT_ZERO;
    const count = words[w + 2] as number;
    if (count === 0) return 'append: no events';
    if (count > this.limits.batchEventsMax) return this.tooManyEvents;
    const sizeMax = this.limits.payloadSizeMax;
    const end = at + length;
    let next = at + BODY.events;
    for (let i = 0; i < count; i++) {
      if (next + 4 > end) return 'append: cut short';
      const size = words[next >> 2] as number;
      if (size > sizeMax) return this.eventTooLarge;
      const after = next + 4 + pad4(size);
      if (after > end) return 'append: cut short';
      const odd = size & 3;
      if (odd !== 0 && (words[(after - 4) >> 2] as number) >>> (8 * odd) !== 0) return NOT_ZERO;
      next = after;
    }
    return next === end ? null : 'append: bytes after the last event';
  }
}

const SIZE = 'body: wrong size for its operation';
const NOT_ZERO = 'body: a reserved field is not zero';

/** What all commands share; `fixed` is the size of what every one of them has. */
function commandProblem(region: Region, at: number, length: number, fixed: number): string | null {
  if (length < fixed) return SIZE;
  return tenantProblem(region, at);
}

function tenantProblem(region: Region, at: number): string | null {
  const tenant = readU64(region, at + BODY.tenant);
  if (tenant === 0 || tenant > TENANT_ID_MAX) return 'tenant: not in 1..2097151';
  return null;
}

function idProblem(region: Region, at: number): string | null {
  return u64Fits(region, at) ? null : 'stream: its tenant is not in 1..2097151';
}

function nameFieldProblem(
  region: Region,
  at: number,
  length: number,
  lengthAt: number,
  nameAt: number,
  lengthMin: number,
): string | null {
  const nameLength = region.fields.getUint16(at + lengthAt, true);
  if (nameLength < lengthMin) return 'name: empty';
  if (nameLength > NAME_LENGTH_MAX) return 'name: more than 256 characters';
  if (length !== pad4(nameAt + nameLength)) return SIZE;
  const from = at + nameAt;
  for (let i = 0; i < nameLength; i++) {
    if (!isNameByte(region.bytes[from + i] as number)) {
      return 'name: only letters, digits and underscore';
    }
  }
  for (let i = from + nameLength; i < at + length; i++) {
    if (region.bytes[i] !== 0) return NOT_ZERO;
  }
  return null;
}

function zeroProblem(value: number): string | null {
  return value === 0 ? null : NOT_ZERO;
}

/** True when the command carries an idempotency id. */
export function hasIdempotencyId(region: Region, at: number): boolean {
  return !isZeroWords(region, at + BODY.idempotencyId, 16);
}
