/**
 * A block as bytes: a header (command `block`; author, view and epoch zero, so that a block is the
 * same on all replicas), its body, and zeroes to the end of the last sector.
 */
import { bodyValid, headerValid } from '../checksum.ts';
import {
  HEADER_SIZE,
  PROTOCOL_VERSION,
  RELEASE,
  SECTOR_SIZE,
  type ChecksumAlgorithm,
} from '../constants.ts';
import { AT, COMMAND, commandOf, sizeOf } from '../message/header.ts';
import { type Message } from '../message/pool.ts';
import {
  copyWords,
  equalWords,
  isZeroWords,
  readU64,
  writeU64,
  zeroWords,
  type Region,
} from '../message/region.ts';
import { roundUp } from './data_file.ts';

/** Records of one request_blocks. */
export const REQUEST_BLOCKS_MAX = 4;
/** Bytes of one record: checksum 32, address u64, zero 8. */
export const REQUEST_BLOCK_SIZE = 48;

/** Everything of the header but size, metadata and checksums. */
export function initBlock(
  block: Message,
  cluster: Region,
  address: number,
  type: number,
  snapshotOp: number,
): void {
  zeroWords(block, 0, HEADER_SIZE);
  copyWords(cluster, 0, block, AT.cluster, 16);
  block.fields.setUint32(AT.release, RELEASE, true);
  block.fields.setUint16(AT.protocol, PROTOCOL_VERSION, true);
  block.fields.setUint8(AT.command, COMMAND.block);
  writeU64(block, AT.blockAddress, address);
  writeU64(block, AT.blockSnapshot, snapshotOp);
  block.fields.setUint8(AT.blockType, type);
}

/** Zeroes the rest of the last sector. */
export function padBlock(block: Message, size: number): void {
  let at = size;
  for (; (at & 3) !== 0; at++) block.bytes[at] = 0;
  block.words.fill(0, at >> 2, roundUp(size, SECTOR_SIZE) >> 2);
}

/** A block of this cluster at this address, whole: checksums and padding hold. */
export function isSound(
  algorithm: ChecksumAlgorithm,
  message: Message,
  cluster: Region,
  address: number,
  blockSize: number,
): boolean {
  if (!headerValid(algorithm, message)) return false;
  if (commandOf(message) !== COMMAND.block) return false;
  if (!equalWords(message, AT.cluster, cluster, 0, 16)) return false;
  if (readU64(message, AT.blockAddress) !== address) return false;
  const size = sizeOf(message);
  if (size < HEADER_SIZE || size > blockSize) return false;
  return bodyValid(algorithm, message) && isPadded(message, size);
}

function isPadded(message: Message, size: number): boolean {
  const words = roundUp(size, 4);
  for (let i = size; i < words; i++) if (message.bytes[i] !== 0) return false;
  return isZeroWords(message, words, roundUp(size, SECTOR_SIZE) - words);
}

/** A view is made only for a block in a larger slot: once per block, next to a disk access. */
export function prefixOf(message: Message, length: number): Uint8Array {
  return length === message.capacity ? message.bytes : message.bytes.subarray(0, length);
}

/** Appends a record unless the block is asked for already (several reads wait for it). */
export function addRequestRecord(
  message: Region,
  count: number,
  address: number,
  checksum: Region,
  checksumAt: number,
): number {
  for (let i = 0; i < count; i++) {
    const at = HEADER_SIZE + i * REQUEST_BLOCK_SIZE;
    if (readU64(message, at + 32) !== address) continue;
    if (equalWords(message, at, checksum, checksumAt, 32)) return count;
  }
  const at = HEADER_SIZE + count * REQUEST_BLOCK_SIZE;
  copyWords(checksum, checksumAt, message, at, 32);
  writeU64(message, at + 32, address);
  zeroWords(message, at + 40, 8);
  return count + 1;
}
