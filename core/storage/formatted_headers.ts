/**
 * The two headers that formatting makes: the root prepare (op 0, the same on every replica of a
 * cluster) and the reserved header of an empty journal slot, which carries its slot as its op so
 * that misdirected I/O is recognisable. Source: reference "vsr" 0 and 7.1.
 */
import { checksumInto, sealHeader } from '../checksum.ts';
import { HEADER_SIZE, PROTOCOL_VERSION, type ChecksumAlgorithm } from '../constants.ts';
import { AT, COMMAND, OPERATION, commandOf, operationOf, setOp, setSize } from '../message/header.ts';
import { copyWords, zeroWords, type Region } from '../message/region.ts';

/** Op 0. `cluster` is a region of 16 bytes. */
export function writeRootHeader(
  algorithm: ChecksumAlgorithm,
  cluster: Region,
  target: Region,
  at: number,
): void {
  writeHeader(algorithm, cluster, OPERATION.root, 0, target, at);
}

/** The content of an empty slot, in memory and on disk. */
export function writeReservedHeader(
  algorithm: ChecksumAlgorithm,
  cluster: Region,
  slot: number,
  target: Region,
  at: number,
): void {
  writeHeader(algorithm, cluster, OPERATION.reserved, slot, target, at);
}

/** True for the header of a real prepare: neither reserved nor a blank of a header list. */
export function isEntry(region: Region, at: number): boolean {
  return (
    commandOf(region, at) === COMMAND.prepare && operationOf(region, at) !== OPERATION.reserved
  );
}

function writeHeader(
  algorithm: ChecksumAlgorithm,
  cluster: Region,
  operation: number,
  op: number,
  target: Region,
  at: number,
): void {
  zeroWords(target, at, HEADER_SIZE);
  copyWords(cluster, 0, target, at + AT.cluster, 16);
  setSize(target, HEADER_SIZE, at);
  setOp(target, op, at);
  target.fields.setUint16(at + AT.protocol, PROTOCOL_VERSION, true);
  target.fields.setUint8(at + AT.command, COMMAND.prepare);
  target.fields.setUint8(at + AT.operation, operation);
  checksumInto(algorithm, target, at, 0, target, at + AT.checksumBody); // The empty body.
  sealHeader(algorithm, target, at);
}
